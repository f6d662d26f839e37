"""A breaker as a value: when it opens, when it lets a probe through, when it closes, and when people are told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kdsync.delivery.breaker import (
    CLOSED,
    FLAPPING,
    FORBEARANCE,
    LEAST,
    MOST_PATIENCE,
    PATIENCE,
    Breaker,
    Rhythm,
    patience,
    up,
)
from kdsync.errors import FailureKind as Kind

THREE = Rhythm(3, 20.0)


def failing(times: int, jitter: float = 1.0) -> Breaker:
    breaker = CLOSED
    for now in range(times):
        breaker = breaker.failed(float(now), THREE, jitter)
    return breaker


@pytest.mark.parametrize(("times", "is_open"), [(1, False), (2, False), (3, True), (9, True)])
def test_it_opens_after_some_failures_in_a_row(times: int, is_open: bool) -> None:
    assert failing(times).is_open is is_open


def test_it_knows_since_when() -> None:
    assert failing(7).since == 0.0
    assert CLOSED.failed(5.0, THREE, 1.0).since == 5.0


def test_it_does_not_open_where_the_failures_may_be_of_one_alone() -> None:
    lonely = failing(2).failed(2.0, THREE, 1.0, may_open=False)
    assert not lonely.is_open
    assert lonely.failed(3.0, THREE, 1.0).is_open


def test_the_pause_doubles_up_to_a_bound_and_is_all_jitter() -> None:
    assert [THREE.pause(probes, 1.0) for probes in range(6)] == [2, 4, 8, 16, 20, 20]
    assert THREE.pause(4, 0.5) == 10
    assert THREE.pause(10_000, 0.0) == LEAST


def test_one_probe_at_a_time() -> None:
    breaker = failing(3)
    assert not breaker.admits(3.9)
    assert breaker.admits(4.0)
    assert not breaker.probed().admits(99.0)
    assert CLOSED.probed().admits(0.0)


def test_a_failure_that_says_how_long_to_wait_opens_at_once() -> None:
    breaker = CLOSED.held(10.0, 300.0)
    assert (breaker.admits(309.0), breaker.admits(310.0)) == (False, True)
    assert breaker.held(310.0, 300.0).since == 10.0


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [(Kind.TRANSIENT, PATIENCE), (Kind.CONFIGURATION, PATIENCE), (Kind.RATE_LIMITED, FORBEARANCE), (Kind.QUOTA, 0)],
)
def test_a_blip_says_nothing(kind: Kind, seconds: float) -> None:
    assert patience(kind, [], 0.0) == seconds


def test_what_comes_and_goes_is_told_ever_less_often() -> None:
    told = [(10.0 * n, 10.0 * n + 5) for n in range(30)]
    assert [patience(Kind.TRANSIENT, told[:n], 300.0) for n in (1, 2, 30)] == [90, 180, MOST_PATIENCE]
    assert patience(Kind.TRANSIENT, told, 300.0 + FLAPPING) == PATIENCE


def test_only_the_time_in_which_others_got_through_counts() -> None:
    assert up(100.0, 200.0, []) == 100
    assert up(100.0, 200.0, [(0.0, 110.0), (120.0, 130.0), (190.0, 500.0), (600.0, 700.0)]) == 70
    assert up(100.0, 200.0, [(0.0, 999.0)]) == 0


spans = st.lists(st.integers(0, 1000), max_size=12).map(sorted).map(lambda s: list(zip(s[::2], s[1::2], strict=False)))


@given(st.integers(0, 500), st.integers(0, 500), spans)
def test_time_up_and_time_down_make_the_whole(begin: int, length: int, outages: list[tuple[float, float]]) -> None:
    whole = range(begin, begin + length)
    down = sum(any(since <= second < until for since, until in outages) for second in whole)
    assert up(begin, begin + length, outages) == length - down


class OneBreaker(RuleBasedStateMachine):
    """Callers that come at any time, are let in or not, and come back with a success or a failure."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.now = CLOSED, 0.0
        self.inside: list[bool] = []  # who was let in: as a probe, or while it was closed
        self.asked_at = 0.0  # the latest failure of a probe, or what opened it

    @rule(seconds=st.floats(0, 60))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def somebody_comes(self) -> None:
        if self.breaker.admits(self.now):
            self.inside.append(self.breaker.is_open)
            self.breaker = self.breaker.probed()

    @precondition(lambda self: self.inside)
    @rule(data=st.data())
    def somebody_succeeds(self, data: st.DataObject) -> None:
        self.inside.pop(data.draw(st.integers(0, len(self.inside) - 1)))
        self.breaker = CLOSED
        self.inside = [False] * len(self.inside)

    @precondition(lambda self: self.inside)
    @rule(data=st.data(), jitter=st.floats(0, 1), may_open=st.booleans())
    def somebody_fails(self, data: st.DataObject, jitter: float, may_open: bool) -> None:
        was_probe = self.inside.pop(data.draw(st.integers(0, len(self.inside) - 1)))
        if self.breaker.is_open and not was_probe:
            return  # one that was under way when it opened says nothing new
        self.breaker = self.breaker.failed(self.now, THREE, jitter, may_open=may_open)
        self.asked_at = self.now

    @invariant()
    def at_most_one_probe_is_under_way(self) -> None:
        assert sum(self.inside) <= 1
        assert self.breaker.probing == (sum(self.inside) == 1)

    @invariant()
    def an_open_one_lets_a_probe_in_within_its_bound(self) -> None:
        if self.breaker.is_open and not self.breaker.probing:
            assert self.breaker.admits(self.asked_at + THREE.longest)

    @invariant()
    def a_closed_one_lets_everybody_in(self) -> None:
        assert self.breaker.is_open or self.breaker.admits(self.now)


TestOneBreaker = OneBreaker.TestCase
