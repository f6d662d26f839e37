"""Pages of a first look, put together so that the disk is waited for less often."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from kdsync.errors import EdgeError, FailureKind
from kdsync.model import Page
from kdsync.services.looks import TOGETHER, _gathered

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def page(number: int, size: int, *, last: bool = False) -> Page:
    return Page([[number * size + place] for place in range(size)], NOW + timedelta(seconds=number), last)


def test_a_transaction_holds_several_pages_and_the_clock_of_the_first() -> None:
    half = TOGETHER // 2
    pages = [page(0, half), page(1, half), page(2, half), page(3, 1, last=True)]
    gathered = list(_gathered(pages))
    assert [len(rows) for rows, _ in gathered] == [TOGETHER, half + 1]
    assert [now for _, now in gathered] == [NOW, NOW + timedelta(seconds=2)]


def test_a_form_without_documents_still_tells_the_clock() -> None:
    assert list(_gathered([page(0, 0, last=True)])) == [([], NOW)]


def test_what_came_before_a_failure_is_kept() -> None:
    def cut_off() -> Iterator[Page]:
        yield page(0, 3)
        raise EdgeError("kingdee", FailureKind.TRANSIENT, "cut", "cut")

    found = _gathered(cut_off())
    assert next(found) == ([[0], [1], [2]], NOW)
    with pytest.raises(EdgeError):
        next(found)
