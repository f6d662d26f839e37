"""When two values of Kingdee are the same content, however they are written.

`1`, `1.0` and `"1.00"` are equal, and so are null, "" and " " (the platform stores empty text as one blank). Unlike
numbers, codes keep their leading zeros: "007" is not 7.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


def canonical(value: Any) -> Any:
    """A hashable stand-in for the content of one raw value; equal content has equal stand-ins."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value.rstrip()
        return (Decimal(text) if NUMBER.fullmatch(text) else text) if text else None
    if isinstance(value, float):
        return Decimal(repr(value))
    return value


def same(one: Any, other: Any) -> bool:
    """Whether two raw values are the same content."""
    return bool(one == other) or canonical(one) == canonical(other)


def differing(old: Sequence[Any], new: Sequence[Any]) -> list[int]:
    """The positions at which two equally long lists of raw values differ in content."""
    return [
        at
        for at, (one, other) in enumerate(zip(old, new, strict=True))
        if one != other and canonical(one) != canonical(other)
    ]
