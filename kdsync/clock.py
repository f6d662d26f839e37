"""Injected time: nothing in kdsync reads the system's clock except through one of these."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

SLEEPLESS = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # only Linux has the former

TOGETHER = 0.1  # seconds within which two readings of clocks are of one moment
TRIES = 20


class Clock(Protocol):
    """Wall time for dates, monotonic seconds for durations, and a wait that can be cut short."""

    def now(self) -> datetime:
        """The time in UTC, zone-aware."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, and go on while the machine sleeps."""

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait until `event` is set or `seconds` have passed; tell whether it is set."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.clock_gettime(SLEEPLESS)

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        return event.wait(seconds)


def read_together(clock: Clock) -> tuple[datetime, float]:
    """The wall time and the monotonic seconds of one moment.

    A thread may be held up between two readings for seconds, which would look like a clock that was set.
    """
    best = clock.monotonic(), clock.now(), clock.monotonic()
    for _ in range(TRIES):
        if best[2] - best[0] < TOGETHER:
            break
        best = min(best, (clock.monotonic(), clock.now(), clock.monotonic()), key=lambda three: three[2] - three[0])
    return best[1], (best[0] + best[2]) / 2


class KeptClock:
    """kdsync's own time: it begins somewhere, and then only what passes is added.

    A machine's clock that is set forwards or backwards does not move it; who calls `move` does.
    """

    def __init__(self, machine: Clock, start: datetime | None = None) -> None:
        self.machine = machine
        now, monotonic = read_together(machine)
        self._zero = (start or now) - timedelta(seconds=monotonic)

    def now(self) -> datetime:
        return self._zero + timedelta(seconds=self.machine.monotonic())

    def monotonic(self) -> float:
        return self.machine.monotonic()

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        return self.machine.wait(event, seconds)

    def behind(self) -> float:
        """Seconds that the machine's clock is ahead of this one."""
        now, monotonic = read_together(self.machine)
        return (now - self._zero).total_seconds() - monotonic

    def move(self, seconds: float) -> None:
        """Set this clock: what is written down in its time should be moved with it."""
        self._zero += timedelta(seconds=seconds)


class FakeClock:
    """A clock that a test turns by hand; waiting turns it too."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        if not event.is_set():
            self.advance(seconds or 0.0)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock, forwards or backwards, while no time passes."""
        self._now += timedelta(seconds=seconds)
