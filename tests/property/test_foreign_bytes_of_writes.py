"""Whatever Kingdee answers to a write, what comes out says what became of it, or is an `EdgeError`."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from kdsync.errors import EdgeError
from kdsync.kingdee.answer import read_answer
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.operations import Operations, Outcome
from kdsync.kingdee.results import parsed_results, refusals
from kdsync.kingdee.workflow import Workflow
from tests.property.foreign import mutated, thorough

STATUS = {
    "IsSuccess": False,
    "Errors": [{"FieldName": None, "Message": "单据8尚未提交", "DIndex": 1}],
    "SuccessEntitys": [{"Id": 7, "Number": "P7", "DIndex": 0}],
    "SuccessMessages": [{"Message": "成功"}],
    "MsgCode": 0,
}
WRITTEN = {"Result": {"ResponseStatus": STATUS, "Id": 7, "Number": "P7", "NeedReturnData": [{}]}}
PUSHED = {"Result": {"ConvertResponseStatus": {"IsSuccess": True, "Errors": []}, "ResponseStatus": STATUS}}
RESULTS = [{"Id": 7, "ErrorCode": 500, "Message": "当前用户不是待办任务的处理人"}, {"IsSuccess": True}]
DECIDED = {"Result": {"ResponseStatus": "", "OperationResults": RESULTS}}
DECIDED_IN_TEXT = {"Result": {"ResponseStatus": "", "OperationResults": json.dumps(RESULTS)}}


class Server:
    """Stands for a client that gets these bytes for an answer."""

    settings = SimpleNamespace(timezone=ZoneInfo("Asia/Shanghai"))

    def __init__(self, body: bytes) -> None:
        self._body = body

    def call(self, _service: str, _payload: Any, *, read: bool) -> Any:
        return read_answer(200, self._body, read=read)

    def as_client(self) -> KingdeeClient:
        return cast("KingdeeClient", self)


def in_bounds(error: EdgeError) -> None:
    assert len(str(error)) < 2_000
    assert len(error.code) < 100


def sound(outcome: Outcome) -> None:
    for text in (outcome.doc_id, outcome.number, outcome.text, outcome.code):
        assert isinstance(text, str)
        assert len(text) < 500
        text.encode()
    assert outcome.done or outcome.text


@thorough
@given(mutated(WRITTEN), st.sampled_from(["submit", "audit", "operate", "save", "create"]))
def test_a_write_has_an_outcome_or_fails(body: bytes, what: str) -> None:
    operations = Operations(Server(body).as_client())
    doing = {
        "submit": lambda: operations.submit("X", "7"),
        "audit": lambda: operations.audit("X", "7"),
        "operate": lambda: operations.operate("X", "Cancel", "7"),
        "save": lambda: operations.save("X", "FID", "7", {"FREMARK": "x"}),
        "create": lambda: operations.create("X", {"FREMARK": "x"}, draft=False),
    }
    try:
        sound(doing[what]())
    except EdgeError as error:
        in_bounds(error)


@thorough
@given(mutated(PUSHED))
def test_a_push_has_outcomes_or_fails(body: bytes) -> None:
    try:
        outcomes = Operations(Server(body).as_client()).push("X", "7", {"to": "Y"})
    except EdgeError:
        return
    assert outcomes
    for outcome in outcomes:
        sound(outcome)


@thorough
@given(mutated(DECIDED) | mutated(DECIDED_IN_TEXT))
def test_a_decision_has_an_outcome_or_fails(body: bytes) -> None:
    try:
        sound(Workflow(Server(body).as_client()).answer("X", "P7", "5", approve=True, opinion="x"))
    except EdgeError as error:
        in_bounds(error)


@thorough
@given(mutated(RESULTS))
def test_results_in_a_text_are_read_or_not(body: bytes) -> None:
    text = body.decode(errors="replace")
    parsed_results(text)
    assert all(isinstance(words, str) for words in refusals(text))
