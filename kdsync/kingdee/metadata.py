"""What a form really has in this account set, as QueryBusinessInfo tells (since 7.5.1.202005)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kdsync import logs
from kdsync.errors import EdgeError
from kdsync.kingdee.answer import unexpected
from kdsync.kingdee.catalogue import facts_without_metadata
from kdsync.kingdee.client import KingdeeClient
from kdsync.model import Facts
from kdsync.rules.mistakes import did_you_mean

HEAD = re.compile(r"(?i)f?billhead.*|f?sub_?head.*|f\w*fin(ance|c)?")
"""Parts of a form that have one row for each document; the answer does not tell them from entries."""
ROLES: Mapping[str, tuple[str, ...]] = {
    "number": ("FBillNo", "FNumber"),
    "status": ("FDocumentStatus",),
    "cancel": ("FCancelStatus",),
    "close": ("FCloseStatus",),
    "created": ("FCreateDate",),
    "modified": ("FModifyDate",),
    "approved": ("FApproveDate", "FAuditDate"),
    "creator": ("FCreatorId",),
    "modifier": ("FModifierId",),
    "approver": ("FApproverId", "FAuditorId"),
}
"""The keys that may play a part in a form; the first that it has does."""
OTHER_DATES = ("FCancelDate", "FCloseDate")
LOCALES = {"2052": "zh", "1033": "en"}
UNTOLD = frozenset({"permission", "2", "10", "12", "null-reference", "response-error", "http-404", "http-405"})
"""Codes of failures after which the catalogue has to do; others are worth asking again."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `entry` is "" in the head; `lookup` is the form that a reference points to, else ""."""

    key: str
    entry: str = ""
    lookup: str = ""
    names: Mapping[str, str] = field(default_factory=dict)  # by locale

    @property
    def kind(self) -> str:
        """`reference`, `date` or `other`; Kingdee's own numbers for types are not documented."""
        if self.lookup:
            return "reference"
        return "date" if re.search(r"(?i)date(time)?(_?\d+)?$", self.key) else "other"


@dataclass(frozen=True, slots=True)
class Metadata:
    """The fields of a form, by key in lower case, its entries in the form's order, and the other parts of its head."""

    form: str
    pk: str | None = None
    entries: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    fields: Mapping[str, Field] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    operations: tuple[str, ...] = ()

    def field_of(self, key: str) -> Field | None:
        """The field behind a key as FieldKeys has it (`FSupplierId.FName`), or None where the form has none."""
        return self.fields.get(key.partition(".")[0].casefold())

    def entry_of(self, key: str) -> str | None:
        """The entry whose rows hold `key`; None for a key of the head or an unknown one."""
        found = self.field_of(key)
        if found is not None:
            return found.entry or None
        prefix = key.rpartition("_")[0].casefold()  # FEntity_FEntryID and FEntity_FSeq are in no list
        return next((entry for entry in self.entries if entry.casefold() == prefix), None)

    def head_key(self, key: str | None) -> str | None:
        """`key` as the form spells it, if its head has it."""
        found = self.field_of(key) if key else None
        return found.key if found and not found.entry else None

    def lacks(self, heads: Iterable[str], rows: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, str]]:
        """(key, what is wrong with it) of each key of a new document that the form does not have: Kingdee leaves out
        what it does not know, without a word. `rows` are the keys of rows by entry."""
        if not self.fields:
            return
        for key in heads:
            found = self.field_of(key)
            if found is None and key.casefold() not in map(str.casefold, self.parts):
                yield key, did_you_mean(key, (one.key for one in self.fields.values()))
            elif found and found.entry:
                yield key, f"it belongs to the entry {found.entry}: write it below entries"
        for entry, keys in rows.items():
            yield from self._lacks_in(entry, keys)

    def _lacks_in(self, entry: str, keys: Iterable[str]) -> Iterator[tuple[str, str]]:
        mine = {key: one.key for key, one in self.fields.items() if one.entry.casefold() == entry.casefold()}
        if not mine:
            yield entry, did_you_mean(entry, self.entries) or f"its entries are {', '.join(self.entries)}"
            return
        for key in keys:
            if key.casefold() not in mine:
                yield f"{entry}.{key}", did_you_mean(key, mine.values())


def fetch(client: KingdeeClient, form: str) -> Metadata:
    """Ask for the metadata of `form`; EdgeError where Kingdee does not tell."""
    answer = client.call("QueryBusinessInfo", {"data": {"FormId": form}}, read=True)
    result = answer.get("Result") if isinstance(answer, Mapping) else None
    data = result.get("NeedReturnData") if isinstance(result, Mapping) else None
    if not isinstance(data, Mapping):
        raise unexpected("QueryBusinessInfo should answer with Result.NeedReturnData")
    return read_metadata(form, data)


def read_metadata(form: str, data: Mapping[str, Any]) -> Metadata:
    """Read `NeedReturnData`, whatever parts of it are missing."""
    fields: dict[str, Field] = {}
    entries: list[str] = []
    parts: list[str] = []
    for part in _mappings(data.get("Entrys")):
        name = str(part.get("Key") or part.get("EntryName") or "")
        entry = "" if not name or HEAD.fullmatch(name) else name
        if not part.get("ParentKey"):
            (entries if entry else parts).append(name)
        for found in _fields(entry, part):
            fields.setdefault(found.key.casefold(), found)
    operations = [
        str(item["OperationNumber"]) for item in _mappings(data.get("Operations")) if item.get("OperationNumber")
    ]
    return Metadata(
        form=str(data.get("Id") or form),
        pk=str(data.get("PkFieldName") or "") or None,
        entries=tuple(entries),
        parts=tuple(filter(None, parts)),
        fields=fields,
        names=_names(data.get("Name")),
        operations=tuple(operations),
    )


def learn(client: KingdeeClient, form: str, entry_fields: Iterable[str] = ()) -> tuple[Facts, Metadata | None]:
    """The facts of `form`, by its metadata where Kingdee tells them and by the catalogue where it does not.

    EdgeError where the form does not exist, or Kingdee cannot be asked just now.
    """
    try:
        metadata = fetch(client, form)
    except EdgeError as error:
        if not _untold(error):
            raise
        logs.get("kingdee").warning("kingdee.metadata_unreadable", form=form, reason=str(error))
        return facts_without_metadata(form), None
    return refine(facts_without_metadata(form), metadata, entry_fields), metadata


def refine(facts: Facts | None, metadata: Metadata, entry_fields: Iterable[str] = ()) -> Facts:
    """`facts` as this account set has them: keys the form lacks are dropped, those it has are spelt its way.

    `entry_fields` are the entry keys that rules use; they decide which entry is meant.
    """
    facts = facts or Facts(metadata.form)
    if not metadata.fields:
        return facts
    roles: dict[str, Any] = {role: _first(metadata, (getattr(facts, role), *keys)) for role, keys in ROLES.items()}
    dates = [found for key in (*facts.other_dates, *OTHER_DATES) if (found := metadata.head_key(key))]
    return replace(
        facts,
        **roles,
        pk=_spelt(facts.pk, metadata.pk),
        other_dates=tuple(dict.fromkeys(dates)),
        open=facts.open if facts.open and _all_known(facts.open, metadata) else None,
        entry=_entry(facts, metadata, entry_fields),
        title=facts.title or metadata.names,
    )


def _untold(error: EdgeError) -> bool:
    """Kingdee will not tell this user, or is too old to know the service."""
    return error.code in UNTOLD or error.code.startswith("unmapped-msgcode")


def _first(metadata: Metadata, keys: Sequence[str | None]) -> str | None:
    return next((found for key in keys if (found := metadata.head_key(key))), None)


def _spelt(pk: str, told: str | None) -> str:
    return pk if told is None or told.casefold() == pk.casefold() else told


def _all_known(where: str, metadata: Metadata) -> bool:
    keys = re.findall(r"\bF\w+", re.sub(r"'[^']*'", "", where))
    return all(metadata.field_of(key) for key in keys)


def _entry(facts: Facts, metadata: Metadata, entry_fields: Iterable[str]) -> str | None:
    meant = [entry for key in entry_fields if (entry := metadata.entry_of(key))]
    if meant:
        return max(dict.fromkeys(meant), key=meant.count)
    own = {entry.casefold(): entry for entry in metadata.entries}
    if facts.entry and facts.entry.casefold() in own:
        return own[facts.entry.casefold()]
    return metadata.entries[0] if metadata.entries else None


def _fields(entry: str, part: Mapping[str, Any]) -> list[Field]:
    return [
        Field(str(item["Key"]), entry, str(item.get("LookUpObjectFormId") or ""), _names(item.get("Name")))
        for item in _mappings(part.get("Fields"))
        if item.get("Key")
    ]


def _names(names: Any) -> dict[str, str]:
    told = {LOCALES.get(str(item.get("Key"))): str(item.get("Value") or "") for item in _mappings(names)}
    return {locale: name for locale, name in told.items() if locale and name}


def _mappings(items: Any) -> list[Mapping[str, Any]]:
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
