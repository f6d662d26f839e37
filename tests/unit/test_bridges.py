"""The edges in the shapes that the services ask for."""

from __future__ import annotations

from kdsync.bridges import KingdeeSource
from tests.unit.kingdee.test_metadata import ORDER, told


def test_each_who_asks_of_a_form_gets_the_entry_that_they_mean() -> None:
    source = KingdeeSource(told({"Result": {"NeedReturnData": ORDER}}))
    asked: tuple[list[str], ...] = ([], ["FRecAmount"], ["FQty"])
    assert [source.facts("SAL_SaleOrder", keys).facts.entry for keys in asked] == [
        "FSaleOrderEntry",
        "FSaleOrderPlan",
        "FSaleOrderEntry",
    ]
