"""The documents of the simulated company: created, edited and moved from status to status, stamped by its clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from kdsync.clock import Clock
from kdsync.simulator.kingdee_answers import Refusal
from kdsync.simulator.kingdee_forms import ENTRY_ID, ENTRY_SEQ, Field, Form, Kind
from kdsync.simulator.kingdee_steps import CHANGE, Stamp, Step
from kdsync.simulator.kingdee_tables import HEAD, Columns, Record, Tables
from kdsync.simulator.kingdee_values import BLANK, Stored, show, show_moment, store

Rows = Sequence[Mapping[str, Any]]
Entries = Rows | Mapping[str, Rows]
"""Entry rows: of the form's first entry, or of several by key. A row with the FEntryID of a row that stands keeps what
it does not name."""

Backup = tuple[bytes, Mapping[str, int]]

DEFAULTS = dict.fromkeys(
    ("FCancelStatus", "FCloseStatus", "FForbidStatus", "FWRITTENOFFSTATUS", "FOPENSTATUS", "FMRPCloseStatus"), "A"
)
BUSINESS_DATES = ("FDate", "FDATE", "FApplicationDate")  # typed in by people; today unless given
FIRST_ID = 100_001
DRAFT = "Z"


class Documents:
    """All documents of all forms. `skew` is how far the server's clock is ahead, in seconds."""

    def __init__(self, tables: Tables, clock: Clock, zone: ZoneInfo, skew: float, random: Random) -> None:
        self.tables = tables
        self.zone = zone
        self.skew = skew
        self._clock = clock
        self._random = random
        self._ids: defaultdict[str, int] = defaultdict(lambda: FIRST_ID)
        self._known: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._blanks: dict[tuple[str, str], Columns] = {}
        self._delay = 0.0
        self._pending: list[tuple[datetime, Callable[[], None]]] = []

    def now(self) -> datetime:
        """The server's time, in UTC."""
        return self._clock.now() + timedelta(seconds=self.skew)

    def backup(self) -> Backup:
        """All documents as they stand, and where ids and numbers have come to."""
        self.settle()
        with self.tables.lock:
            return self.tables.image(), dict(self._ids)

    def restore(self, backup: Backup) -> None:
        """Put a backup back: what was done since is lost, and its ids and numbers are given again."""
        with self.tables.lock:
            self.tables.become(backup[0])
            self._ids = defaultdict(lambda: FIRST_ID, backup[1])
            self._pending.clear()

    def stamp(self, user: int) -> Stamp:
        local = self.now().astimezone(self.zone).replace(tzinfo=None)
        return Stamp(show_moment(local), self.lookup("SEC_User", user) or {"id": user})

    @contextmanager
    def late(self, seconds: float) -> Iterator[None]:
        """Changes made inside are dated now but committed `seconds` later."""
        self._delay = seconds
        try:
            yield
        finally:
            self._delay = 0.0

    def settle(self) -> None:
        """Commit what is due. What the document does not allow any more is rolled back, as a transaction would be."""
        with self.tables.lock:
            while self._pending and self._pending[0][0] <= self.now():
                _, write = self._pending.pop(0)
                with suppress(Refusal, KeyError):
                    write()

    def _commit(self, write: Callable[[], None]) -> None:
        self.settle()
        with self.tables.lock:
            if self._delay:
                self._pending.append((self.now() + timedelta(seconds=self._delay), write))
                self._pending.sort(key=lambda item: item[0])
            else:
                write()

    def record(self, form: Form, doc_id: int | str) -> Record:
        """The document as stored. Raises KeyError."""
        self.settle()
        found = self.tables.get(form, doc_id)
        if found is None:
            raise KeyError(f"{form.id} has no document {doc_id!r}")
        return found

    def create(
        self,
        form: Form,
        user: int,
        *,
        number: str | None,
        status: str,
        entries: Entries,
        fields: Mapping[str, Any],
    ) -> int | str:
        """Create a document in a status; its id. ValueError for fields that the form does not have."""
        stamp = self.stamp(user)
        doc_id = fields.get(form.pk) or self._new_id(form)
        head = self._blank(form) | self._born(form, stamp, status)
        if form.number:
            head[form.number] = self._new_number(form) if number is None else number
        head |= self._stored(form.fields, {key: value for key, value in fields.items() if key != form.pk})
        record = Record(doc_id, head, self._rows(form, entries, {}))
        self._refuse_second(form, record)
        self._commit(lambda: self.tables.put(form, record))
        return record.id

    def _born(self, form: Form, stamp: Stamp, status: str) -> Columns:
        born = stamp.signed(form, "FCreatorId", "FCreateDate") | stamp.signed(form, "FModifierId", "FModifyDate")
        born |= {key: f"{stamp.moment[:10]}T00:00:00" for key in BUSINESS_DATES if form.has(key)}
        if form.status:
            born[form.status] = status
        if status == "C":
            born |= stamp.signed(form, form.approver, form.approved)
        return born

    def _refuse_second(self, form: Form, record: Record) -> None:
        number = str(record.head.get(form.number) or "").strip()
        if number and self.tables.ids(form, number):
            raise ValueError(f"{form.id} has a document {number!r}")

    def load(self, form: Form, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert many documents quickly: mappings by key, base data as {"id": …}, entry rows under "entries".

        What a row does not name is blank, also dates; a missing primary key or number is counted on.
        """
        self.tables.put_all(form, (self._loaded(form, row) for row in rows))

    def _loaded(self, form: Form, row: Mapping[str, Any]) -> Record:
        fields = {key: value for key, value in row.items() if key not in ("entries", form.pk)}
        if form.number and form.number not in fields:
            fields[form.number] = self._new_number(form)
        doc_id = row.get(form.pk) or self._new_id(form)
        if isinstance(doc_id, int):
            self._ids[form.id] = max(self._ids[form.id], doc_id + 1)
        blank = self._blank(form)
        if form.status:
            blank[form.status] = "A"
        head = blank | self._stored(form.fields, fields, learn=False)
        return Record(doc_id, head, self._rows(form, row.get("entries", ()), {}, learn=False))

    def edit(
        self, form: Form, doc_id: int | str, stamp: Stamp | None, *, fields: Mapping[str, Any], entries: Entries | None
    ) -> None:
        """Change fields and, where given, all entry rows. Without a `stamp` no date moves (a write-back).

        Raises KeyError or `Refusal`.
        """
        if not self._delay:
            record = self.record(form, doc_id)
            if stamp and not form.base_data:
                CHANGE.check(form, record)
        head = stamp.signed(form, "FModifierId", "FModifyDate") if stamp else {}
        head |= self._stored(form.fields, fields)
        self._commit(lambda: self._overwrite(form, doc_id, head, entries))

    def _overwrite(self, form: Form, doc_id: int | str, head: Columns, entries: Entries | None) -> None:
        record = self.tables.get(form, doc_id)
        if record is None:
            return  # deleted before the late commit
        kept = record.entries
        rows = kept if entries is None else kept | self._rows(form, entries, kept)
        self.tables.put(form, replace(record, head=record.head | head, entries=rows))

    def step(self, form: Form, doc_id: int | str, step: Step, stamp: Stamp, **columns: Stored) -> None:
        """Carry out an operation; `columns` overrule what it writes. Raises KeyError or `Refusal`."""
        if not self._delay:
            step.check(form, self.record(form, doc_id))
        self._commit(lambda: self._apply(form, doc_id, step, stamp, columns))

    def _apply(self, form: Form, doc_id: int | str, step: Step, stamp: Stamp, columns: Columns) -> None:
        record = self.record(form, doc_id)
        if step.name == "Delete":
            step.check(form, record)
            self.tables.remove(form, doc_id)
        else:
            self.tables.change(form, doc_id, step.columns(form, record, stamp) | columns)

    def shown(self, form: Form, doc_id: int | str) -> dict[str, Any]:
        """The document by key, base data as {"id": …} or None; the rows of the first entry under "entries", those of
        the others under their key."""
        record = self.record(form, doc_id)
        document = {form.pk: record.id, **_shown(form.heads, record.head)}
        for entry, rows in record.entries.items():
            document["entries" if entry == form.entry else entry] = [
                {"FEntryID": row[ENTRY_ID], "FSeq": row[ENTRY_SEQ], **_shown(form.entries[entry], row)} for row in rows
            ]
        return document

    def lookup(self, target: str, doc_id: int | str) -> Mapping[str, Any] | None:
        """A base data document as the value of a field that points to it."""
        try:
            form = self.tables.form(target)
            record = self.record(form, doc_id)
        except (Refusal, KeyError):
            return None
        pointing = Field("", Kind.REFERENCE, form.id)
        return {"id": doc_id, **{name: record.head.get(name) for name in pointing.properties}}

    def known(self, target: str, number: str) -> Mapping[str, Any] | None:
        """Base data of a form that is not kept here, as it was last pointed to."""
        return self._known.get((target, number))

    def _new_id(self, form: Form) -> int | str:
        if form.pk_kind is Kind.TEXT:
            return str(UUID(int=self._random.getrandbits(128), version=4))
        return self._count(form.id)

    def _count(self, name: str) -> int:
        with self.tables.lock:
            self._ids[name] += 1
            return self._ids[name] - 1

    def _new_number(self, form: Form) -> str:
        return f"{form.prefix}{self._count(f'{form.id} number') - FIRST_ID + 1:06d}"

    def _blank(self, form: Form, entry: str = "") -> Columns:
        place = (form.id, entry)
        if place not in self._blanks:
            fields = form.rows[entry] if entry else form.fields
            blank = {key: DEFAULTS.get(key) for key in fields}
            self._blanks[place] = self._stored(fields, blank, learn=False)
        return dict(self._blanks[place])

    def _stored(self, known: Mapping[str, Field], values: Mapping[str, Any], *, learn: bool = True) -> Columns:
        columns: Columns = {}
        for key, value in values.items():
            item = known.get(key)
            if item is None:
                raise ValueError(f"unknown field {key}; known are {', '.join(sorted(known))}")
            if item.kind is Kind.TEXT and type(value) is str:  # the quick way for bulk loads
                columns[key] = value.rstrip() or BLANK
                continue
            whole = self._reference(item, value) if learn and item.kind is Kind.REFERENCE else value
            columns.update(zip(item.columns, store(item, whole, self.zone), strict=True))
        return columns

    def _reference(self, item: Field, value: Any) -> Any:
        if isinstance(value, Mapping):
            number = str(value.get("FNumber") or value.get("FUserAccount") or "")
            if number:
                self._known[item.target, number] = value
            return value
        return (self.lookup(item.target, value) or value) if value and item.target else value

    def _rows(
        self, form: Form, entries: Entries, kept: Mapping[str, list[Columns]], *, learn: bool = True
    ) -> dict[str, list[Columns]]:
        given = entries if isinstance(entries, Mapping) else {form.entry: entries} if entries else {}
        unknown = set(given) - set(form.entries)
        if unknown:
            raise ValueError(f"{form.id} has no entries {sorted(unknown)}; it has {', '.join(form.entries) or 'none'}")
        return {
            entry: [self._row(form, entry, row, kept.get(entry, []), learn=learn) for row in rows]
            for entry, rows in given.items()
        }

    def _row(self, form: Form, entry: str, row: Mapping[str, Any], kept: list[Columns], *, learn: bool) -> Columns:
        fields = {key: value for key, value in row.items() if key not in ("FEntryID", "FSeq")}
        old = next((item for item in kept if item[ENTRY_ID] == row.get("FEntryID")), None)
        columns = dict(old) if old else self._blank(form, entry)
        columns.pop(HEAD, None)
        new = self._stored(form.rows[entry], fields, learn=learn)
        return columns | new | {ENTRY_ID: columns.get(ENTRY_ID) or self._count(f"{form.id} {entry}")}


def _shown(fields: Sequence[Field], columns: Columns) -> dict[str, Any]:
    return {item.key: _shown_field(item, columns) for item in fields}


def _shown_field(item: Field, columns: Columns) -> Any:
    if item.kind is not Kind.REFERENCE:
        return show(item.kind, columns[item.key])
    if not columns[item.key]:
        return None
    return {"id": columns[item.key], **{name: columns[f"{item.key}.{name}"] for name in item.properties}}
