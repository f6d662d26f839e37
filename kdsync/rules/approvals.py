"""How `intake:` sees an approval: its form's fields by name, as amounts, dates, people and rows, each read strictly.

What somebody typed is understood in the ways that people write amounts and dates, and where it can be read in two ways
it is refused: a document with a wrong amount is worse than none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from jinja2 import StrictUndefined
from jinja2.runtime import Undefined

from kdsync.rules.mistakes import ExpressionError
from kdsync.rules.values import MISSING, Amount

NUMBERS = frozenset({"NumberField", "MoneyField", "CalculateField", "StarRatingField"})
DATES, DATE_RANGE, TABLE = "DDDateField", "DDDateRangeField", "TableField"
NOTE = "TextNote"  # what the form says, not who fills it in
PEOPLE = frozenset({"InnerContactField", "ExternalContactField"})
DEPARTMENTS = "DepartmentField"
CURRENCY = r"(?:(?:[¥$€£₫₩元]|RMB|CNY|USD|EUR|HKD|VND|JPY) *)?"
DIGITS = r"(?:\d{1,40}|\d{1,3}([, ])\d{3}(?:\3\d{3}){0,11})(?:\.\d{1,20})?"
NUMBER = re.compile(rf"{CURRENCY}([-+]?) *{CURRENCY}({DIGITS}) *{CURRENCY}", re.ASCII | re.IGNORECASE)
DAY = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ]+(?:(\d{1,2}):(\d{2})(?::(\d{2}))?|上午|下午))?", re.ASCII
)
MOST_NAMES = 12  # of fields that a hint lists

Kind = Literal["employee", "user", "department"]


class Cell(Protocol):
    """A field of an approval's form, as the edge hands it out (`dingtalk.components.Component`)."""

    @property
    def kind(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def items(self) -> tuple[str, ...]: ...
    @property
    def people(self) -> tuple[str, ...]: ...
    @property
    def departments(self) -> tuple[str, ...]: ...
    @property
    def cells(self) -> Sequence[Mapping[str, Cell]]: ...


@dataclass(frozen=True, slots=True)
class Lookup:
    """Stands for the number that somebody or a department has in Kingdee; `ident` is DingTalk's id."""

    kind: Kind
    ident: str
    name: str = ""

    def __str__(self) -> str:
        raise ValueError(f"what '| {self.kind}' gives stands alone, not inside a text")


class People(str):
    """The names of people, with their userids."""

    __slots__ = ("ids",)
    ids: tuple[str, ...]


class Departments(str):
    """The names of departments, with their ids."""

    __slots__ = ("ids",)
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """`approval` in expressions; its times are in the server's zone, missing where DingTalk tells none."""

    id: str
    business_id: str
    title: str
    process: str
    department: Any
    created_at: Any
    finished_at: Any


class Fields:
    """`form`, or a `row` of one of its tables: values by the name of the field. `what` says which it is."""

    __slots__ = ("_cells", "_zone", "what")

    def __init__(self, cells: Mapping[str, Cell], zone: ZoneInfo, what: str = "the approval") -> None:
        self._cells, self._zone, self.what = cells, zone, what

    def __getitem__(self, name: object) -> Any:
        """The value; one that stumbles when it is used where there is no such field, so that `default` still helps."""
        cell = self._cells.get(name) if isinstance(name, str) else None
        if cell is None:
            return StrictUndefined(hint=f"{self.what} has no field {name}; it has {self._names()}")
        return typed(cell, self._zone, str(name))

    def table(self, name: str) -> list[Fields]:
        """The rows of a table that somebody filled in; ExpressionError where there is no such table."""
        cell = self._cells.get(name)
        if cell is None or cell.kind != TABLE:
            has = f"it has {self._names()}" if cell is None else f"it is a {cell.kind}"
            raise ExpressionError(f"{self.what} has no table {name}; {has}")
        return rows_of(cell, self._zone, name)

    def __str__(self) -> str:
        raise ValueError("name one of its fields, such as form['金额']")

    def _names(self) -> str:
        names = list(self._cells)
        return ", ".join(names[:MOST_NAMES]) + (", …" if len(names) > MOST_NAMES else "") if names else "none"

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in any of the fields, as in a row of a table that nobody filled in."""
        filled_in = (cell for cell in self._cells.values() if cell.kind != NOTE)
        return not any(cell.text.strip() or cell.people or cell.departments for cell in filled_in)


def typed(cell: Cell, zone: ZoneInfo, name: str) -> Any:
    """The value of a field by its kind; ValueError where it does not hold what its kind says."""
    if cell.kind == TABLE:
        return rows_of(cell, zone, name)
    if cell.kind in PEOPLE and (cell.people or cell.text):
        return named(People, cell.text, cell.people)
    if cell.kind == DEPARTMENTS and (cell.departments or cell.text):
        return named(Departments, cell.text, cell.departments)
    return _of_text(cell, cell.text.strip(), zone)


def _of_text(cell: Cell, text: str, zone: ZoneInfo) -> Any:
    if not text:
        return MISSING
    if cell.kind in NUMBERS:
        return amount(text)
    if cell.kind == DATES:
        return moment(text, zone)
    if cell.kind == DATE_RANGE:
        return [moment(item, zone) if item else MISSING for item in cell.items]
    return text


def rows_of(cell: Cell, zone: ZoneInfo, name: str) -> list[Fields]:
    """The rows of a table that somebody filled in."""
    rows = (Fields(row, zone, f"row {place} of {name}") for place, row in enumerate(cell.cells, 1))
    return [row for row in rows if not row.is_empty]


def named(kind: Callable[[str], Any], text: str, ids: tuple[str, ...]) -> Any:
    """Names of people or departments, with their ids."""
    found = kind(text)
    found.ids = ids
    return found


def amount(value: Any) -> Any:
    """A number, or what people write for one: thousands separators, currency signs and full-width digits go."""
    if isinstance(value, Undefined) or (isinstance(value, int | Amount) and not isinstance(value, bool)):
        return _used(value)
    written = _half_width(str(value))
    if not written:
        return MISSING
    found = NUMBER.fullmatch(written)
    if not found:
        raise ValueError(f"'{str(value)[:40]}' is no amount; write it as 1234.50 or 1,234.50")
    return Amount(re.sub("[, ]", "", found[1] + found[2]))


def day(value: Any) -> Any:
    """The date of a time, or of what people write for one."""
    if isinstance(value, Undefined):
        return _used(value)
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else _read(str(value)).date()


def moment(text: str, zone: ZoneInfo) -> date | datetime:
    """A date such as 2026-11-28, or a time such as 2026-11-28 09:30, which is in `zone`."""
    read = _read(text)
    return read.replace(tzinfo=zone) if ":" in _half_width(text) else read.date()


def employee(value: Any) -> Any:
    """The employee of Kingdee who that person is."""
    return _sought("employee", value, People, "person")


def user(value: Any) -> Any:
    """The user of Kingdee who that person is."""
    return _sought("user", value, People, "person")


def department(value: Any) -> Any:
    """The department of Kingdee that it is."""
    return _sought("department", value, Departments, "department")


def _sought(kind: Kind, value: Any, expected: type[People | Departments], noun: str) -> Any:
    if isinstance(value, Undefined):
        return _used(value)
    if not isinstance(value, expected):
        raise TypeError(f"'{str(value)[:40]}' is no {noun}; '| {kind}' is for fields in which one chooses a {noun}")
    if len(value.ids) != 1:
        raise ValueError(f"'{str(value)[:40]}' should be one {noun}, and is {len(value.ids) or 'not told by its id'}")
    return Lookup(kind, value.ids[0], "" if value == value.ids[0] else str(value))


def _used(value: Any) -> Any:
    """The same, missing or not; a field that the form does not have stumbles."""
    if isinstance(value, StrictUndefined):
        bool(value)
    return value


def _read(text: str) -> datetime:
    found = DAY.fullmatch(_half_width(text))
    if not found:
        raise ValueError(f"'{text[:40]}' is no date; write it as 2026-11-28")
    try:
        return datetime(*(int(part or 0) for part in found.groups()))  # type: ignore[arg-type]  # noqa: DTZ001  # its zone is the caller's business
    except ValueError:
        raise ValueError(f"'{text[:40]}' is no date that there is") from None


def _half_width(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


FILTERS: Mapping[str, Callable[[Any], Any]] = {
    "amount": amount,
    "date": day,
    "department": department,
    "employee": employee,
    "user": user,
}
