"""While tasks cannot be read, those who stand in for their receivers are told of each stay in approval once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kdsync.errors import EdgeError, FailureKind
from kdsync.store import ledger, moments, shifted
from kdsync.store.notifications import Wanted
from tests.unit.services.test_tasks import ASSIGNED, NO_RIGHT, Desk, user
from tests.unit.services.world import rule

STAND_IN: dict[str, Any] = {**ASSIGNED, "approvers": ["user:u7", "manager_of:creator"]}
STOOD_IN = (Wanted("user:u7"), Wanted("manager_of:creator", "1", "SEC_User"))
HOUR = timedelta(hours=1)


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Desk]:
    """Both first looks are over, and tasks could be read."""
    found = Desk(tmp_path)
    found.use(rule(**STAND_IN))
    found.sweep()
    yield found
    found.world.db.close()


def blind(desk: Desk) -> None:
    """Kingdee does not show tasks any more, and kdsync has made sure of it."""
    desk.kingdee.down = NO_RIGHT
    desk.sweep(4)


def submit(desk: Desk, number: str) -> int:
    bill = int(desk.kingdee.create("A", number, FCreatorId=1))
    desk.sweep()
    desk.kingdee.move(bill, "B")
    return bill


def titles(desk: Desk) -> list[str]:
    return [title for title, _ in desk.told()]


def test_approvers_are_told_in_place_of_the_assignee(quiet: Desk) -> None:
    blind(quiet)
    submit(quiet, "EXP1")
    quiet.sweep(3)
    assert quiet.told() == [("EXP1 waits for", STOOD_IN)]


def test_texts_print_nothing_for_what_is_not_known_of_the_task(quiet: Desk) -> None:
    blind(quiet)
    submit(quiet, "EXP1")
    quiet.sweep()
    quiet.world.deliver()
    (seen,) = quiet.world.dingtalk.seen("u7")
    assert "EXP1 waits for" in seen
    assert "审核中  2026-11-23 1" in seen


def test_others_whom_the_rule_names_are_told_with_them(quiet: Desk) -> None:
    quiet.use(rule(**{**STAND_IN, "to": ["assignee", "user:u9", "manager_of:assignee"], "approvers": ["user:u7"]}))
    blind(quiet)
    submit(quiet, "EXP1")
    quiet.sweep(2)
    assert quiet.told()[0][1] == (Wanted("user:u9"), Wanted("user:u7"))


def test_each_stay_is_told_once(quiet: Desk) -> None:
    blind(quiet)
    bill = submit(quiet, "EXP1")
    quiet.sweep(2)
    quiet.kingdee.edit(bill, FAmount=9)
    quiet.sweep(10)
    assert len(titles(quiet)) == 1
    quiet.kingdee.move(bill, "D")
    quiet.sweep()
    quiet.kingdee.move(bill, "B")
    quiet.sweep(10)
    assert len(titles(quiet)) == 2


def test_nothing_is_told_twice_after_a_restart(quiet: Desk) -> None:
    blind(quiet)
    submit(quiet, "EXP1")
    quiet.sweep()
    quiet.use(rule(**STAND_IN))
    submit(quiet, "EXP2")
    quiet.sweep(6)
    assert titles(quiet) == ["EXP1 waits for", "EXP2 waits for"]


def test_what_went_through_approval_between_two_looks_waits_for_nobody(quiet: Desk) -> None:
    blind(quiet)
    bill = submit(quiet, "EXP1")
    quiet.kingdee.move(bill, "C")
    quiet.sweep(3)
    assert titles(quiet) == []


def test_what_was_submitted_before_it_was_certain_that_tasks_cannot_be_read_is_told(quiet: Desk) -> None:
    quiet.kingdee.down = NO_RIGHT
    submit(quiet, "EXP1")
    quiet.sweep(6)
    assert titles(quiet) == ["EXP1 waits for"]


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_a_restart_forgets_nothing_that_was_submitted_since_tasks_were_read(quiet: Desk, failures: int) -> None:
    with quiet.world.db.write() as tx:  # as every few seconds
        now = quiet.world.clock.now()
        ledger.put_fact(tx, ledger.SIGN, moments.text(now), now)
    submit(quiet, "EXP1")
    quiet.kingdee.down = NO_RIGHT
    quiet.world.poll()
    quiet.world.watcher.sweep()
    quiet.world.clock.advance(60)
    for _ in range(failures):
        quiet.watch.look()
        quiet.world.clock.advance(60)
    quiet.use(rule(**STAND_IN))
    submit(quiet, "EXP2")
    quiet.sweep(6)
    assert titles(quiet) == ["EXP1 waits for", "EXP2 waits for"]


@pytest.mark.parametrize("was_told", [True, False], ids=["between", "before"])
def test_a_clock_that_is_set_back_keeps_nobody_from_being_told(quiet: Desk, *, was_told: bool) -> None:
    world = quiet.world
    if was_told:
        blind(quiet)
    bill = submit(quiet, "EXP1")
    quiet.sweep(2)
    quiet.kingdee.move(bill, "D")
    quiet.sweep()
    with world.db.write() as tx:
        shifted.shift(tx, -HOUR, was=world.clock.now(), began=world.clock.now() - 10 * HOUR)
    world.clock.move(-HOUR.total_seconds())
    blind(quiet)
    quiet.kingdee.move(bill, "B")
    quiet.sweep(6)
    assert titles(quiet) == ["EXP1 waits for"] * (1 + was_told)


def test_what_waited_before_was_told_to_its_receiver_and_is_not_told_again(quiet: Desk) -> None:
    bill = quiet.kingdee.create("A", "EXP1", FCreatorId=1)
    quiet.world.poll()
    quiet.kingdee.assign(bill, "100")
    quiet.watch.look()  # before the submission is noticed
    quiet.kingdee.down = NO_RIGHT
    quiet.sweep(6)
    assert [wanted for _, wanted in quiet.told()] == [(user("100"),)]


def test_a_task_of_an_earlier_stay_says_nothing_about_this_one(quiet: Desk) -> None:
    bill = quiet.kingdee.create("A", "EXP1", FCreatorId=1)
    quiet.kingdee.assign(bill, "100")
    quiet.sweep()
    blind(quiet)
    quiet.kingdee.move(bill, "D")
    quiet.sweep()
    quiet.kingdee.move(bill, "B")
    quiet.sweep(2)
    assert [wanted for _, wanted in quiet.told()] == [(user("100"),), STOOD_IN]


def test_a_rule_without_approvers_tells_nobody(quiet: Desk) -> None:
    quiet.use(rule(**ASSIGNED))
    blind(quiet)
    submit(quiet, "EXP1")
    quiet.sweep(3)
    assert titles(quiet) == []


def test_a_failure_that_passes_is_no_reason_to_stand_in_until_it_has_lasted(quiet: Desk) -> None:
    quiet.kingdee.down = EdgeError("kingdee", FailureKind.TRANSIENT, "cut", "cut")
    submit(quiet, "EXP1")
    quiet.sweep(20)
    assert titles(quiet) == []
    quiet.sweep(20)
    assert titles(quiet) == ["EXP1 waits for"]
    quiet.world.deliver()
    assert any("无法读取待办任务" in told for told in quiet.world.dingtalk.seen("ops"))


def test_tasks_that_cannot_be_read_because_kingdee_is_down_are_the_outages_business(quiet: Desk) -> None:
    cut = EdgeError("kingdee", FailureKind.TRANSIENT, "cut", "cut")
    quiet.kingdee.down = cut
    for _ in range(30):
        quiet.kingdee.failures = [cut]
        quiet.sweep()
    assert quiet.world.guard.is_open
    quiet.kingdee.failures = []
    submit(quiet, "EXP1")
    quiet.sweep(6)
    quiet.world.deliver()
    assert titles(quiet) == []
    assert not any("待办任务" in told for told in quiet.world.dingtalk.seen("ops"))


# When tasks can be read again


def test_tasks_of_a_stay_that_was_told_are_not_told_and_the_next_ones_are(quiet: Desk) -> None:
    blind(quiet)
    bill = submit(quiet, "EXP1")
    quiet.sweep()
    first = quiet.kingdee.assign(bill, "100")
    quiet.kingdee.down = None
    quiet.sweep(25)
    assert [wanted for _, wanted in quiet.told()] == [STOOD_IN]
    assert quiet.waiting("EXP1") == ["100"]
    quiet.kingdee.decide(*first)
    quiet.kingdee.waiting += [replace(first[0], item_id="i2", task_id="t2", receiver="101")]
    quiet.sweep(2)
    assert [wanted for _, wanted in quiet.told()] == [STOOD_IN, (user("101"),)]


def test_the_same_after_a_restart(quiet: Desk) -> None:
    blind(quiet)
    bill = submit(quiet, "EXP1")
    quiet.sweep()
    quiet.kingdee.assign(bill, "100")
    quiet.kingdee.down = None
    quiet.use(rule(**STAND_IN))
    quiet.sweep(3)
    assert [wanted for _, wanted in quiet.told()] == [STOOD_IN]


def test_a_stay_that_began_unseen_is_told_by_its_task(quiet: Desk) -> None:
    blind(quiet)
    bill = submit(quiet, "EXP1")
    quiet.sweep()
    quiet.kingdee.move(bill, "D")
    quiet.sweep()
    quiet.kingdee.assign(bill, "100")
    quiet.kingdee.down = None
    quiet.world.clock.advance(400)
    quiet.watch.look()  # before the look by dates
    quiet.sweep(3)
    assert [wanted for _, wanted in quiet.told()] == [STOOD_IN, (user("100"),)]


def test_a_rule_that_did_not_stand_in_tells_the_task(quiet: Desk) -> None:
    other = rule(**{**ASSIGNED, "id": "other"})
    quiet.use(rule(**STAND_IN), other)
    blind(quiet)
    bill = submit(quiet, "EXP1")
    quiet.sweep()
    quiet.kingdee.assign(bill, "100")
    quiet.kingdee.down = None
    quiet.sweep(25)
    assert [wanted for _, wanted in quiet.told()] == [STOOD_IN, (user("100"),)]
