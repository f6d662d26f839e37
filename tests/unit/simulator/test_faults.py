"""The queue of faults that both simulated systems share."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest

from kdsync.clock import FakeClock
from kdsync.simulator.faults import DINGTALK, KINGDEE, Faults


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 23, tzinfo=UTC))


@pytest.fixture
def faults(clock: FakeClock) -> Faults:
    return Faults({**KINGDEE, **DINGTALK}, Random(7), clock)


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
    taken = faults.take(op="x")
    assert taken
    assert (taken.name, taken.seconds) == ("slow", 3)


def test_a_share_of_the_requests_until_cleared(faults: Faults) -> None:
    faults.add("http500", probability=0.25)
    struck = names(faults, 1000).count("http500")
    assert 200 < struck < 300
    faults.clear()
    assert set(names(faults, 20)) == {""}


def test_a_name_that_is_not_known(clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="unknown fault 'edit_lock'"):
        Faults(DINGTALK, Random(0), clock).add("edit_lock")


def test_a_share_of_the_requests_but_not_more_often_than_so(faults: Faults) -> None:
    faults.add("http500", probability=0.5, times=3)
    assert names(faults, 1000).count("http500") == 3


def test_a_pause_between_two_strikes(faults: Faults, clock: FakeClock) -> None:
    faults.add("http500", probability=1.0, gap=60)
    assert names(faults, 3) == ["http500", "", ""]
    clock.advance(59)
    assert names(faults, 1) == [""]
    clock.advance(1)
    assert names(faults, 2) == ["http500", ""]


def test_a_server_that_is_down_answers_nobody_until_it_is_back(faults: Faults, clock: FakeClock) -> None:
    faults.add("down", seconds=30, op="Save")
    assert names(faults, 1, op="View") == [""]
    assert names(faults, 1, op="Save") == names(faults, 1, op="View") == ["down"]
    clock.advance(30)
    assert names(faults, 1, op="Save") == [""]
    assert faults.struck == {"down": 1}


def test_whoever_wants_to_know_hears_of_each_strike(faults: Faults) -> None:
    heard: list[tuple[str, dict[str, str]]] = []
    faults.on_strike = lambda name, place: heard.append((name, dict(place)))
    faults.add("http500", times=2, op="Save")
    names(faults, 3, op="Save", form="X")
    assert heard == [("http500", {"op": "Save", "form": "X"})] * 2
