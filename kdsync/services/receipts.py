"""Whether those who were sent something can be shown anything at all.

DingTalk accepts a message for a person outside the app's visible range, or one who left, and shows it to nobody. So
everybody who is sent something is looked up once a day (contact calls are not metered), and what went to somebody who
is not there is dead after all: visible, and told to `fallback`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from kdsync import logs
from kdsync.clock import Clock
from kdsync.errors import EdgeError, FailureKind
from kdsync.services.notices import Notices
from kdsync.services.ports import Contacts, Meter
from kdsync.store import outbox, people
from kdsync.store.database import Database
from kdsync.store.people import Found
from kdsync.store.sealing import Seal

log = logs.get("receipts")
FRESH = timedelta(days=1)
LOOK_BACK = timedelta(days=7)  # a daemon that was off so long still checks what it sent before
AT_ONCE = 50
KEY = people.OF_DINGTALK
REASON = "DingTalk does not show this person to the app: they left, or are outside its visible range"


@dataclass(frozen=True, slots=True)
class Receipts:
    """Looks up recipients that were not looked up today."""

    db: Database
    seal: Seal
    contacts: Contacts
    clock: Clock
    meter: Meter
    notices: Notices

    def step(self) -> int:
        """Look up some recipients; returns how many."""
        now = self.clock.now()
        with self.db.read() as tx:
            targets = outbox.unconfirmed(tx, KEY, sent_since=now - LOOK_BACK, fresh_since=now - FRESH, limit=AT_ONCE)
        for target in targets:
            try:
                self._confirm(target, now)
            except EdgeError as error:
                log.warning("recipient.not_checked", to=target, error=str(error), cure=error.cure)
                if error.kind is not FailureKind.REFUSED:
                    break
        return len(targets)

    def _confirm(self, target: str, now: datetime) -> None:
        there = self.contacts.exists(target)
        found = Found(KEY + target, target if there else None, "visible" if there else "not visible to the app", now)
        with self.db.write() as tx:
            before = people.get(tx, found.key)
            since = before.refreshed_at if before and before.userid else now - LOOK_BACK
            people.put(tx, found)
            lost = [] if there else outbox.accepted_for(tx, self.seal, target, since=since)
            outbox.bury(tx, [letter.id for letter in lost], now, "not visible", REASON)
            for letter in lost:
                self.notices.dead(tx, letter, REASON)
        for letter in lost:
            self.meter.count("notifications_dead")
            log.error("notification.dead", letter=letter.id, to=target, error=REASON)
