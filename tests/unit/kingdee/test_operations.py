"""Documents are changed in a simulated Kingdee, and answers are read that no simulator gives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from kdsync import exact
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.answer import read_answer
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.operations import DUPLICATE, Operations, Outcome
from kdsync.simulator.kingdee import SimulatedKingdee

FORM, ORDER, SOURCE = "AP_PAYBILL", "PUR_PurchaseOrder", "CN_PAYAPPLY"
MISSING = "response_error:未将对象引用设置到对象的实例。".encode()


class Canned:
    """Stands for a client; answers with bodies in turn and remembers what it was asked."""

    settings = SimpleNamespace(timezone=ZoneInfo("Asia/Shanghai"))

    def __init__(self, *bodies: Any) -> None:
        self.bodies = list(bodies)
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def call(self, service: str, payload: Mapping[str, Any], *, read: bool) -> Any:
        assert not read
        exact.dumps(payload)
        self.asked.append((service, payload))
        body = self.bodies.pop(0)
        return read_answer(200, body if isinstance(body, bytes) else exact.dumps(body), read=read)

    @property
    def operations(self) -> Operations:
        return Operations(cast("KingdeeClient", self))


def status(done: list[Any] | None = None, errors: list[str] | None = None, **more: Any) -> dict[str, Any]:
    told = {
        "IsSuccess": not errors,
        "Errors": [{"Message": text, "DIndex": at} for at, text in enumerate(errors or [])],
        "SuccessEntitys": done or [],
        "MsgCode": 0,
        **more,
    }
    return {"Result": {"ResponseStatus": told}}


def done(doc_id: Any = 7, number: str = "P7") -> dict[str, Any]:
    return {"Id": doc_id, "Number": number, "DIndex": 0}


@pytest.fixture
def operations(at_erp: KingdeeClient, erp: SimulatedKingdee) -> Operations:
    at_erp.log_in()
    erp.requests.clear()
    return Operations(at_erp)


def create(erp: SimulatedKingdee, status: str = "A", form: str = FORM, **fields: Any) -> str:
    return str(erp.create(form, "P1", status, **fields))


def of(erp: SimulatedKingdee, doc_id: str, key: str = "FDocumentStatus", form: str = FORM) -> Any:
    return erp.document(form, int(doc_id))[key]


def test_a_document_is_submitted_and_audited(erp: SimulatedKingdee, operations: Operations) -> None:
    doc_id = create(erp)
    assert operations.submit(FORM, doc_id) == Outcome(doc_id, "P1", done=True)
    assert operations.audit(FORM, doc_id) == Outcome(doc_id, "P1", done=True)
    assert of(erp, doc_id) == "C"


def test_a_refusal_is_an_outcome_in_the_words_of_kingdee(erp: SimulatedKingdee, operations: Operations) -> None:
    doc_id = create(erp)
    outcome = operations.audit(FORM, doc_id)
    assert outcome == Outcome(
        doc_id, "", done=False, text="单据编号为“P1”的单据，尚未提交，请先提交再审核", code="not-submitted"
    )
    assert operations.submit(FORM, "99").code == "10"


def test_a_workflow_is_not_passed_by(erp: SimulatedKingdee, operations: Operations) -> None:
    zhang, doc_id = erp.add_user("zhangsan", "张三"), create(erp)
    erp.start_workflow(FORM, int(doc_id), zhang)
    outcome = operations.audit(FORM, doc_id)
    assert (outcome.done, outcome.code) == (False, "in-workflow")
    assert "IsVerifyProcInst" not in erp.requests[-1].data
    assert of(erp, doc_id) == "B"


def test_operations_by_their_number(erp: SimulatedKingdee, operations: Operations) -> None:
    doc_id = create(erp)
    assert operations.operate(FORM, "Cancel", doc_id).done
    assert of(erp, doc_id, "FCancelStatus") == "B"
    assert not operations.operate(FORM, "Cancel", doc_id).done
    assert operations.operate(FORM, "NoSuchThing", doc_id).code == "3"


@pytest.mark.parametrize("missing", ["ExecuteOperation", "ExcuteOperation"])
def test_the_spelling_of_the_service_is_found_once(erp: SimulatedKingdee, operations: Operations, missing: str) -> None:
    erp.missing_services.add(missing)
    doc_id = create(erp, "C", ORDER)
    assert operations.operate(ORDER, "BillClose", doc_id).done
    assert operations.operate(ORDER, "BillUnClose", doc_id).done
    assert of(erp, doc_id, "FCloseStatus", ORDER) == "A"


def test_the_spelling_is_remembered_from_a_refusal_too() -> None:
    client = Canned(status(errors=["单据已作废"]), MISSING)
    operations = client.operations
    assert not operations.operate(FORM, "Cancel", "7").done
    with pytest.raises(EdgeError) as caught:
        operations.operate(FORM, "Cancel", "7")
    assert caught.value.kind is FailureKind.UNKNOWN_OUTCOME
    assert [service for service, _ in client.asked] == ["ExecuteOperation", "ExecuteOperation"]


def test_where_neither_spelling_works_the_outcome_is_unknown() -> None:
    client = Canned(MISSING, MISSING)
    with pytest.raises(EdgeError) as caught:
        client.operations.operate(FORM, "Cancel", "7")
    assert (caught.value.kind, caught.value.code) == (FailureKind.UNKNOWN_OUTCOME, "null-reference")
    assert len(client.asked) == 2


def test_a_lock_is_no_reason_to_try_the_other_spelling() -> None:
    client = Canned(status(errors=["“u”使用业务单据：“付款单”业务操作-“[付款单-No-修改]”冲突，请稍候再使用。"]))
    with pytest.raises(EdgeError) as caught:
        client.operations.operate(FORM, "Cancel", "7")
    assert caught.value.kind is FailureKind.TRANSIENT
    assert len(client.asked) == 1


def test_a_save_writes_only_what_it_names_and_deletes_no_rows(erp: SimulatedKingdee, operations: Operations) -> None:
    doc_id = create(erp, entries=[{"FCOMMENT": "one"}, {"FCOMMENT": "two"}], FREMARK="old", FDATE="2026-01-01")
    row = of(erp, doc_id, "entries")[1]["FEntryID"]
    fields = {"FREMARK": "new", "FPAYBILLENTRY": [{"FEntryID": row, "FCOMMENT": "three"}]}
    assert operations.save(FORM, "FID", doc_id, fields) == Outcome(doc_id, "P1", done=True)
    assert (of(erp, doc_id, "FREMARK"), of(erp, doc_id, "FDATE")) == ("new", "2026-01-01T00:00:00")
    assert [entry["FCOMMENT"] for entry in of(erp, doc_id, "entries")] == ["one", "three"]
    assert erp.requests[-1].data["NeedUpDateFields"] == ["FREMARK", "FPAYBILLENTRY", "FCOMMENT"]


def test_values_as_json_has_them() -> None:
    client = Canned(status([done("a-guid", "")]))
    fields = {
        "FAmount": Decimal("12345678901234567.10"),
        "FSmall": Decimal("1E-7"),
        "FDay": date(2026, 11, 28),
        "FMoment": datetime(2026, 11, 28, 4, 0, 5, tzinfo=UTC),
        "FLocal": datetime(2026, 11, 28, 4, 0, 5),  # noqa: DTZ001  # as Kingdee has it
        "FOrg": {"FNumber": "100"},
        "FRows": ({"FQty": Decimal("1.50")},),
    }
    client.operations.save("X", "FKey", "a-guid", fields)
    assert client.asked[0][1]["data"]["Model"] == {
        "FKey": "a-guid",
        "FAmount": "12345678901234567.10",
        "FSmall": "0.0000001",
        "FDay": "2026-11-28",
        "FMoment": "2026-11-28 12:00:05",
        "FLocal": "2026-11-28 04:00:05",
        "FOrg": {"FNumber": "100"},
        "FRows": [{"FQty": "1.50"}],
    }


def test_an_unknown_number_of_base_data_is_refused_and_not_dropped(
    erp: SimulatedKingdee, operations: Operations
) -> None:
    doc_id = create(erp)
    outcome = operations.save(FORM, "FID", doc_id, {"FCURRENCYID": {"FNumber": "NOPE"}})
    assert not outcome.done
    assert "NOPE" in outcome.text


def test_what_people_wrote_into_a_new_document_is_no_attack(operations: Operations, erp: SimulatedKingdee) -> None:
    rows = [{"FCOMMENT": "a <5 (b)"}]
    model = {"FBillNo": "NEW1", "FREMARK": "less <b>bold</b> (x) > 3", "FPAYBILLENTRY": rows}
    assert operations.create(FORM, model, draft=False).done
    (document,) = erp.documents(FORM)
    assert document["FREMARK"] == "less ＜b＞bold＜/b＞ (x) ＞ 3"
    assert document["entries"][0]["FCOMMENT"] == "a ＜5 (b)"


@pytest.mark.parametrize(("draft", "born"), [(False, "A"), (True, "Z")])
def test_a_new_document(erp: SimulatedKingdee, operations: Operations, draft: bool, born: str) -> None:
    outcome = operations.create(FORM, {"FBillNo": "NEW1", "FPAYBILLENTRY": [{"FCOMMENT": "x"}]}, draft=draft)
    assert (outcome.done, outcome.number) == (True, "NEW1")
    assert of(erp, outcome.doc_id) == born
    again = operations.create(FORM, {"FBillNo": "NEW1"}, draft=draft)
    assert (again.done, again.code, again.doc_id) == (False, DUPLICATE, "")
    assert "NEW1" in again.text


@pytest.mark.parametrize("options", [{"to": FORM}, {"rule": "CN_PAYAPPLYTOPAYBILL"}])
def test_a_push_answers_with_the_new_bills(
    erp: SimulatedKingdee, operations: Operations, options: dict[str, str]
) -> None:
    doc_id = create(erp, "C", SOURCE)
    (target,) = operations.push(SOURCE, doc_id, options)
    assert target.done
    assert of(erp, target.doc_id, "FBillNo") == target.number


def test_a_push_that_is_refused(erp: SimulatedKingdee, operations: Operations) -> None:
    doc_id = create(erp, "A", SOURCE)
    (outcome,) = operations.push(SOURCE, doc_id, {"to": FORM})
    assert (outcome.doc_id, outcome.done) == (doc_id, False)
    assert "未审核" in outcome.text
    erp.submit(SOURCE, int(doc_id))
    erp.audit(SOURCE, int(doc_id))
    erp.pusher.saves = False
    assert not operations.push(SOURCE, doc_id, {"to": FORM})[0].done
    (draft,) = operations.push(SOURCE, doc_id, {"to": FORM, "IsDraftWhenSaveFail": "true"})
    assert (draft.done, draft.number) == (True, "")


def test_a_conversion_that_failed_without_a_save() -> None:
    converted = {"IsSuccess": False, "Errors": [{"Message": "没有可转换的数据"}]}
    client = Canned({"Result": {"ConvertResponseStatus": converted, "ResponseStatus": ""}})
    (outcome,) = client.operations.push(SOURCE, "7", {"to": FORM})
    assert (outcome.done, outcome.text) == (False, "没有可转换的数据")


def test_a_push_in_part() -> None:
    client = Canned(status([done(8, "T8")], ["第二行已全部下推"]))
    made, left = client.operations.push(SOURCE, "7", {"to": FORM})
    assert made == Outcome("8", "T8", done=True)
    assert (left.doc_id, left.done, left.text) == ("7", False, "第二行已全部下推")


@pytest.mark.parametrize(
    ("fault", "patience"),
    [("hang", "1s"), *((name, "10s") for name in ("lost_reply", "http502", "html", "truncated_json", "empty", "cut"))],
)
def test_an_answer_that_does_not_come_leaves_the_outcome_unknown_and_nothing_is_repeated(
    erp: SimulatedKingdee, operations: Operations, fault: str
) -> None:
    doc_id = create(erp)
    erp.fault(fault, op="Submit")
    with pytest.raises(EdgeError) as caught:
        operations.submit(FORM, doc_id)
    assert caught.value.kind is FailureKind.UNKNOWN_OUTCOME
    assert [request.op for request in erp.requests] == ["Submit"]


def test_a_lost_session_is_renewed_once(erp: SimulatedKingdee, operations: Operations) -> None:
    doc_id = create(erp)
    erp.fault("session_lost", op="Submit")
    assert operations.submit(FORM, doc_id).done
    erp.fault("session_lost", op="Audit", times=2)
    with pytest.raises(EdgeError) as caught:
        operations.audit(FORM, doc_id)
    assert caught.value.kind is FailureKind.CONFIGURATION
    assert of(erp, doc_id) == "B"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("edit_lock", FailureKind.TRANSIENT),
        ("edit_lock_code", FailureKind.TRANSIENT),
        ("permission", FailureKind.CONFIGURATION),
        ("licence", FailureKind.CONFIGURATION),
        ("call_limit", FailureKind.RATE_LIMITED),
        ("http413", FailureKind.REFUSED),
        ("response_error", FailureKind.UNKNOWN_OUTCOME),
    ],
)
def test_what_is_not_about_the_document_is_an_error(
    erp: SimulatedKingdee, operations: Operations, fault: str, kind: FailureKind
) -> None:
    doc_id = create(erp)
    erp.fault(fault, op="Submit")
    with pytest.raises(EdgeError) as caught:
        operations.submit(FORM, doc_id)
    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (
            status([done()], SuccessMessages=[{"Message": "已生成应收单"}]),
            Outcome("7", "P7", done=True, text="已生成应收单"),
        ),
        (status([done("7")], ["提醒：库存不足"]), Outcome("7", "P7", done=True, text="提醒：库存不足")),
        (status([{"Number": "P7", "DIndex": 0}]), Outcome("7", "P7", done=True)),
        (status(), Outcome("7", "", done=True)),
        (status(IsSuccess="true"), Outcome("7", "", done=True)),
        (
            status(errors=["付款金额不能大于申请金额"]),
            Outcome("7", "", done=False, text="付款金额不能大于申请金额", code="unmapped-msgcode-0"),
        ),
        (
            status([done(8)], ["单据7不允许"]),
            Outcome("7", "", done=False, text="单据7不允许", code="unmapped-msgcode-0"),
        ),
    ],
)
def test_what_became_of_the_one_document(body: Any, outcome: Outcome) -> None:
    assert Canned(body).operations.submit(FORM, "7") == outcome


@pytest.mark.parametrize("body", [[], {}, {"Result": {}}, {"Result": {"ResponseStatus": ""}}, 17, status([done(8)])])
def test_an_answer_that_does_not_tell_leaves_the_outcome_unknown(body: Any) -> None:
    with pytest.raises(EdgeError) as caught:
        Canned(body).operations.submit(FORM, "7")
    assert caught.value.kind is FailureKind.UNKNOWN_OUTCOME


@pytest.mark.parametrize("body", [status(), {"Result": {}}, status([{"Number": "x"}])])
def test_a_push_that_names_no_bills_leaves_the_outcome_unknown(body: Any) -> None:
    with pytest.raises(EdgeError) as caught:
        Canned(body).operations.push(SOURCE, "7", {"to": FORM})
    assert caught.value.kind is FailureKind.UNKNOWN_OUTCOME


def test_a_draft_that_is_told_by_its_id_alone() -> None:
    body = {"Result": {**status()["Result"], "Id": 31, "Number": " "}}
    assert Canned(body).operations.create(FORM, {}, draft=True) == Outcome("31", "", done=True)
