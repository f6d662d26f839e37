"""Bad days by name, and what somebody may type in their place."""

from __future__ import annotations

import pytest

from kdsync.clock import SystemClock
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.faults import DINGTALK, KINGDEE
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.profiles import PROFILES, BadFaultsError, listing, parse, unleash


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_can_be_set(name: str) -> None:
    kingdee, dingtalk = SimulatedKingdee(SystemClock()), SimulatedDingTalk(SystemClock())
    unleash(parse(name), kingdee, dingtalk)
    kingdee.faults.take(op="/x/")
    dingtalk.faults.take(api="/x/")


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_leaves_a_way_through(name: str) -> None:
    always = [ask for ask in parse(name) if (ask.probability or 0) > 0.2]
    assert all(ask.gap > 2 * (ask.seconds or 0) for ask in always)


def test_a_share_and_a_number() -> None:
    share, number = parse("kingdee.http502=0.25, quota=3")
    assert (share.system, share.name, share.probability, share.times) == ("kingdee", "http502", 0.25, None)
    assert (number.system, number.name, number.probability, number.times) == ("dingtalk", "quota", None, 3)


def test_a_fault_of_both_systems() -> None:
    assert [ask.system for ask in parse("reset=1.0")] == ["kingdee", "dingtalk"]


def test_a_fault_at_one_place() -> None:
    kingdee, dingtalk = SimulatedKingdee(SystemClock()), SimulatedDingTalk(SystemClock())
    unleash(parse("kingdee.reset@Save=1,dingtalk.reset@asyncsend_v2=1"), kingdee, dingtalk)
    assert kingdee.faults.take(op="/View/") is None
    assert kingdee.faults.take(op="/Save/")
    assert dingtalk.faults.take(api="/gettoken") is None
    assert dingtalk.faults.take(api="/topapi/message/corpconversation/asyncsend_v2")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("bad-dya", "neither a profile .*bad-day.* nor a fault like http500=0.05"),
        ("", "neither a profile"),
        ("http500", "neither a profile"),
        ("http500=often", "neither a profile"),
        ("http500=0.05,", "neither a profile"),
        ("http5000=3", "no fault 'http5000'; .*list"),
        ("kingdee.quota=3", "no fault 'quota'"),
        ("http500=1.5", "at most 1.0"),
        ("http500=0.0", "more than 0"),
        ("http500=0", "never strikes"),
    ],
)
def test_nonsense(text: str, advice: str) -> None:
    with pytest.raises(BadFaultsError, match=advice):
        parse(text)


def test_the_list_names_every_profile_and_every_fault() -> None:
    lines = [name for _, known in listing() for name in known]
    assert {*PROFILES, *KINGDEE, *DINGTALK} <= {*lines}
