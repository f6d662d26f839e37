"""The edges in the shapes that the services ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from kdsync.bridges import MEMBERS_FRESH, DingTalkBook, KingdeeSource
from kdsync.clock import FakeClock
from kdsync.errors import EdgeError, FailureKind
from tests.unit.kingdee.test_metadata import ORDER, told


def test_each_who_asks_of_a_form_gets_the_entry_that_they_mean() -> None:
    source = KingdeeSource(told({"Result": {"NeedReturnData": ORDER}}))
    asked: tuple[list[str], ...] = ([], ["FRecAmount"], ["FQty"])
    assert [source.facts("SAL_SaleOrder", keys).facts.entry for keys in asked] == [
        "FSaleOrderEntry",
        "FSaleOrderPlan",
        "FSaleOrderEntry",
    ]


class Company:
    """Reads departments, each time with all that are below."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.members = ["u1"]
        self.trouble = False

    def members_below(self, dept_id: int) -> list[str]:
        self.read.append(dept_id)
        if self.trouble:
            raise EdgeError("dingtalk", FailureKind.TRANSIENT, "-1", "busy")
        return [*self.members]


def test_a_department_is_not_read_anew_for_each_who_asks() -> None:
    company, clock = Company(), FakeClock(datetime(2026, 11, 23, tzinfo=UTC))
    book = DingTalkBook(cast("Any", company), clock)
    company.trouble = True
    with pytest.raises(EdgeError):
        book.members_of("7")
    company.trouble = False
    assert [book.members_of(dept) for dept in ("7", "7", "8")] == [["u1"]] * 3
    company.members = ["u2"]
    clock.advance(MEMBERS_FRESH - 1)
    assert book.members_of("7") == ["u1"]
    clock.advance(2)
    assert book.members_of("7") == ["u2"]
    assert company.read == [7, 7, 8, 7]
