"""The documents that workflow tasks wait on: tasks name them by number, and come together with a change of status.

So a document is read once more when a task is told: its snapshot may be of the moment before it was submitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from kdsync import logs
from kdsync.model import Document, Event, Row, Status, Task, Transition
from kdsync.services.match import document_of, number_of
from kdsync.services.ports import Source
from kdsync.services.watch import Watch
from kdsync.store import documents
from kdsync.store.database import Database
from kdsync.sync import identity
from kdsync.sync.diff import UNREADABLE, Snapshot

log = logs.get("tasks")
AT_ONCE = 100  # numbers in one filter


@dataclass(frozen=True, slots=True)
class Bills:
    """Reads documents by number, from Kingdee and from the store."""

    db: Database
    source: Source

    def assigned(self, account_set: str, watch: Watch, items: Sequence[Task], now: datetime) -> list[Event]:
        """The events of tasks that were noticed. Raises EdgeError where the documents cannot be read now.

        A document that cannot be seen is as it was last seen; of one that never was, the number is all there is.
        """
        rows = self._rows(watch, dict.fromkeys(item.number for item in items))
        known = self._snapshots(watch, rows, {item.number for item in items} - rows.keys())
        return [_event(account_set, watch, item, rows.get(item.number), known.get(item.number), now) for item in items]

    def in_approval(self, watch: Watch, numbers: Sequence[str]) -> set[str]:
        """Those of the numbers whose documents were in approval when they were last looked at."""
        with self.db.read() as tx:
            same = documents.numbered(tx, watch.form_id, numbers)
            found = watch.snapshots.get(tx, [doc_id for doc_id, _is_open, is_gone, _version in same if not is_gone])
        return {one.number for one in found.values() if _status(one) == Status.IN_APPROVAL}

    def _rows(self, watch: Watch, numbers: Iterable[str]) -> dict[str, Row]:
        """The documents by number, as they are now. Of several with one number, the one in approval, or the newest."""
        found: dict[str, Row] = {}
        if watch.facts.number is None:
            return found
        place = watch.layout.status_place
        for row in self._read(watch, watch.facts.number, list(numbers)):
            number = number_of(row, watch.layout, str(row[0]))
            other = found.get(number)
            if other is None or place is None or other[place] != Status.IN_APPROVAL or row[place] == other[place]:
                found[number] = row
        return found

    def _read(self, watch: Watch, key: str, numbers: list[str]) -> Iterator[Row]:
        for start in range(0, len(numbers), AT_ONCE):
            some = ", ".join(_quoted(number) for number in numbers[start : start + AT_ONCE])
            for page in self.source.pages(watch.layout, f"{key} in ({some})"):
                yield from page.rows

    def _snapshots(self, watch: Watch, rows: dict[str, Row], unseen: set[str]) -> dict[str, tuple[str, Snapshot]]:
        """What the store has of the same documents, by number: id and snapshot."""
        with self.db.read() as tx:
            ids = {number: str(row[0]) for number, row in rows.items()}
            for number in unseen:
                same = documents.numbered(tx, watch.form_id, [number])
                if same:
                    ids[number] = max(same, key=_likely)[0]
            found = watch.snapshots.get(tx, list(ids.values()))
        return {number: (doc_id, found[doc_id]) for number, doc_id in ids.items() if doc_id in found}


def _status(snapshot: Snapshot) -> object:
    place = snapshot.layout.status_place
    return None if place is None else snapshot.row[place]


def _likely(stored: tuple[str, bool, bool, int]) -> tuple[bool, bool, int, str]:
    """Orders documents of one number: the greatest is the one that a task most likely waits on."""
    doc_id, is_open, is_gone, _version = stored
    return not is_gone, is_open, len(doc_id), doc_id


def _event(
    account_set: str, watch: Watch, item: Task, row: Row | None, known: tuple[str, Snapshot] | None, now: datetime
) -> Event:
    doc_id, snapshot = (known[0], known[1]) if known else ("", None)
    new = document_of(watch, str(row[0]), watch.layout, row) if row is not None else None
    is_readable = snapshot is not None and snapshot.layout is not UNREADABLE
    old = document_of(watch, doc_id, snapshot.layout, snapshot.row) if snapshot and is_readable else None
    if new is None:
        log.warning("task.document_not_visible", form=watch.form, bill_no=item.number, item_id=item.item_id)
    if new is None and old is None:
        new = Document(watch.form, "", item.number, {watch.facts.number or "FBillNo": item.number})
    return Event(
        event_id=identity.task_event_id(account_set, item.item_id),
        kind=Transition.ASSIGNED,
        form=watch.form,
        doc_id=(new or old).doc_id,  # type: ignore[union-attr]  # one of them stands
        number=item.number,
        version=snapshot.version if snapshot else 0,
        noticed_at=now,
        old=old,
        new=new,
        task=item,
    )


def _quoted(text: str) -> str:
    """As a FilterString has text (in-product WebAPI help on ExecuteBillQuery: FilterString is SQL-like)."""
    return "'" + text.replace("'", "''") + "'"
