"""Knows Kingdee's clock from the `Date` header of its answers.

LoginBySign refuses a time stamp that is some minutes off, and the server stamps documents with its own time. `Date` has
whole seconds, so one answer only tells a span that holds the difference; many spans together tell it well.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from kdsync.clock import Clock

DRIFT = 0.0002
"""Seconds that two clocks part in a second at worst; a span widens by this as it ages."""
CENTURY = range(2000, 2100)
"""Years in which a `Date` is believed."""


def parse_date(header: str | None) -> datetime | None:
    """The time in a `Date` header, zone-aware; None where it is missing or nonsense."""
    try:
        date = parsedate_to_datetime(header or "")
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return date if date.year in CENTURY else None


class ServerClock:
    """Server time minus local time, as a span that every answer narrows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._span: tuple[float, float, float] | None = None  # low, high, and when that was (monotonic)

    @property
    def measured(self) -> bool:
        """Whether any answer told the server's time yet."""
        return self._span is not None

    def forget(self) -> None:
        """Start afresh, because the server does not agree."""
        self._span = None

    def measure(self, date: datetime, sent: datetime, received: datetime) -> None:
        """Take in one answer: its `Date`, and the local time before and after the exchange."""
        low = (date - received).total_seconds()
        high = (date - sent).total_seconds() + 1.0
        with self._lock:
            now = self._clock.monotonic()
            if self._span is not None:
                older_low, older_high, then = self._span
                widened = (now - then) * DRIFT
                both = max(low, older_low - widened), min(high, older_high + widened)
                low, high = both if both[0] <= both[1] else (low, high)  # one of the clocks was set
            self._span = (low, max(low, high), now)

    def offset(self) -> float:
        """Seconds that the server is ahead of this machine; 0.0 as long as nothing is known."""
        span = self._span
        return (span[0] + span[1]) / 2 if span else 0.0

    def error(self) -> float | None:
        """Seconds that `offset` may be wrong by; None as long as nothing is known."""
        span = self._span
        return (span[1] - span[0]) / 2 if span else None

    def now(self) -> datetime:
        """The server's time, in UTC."""
        return self._clock.now() + timedelta(seconds=self.offset())
