"""The looks at a form, each catching what the one before cannot: by dates, at the open documents, at all keys.

A look pages through Kingdee and hands each page to `Ingest`; the network is never inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from kdsync import logs
from kdsync.clock import Clock
from kdsync.errors import EdgeError
from kdsync.model import Layout, Page, Row
from kdsync.services.ingest import Ingest, Step
from kdsync.services.match import Matcher
from kdsync.services.ports import Source
from kdsync.services.watch import Watch
from kdsync.store import forms, moments
from kdsync.store.database import Database
from kdsync.store.forms import FormCursor
from kdsync.store.seen import Seen
from kdsync.sync import cursor as cursors
from kdsync.sync.diff import UNREADABLE, Snapshot, changed_keys, differing_heads
from kdsync.sync.gates import suspicious

log = logs.get("looks")
TOGETHER = 4_000  # documents of a first look in one transaction
ASK_AGAIN = 2_000  # more than that at once is no deletion, and asking for each would only load the server


@dataclass(slots=True)
class Report:
    """What one look did."""

    look: str
    documents: int = 0
    events: int = 0
    told: int = 0
    missed: int = 0
    vanished: bool = False  # documents were gone: time for a key look
    alarm: str = ""
    damaged: list[str] = field(default_factory=list)  # numbers of documents whose snapshot could not be read

    def add(self, step: Step, documents: int) -> None:
        """Count one page."""
        self.documents += documents
        self.events += len(step.events)
        self.told += len(step.told)
        self.damaged += step.damaged


@dataclass(frozen=True, slots=True)
class Looks:
    """Looks at the forms of one account set. `progress` hears of first looks: form, documents so far."""

    db: Database
    source: Source
    ingest: Ingest
    clock: Clock
    zone: ZoneInfo
    lookback: Callable[[], float]  # seconds
    progress: Callable[[str, int], None] = field(default=lambda _form, _documents: None)

    def first(self, watch: Watch, cursor: FormCursor) -> Report:
        """Everything, in silence; goes on where an earlier first look was cut off."""
        report, began = Report("first"), cursor.first_look_from or ""
        with self.db.read() as tx:
            fresh = watch.snapshots.is_empty(tx)
        after = _key(cursor.resume_after)
        for rows, server_now in _gathered(self.source.pages(watch.layout, "", after=after, ahead=True)):
            began = began or self._local(server_now)
            newest = self._newest(watch, rows, cursor.newest, began)
            resume = {"resume_after": str(rows[-1][0])} if rows else {}
            values = {"first_look_from": began, "newest": newest, **resume}
            step = self.ingest.take(watch, rows, None, found_by="first", cursor=values, fresh=fresh)
            report.add(step, len(rows))
            cursor = replace(cursor, newest=newest)
            self.progress(watch.form, report.documents)
        self._finish_first(watch, cursor, began)
        return report

    def _finish_first(self, watch: Watch, cursor: FormCursor, began: str) -> None:
        self._save(
            watch,
            baselined_at=moments.text(self.clock.now()),
            layout_id=watch.layout_id,
            newest=cursor.newest or began,
            resume_after=None,
            first_look_from=None,
        )

    def full(self, watch: Watch, cursor: FormCursor, matcher: Matcher) -> Report:
        """Everything, compared: for forms without dates, and after rules began to use other fields."""
        report, seen = Report("full"), Seen()
        self._compare(watch, cursor, "", matcher, report, seen)
        if cursor.layout_id != watch.layout_id:
            self._save(watch, layout_id=watch.layout_id)
        self._deletions(watch, cursor, seen, matcher, report)
        return report

    def by_dates(self, watch: Watch, cursor: FormCursor, matcher: Matcher) -> Report:
        """The documents that one of their dates says have changed."""
        report = Report("dates")
        where = cursors.date_filter(watch.facts.dates, cursor.newest, self.lookback())
        self._compare(watch, cursor, where, matcher, report)
        return report

    def _compare(
        self, watch: Watch, cursor: FormCursor, where: str, matcher: Matcher, report: Report, seen: Seen | None = None
    ) -> None:
        """Take every page that matches. The cursor moves with the last: pages come in order of key, not of date."""
        began, newest = "", cursor.newest
        for page in self.source.pages(watch.layout, where):
            began = began or self._local(page.server_now)
            newest = self._newest(watch, page.rows, newest, began)
            moved = {"newest": newest} if page.last and newest != cursor.newest else None
            if page.rows or moved:
                last = page.last and seen is None
                step = self.ingest.take(watch, page.rows, matcher, found_by=report.look, cursor=moved, last=last)
                report.add(step, len(page.rows))
            if seen is not None:
                seen.add(str(row[0]) for row in page.rows)

    def open(self, watch: Watch, matcher: Matcher) -> Report:
        """The open documents, by status and watched fields; what differs or left the set is read once more."""
        report, seen, again = Report("open"), set[str](), list[str]()
        with self.db.read() as tx:
            open_before = watch.snapshots.open_ids(tx)
        for page in self.source.pages(watch.light, watch.open_where):
            report.documents += len(page.rows)
            known = self._known(watch, page)
            ids = [str(row[0]) for row in page.rows]
            seen.update(ids)
            moved = [i for i, row in zip(ids, page.rows, strict=True) if _differs(known.get(i), row, watch.light)]
            again.extend(moved)
            entered = {i for i in ids if i not in open_before} - set(moved)
            self._mark(watch, entered, is_open=True)
        left = sorted(open_before - seen)
        self._reread(watch, again, matcher, report, is_open=True, ends=not left)
        found = self._reread(watch, left, matcher, report, is_open=False, ends=True)
        report.vanished = len(found) < len(left)
        return report

    def by_keys(self, watch: Watch, cursor: FormCursor, matcher: Matcher, looks: Callable[[], object]) -> Report:
        """All keys: finds deletions and whatever the other looks missed.

        A document that differs may merely be newer than the last look, so `looks` (the other looks) run first; only
        what differs even then was missed.
        """
        report, seen, suspects = Report("keys"), Seen(), list[str]()
        for page in self.source.pages(watch.keys, ""):
            known = self._known(watch, page)
            report.documents += len(page.rows)
            suspects.extend(str(row[0]) for row in page.rows if _differs(known.get(str(row[0])), row, watch.keys))
            seen.add(str(row[0]) for row in page.rows)
        if suspects:
            looks()
            before = report.events
            self._reread(watch, suspects, matcher, report, is_open=None)
            report.missed = report.events - before
        self._deletions(watch, cursor, seen, matcher, report)
        return report

    def _reread(
        self,
        watch: Watch,
        ids: Iterable[str],
        matcher: Matcher,
        report: Report,
        *,
        is_open: bool | None,
        ends: bool = False,
    ) -> set[str]:
        """Read documents in full and take them; returns the ids that were there. `ends`: nothing more is to come."""
        found: set[str] = set()
        wanted = list(dict.fromkeys(ids))
        for page in self.source.by_ids(watch.layout, wanted) if wanted else ():
            last = ends and page.last
            step = self.ingest.take(watch, page.rows, matcher, found_by=report.look, is_open=is_open, last=last)
            report.add(step, 0)
            found.update(str(row[0]) for row in page.rows)
        return found

    def _deletions(self, watch: Watch, cursor: FormCursor, seen: Seen, matcher: Matcher, report: Report) -> None:
        """Documents that no page showed: asked for once more by id, then through the gate."""
        with self.db.read() as tx:
            known = watch.snapshots.count(tx)
            vanished = seen.missing(watch.snapshots.known_ids(tx))
        there = self._reread(watch, vanished, matcher, report, is_open=None) if len(vanished) <= ASK_AGAIN else set()
        missing = [doc_id for doc_id in vanished if doc_id not in there]
        report.alarm = suspicious(known, len(missing))
        if report.alarm != (cursor.alarm or ""):
            self._save(watch, alarm=report.alarm or None)
        if missing and not report.alarm:
            report.add(self.ingest.remove(watch, missing, matcher, found_by=report.look), 0)

    def _save(self, watch: Watch, **values: str | int | None) -> None:
        with self.db.write() as tx:
            forms.save(tx, watch.form_id, **values)

    def _known(self, watch: Watch, page: Page) -> dict[str, Snapshot]:
        with self.db.read() as tx:
            return watch.snapshots.get(tx, [str(row[0]) for row in page.rows])

    def _mark(self, watch: Watch, ids: set[str], *, is_open: bool) -> None:
        if ids:
            with self.db.write() as tx:
                watch.snapshots.set_open(tx, sorted(ids), is_open=is_open)

    def _cursor(self, watch: Watch) -> FormCursor:
        with self.db.read() as tx:
            return forms.by_id(tx, watch.form_id)

    def _local(self, moment: datetime) -> str:
        return cursors.server_local(moment, self.zone)

    def _newest(self, watch: Watch, rows: list[list[object]], newest: str, ceiling: str) -> str:
        places = [watch.layout.places[key] for key in watch.facts.dates if key in watch.layout.places]
        seen = max((cursors.newest([row[place] for row in rows]) for place in places), default="")
        return cursors.advance(newest, seen, ceiling)


def _gathered(pages: Iterable[Page]) -> Iterator[tuple[list[Row], datetime]]:
    """The rows of several pages, and Kingdee's clock at the first of them; what came before a failure is kept.

    Waiting for the disk after every page would take longer than reading it.
    """
    rows: list[Row] = []
    server_now: datetime | None = None
    try:
        for page in pages:
            rows += page.rows
            server_now = server_now or page.server_now
            if page.last or len(rows) >= TOGETHER:
                yield rows, server_now
                rows, server_now = [], None
    except EdgeError:
        if rows and server_now:
            yield rows, server_now
        raise


def _differs(old: Snapshot | None, row: list[object], layout: Layout) -> bool:
    """Whether a light row differs from the snapshot in content; True for a document never seen or deleted."""
    if old is None or old.is_gone or old.layout is UNREADABLE:
        return True
    return bool(differing_heads(old, row, layout) or changed_keys(old, row, layout))


def _key(stored: str | None) -> str | int | None:
    return int(stored) if stored and stored.isascii() and stored.isdigit() else stored
