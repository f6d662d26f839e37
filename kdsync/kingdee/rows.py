"""The rows of a query as they can be lived with: as wide as asked for, each with a key, and only single values in them.

A row that is none of that is left out and named, so that one of them does not blind kdsync to the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import chain
from types import NoneType
from typing import Any

from kdsync import exact
from kdsync.kingdee.answer import expect_list, unexpected

KEYS = frozenset({int, str, Decimal})
SINGLE = KEYS | {float, bool, NoneType}
NO_KEYS = frozenset({0, "", " "})
FEW = 10
LONGEST_KEY = 200  # characters
DEEPEST = 100

Rows = list[list[Any]]


def checked(value: Any, width: int, *, strictly: bool) -> tuple[Rows, tuple[str, ...]]:
    """The rows of an answer, and the keys of those that cannot be read ("" where not even that can be told).

    A list or mapping in place of a value becomes its JSON. `strictly` takes all rows or none. EdgeError where the
    answer is no list, or none of many rows can be read: then it is the query that is wrong, and not a document.
    """
    rows = expect_list(value, "the answer to a query")
    if _whole(rows, width):
        return rows, ()
    found = [(row, _readable(row, width)) for row in rows]
    good = [readable for _, readable in found if readable is not None]
    unreadable = tuple(_key_of(row) for row, readable in found if readable is None)
    if unreadable and (strictly or not (good or len(unreadable) <= FEW)):
        raise unexpected(f"a row of a query should be a list of {width} values, the first being its key")
    return good, unreadable


def _whole(rows: Sequence[Any], width: int) -> bool:
    """Whether nothing is wrong with any of the rows; a page is asked a thousand times for each time that it is not."""
    if not rows:
        return True
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {width}:
        return False
    if not SINGLE.issuperset(map(type, chain.from_iterable(rows))):
        return False
    keys = [row[0] for row in rows]
    return (set(map(type, keys)) == {int} and 0 not in keys) or all(map(_is_key, keys))


def _readable(row: Any, width: int) -> list[Any] | None:
    if not isinstance(row, list) or len(row) != width or not _is_key(row[0]):
        return None
    single = [_single(value) for value in row]
    return None if any(type(value) not in SINGLE for value in single) else single


def _is_key(value: Any) -> bool:
    return type(value) in KEYS and value not in NO_KEYS and len(str(value)) <= LONGEST_KEY and bool(str(value).strip())


def _single(value: Any) -> Any:
    if isinstance(value, list | dict) and not exact.deeper_than(value, DEEPEST):
        return exact.dumps(value).decode()
    return value


def _key_of(row: Any) -> str:
    return str(row[0]) if isinstance(row, list) and row and _is_key(row[0]) else ""
