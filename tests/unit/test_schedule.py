"""Jobs on a machine whose clock is set while they wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo

import pytest
from apscheduler.schedulers import base

from kdsync.schedule import HOUSE, Every, Schedule

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
YEARS = 30 * 365 * 86_400.0


class Machine:
    """The machine's clock as APScheduler reads it."""

    ahead = timedelta()

    def jump(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine()

    class Turned(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + found.ahead

    monkeypatch.setattr(base, "datetime", Turned)
    monkeypatch.setattr("kdsync.schedule.datetime", Turned)
    return found


@pytest.fixture
def schedule() -> Iterator[Schedule]:
    made = Schedule(2)
    yield made
    made.close()


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def test_runs_are_as_far_apart_as_they_should_be() -> None:
    every = Every(10)
    assert every.get_next_fire_time(None, NOON) == NOON + timedelta(seconds=10)
    assert every.get_next_fire_time(NOON, NOON + timedelta(seconds=3)) == NOON + timedelta(seconds=10)


@pytest.mark.parametrize("late", [10.0, 3600.0, 56 * 365 * 86_400.0])
def test_what_was_missed_is_not_counted(late: float) -> None:
    now = NOON + timedelta(seconds=late)
    assert Every(10).get_next_fire_time(NOON, now) == now + timedelta(seconds=10)


@pytest.mark.parametrize("jump", [-YEARS, -3600.0, -3.0, 3.0, 3600.0, YEARS])
def test_a_job_goes_on_after_the_clock_was_set(schedule: Schedule, machine: Machine, jump: float) -> None:
    runs: list[str] = []
    schedule.every(0.05, "look", lambda: runs.append(threading.current_thread().name), 0.0)
    schedule.start()
    until(lambda: len(runs) > 1)
    machine.jump(jump)
    schedule.move(jump)
    before = len(runs)
    until(lambda: len(runs) > before + 3)
    assert len(runs) < before + 100


def test_a_job_that_waits_waits_no_longer_after_the_clock_was_set_back(schedule: Schedule, machine: Machine) -> None:
    done = threading.Event()
    schedule.every(600, "reconcile", done.set, 0.3)
    schedule.start()
    machine.jump(-3600)
    schedule.move(-3600)
    assert not done.is_set()
    assert done.wait(5)


def test_looks_that_hang_do_not_keep_the_house_waiting_and_are_no_flood_of_warnings(
    schedule: Schedule, caplog: pytest.LogCaptureFixture
) -> None:
    over, kept = threading.Event(), threading.Event()
    for look in range(3):  # more than there are threads
        schedule.every(0.01, f"look {look}", over.wait, 0.0)
    schedule.every(600, "upkeep", kept.set, 0.05, by=HOUSE)
    schedule.start()
    try:
        assert kept.wait(5)
    finally:
        over.set()
    assert caplog.records == []
