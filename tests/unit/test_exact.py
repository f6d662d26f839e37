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
