"""JSON without loss: amounts keep every digit, at the speed of orjson."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import orjson

LONG_NUMBER = re.compile(rb"[0-9][0-9.]{16}")  # 16 significant digits or more may not survive a float


def loads(data: bytes) -> Any:
    """Parse JSON. Numbers with many digits make the whole text come with `Decimal`s; others fit a float exactly.

    Raises ValueError.
    """
    if LONG_NUMBER.search(data):
        return json.loads(data, parse_float=Decimal)
    return orjson.loads(data)


def dumps(value: Any) -> bytes:
    """The JSON of raw values; `Decimal`s become numbers with all their digits."""
    return orjson.dumps(value, default=_exact)


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"{type(value).__name__} is not JSON")
