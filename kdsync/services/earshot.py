"""Whether people in DingTalk can be heard. What they say or click while they cannot does not come again ("Stream mode"
knows no replay), so `fallback` is told when that lasts, and `kdsync status` shows it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from kdsync.clock import Clock
from kdsync.services.notices import Notices
from kdsync.store import holds, ledger, moments
from kdsync.store.database import Database
from kdsync.store.outbox import WORK

FACT = "stream"
"""JSON: connected, since (a moment), reason, cure. Not there where there is nothing to listen for."""
CAUSE = "stream"
PATIENCE = 180.0  # seconds; a connection that is replaced, or that breaks, is there again within a few


@dataclass
class Earshot:
    """One `step` every few seconds. `since` is when the state began, by the clock that never jumps."""

    db: Database
    clock: Clock
    notices: Notices
    _state: tuple[bool, bool] | None = None
    _since: float = 0.0
    _kept: str | None = None

    def step(self, *, wanted: bool, connected: bool, reason: str = "", cure: str = "") -> None:
        """Note the state of the Stream and why it is not connected; tell when that lasts, and when it is over."""
        now = self.clock.monotonic()
        if (wanted, connected) != self._state:
            self._state, self._since = (wanted, connected), now
        lasts = now - self._since
        since = self.clock.now() - timedelta(seconds=lasts)
        self._keep(wanted=wanted, connected=connected, since=since, reason=reason, cure=cure)
        if connected or not wanted:
            self.notices.clear(CAUSE, "stream_back" if wanted else "")
        elif lasts >= PATIENCE and not self._is_told_as_outage():
            self.notices.raise_(CAUSE, "stream_down", since=since, reason=reason, cure=cure)

    def _keep(self, *, wanted: bool, connected: bool, since: datetime, reason: str, cure: str) -> None:
        said = {"connected": connected, "reason": reason, "cure": cure} if wanted else {}
        if json.dumps(said) == self._kept:
            return
        with self.db.write() as tx:
            if said:
                ledger.put_fact(tx, FACT, json.dumps({**said, "since": moments.text(since)}), self.clock.now())
            else:
                ledger.forget_fact(tx, FACT)
        self._kept = json.dumps(said)

    def _is_told_as_outage(self) -> bool:
        """Whether DingTalk itself is down."""
        with self.db.read() as tx:
            return WORK in holds.every(tx)
