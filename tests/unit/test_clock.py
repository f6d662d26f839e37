"""Clocks: the machine's, one that is kept, and one that tests turn."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from kdsync.clock import FakeClock, KeptClock, SystemClock

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def test_the_machines_clock_is_aware_and_goes_on_while_the_machine_sleeps() -> None:
    clock = SystemClock()
    assert clock.now().utcoffset() == timedelta()
    assert abs(clock.monotonic() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1


def test_setting_the_machines_clock_does_not_move_a_kept_one() -> None:
    machine = FakeClock(START)
    kept = KeptClock(machine)
    for seconds in (-3600.0, 5.0, 30 * 365 * 86_400.0):
        machine.jump(seconds)
        machine.advance(10)
    assert kept.now() == START + timedelta(seconds=30)
    assert kept.monotonic() == 30
    assert kept.behind() == -3600.0 + 5.0 + 30 * 365 * 86_400.0


def test_a_kept_clock_moves_when_it_is_told_to() -> None:
    kept = KeptClock(FakeClock(START), START - timedelta(hours=1))
    assert kept.behind() == 3600
    kept.move(3600)
    assert (kept.now(), kept.behind()) == (START, 0)


class HeldUp(FakeClock):
    """Between two readings the thread was not run for a while, now and then."""

    pauses = (3.0, 0.0, 5.0, 0.01)
    turn = 0

    def now(self) -> datetime:
        self.advance(self.pauses[self.turn % 4])
        self.turn += 1
        return super().now()


def test_a_thread_that_was_held_up_between_two_readings_is_no_clock_that_was_set() -> None:
    kept = KeptClock(HeldUp(START))
    assert all(abs(kept.behind()) < 0.1 for _ in range(20))
