"""Files are hung on documents of a simulated Kingdee, and answers are read that no simulator gives."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync import exact
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.answer import read_answer
from kdsync.kingdee.attachments import LONGEST_NAME, PIECE, UNREADABLE, Attachments, stored_name
from kdsync.kingdee.client import KingdeeClient
from kdsync.simulator.kingdee import SimulatedKingdee

FORM = "ER_ExpReimbursement"
UPLOADS = ("AttachmentUpLoad", "AttachmentUpload")


class Canned:
    """Stands for a client; answers with bodies in turn and remembers what it was asked."""

    def __init__(self, *bodies: Any) -> None:
        self.bodies = list(bodies)
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def call(self, service: str, payload: Mapping[str, Any], *, read: bool) -> Any:
        self.asked.append((service, payload["data"]))
        body = self.bodies.pop(0)
        return read_answer(200, body if isinstance(body, bytes) else exact.dumps(body), read=read)

    @property
    def attachments(self) -> Attachments:
        return Attachments(cast("KingdeeClient", self))


@pytest.fixture
def attachments(at_erp: KingdeeClient, erp: SimulatedKingdee) -> Attachments:
    at_erp.log_in()
    erp.requests.clear()
    return Attachments(at_erp)


@pytest.fixture
def doc_id(erp: SimulatedKingdee) -> str:
    return str(erp.create(FORM, "E1"))


def sent(erp: SimulatedKingdee) -> list[Mapping[str, Any]]:
    return [request.data for request in erp.requests if request.op in UPLOADS]


@pytest.mark.parametrize(
    ("content", "pieces"),
    [(b"%PDF\x00", 1), (b"", 1), (b"x" * PIECE, 1), (b"x" * PIECE + b"y", 2), (bytes(range(256)) * 9000, 3)],
)
def test_a_file_is_sent_in_pieces(
    erp: SimulatedKingdee, attachments: Attachments, doc_id: str, content: bytes, pieces: int
) -> None:
    attachments.upload(FORM, doc_id, "E1", "发票.pdf", content)
    assert erp.attachments(FORM, int(doc_id)) == {"发票.pdf": content}
    assert [data["IsLast"] for data in sent(erp)] == [False] * (pieces - 1) + [True]
    assert attachments.names(FORM, doc_id) == {"发票.pdf"}


def test_names_are_those_of_one_document(erp: SimulatedKingdee, attachments: Attachments, doc_id: str) -> None:
    other = str(erp.create(FORM, "E2"))
    for name in ("a.pdf", "b.pdf"):
        attachments.upload(FORM, doc_id, "E1", name, b"x")
    attachments.upload(FORM, other, "E2", "c.pdf", b"x")
    assert attachments.names(FORM, doc_id) == {"a.pdf", "b.pdf"}
    assert attachments.names("AP_PAYBILL", doc_id) == frozenset()


@pytest.mark.parametrize("missing", UPLOADS)
def test_the_spelling_of_the_service_is_found_once(
    erp: SimulatedKingdee, attachments: Attachments, doc_id: str, missing: str
) -> None:
    erp.missing_services.add(missing)
    for name in ("a.pdf", "b.pdf"):
        attachments.upload(FORM, doc_id, "E1", name, b"x")
    assert attachments.names(FORM, doc_id) == {"a.pdf", "b.pdf"}
    assert {request.op for request in erp.requests if request.op in UPLOADS} == {*UPLOADS} - {missing}


def test_a_server_without_the_service(erp: SimulatedKingdee, attachments: Attachments, doc_id: str) -> None:
    erp.missing_services.update(UPLOADS)
    with pytest.raises(EdgeError) as caught:
        attachments.upload(FORM, doc_id, "E1", "a.pdf", b"x")
    assert (caught.value.kind, caught.value.code) == (FailureKind.UNKNOWN_OUTCOME, "null-reference")


def test_the_spelling_of_the_name_is_found() -> None:
    unknown = {
        "Result": {
            "ResponseStatus": {
                "IsSuccess": False,
                "Errors": [{"Message": "元数据中标识为FATTACHMENTNAME的字段不存在"}],
                "MsgCode": 9,
            }
        }
    }
    canned = Canned([[unknown]], [[1, "a.pdf "], [2, None]])
    assert canned.attachments.names(FORM, "7") == {"a.pdf"}
    assert [data["FieldKeys"] for _, data in canned.asked] == ["FID,FATTACHMENTNAME", "FID,FAttachmentName"]
    assert canned.asked[0][1]["FilterString"] == "FBillType='ER_ExpReimbursement' and FInterID='7'"
    with pytest.raises(EdgeError) as caught:
        Canned(
            [[unknown]], [[exact.loads(exact.dumps(unknown).replace(b"FATTACHMENTNAME", b"FAttachmentName"))]]
        ).attachments.names(FORM, "7")
    assert caught.value.code == UNREADABLE


@pytest.mark.parametrize("fault", ["permission", "unknown_form", "bad_filter"])
def test_a_list_that_cannot_be_read_says_so(
    erp: SimulatedKingdee, attachments: Attachments, doc_id: str, fault: str
) -> None:
    erp.fault(fault, form="BOS_Attachment")
    with pytest.raises(EdgeError) as caught:
        attachments.names(FORM, doc_id)
    assert (caught.value.kind, caught.value.code) == (FailureKind.CONFIGURATION, UNREADABLE)


def test_a_file_whose_row_cannot_be_read_is_not_taken_for_one_that_is_not_there() -> None:
    good = [[1, "a.pdf"]]
    torn = [[1, "a.pdf"], [2, "b.pdf", None]]
    assert Canned(torn, good).attachments.names(FORM, "1") == frozenset({"a.pdf"})
    with pytest.raises(EdgeError):
        Canned(torn, torn, torn).attachments.names(FORM, "1")


@pytest.mark.parametrize(("times", "code"), [(1, ""), (2, UNREADABLE)])
def test_a_database_that_fails_once_is_no_list_that_cannot_be_read(
    erp: SimulatedKingdee, attachments: Attachments, doc_id: str, times: int, code: str
) -> None:
    erp.fault("database", form="BOS_Attachment", times=times)
    if not code:
        assert attachments.names(FORM, doc_id) == frozenset()
        return
    with pytest.raises(EdgeError) as caught:
        attachments.names(FORM, doc_id)
    assert caught.value.code == code


def test_a_server_that_is_down_is_asked_again_another_time(
    erp: SimulatedKingdee, attachments: Attachments, doc_id: str
) -> None:
    erp.fault("http500", form="BOS_Attachment", times=9)
    with pytest.raises(EdgeError) as caught:
        attachments.names(FORM, doc_id)
    assert caught.value.kind is FailureKind.TRANSIENT


def test_when_the_answer_to_the_last_piece_is_lost_the_file_may_be_there(
    erp: SimulatedKingdee, attachments: Attachments, doc_id: str
) -> None:
    erp.fault("lost_reply", op="AttachmentUpLoad")
    with pytest.raises(EdgeError) as caught:
        attachments.upload(FORM, doc_id, "E1", "a.pdf", b"x")
    assert caught.value.kind is FailureKind.UNKNOWN_OUTCOME
    assert attachments.names(FORM, doc_id) == {"a.pdf"}


def test_when_the_answer_to_another_piece_is_lost_the_file_is_not_there(
    erp: SimulatedKingdee, attachments: Attachments, doc_id: str
) -> None:
    erp.fault("lost_reply", op="AttachmentUpLoad")
    with pytest.raises(EdgeError) as caught:
        attachments.upload(FORM, doc_id, "E1", "a.pdf", b"x" * (PIECE + 1))
    assert caught.value.kind is FailureKind.TRANSIENT
    assert attachments.names(FORM, doc_id) == frozenset()


def test_a_session_that_was_lost_between_two_pieces_loses_nothing(
    erp: SimulatedKingdee, attachments: Attachments, doc_id: str
) -> None:
    erp.fault("session_lost", op="AttachmentUpLoad", times=1)
    attachments.upload(FORM, doc_id, "E1", "a.pdf", b"x" * (PIECE + 1))
    assert erp.attachments(FORM, int(doc_id)) == {"a.pdf": b"x" * (PIECE + 1)}


def test_a_file_that_kingdee_does_not_take() -> None:
    words = "不允许上传该类型的文件"
    refusal = {"Result": {"ResponseStatus": {"IsSuccess": False, "Errors": [{"Message": words}], "MsgCode": 0}}}
    with pytest.raises(EdgeError) as caught:
        Canned(refusal).attachments.upload(FORM, "7", "E1", "a.exe", b"x")
    assert (caught.value.kind, caught.value.words) == (FailureKind.REFUSED, words)


def test_a_document_that_is_gone(attachments: Attachments) -> None:
    with pytest.raises(EdgeError) as caught:
        attachments.upload(FORM, "7", "E1", "a.pdf", b"x")
    assert (caught.value.kind, caught.value.code) == (FailureKind.REFUSED, "10")


def test_a_document_that_somebody_has_open_is_tried_again(
    erp: SimulatedKingdee, attachments: Attachments, doc_id: str
) -> None:
    erp.fault("edit_lock", op="AttachmentUpLoad")
    with pytest.raises(EdgeError) as caught:
        attachments.upload(FORM, doc_id, "E1", "a.pdf", b"x")
    assert caught.value.kind is FailureKind.TRANSIENT


@pytest.mark.parametrize("result", [None, {}, {"FileId": ""}, {"FileId": None}, {"FileId": []}, [], 7])
def test_an_answer_without_the_id_of_the_file_tells_nothing(result: Any) -> None:
    for content, kind in ((b"x", FailureKind.UNKNOWN_OUTCOME), (b"x" * (PIECE + 1), FailureKind.TRANSIENT)):
        with pytest.raises(EdgeError) as caught:
            Canned({"Result": result}).attachments.upload(FORM, "7", "E1", "a.pdf", content)
        assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("发票.pdf", "发票.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ('a<b>:"c|?*.txt', "a_b___c___.txt"),
        ("a\nb\x00.pdf", "a_b_.pdf"),
        ("", "file"),
        (" ... ", "file"),
        ("字" * 300 + ".pdf", "字" * 96 + ".pdf"),
        ("." + "x" * 300, "x" * 100),
        ("a." + "x" * 300, "a." + "x" * 98),
        ("x" * 99 + "." + "y" * 200, "x" * 99),
    ],
)
def test_a_name_that_kingdee_can_hold(name: str, stored: str) -> None:
    assert stored_name(name) == stored


@given(st.text(max_size=200))
def test_every_name_can_be_held_and_stays_as_it_is_held(name: str) -> None:
    stored = stored_name(name)
    assert 0 < len(stored) <= LONGEST_NAME
    assert stored_name(stored) == stored


def test_a_name_that_the_request_filter_would_stop_arrives(attachments: Attachments, doc_id: str) -> None:
    attachments.upload(FORM, doc_id, "E1", "<script>(1).pdf", b"x")
    assert attachments.names(FORM, doc_id) == {stored_name("<script>(1).pdf")}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Result", "ResponseStatus", "IsSuccess", "Errors", "FileId", "Message"]), inner, max_size=4
        )
    ),
)


@given(st.binary(max_size=30) | JSON.map(exact.dumps))
def test_whatever_is_answered_is_read_or_an_edge_error(body: bytes) -> None:
    with suppress(EdgeError):
        Canned(body, body, body, body, body, body).attachments.names(FORM, "7")
    with suppress(EdgeError):
        Canned(body, body, body).attachments.upload(FORM, "7", "E1", "a.pdf", b"x")
