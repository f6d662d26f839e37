from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jinja2 import Undefined

from kdsync.delivery.style import Place, Style

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 3, 12, 5, 9, tzinfo=SHANGHAI)
MIDNIGHT = datetime(2026, 11, 3, tzinfo=SHANGHAI)
ENGLISH = Style("en", Place.BODY)


@pytest.mark.parametrize(
    ("value", "how", "shown"),
    [
        (Decimal("1234567.5"), (), "1,234,567.50"),
        (1234, (), "1,234.00"),
        (0.125, (), "0.13"),
        (Decimal("2.675"), (), "2.68"),
        (-1234.5, (), "-1,234.50"),
        (Decimal("1234.5"), ("USD",), "USD 1,234.50"),
        (Decimal("1234.5"), (0,), "1,235"),
        (Decimal("1234.5"), ("VND", 0), "VND 1,235"),
        (Decimal("1234.5"), (3, "KWD"), "KWD 1,234.500"),
        ("1,234.5", (), "1,234.50"),
        (Decimal("1E+30"), (), "1,000,000,000,000,000,000,000,000,000,000.00"),
        (1, (99,), "1.0000000000"),
        ("n/a", (), "n/a"),
        (True, (), "yes"),
        (Undefined(), (), ""),
        (None, (), ""),
    ],
)
def test_money(value: Any, how: tuple[Any, ...], shown: str) -> None:
    assert ENGLISH.show(ENGLISH.money(value, *how)) == shown


@pytest.mark.parametrize(
    ("value", "places", "shown"),
    [
        (Decimal("1234567.500"), None, "1,234,567.5"),
        (Decimal("1200.00"), None, "1,200"),
        (1200, None, "1,200"),
        (Decimal("1.005"), 2, "1.01"),
        (Decimal("1E+6"), None, "1,000,000"),
        ("x", None, "x"),
    ],
)
def test_number(value: Any, places: int | None, shown: str) -> None:
    assert ENGLISH.number(value, places) == shown


@pytest.mark.parametrize(
    ("locale", "day", "moment"),
    [
        ("zh", "2026-11-03", "2026-11-03 12:05"),
        ("en", "3 Nov 2026", "3 Nov 2026 12:05"),
        ("vi", "03/11/2026", "03/11/2026 12:05"),
    ],
)
def test_dates_are_written_as_the_reader_writes_them(locale: str, day: str, moment: str) -> None:
    style = Style(locale, Place.TITLE)
    assert style.date(NOON) == style.date(date(2026, 11, 3)) == style.show(MIDNIGHT) == day
    assert style.datetime(NOON) == style.show(NOON) == moment
    assert style.time(NOON) == style.time(time(12, 5)) == "12:05"


@pytest.mark.parametrize("name", ["date", "time", "datetime", "status", "number", "money"])
def test_what_is_not_there_prints_as_nothing(name: str) -> None:
    for nothing in (Undefined(), None, ""):
        assert ENGLISH.show(getattr(ENGLISH, name)(nothing)) == ""


@pytest.mark.parametrize(("letter", "name"), [("A", "Đã tạo"), ("C", "Đã duyệt"), ("X", "X"), (7, "7")])
def test_status(letter: Any, name: str) -> None:
    style = Style("vi", Place.TITLE)
    assert style.show(style.status(letter)) == name


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a*b", r"a\*b"),
        (Decimal("10.50"), "10.50"),
        (True, "yes"),
        (None, ""),
        (["a", Decimal(1), None], "a, 1,"),
        ((item for item in "ab"), "a, b"),
        (timedelta(days=2), "2 days, 0:00:00"),
        ({"k": 1}, "{'k': 1}"),
    ],
)
def test_a_printed_value(value: Any, shown: str) -> None:
    assert ENGLISH.show(value) == shown


def test_a_printed_list_ends_somewhere() -> None:
    assert ENGLISH.show(["x"] * 5000) == ", ".join(["x"] * 100 + ["…"])
    assert ENGLISH.show(["a", ["b", ["c"]]]) == "a, b, c"


def test_a_link_in_a_body() -> None:
    assert ENGLISH.show(ENGLISH.link("A [1]", "https://e/x y")) == r"[A \[1\]](https://e/x%20y)"
    assert ENGLISH.show(ENGLISH.link("", "https://e")) == "[https://e](https://e)"


@pytest.mark.parametrize("target", ["javascript:alert(1)", "", None, "e.com", " ftp://e"])
def test_a_link_to_nowhere_is_its_text(target: str | None) -> None:
    assert ENGLISH.show(ENGLISH.link("A*", target)) == r"A\*"


def test_a_link_in_a_title_is_its_text() -> None:
    style = Style("en", Place.TITLE)
    assert style.show(style.link("A [1]", "https://e")) == "A [1]"


def test_what_is_made_of_a_link_is_text_again() -> None:
    assert ENGLISH.show(ENGLISH.link("A", "https://e") + "[x](y)") == r"\[A\](https://e)\[x\](y)"
    assert ENGLISH.show(ENGLISH.as_written("**A**").upper()) == r"\*\*A\*\*"


def test_a_value_is_encoded_once_in_a_link() -> None:
    style = Style("en", Place.LINK)
    assert style.show("a/b c") == style.show(style.urlencode("a/b c")) == "a%2Fb%20c"
