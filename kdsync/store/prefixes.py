"""What begins with some letters, asked so that an index can answer: SQLite has none for LIKE, which ignores case."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement

LAST = chr(0x10FFFF)  # sorts after all that a name may go on with


def begins_with(column: ColumnElement[Any], prefix: str) -> ColumnElement[bool]:
    """Whether a text begins so, in the same case."""
    return (column >= prefix) & (column < prefix + LAST)
