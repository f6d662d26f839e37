"""What was finished while nobody listened is found, and what was finished before an intake was there is left alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kdsync.errors import FailureKind
from kdsync.services.missed import FAR, NEAR
from kdsync.store import inbox, intake
from tests.unit.services.cabinet import Registry, compiled
from tests.unit.services.world import World


@pytest.fixture
def registry(world: World) -> Registry:
    return Registry(world)


def test_the_first_look_takes_note_and_makes_nothing(registry: Registry) -> None:
    registry.approval()
    assert registry.missed.step() == 0
    registry.wait(1.0)
    assert (registry.row().state, registry.approvals.fetched) == (inbox.IGNORED, 0)


def test_what_was_missed_is_taken_in_once(registry: Registry) -> None:
    registry.missed.step()
    registry.world.clock.advance(1000.0)
    registry.approval()
    registry.missed.gap()
    assert registry.missed.step() == 1
    registry.wait(1.0)
    assert (registry.row().state, registry.row().sender) == (inbox.DONE, "u1")
    registry.world.clock.advance(1000.0)
    registry.missed.gap()
    assert registry.missed.step() == 0
    assert not registry.event()


def test_one_that_was_passed_over_and_finished_in_the_same_moment_is_taken_when_its_event_comes(
    registry: Registry,
) -> None:
    registry.approval()
    registry.missed.step()
    registry.world.clock.advance(1.0)
    assert registry.event()
    registry.wait(1.0)
    assert registry.row().state == inbox.DONE


def test_an_event_of_before_that_comes_late_makes_nothing(registry: Registry) -> None:
    registry.approval()
    registry.event()
    registry.world.clock.advance(1.0)
    registry.missed.step()
    registry.wait(1.0)
    assert registry.row().state == inbox.IGNORED


def test_what_is_pushed_without_any_time_was_finished_just_now(registry: Registry) -> None:
    registry.missed.step()
    registry.approval(created_at=None, finished_at=None)
    registry.event(timed=False)
    registry.wait(1.0)
    assert registry.row().state == inbox.DONE


def test_where_the_first_look_comes_late_each_approval_is_asked_when_it_was_finished(registry: Registry) -> None:
    registry.approvals.down = True
    old = registry.approval("OLD")
    registry.world.clock.advance(90.0)  # it is told to the minute
    registry.missed.step()
    registry.world.clock.advance(600.0)
    registry.approvals.down = False
    registry.approval("NEW")
    assert registry.missed.step() == 2
    registry.wait(1.0)
    assert old.finished_at is not None
    assert (registry.row("OLD").state, registry.row("NEW").state) == (inbox.IGNORED, inbox.DONE)


def test_it_looks_far_at_first_after_a_gap_and_once_a_day_and_a_short_way_otherwise(registry: Registry) -> None:
    registry.missed.step()
    registry.missed.step()
    for _ in range(2):
        registry.world.clock.advance(3600.0)
        registry.missed.step()
    for _ in range(5):
        registry.missed.gap()
        registry.missed.step()
    assert registry.approvals.asked == [FAR, NEAR, NEAR], "a line that comes and goes costs few calls"
    registry.world.clock.advance(900.0)
    registry.missed.step()
    registry.world.clock.advance(timedelta(days=1).total_seconds())
    registry.missed.step()
    assert registry.approvals.asked == [FAR, NEAR, NEAR, FAR, FAR]


def test_a_line_that_comes_and_goes_all_day_has_few_looks_and_far_ones_once_an_hour(registry: Registry) -> None:
    registry.missed.step()
    for _ in range(24):
        registry.world.clock.advance(300.0)
        registry.missed.gap()
        registry.missed.step()
    assert registry.approvals.asked == [FAR, NEAR, NEAR, NEAR, FAR, NEAR, NEAR, NEAR, FAR]


def test_a_failed_look_is_repeated_soon(registry: Registry) -> None:
    registry.approvals.down = True
    registry.missed.step()
    registry.approvals.down = False
    registry.world.clock.advance(30.0)
    registry.missed.step()
    assert registry.approvals.asked == []
    registry.world.clock.advance(31.0)
    registry.missed.step()
    assert registry.approvals.asked == [FAR]


def test_looks_that_go_on_failing_get_rarer_and_those_at_other_processes_are_not_repeated(registry: Registry) -> None:
    registry.intakes = [compiled(), compiled(id="other", process="PROC-2")]
    registry.approvals.broken["PROC-2"] = FailureKind.TRANSIENT
    for _ in range(60):
        registry.missed.step()
        registry.world.clock.advance(59.0)
    assert registry.approvals.listed.count("PROC-1") == 1, "each look costs calls"
    assert registry.approvals.listed.count("PROC-2") == 6


def test_what_an_operator_mends_is_looked_at_from_afar_then(registry: Registry) -> None:
    registry.approvals.broken["PROC-1"] = FailureKind.CONFIGURATION
    registry.missed.step()
    registry.approvals.broken.clear()
    registry.world.clock.advance(3599.0)
    registry.missed.step()
    assert registry.approvals.asked == []
    registry.world.clock.advance(1.0)
    registry.missed.step()
    assert registry.approvals.asked == [FAR]


def test_a_new_intake_is_looked_at_at_once(registry: Registry) -> None:
    registry.intakes = []
    registry.missed.step()
    assert registry.approvals.asked == []
    registry.intakes = Registry(registry.world).intakes
    registry.missed.step()
    assert registry.approvals.asked == [FAR]


def test_an_intake_that_is_taken_out_and_put_back_takes_in_what_was_finished_meanwhile(registry: Registry) -> None:
    registry.missed.step()
    registry.intakes = []
    registry.missed.step()
    registry.world.clock.advance(90.0)
    registry.approval()
    registry.intakes = [compiled()]
    assert registry.missed.step() == 1
    registry.wait(1.0)
    assert registry.row().state == inbox.DONE


def test_known_ones_are_told_apart(registry: Registry) -> None:
    registry.agree("A1")
    with registry.world.db.read() as tx:
        assert intake.known(tx, ["A1", "A2"]) == {"A1"}
