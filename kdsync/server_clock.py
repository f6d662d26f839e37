"""Knows another system's clock from the `Date` header of its answers.

Kingdee's LoginBySign refuses a time stamp that is some minutes off, DingTalk's robots one that is an hour off, and both
count their days by their own clocks. `Date` has whole seconds, so one answer only tells a span that holds the
difference; the spans of many answers together tell it well.

The difference is kept against the seconds that never run backwards, so that a step of this machine's clock changes
nothing here: only an answer can.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from kdsync.clock import Clock

DRIFT = 0.0002
"""Seconds that two clocks part in a second at worst; a span widens by this as it ages."""
ROUNDING = 0.00001
"""Seconds by which floating-point numbers of this size may be off."""
BELIEVED = range(2000, 2099)
"""Years in which a `Date` is believed: machines that do not know the time say 1970, 1980 or 2099."""
CONVINCING = 3
"""Answers of different seconds that agree with one another: then the other clock was set, or the first was wrong."""


def parse_date(header: str | None) -> datetime | None:
    """The time in a `Date` header, zone-aware; None where it is missing or nonsense."""
    try:
        date = parsedate_to_datetime(header or "")
    except (ValueError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return date if date.year in BELIEVED else None


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """When an answer was given; None where it cannot be known, as with an answer from a cache (it has an `Age`)."""
    return parse_date(headers.get("Date")) if headers.get("Age", "0").strip() == "0" else None


@dataclass(frozen=True, slots=True)
class _Span:
    """Their time less our monotonic seconds lies between `low` and `high`, as known at `at` (monotonic)."""

    low: float
    high: float
    at: float
    newest: float  # the latest `Date` that it rests on
    answers: int = 1  # of different seconds

    def meet(self, later: _Span) -> _Span | None:
        """What both allow; None where they contradict each other."""
        wider = abs(later.at - self.at) * DRIFT + ROUNDING
        low, high = max(self.low - wider, later.low), min(self.high + wider, later.high)
        if low > high:
            return None
        answers = self.answers + (later.newest > self.newest)
        return _Span(low, high, max(self.at, later.at), max(self.newest, later.newest), answers)

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


class ServerClock:
    """The time of another system, as a span that every answer narrows.

    One answer that contradicts the others changes nothing: it may come from a cache or a proxy. Several that agree with
    one another do.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._span: _Span | None = None
        self._doubt: _Span | None = None  # what the latest answers say, where that is something else

    @property
    def measured(self) -> bool:
        """Whether any answer told the server's time yet."""
        return self._span is not None

    @property
    def sure(self) -> bool:
        """Whether enough answers agree to believe the server rather than this machine."""
        span = self._span
        return span is not None and span.answers >= CONVINCING

    def forget(self) -> None:
        """Start afresh, because the server does not agree."""
        with self._lock:
            self._span = self._doubt = None

    def yield_(self) -> None:
        """The server refused our time: what its latest answer said is believed at once."""
        with self._lock:
            self._span, self._doubt = self._doubt or self._span, None

    def hear(self, headers: Mapping[str, str], sent: float) -> None:
        """Take in the headers of an answer that is coming in now. `sent`: monotonic seconds."""
        date = date_of(headers)
        if date is not None:
            self.measure(date, sent, self._clock.monotonic())

    def measure(self, date: datetime, sent: float, received: float) -> None:
        """Take in one answer: its `Date`, and the monotonic seconds before and after the exchange."""
        told = date.timestamp()
        heard = _Span(told - received, told + 1.0 - sent, received, told)
        with self._lock:
            both = self._span.meet(heard) if self._span else heard
            if both is not None:
                self._span, self._doubt = both, None
                return
            self._doubt = (self._doubt.meet(heard) if self._doubt else None) or heard
            if self._doubt.answers >= CONVINCING:
                self._span, self._doubt = self._doubt, None

    def offset(self) -> float:
        """Seconds that the server is ahead of our clock; 0.0 as long as nothing is known."""
        return (self.now() - self._clock.now()).total_seconds() if self._span else 0.0

    def error(self) -> float | None:
        """Seconds that `offset` may be wrong by; None as long as nothing is known."""
        span = self._span
        return (span.high - span.low) / 2 + abs(self._clock.monotonic() - span.at) * DRIFT if span else None

    def now(self) -> datetime:
        """The server's time, in UTC; ours as long as nothing is known."""
        span = self._span
        if span is None:
            return self._clock.now()
        return EPOCH + timedelta(seconds=span.middle + self._clock.monotonic())


EPOCH = datetime.fromtimestamp(0, UTC)
