"""Equal content, however it is written."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.sync.fingerprint import canonical, differing, same


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), (1, "1.00"), (1.5, "1.50"), (None, ""), (None, " "), ("", "  "), ("A", "A "), (0.1, Decimal("0.10"))],
)
def test_the_same_content(one: object, other: object) -> None:
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(("one", "other"), [("007", "7"), ("1e5", "100000"), (0, None), ("A", "a"), (1, 2), ("-", "")])
def test_different_content(one: object, other: object) -> None:
    assert not same(one, other)


def test_only_the_places_that_differ() -> None:
    assert differing([1, " ", "x"], [1.0, None, "y"]) == [2]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_an_amount_is_itself_as_number_and_as_text(amount: Decimal) -> None:
    assert canonical(format(amount, "f")) == canonical(amount) or amount.is_zero()
