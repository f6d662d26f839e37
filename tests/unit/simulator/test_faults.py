"""The queue of faults that both simulated systems share."""

from __future__ import annotations

from random import Random

import pytest

from kdsync.simulator.faults import DINGTALK, KINGDEE, Fault, Faults


@pytest.fixture
def faults() -> Faults:
    return Faults({**KINGDEE, **DINGTALK}, Random(7))


def names(faults: Faults, number: int, **place: str) -> list[str]:
    return [fault.name if (fault := faults.take(**place)) else "" for _ in range(number)]


def test_nothing_is_set(faults: Faults) -> None:
    assert faults.take(api="x") is None


def test_the_first_that_is_set_strikes_first(faults: Faults) -> None:
    faults.add("http500", times=2)
    faults.add("reset")
    assert names(faults, 4, api="x") == ["http500", "http500", "reset", ""]


def test_it_waits_for_the_place_it_is_meant_for(faults: Faults) -> None:
    faults.add("http500", op="Save", form="AP_PAYBILL")
    assert names(faults, 1, op="Save", form="PUR_PurchaseOrder") == [""]
    assert names(faults, 1, op="View", form="AP_PAYBILL") == [""]
    assert names(faults, 2, op="Save", form="AP_PAYBILL") == ["http500", ""]


def test_a_place_of_none_is_everywhere(faults: Faults) -> None:
    faults.add("slow", seconds=3, op=None)
    assert faults.take(op="x") == Fault("slow", times=0, seconds=3)


def test_a_share_of_the_requests_until_cleared(faults: Faults) -> None:
    faults.add("http500", probability=0.25)
    struck = names(faults, 1000).count("http500")
    assert 200 < struck < 300
    faults.clear()
    assert set(names(faults, 20)) == {""}


def test_a_name_that_is_not_known() -> None:
    with pytest.raises(ValueError, match="unknown fault 'edit_lock'"):
        Faults(DINGTALK, Random(0)).add("edit_lock")
