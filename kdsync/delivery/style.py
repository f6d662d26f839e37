"""How messages print values: numbers, dates and names of a status by language, escaped for where they stand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from enum import Enum
from itertools import islice
from typing import Any

from jinja2 import Undefined

from kdsync.delivery import escaping, words
from kdsync.model import Status

MOST_ITEMS = 100  # of a printed list
_PLACES = range(11)  # how many decimal places a filter may ask for
_DIGITS = Context(prec=100)
_STATUSES = frozenset(Status)
_LINKS = ("https://", "http://", "dingtalk://")


class Place(Enum):
    """Where a value is printed."""

    TITLE = "title"
    BODY = "body"
    LINK = "link"


_ESCAPE: dict[Place, Callable[[str], str]] = {
    Place.TITLE: escaping.plain,
    Place.BODY: escaping.markdown,
    Place.LINK: escaping.part_of_url,
}


class Ready(str):
    """Text that is printed as it is. Whatever is made of it is plain text again."""

    __slots__ = ()


class Style:
    """The filters of messages and the printing of values, in one language and one place."""

    def __init__(self, locale: str, place: Place) -> None:
        self._locale = locale
        self._place = place

    def show(self, value: Any) -> str:
        """What is printed for a value."""
        return str(value) if isinstance(value, Ready) else _ESCAPE[self._place](self._text(value))

    def as_written(self, value: str) -> str:
        """The operator's own words."""
        return Ready(value)

    def money(self, value: Any, *how: str | int) -> Any:
        """1,234,567.50; how many decimal places (2) and which currency, in any order, if given."""
        places = next((item for item in how if isinstance(item, int)), 2)
        currency = next((item for item in how if isinstance(item, str)), "")
        amount = _decimal(value)
        return value if amount is None else f"{currency} {_grouped(amount, places)}".lstrip()

    def number(self, value: Any, places: int | None = None) -> Any:
        """1,234,567.5, with all its decimal places or as many as asked for."""
        amount = _decimal(value)
        if amount is None:
            return value
        if places is not None:
            return _grouped(amount, places)
        text = f"{amount:,f}"
        return text.rstrip("0").rstrip(".") if "." in text else text

    def date(self, value: Any) -> Any:
        """2026-11-23, 23 Nov 2026 or 23/11/2026."""
        return words.day(value, self._locale) if isinstance(value, dt.date) else value

    def time(self, value: Any) -> Any:
        """09:30."""
        return f"{value:%H:%M}" if isinstance(value, dt.datetime | dt.time) else value

    def datetime(self, value: Any) -> Any:
        """Date and time."""
        return f"{self.date(value)} {self.time(value)}" if isinstance(value, dt.datetime) else value

    def status(self, value: Any) -> Any:
        """The name of a status letter."""
        return words.status(value, self._locale) if isinstance(value, str) and value in _STATUSES else value

    def link(self, text: Any, target: Any) -> str:
        """`[text](target)` in a body; the text alone where there are no links, or where the target is none."""
        address = escaping.url(self._text(target))
        if self._place is not Place.BODY or not address.startswith(_LINKS):
            return self._text(text)
        return Ready(f"[{self.show(text) or address}]({address})")

    def urlencode(self, value: Any) -> str:
        """A value as part of a URL."""
        return Ready(escaping.part_of_url(self._text(value)))

    def _text(self, value: Any) -> str:
        if isinstance(value, bool):
            return words.words("yes" if value else "no", self._locale)
        if isinstance(value, dt.datetime):
            return str(self.datetime(value) if value.time() != dt.time() else self.date(value))
        if isinstance(value, dt.date):
            return str(self.date(value))
        if value is None or isinstance(value, str | Undefined):
            return str(value or "")
        if isinstance(value, Iterable) and not isinstance(value, dict):
            return self._list(value)
        return str(value)

    def _list(self, values: Iterable[Any]) -> str:
        items = [self._text(item) for item in islice(values, MOST_ITEMS + 1)]
        more = ["…"] if len(items) > MOST_ITEMS else []
        return words.words("comma", self._locale).join(items[:MOST_ITEMS] + more)


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = Decimal(str(value).replace(",", ""))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < _DIGITS.prec // 2 else None


def _grouped(amount: Decimal, places: int) -> str:
    digits = max(_PLACES[0], min(_PLACES[-1], places))
    rounded = amount.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP, context=_DIGITS)
    return f"{rounded:,f}"
