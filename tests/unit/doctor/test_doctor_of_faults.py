"""For every fault that the simulated systems know, the doctor names the cause and the cure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kdsync.clock import Clock
from kdsync.dingtalk.errors import failure
from kdsync.doctor import dingtalk as of_dingtalk
from kdsync.doctor import kingdee as of_kingdee
from kdsync.doctor.finding import FAILED, OK, SKIPPED, WARNING, Finding
from kdsync.doctor.store import _hold
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.dingtalk_faults import DENIED, ONE_TO_ONE, ROBOT, SEND, SILENT
from kdsync.simulator.faults import DINGTALK, KINGDEE
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.store.holds import Hold
from tests.unit.doctor.conftest import Configure

ALWAYS = 1_000_000
REAL_SECONDS = {"hang": 0.4, "slow": 0.4}

KINGDEE_TOLD = {
    "reset": ("connection broke", "firewall, proxy or load balancer"),
    "hang": ("did not answer in time", "kingdee.timeout"),
    "slow": ("did not answer in time", "kingdee.timeout"),
    "lost_reply": ("connection broke", "firewall, proxy or load balancer"),
    "http403": ("turns the call away", "admit this machine"),
    "http404": ("no such service", "/K3Cloud/"),
    "http407": ("proxy wants a login", "HTTPS_PROXY"),
    "http429": ("fewer calls", "tries again"),
    "http500": ("http-500", "IIS application pool"),
    "http502": ("http-502", "the proxy before it"),
    "http503": ("http-503", "IIS application pool"),
    "http504": ("http-504", "the proxy before it"),
    "redirect": ("redirects", "final address"),
    "chinese_page": ("http-500", "IIS application pool"),
    "html": ("web page", "proxy's login page"),
    "login_page": ("web page", "proxy's login page"),
    "empty": ("empty", "IIS application pool"),
    "garbage": ("not JSON", "firewall"),
    "huge": ("larger than kdsync accepts", "fewer fields"),
    "gateway_app_id": ("no application id", "kingdee.app_id"),
    "gateway_stamp": ("time stamp expired", "NTP"),
    "gateway_api": ("does not know this service", "kingdee.url"),
    "forced_gateway": ("through the gateway", "CDPIsForcedApiGW"),
    "n001": ("N001", "may log in"),
    "n001_expired": ("401 Forbidden", "expired password"),
    "session_lost": ("session is lost", "after a restore"),
    "session_lost_top": ("session is lost", "after a restore"),
    "session_not_restored": ("cannot open a session for this user", "UTF-8"),
    "wrong_password": ("user or password is wrong", "five wrong tries lock the account"),
    "account_locked": ("locked", "unlock it"),
    "password_expired": ("password has expired", "change the password"),
    "password_policy": ("password has expired", "change the password"),
    "authorisation_lost": ("authorisation is missing", "after a restore"),
    "user_without_rights": ("for this user", "list of users"),
    "stamp_expired": ("time stamp", "NTP"),
    "centre_stopped": ("account set is stopped", "management centre"),
    "cloud_unbound": ("not bound", "bind it"),
    "not_activated": ("activation", "activate it"),
    "response_error": ("failed inside", "server's log"),
    "request_filter": ("request filter", "exempt the WebAPI"),
    "permission": ("may not do this", "查看权限"),
    "database": ("database failed", "Kingdee administrator"),
    "database_top": ("database failed", "Kingdee administrator"),
    "database_deep": ("database failed", "Kingdee administrator"),
    "database_text": ("database failed", "Kingdee administrator"),
    "licence": ("licence", "licence for this user"),
    "unknown_form": ("form does not exist", "form id"),
    "bad_filter": ("cannot read the filter", "open filter"),
    "call_limit": ("call limit", "higher limit"),
    "administrator": ("administrator", "user of its own"),
    "truncated_json": ("cut off", "firewall"),
    "cut": ("connection broke", "firewall"),
    "no_rows": ("no document is visible", "查看权限"),
}
DINGTALK_TOLD = {
    "reset": ("connection broke", "*.dingtalk.com:443"),
    "http400": ("wants https", "proxy variables"),
    "http401": ("not valid", "client_secret"),
    "http404": ("no DingTalk at this address", "dingtalk.api_url"),
    "http407": ("proxy wants a login", "USER:PASSWORD"),
    "http429": ("too many calls", "wait"),
    "http500": ("what should answer is down", "upkeep"),
    "http502": ("what should answer is down", "upkeep"),
    "redirect": ("leads to login.example.com", "login page"),
    "html_ban": ("banned", "300 s"),
    "json_ban": ("banned", "300 s"),
    "empty": ("not one of DingTalk's", "proxy"),
    "garbage": ("not one of DingTalk's", "proxy"),
    "qps": ("too many calls", "wait"),
    "quota": ("used up", "monthly_calls"),
    "ip_not_listed": ("address is not allowed", "server IP list"),
    "system_busy": ("busy", "run the doctor again"),
    "credentials": ("credentials are wrong", "client_secret"),
    "token_void": ("not valid", "client_secret"),
    "no_user": ("user1", "visible range"),
    "permission": ("lacks a permission", "Permission management"),
}


def troubles(findings: list[Finding]) -> list[Finding]:
    found = [finding for finding in findings if finding.result in (FAILED, WARNING)]
    assert all(finding.detail and finding.cure for finding in found)
    return found


def assert_told(findings: list[Finding], expected: tuple[str, str] | None) -> None:
    found = troubles(findings)
    if expected:
        cause, cure = expected
        assert [one for one in found if cause in one.detail and cure in one.cure], found


@pytest.mark.parametrize("name", list(KINGDEE))
def test_a_fault_of_kingdee(name: str, kingdee: SimulatedKingdee, configure: Configure, clock: Clock) -> None:
    loaded = configure(kd={"timeout": "300ms"} if name in REAL_SECONDS else {})
    kingdee.fault(name, times=ALWAYS, seconds=REAL_SECONDS.get(name))
    logins = kingdee.logins
    assert_told(list(of_kingdee.examine(loaded, clock, None)), KINGDEE_TOLD.get(name))
    assert kingdee.logins - logins <= 2


@pytest.mark.parametrize("name", list(DINGTALK))
def test_a_fault_of_dingtalk(name: str, dingtalk: SimulatedDingTalk, configure: Configure, clock: Clock) -> None:
    loaded = configure()
    dingtalk.fault(name, times=ALWAYS, seconds=REAL_SECONDS.get(name))
    assert_told(list(of_dingtalk.examine(loaded, clock, None)), DINGTALK_TOLD.get(name))
    assert not dingtalk.seen("user1")


@pytest.mark.parametrize("name", [name for name, one in DENIED.items() if one.api in (SEND, ROBOT, ONE_TO_ONE)])
def test_what_only_a_send_can_meet_is_told_from_what_the_daemon_met(name: str) -> None:
    denied = DENIED[name]
    code, now = str(denied.errcode or denied.code), datetime.now(UTC)
    error = failure(code, "robot/send", denied.message, writes=True, now=now)
    found = _hold(Hold("group:finance", now, now, 1, error.kind, str(error), error.cure))
    assert (found.what, found.result) == ("daemon group:finance", FAILED)
    assert error.message in found.detail
    assert found.cure == error.cure or not error.cure
    assert found.cure


def test_nothing_is_found_where_all_is_well(configure: Configure, clock: Clock) -> None:
    loaded = configure()
    findings = [*of_kingdee.examine(loaded, clock, None), *of_dingtalk.examine(loaded, clock, None)]
    assert troubles(findings) == []
    assert {finding.result for finding in findings} == {OK}
    assert {"kingdee AP_PAYBILL", "kingdee users", "dingtalk mobile numbers"} <= {found.what for found in findings}


def test_the_tables_name_faults_that_exist() -> None:
    assert not set(KINGDEE_TOLD) - set(KINGDEE)
    assert not set(DINGTALK_TOLD) - set(DINGTALK)
    assert not set(SILENT) & set(DINGTALK_TOLD)


def test_a_failed_login_skips_the_forms_and_leaves_the_rest(
    kingdee: SimulatedKingdee, configure: Configure, clock: Clock
) -> None:
    kingdee.fault("user_without_rights", times=ALWAYS)
    results = {finding.what: finding.result for finding in of_kingdee.examine(configure(), clock, None)}
    assert results["kingdee login"] == FAILED
    assert results["kingdee forms"] == SKIPPED
    assert results["kingdee clock"] == OK


@pytest.mark.parametrize(
    ("section", "result"),
    [
        ({}, OK),
        ({"timezone": "Asia/Ho_Chi_Minh"}, WARNING),
        ({"timezone": "Asia/Taipei"}, OK),
        ({"auth": "headers"}, ""),
    ],
)
def test_a_zone_that_is_not_kingdees_is_told(
    configure: Configure, clock: Clock, section: dict[str, Any], result: str
) -> None:
    told = [one for one in of_kingdee.examine(configure(kd=section), clock, None) if one.what == "kingdee zone"]
    assert [one.result for one in told] == ([result] if result else [])
    assert result != WARNING or "UTC+08:00" in told[0].detail
