"""Durations as YAML writes them, `500ms 10s 5m 4h 3d`, and in seconds as everything else takes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

LENGTH = "[0-9]{1,9}(ms|s|m|h|d)"
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(value: Any, info: ValidationInfo) -> float:
    """`500ms 10s 5m 4h 3d` in seconds."""
    if isinstance(value, float) and info.mode == "python" and not info.context:
        return value
    if not isinstance(value, str) or not re.fullmatch(LENGTH, value):
        raise ValueError("is not a duration; write one like 500ms, 10s, 5m, 4h or 3d")
    return in_seconds(value)


def in_seconds(text: str) -> float:
    """A number and its unit, such as `5m`."""
    unit = text.lstrip("0123456789")
    return int(text.removesuffix(unit)) * UNITS[unit]


def written_duration(seconds: float) -> str:
    """The shortest way to write so many seconds."""
    thousandths = round(seconds * 1000)
    unit = next(unit for unit in ("d", "h", "m", "s", "ms") if thousandths % round(UNITS[unit] * 1000) == 0)
    return f"{thousandths // round(UNITS[unit] * 1000)}{unit}"


def between(low: str, high: str) -> Callable[[float], float]:
    """A check that a duration lies between two others."""
    least, most = in_seconds(low), in_seconds(high)

    def check(seconds: float) -> float:
        if not least <= seconds <= most:
            raise ValueError(f"must be between {low} and {high}")
        return seconds

    return check


Seconds = Annotated[
    float,
    BeforeValidator(duration),
    PlainSerializer(written_duration),
    WithJsonSchema({"type": "string", "pattern": f"^{LENGTH}$", "examples": ["500ms", "10s", "5m", "4h", "3d"]}),
]
