"""Amounts keep their digits."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync import exact

numbers = st.one_of(
    st.integers(-(2**62), 2**62),
    st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=-(10**13), max_value=10**13),
)


@given(numbers)
def test_every_digit_survives_a_round_trip(number: int | Decimal) -> None:
    (back,) = exact.loads(exact.dumps([number]))
    assert (Decimal(repr(back)) if isinstance(back, float) else back) == number


@pytest.mark.parametrize("text", ["1234567890123.1234567890", "0.1234567890123456789", "99999999999999999.99"])
def test_many_digits_come_as_decimals(text: str) -> None:
    assert exact.loads(f"[{text}]".encode()) == [Decimal(text)]


def test_few_digits_come_fast_as_floats() -> None:
    assert exact.loads(b"[24.95, 73.517061]") == [24.95, 73.517061]


def test_an_integer_beyond_64_bits_can_be_stored_again() -> None:
    huge = exact.loads(b"[123456789012345678901234567890]")
    assert exact.loads(exact.dumps(huge)) == huge


@pytest.mark.parametrize("data", [b"", b"{", b"[1234567890123456789012345", b"\xff", b"[" * 100_000 + b"0" * 20])
def test_what_is_no_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # its text is the parser's
        exact.loads(data)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e999", "1e999"),
        ("-1E+999999", "-1E+999999"),
        ("1e99999999999999999999", "1e99999999999999999999"),
        ("9" * 5000, "9" * 5000),
        ("0." + "3" * 5000, "0." + "3" * 5000),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("1e-999999", 0),
        ("-0", 0),
    ],
)
@pytest.mark.parametrize("beside", ["1", "12345678901234567890.5"])
def test_a_number_beyond_all_amounts_does_not_make_the_rest_unreadable(text: str, value: object, beside: str) -> None:
    found = exact.loads(f"[{text},{beside}]".encode())
    assert found == [value, Decimal(beside)]
    assert exact.loads(exact.dumps(found)) == found


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (rb'"cut \ud83d"', "cut \ufffd"),
        (rb'"\ude00 cut"', "\ufffd cut"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"a backslash \\ud83d\ude00"', "a backslash \\ud83d\ufffd"),
        (rb'"a backslash \\ud83d"', "a backslash \\ud83d"),
        (b'"a byte that is none \xff"', "a byte that is none \ufffd"),
    ],
)
@pytest.mark.parametrize("beside", [b"1", b"12345678901234567890.5"])
def test_half_a_character_does_not_make_the_rest_unreadable(data: bytes, text: str, beside: bytes) -> None:
    found = exact.loads(b"[%b,%b]" % (data, beside))
    assert found[0] == text
    exact.dumps(found)


def test_how_deeply_something_is_nested() -> None:
    deep: object = []
    for _ in range(99):
        deep = {"a": [1, deep]} if isinstance(deep, list) else [deep]
    assert not exact.deeper_than(1, 1)
    assert exact.deeper_than(deep, 50)
    assert not exact.deeper_than([[1], [[2]]], 3)
    assert exact.deeper_than([[1], [[2]]], 2)
