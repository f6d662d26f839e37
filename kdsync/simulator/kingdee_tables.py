"""Where the simulated Kingdee keeps its documents: SQLite in memory, one table a form and one an entry.

A hundred thousand documents must be filtered, ordered and cut into pages as fast as by a real server.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from threading import RLock
from typing import Any

from kdsync.simulator.kingdee_answers import unknown_form
from kdsync.simulator.kingdee_forms import ENTRY_ID, ENTRY_SEQ, Field, Form, Kind
from kdsync.simulator.kingdee_values import Stored

HEAD = "_head"
TYPES: Mapping[Kind, str] = {
    Kind.TEXT: "TEXT COLLATE NOCASE",  # Chinese_PRC_CI_AS, the usual collation, ignores case
    Kind.INTEGER: "INTEGER",
    Kind.AMOUNT: "TEXT",  # every digit; compared as a number
    Kind.DATE: "TEXT",
    Kind.DATETIME: "TEXT",
    Kind.FLAG: "INTEGER",
    Kind.REFERENCE: "",  # ids are numbers mostly, sometimes texts
}

Columns = dict[str, Stored]


@dataclass(slots=True)
class Record:
    """One document as the tables hold it: columns by name; entry rows carry their own `_id`."""

    id: int | str
    head: Columns
    entries: dict[str, list[Columns]] = field(default_factory=dict)


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def entry_table(form: Form, entry: str) -> str:
    return quoted(f"{form.id}.{entry}")


class Tables:
    """The forms and their documents. Every method may be called from any thread."""

    def __init__(self) -> None:
        self.lock = RLock()
        self._forms: dict[str, Form] = {}
        self._database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, self._database.close)

    def define(self, form: Form) -> None:
        """Install a form. ValueError if there is one of that id."""
        with self.lock:
            if form.id.casefold() in self._forms:
                raise ValueError(f"the form {form.id} exists")
            self._forms[form.id.casefold()] = form
            self._create_head(form)
            for entry, fields in form.entries.items():
                table = entry_table(form, entry)
                columns = f"{ENTRY_ID} INTEGER PRIMARY KEY, {HEAD}, {ENTRY_SEQ} INTEGER, {_typed(fields)}"
                self._database.execute(f"CREATE TABLE {table} ({columns.rstrip(', ')})")
                index = quoted(f"{form.id}.{entry}.head")
                self._database.execute(f"CREATE INDEX {index} ON {table} ({HEAD}, {ENTRY_ID})")

    def _create_head(self, form: Form) -> None:
        table = quoted(form.id)
        pk = f"{quoted(form.pk)} {TYPES[form.pk_kind]} PRIMARY KEY"
        self._database.execute(f"CREATE TABLE {table} ({pk}, {_typed(form.heads)})")
        dates = [item.key for item in form.heads if item.kind is Kind.DATETIME]
        for key in filter(form.has, (form.number, form.status, *dates)):
            self._database.execute(f"CREATE INDEX {quoted(f'{form.id}.{key}')} ON {table} ({quoted(key)})")

    def image(self) -> bytes:
        """All forms and documents as they stand."""
        with self.lock:
            return self._database.serialize()

    def become(self, image: bytes) -> None:
        """Put everything back to what it was; the forms must be the same."""
        with self.lock:
            self._database.deserialize(image)

    def form(self, name: str) -> Form:
        """The form of that id, whatever its case. Raises `Refusal`."""
        try:
            return self._forms[name.casefold()]
        except KeyError:
            raise unknown_form(name) from None

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self.lock:
            return self._database.execute(sql, parameters).fetchall()

    def get(self, form: Form, doc_id: int | str) -> Record | None:
        """One document, its entry rows in order."""
        with self.lock:
            heads = self._dicts(quoted(form.id), quoted(form.pk), doc_id)
            if not heads:
                return None
            entries = {
                entry: self._dicts(entry_table(form, entry), HEAD, doc_id, f"ORDER BY {ENTRY_SEQ}")
                for entry in form.entries
            }
            return Record(heads[0].pop(form.pk), heads[0], entries)  # type: ignore[arg-type]  # never null

    def _dicts(self, table: str, key: str, value: Any, order: str = "") -> list[Columns]:
        cursor = self._database.execute(f"SELECT * FROM {table} WHERE {key} = ? {order}", (value,))  # noqa: S608
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def ids(self, form: Form, number: str | None = None) -> list[int | str]:
        """The ids of all documents, or of those with a number."""
        where, parameters = (f"WHERE {quoted(form.number)} = ?", (number,)) if number is not None else ("", ())
        rows = self.rows(f"SELECT {quoted(form.pk)} FROM {quoted(form.id)} {where} ORDER BY 1", parameters)  # noqa: S608
        return [row[0] for row in rows]

    def put(self, form: Form, document: Record) -> None:
        """Insert or replace a document with all its entry rows."""
        with self._whole():
            self.remove(form, document.id)
            self._insert(quoted(form.id), [{form.pk: document.id, **document.head}])
            for entry, rows in document.entries.items():
                numbered = [
                    {**row, HEAD: document.id, ENTRY_SEQ: position} for position, row in enumerate(rows, start=1)
                ]
                self._insert(entry_table(form, entry), numbered)

    def put_all(self, form: Form, documents: Iterable[Record]) -> None:
        """Insert many new documents quickly; all of them have the same columns."""
        heads: list[Columns] = []
        rows: dict[str, list[Columns]] = {entry: [] for entry in form.entries}
        for document in documents:
            heads.append({form.pk: document.id, **document.head})
            for entry, items in document.entries.items():
                rows[entry] += [{**row, HEAD: document.id, ENTRY_SEQ: at} for at, row in enumerate(items, start=1)]
        with self._whole():
            self._insert(quoted(form.id), heads)
            for entry, items in rows.items():
                self._insert(entry_table(form, entry), items)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """All of what is done inside, or nothing of it where that fails."""
        with self.lock:
            self._database.execute("SAVEPOINT whole")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK TO whole")
                raise
            finally:
                self._database.execute("RELEASE whole")

    def _insert(self, table: str, rows: Sequence[Columns]) -> None:
        if not rows:
            return
        names = list(rows[0])
        columns, marks = ", ".join(map(quoted, names)), ", ".join("?" * len(names))
        statement = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608  # identifiers of forms
        self._database.executemany(statement, map(itemgetter(*names), rows))

    def change(self, form: Form, doc_id: int | str, columns: Columns) -> None:
        """Overwrite some columns of a head."""
        if columns:
            pairs = ", ".join(f"{quoted(name)} = ?" for name in columns)
            statement = f"UPDATE {quoted(form.id)} SET {pairs} WHERE {quoted(form.pk)} = ?"  # noqa: S608
            self.rows(statement, (*columns.values(), doc_id))

    def remove(self, form: Form, doc_id: int | str) -> None:
        with self.lock:
            for entry in form.entries:
                self._database.execute(f"DELETE FROM {entry_table(form, entry)} WHERE {HEAD} = ?", (doc_id,))  # noqa: S608
            self._database.execute(f"DELETE FROM {quoted(form.id)} WHERE {quoted(form.pk)} = ?", (doc_id,))  # noqa: S608


def _typed(fields: Iterable[Field]) -> str:
    columns = []
    for item in fields:
        columns.append(f"{quoted(item.key)} {TYPES[item.kind]}")
        columns += [f"{quoted(name)} {TYPES[Kind.TEXT]}" for name in item.columns[1:]]
    return ", ".join(columns)
