"""Which channels of the outbox are left alone, and what the outcome of a call means for its channel.

The dispatcher makes one call at a time, so a probe needs no more than the state that the store keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from random import Random

from sqlalchemy import Connection

from kdsync import logs
from kdsync.delivery.breaker import CLOSED, Rhythm, up
from kdsync.delivery.retry import pause_of
from kdsync.errors import EdgeError
from kdsync.services.outages import Outages
from kdsync.store import holds, moments
from kdsync.store.holds import Hold, hold_of

log = logs.get("channels")
OPENS_AFTER = 3  # failures in a row, of whatever letters
SOONEST = 20.0  # seconds between two probes at first: DingTalk is back before anybody minds
A_TENTH = 0.1  # of what it has lasted an outage may last longer for us, so that probes do not use up the month
LONGEST = 900.0
LONGEST_UNSENT = 60.0  # where nothing reached DingTalk, so that nothing was counted


@dataclass(frozen=True, slots=True)
class Channels:
    """Reads and writes the holds of channels, within the transaction of the letters."""

    random: Random
    outages: Outages

    def shut(self, tx: Connection, now: datetime) -> list[str]:
        """The channels to which nothing may be sent now."""
        return [name for name, hold in holds.every(tx).items() if hold.blocks(now)]

    def tried(self, tx: Connection, now: datetime) -> list[str]:
        """The channels that may be down: one letter shall tell."""
        found = holds.every(tx).items()
        return [name for name, hold in found if hold.is_open and not hold.blocks(now) and hold.failures >= OPENS_AFTER]

    def next_try(self, tx: Connection, now: datetime) -> datetime | None:
        """When the first of those that are shut may be tried."""
        return min((hold.until for hold in holds.every(tx).values() if hold.blocks(now)), default=None)

    def failed(self, tx: Connection, channel: str, error: EdgeError, now: datetime) -> Hold:
        """A call failed, and not because of what it carried."""
        known = holds.every(tx).get(channel)
        breaker, moment = known.breaker if known else CLOSED, now.timestamp()
        told = pause_of(error.kind, breaker.failures + 1, self.random.random(), error.retry_after)
        if told is None:
            lasts = moment - breaker.since if breaker.failures else 0.0
            breaker = breaker.failed(moment, _rhythm(lasts, error), self.random.random())
        else:
            breaker = breaker.held(moment, told)
        hold = hold_of(channel, breaker, now, error.kind, str(error), error.cure)
        self.outages.goes_on(tx, hold)
        if hold.is_open and not (known and known.is_open):
            until = moments.text(hold.until)
            log.warning(
                "channel.held", channel=channel, kind=error.kind, reason=str(error), cure=error.cure, until=until
            )
        return hold

    def works(self, tx: Connection, channel: str) -> None:
        """DingTalk answered: it took a message, or would not take this one."""
        known = holds.every(tx).get(channel)
        if known:
            self.outages.is_over(tx, known)

    def lived(self, tx: Connection, channel: str, since: datetime, now: datetime) -> float:
        """For how many of the seconds since then others got through."""
        return up(since.timestamp(), now.timestamp(), holds.outages(tx, channel))


def _rhythm(lasts: float, error: EdgeError) -> Rhythm:
    longest = LONGEST if error.sent else LONGEST_UNSENT
    return Rhythm(OPENS_AFTER, min(max(SOONEST, A_TENTH * lasts), longest))
