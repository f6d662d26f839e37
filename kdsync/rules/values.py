"""How rules see Kingdee's values: exact amounts, dates with a zone, and missing values that break nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import ChainableUndefined

from kdsync.model import Document, Raw
from kdsync.rules.vocabulary import LONGEST_VALUE, MOST_FIELDS

ENTRIES = "entries"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?", re.ASCII)
_NO_DATE = "0001-01-01T"  # .NET's empty date
_LARGEST = 60  # digits before or after the point; Kingdee's amounts have 28


def _exact(other: object) -> Decimal | None:
    if isinstance(other, float):
        return Decimal(repr(other))
    return Decimal(other) if isinstance(other, int | Decimal) else None


def _operation(name: str) -> Callable[[Any, Any], Any]:
    plain = getattr(Decimal, name)

    def operation(self: Decimal, other: object) -> Any:
        exact = _exact(other)
        return NotImplemented if exact is None else Amount(plain(self, exact))

    return operation


def _comparison(name: str) -> Callable[[Any, Any], Any]:
    plain = getattr(Decimal, name)

    def comparison(self: Decimal, other: object) -> Any:
        exact = _exact(other)
        return NotImplemented if exact is None else plain(self, exact)

    return comparison


class Amount(Decimal):
    """A decimal number that a rule may mix with any other number; a float counts as the decimal it is written as."""

    __slots__ = ()

    __add__, __radd__ = _operation("__add__"), _operation("__radd__")
    __sub__, __rsub__ = _operation("__sub__"), _operation("__rsub__")
    __mul__, __rmul__ = _operation("__mul__"), _operation("__rmul__")
    __truediv__, __rtruediv__ = _operation("__truediv__"), _operation("__rtruediv__")
    __floordiv__, __rfloordiv__ = _operation("__floordiv__"), _operation("__rfloordiv__")
    __mod__, __rmod__ = _operation("__mod__"), _operation("__rmod__")
    __pow__, __rpow__ = _operation("__pow__"), _operation("__rpow__")  # type: ignore[assignment]
    __lt__, __le__ = _comparison("__lt__"), _comparison("__le__")
    __gt__, __ge__ = _comparison("__gt__"), _comparison("__ge__")
    __eq__, __ne__ = _comparison("__eq__"), _comparison("__ne__")
    __hash__ = Decimal.__hash__

    def __neg__(self) -> Amount:
        return Amount(super().__neg__())

    def __pos__(self) -> Amount:
        return Amount(super().__pos__())

    def __abs__(self) -> Amount:
        return Amount(super().__abs__())

    def __str__(self) -> str:
        """Without an exponent, as people write amounts."""
        return format(self, "f") if self.is_finite() and abs(self.adjusted()) <= _LARGEST else super().__str__()

    def __format__(self, spec: str, *_: object) -> str:
        return super().__format__(spec) if spec else str(self)

    def __repr__(self) -> str:
        return f"Amount('{self}')"


class Missing(ChainableUndefined):
    """A value that is not there: falsy, prints as nothing, and whatever is done with it is missing too."""

    __slots__ = ()

    def _missing(self, *_: object) -> Missing:
        return self

    def _no(self, _: object) -> bool:
        return False

    def _no_number(self) -> Any:
        raise TypeError("a missing value is no number")

    def __getattr__(self, name: str) -> Missing:
        if name.startswith("__"):  # Python asks for its own protocols this way
            raise AttributeError(name)
        return self

    def __getitem__(self, _: object) -> Missing:  # type: ignore[override]
        return self

    def __call__(self, *_: object, **__: object) -> Missing:  # type: ignore[override]
        return self

    def __eq__(self, other: object) -> bool:
        return other is None or other == "" or isinstance(other, Missing)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = ChainableUndefined.__hash__
    __lt__ = __le__ = __gt__ = __ge__ = _no  # type: ignore[assignment]
    __add__ = __radd__ = __sub__ = __rsub__ = _missing  # type: ignore[assignment]
    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _missing  # type: ignore[assignment]
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _missing  # type: ignore[assignment]
    __pow__ = __rpow__ = __neg__ = __pos__ = __abs__ = _missing  # type: ignore[assignment]
    __int__ = __float__ = __complex__ = _no_number

    def __repr__(self) -> str:
        return "Missing"


MISSING = Missing()


class Reference:
    """A field with fields of its own: `doc.FSupplierId` is the id, `doc.FSupplierId.FName` the name."""

    _record: Record
    _key: str

    def of(self, record: Record, key: str) -> Reference:
        self._record, self._key = record, key
        return self

    def part(self, name: str) -> Any:
        """The value of one of its fields."""
        return self._record.value(f"{self._key}.{name}")


class NumberReference(int, Reference):
    """An id that is a number."""


class TextReference(str, Reference):
    """An id that is text."""

    __slots__ = ()


class MissingReference(Missing, Reference):
    """An id that was not asked for, or is unset."""


class Record:
    """A document or an entry row, its values by field key; found first as written, then in any case."""

    __slots__ = ("_entries", "_index", "_label", "_left", "_rows", "_values", "_zone")

    def __init__(
        self,
        values: Mapping[str, Raw],
        zone: ZoneInfo,
        rows: Sequence[Mapping[str, Raw]] = (),
        label: str = "",
        left: list[int] | None = None,
    ) -> None:
        self._left = left or [MOST_FIELDS]  # looks at fields; a document and its rows share them
        self._values = values
        self._zone = zone
        self._rows = rows
        self._label = label
        self._index: _Index | None = None
        self._entries: list[Record] | None = None

    @classmethod
    def of(cls, document: Document, zone: ZoneInfo) -> Record:
        """The document; its dates are in `zone`, the server's."""
        return cls(document.values, zone, document.entries, document.number)

    def value(self, key: object) -> Any:
        """The value of a field, its entry rows for `entries`, MISSING for what is not there."""
        if key == ENTRIES:
            return self.entries
        if not isinstance(key, str):
            return MISSING
        self._left[0] -= 1
        if self._left[0] < 0:
            raise ValueError(f"it looks at more than {MOST_FIELDS:,} fields")
        index = self._index = self._index or _index(tuple(self._values))
        if key not in self._values:
            key = index.spelling.get(key.lower(), key)
        value = value_of(self._values.get(key), self._zone)
        return _reference(value).of(self, key) if key.lower() in index.references else value

    @property
    def entries(self) -> list[Record]:
        if self._entries is None:
            self._entries = [Record(row, self._zone, left=self._left) for row in self._rows]
        return self._entries

    def __str__(self) -> str:
        return self._label

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("a document is no list; its rows are its entries")


def _reference(value: Any) -> Any:
    if isinstance(value, str):
        return TextReference(value)
    return NumberReference(value) if isinstance(value, int) else MissingReference()


class _Index:
    """What can be known of a record from its keys alone."""

    __slots__ = ("references", "spelling")

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.spelling = {key.lower(): key for key in reversed(keys)}
        self.references = {key[:dot].lower() for key in keys for dot, character in enumerate(key) if character == "."}


_index = lru_cache(maxsize=512)(_Index)


def value_of(raw: Raw, zone: ZoneInfo) -> Any:
    """One raw value as rules see it.

    int and bool stay; other numbers become Amount; `YYYY-MM-DDTHH:MM:SS[.fff]` a datetime in `zone`; None and blank
    text MISSING; other text loses its trailing blanks. A number beyond any amount stays the text it was.
    """
    if isinstance(raw, str):
        return _text(raw, zone)
    if raw is None:
        return MISSING
    return raw if isinstance(raw, int) else _amount(raw)


def _text(raw: str, zone: ZoneInfo) -> Any:
    text = raw.rstrip()[:LONGEST_VALUE]
    if not text.lstrip():
        return MISSING
    if text[10:11] != "T" or not _DATE.fullmatch(text):
        return text
    if text.startswith(_NO_DATE):
        return MISSING
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        return text


def _amount(raw: float | Decimal) -> Any:
    number = Amount(repr(raw) if isinstance(raw, float) else raw)
    return number if number.is_finite() and abs(number.adjusted()) <= _LARGEST else str(raw)
