"""What a form of the simulated Kingdee consists of: its keys, their kinds, its entries and the keys that play a part.

A form is written down as text, one word a field: `FBillNo`, `FDate:date`, `FSupplierId>BD_Supplier`. The part after
the colon is a `Kind`; after `>` stands the form that a base data field points to (`>` alone: any form).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    INTEGER = "int"
    AMOUNT = "amount"
    DATE = "date"
    DATETIME = "datetime"
    FLAG = "flag"
    REFERENCE = "reference"


PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "SEC_User": ("FUserAccount", "FName"),
    "BD_Empinfo": ("FNumber", "FName", "FStaffNumber"),
}
"""What can be asked for behind the dot of a base data field, where it is not number and name."""


@dataclass(frozen=True)
class Field:
    """One field; `target` is the form a base data field points to."""

    key: str
    kind: Kind = Kind.TEXT
    target: str = ""

    @classmethod
    def parse(cls, word: str) -> Field:
        if ">" in word:
            key, _, target = word.partition(">")
            return cls(key, Kind.REFERENCE, target)
        key, _, kind = word.partition(":")
        return cls(key, Kind(kind or "text"))

    @cached_property
    def properties(self) -> tuple[str, ...]:
        if self.kind is not Kind.REFERENCE:
            return ()
        return PROPERTIES.get(self.target, ("FNumber", "FName"))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that hold the field: itself and, for base data, its properties."""
        return (self.key, *(f"{self.key}.{name}" for name in self.properties))


@dataclass(frozen=True, slots=True)
class Column:
    """Something a query can name: a column of the head (`entry` empty) or of an entry."""

    key: str
    kind: Kind
    entry: str
    name: str  # in the table


ENTRY_ID = "_id"
ENTRY_SEQ = "_seq"


@dataclass(frozen=True)
class Form:
    """A form. An empty `number`, `status`, … means that the form has no such key."""

    id: str
    heads: tuple[Field, ...]
    entries: Mapping[str, tuple[Field, ...]] = field(default_factory=dict)
    pk: str = "FID"
    pk_kind: Kind = Kind.INTEGER
    number: str = "FBillNo"
    status: str = "FDocumentStatus"
    approved: str = "FApproveDate"
    approver: str = "FApproverId"
    prefix: str = ""
    name: str = ""
    base_data: bool = False  # master data may be edited while approved

    @classmethod
    def parse(
        cls,
        form: str,
        heads: str,
        entries: Mapping[str, str] | None = None,
        *,
        pk: str = "FID",
        pk_kind: str = "int",
        number: str = "FBillNo",
        status: str = "FDocumentStatus",
        approved: str = "FApproveDate",
        approver: str = "FApproverId",
        prefix: str = "",
        name: str = "",
        base_data: bool = False,
    ) -> Form:
        """A form from its words; ValueError for a kind that does not exist."""
        return cls(
            form,
            _fields(heads),
            {entry: _fields(words) for entry, words in (entries or {}).items()},
            pk,
            Kind(pk_kind),
            number,
            status,
            approved,
            approver,
            prefix or form[:4].upper(),
            name or form,
            base_data,
        )

    @property
    def entry(self) -> str:
        """The key of the first entry; empty for a form without entries."""
        return next(iter(self.entries), "")

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The fields of the head by key."""
        return {item.key: item for item in self.heads}

    @cached_property
    def rows(self) -> Mapping[str, Mapping[str, Field]]:
        """The fields of each entry by key."""
        return {entry: {item.key: item for item in fields} for entry, fields in self.entries.items()}

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """Everything a query can name. A key is known as it is written here and in capitals: production queries of
        one form use both spellings."""
        columns: dict[str, Column] = {}
        for column in self._columns():
            columns[column.key] = column
            columns.setdefault(column.key.upper(), column)
        return columns

    def _columns(self) -> Iterator[Column]:
        yield Column(self.pk, self.pk_kind, "", self.pk)
        yield from _named(self.heads, "")
        for entry, fields in self.entries.items():
            for suffix in ("FEntryID", "FENTRYID"):
                yield Column(f"{entry}_{suffix}", Kind.INTEGER, entry, ENTRY_ID)
            yield Column(f"{entry}_FSeq", Kind.INTEGER, entry, ENTRY_SEQ)
            yield from _named(fields, entry)

    def has(self, key: str) -> bool:
        """Whether the head has a field of this key."""
        return key in self.fields


def _fields(words: str) -> tuple[Field, ...]:
    return tuple(Field.parse(word) for word in words.split())


def _named(fields: Iterable[Field], entry: str) -> Iterator[Column]:
    for item in fields:
        yield Column(item.key, item.kind, entry, item.key)
        for name in item.columns[1:]:
            yield Column(name, Kind.TEXT, entry, name)
