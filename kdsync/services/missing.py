"""Documents that no page of a look at everything showed: deleted, lost by a restored backup, or hidden from kdsync."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from kdsync.model import Layout, Row
from kdsync.services import oddities
from kdsync.services.ingest import Ingest
from kdsync.services.match import Matcher
from kdsync.services.notices import Notices
from kdsync.services.oddities import AFTER_A_RESTORE, NAMED, Lost, Odd
from kdsync.services.report import NAMELESS, Report
from kdsync.services.watch import Watch
from kdsync.store import forms, ledger
from kdsync.store.database import Database
from kdsync.store.forms import FormCursor
from kdsync.store.seen import Seen
from kdsync.sync.diff import Snapshot
from kdsync.sync.gates import MANY, suspicious
from kdsync.sync.strange import Visible, date

TOGETHER = 1_000  # documents that go in one transaction
RESTORE = "restore"  # what found that a document is gone, in place of the look


@dataclass(slots=True)
class Census:
    """What a look at everything saw; `newest` is the newest date of it where the look knows.

    `known` tells how many documents there were to be seen, and `vanished` which of them were not.
    """

    seen: Seen = field(default_factory=Seen)
    visible: Visible = field(default_factory=Visible)
    newest: str = ""
    known: int = 0
    vanished: list[str] = field(default_factory=list)

    def add(self, rows: list[Row], layout: Layout) -> None:
        """Take in one page."""
        self.seen.add(str(row[0]) for row in rows)
        self.visible.add(rows, layout)

    def close(self, db: Database, watch: Watch) -> None:
        """No page is to come. What another look finds from now on was not there to be seen."""
        with db.read() as tx:
            self.known = watch.snapshots.count(tx)
            self.vanished = self.seen.missing(watch.snapshots.known_ids(tx))


@dataclass(frozen=True, slots=True)
class Missing:
    """Decides what became of missing documents, and commits it."""

    db: Database
    ingest: Ingest
    notices: Notices

    def judge(
        self,
        watch: Watch,
        cursor: FormCursor,
        census: Census,
        matcher: Matcher,
        report: Report,
        reread: Callable[[list[str]], Collection[str]],
    ) -> None:
        """`reread` asks once more for documents by id and tells which were there: a page may have been cut."""
        known, vanished = census.known, census.vanished
        with self.db.read() as tx:
            accepted = ledger.is_accepted(tx, watch.form, self.ingest.clock.now())
        there = {*reread(vanished)} if accepted or len(vanished) <= MANY else set[str]()
        if NAMELESS in report.unreadable:  # a row that was left out may be any of these
            report.alarm = cursor.alarm or ""
            return
        report.short = report.short or not there <= {*report.unreadable}
        there |= {*report.unreadable}
        missing = [doc_id for doc_id in vanished if doc_id not in there]
        lost = [] if accepted else self._lost(watch, missing, known, census.visible)
        rest = [doc_id for doc_id in missing if doc_id not in set(lost)] if lost else missing
        report.alarm = "" if accepted else suspicious(known - len(lost), len(rest))
        self._save_alarm(watch, cursor, report.alarm)
        self._take_lost(watch, lost, census.newest, cursor, report)
        if not report.alarm:
            for some in _batches(rest):
                report.add(self.ingest.remove(watch, some, matcher, found_by=report.look), 0)
            self._over(watch, accepted=accepted)

    def _lost(self, watch: Watch, missing: list[str], known: int, visible: Visible) -> list[str]:
        """Those that a restored backup took: the newest there were, so many that nobody deletes, or seen with others
        that are older than they were."""
        if not missing:
            return []
        with self.db.read() as tx:
            restored = oddities.is_restored(tx, self.notices, watch.form)
        if not restored and not suspicious(known, len(missing)):
            return []
        tail = [doc_id for some in _batches(missing) for doc_id in self._newest(watch, some, visible)]
        return tail if restored or len(tail) == len(missing) else []

    def _newest(self, watch: Watch, ids: list[str], visible: Visible) -> list[str]:
        if visible.by_number:
            return [doc_id for doc_id in ids if visible.is_older_than(doc_id, "")]
        born = {doc_id: _born(snapshot) for doc_id, snapshot in self._snapshots(watch, ids).items()}
        return [doc_id for doc_id in ids if visible.is_older_than(doc_id, born.get(doc_id, ""))]

    def _take_lost(self, watch: Watch, lost: list[str], newest: str, cursor: FormCursor, report: Report) -> None:
        """The cursor goes back to what is visible, in the transaction that tells of the restore."""
        back = {"newest": newest} if newest and newest < cursor.newest else {}
        lost = sorted(lost, key=lambda doc_id: (len(doc_id), doc_id))
        for start, some in zip(range(0, len(lost), TOGETHER), _batches(lost), strict=False):
            odd = Odd() if start else Odd(lost=self._summary(watch, some, len(lost)))
            report.add(self.ingest.remove(watch, some, None, found_by=RESTORE, odd=odd, cursor=back), 0)

    def _summary(self, watch: Watch, first: list[str], count: int) -> Lost:
        found = self._snapshots(watch, first)
        births = [born for snapshot in found.values() if (born := _born(snapshot))]
        return Lost(count, min(births, default=""), tuple(found[i].number for i in first[: NAMED + 1] if i in found))

    def _snapshots(self, watch: Watch, ids: list[str]) -> dict[str, Snapshot]:
        with self.db.read() as tx:
            return watch.snapshots.get(tx, ids)

    def _save_alarm(self, watch: Watch, cursor: FormCursor, alarm: str) -> None:
        if alarm != (cursor.alarm or ""):
            with self.db.write() as tx:
                forms.save(tx, watch.form_id, alarm=alarm or None)

    def _over(self, watch: Watch, *, accepted: bool) -> None:
        """Everything is accounted for: what comes now is another restore, and needs another word of the operator."""
        with self.db.read() as tx:
            rewound = oddities.rewound_so_far(tx, watch.form)
        if rewound or accepted:
            with self.db.write() as tx:
                ledger.forget_fact(tx, oddities.REWOUND + watch.form)
                ledger.forget_fact(tx, ledger.ACCEPTED + watch.form)
        self.notices.forget(*(f"{kind} {watch.form}" for kind in AFTER_A_RESTORE))


def _born(snapshot: Snapshot) -> str:
    return date(snapshot.row, snapshot.layout, snapshot.layout.facts.created)


def _batches(ids: list[str]) -> Iterable[list[str]]:
    return (ids[start : start + TOGETHER] for start in range(0, len(ids), TOGETHER))
