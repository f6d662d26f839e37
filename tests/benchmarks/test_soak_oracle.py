"""The soak's oracle finds each way in which something can be wrong."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.benchmarks.soaking.company import is_for_operators
from tests.benchmarks.soaking.oracle import Oracle, Undelivered, percentile

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
PLACE = ("SOAK_Claim", "100001")
TELL = ("p1", "CL1", "approved")


@pytest.fixture
def oracle() -> Oracle:
    made = Oracle()
    made.expect(PLACE, ["submitted", "approved"])
    made.expect_tell(TELL, NOW)
    return made


def arrive(oracle: Oracle, who: str = "p1", title: str = "CL1 approved", text: str = "#1") -> None:
    oracle.arrive(who, title, text, NOW + timedelta(seconds=3))


def test_all_is_well(oracle: Oracle) -> None:
    arrive(oracle)
    assert oracle.notice(PLACE, Counter({"submitted": 1, "approved": 1}))
    assert (oracle.events, oracle.expected, oracle.seen, oracle.open, oracle.delays) == (2, 1, 1, 0, [3.0])
    for wrong in (oracle.unseen(), oracle.doubled(), oracle.unasked(), oracle.unnoticed(), oracle.imagined()):
        assert not wrong


def test_a_message_that_does_not_come(oracle: Oracle) -> None:
    assert oracle.unseen() == {TELL: 1}
    assert oracle.open == 1


def test_a_message_that_died_in_silence_is_missed(oracle: Oracle) -> None:
    dead = [Undelivered("p1", "CL1", "approved", "nobody is there")]
    assert oracle.missed(dead, [], {"p1"}) == {TELL: 1}
    oracle.tell_operators("消息未送达：CL1 approved", "规则 claim 的消息“CL1 approved”未能送达 p1")
    assert not oracle.missed(dead, [], {"p1"})


def test_a_message_to_somebody_who_is_there_must_not_die(oracle: Oracle) -> None:
    oracle.tell_operators("消息未送达：CL1 approved", "")
    assert oracle.missed([Undelivered("p1", "CL1", "approved", "tried for days")], [], {"ghost"}) == {TELL: 1}


def test_what_went_to_the_operators_instead_excuses_one_message_where_they_saw_it(oracle: Oracle) -> None:
    diverted = [Undelivered("ops1", "CL1", "approved", "not to be found")]
    oracle.expect_tell(("p2", "CL1", "approved"), NOW)
    assert oracle.missed([], diverted, ()).total() == 2
    oracle.tell_operators("CL1 approved", "")
    assert oracle.missed([], diverted, ()).total() == 1


def test_a_message_that_comes_twice(oracle: Oracle) -> None:
    arrive(oracle)
    arrive(oracle, text="#2")
    assert oracle.doubled() == {TELL: 1}


def test_a_message_that_comes_twice_where_two_are_due(oracle: Oracle) -> None:
    oracle.expect_tell(TELL, NOW)
    arrive(oracle)
    arrive(oracle)
    assert oracle.doubled() == {("p1", "#1", "again"): 1}


def test_a_message_that_nobody_asked_for(oracle: Oracle) -> None:
    arrive(oracle, who="p2")
    arrive(oracle, title="Hello")
    assert oracle.unasked() == {("p2", "CL1", "approved"): 1}
    assert oracle.strangers == ["p1: Hello"]


@pytest.mark.parametrize(
    ("who", "title", "is_notice"),
    [
        ("ops1", "CL1 approved", True),
        ("finance", "DingTalk 不可用", True),
        ("finance", "DingTalk 已恢复", True),
        ("finance", "CL1 approved", False),
        ("finance", "Hello", False),
        ("p1", "DingTalk 不可用", False),
    ],
)
def test_the_group_hears_of_an_outage_of_dingtalk_and_nobody_else_does(who: str, title: str, is_notice: bool) -> None:
    assert is_for_operators(who, title) is is_notice


def test_an_event_that_is_not_noticed(oracle: Oracle) -> None:
    assert oracle.unnoticed() == {PLACE: {"submitted": 1, "approved": 1}}
    assert not oracle.notice(PLACE, Counter({"approved": 1}))
    assert oracle.unnoticed() == {PLACE: {"submitted": 1}}


def test_an_event_that_never_was(oracle: Oracle) -> None:
    oracle.notice(PLACE, Counter({"submitted": 1, "approved": 2}))
    assert oracle.imagined() == {PLACE: {"approved": 1}}


def test_percentiles_are_delays_that_were() -> None:
    delays = [float(number) for number in range(1, 101)]
    assert [percentile(delays, share) for share in (0.5, 0.99, 1.0)] == [50, 99, 100]
    assert percentile([], 0.5) == 0
