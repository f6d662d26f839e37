"""Filters over entry rows that put up with missing values, where Jinja's own would stumble or hide them in an order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from functools import wraps
from itertools import groupby
from typing import Any, NamedTuple

from jinja2 import Environment, pass_environment
from jinja2.filters import do_int, make_attrgetter, make_multi_attrgetter

from kdsync.rules.values import MISSING, Amount, Missing
from kdsync.rules.vocabulary import LONGEST_JOINED, LONGEST_TEXT, MOST_DIGITS

_ROUNDING = {"common": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}


class Group(NamedTuple):
    """Rows that have the same value in the field they are grouped by."""

    grouper: Any
    list: list[Any]


def gathered(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """The same filter, giving a list; what Jinja gives one by one counts as true even where nothing is left."""

    @wraps(filter_)
    def gather(*values: Any, **options: Any) -> Any:
        found = filter_(*values, **options)
        return list(found) if isinstance(found, Iterator) else found

    return gather


class _Text(str):
    """A text in which nothing is what is missing."""

    __slots__ = ()

    def __contains__(self, part: object) -> bool:
        if isinstance(part, str):
            return super().__contains__(part)
        if isinstance(part, Missing):
            return False
        raise TypeError(f"'{type(part).__name__}' cannot be in text")


def whole_of(whole: Any) -> Any:
    """What stands behind `in`."""
    return _Text(whole) if isinstance(whole, str) else whole


def is_in(part: Any, whole: Any) -> bool:
    return part in whole_of(whole)


def is_none(value: Any) -> bool:
    """Kingdee's null is what is missing."""
    return value is None or isinstance(value, Missing)


def _order(value: Any, *, fold: bool = False) -> tuple[bool, Any]:
    """A sort key that puts missing values last."""
    return isinstance(value, Missing), value.lower() if fold and isinstance(value, str) else value


@pass_environment
def group_by(environment: Environment, rows: Iterable[Any], attribute: str) -> list[Group]:
    field = make_attrgetter(environment, attribute)
    ordered = sorted(rows, key=lambda row: _order(field(row)))
    return [Group(key[1], list(members)) for key, members in groupby(ordered, key=lambda row: _order(field(row)))]


@pass_environment
def sort(
    environment: Environment,
    rows: Iterable[Any],
    reverse: bool = False,
    case_sensitive: bool = False,
    attribute: str | None = None,
) -> list[Any]:
    fields = make_multi_attrgetter(environment, attribute)
    fold = not case_sensitive
    return sorted(rows, key=lambda row: [_order(value, fold=fold) for value in fields(row)], reverse=reverse)


@pass_environment
def total(environment: Environment, rows: Iterable[Any], attribute: str | None = None, start: Any = 0) -> Any:
    """The sum of what is there; a row without the value counts as nothing."""
    if isinstance(start, list | tuple):
        raise TypeError("sum adds up numbers; put lists together with +")
    field = make_attrgetter(environment, attribute)
    return sum((value for value in map(field, rows) if not isinstance(value, Missing)), start)


def _extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    @pass_environment
    def extreme(
        environment: Environment, rows: Iterable[Any], case_sensitive: bool = False, attribute: str | None = None
    ) -> Any:
        field = make_attrgetter(environment, attribute)
        there = [row for row in rows if not isinstance(field(row), Missing)]
        return choose(there, key=lambda row: _order(field(row), fold=not case_sensitive), default=MISSING)

    return extreme


def amount(value: Any, default: Any = MISSING) -> Any:
    """Text or number as an Amount; `default` where it is neither, or beyond all amounts."""
    text = repr(value) if isinstance(value, float) else str(value).strip().replace(",", "")
    try:
        number = Amount(text[: MOST_DIGITS * 2])
    except InvalidOperation:
        return default
    if len(text) > MOST_DIGITS * 2 or not number.is_finite():
        return default
    return number if abs(number.adjusted()) <= MOST_DIGITS or number == 0 else default


def whole(value: Any, default: Any = 0, base: int = 10) -> Any:
    """A whole number; one of a million digits would take minutes to print."""
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() > MOST_DIGITS:
        raise OverflowError("a number is too large")
    return do_int(value, default, base)


def together(parts: Iterable[Any]) -> str:
    """Texts joined, as `~` does."""
    return _joined(parts, "")


@pass_environment
def join(environment: Environment, parts: Iterable[Any], d: Any = "", attribute: str | None = None) -> str:
    return _joined(map(make_attrgetter(environment, attribute), parts), str(d))


def _joined(parts: Iterable[Any], between: str) -> str:
    texts, length = [], 0
    for text in map(str, parts):
        length += len(text) + len(between)
        if length > LONGEST_JOINED:
            raise ValueError("joining would make the text too long")
        texts.append(text)
    return between.join(texts)


def rounded(value: Any, precision: int = 0, method: str = "common") -> Any:
    """Half up, as accountants do; `method` may be ceil or floor."""
    if isinstance(value, Missing):
        return value
    places = max(-15, min(15, precision))
    exact = Decimal(repr(value) if isinstance(value, float) else value)
    return Amount(exact.quantize(Decimal(1).scaleb(-places), rounding=_ROUNDING[method]))


def replaced(value: Any, old: str, new: str) -> str:
    text = str(value)
    if len(text) + text.count(old) * len(new) > LONGEST_TEXT:
        raise ValueError("replacing would make the text too long")
    return text.replace(old, new)


OWN: dict[str, Callable[..., Any]] = {
    "float": amount,
    "groupby": group_by,
    "int": whole,
    "join": join,
    "max": _extreme(max),
    "min": _extreme(min),
    "replace": replaced,
    "round": rounded,
    "sort": sort,
    "sum": total,
}
