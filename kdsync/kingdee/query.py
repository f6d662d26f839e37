"""Reads documents page by page, in the order of their primary key.

Rows move while one reads, so a page starts after the last key of the one before and never at a row number. A query
with entry fields answers one row for each entry row, the head repeated; here they are one document again.

No total is ever told, so a page may end early and nobody would know. A page of `CAP` rows or more is never taken for
the last, which finds servers that cap pages and costs a request only where there is much to read. A smaller one is
taken for the last unless the caller must be `sure`, or rows of entries were asked for, whose document would be torn:
then one more request, behind the last key, has to come back empty. An answer without rows always is the end, so that
an idle form costs one request.
Source: in-product WebAPI help on ExecuteBillQuery (Limit at most 10000; no total is ever told).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter, ne
from typing import Any

from kdsync import exact, logs
from kdsync.errors import EdgeError
from kdsync.kingdee.ahead import fetched_ahead
from kdsync.kingdee.answer import unexpected
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.rows import checked
from kdsync.kingdee.transport import Reply
from kdsync.model import Layout, Page, Row

log = logs.get("kingdee")
TOO_LARGE = "too-large"
CAP = 100
"""Some servers silently answer with fewer rows than asked for; a page this long may be such a cut."""
DOUBT = 2.0
"""Seconds that Kingdee's time may be known wrong by."""
READINGS = 3
"""How often a small form is asked for rows that cannot be read: a person left out is a message for somebody else."""
MOST_IDS = 200
"""Ids in one filter."""

Sure = Callable[[Sequence[Row], datetime], bool]
"""Whether the end of the pages must be made sure of: takes the rows that seem to be the last, and the server's time."""

Cursor = tuple[Any, ...]
"""Where a page starts: after this primary key or, with two items, after this entry row of that document."""


@dataclass(frozen=True, slots=True)
class _Answer:
    rows: list[list[Any]]
    server_now: datetime
    last: bool
    short: bool  # the page before was
    unreadable: tuple[str, ...]  # keys of rows that were left out


@dataclass(frozen=True, slots=True)
class _Query:
    """The columns of a query, and where in its rows the parts are; `entry_pk` is "" without entry fields."""

    form: str
    where: str
    limit: int
    keys: tuple[str, ...]
    heads: int  # so many columns belong to the document
    entry_pk: str = ""
    entry_at: int = 0  # column of the entry row's own id
    entries: int = 0  # column where the entry fields begin
    modified: int = 0  # column of the modify date; 0 without

    @classmethod
    def of(cls, layout: Layout, where: str, limit: int) -> _Query:
        heads, entry_pk = len(layout.heads), layout.entry_pk
        modified = layout.places.get(layout.facts.modified, 0)
        if not layout.entries or layout.facts.entry is None:
            return cls(layout.form, where, limit, layout.heads, heads, modified=modified)
        names = [key.casefold() for key in layout.entries]
        if entry_pk.casefold() in names:
            keys, place = layout.heads + layout.entries, heads + names.index(entry_pk.casefold())
            return cls(layout.form, where, limit, keys, heads, entry_pk, place, heads, modified)
        keys = (*layout.heads, entry_pk, *layout.entries)
        return cls(layout.form, where, limit, keys, heads, entry_pk, heads, heads + 1, modified)

    def cursor(self, row: list[Any]) -> Cursor:
        """The place of `row`; a document without entry rows has no entry id."""
        entry = row[self.entry_at] if self.entry_pk else None
        return (row[0], entry) if entry not in (None, 0, "", " ") else (row[0],)

    def data(self, after: Cursor | None) -> Mapping[str, Any]:
        """The body of the query for the page behind `after`."""
        order = ",".join(f"{key} ASC" for key in (self.keys[0], self.entry_pk) if key)
        return _request(self.form, self.keys, self._behind(after), order, self.limit)

    def _behind(self, after: Cursor | None) -> str:
        if after is None:
            return self.where
        pk, first = self.keys[0], literal(after[0])
        place = f"{pk} > {first}"
        if len(after) > 1:
            place = f"({place} or ({pk} = {first} and {self.entry_pk} > {literal(after[1])}))"
        return f"({self.where}) and {place}" if self.where else place


def pages(
    client: KingdeeClient,
    layout: Layout,
    where: str = "",
    *,
    page_size: int = 2000,
    after: Cursor | None = None,
    ahead: bool = False,
    sure: Sure | None = None,
) -> Iterator[Page]:
    """The documents that match `where` (a FilterString), at least one page, the last one marked.

    `after` is the primary key to start behind, as a tuple. With `ahead` the next pages are fetched by another
    thread while this one is worked on. A document is only handed out once all its entry rows have come.
    A row that cannot be read is left out and named; with `ahead` (a first look, which must not miss what would then
    seem new) or entry rows (whose document would be torn) the page fails instead.
    """
    query = _Query.of(layout, where, page_size)
    answers = _answers(client, query, after, sure, strictly=ahead or bool(query.entry_pk))
    documents = _Documents(query)
    short = False
    for answer in fetched_ahead(answers) if ahead else answers:
        rows, short = documents.complete(answer.rows, last=answer.last), short or answer.short
        if rows or answer.last:
            yield Page(rows, answer.server_now, answer.last, short, documents.take_doubled(), answer.unreadable)
            short = False


def by_ids(client: KingdeeClient, layout: Layout, ids: Sequence[str]) -> Iterator[Page]:
    """The documents with these primary keys; those that are gone, or may not be seen, are missing."""
    numeric = all(re.fullmatch(r"-?[0-9]+", item) for item in ids)
    for start in range(0, len(ids), MOST_IDS):
        chunk = ids[start : start + MOST_IDS]
        listed = ",".join(chunk if numeric else map(_quoted, chunk))
        final = start + MOST_IDS >= len(ids)
        for page in pages(client, layout, f"{layout.heads[0]} in ({listed})", sure=_some_missing(len(chunk))):
            yield page if final or not page.last else replace(page, last=False)


def _some_missing(wanted: int) -> Sure:
    """Whoever is not among these is taken to be gone, so that a page that was cut short would delete."""
    return lambda rows, _now: len({row[0] for row in rows}) < wanted


def select(
    client: KingdeeClient, form: str, keys: Sequence[str], where: str, limit: int = 2000, *, strictly: bool = False
) -> list[dict[str, Any]]:
    """Up to `limit` rows of a small form, by key, in no order; without those that stay unreadable when asked again:
    with `strictly` these are an EdgeError, for of two people, or files, one is not the only one."""
    data = {"data": _request(form, keys, where, "", limit)}
    for left in reversed(range(READINGS)):
        read = client.call("ExecuteBillQuery", data, read=True)
        rows, unreadable = checked(read, len(keys), strictly=strictly and not left)
        if not unreadable:
            break
    return [dict(zip(keys, row, strict=True)) for row in rows]


def literal(value: Any) -> str:
    """A value as a FilterString has it: numbers bare, text in quotes."""
    return str(value) if isinstance(value, int) else _quoted(str(value))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _answers(
    client: KingdeeClient, query: _Query, after: Cursor | None, sure: Sure | None, *, strictly: bool
) -> Iterator[_Answer]:
    last, before, asked = False, query.limit, ""
    while not last:
        now = _local_now(client) if query.modified else ""
        query, reply = _page(client, query, after)
        rows, unreadable = checked(reply.value, len(query.keys), strictly=strictly)
        count = len(rows) + len(unreadable)
        last = not rows or (count < min(CAP, query.limit) and not _unsure(query, rows, reply.server_now, sure))
        start, after = after, query.cursor(rows[-1]) if rows else after
        _check_progress(start, after, rows)
        short = before < query.limit and _stood(query, rows, asked)
        yield _Answer(rows, reply.server_now, last, short, unreadable)
        before, asked = count, now


def _page(client: KingdeeClient, query: _Query, after: Cursor | None) -> tuple[_Query, Reply]:
    """One page; where it is larger than kdsync accepts, fewer rows of it, and of those behind it."""
    while True:
        try:
            return query, client.ask("ExecuteBillQuery", {"data": query.data(after)}, read=True)
        except EdgeError as error:
            if error.code != TOO_LARGE or query.limit == 1:
                raise
            query = replace(query, limit=max(query.limit // 4, 1))
            log.warning("page.too_large", form=query.form, rows=query.limit, error=error.message)


def _stood(query: _Query, rows: list[list[Any]], asked: str) -> bool:
    """Whether one of these rows stood there already when the page before was asked for: what came since cut nothing.

    Where no modify date tells, it is taken to have.
    """
    return any(not query.modified or str(row[query.modified] or "") < asked for row in rows)


def _local_now(client: KingdeeClient) -> str:
    """Kingdee's time as its dates have it, less what may be wrong with it."""
    moment = client.server_clock.now() - timedelta(seconds=DOUBT)
    return moment.astimezone(client.settings.timezone).replace(tzinfo=None).isoformat(timespec="seconds")


def _unsure(query: _Query, rows: list[list[Any]], server_now: datetime, sure: Sure | None) -> bool:
    return bool(query.entry_pk) or (sure is not None and sure(rows, server_now))


def _request(form: str, keys: Sequence[str], where: str, order: str, limit: int) -> Mapping[str, Any]:
    """TopRowCount stays 0: with it pages are cut without a word."""
    return {
        "FormId": form,
        "FieldKeys": ",".join(keys),
        "FilterString": where,
        "OrderString": order,
        "TopRowCount": 0,
        "StartRow": 0,
        "Limit": limit,
        "SubSystemId": "",
    }


def _check_progress(start: Cursor | None, end: Cursor | None, rows: list[list[Any]]) -> None:
    if rows and start is not None and (end == start or (len(start) == 1 and rows[0][0] == start[0])):
        raise unexpected("the server repeats a page: it ignores the filter by primary key")


class _Documents:
    """Puts documents together from the rows of one page after the other.

    Rows of one document follow each other. What repeats is dropped: the head where an entry field was asked for as a
    head key, an entry row where fields of a second entry were asked for as well. Where the heads of one id differ, the
    one modified last counts, then the greater text: in whatever order they come, the choice is the same.
    """

    def __init__(self, query: _Query) -> None:
        self._query = query
        self._held: Row | None = None  # the document that may go on
        self._entry: Any = None  # its last entry row
        self._doubled: list[str] = []  # ids whose heads differ

    def take_doubled(self) -> tuple[str, ...]:
        """The ids whose heads differed, since this was asked last."""
        doubled, self._doubled = tuple(dict.fromkeys(self._doubled)), []
        return doubled

    def complete(self, rows: list[list[Any]], *, last: bool) -> list[Row]:
        """The documents that these rows complete; with `last` all that are left."""
        done = self._with_entries(rows) if self._query.entry_pk else self._heads_only(rows)
        if last and self._held is not None:
            done.append(self._held)
            self._held = None
        return done

    def _heads_only(self, rows: list[list[Any]]) -> list[Row]:
        """Nothing is held back: the next page starts behind the whole document."""
        ids = [row[0] for row in rows]
        if all(map(ne, ids, ids[1:])):
            return rows
        return [self._chosen(list(same)) for _, same in groupby(rows, itemgetter(0))]

    def _chosen(self, heads: list[Row]) -> Row:
        if any(head != heads[0] for head in heads[1:]):
            self._doubled.append(str(heads[0][0]))
            return max(heads, key=self._weight)
        return heads[0]

    def _weight(self, head: Row) -> tuple[str, bytes]:
        at = self._query.modified
        return str(head[at] or "") if at else "", exact.dumps(head)

    def _with_entries(self, rows: list[list[Any]]) -> list[Row]:
        done: list[Row] = []
        query = self._query
        for row in rows:
            head = row[: query.heads]
            if self._held is None or self._held[0] != head[0]:
                if self._held is not None:
                    done.append(self._held)
                self._held, self._entry = [*head, []], None
            elif self._held[:-1] != head:
                self._held = [*self._chosen([self._held[:-1], head]), self._held[-1]]
            place = query.cursor(row)
            if len(place) > 1 and place[1] != self._entry:
                self._entry = place[1]
                self._held[-1].append(row[query.entries :])
        return done
