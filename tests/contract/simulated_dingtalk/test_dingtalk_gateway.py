"""Tokens, both envelopes, rate, quota, permissions and every fault of the simulated DingTalk."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import Any

import pytest
import requests

from kdsync.clock import FakeClock
from kdsync.simulator.dingtalk import SimulatedDingTalk

APP = {"appKey": "dingsimulatedapp", "appSecret": "simulated-client-secret"}
GET_USER = "/topapi/v2/user/get"
BATCH_SEND = "/v1.0/robot/oToMessages/batchSend"

Call = Callable[..., Any]


def fetch_token(ding: SimulatedDingTalk, **credentials: str) -> requests.Response:
    return requests.post(f"{ding.url}/v1.0/oauth2/accessToken", json=APP | credentials, timeout=5)


def fetch_old_token(ding: SimulatedDingTalk, secret: str = APP["appSecret"]) -> Any:
    params = {"appkey": APP["appKey"], "appsecret": secret}
    return requests.get(f"{ding.url}/gettoken", params=params, timeout=5).json()


def test_both_ways_give_the_same_token_while_it_is_valid(ding: SimulatedDingTalk) -> None:
    first = fetch_token(ding).json()
    assert first == {"accessToken": first["accessToken"], "expireIn": 7200}
    second = fetch_old_token(ding)
    assert (second["errcode"], second["expires_in"]) == (0, 7200)
    assert second["access_token"] == first["accessToken"]


def test_a_new_token_after_two_hours(ding: SimulatedDingTalk, clock: FakeClock) -> None:
    first = fetch_token(ding).json()["accessToken"]
    clock.advance(7200)
    assert fetch_token(ding).json()["accessToken"] != first


def test_asking_again_extends_the_token(ding: SimulatedDingTalk, clock: FakeClock, token: str, old: Call) -> None:
    clock.advance(7000)
    assert fetch_token(ding).json()["accessToken"] == token
    clock.advance(7000)
    assert old(GET_USER, userid="user1")["errcode"] == 0


def test_wrong_credentials(ding: SimulatedDingTalk) -> None:
    refused = fetch_token(ding, appSecret="wrong")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalidClientIdOrSecret")
    assert fetch_old_token(ding, "wrong")["errcode"] == 40089


def test_an_expired_token_on_each_host(clock: FakeClock, old: Call, new: Call) -> None:
    clock.advance(7200)
    refused = old(GET_USER, userid="user1")
    assert refused["errcode"] == 40014
    assert refused["request_id"]
    status, refused = new(BATCH_SEND)
    assert (status, refused["code"]) == (400, "InvalidAuthentication")
    assert set(refused) == {"code", "message", "requestid"}


def test_a_token_in_the_wrong_place(ding: SimulatedDingTalk, token: str) -> None:
    in_body = requests.post(f"{ding.url}{GET_USER}", json={"access_token": token, "userid": "user1"}, timeout=5)
    assert in_body.json()["errcode"] == 41001
    in_query = requests.post(f"{ding.url}{BATCH_SEND}", params={"access_token": token}, json={}, timeout=5)
    assert (in_query.status_code, in_query.json()["code"]) == (400, "InvalidAuthentication")


def test_an_unknown_path_on_each_host(old: Call, new: Call) -> None:
    assert old("/topapi/v2/user/gets")["errcode"] == 22
    assert new("/v1.0/robot/batchSend")[0] == 404


def test_a_body_that_is_no_json(ding: SimulatedDingTalk, token: str) -> None:
    answer = requests.post(f"{ding.url}{GET_USER}", params={"access_token": token}, data=b"{", timeout=5)
    assert answer.json()["errcode"] == 40035


def test_the_21st_call_of_a_second(ding: SimulatedDingTalk, clock: FakeClock, old: Call, new: Call) -> None:
    assert [old(GET_USER, userid="user1")["errcode"] for _ in range(21)] == [0] * 20 + [90018]
    codes = [new(BATCH_SEND)[1]["code"] for _ in range(21)]
    assert codes[20] == "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"
    assert ding.metered_calls == 20  # the refused call is not counted, the calls with bad parameters are
    clock.advance(1)
    assert old(GET_USER, userid="user1")["errcode"] == 0


def test_the_month_is_used_up_but_contacts_go_on(clock: FakeClock) -> None:
    with SimulatedDingTalk(clock, monthly_calls=1) as ding:
        ding.add_user("user1", "张三")
        token = fetch_token(ding).json()["accessToken"]
        headers = {"x-acs-dingtalk-access-token": token}
        requests.post(f"{ding.url}{BATCH_SEND}", headers=headers, json={}, timeout=5)
        refused = requests.post(f"{ding.url}{BATCH_SEND}", headers=headers, json={}, timeout=5)
        assert (refused.status_code, refused.json()["code"]) == (403, "Forbidden.AccessDenied.ApiCountLimitForOrg")
        path = f"{ding.url}/topapi/message/corpconversation/asyncsend_v2"
        assert requests.post(path, params={"access_token": token}, json={}, timeout=5).json()["errcode"] == 90020
        contact = requests.post(
            f"{ding.url}{GET_USER}", params={"access_token": token}, json={"userid": "user1"}, timeout=5
        )
        assert contact.json()["errcode"] == 0


def test_the_month_ends_in_shanghai(ding: SimulatedDingTalk, clock: FakeClock) -> None:
    ding.use_up_month()
    assert ding.metered_calls == 5000
    clock.advance((datetime(2026, 11, 30, 15, 59, tzinfo=UTC) - clock.now()).total_seconds())
    assert ding.metered_calls == 5000
    clock.advance(60)
    assert ding.metered_calls == 0


def test_a_missing_permission_names_its_scope(ding: SimulatedDingTalk, old: Call, new: Call) -> None:
    ding.revoke("qyapi_get_member")
    ding.revoke("qyapi_robot_sendmsg")
    refused = old(GET_USER, userid="user1")
    assert (refused["errcode"], refused["sub_code"]) == (88, "60011")
    assert "qyapi_get_member" in refused["sub_msg"]
    status, refused = new(BATCH_SEND)
    assert (status, refused["accessdenieddetail"]) == (403, {"requiredScopes": ["qyapi_robot_sendmsg"]})
    ding.grant("qyapi_get_member")
    assert old(GET_USER, userid="user1")["errcode"] == 0


def test_the_date_header_follows_the_clock(ding: SimulatedDingTalk, clock: FakeClock) -> None:
    clock.advance(3600)
    assert parsedate_to_datetime(fetch_token(ding).headers["Date"]) == clock.now()


@pytest.mark.parametrize(
    ("fault", "code", "sub_code"),
    [
        ("qps", 90018, None),
        ("quota", 90020, None),
        ("busy88", 88, None),
        ("system_busy", -1, None),
        ("http504", 15, "isp.top-remote-connection-timeout"),
        ("permission", 88, "60011"),
        ("token_expired", 40014, None),
    ],
)
def test_a_fault_on_the_old_host(
    ding: SimulatedDingTalk, send: Call, fault: str, code: int, sub_code: str | None
) -> None:
    ding.fault(fault, api="asyncsend_v2")
    refused = send("user1")
    assert (refused["errcode"], refused.get("sub_code")) == (code, sub_code)
    assert ding.seen() == []
    assert (ding.refused[-1].fault, ding.metered_calls) == (fault, 0)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("qps", 403, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"),
        ("quota", 403, "Forbidden.AccessDenied.ApiCountLimitForOrg"),
        ("busy88", 503, "system.busy"),
        ("system_busy", 503, "system.busy"),
        ("http504", 504, "GatewayTimeout"),
        ("permission", 403, "Forbidden.AccessDenied.AccessTokenPermissionDenied"),
        ("token_expired", 400, "InvalidAuthentication"),
    ],
)
def test_a_fault_on_the_new_host(ding: SimulatedDingTalk, new: Call, fault: str, status: int, code: str) -> None:
    ding.fault(fault, api="batchSend")
    answered, refused = new(BATCH_SEND)
    assert (answered, refused["code"]) == (status, code)


def test_a_token_is_void_for_good_after_token_expired(ding: SimulatedDingTalk, token: str, old: Call) -> None:
    ding.fault("token_expired", api=GET_USER)
    assert [old(GET_USER, userid="user1")["errcode"] for _ in range(2)] == [40014, 40014]
    assert fetch_token(ding).json()["accessToken"] != token


def test_an_answer_that_is_no_json(ding: SimulatedDingTalk) -> None:
    ding.fault("html_ban")
    banned = fetch_token(ding)
    assert (banned.status_code, banned.headers["Content-Type"]) == (200, "text/html")
    ding.fault("http500")
    assert fetch_token(ding).status_code == 500


def test_a_ban_in_json_of_neither_envelope(ding: SimulatedDingTalk) -> None:
    ding.fault("json_ban")
    banned = fetch_token(ding)
    assert (banned.status_code, banned.json()["status"], banned.json()["wait"]) == (200, 1111, 5)


@pytest.mark.parametrize(("fault", "seen"), [("reset", 0), ("lost_reply", 1)])
def test_a_connection_that_breaks(ding: SimulatedDingTalk, send: Call, fault: str, seen: int) -> None:
    ding.fault(fault, api="asyncsend_v2")
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        send("user1")
    assert len(ding.seen("user1")) == seen
    assert send("user1", "again")["errcode"] == 0


def test_a_time_out_at_the_gateway_after_the_send_was_done(ding: SimulatedDingTalk, send: Call) -> None:
    ding.fault("done504", api="asyncsend_v2")
    assert send("user1")["errcode"] == 15
    assert [seen.text for seen in ding.seen("user1")] == ["hello"]
    assert (ding.accepted[-1].fault, ding.metered_calls) == ("done504", 1)


def test_no_answer_until_the_caller_gives_up(ding: SimulatedDingTalk) -> None:
    ding.fault("hang")
    with pytest.raises(requests.Timeout):
        requests.get(f"{ding.url}/gettoken", timeout=0.05)


def test_stopping_ends_what_hangs(ding: SimulatedDingTalk) -> None:
    ding.fault("hang")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fetch_token, ding)
        while not ding.calls:
            time.sleep(0.005)
        ding.stop()
        assert isinstance(waiting.exception(timeout=5), requests.ConnectionError)


def test_a_slow_answer_takes_its_time_by_the_clock(ding: SimulatedDingTalk, clock: FakeClock) -> None:
    before = clock.now()
    ding.fault("slow", seconds=8)
    assert fetch_token(ding).status_code == 200
    assert (clock.now() - before).total_seconds() == 8


def test_a_fault_strikes_as_often_as_asked_and_only_where(ding: SimulatedDingTalk, old: Call) -> None:
    ding.fault("system_busy", times=2, api="user/get")
    assert old("/topapi/user/listid", dept_id=1)["errcode"] == 0
    assert [old(GET_USER, userid="user1")["errcode"] for _ in range(3)] == [-1, -1, 0]


def test_a_fault_with_a_probability_goes_on_until_it_is_cleared(clock: FakeClock) -> None:
    with SimulatedDingTalk(clock, random=Random(1), qps=1000) as ding:
        ding.fault("http500", probability=0.3)
        failed = sum(fetch_token(ding).status_code == 500 for _ in range(60))
        assert 8 <= failed <= 28
        ding.clear_faults()
        assert fetch_token(ding).status_code == 200


def test_an_unknown_fault_is_a_mistake_of_the_test(ding: SimulatedDingTalk) -> None:
    with pytest.raises(ValueError, match=r"unknown fault 'http505'; known are .*http504"):
        ding.fault("http505")


def test_it_comes_back_where_it_was_and_remembers(ding: SimulatedDingTalk, send: Call) -> None:
    url = ding.url
    send("user1")
    ding.stop()
    with pytest.raises(requests.ConnectionError):
        fetch_token(ding)
    ding.start()
    assert ding.url == url
    send("user1")
    assert len(ding.seen("user1")) == 1  # it still knows that this was delivered today
