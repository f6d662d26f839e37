"""JSON without loss: amounts keep every digit, at the speed of orjson."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import orjson

INEXACT = re.compile(rb"(?:^|[\[,:\s-])(?:(?=[0-9.]{17})[0-9]+\.|[0-9]{19})")
"""A number whose digits a float (or 64 bits) may not hold: 16 digits with a point among them, or 19 without."""

LARGEST = 2**63
_ZEROS = bytes(ord("0") if chr(byte) in "0123456789." else ord(" ") for byte in range(256))
_LONG = b"0" * 17


def loads(data: bytes) -> Any:
    """Parse JSON; where a number has too many digits for a float or 64 bits, such numbers come as `Decimal`.

    Raises ValueError.
    """
    if not (_has_long_number(data) and INEXACT.search(data)):
        return orjson.loads(data)
    try:
        return json.loads(data.decode(), parse_float=Decimal, parse_int=_integer)
    except (RecursionError, ArithmeticError) as error:
        raise ValueError(str(error)) from error


def _has_long_number(data: bytes) -> bool:
    """Whether anything in it is as long as an inexact number; thirty times as fast as the expression that is sure."""
    return _LONG in data.translate(_ZEROS)


def _integer(text: str) -> int | Decimal:
    number = int(text)
    return number if -LARGEST <= number < LARGEST else Decimal(text)


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"{type(value).__name__} is not JSON")


dumps: Callable[[Any], bytes] = partial(orjson.dumps, default=_exact)
"""The JSON of raw values; `Decimal`s become numbers with all their digits."""
