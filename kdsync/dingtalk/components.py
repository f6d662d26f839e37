"""The fields of an approval's form, made clean: what DingTalk hands out as text that holds JSON that holds text.

Nothing says how a component writes its value down; these shapes are of real approvals and of the samples of "Query
details of an approval instance" and "Create an approval instance" on open.dingtalk.com. Tables come as lists of
`{"rowValue": [...]}` or as lists of lists; an empty field may hold the text `null`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from kdsync import exact
from kdsync.dingtalk.answers import DEEPEST
from kdsync.dingtalk.errors import failure
from kdsync.dingtalk.frames import EPOCH
from kdsync.errors import EdgeError

TABLE, FILES, PICTURES = "TableField", "DDAttachment", "DDPhotoField"
DATE, DATE_RANGE = "DDDateField", "DDDateRangeField"
PEOPLE = frozenset({"InnerContactField", "ExternalContactField"})
DEPARTMENTS = "DepartmentField"
TYPED = frozenset({"TextField", "TextareaField", "TextNote", "DDSelectField"})
"""Kinds whose value is what somebody typed or named, though it may look like JSON."""
NOTHING = frozenset({"", "null", "undefined"})
PLAIN = (str, int, float, Decimal, type(None))
KIND = re.compile(r"(?:DD)?[A-Za-z]+Field|DDAttachment")
NAME = "details of an approval"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a form. `file_id` is what `Approvals.download` asks for: DingTalk's id, the address of a picture, or ""
    for an empty file, of which DingTalk hands out nothing.

    `size` is in bytes, 0 where DingTalk does not say; `kind` is the extension without its dot.
    """

    file_id: str
    name: str
    size: int = 0
    space_id: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Component:
    """One field of a form, or one cell of a table; `name` is its label, `ident` its id, `alias` what the app calls it.

    `text` is its value as people read it, "" for nothing; those of a list (choices, a range of dates) are joined by
    ", " and stand alone in `items`, which of a range are its two ends, "" for an open one. `people` are userids,
    `departments` ids of departments, in the order of the names in `text`. `cells` are the rows of a table by label; its
    `files` are those of all of its cells.
    """

    name: str
    kind: str
    text: str = ""
    ident: str = ""
    alias: str = ""
    items: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    files: tuple[Attachment, ...] = ()
    cells: tuple[Mapping[str, Component], ...] = ()

    @cached_property
    def rows(self) -> tuple[Mapping[str, str], ...]:
        """The rows of a table, each value as text by its label."""
        return tuple({label: cell.text for label, cell in row.items()} for row in self.cells)


def components_of(listed: Any) -> tuple[Component, ...]:
    """The fields in `formComponentValues`. Raises EdgeError where they cannot be read."""
    if listed is None:
        return ()
    if not isinstance(listed, list) or exact.deeper_than(listed, DEEPEST):
        raise _unreadable("formComponentValues should be a list")
    return tuple(field for item in listed for field in _with_ends(_component(item)))


def _with_ends(field: Component) -> Iterator[Component]:
    """The field, and the ends of a range of dates by their labels, both of which stand in its name as JSON."""
    yield field
    labels = _items(field.name) if field.kind == DATE_RANGE else ()
    for label, text in zip(labels, (*field.items, "", ""), strict=False):
        yield Component(label, DATE, text, field.ident, field.alias)


def _component(item: Any, *, cell: bool = False) -> Component:
    """A field, whose keys are `name` and `extValue`, or a cell, whose keys are `label` and `extendValue`.

    No cell holds a table.
    """
    if not isinstance(item, Mapping):
        raise _unreadable("a component should be a mapping")
    name = plain(item.get("name")) or plain(item.get("label"))
    ident = plain(item.get("id")) or plain(item.get("key"))
    kind = plain(item.get("componentType")) or plain(item.get("componentName")) or _kind_of(ident)
    value, more = item.get("value"), _first(item, "extValue", "extendValue", "ext_value")
    alias = plain(item.get("bizAlias"))
    if kind == TABLE and not cell:
        return _table(name, ident, alias, value)
    if kind in (FILES, PICTURES):
        files = tuple(_files(name, value) if kind == FILES else _pictures(name, value))
        return Component(name, kind, ", ".join(file.name for file in files), ident, alias, files=files)
    items = () if kind in TYPED else _items(value)
    text = ", ".join(items) if items else _text(value)
    items = _ends(value) if kind == DATE_RANGE else items
    people = _ids(more, "emplId", "itemId") if kind in PEOPLE else ()
    departments = _ids(more, "id", "itemId") if kind == DEPARTMENTS else ()
    return Component(name, kind, text, ident, alias, items, people, departments)


def _table(name: str, ident: str, alias: str, value: Any) -> Component:
    cells = tuple(_row(name, row) for row in _list_in(name, value))
    files = tuple(file for row in cells for cell in row.values() for file in cell.files)
    return Component(name, TABLE, "", ident, alias, files=files, cells=cells)


def _row(name: str, row: Any) -> Mapping[str, Component]:
    """A row by label; where two columns have the same, the first counts."""
    cells = row.get("rowValue") if isinstance(row, Mapping) else row
    if not isinstance(cells, list):
        raise _unreadable(f"a row of the table {name} should be a list")
    found: dict[str, Component] = {}
    for item in cells:
        for cell in _with_ends(_component(item, cell=True)):
            found.setdefault(cell.name, cell)
    return found


def _files(name: str, value: Any) -> list[Attachment]:
    files = []
    for item in _list_in(name, value):
        if not isinstance(item, Mapping) or not plain(item.get("fileId")):
            raise _unreadable(f"a file of {name} has no fileId")
        size = plain(item.get("fileSize"))
        files.append(
            Attachment(
                "" if size == "0" else plain(item["fileId"]),
                plain(item.get("fileName")) or plain(item["fileId"]),
                int(size) if size.isascii() and size.isdigit() and len(size) < 16 else 0,  # noqa: PLR2004  # petabytes
                plain(item.get("spaceId")),
                plain(item.get("fileType")),
            )
        )
    return files


def _pictures(name: str, value: Any) -> list[Attachment]:
    """Pictures are addresses, and have no names but what these end with."""
    pictures = []
    for address in [value] if str(value).startswith("http") else _list_in(name, value):
        if not isinstance(address, str) or not address.strip():
            raise _unreadable(f"a picture of {name} has no address")
        end = PurePosixPath(unquote(_path(address))).name or "picture"
        pictures.append(Attachment(address.strip(), end, kind=PurePosixPath(end).suffix.removeprefix(".")))
    return pictures


def _path(address: str) -> str:
    try:
        return urlsplit(address).path
    except ValueError:
        return ""


def _ids(more: Any, *keys: str) -> tuple[str, ...]:
    """The ids in an `extValue`; () where it tells of none, whatever is in it."""
    listed = _parsed(more)
    listed = listed if isinstance(listed, list) else [listed]
    found = (_first(item, *keys) for item in listed if isinstance(item, Mapping))
    return tuple(dict.fromkeys(filter(None, map(plain, found))))


def _items(value: Any) -> tuple[str, ...]:
    """The texts of a list of plain values and nothings, () for anything else."""
    return tuple(filter(None, map(plain, _plain_list(value))))


def _ends(value: Any) -> tuple[str, ...]:
    """When a range begins and ends; how long it is, which may stand behind, is no date."""
    return tuple(map(plain, _plain_list(value)[:2]))


def _plain_list(value: Any) -> list[Any]:
    listed = _parsed(value)
    if not isinstance(listed, list) or not all(isinstance(item, PLAIN) for item in listed):
        return []
    return listed


def _list_in(name: str, value: Any) -> list[Any]:
    listed = _parsed(value)
    if listed in (None, ""):
        return []
    if isinstance(listed, list):
        return listed
    raise _unreadable(f"the value of {name} should be a list")


def _parsed(value: Any) -> Any:
    """What is in a text that holds JSON; other text, and what is no text, as it is. None for nothing."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text in NOTHING:
        return None
    if text[0] not in "[{":
        return value
    try:
        parsed = exact.loads(text.encode("utf-8", "replace"))
    except ValueError:
        return value
    if exact.deeper_than(parsed, DEEPEST):
        raise _unreadable("it is nested too deeply")
    return parsed


def _text(value: Any) -> str:
    """A value as text; of what is no single value, its JSON."""
    if isinstance(value, list | dict):
        return exact.dumps(value).decode()
    text = plain(value)
    return "" if text in NOTHING else text


def _first(item: Mapping[str, Any], *keys: str) -> Any:
    return next((item[key] for key in keys if item.get(key) not in (None, "")), None)


def _kind_of(ident: str) -> str:
    """Ids begin with their kind, as in `TableField_1BDACPXDIFEO0`."""
    found = KIND.match(ident)
    return found[0] if found else ""


def plain(value: Any) -> str:
    """A single value as text without blanks around it, numbers with every digit; "" for everything else."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _unreadable(said: str) -> EdgeError:
    """Not a passing trouble: the form will be the same the next time."""
    return failure("approval form", NAME, said, writes=False, now=EPOCH)
