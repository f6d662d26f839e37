"""Stands before a system that many threads ask: lets nothing but one probe through while it is down.

What it knows is in memory, by a clock that never jumps; what outlives a restart (since when it is down, whether people
were told) is in the store.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from random import Random

from kdsync import logs
from kdsync.delivery.breaker import CLOSED, LEAST, Breaker, Rhythm
from kdsync.errors import EdgeError, FailureKind, HeldBackError
from kdsync.services.outages import Outages
from kdsync.store import holds
from kdsync.store.database import Database
from kdsync.store.holds import Hold

log = logs.get("guard")
PASSING = (FailureKind.TRANSIENT, FailureKind.UNKNOWN_OUTCOME)
SEVERAL = 2  # callers that must have failed before all of them are kept back
KINGDEE = Rhythm(opens_after=3, longest=20.0)  # a change is told within 30 s of Kingdee's return
CONTACTS = Rhythm(opens_after=1, longest=60.0)  # each failure may have cost the dispatcher fifteen seconds


class Guard:
    """`name` as in `store.holds`, `system` as in EdgeError. `callers` tells how many there may be.

    `on_back` is called when it works again after an outage.
    """

    def __init__(
        self,
        name: str,
        system: str,
        rhythm: Rhythm,
        db: Database,
        outages: Outages,
        random: Random,
        *,
        callers: Callable[[], int] = lambda: 1,
        on_back: Callable[[], None] = lambda: None,
    ) -> None:
        self.name, self.system = name, system
        self._rhythm, self._db, self._outages, self._random = rhythm, db, outages, random
        self._callers, self._on_back = callers, on_back
        self._clock = outages.notices.clock
        self._lock = threading.Lock()
        self._failed_for: set[str] = set()  # callers, since it last worked
        self._probe: object | None = None  # who may answer for the breaker while it is open
        self._breaker, self._hold = self._remembered()

    def _remembered(self) -> tuple[Breaker, Hold | None]:
        """What an earlier process left: it is down until somebody has tried, which may be at once."""
        with self._db.read() as tx:
            hold = holds.every(tx).get(self.name)
        if hold is None or not hold.is_open:
            return CLOSED, None
        now = self._clock.monotonic()
        return Breaker(max(hold.failures, self._rhythm.opens_after), now, now), hold

    @property
    def is_open(self) -> bool:
        """Whether it is down, as far as is known."""
        return self._breaker.is_open

    def waits(self) -> bool:
        """Whether nobody may go now."""
        return not self._breaker.admits(self._clock.monotonic())

    def is_due(self) -> bool:
        """Whether it is down and somebody should try."""
        return self.is_open and not self.waits()

    @contextmanager
    def turn(self, caller: str) -> Iterator[Callable[[], None]]:
        """Go, or HeldBackError; call what you get whenever an answer came. EdgeErrors that pass are taken note of."""
        probe = self._enter()
        try:
            yield self._answered
        except HeldBackError:
            raise
        except EdgeError as error:
            self._failed(caller, error, probe)
            raise
        finally:
            self._leave(probe)

    def _enter(self) -> object | None:
        with self._lock:
            now = self._clock.monotonic()
            if not self._breaker.admits(now):
                reason = self._hold.reason if self._hold else ""
                raise HeldBackError(self.system, reason, max((self._breaker.until or now) - now, 1.0))
            if not self._breaker.is_open:
                return None
            self._breaker, self._probe = self._breaker.probed(), object()
            return self._probe

    def _leave(self, probe: object | None) -> None:
        """A probe that came to nothing, as when its thread ends, is another one's turn."""
        with self._lock:
            if probe is not None and probe is self._probe:
                self._probe = None
                self._breaker = replace(self._breaker, probing=False)

    def _answered(self) -> None:
        if self._breaker is CLOSED:
            return
        with self._lock:
            was_open, hold = self._breaker.is_open, self._hold
            if hold is not None:
                with self._db.write() as tx:
                    self._outages.is_over(tx, hold)
            self._breaker, self._hold, self._probe = CLOSED, None, None
            self._failed_for.clear()
        if was_open:
            self._on_back()

    def _failed(self, caller: str, error: EdgeError, probe: object | None) -> None:
        if error.kind is FailureKind.REFUSED and self.is_open:
            self._answered()  # it would not, so it is there
            return
        with self._lock:
            if self.is_open:
                if probe is None or probe is not self._probe:
                    return  # let out before it was known to be down: nothing new
            elif error.kind not in (*PASSING, FailureKind.RATE_LIMITED):
                return  # a matter of the caller's, or of an operator's
            self._failed_for.add(caller)
            self._breaker, self._probe = self._after(error), None
            if self._breaker.is_open:
                self._keep(error)

    def _after(self, error: EdgeError) -> Breaker:
        now = self._clock.monotonic()
        if error.kind is FailureKind.RATE_LIMITED:
            return self._breaker.held(now, max(error.retry_after or 0.0, LEAST))
        several = len(self._failed_for) >= min(SEVERAL, self._callers())
        return self._breaker.failed(now, self._rhythm, self._random.random(), may_open=several)

    def _keep(self, error: EdgeError) -> None:
        breaker, now, ticks = self._breaker, self._clock.now(), self._clock.monotonic()
        known = self._hold
        since = known.since if known else now - timedelta(seconds=ticks - breaker.since)
        until = now + timedelta(seconds=(breaker.until or ticks) - ticks)
        self._hold = Hold(self.name, since, until, breaker.failures, error.kind, str(error), error.cure)
        with self._db.write() as tx:
            self._outages.goes_on(tx, self._hold)
        if known is None:
            log.warning("outage.suspected", what=self.name, reason=str(error), kind=error.kind, cure=error.cure)
