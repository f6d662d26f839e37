"""Which events of DingTalk an intake takes in, and what it keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from kdsync.dingtalk.frames import EPOCH, Happened
from kdsync.errors import EdgeError, FailureKind
from kdsync.intaking import Intaking, KingdeeCabinet
from kdsync.kingdee.operations import Outcome
from kdsync.model import Facts, Page
from kdsync.services.ports import Known
from kdsync.store.inbox import Received

NOW = datetime(2026, 11, 28, 1, tzinfo=UTC)
EVENT: Mapping[str, Any] = {
    "processInstanceId": "A1",
    "processCode": "PROC-1",
    "type": "finish",
    "result": "agree",
    "businessId": "202611280001",
    "title": "claim",
    "staffId": "u1",
    "finishTime": 1_795_827_600_000,
}


class Taken:
    """Stands for the services, and for a clock."""

    def __init__(self) -> None:
        self.items: list[Received] = []
        self.steps = 0

    def take(self, item: Received) -> bool:
        self.items.append(item)
        return True

    def began(self, _intake: object) -> datetime:
        return NOW

    def step(self, limit: int = 0) -> int:
        """There is always work to do."""
        self.steps += 1
        return limit

    def now(self) -> datetime:
        return NOW

    def of_process(self, process: str) -> Any:
        return (
            cast("Any", type("One", (), {"id": "claim", "process": "PROC-1", "form": "F"}))
            if process == "PROC-1"
            else None
        )


@pytest.fixture
def taken() -> Taken:
    return Taken()


def hear(taken: Taken, kind: str = "bpms_instance_change", **data: Any) -> bool:
    intaking = Intaking.__new__(Intaking)
    intaking.intake = intaking.missed = intaking._clock = cast("Any", taken)
    return intaking.hear(Happened("E1", kind, {**EVENT, **data}, EPOCH))


def test_an_approval_that_was_agreed_to_is_kept_with_what_the_event_tells(taken: Taken) -> None:
    assert hear(taken)
    (item,) = taken.items
    assert (item.source, item.sender, item.state, item.number) == ("approval", "u1", "intake", "202611280001")
    assert (item.action, item.form, item.received_at) == ("claim", "F", NOW)
    assert item.content["finished_at"].startswith("2026-11-28T01:00:00")


def test_the_same_approval_is_the_same_row_whatever_the_event(taken: Taken) -> None:
    hear(taken)
    hear(taken, title="another", finishTime="")
    assert taken.items[0].id == taken.items[1].id


@pytest.mark.parametrize(
    "data",
    [
        {"type": "start", "result": ""},
        {"result": "refuse"},
        {"type": "terminate", "result": ""},
        {"type": "delete"},
        {"processCode": "PROC-2"},
        {"processInstanceId": ""},
        {"processInstanceId": None},
    ],
)
def test_other_events_are_left_alone(taken: Taken, data: dict[str, Any]) -> None:
    assert not hear(taken, **data)
    assert taken.items == []


def test_events_of_tasks_are_left_alone(taken: Taken) -> None:
    assert not hear(taken, "bpms_task_change")


def test_a_document_with_a_key_that_kingdee_would_leave_out_is_not_made() -> None:
    steps: list[Any] = []
    refusal = EdgeError("kingdee", FailureKind.CONFIGURATION, "unknown-key", "F has no field FX")

    class Kingdee:
        def facts(self, form: str, _rows: object) -> Known:
            return Known(Facts(form, number="FNumber"))

        def check(self, form: str, model: Mapping[str, Any]) -> None:
            steps.append((form, model))
            if "FX" in model:
                raise refusal

        def create(self, _form: str, model: Mapping[str, Any], *, draft: bool) -> Outcome:
            steps.append((draft, list(model)))
            return Outcome("7", "A1", done=True)

    kingdee = cast("Any", Kingdee())
    cabinet = KingdeeCabinet(kingdee, kingdee, kingdee, kingdee)
    assert cabinet.create("F", None, "A1", {"FA": 1}, draft=True).number == "A1"
    assert steps == [("F", {"FNumber": "A1", "FA": 1}), (True, ["FNumber", "FA"])]
    with pytest.raises(EdgeError, match="no field FX"):
        cabinet.create("F", "F_KD", "A1", {"FX": 1}, draft=False)
    assert steps[2:] == [("F", {"F_KD": "A1", "FX": 1})]


def test_a_document_whose_row_cannot_be_read_is_not_made_a_second_time() -> None:
    class Kingdee:
        def facts(self, form: str, _rows: object) -> Known:
            return Known(Facts(form, number="FNumber"))

        def pages(self, *_: object) -> list[Page]:
            return [Page([], NOW, last=True, unreadable=("7",))]

        by_ids = pages

    kingdee = cast("Any", Kingdee())
    cabinet = KingdeeCabinet(kingdee, kingdee, kingdee, kingdee)
    for ask in (lambda: cabinet.find("F", None, "A1"), lambda: cabinet.read("F", "7")):
        with pytest.raises(EdgeError, match="cannot be read"):
            ask()


@pytest.mark.parametrize("told", [1_795_827_600, "yesterday", None, -1])
def test_a_time_that_is_none_says_nothing(taken: Taken, told: Any) -> None:
    hear(taken, finishTime=told)
    assert taken.items[0].content["finished_at"] == ""


def test_an_answer_waits_for_one_approval_at_most(taken: Taken) -> None:
    intaking = Intaking.__new__(Intaking)
    intaking.intake = intaking.missed = cast("Any", taken)
    assert intaking.step() == 1
    assert taken.steps == 2, "a look for what was missed, and one piece of work"
