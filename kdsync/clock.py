"""Injected time: nothing in kdsync reads the system's clock except through one of these."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time for dates, monotonic seconds for durations, and a wait that can be cut short."""

    def now(self) -> datetime:
        """The time in UTC, zone-aware."""

    def monotonic(self) -> float:
        """Seconds that never run backwards."""

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait until `event` is set or `seconds` have passed; tell whether it is set."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        return event.wait(seconds)


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
