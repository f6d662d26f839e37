"""How Kingdee keeps and shows values: dates in ticks of a 300th of a second, blanks, amounts, base data.

The fractions in public captures of Kingdee's answers (.393, .647, .38, .007) are those of SQL Server's `datetime`, and
their trailing zeros are cut. Such texts sort as the moments do, so they are also what the tables hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from kdsync.simulator.kingdee_forms import Field, Kind

Stored = str | int | None

LITERAL = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2})?)(\.\d{1,3})?)?")
BLANK = " "


def show_moment(moment: datetime) -> str:
    """A naive local time as Kingdee prints it, rounded to its tick."""
    ticks = round(moment.microsecond * 300 / 1_000_000)
    whole = moment.replace(microsecond=0) + timedelta(seconds=ticks // 300)
    fraction = f".{round(ticks % 300 * 10 / 3):03d}".rstrip("0").rstrip(".")
    return whole.strftime("%Y-%m-%dT%H:%M:%S") + fraction


@lru_cache(maxsize=4096)
def read_moment(text: str) -> str:
    """A date literal as `show_moment` prints it. ValueError for a text that SQL Server does not take for a date."""
    found = LITERAL.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no date")
    day, clock, fraction = found.groups()
    moment = datetime.fromisoformat(f"{day}T{clock or '00:00'}")
    return show_moment(moment + timedelta(seconds=float(fraction or 0)))


def show_amount(value: Decimal | float | str) -> str:
    """The JSON text of an amount: every digit, no trailing zeros, one decimal at least."""
    try:
        text = format(Decimal(str(value)), "f")
    except InvalidOperation:
        raise ValueError(f"{value!r} is no amount") from None
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0') or '0'}"


def store(item: Field, value: Any, zone: tzinfo) -> tuple[Stored, ...]:
    """The values of the field's columns. ValueError where `value` is nothing that the field can hold."""
    if item.kind is Kind.REFERENCE:
        return _store_reference(item, value)
    return (store_plain(item.kind, value, zone),)


def store_plain(kind: Kind, value: Any, zone: tzinfo) -> Stored:
    """The stored form of a value that is no base data."""
    match kind:
        case Kind.TEXT:
            return ("" if value is None else str(value).rstrip()) or BLANK
        case Kind.INTEGER:
            return int(value or 0)
        case Kind.AMOUNT:
            return show_amount(value or 0)
        case Kind.FLAG:
            return int(value in (True, 1, "1", "true", "True"))
        case _:
            return None if value in (None, "", BLANK) else _store_date(kind, value, zone)


def _store_date(kind: Kind, value: Any, zone: tzinfo) -> str:
    if isinstance(value, datetime):
        local = value.astimezone(zone).replace(tzinfo=None) if value.tzinfo else value
        text = show_moment(local)
    elif isinstance(value, date):
        text = f"{value.isoformat()}T00:00:00"
    else:
        text = read_moment(str(value))
    return f"{text[:10]}T00:00:00" if kind is Kind.DATE else text


def _store_reference(item: Field, value: Any) -> tuple[Stored, ...]:
    if value in (None, 0, "", BLANK):
        return (0, *(None for _ in item.properties))
    if not isinstance(value, Mapping):
        return (value, *(None for _ in item.properties))
    unknown = set(value) - {"id", *item.properties}
    if "id" not in value or unknown:
        raise ValueError(f"{item.key} takes id and {', '.join(item.properties)}, not {sorted(value)}")
    return (value["id"], *(value.get(name) for name in item.properties))


def show(kind: Kind, stored: Stored) -> Any:
    """A stored value as Python sees it in Kingdee's JSON."""
    if kind is Kind.AMOUNT:
        return Decimal(str(stored))
    return bool(stored) if kind is Kind.FLAG else stored
