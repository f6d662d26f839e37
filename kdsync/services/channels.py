"""Which channels of the outbox are left alone, and what the outcome of a call means for its channel.

The dispatcher makes one call at a time, so a probe needs no more than the state that the store keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import NamedTuple

from sqlalchemy import Connection

from kdsync import logs
from kdsync.delivery.breaker import CLOSED, Rhythm, up
from kdsync.delivery.limits import month_ends
from kdsync.delivery.retry import pause_of
from kdsync.errors import EdgeError, FailureKind
from kdsync.services.outages import Outages
from kdsync.store import holds, moments
from kdsync.store.holds import hold_of

log = logs.get("channels")
OPENS_AFTER = 3  # failures in a row, of whatever letters
SOONEST = 20.0  # seconds between two probes at first: DingTalk is back before anybody minds
A_TENTH = 0.1  # of what it has lasted an outage may last longer for us, so that probes do not use up the month
LONGEST = 900.0
LONGEST_UNSENT = 60.0  # where nothing reached DingTalk, so that nothing was counted


class Condition(NamedTuple):
    """Nothing may be sent to those that are `shut`, the first of them until `reopens`; one letter to those `trying`."""

    shut: list[str]
    trying: list[str]
    reopens: datetime | None


@dataclass(frozen=True, slots=True)
class Channels:
    """Reads and writes the holds of channels, within the transaction of the letters."""

    random: Random
    outages: Outages

    def now(self, tx: Connection, now: datetime) -> Condition:
        """The channels that are not simply open."""
        held = [hold for hold in holds.every(tx).values() if hold.is_open]
        shut = [hold for hold in held if hold.blocks(now)]
        trying = [hold.name for hold in held if hold not in shut and hold.failures >= OPENS_AFTER]
        return Condition([hold.name for hold in shut], trying, min((hold.until for hold in shut), default=None))

    def failed(self, tx: Connection, channel: str, error: EdgeError, now: datetime, *, alone: bool) -> bool:
        """A call failed; returns whether the channel is left alone now.

        `alone` tells that others got through while this letter did not: then that is no sign of an outage.
        """
        known = holds.every(tx).get(channel)
        breaker, moment = known.breaker if known else CLOSED, now.timestamp()
        told = pause_of(error.kind, breaker.failures + 1, self.random.random(), error.retry_after)
        if told is not None and error.kind is FailureKind.QUOTA:
            told = min(told, (month_ends(now) - now).total_seconds())
        if told is None and alone and not breaker.is_open:
            return False
        if told is None:
            lasts = moment - breaker.since if breaker.failures else 0.0
            breaker = breaker.failed(moment, rhythm(lasts, sent=error.sent), self.random.random())
        else:
            breaker = breaker.held(moment, told)
        hold = hold_of(channel, breaker, now, error.kind, str(error), error.cure)
        self.outages.goes_on(tx, hold)
        if hold.is_open and not (known and known.is_open):
            what = {"channel": channel, "kind": error.kind, "reason": str(error), "cure": error.cure}
            log.warning("channel.held", until=moments.text(hold.until), **what)
        return hold.is_open

    def works(self, tx: Connection, channel: str) -> None:
        """DingTalk answered: it took a message, or would not take this one."""
        known = holds.every(tx).get(channel)
        if known:
            self.outages.is_over(tx, known)

    def lived(self, tx: Connection, channel: str, since: datetime, now: datetime) -> float:
        """For how many of the seconds since then others got through."""
        return up(since.timestamp(), now.timestamp(), holds.outages(tx, channel))


def rhythm(lasts: float, *, sent: bool) -> Rhythm:
    """How a channel is tried that has been down for so many seconds, by calls that reach DingTalk or do not."""
    longest = LONGEST if sent else LONGEST_UNSENT
    return Rhythm(OPENS_AFTER, min(max(SOONEST, A_TENTH * lasts), longest))
