"""What DingTalk's codes mean."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from kdsync.dingtalk.errors import MEANINGS, failure
from kdsync.errors import FailureKind

AT = datetime(2026, 11, 23, 4, 0, 20, tzinfo=UTC)
SENT = "topapi/message/corpconversation/asyncsend_v2"


@pytest.mark.parametrize(
    ("code", "kind", "pause"),
    [
        ("40014", "session_lost", None),
        ("42001", "session_lost", None),
        ("88/40014", "session_lost", None),
        ("InvalidAuthentication", "session_lost", None),
        ("invalidClientIdOrSecret", "configuration", None),
        ("88/60011", "configuration", None),
        ("60020", "configuration", None),
        ("52019", "configuration", None),
        ("50002", "refused", None),
        ("90018", "rate_limited", 1),
        ("90014", "rate_limited", 1),
        ("Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", "rate_limited", 1),
        ("Forbidden.AccessDenied.QpmLimitForAppkeyAndApi", "rate_limited", 40),
        ("90020", "quota", None),
        ("90030", "quota", None),
        ("Forbidden.AccessDenied.ApiCountLimitForOrg", "quota", None),
        ("-1", "transient", None),
        ("15/isp.top-remote-connection-timeout", "transient", None),
        ("88", "transient", None),
        ("dingtalk.system.busy", "transient", None),
        ("http 502", "transient", None),
        ("http 302", "transient", None),
        ("33012", "refused", None),
        ("34016", "refused", None),
        ("InvalidParameter", "refused", None),
        ("22", "configuration", None),
        ("404", "configuration", None),
        ("InvalidAction.NotFound", "configuration", None),
        ("html", "rate_limited", 300),
        ("status 1111", "rate_limited", 300),
    ],
)
def test_each_known_code_has_its_kind(code: str, kind: str, pause: float | None) -> None:
    error = failure(code, "topapi/v2/user/get", writes=False, now=AT)
    assert (error.kind, error.retry_after, error.code) == (kind, pause, code)
    assert "unmapped" not in error.message


@pytest.mark.parametrize("code", ["130101", "302033", "410100", "http 302"])
def test_a_throttled_group_robot_rests_for_ten_minutes(code: str) -> None:
    error = failure(code, "robot/send", writes=True, now=AT)
    assert (error.kind, error.retry_after) == (FailureKind.RATE_LIMITED, 600)


@pytest.mark.parametrize("code", ["15", "88", "http 500", "http 504", "malformed", "broken", "timeout", "tls"])
def test_a_write_that_may_have_been_done_is_an_unknown_outcome(code: str) -> None:
    assert failure(code, SENT, writes=True, now=AT).kind is FailureKind.UNKNOWN_OUTCOME
    assert failure(code, "topapi/v2/user/get", writes=False, now=AT).kind is FailureKind.TRANSIENT


@pytest.mark.parametrize("code", ["connect", "proxy", "http 503", "-1", "http 302"])
def test_a_write_that_was_surely_not_done_is_only_tried_again(code: str) -> None:
    assert failure(code, SENT, writes=True, now=AT).kind is FailureKind.TRANSIENT


@pytest.mark.parametrize("code", ["77777", "88/isv.new-thing", "brandNew", "http 418"])
def test_an_unknown_code_is_passing_trouble_that_says_so(code: str) -> None:
    error = failure(code, SENT, "neue Sache", writes=True, now=AT)
    assert error.kind is FailureKind.TRANSIENT
    assert "unmapped" in error.message
    assert "neue Sache" in error.message


def test_an_error_says_what_happened_where_and_what_to_do() -> None:
    error = failure("52019", SENT, "agentId无效", writes=True, now=AT)
    assert str(error) == f"dingtalk: the agent id is not this app's ({SENT}: agentId无效) [52019]"
    assert error.cure == "set dingtalk.agent_id to the AgentId that the developer console shows for this app"


def test_long_words_of_dingtalk_are_cut_after_secrets_are_hidden() -> None:
    error = failure("x" * 500, SENT, "y" * 295 + "secret", writes=True, now=AT, hide=lambda t: t.replace("secret", "*"))
    assert error.message.endswith("y*)")
    assert len(error.code) == 80


def test_whoever_must_act_is_told_what_to_do() -> None:
    for code, meaning in MEANINGS.items():
        assert meaning.cure or meaning.kind not in (FailureKind.CONFIGURATION, FailureKind.QUOTA), code


def test_only_what_is_limited_in_rate_has_a_pause() -> None:
    paused = {code for code, meaning in MEANINGS.items() if meaning.pause is not None}
    limited = {code for code, meaning in MEANINGS.items() if meaning.kind is FailureKind.RATE_LIMITED}
    assert limited - paused == {"paced"}  # whose pause the group's own count says
    assert paused <= limited
    assert not any(re.search(r"\s{2}", meaning.text) for meaning in MEANINGS.values())
