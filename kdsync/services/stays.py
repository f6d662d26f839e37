"""Documents in approval whose tasks cannot be read: those whom a rule calls `approvers` are told in their place.

One stay in approval is one event, named after the version of the document's submission, so a rule tells it once. What
was told of a stay holds for the tasks that show when they can be read again: they are taken note of and not told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from kdsync import logs
from kdsync.model import Document, Event, Status, Task, Transition
from kdsync.services.match import Matcher, document_of
from kdsync.services.settle import Settle
from kdsync.services.watch import Watch
from kdsync.store import ledger, moments, notifications, stays, tasks
from kdsync.store.notifications import Notification
from kdsync.store.stays import UNREAD, UNSEEN, Stay
from kdsync.store.tasks import Waiting
from kdsync.sync import identity
from kdsync.sync.cursor import server_local
from kdsync.sync.diff import UNREADABLE

log = logs.get("tasks")
LATE = timedelta(minutes=1)  # so long may it take until what was noticed is stored


@dataclass(frozen=True, slots=True)
class Stays:
    """The stays of one account set's documents."""

    settle: Settle
    account_set: str

    def doubt(self, last_read: datetime) -> None:
        """Tasks could not be read just now; what was submitted before they were read last was told by them."""
        now = self.settle.clock.now()
        with self.settle.db.write() as tx:
            if ledger.fact(tx, UNSEEN) is None:  # which an earlier process may have left
                ledger.put_fact(tx, UNSEEN, moments.text(min(last_read, now)), now)

    def sure(self) -> None:
        """Tasks were read."""
        with self.settle.db.write() as tx:
            ledger.forget_fact(tx, UNSEEN)

    def begin(self, forms: Iterable[str]) -> None:
        """The tasks of these forms cannot be read: what was submitted since they were is to be told without them."""
        now = self.settle.clock.now()
        with self.settle.db.write() as tx:
            since = ledger.fact(tx, UNSEEN) or moments.text(now)
            for form in forms:
                if ledger.fact(tx, UNREAD + form.upper()) is None:
                    ledger.put_fact(tx, UNREAD + form.upper(), since, now)

    def end(self, form: str) -> None:
        """The tasks of the form were read and taken."""
        if self.unread_since(form) is None:
            return
        with self.settle.db.write() as tx:
            ledger.forget_fact(tx, UNREAD + form.upper())

    def unread_since(self, form: str) -> str | None:
        """From when on submissions are still to be told; None where tasks tell them."""
        with self.settle.db.read() as tx:
            return ledger.fact(tx, UNREAD + form.upper())

    def tell(self, form: str, watch: Watch, matcher: Matcher) -> bool:
        """Tell what came into approval since the last time; whether there was anything."""
        since, now = self.unread_since(form), self.settle.clock.now()
        if since is None:
            return False
        told = [one for event in self._events(watch, since, now, matcher) for one in matcher.about(watch, event, now)]
        told = self._new(told)
        if told:
            self.settle.expect(form)
        with self.settle.db.write() as tx:
            notifications.add(tx, self.settle.seal, told)
            next_time = max(since, moments.text(now - LATE))
            ledger.put_fact(tx, UNREAD + form.upper(), next_time, now)
            verdict = self.settle.within(tx, form, matcher, watch.facts.title) if told else None
        if verdict:
            self.settle.settled(form, verdict)
            log.info("stays.told", form=form, messages=len(told))
        return bool(told)

    def untold(self, watch: Watch, event: Event, told: Sequence[Notification]) -> list[Notification]:
        """What rules tell about a task, without those that told the stay of its document already."""
        if self.unread_since(watch.form) is None or event.old is None or not _is_in_approval(event.old, watch):
            return list(told)  # it was submitted anew since
        with self.settle.db.read() as tx:
            version = stays.latest(tx, watch.form_id, event.doc_id)
            ident = self._ident(watch, event.doc_id, version) if version is not None else ""
            return [one for one in told if not self._is_told(tx, identity.notification_id(ident, one.rule))]

    def _new(self, told: Sequence[Notification]) -> list[Notification]:
        """Those that are not in the store yet."""
        with self.settle.db.read() as tx:
            return [one for one in told if not self._is_told(tx, one.id)]

    def _is_told(self, tx: Connection, ident: str) -> bool:
        return notifications.find(tx, self.settle.seal, ident) is not None

    def _events(self, watch: Watch, since: str, now: datetime, matcher: Matcher) -> Iterator[Event]:
        with self.settle.db.read() as tx:
            found = stays.since(tx, watch.form_id, since, has_open=bool(watch.open_where))
            found = [one for one in found if not _has_task(one, tasks.waiting_of(tx, watch.form, one.number))]
            snapshots = watch.snapshots.get(tx, [one.doc_id for one in found])
        for stay in found:
            snapshot = snapshots.get(stay.doc_id)
            if snapshot is None or snapshot.layout is UNREADABLE or snapshot.is_gone:
                continue
            document = document_of(watch, stay.doc_id, snapshot.layout, snapshot.row)
            if _is_in_approval(document, watch):
                unread = Task("", "", watch.form.upper(), document.number, "", "", "", server_local(now, matcher.zone))
                yield self._event(watch, stay, document, unread, now)

    def _event(self, watch: Watch, stay: Stay, document: Document, unread: Task, now: datetime) -> Event:
        return Event(
            event_id=self._ident(watch, stay.doc_id, stay.version),
            kind=Transition.ASSIGNED,
            form=watch.form,
            doc_id=stay.doc_id,
            number=document.number,
            version=stay.version,
            noticed_at=now,
            old=None,
            new=document,
            task=unread,
        )

    def _ident(self, watch: Watch, doc_id: str, version: int) -> str:
        return identity.event_id(self.account_set, watch.form, doc_id, version, Transition.ASSIGNED)


def _has_task(stay: Stay, waiting: Sequence[Waiting]) -> bool:
    """Whether a task of that stay was seen: one from before an earlier step of the document is of an earlier stay."""
    return any(task.seen_at >= stay.before for task in waiting)


def _is_in_approval(document: Document, watch: Watch) -> bool:
    return bool(watch.facts.status) and document.values.get(watch.facts.status or "") == Status.IN_APPROVAL
