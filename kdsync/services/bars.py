"""What becomes of status bars: who was asked to decide sees that it was done, wherever it was done.

Only forms (messages with fields) have one, and DingTalk changes it for a week. It is a kindness and no promise: what
cannot be changed is given up with a line in the log, and nobody is alarmed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from kdsync import logs
from kdsync.clock import Clock
from kdsync.delivery.retry import after
from kdsync.delivery.words import status as status_words
from kdsync.delivery.words import words
from kdsync.errors import EdgeError, FailureKind, HeldBackError
from kdsync.model import Status
from kdsync.services.desk import Desk
from kdsync.services.dispatch import own_mistake
from kdsync.services.patience import STORES_OWN
from kdsync.services.ports import Courier
from kdsync.services.upkeep import month_of
from kdsync.settings.schema import Settings
from kdsync.store import bars, holds, ledger
from kdsync.store.bars import CHANGED, LOST, Owed
from kdsync.store.database import Database
from kdsync.store.outbox import ACCEPTED, DROPPED, WORK, Letter
from kdsync.store.sealing import Seal

log = logs.get("bars")
OFTEN = 1.0  # seconds between two looks for what was decided
SELDOM = 3600.0  # and for what is too old to be changed
PAUSES = (2.0, 5.0, 15.0, 60.0, 300.0)  # seconds between tries, the last again and again
UNSENT = timedelta(seconds=60)  # until a message that is not sent yet is looked at again
LATER = timedelta(seconds=30)  # until Kingdee, which is down, is asked again
LONGEST = timedelta(seconds=300)
MOST_TRIES = 30
MOST_READS = 3  # tries to learn the document's status
CHANGEABLE = timedelta(days=7)  # "Update the status bar of a work notification"
NEARLY = 0.9  # of the month's calls; the rest is for messages
HOPELESS = (FailureKind.REFUSED, FailureKind.CONFIGURATION, FailureKind.QUOTA)


@dataclass(slots=True)
class Bars:
    """Changes the status bars of messages about tasks that were decided."""

    db: Database
    seal: Seal
    clock: Clock
    courier: Courier
    desk: Desk
    settings: Callable[[], Settings]
    _look_at: float = 0.0  # monotonic
    _expire_at: float = 0.0

    def step(self) -> int:
        """Change the bars of the messages about one task; returns how many tasks were looked at."""
        if self.clock.monotonic() < self._look_at:
            return 0
        now = self.clock.now()
        with self.db.read() as tx:
            held = holds.every(tx).get(WORK)
            owed = None if held and held.is_open else bars.due(tx, now, LONGEST)
        if owed is None:
            self._rest(OFTEN)
            self._expire(now)
            return 0
        try:
            self._change(owed, now)
        except STORES_OWN:
            raise
        except Exception as error:  # one that trips over a mistake of ours must not hold up the messages
            log.exception("bar.broke", form=owed.form, bill_no=owed.number)
            mistake = own_mistake(error, owed.tries + 1)
            self._conclude(owed, now, [] if mistake.kind in HOPELESS else [mistake], unsent=False)
        return 1

    def _rest(self, seconds: float) -> None:
        """Messages come first: they do not wait for one bar after the other to fail."""
        self._look_at = self.clock.monotonic() + seconds

    def _expire(self, now: datetime) -> None:
        """Those that waited for so long that DingTalk changes their bar no more."""
        if self.clock.monotonic() < self._expire_at:
            return
        self._expire_at = self.clock.monotonic() + SELDOM
        with self.db.write() as tx:
            count = bars.expire(tx, now - CHANGEABLE)
        if count:
            log.info("bars.expired", tasks=count)

    def _change(self, owed: Owed, now: datetime) -> None:
        with self.db.read() as tx:
            found = bars.unsettled(tx, self.seal, self.settings().main.kingdee.acct_id, owed)
            used = ledger.metered_calls(tx, month_of(now))
        mine = [(letter, doc_id) for letter, doc_id in found if self.courier.shows_bar(letter.content)]
        unsent = any(letter.state not in (ACCEPTED, DROPPED) for letter, _doc_id in mine)
        sent = _by_call(letter for letter, _doc_id in mine)
        failed: list[EdgeError] = []
        if sent and used >= NEARLY * self.settings().main.dingtalk.monthly_calls:
            for letters in sent.values():
                self._lost(letters, owed, "the calls of this month are nearly used up")
        elif sent:
            status = self._status(owed, mine[0][1], now)
            if status is None:
                return
            failed = [error for letters in sent.values() if (error := self._told(letters, owed, status))]
        self._conclude(owed, now, failed, unsent=unsent)

    def _status(self, owed: Owed, doc_id: str, now: datetime) -> str | None:
        """The letter of the document's status, "" where it has none or cannot be read; None: it is asked for later."""
        try:
            bill = self.desk.read(owed.form, doc_id, ()) if doc_id else None
        except EdgeError as error:
            is_held = isinstance(error, HeldBackError)
            if owed.tries >= MOST_READS and not is_held:
                return ""
            with self.db.write() as tx:
                bars.later(tx, owed, owed.tries + (not is_held), now + LATER)
            self._rest(LATER.total_seconds())
            log.info("bar.not_looked_at", form=owed.form, bill_no=owed.number, error=str(error))
            return None
        return bill.status if bill else ""

    def _told(self, letters: list[Letter], owed: Owed, status: str) -> EdgeError | None:
        """Tell DingTalk of one message; the error if that is to be tried again."""
        task, locale = letters[0].task_id, self.settings().directory.locale_of(letters[0].target)
        said = {"status": status_words(status, locale)} if status in set(Status) else {}
        text = words("bar_decided" if said else "bar_over", locale, **said)
        try:
            self.courier.change_bar(task, text, status)
        except EdgeError as error:
            if error.kind not in HOPELESS and owed.tries + 1 < MOST_TRIES:
                return error
            self._lost(letters, owed, str(error))
            return None
        with self.db.write() as tx:
            bars.note(tx, [letter.id for letter in letters], self.clock.now(), CHANGED, text)
        log.info("bar.changed", task_id=task, form=owed.form, bill_no=owed.number, status=status)
        return None

    def _lost(self, letters: list[Letter], owed: Owed, reason: str) -> None:
        with self.db.write() as tx:
            bars.note(tx, [letter.id for letter in letters], self.clock.now(), LOST, reason)
        log.warning("bar.lost", form=owed.form, bill_no=owed.number, task_id=letters[0].task_id, error=reason)

    def _conclude(self, owed: Owed, now: datetime, failed: list[EdgeError], *, unsent: bool) -> None:
        if failed:
            self._put_off(owed, now, failed)
            return
        with self.db.write() as tx:
            if unsent:
                bars.later(tx, owed, 0, now + UNSENT)
            else:
                bars.settle(tx, owed)

    def _put_off(self, owed: Owed, now: datetime, failed: list[EdgeError]) -> None:
        told = max(error.retry_after or 0.0 for error in failed)
        pause = max(after(PAUSES, owed.tries), told)
        with self.db.write() as tx:
            bars.later(tx, owed, owed.tries + 1, now + min(timedelta(seconds=pause), LONGEST))
        self._rest(PAUSES[0])
        log.info("bar.put_off", form=owed.form, bill_no=owed.number, seconds=pause, error=str(failed[0]))


def _by_call(letters: Iterable[Letter]) -> dict[str, list[Letter]]:
    """Those that were sent, by the id of the send: each has one bar."""
    sent: defaultdict[str, list[Letter]] = defaultdict(list)
    for letter in letters:
        if letter.state == ACCEPTED and letter.channel == WORK:
            sent[letter.task_id].append(letter)
    return sent
