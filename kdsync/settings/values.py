"""Values that YAML writes as text: durations, times of day, zones and secrets."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import SecretStr, ValidationInfo

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(value: Any) -> float:
    """`500ms 10s 5m 4h 3d` in seconds."""
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d)", value) if isinstance(value, str) else None
    if not found:
        raise ValueError("not a duration; write one like 500ms, 10s, 5m, 4h or 3d")
    return int(found[1]) * UNITS[found[2]]


def times_of_day(value: Any) -> tuple[int, int]:
    """`"09:00-18:00"` as minutes after midnight; the second may be before the first (overnight)."""
    clock = r"([01]\d|2[0-3]):([0-5]\d)"
    found = re.fullmatch(f"{clock}-{clock}", value) if isinstance(value, str) else None
    if not found:
        raise ValueError('not a span of hours; write one like "09:00-18:00"')
    return int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])


def zone(value: Any) -> ZoneInfo:
    """An IANA time zone such as `Asia/Shanghai`."""
    try:
        return ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not a time zone; write one like Asia/Shanghai") from None


def resolve_secret(value: Any, info: ValidationInfo) -> SecretStr:
    """`{env: NAME}`, `{file: PATH}` or `{credential: NAME}`, read through the `secrets` of the validation context."""
    reader = (info.context or {}).get("secrets")
    if reader is None:
        raise ValueError("secrets can only be read while a file is loaded")
    return SecretStr(reader(value))
