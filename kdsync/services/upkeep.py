"""Keeping house: what the store should know while nothing changes, the gauges, the quota, the log, and people asked
anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from kdsync import logs
from kdsync.clock import KeptClock
from kdsync.delivery.limits import SHANGHAI
from kdsync.errors import EdgeError
from kdsync.services.bygone import Bygone
from kdsync.services.notices import Notices
from kdsync.services.outages import Outages
from kdsync.services.people import People
from kdsync.services.ports import Meter
from kdsync.services.watcher import Watcher
from kdsync.store import forms, holds, ledger, moments, outbox, storms
from kdsync.store.database import Database
from kdsync.store.forms import FormCursor

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
    log_trouble: Callable[[], str]  # why lines of the log are lost, or ""
    refused: str = ""  # why the last reload was
    _before: dict[str, datetime] = field(default_factory=dict, init=False)  # good looks of earlier runs, or the start

    def step(self) -> None:
        """Write the heartbeat, set the gauges, mind the quota."""
        now = self.clock.now()
        self._lag(now)
        self.flush()
        self._heartbeat(now)
        self._outbox()
        self._breakers()
        self._quota(now)
        self._log()
        Bygone(self.notices, self.watchers).step(now)

    def refresh_people(self) -> None:
        """Ask anew for people last asked for more than a day ago."""
        try:
            count = self.people.refresh()
        except EdgeError as error:
            log.warning("people.refresh_failed", error=str(error), cure=error.cure)
        else:
            log.debug("people.refreshed", count=count)

    def _lag(self, now: datetime) -> None:
        """It grows whatever is the matter: also where the store cannot be used, or nothing was ever seen."""
        looks = {form: watcher.condition.last_ok for form, watcher in self.watchers().items()}
        self._before = {form: self._before.get(form, now) for form in looks}
        lags = {form: (now - (ok or self._before[form])).total_seconds() for form, ok in looks.items()}
        self.meter.gauges("lag_seconds", "form", lags)

    def _heartbeat(self, now: datetime) -> None:
        watchers = self.watchers()
        with self.db.read() as tx:
            accounts = {watcher.account_set for watcher in watchers.values()}
            known = {cursor.form: cursor for account in accounts for cursor in forms.everything(tx, account)}
        with self.db.write() as tx:
            ledger.put_fact(tx, ledger.SIGN, moments.text(now), self.clock.machine.now())
            self._reload(tx, now)
            for form, watcher in watchers.items():
                self._note(tx, known.get(form) or forms.load(tx, watcher.account_set, form), watcher)

    def _reload(self, tx: Connection, now: datetime) -> None:
        """Who asked for it is told nothing else of what became of it."""
        if self.refused:
            ledger.put_fact(tx, ledger.RELOAD, self.refused, now)
        else:
            ledger.forget_fact(tx, ledger.RELOAD)

    def _note(self, tx: Connection, cursor: FormCursor, watcher: Watcher) -> None:
        ok = watcher.condition.last_ok
        values = {"last_error": watcher.condition.error or None}
        if ok:
            values["last_ok_at"] = moments.text(ok)
        elif cursor.last_ok_at:
            self._before[cursor.form] = moments.parse(cursor.last_ok_at)
        forms.save(tx, cursor.form_id, **values)

    def _outbox(self) -> None:
        with self.db.read() as tx:
            counts, held = outbox.counts(tx), storms.held_counts(tx)
        for state in (outbox.WAITING, outbox.LEASED, outbox.ACCEPTED, outbox.DEAD, outbox.DROPPED):
            self.meter.gauge("outbox", counts.get(state, 0), {"state": state})
        self.meter.gauge("held_notifications", sum(held.values()))

    def _breakers(self) -> None:
        with self.db.read() as tx:
            held = holds.every(tx)
        names = {holds.KINGDEE, holds.CONTACTS, *self.channels()}
        if held.keys() - names:
            Outages(self.notices).forget_others(names)
        is_open = {name: int(name in held and held[name].is_open) for name in names | held.keys()}
        self.meter.gauges("breaker_open", "system", is_open)

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

    def _log(self) -> None:
        """Who reads the log would be told by nothing in it."""
        trouble = self.log_trouble()
        if trouble:
            self.notices.raise_("log", "log", error=trouble)
        else:
            self.notices.clear("log", "log_back")
