"""The judge of the demo must not be kind: a miss, a double and a stranger are each told apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.demo.tally import Arrival, Delays, Expected, Tally, Verdict

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def expected(number: str = "BX-1", who: str = "user1", at: float = 0.0) -> Expected:
    return Expected(who, (number, "已审核"), START + timedelta(seconds=at))


def arrival(number: str = "BX-1", who: str = "user1", at: float = 1.0) -> Arrival:
    return Arrival(who, f"报销单 {number} 已审核，金额 1.00", START + timedelta(seconds=at))


def test_a_message_that_arrives_once_is_seen_with_its_delay() -> None:
    tally = Tally()
    tally.expect(expected())
    assert tally.arrive(arrival(at=1.5))[:2] == (Verdict.SEEN, 1.5)
    assert tally.complete
    assert tally.result().good


def test_a_message_that_arrives_again_is_a_double() -> None:
    tally = Tally()
    tally.expect(expected())
    tally.arrive(arrival())
    assert tally.arrive(arrival(at=2.0))[0] is Verdict.DOUBLED
    assert (tally.result().seen, tally.result().doubled, tally.result().good) == (1, 1, False)


def test_the_same_bill_may_be_told_twice_when_it_happened_twice() -> None:
    tally = Tally()
    for at in (0.0, 10.0):
        tally.expect(expected(at=at))
    assert [tally.arrive(arrival(at=at))[:2] for at in (1.0, 12.0)] == [(Verdict.SEEN, 1.0), (Verdict.SEEN, 2.0)]


def test_a_reply_is_a_message_like_the_others_with_a_delay_of_its_own() -> None:
    tally = Tally()
    tally.expect(expected())
    tally.expect(replace(expected(), words=("BX-1", "已完成"), answers="somebody"))
    reply = Arrival("user1", "BX-1：同意 已完成", START + timedelta(seconds=0.5))
    assert tally.arrive(reply) == (Verdict.SEEN, 0.5, "somebody")
    assert tally.arrive(arrival()) == (Verdict.SEEN, 1.0, "")
    assert tally.arrive(reply) == (Verdict.DOUBLED, 0.5, "")
    result = tally.result()
    assert (result.expected, result.seen, result.doubled) == (2, 2, 1)
    assert (result.delays, result.waits) == (Delays(1.0, 1.0, 1.0), Delays(0.5, 0.5, 0.5))


def test_a_double_does_not_pass_for_what_happens_later() -> None:
    tally = Tally()
    tally.expect(expected(at=0.0))
    tally.expect(expected(at=10.0))
    tally.arrive(arrival(at=1.0))
    assert tally.arrive(arrival(at=2.0))[0] is Verdict.DOUBLED
    assert tally.result().missed == 1


@pytest.mark.parametrize(
    "stranger",
    [arrival(who="user2"), arrival("BX-2"), arrival("BX-11"), arrival("ABX-1"), arrival(at=-1.0)],
    ids=["somebody else's phone", "another bill", "a longer number", "a longer prefix", "before the change"],
)
def test_what_does_not_fit_is_unasked_and_the_expected_one_is_still_missing(stranger: Arrival) -> None:
    tally = Tally()
    tally.expect(expected())
    assert tally.arrive(stranger)[0] is Verdict.UNASKED
    assert tally.missing == [expected()]
    assert not tally.result().good


def test_a_missed_message_spoils_the_result() -> None:
    tally = Tally()
    tally.expect(expected())
    assert not tally.complete
    assert (tally.result().missed, tally.result().good, tally.result().delays) == (1, False, None)


moments = st.floats(0, 100, allow_nan=False)
people = st.sampled_from(["user1", "user2"])
numbers = st.sampled_from(["BX-1", "BX-2", "BX-12"])


@given(
    st.lists(st.builds(expected, numbers, people, moments), max_size=12),
    st.lists(st.builds(arrival, numbers, people, moments), max_size=12),
)
def test_the_figures_add_up_whatever_arrives(hoped: list[Expected], came: list[Arrival]) -> None:
    tally = Tally()
    for one in hoped:
        tally.expect(one)
    verdicts = [tally.arrive(one)[0] for one in came]
    result = tally.result()
    assert result.expected == len(hoped) == result.seen + result.missed
    assert len(came) == result.seen + result.doubled + result.unasked
    assert verdicts.count(Verdict.SEEN) == result.seen == len(tally.delays)
    assert all(delay >= 0 for delay in tally.delays)


@given(st.lists(moments, min_size=1, max_size=300))
def test_delays_are_delays_that_really_were(seconds: list[float]) -> None:
    found = Delays.of(seconds)
    assert found is not None
    assert found.worst == max(seconds)
    assert found.p99 in seconds
    assert sum(one > found.p99 for one in seconds) <= len(seconds) / 100
    assert min(seconds) <= found.median <= found.p99 <= found.worst
