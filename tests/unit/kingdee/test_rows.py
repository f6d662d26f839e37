"""Rows that are none: one of them does not hide the others, and it is named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.rows import FEW, LONGEST_KEY, checked

GOOD = [[1, "K1"], ["a", None], [Decimal(10**20), 1.5], [4, True]]
BAD: list[tuple[Any, str]] = [
    ([7], "7"),
    ([7, "K7", 3], "7"),
    ([], ""),
    ([None, "K7"], ""),
    ([0, "K7"], ""),
    (["", "K7"], ""),
    (["   ", "K7"], ""),
    ([True, "K7"], ""),
    ([1.5, "K7"], ""),
    ([[], "K7"], ""),
    ([{"FID": 7}, "K7"], ""),
    (["x" * (LONGEST_KEY + 1), "K7"], ""),
    ("K7", ""),
    (None, ""),
    ({"FID": 7}, ""),
]


@pytest.mark.parametrize(("bad", "key"), BAD)
def test_a_row_that_is_none_is_left_out_and_named(bad: Any, key: str) -> None:
    assert checked([*GOOD[:2], bad, *GOOD[2:]], 2, strictly=False) == (GOOD, (key,))


@pytest.mark.parametrize(("bad", "key"), BAD)
def test_strictly_one_such_row_fails_them_all(bad: Any, key: str) -> None:
    with pytest.raises(EdgeError) as caught:
        checked([*GOOD, bad], 2, strictly=True)
    assert (caught.value.kind, caught.value.code) == (FailureKind.REFUSED, "shape")
    assert key == "" or key not in caught.value.message


def test_where_none_of_many_rows_can_be_read_it_is_the_query_that_is_wrong() -> None:
    assert checked([[1]] * FEW, 2, strictly=False) == ([], ("1",) * FEW)
    with pytest.raises(EdgeError):
        checked([[1]] * (FEW + 1), 2, strictly=False)


@pytest.mark.parametrize(
    ("nested", "text"), [([], "[]"), ({}, "{}"), ([1, [None]], "[1,[null]]"), ({"a": "b"}, '{"a":"b"}')]
)
def test_a_list_or_mapping_in_place_of_a_value_is_its_text(nested: Any, text: str) -> None:
    assert checked([[1, nested], [2, "b"]], 2, strictly=True) == ([[1, text], [2, "b"]], ())


def test_what_is_nested_beyond_measure_is_no_value() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    assert checked([[1, deep], [2, "b"]], 2, strictly=False) == ([[2, "b"]], ("1",))
