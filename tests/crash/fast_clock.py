"""A clock that two processes share and that runs faster than the machine's."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SPEED = 20.0
MORNING = datetime(2026, 3, 10, 1, tzinfo=UTC)  # nine in Shanghai: no test crosses midnight


@dataclass(frozen=True, slots=True)
class FastClock:
    """`kdsync.clock.Clock`: it was nine in the morning at `zero`, in seconds of the machine's monotonic clock.

    `ahead` is how many seconds its dates are wrong by.
    """

    zero: float
    ahead: float = 0.0

    def now(self) -> datetime:
        return MORNING + timedelta(seconds=self.monotonic() + self.ahead)

    def monotonic(self) -> float:
        return (time.monotonic() - self.zero) * SPEED

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        return event.wait(None if seconds is None else seconds / SPEED)
