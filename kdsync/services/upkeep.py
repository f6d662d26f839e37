"""Keeping house: what the store should know while nothing changes, the gauges, the quota, and people asked anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from kdsync import logs
from kdsync.clock import KeptClock
from kdsync.delivery.limits import SHANGHAI
from kdsync.errors import EdgeError
from kdsync.services.notices import Notices
from kdsync.services.people import People
from kdsync.services.ports import Meter
from kdsync.services.watcher import Watcher
from kdsync.store import forms, holds, ledger, moments, outbox, storms
from kdsync.store.database import Database

log = logs.get("upkeep")
WARN_AT = (0.8, 1.0)


def month_of(moment: datetime) -> str:
    """The month of DingTalk's quota that a moment belongs to."""
    return moment.astimezone(SHANGHAI).strftime("%Y-%m")


@dataclass
class Upkeep:
    """One `step` every few seconds."""

    db: Database
    clock: KeptClock
    meter: Meter
    notices: Notices
    people: People
    watchers: Callable[[], Mapping[str, Watcher]]
    monthly_calls: Callable[[], int]
    channels: Callable[[], Iterable[str]]
    flush: Callable[[], None]  # writes down the calls counted in memory

    def step(self) -> None:
        """Write the heartbeat, set the gauges, mind the quota."""
        now = self.clock.now()
        self.flush()
        self._heartbeat(now)
        self._outbox()
        self._breakers()
        self._quota(now)

    def refresh_people(self) -> None:
        """Ask anew for people last asked for more than a day ago."""
        try:
            count = self.people.refresh()
        except EdgeError as error:
            log.warning("people.refresh_failed", error=str(error), cure=error.cure)
        else:
            log.debug("people.refreshed", count=count)

    def _heartbeat(self, now: datetime) -> None:
        with self.db.read() as tx:
            ids = {cursor.form: cursor for cursor in forms.of_forms(tx, list(self.watchers()))}
        with self.db.write() as tx:
            ledger.put_fact(tx, ledger.SIGN, moments.text(now), self.clock.machine.now())
            for form, watcher in self.watchers().items():
                ok, cursor = watcher.condition.last_ok, ids.get(form)
                if cursor:
                    values = {"last_error": watcher.condition.error or None}
                    if ok:
                        values["last_ok_at"] = moments.text(ok)
                    forms.save(tx, cursor.form_id, **values)
                if ok:
                    self.meter.gauge("lag_seconds", (now - ok).total_seconds(), {"form": form})

    def _outbox(self) -> None:
        with self.db.read() as tx:
            counts, held = outbox.counts(tx), storms.held_counts(tx)
        for state in (outbox.WAITING, outbox.LEASED, outbox.ACCEPTED, outbox.DEAD, outbox.DROPPED):
            self.meter.gauge("outbox", counts.get(state, 0), {"state": state})
        self.meter.gauge("held_notifications", sum(held.values()))

    def _breakers(self) -> None:
        with self.db.read() as tx:
            held = holds.every(tx)
        for name in {holds.KINGDEE, holds.CONTACTS, *self.channels(), *held}:
            self.meter.gauge("breaker_open", int(name in held and held[name].is_open), {"system": name})

    def _quota(self, now: datetime) -> None:
        limit, month = self.monthly_calls(), month_of(now)
        with self.db.read() as tx:
            used = ledger.metered_calls(tx, month)
        self.meter.gauge("quota_calls", used)
        self.meter.gauge("quota_limit", limit)
        for share in WARN_AT:
            if used >= share * limit:
                percent = f"{share:.0%}"
                self.notices.raise_(f"quota {month} {percent}", "quota", used=used, limit=limit, percent=percent)
