"""Alarms that nobody says are over: of a day or month that has passed, of forms and fields that no rule needs any more,
of snapshots that were read anew at once.

One that stood for ever would keep `kdsync status` from ever being well, and the same cause from being told again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from kdsync.delivery.limits import SHANGHAI
from kdsync.services.notices import RAISED, Notices
from kdsync.services.watcher import Watcher
from kdsync.store import ledger

DAILY, MONTHLY = frozenset({"clock"}), frozenset({"quota", "pushes"})
OF_A_FORM, MENDED = frozenset({"form", "vanished", "field"}), "damaged"


@dataclass(frozen=True, slots=True)
class Bygone:
    """Ends them."""

    notices: Notices
    watchers: Callable[[], Mapping[str, Watcher]]

    def step(self, now: datetime) -> None:
        """Look at every alarm that stands."""
        with self.notices.db.read() as tx:
            causes = [key.removeprefix(RAISED) for key in ledger.facts_like(tx, RAISED)]
        today = now.astimezone(SHANGHAI).date().isoformat()
        for cause in causes:
            if self._is_over(cause.split(" "), today):
                self.notices.clear(cause)

    def _is_over(self, cause: list[str], today: str) -> bool:
        """`cause` is `clock SYSTEM DAY`, `quota MONTH SHARE`, `pushes MONTH`, `field FORM KEY`, `damaged FORM`, …"""
        if cause[0] in DAILY:
            return cause[-1] < today
        if cause[0] in MONTHLY:
            return cause[1] < today[: len("2026-11")]
        if cause[0] not in OF_A_FORM:
            return cause[0] == MENDED
        watcher = self.watchers().get(cause[1])
        return watcher is None or (cause[0] == "field" and watcher.does_without(cause[2]) is False)
