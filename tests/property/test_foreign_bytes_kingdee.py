"""Whatever Kingdee answers, what comes out is a value that the rest of kdsync can live with, or an `EdgeError`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync import exact
from kdsync.errors import EdgeError
from kdsync.kingdee import query
from kdsync.kingdee.answer import read_answer
from kdsync.kingdee.auth import session_of
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.metadata import learn
from kdsync.kingdee.people import People
from kdsync.kingdee.transport import Reply
from kdsync.model import Document, Event, Facts, Layout, Row, Transition
from kdsync.rules.compile import compile_rule
from kdsync.rules.evaluate import Broken, Match, NoMatch, evaluate
from kdsync.rules.schema import RuleSection
from kdsync.services.match import number_of
from kdsync.store.sealing import Seal
from kdsync.sync.cursor import newest
from kdsync.sync.diff import Snapshot, compare
from tests.property.foreign import mutated, thorough

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FACTS = Facts("AP_PAYBILL", entry="FEntity")
HEADS = ("FID", "FBillNo", "FDocumentStatus", "FCancelStatus", "FCloseStatus", "FModifyDate", "FApproveDate", "FAmount")
LAYOUT = Layout(FACTS, HEADS, watched=frozenset({"FAmount"}))
WITH_ROWS = Layout(FACTS, HEADS, ("FQty",), frozenset({"FAmount", "entries"}))
ROW = [100_001, "K1", "B", "A", "A", "2026-11-23T10:00:00.12", None, 12.5]
PAGE = [ROW, [100_002, "K2", "C", "A", "A", "2026-11-23T11:00:00", "2026-11-23T11:00:00", "7"], [100_003, *ROW[1:]]]
PAGE_WITH_ROWS = [[*row, 900 + entry, entry * 1.5] for row in PAGE for entry in (1, 2)]
LOGIN = {
    "LoginResultType": 1,
    "Message": None,
    "MessageCode": "",
    "KDSVCSessionId": "abc",
    "IsSuccessByAPI": True,
    "Context": {
        "UserId": 1,
        "UserName": "kdsync",
        "DBid": "x",
        "DataCenterName": "y",
        "STimeZone": {"OffsetTicks": 288_000_000_000},
    },
}
REFUSAL = {
    "Result": {
        "ResponseStatus": {
            "ErrorCode": 500,
            "IsSuccess": False,
            "Errors": [{"FieldName": None, "Message": "会话信息已丢失", "DIndex": 0}],
            "SuccessEntitys": [],
            "MsgCode": 1,
        }
    }
}
GATEWAY = {"errcode": 4006, "description": "expired", "description_cn": "过期"}
METADATA = {
    "Result": {
        "ResponseStatus": {"IsSuccess": True},
        "NeedReturnData": {
            "Id": "AP_PAYBILL",
            "Name": [{"Key": 2052, "Value": "付款单"}],
            "PkFieldName": "FID",
            "Operations": [{"OperationNumber": "Save"}],
            "Entrys": [
                {"Key": "FBillHead", "Fields": [{"Key": "FBillNo", "Name": [{"Key": 1033, "Value": "No"}]}]},
                {"Key": "FEntity", "ParentKey": None, "Fields": [{"Key": "FQty", "LookUpObjectFormId": "BD_UNIT"}]},
            ],
        },
    }
}
STAFF = [["7", "zhangsan", "Zhang", "13800000001", 55]]
RULE = compile_rule(
    RuleSection.model_validate(
        {
            "id": "r",
            "form": "AP_PAYBILL",
            "on": ("approved", "submitted", {"changed": ("FAmount",)}),
            "when": "doc.FAmount * 1.1 >= 100 or doc.FModifyDate < now or doc.FBillNo",
            "to": ("creator",),
            "message": {"title": "{{ doc.FBillNo }}", "body": "{{ doc.FAmount | money }} {{ doc.FModifyDate | date }}"},
        }
    )
)


class Server:
    """Stands for a client: each question is answered by the next bytes, and then by good ones."""

    settings = SimpleNamespace(timezone=ZoneInfo("Asia/Shanghai"))
    server_clock = SimpleNamespace(now=lambda: NOW)

    def __init__(self, bodies: Sequence[bytes], then: bytes = b"[]", status: int = 200) -> None:
        self._bodies = list(bodies)
        self._then = then
        self._status = status

    def ask(self, _service: str, _payload: Mapping[str, Any], *, read: bool) -> Reply:
        body = self._bodies.pop(0) if self._bodies else self._then
        return Reply(read_answer(self._status, body, read=read), NOW)

    def call(self, service: str, payload: Mapping[str, Any], *, read: bool) -> Any:
        return self.ask(service, payload, read=read).value

    def as_client(self) -> KingdeeClient:
        return cast("KingdeeClient", self)


def in_bounds(error: EdgeError) -> None:
    assert len(str(error)) < 2_000
    assert len(error.code) < 100


def live_with(row: Row, layout: Layout) -> None:
    """What every look does with a row: compare, store, ask a rule."""
    seal = Seal()
    assert seal.open_all([seal.close(row)]) == [exact.loads(exact.dumps(row))]
    assert len(row) == layout.width
    doc_id = str(row[0])
    assert doc_id.strip()
    number_of(row, layout, doc_id).encode()
    newest([row[layout.places["FModifyDate"]]])
    old = Snapshot(1, layout, [*ROW, [[1.5]]] if layout.entries else ROW)
    compare(None, row, layout)
    compare(old, row, layout)
    compare(Snapshot(1, layout, row), old.row, layout)
    document = Document("AP_PAYBILL", doc_id, doc_id, dict(zip(layout.heads, row, strict=False)))
    event = Event("e", Transition.APPROVED, "AP_PAYBILL", doc_id, doc_id, 1, NOW, None, document)
    verdict = evaluate(RULE, event, now=NOW, zone=ZoneInfo("Asia/Shanghai"))
    assert isinstance(verdict, Match | NoMatch | Broken)


def read_pages(bodies: Sequence[bytes], layout: Layout) -> list[Row]:
    client = Server(bodies).as_client()
    return [row for page in query.pages(client, layout, page_size=3) for row in page.rows]


@thorough
@given(mutated(PAGE), st.sampled_from([200, 206, 302, 404, 429, 500]), st.booleans())
def test_an_answer_is_a_value_or_a_failure(body: bytes, status: int, read: bool) -> None:
    started = time.monotonic()
    try:
        read_answer(status, body, read=read)
    except EdgeError as error:
        in_bounds(error)
    assert time.monotonic() - started < 5.0


@thorough
@given(mutated(PAGE))
def test_rows_that_come_through_can_be_lived_with(body: bytes) -> None:
    try:
        rows = read_pages([body], LAYOUT)
    except EdgeError:
        return
    for row in rows:
        live_with(row, LAYOUT)


@thorough
@given(mutated(PAGE_WITH_ROWS), mutated(PAGE_WITH_ROWS))
def test_rows_with_entries_that_come_through_can_be_lived_with(one: bytes, other: bytes) -> None:
    try:
        rows = read_pages([one, other], WITH_ROWS)
    except EdgeError:
        return
    for row in rows:
        live_with(row, WITH_ROWS)


@thorough
@given(mutated(LOGIN) | mutated(REFUSAL) | mutated(GATEWAY), st.sampled_from([{}, {"kdservice-sessionid": "s"}]))
def test_a_login_gives_a_session_that_can_be_sent_or_fails(body: bytes, cookies: dict[str, str]) -> None:
    try:
        session = session_of(read_answer(200, body, read=True), cookies, 1)
    except EdgeError as error:
        in_bounds(error)
        return
    for name, text in session.headers.items():
        assert f"{name}{text}".isascii()
        assert f"{name}{text}".isprintable()
    assert len(session.user_name + session.user_id + session.warning) < 20_000
    assert len(session.another_zone(ZoneInfo("Asia/Shanghai"), NOW)) < 200


@thorough
@given(mutated(METADATA))
def test_metadata_are_read_as_far_as_they_go(body: bytes) -> None:
    try:
        facts, told = learn(Server([body]).as_client(), "AP_PAYBILL", ["FQty"])
    except EdgeError:
        return
    assert all(isinstance(key, str) for key in (facts.form, facts.pk, *facts.dates))
    if told is not None:
        told.entry_of("FEntity_FEntryID")
        told.field_of("FQty.FName")


@thorough
@given(mutated(STAFF), mutated(STAFF), st.sampled_from(["", "SEC_User", "BD_Empinfo"]))
def test_people_are_found_or_not(one: bytes, other: bytes, lookup: str) -> None:
    try:
        found = People(Server([one, other]).as_client()).person("7", lookup)
    except EdgeError:
        return
    assert found is None or all(
        isinstance(part, str) for part in (found.account, found.name, found.mobile, found.job_number)
    )


HOURS = [
    "业务操作" * 500_000,
    "元数据中标识为" * 300_000,
    "标识为" * 500_000,
    "用户" * 500_000,
    "没有" * 500_000,
    "会话" + " " * 2_000_000,
]


@pytest.mark.parametrize("words", HOURS)
def test_a_refusal_of_many_words_takes_no_time(words: str) -> None:
    body = exact.dumps({"Result": {"ResponseStatus": {"IsSuccess": False, "Errors": [{"Message": words}]}}})
    started = time.process_time()
    with pytest.raises(EdgeError):
        read_answer(200, body, read=True)
    with pytest.raises(EdgeError):
        read_answer(200, words.encode(), read=True)
    assert time.process_time() - started < 2.0
