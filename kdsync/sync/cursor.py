"""How far back the next date look must reach. Only Kingdee's own dates and clock take part, never ours.

Dates are text as Kingdee prints it (`2026-11-23T10:00:00.72`, server-local, no zone); with trailing zeros trimmed such
texts sort as their moments do, so comparing them costs no parsing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DATE = re.compile(r"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?")


def server_local(moment: datetime, zone: ZoneInfo) -> str:
    """A zone-aware moment as Kingdee would print it, in whole seconds."""
    return moment.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")


def newest(dates: Iterable[Any]) -> str:
    """The newest of some raw date values; "" if none of them is a date."""
    texts = [date for date in dates if isinstance(date, str)]
    found = max(texts, default="")
    if found and not DATE.fullmatch(found):  # rare, so that the others need not be looked at
        return max(filter(DATE.fullmatch, texts), default="")
    return found


def advance(cursor: str, seen: str, ceiling: str) -> str:
    """The cursor after a look that saw `seen` as its newest date and began at `ceiling` of Kingdee's clock.

    A document dated in the future must not blind the next look, hence the ceiling; and a look that took long may have
    read a document before somebody changed it, hence the ceiling is when the look began, not when it ended. Where
    Kingdee's clock was set back, the cursor goes back with it: what people do from now on is dated by that clock.
    """
    return min(max(cursor, seen), ceiling)


def since(cursor: str, lookback: float) -> str:
    """The literal a date look starts from: `lookback` seconds before the cursor, rounded down to a whole second.

    Fractions are unsafe in literals: dates are ticks of 1/300 s (SQL Server `datetime`).
    """
    moment = datetime.fromisoformat(cursor[:19]) - timedelta(seconds=lookback)
    return moment.isoformat(sep=" ", timespec="seconds")


def horizon(cursor: str, lookback: float) -> str:
    """The same moment as Kingdee prints dates: no document that changes now is older; "" without a cursor."""
    return since(cursor, lookback).replace(" ", "T") if cursor else ""


def leaps(cursor: str, newest: str, lookback: float) -> bool:
    """Whether going from `cursor` to `newest` would leave behind what a page that was cut short did not show.

    What is dated after the cursor stays within reach of the looks to come as long as it moves by less than `lookback`.
    """
    return cursor < horizon(newest, lookback)


def ahead(ceiling: str, lookback: float) -> str:
    """The moment after which a date lies in the future, whatever the clocks of several servers are apart."""
    return since(ceiling, -lookback).replace(" ", "T")


def date_filter(dates: tuple[str, ...], cursor: str, lookback: float) -> str:
    """FilterString of the documents one of whose dates is not older than the cursor less `lookback`."""
    moment = since(cursor, lookback)
    return " or ".join(f"{key}>='{moment}'" for key in dates)


def open_filter(status: str, alive: str | None) -> str:
    """FilterString of the open documents: not approved, or approved and matching the form's own filter.

    A status that was never set is one blank, as every empty text is.
    """
    undecided = f"{status} in ('Z','A','B','D',' ')"
    return f"{undecided} or ({status}='C' and ({alive}))" if alive else undecided
