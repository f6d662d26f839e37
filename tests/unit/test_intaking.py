"""Which events of DingTalk an intake takes in, and what it keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from kdsync.dingtalk.frames import EPOCH, Happened
from kdsync.intaking import Intaking
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

    def take(self, item: Received) -> bool:
        self.items.append(item)
        return True

    def began(self, _intake: object) -> datetime:
        return NOW

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


@pytest.mark.parametrize("told", [1_795_827_600, "yesterday", None, -1])
def test_a_time_that_is_none_says_nothing(taken: Taken, told: Any) -> None:
    hear(taken, finishTime=told)
    assert taken.items[0].content["finished_at"] == ""
