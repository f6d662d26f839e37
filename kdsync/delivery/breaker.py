"""When something that fails is left alone, when it is tried again, and when people are told.

Closed: everything goes. Open, after some failures in a row: nothing goes. Half-open, when the pause is over: one probe
at a time; its success closes the breaker, its failure opens it for longer. A state is a value, its times are seconds of
any one clock; who asks brings the time and the jitter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kdsync.delivery.retry import doubling
from kdsync.errors import FailureKind

FIRST = 2.0  # seconds: within them comes the first probe
LEAST = 1.0
PATIENCE = 45.0  # seconds that something may fail before people are told
FORBEARANCE = 900.0  # the same where it is only asked to go slower
FLAPPING = 3600.0  # each outage that people were told of in so many seconds doubles their patience
MOST_PATIENCE = 3600.0

Span = tuple[float, float]
"""From when to when something was down."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How many failures in a row open a breaker, and the longest pause before a probe, in seconds."""

    opens_after: int
    longest: float

    def pause(self, probes: int, jitter: float) -> float:
        """Seconds until the next probe, after so many failed ones: any up to a bound that doubles (`jitter`: 0 to 1).

        All of the span at random ("full jitter"): many daemons that lost the same server do not come back as one.
        """
        return max(LEAST, doubling(probes, self.longest, FIRST) * jitter)


@dataclass(frozen=True, slots=True)
class Breaker:
    """One system or channel. `since` is when the first of the `failures` in a row was; `until` None: closed."""

    failures: int = 0
    since: float = 0.0
    until: float | None = None
    probing: bool = False

    @property
    def is_open(self) -> bool:
        """Open or half-open."""
        return self.until is not None

    def admits(self, now: float) -> bool:
        """Whether somebody may go; where the breaker is open, as its probe (`probed`)."""
        return self.until is None or (not self.probing and now >= self.until)

    def probed(self) -> Breaker:
        """Somebody was admitted."""
        return replace(self, probing=self.is_open)

    def failed(self, now: float, rhythm: Rhythm, jitter: float, *, may_open: bool = True) -> Breaker:
        """One more failure: of the probe where it is open, else of anybody."""
        more = replace(self, failures=self.failures + 1, since=self.since if self.failures else now, probing=False)
        over = more.failures - rhythm.opens_after
        if not self.is_open and (over < 0 or not may_open):
            return more
        return replace(more, until=now + rhythm.pause(max(over, 0), jitter))

    def held(self, now: float, seconds: float) -> Breaker:
        """A failure that says how long to wait, whatever came before."""
        since = self.since if self.failures else now
        return Breaker(self.failures + 1, since, now + seconds)


CLOSED = Breaker()


def patience(kind: FailureKind, told: Sequence[Span], now: float) -> float:
    """Seconds that something may be down before people are told; `told` are the outages they were told of before.

    What comes and goes is told ever less often. A month's quota that is used up does not come back by itself.
    """
    if kind is FailureKind.QUOTA:
        return 0.0
    again = sum(end > now - FLAPPING for _, end in told)
    usual = FORBEARANCE if kind is FailureKind.RATE_LIMITED else PATIENCE
    return min(usual * 2.0**again, max(MOST_PATIENCE, usual))


def up(begin: float, end: float, outages: Sequence[Span]) -> float:
    """How many seconds of a span were none of an outage; `outages` do not overlap."""
    down = sum(max(0.0, min(end, until) - max(begin, since)) for since, until in outages)
    return max(0.0, end - begin - down)
