"""Snapshots and events: what was last seen of every document, and every step it made since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from kdsync import exact, logs
from kdsync.errors import StoreError
from kdsync.model import Layout, Row, Transition
from kdsync.store.schema import documents, events
from kdsync.store.sealing import Seal
from kdsync.sync.diff import UNREADABLE, Snapshot

log = logs.get("store")
CHUNK = 5_000
TOGETHER = 200

# The statements of the hot path are text: building them through the expression language for every page costs more
# than SQLite needs to carry them out.
_SNAPSHOTS = (
    "SELECT doc_id, is_open, is_gone, version, layout_id, number, row FROM documents "
    "WHERE form_id = ? AND doc_id IN (SELECT value FROM json_each(?))"
)
# Left to itself, SQLite walks through all documents of the form rather than through the index of the open ones.
_OPEN = "SELECT doc_id FROM documents INDEXED BY ix_documents_open WHERE form_id = ? AND is_open = 1"
_KNOWN = "SELECT {} FROM documents WHERE form_id = ? AND is_gone = 0"
_PUT = (
    "INSERT INTO documents (form_id, doc_id, number, is_open, is_gone, version, layout_id, row) "
    "VALUES {rows} ON CONFLICT (form_id, doc_id) DO UPDATE SET number = excluded.number, "
    "is_open = excluded.is_open, is_gone = excluded.is_gone, version = excluded.version, "
    "layout_id = excluded.layout_id, row = excluded.row"
)
# Most changes leave number and open set alone; then the indexes on them need not be touched.
_RENEW = (
    "INSERT INTO documents (form_id, doc_id, number, is_open, is_gone, version, layout_id, row) "
    "VALUES {rows} ON CONFLICT (form_id, doc_id) DO UPDATE SET version = excluded.version, "
    "layout_id = excluded.layout_id, row = excluded.row"
)
_NUMBERED = (
    "SELECT doc_id, is_open, is_gone, version FROM documents INDEXED BY ix_documents_number WHERE form_id = ? "
    "AND number IN (SELECT value FROM json_each(?))"
)
_SHARING = (
    "SELECT number, doc_id FROM documents INDEXED BY ix_documents_number WHERE form_id = ? AND is_gone = 0 "
    "AND number IN (SELECT value FROM json_each(?)) ORDER BY number, doc_id"
)
_EVENT = (
    "INSERT INTO events (form_id, doc_id, version, kinds, changed, before, before_layout, noticed_at, found_by, ours) "
    "VALUES {rows}"
)


State = tuple[Layout, Row]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One row of `events`, opened."""

    form_id: int
    doc_id: str
    version: int
    kinds: tuple[Transition, ...]
    changed: frozenset[str]
    before: State | None
    after: State | None
    noticed_at: str
    found_by: str
    ours: Mapping[Transition, int]  # the kinds that are kdsync's own doing, with the row of its write


DocumentRow = tuple[int, str, str, int, int, int, int, bytes]
EventRow = tuple[int, str, int, str, str, bytes | None, int | None, str, str, str | None]


class Snapshots:
    """The snapshots of one form, in the columns of `layouts`."""

    def __init__(self, form_id: int, layouts: Mapping[int, Layout], seal: Seal) -> None:
        self.form_id = form_id
        self.layouts = layouts
        self._seal = seal

    def get(self, tx: Connection, ids: Sequence[str]) -> dict[str, Snapshot]:
        """The snapshots of some documents, by id; ids never seen are left out."""
        found = tx.exec_driver_sql(_SNAPSHOTS, (self.form_id, exact.dumps(ids).decode())).all()
        try:
            rows, layouts = self._seal.open_all([stored[-1] for stored in found]), self.layouts
            snapshots = {
                doc_id: Snapshot(version, layouts[layout_id], row, is_open == 1, is_gone == 1, number, stored)
                for (doc_id, is_open, is_gone, version, layout_id, number, stored), row in zip(found, rows, strict=True)
            }
        except (StoreError, KeyError):
            return {row[0]: self._opened(row) for row in found}
        if all(type(one.row) is list and len(one.row) == one.layout.width for one in snapshots.values()):
            return snapshots
        return {row[0]: self._opened(row) for row in found}

    def _opened(self, stored: Sequence[Any]) -> Snapshot:
        """One snapshot; where it cannot be read, one without columns: its document is then adopted in silence."""
        doc_id, is_open, is_gone, version, layout_id, number, blob = stored
        layout = self.layouts.get(layout_id)
        try:
            row = self._seal.open(blob)
        except StoreError:
            row = None
        if layout is None or not isinstance(row, list) or len(row) != layout.width:
            log.error("snapshot.damaged", doc_id=doc_id, bill_no=number, version=version)
            return Snapshot(version, UNREADABLE, [], is_open == 1, is_gone == 1, number, b"[]")
        return Snapshot(version, layout, row, is_open == 1, is_gone == 1, number, blob)

    def put(self, tx: Connection, rows: Sequence[DocumentRow]) -> None:
        """Insert or replace snapshots."""
        _insert(tx, _PUT, rows)

    def renew(self, tx: Connection, rows: Sequence[DocumentRow]) -> None:
        """Replace version and content of snapshots whose number and place in the open set stay as they are."""
        _insert(tx, _RENEW, rows)

    def open_ids(self, tx: Connection) -> set[str]:
        """The ids of the documents that were open at the last look."""
        return set(tx.exec_driver_sql(_OPEN, (self.form_id,)).scalars())

    def set_open(self, tx: Connection, ids: Iterable[str], *, is_open: bool) -> None:
        """Note which documents belong to the open set."""
        rows = [{"doc": doc_id} for doc_id in ids]
        if rows:
            key = (documents.c.form_id == self.form_id) & (documents.c.doc_id == bindparam("doc"))
            tx.execute(update(documents).where(key).values(is_open=int(is_open)), rows)

    def is_empty(self, tx: Connection) -> bool:
        """Whether no document was ever seen."""
        mine = select(documents.c.doc_id).where(documents.c.form_id == self.form_id)
        return tx.execute(mine.limit(1)).first() is None

    def count(self, tx: Connection) -> int:
        """How many documents are known and not deleted."""
        return int(tx.exec_driver_sql(_KNOWN.format("count(*)"), (self.form_id,)).scalar_one())

    def known_ids(self, tx: Connection) -> Iterator[str]:
        """All ids that are known and not deleted, without holding them in memory."""
        result = tx.execution_options(yield_per=CHUNK).exec_driver_sql(_KNOWN.format("doc_id"), (self.form_id,))
        yield from result.scalars()


def numbered(tx: Connection, form_id: int, numbers: Sequence[str]) -> list[tuple[str, bool, bool, int]]:
    """(id, is open, is gone, version) of the documents with one of these bill numbers."""
    rows = tx.exec_driver_sql(_NUMBERED, (form_id, exact.dumps(numbers).decode()))
    return [(doc_id, bool(is_open), bool(is_gone), version) for doc_id, is_open, is_gone, version in rows]


def sharing(tx: Connection, form_id: int, numbers: Sequence[str]) -> dict[str, list[str]]:
    """Those of the bill numbers that more than one document bears, with the ids of the documents."""
    found: dict[str, list[str]] = {}
    for number, doc_id in tx.exec_driver_sql(_SHARING, (form_id, exact.dumps(numbers).decode())):
        found.setdefault(number, []).append(doc_id)
    return {number: ids for number, ids in found.items() if len(ids) > 1}


def put_events(tx: Connection, rows: Sequence[EventRow]) -> None:
    """Append events."""
    _insert(tx, _EVENT, rows)


def _insert(tx: Connection, statement: str, rows: Sequence[DocumentRow] | Sequence[EventRow]) -> None:
    """Many rows with each statement, which takes SQLite a third less time than a statement for each row."""
    if not rows:
        return
    row = f"({', '.join('?' * len(rows[0]))})"
    whole = len(rows) - len(rows) % TOGETHER
    together = statement.format(rows=", ".join([row] * TOGETHER))
    for start in range(0, whole, TOGETHER):
        tx.exec_driver_sql(together, tuple(chain.from_iterable(rows[start : start + TOGETHER])))
    if whole < len(rows):
        tx.exec_driver_sql(statement.format(rows=row), list(rows[whole:]))


def events_of(
    tx: Connection, layouts: Mapping[int, Layout], seal: Seal, *, form_id: int, doc_ids: Sequence[str]
) -> Iterator[StoredEvent]:
    """The events of some documents, each document's in order."""
    for doc_id in doc_ids:
        mine = (events.c.form_id == form_id) & (events.c.doc_id == doc_id)
        rows = tx.execute(select(events).where(mine).order_by(events.c.version)).mappings().all()
        key = (documents.c.form_id == form_id) & (documents.c.doc_id == doc_id)
        columns = (documents.c.layout_id, documents.c.row)
        now = tx.execute(select(*columns).where(key)).one()
        states = [*((row["before_layout"], row["before"]) for row in rows), (now.layout_id, now.row)]
        opened = [_state(layouts, seal, layout, row) for layout, row in states]
        for row, before, after in zip(rows, opened, opened[1:], strict=False):
            kinds = tuple(Transition(kind) for kind in row["kinds"].split())
            yield StoredEvent(
                form_id=form_id,
                doc_id=doc_id,
                version=row["version"],
                kinds=kinds,
                changed=frozenset(row["changed"].split()),
                before=before,
                after=None if Transition.DELETED in kinds else after,
                noticed_at=row["noticed_at"],
                found_by=row["found_by"],
                ours=ours_of(row["ours"]),
            )


def text_of(ours: Mapping[Transition, int]) -> str | None:
    """The kinds of an event that are kdsync's own doing, as the table has them."""
    return exact.dumps({str(kind): ident for kind, ident in ours.items()}).decode() if ours else None


def ours_of(stored: str | None) -> dict[Transition, int]:
    """The same, read back."""
    return {Transition(kind): int(ident) for kind, ident in exact.loads(stored.encode()).items()} if stored else {}


def _state(layouts: Mapping[int, Layout], seal: Seal, layout: int | None, stored: bytes | None) -> State | None:
    """One state of a document; None where there was none, or nobody can read it any more."""
    try:
        return (layouts[layout or 0], seal.open(stored)) if stored else None
    except (StoreError, KeyError):
        return None
