"""The looks at a form, each catching what the one before cannot: by dates, at the open documents, at all keys.

A look pages through Kingdee and hands each page to `Ingest`; the network is never inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from kdsync import logs
from kdsync.clock import Clock
from kdsync.errors import EdgeError
from kdsync.model import Layout, Page, Row
from kdsync.services.ingest import Ingest, is_undecided
from kdsync.services.match import Matcher, number_of
from kdsync.services.missing import Census, Missing
from kdsync.services.ports import Source
from kdsync.services.report import NAMELESS, Report
from kdsync.services.watch import Watch
from kdsync.services.whole_look import whole_look
from kdsync.store import forms, moments
from kdsync.store.database import Database
from kdsync.store.forms import FormCursor
from kdsync.sync import cursor as cursors
from kdsync.sync.diff import Snapshot, agree, differs

log = logs.get("looks")
TOGETHER = 4_000  # documents of a first look in one transaction
AT_ONCE = 200  # documents that left the open set and are read once more; if none of so many is there, all may be gone


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
        pages = self.source.pages(watch.layout, "", after=after, ahead=True, sure=_always)
        for rows, server_now in _gathered(report.watched(pages)):
            began = began or self._local(server_now)
            newest = self._newest(watch.layout, rows, cursor.newest, began, (report, server_now))
            resume = {"resume_after": str(rows[-1][0])} if rows else {}
            values = {"first_look_from": began, "newest": newest, **resume}
            step = self.ingest.take(watch, rows, None, found_by="first", cursor=values, fresh=fresh)
            report.add(step, len(rows))
            cursor = replace(cursor, newest=newest)
            self.progress(watch.form, report.documents)
        self._finish_first(watch, cursor, began)
        return report

    def _finish_first(self, watch: Watch, cursor: FormCursor, began: str) -> None:
        now = moments.text(self.clock.now())
        self._save(watch, baselined_at=now, newest=cursor.newest or began, resume_after=None, first_look_from=None)

    def full(self, watch: Watch, cursor: FormCursor, matcher: Matcher) -> Report:
        """Everything, compared: for forms without dates, and after rules began to use other fields."""
        report, census = Report("full"), Census()
        with whole_look(self.db, watch.form, self.clock):
            self._compare(watch, cursor, "", matcher, report, census)
        if cursor.layout_id != watch.layout_id:
            self._save(watch, layout_id=watch.layout_id)
        census.close(self.db, watch)
        self._judge(watch, cursor, census, matcher, report)
        return report

    def by_dates(self, watch: Watch, cursor: FormCursor, matcher: Matcher) -> Report:
        """The documents that one of their dates says have changed."""
        report = Report("dates")
        where = cursors.date_filter(watch.facts.dates, cursor.newest, self.lookback())
        self._compare(watch, cursor, where, matcher, report)
        return report

    def _compare(
        self,
        watch: Watch,
        cursor: FormCursor,
        where: str,
        matcher: Matcher,
        report: Report,
        census: Census | None = None,
    ) -> None:
        """Take every page that matches. The cursor moves with the last: pages come in order of key, not of date.

        What a page that was cut short does not show is found by the next looks as long as it stays within their reach:
        only a look at everything and one that moves the cursor further than that makes sure of its end.
        """
        began, newest, lookback = "", cursor.newest, self.lookback()
        horizon = cursors.horizon(cursor.newest, lookback)

        def leaps(rows: Sequence[Row], server_now: datetime) -> bool:
            reached = self._newest(watch.layout, rows, newest, began or self._local(server_now))
            return cursors.leaps(cursor.newest, reached, lookback)

        pages = self.source.pages(watch.layout, where, sure=leaps if census is None else _always)
        for page in report.watched(pages):
            began = began or self._local(page.server_now)
            newest = self._newest(watch.layout, page.rows, newest, began, (report, page.server_now))
            moved = {"newest": newest} if page.last and newest != cursor.newest else None
            if page.rows or moved:
                last = page.last and census is None
                step = self.ingest.take(
                    watch, page.rows, matcher, found_by=report.look, cursor=moved, last=last, horizon=horizon
                )
                report.add(step, len(page.rows))
            if census is not None:
                census.add(page.rows, watch.layout)

    def open(self, watch: Watch, matcher: Matcher) -> Report:
        """The open documents, by status and watched fields; what differs or left the set is read once more."""
        with whole_look(self.db, watch.form, self.clock, seen := set[str]()):
            return self._open(watch, matcher, seen)

    def _open(self, watch: Watch, matcher: Matcher, seen: set[str]) -> Report:
        report, again = Report("open"), list[str]()
        with self.db.read() as tx:
            open_before = watch.snapshots.open_ids(tx)
        for page in report.watched(self.source.pages(watch.light, watch.open_where)):
            report.documents += len(page.rows)
            known = self._known(watch, page)
            ids = [str(row[0]) for row in page.rows]
            seen.update(ids)
            moved = [i for i, row in zip(ids, page.rows, strict=True) if differs(known.get(i), row, watch.light)]
            again.extend(moved)
            entered = {i for i in ids if i not in open_before} - set(moved)
            self._mark(watch, entered, is_open=True)
            report.returned = report.returned or bool(entered)
        left = sorted(open_before - seen)
        self._reread(watch, again, matcher, report, is_open=True, ends=not left)
        self._left(watch, left, matcher, report)
        seen.update(left)
        return report

    def _left(self, watch: Watch, left: list[str], matcher: Matcher, report: Report) -> None:
        """Documents that were open and are not among the open ones any more: read once more.

        One that is not there leaves the open set, and whether it is deleted is left to a look at all keys. One that is
        open all the same was missing from a page.
        """
        for start in range(0, len(left), AT_ONCE):
            some, ends = left[start : start + AT_ONCE], start + AT_ONCE >= len(left)
            found = self._reread(watch, some, matcher, report, is_open=False, ends=ends)
            report.short = report.short or any(is_undecided(watch, row) for row in found.values())
            self._mark(watch, {doc_id for doc_id in some if doc_id not in found}, is_open=False)
            report.vanished = report.vanished or len(found) < len(some)
            if not found and not ends:
                return  # the rest has its turn at the next sweeps: a form that shows nothing is not to be hammered

    def by_keys(
        self, watch: Watch, cursor: FormCursor, matcher: Matcher, looks: Callable[[], Collection[str]], report: Report
    ) -> None:
        """All keys: finds deletions and whatever the other looks missed. `report` tells also where it is cut off.

        A document that differs may merely be newer than the last look, so `looks` (the other looks) run first; only
        what differs even then, and is still what it was, was missed. They return what they could not read in passing.
        """
        census, suspects, began = Census(), dict[str, Row](), ""
        with whole_look(self.db, watch.form, self.clock):
            for page in report.watched(self.source.pages(watch.keys, "", sure=_always)):
                began = began or self._local(page.server_now)
                census.newest = self._newest(watch.keys, page.rows, census.newest, began)
                report.documents += len(page.rows)
                suspects |= self._differing(watch, {str(row[0]): row for row in page.rows})
                census.add(page.rows, watch.keys)
            census.close(self.db, watch)
            if suspects:
                odd = {*looks()}
                found = self._differing(watch, suspects)
                missed = {} if NAMELESS in odd else {i: row for i, row in found.items() if i not in odd}
                self._reread(watch, found, matcher, report, is_open=None, missed=missed)
        self._judge(watch, cursor, census, matcher, report)

    def _differing(self, watch: Watch, rows: Mapping[str, Row]) -> dict[str, Row]:
        """Those rows of the key look that are not what is known of their documents."""
        with self.db.read() as tx:
            known = watch.snapshots.get(tx, list(rows))
        return {doc_id: row for doc_id, row in rows.items() if differs(known.get(doc_id), row, watch.keys)}

    def _reread(
        self,
        watch: Watch,
        ids: Iterable[str],
        matcher: Matcher,
        report: Report,
        *,
        is_open: bool | None,
        ends: bool = False,
        missed: Mapping[str, Row] = MappingProxyType({}),
    ) -> dict[str, Row]:
        """Read documents in full and take them; returns those that were there. `ends`: nothing more is to come.

        `missed` are rows of the key look: what happened to documents that are still the same was missed so far.
        """
        found: dict[str, Row] = {}
        wanted = list(dict.fromkeys(ids))
        horizon = cursors.horizon(self._cursor(watch).newest, self.lookback()) if wanted else ""
        for page in report.watched(self.source.by_ids(watch.layout, wanted)) if wanted else ():
            last = ends and page.last
            step = self.ingest.take(
                watch, page.rows, matcher, found_by=report.look, is_open=is_open, last=last, horizon=horizon
            )
            report.add(step, 0)
            rows = {str(row[0]): row for row in page.rows}
            same = {i for i in missed if i in rows and agree(rows[i], watch.layout, missed[i], watch.keys)}
            report.missed += sum(doc_id in same for _form, doc_id, *_ in step.events)
            found |= rows
        return found

    def _judge(self, watch: Watch, cursor: FormCursor, census: Census, matcher: Matcher, report: Report) -> None:
        def reread(ids: list[str]) -> dict[str, Row]:
            return self._reread(watch, ids, matcher, report, is_open=None)

        Missing(self.db, self.ingest, self.ingest.settle.notices).judge(watch, cursor, census, matcher, report, reread)

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

    def _newest(
        self,
        layout: Layout,
        rows: Sequence[Row],
        newest: str,
        ceiling: str,
        told: tuple[Report, datetime] | None = None,
    ) -> str:
        """The newest date so far; what lay in the future when the page was given is reported where that time is known.

        A look may take hours, and may go on where another was cut off: when it began says nothing about the future.
        """
        places = [layout.places[key] for key in layout.facts.dates if key in layout.places]
        dates = [cursors.newest([row[place] for row in rows]) for place in places]
        seen = max(dates, default="")
        if told is not None and seen > (ahead := cursors.ahead(self._local(told[1]), self.lookback())):
            late = [row for row in rows if cursors.newest([row[place] for place in places]) > ahead]
            told[0].future += [number_of(row, layout, str(row[0])) for row in late]
        return cursors.advance(newest, seen, ceiling)


def _always(_rows: Sequence[Row], _server_now: datetime) -> bool:
    return True


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


def _key(stored: str | None) -> str | int | None:
    return int(stored) if stored and stored.isascii() and stored.isdigit() else stored
