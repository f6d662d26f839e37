"""One page of documents: compare it with the snapshots, ask the rules, and commit everything in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kdsync import logs
from kdsync.clock import Clock
from kdsync.model import Layout, Row, Status
from kdsync.services.match import Matcher, number_of
from kdsync.services.oddities import Odd
from kdsync.services.settle import Settle
from kdsync.services.watch import Watch
from kdsync.store import forms, moments, notifications, origins
from kdsync.store.database import Database
from kdsync.store.documents import DocumentRow, EventRow, put_events, text_of
from kdsync.store.notifications import Notification
from kdsync.store.sealing import Seal
from kdsync.sync.diff import UNREADABLE, Change, Snapshot, compare, gone
from kdsync.sync.origin import OwnWrite, explain
from kdsync.sync.strange import REPLACED, rewound

log = logs.get("ingest")
APPROVED = str(Status.APPROVED)
UNDECIDED = frozenset({Status.DRAFT, Status.CREATED, Status.IN_APPROVAL, Status.SENT_BACK})
FEW = 20  # changes of one page that are logged one by one; of more the log says how many, and the store has each


@dataclass(slots=True)
class Step:
    """What one page amounts to: rows to store, and what to tell."""

    watch: Watch
    seal: Seal
    now: datetime
    found_by: str
    horizon: str = ""  # what the date look reaches back to; "" where nothing can be older than it was
    own: Sequence[OwnWrite] = ()  # what kdsync wrote to documents of the form, and no change was explained by
    met: list[tuple[int, origins.Place]] = field(default_factory=list)  # those of `own` that `events` meet
    documents: list[DocumentRow] = field(default_factory=list)
    renewed: list[DocumentRow] = field(default_factory=list)  # documents whose number and openness stay
    numbers: list[str] = field(default_factory=list)  # the bill numbers of `events`
    events: list[EventRow] = field(default_factory=list)
    told: list[Notification] = field(default_factory=list)
    odd: Odd = field(default_factory=Odd)
    damaged: list[str] = field(default_factory=list)  # numbers of documents whose snapshot could not be read
    noticed_at: str = field(init=False)

    def __post_init__(self) -> None:
        self.noticed_at = moments.text(self.now)

    def baseline(self, ids: Sequence[str], rows: Sequence[Row]) -> None:
        """Add documents that nobody has seen before and nobody is told of: there is nothing to compare."""
        watch, layout, close = self.watch, self.watch.layout, self.seal.close
        form_id, layout_id = watch.form_id, watch.layout_id
        status = layout.status_place if watch.open_where else None
        for doc_id, row in zip(ids, rows, strict=True):
            is_open = int(status is not None and row[status] != APPROVED)
            number = number_of(row, layout, doc_id)
            self.documents.append((form_id, doc_id, number, is_open, 0, 1, layout_id, close(row)))

    def edited(self, doc_id: str, row: Row, old: Snapshot) -> bool:
        """Renew a document in which nothing that can be an event has changed; False where something has.

        What most changed documents come to, so it is short cut: number, status and place in the open set stay.
        """
        watch, layout = self.watch, self.watch.layout
        if old.layout is not layout or old.is_gone or layout.telling(old.row) != layout.telling(row):
            return False
        if old.row != row:
            if rewound(old.row, layout, row, layout, self.horizon):
                self.odd.rewound.append(old.number)
            is_open = int(old.is_open)
            blob = self.seal.close(row)
            self.renewed.append((watch.form_id, doc_id, old.number, is_open, 0, old.version, watch.layout_id, blob))
        return True

    def judge(self, number: str, row: Row, old: Snapshot | None, change: Change | None) -> None:
        """Take down what is odd about a document that was compared."""
        layout = self.watch.layout
        if change is not None and change.strange == REPLACED:
            self.odd.replaced.append(number)
        elif old is not None and rewound(old.row, old.layout, row, layout, self.horizon):
            self.odd.rewound.append(number)
        if (old is None or old.is_gone or old.number != number) and layout.number_place is not None:
            self.odd.named.append(number)

    def explained(self, doc_id: str, number: str, change: Change) -> Change:
        """The change, with what of it kdsync did itself."""
        mine = [one for one in self.own if one.is_about(doc_id, number)]
        if not mine:
            return change
        found = explain(change, mine)
        self.met += ((ident, (self.watch.form_id, doc_id, change.version)) for ident in sorted(found.met))
        return change._replace(ours=found.ours)

    def note(self, doc_id: str, number: str, change: Change) -> None:
        """Add the event of a change."""
        old, watch = change.old, self.watch
        self.numbers.append(number)
        self.events.append(
            (
                watch.form_id,
                doc_id,
                change.version,
                " ".join(change.kinds),
                " ".join(sorted(change.changed)),
                old.stored if old else None,
                _layout_id(watch, old) if old else None,
                self.noticed_at,
                self.found_by,
                text_of(change.ours),
            )
        )


@dataclass(frozen=True, slots=True)
class Ingest:
    """Takes pages of one account set. What rules tell is gathered until `settle` decides on it."""

    db: Database
    seal: Seal
    clock: Clock
    settle: Settle

    def take(
        self,
        watch: Watch,
        rows: Sequence[Row],
        matcher: Matcher | None,
        *,
        found_by: str,
        is_open: bool | None = None,
        cursor: Mapping[str, str | None] | None = None,
        fresh: bool = False,
        last: bool = False,
        horizon: str = "",
    ) -> Step:
        """Commit a page. Without a matcher it is a first look: documents never seen before are stored in silence.

        `is_open` says whether the documents belong to the open set where the caller knows; `cursor` holds columns of
        the form's cursor to set in the same transaction; `fresh` means that none of the documents can be known;
        `last` that nothing more of the look is to come, so that what it gathered is settled along with the page.
        What was modified before the `horizon` may be older than it was (`sync.strange.rewound`).
        """
        ids = [str(row[0]) for row in rows]
        with self.db.read() as tx:
            known = {} if fresh else watch.snapshots.get(tx, ids)
            own = () if fresh else origins.unmet(tx, self.seal, watch.form)
        step = Step(watch, self.seal, self.clock.now(), found_by, horizon, own)
        if matcher is None and not known:
            step.baseline(ids, rows)
        else:
            self._compare(step, ids, rows, known, matcher, is_open)
        self._commit(step, cursor or {}, matcher if last else None)
        if matcher and self.settle.is_overdue(watch.form):
            self.settle.look(watch.form, matcher, watch.facts.title)
        return step

    def remove(
        self,
        watch: Watch,
        ids: Sequence[str],
        matcher: Matcher | None,
        *,
        found_by: str,
        odd: Odd | None = None,
        cursor: Mapping[str, str | None] | None = None,
    ) -> Step:
        """Commit that these documents are gone; without a matcher no deletion is told, only what is `odd` about it."""
        with self.db.read() as tx:
            known = watch.snapshots.get(tx, ids)
        step = Step(watch, self.seal, self.clock.now(), found_by, odd=odd or Odd())
        for doc_id, snapshot in known.items():
            if not snapshot.is_gone:
                change = gone(snapshot)
                number, layout_id, row = snapshot.number, _layout_id(watch, snapshot), snapshot.stored
                step.documents.append((watch.form_id, doc_id, number, 0, 1, change.version, layout_id, row))
                step.note(doc_id, number, change)
                step.told.extend(matcher.notifications(watch, doc_id, change, step.now) if matcher else ())
        self._commit(step, cursor or {})
        return step

    def _compare(
        self,
        step: Step,
        ids: Sequence[str],
        rows: Sequence[Row],
        known: Mapping[str, Snapshot],
        matcher: Matcher | None,
        is_open: bool | None,
    ) -> None:
        # Where approved documents may be open, only `_one` knows what an edit means for that.
        usual = is_open is None and not step.watch.facts.open
        for doc_id, row in zip(ids, rows, strict=True):
            old = known.get(doc_id)
            if usual and old is not None and step.edited(doc_id, row, old):
                continue
            change = self._one(step, doc_id, row, old, is_open, first=matcher is None)
            if change and matcher:
                step.told.extend(matcher.notifications(step.watch, doc_id, change, step.now))

    def _one(
        self, step: Step, doc_id: str, row: Row, old: Snapshot | None, is_open: bool | None, *, first: bool
    ) -> Change | None:
        """Add one document to the step; its change, unless it is seen for the first time by a first look."""
        watch = step.watch
        layout = watch.layout
        change = None if old is None and first else compare(old, row, layout, step.horizon)
        opened = _is_open(watch, row, old, first=first) if is_open is None else is_open or is_undecided(watch, row)
        if change is None and old is not None and _is_stored(old, row, layout, opened):
            return None
        number, blob = number_of(row, layout, doc_id), self.seal.close(row)
        change = step.explained(doc_id, number, change) if change else None
        if not first:
            step.judge(number, row, old, change)
        if old is not None and old.layout is UNREADABLE:
            step.damaged.append(number)
        version = change.version if change else old.version if old else 1
        stays = old is not None and old.is_open == opened and old.number == number and not old.is_gone
        rows = step.renewed if stays else step.documents
        rows.append((watch.form_id, doc_id, number, int(opened), 0, version, watch.layout_id, blob))
        if change:
            step.note(doc_id, number, change)
        return change

    def _commit(self, step: Step, cursor: Mapping[str, str | None], settles: Matcher | None = None) -> None:
        watch, verdict = step.watch, None
        if not (step.documents or step.renewed or step.events or step.told or cursor):
            return
        if step.told:
            self.settle.expect(watch.form)
        with self.db.write() as tx:
            watch.snapshots.put(tx, step.documents)
            watch.snapshots.renew(tx, step.renewed)
            forms.note_layout(tx, watch.form_id, watch.layout_id)
            put_events(tx, step.events)
            notifications.add(tx, self.seal, step.told)
            for ident, place in step.met:
                origins.meet(tx, ident, place)
            step.odd.tell(tx, self.settle.notices, watch.form, watch.form_id)
            if cursor:
                forms.save(tx, watch.form_id, **cursor)
            if settles and step.told:
                verdict = self.settle.within(tx, watch.form, settles, watch.facts.title)
        _log(step)
        for one in step.told:
            if one.state == origins.OWN:
                self.settle.meter.count("own_changes", labels={"form": watch.form, "rule": one.rule})
        if verdict:
            self.settle.settled(watch.form, verdict)


def _log(step: Step) -> None:
    events, form = step.events, step.watch.form
    for (_, _, version, kinds, *_), number in zip(events, step.numbers, strict=True) if len(events) <= FEW else ():
        log.info("change.noticed", form=form, bill_no=number, kinds=kinds, version=version, by=step.found_by)
    if len(events) > FEW:
        kinds_of = Counter(kind for event in events for kind in event[3].split())
        log.info("changes.noticed", form=form, documents=len(events), kinds=dict(kinds_of), by=step.found_by)


def _is_stored(old: Snapshot, row: Row, layout: Layout, is_open: bool) -> bool:
    return old.is_open == is_open and not old.is_gone and old.layout is layout and old.row == row


def _is_open(watch: Watch, row: Row, old: Snapshot | None, *, first: bool) -> bool:
    """Whether a document counts as open until the next open look says otherwise.

    Nobody but Kingdee can tell whether an approved document matches the form's `open` filter. A new or moved one is
    taken to be open, so that the open look reads it once more; on a first look that would be all of them.
    """
    if not watch.open_where:
        return False
    place = watch.layout.status_place
    if place is None or row[place] != APPROVED:
        return True
    return bool(watch.facts.open) and not first and (old is None or old.row != row or old.is_open or old.is_gone)


def is_undecided(watch: Watch, row: Row) -> bool:
    """Whether a document is open whatever the form's own filter says: a look at the open ones shows it.

    One with a status that is none of Kingdee's is not shown, and would be read once more at every look.
    """
    place = watch.layout.status_place
    return place is not None and row[place] in UNDECIDED


def _layout_id(watch: Watch, snapshot: Snapshot) -> int:
    if snapshot.layout is watch.layout:
        return watch.layout_id
    numbers = (number for number, layout in watch.snapshots.layouts.items() if layout is snapshot.layout)
    return next(numbers, watch.layout_id)  # the latter where the snapshot could not be read
