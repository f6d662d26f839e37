"""How often a login may be tried: wrong passwords lock the account, and every login costs the server memory."""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime, timedelta
from typing import Protocol

from kdsync.clock import Clock
from kdsync.delivery.retry import doubling
from kdsync.errors import EdgeError, FailureKind

REFUSALS = 2
"""Refused passwords in `REFUSAL_SPAN`, after which no further login is tried."""
REFUSAL_SPAN = timedelta(hours=1)
WRONG_PASSWORD, LOCKED = "login-0", "account-locked"
MOST_REFUSALS = 4
"""Wrong passwords of one process: with the next one the account may lock, and another password takes a restart."""
REFUSAL_PAUSE = 600.0
"""Seconds after a refused password: whoever corrects it and restarts still has a try left. So often it is looked, too,
whether another may be tried: whoever restarted is not kept for an hour where minutes are left of it."""
LOGINS, LOGIN_SPAN = 10, 600.0
"""Logins in so many seconds: each costs the server memory (V6.0 WebAPI manual)."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
"""Seconds after a login that failed otherwise, doubled each time."""


class LoginLedger(Protocol):
    """Remembers refused passwords across restarts, because about five of them lock the account."""

    def failures(self, since: datetime) -> int:
        """How many logins were refused since then."""

    def record(self, at: datetime) -> None:
        """One more was refused."""


class MemoryLedger:
    """A ledger that forgets when the process ends."""

    def __init__(self) -> None:
        self._refused: list[datetime] = []

    def failures(self, since: datetime) -> int:
        return sum(at >= since for at in self._refused)

    def record(self, at: datetime) -> None:
        self._refused.append(at)


class LoginLimits:
    """Holds a login back that would come too soon."""

    def __init__(self, clock: Clock, ledger: LoginLedger, *, by_password: bool) -> None:
        self._clock = clock
        self._by_password = by_password
        self._ledger = ledger
        self._lock = threading.Lock()
        self._answered: deque[float] = deque(maxlen=LOGINS)
        self._failed = self._wrong = 0
        self._pause_after = 0.0
        self._last: EdgeError | None = None

    def check(self) -> None:
        """EdgeError where a login must wait; it carries the seconds, and the reason of the last refusal."""
        with self._lock:
            if self._wrong >= MOST_REFUSALS:
                raise self._held(WRONG_PASSWORD, REFUSAL_PAUSE, f"the password was refused {self._wrong} times")
            if self._ledger.failures(self._clock.now() - REFUSAL_SPAN) >= REFUSALS:
                raise self._held(WRONG_PASSWORD, REFUSAL_PAUSE, "the password was refused twice in an hour")
            if (pause := self._pause()) > 0:
                if self._failed:
                    raise self._held("login-paused", pause, "the last login was refused")
                raise _lost(pause)

    def succeeded(self) -> None:
        """A login was accepted."""
        with self._lock:
            self._answered.append(self._clock.monotonic())
            self._failed, self._wrong, self._last = 0, 0, None

    def refused(self, error: EdgeError) -> None:
        """A login was refused, or was for nothing."""
        with self._lock:
            self._answered.append(self._clock.monotonic())
            self._failed += 1
            self._last = error
            self._pause_after = doubling(self._failed - 1, LONGEST_PAUSE, FIRST_PAUSE)
            self._wrong += self._by_password and error.code == WRONG_PASSWORD
            if error.code in (WRONG_PASSWORD, LOCKED):
                self._pause_after = REFUSAL_PAUSE
                self._ledger.record(self._clock.now())

    def _pause(self) -> float:
        if self._failed and self._answered:
            return self._answered[-1] + self._pause_after - self._clock.monotonic()
        full = len(self._answered) == LOGINS
        return self._answered[0] + LOGIN_SPAN - self._clock.monotonic() if full else 0.0

    def _held(self, code: str, pause: float, why: str) -> EdgeError:
        last = self._last
        return EdgeError(
            "kingdee",
            last.kind if last else FailureKind.CONFIGURATION,
            last.code if last else code,
            f"no login is tried now, because {why}" + (f": {last.message}" if last else ""),
            cure=last.cure if last else "correct it in kdsync.yaml; kdsync tries again within the hour",
            retry_after=pause,
        )


def _lost(pause: float) -> EdgeError:
    return EdgeError(
        "kingdee",
        FailureKind.RATE_LIMITED,
        "login-paused",
        f"the session was lost {LOGINS} times in {LOGIN_SPAN:.0f} s",
        retry_after=pause,
        cure="a load balancer before several Kingdee servers must keep sessions on one server",
    )
