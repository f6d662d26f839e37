"""Bad days by name, and what somebody may type in their place."""

from __future__ import annotations

import pytest

from kdsync.clock import SystemClock
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.faults import DINGTALK, KINGDEE
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.profiles import PROFILES, SYSTEMS, BadFaultsError, listing, parse, unleash

NEVER_BY_THEMSELVES = {
    "kingdee": """
        http403 http404 http407 gateway_app_id gateway_stamp gateway_api forced_gateway n001_expired account_locked
        password_expired password_policy user_without_rights stamp_expired centre_stopped cloud_unbound not_activated
        administrator unknown_form bad_filter parameter""",
    "dingtalk": """
        http404 http407 quota webhook_quota not_authorised no_route credentials agent_id robot_keyword robot_sign
        robot_stamp robot_ip robot_gone robot_gone_old robot_off group_gone robot_left robot_type""",
}
"""Faults that last until an operator does something."""
OF_ONE_THING = {
    "kingdee": "http413 not_operable edit_lock edit_lock_code in_workflow not_assignee",
    "dingtalk": """
        http413 out_of_scope department_out_of_scope bad_message too_long bad_parameter no_user no_mobile bad_mobile
        robot_unsafe robot_large approval_gone approval_closed approval_system file_gone one_to_one_fast flow_control
        over_the_minute over_the_day banned_content protected robot_fast robot_fast_old robot_fast_older""",
}
"""Refusals of one document, message, file or group, which are right or are told of nobody."""


@pytest.mark.parametrize(("system", "known"), SYSTEMS.items())
def test_the_worst_day_has_every_fault_that_passes_by_itself(system: str, known: dict[str, str]) -> None:
    in_it = {ask.name for ask in parse("worst-day") if ask.system == system}
    assert in_it == known.keys() - {*NEVER_BY_THEMSELVES[system].split(), *OF_ONE_THING[system].split()}


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
