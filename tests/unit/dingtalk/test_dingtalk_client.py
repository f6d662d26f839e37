"""Tokens, pace, counting, time and secrets of the calls."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdsync.clock import FakeClock
from kdsync.dingtalk.client import Call, DingTalkClient
from kdsync.errors import EdgeError, FailureKind
from kdsync.settings.schema import DingTalkSection

OLD = "https://oapi.dingtalk.com/topapi/v2/user/get"
NEW = "https://api.dingtalk.com/v1.0/card/instances"
TOKEN = "https://api.dingtalk.com/v1.0/oauth2/accessToken"
ASK = "topapi/v2/user/get"


def answer_with_tokens(dingtalk: responses.RequestsMock, *tokens: str, lifetime: float = 7200) -> None:
    dingtalk.remove(responses.POST, TOKEN)
    for token in tokens:
        dingtalk.post(TOKEN, json={"accessToken": token, "expireIn": lifetime})


def tokens_used(dingtalk: responses.RequestsMock, url: str = OLD) -> list[str]:
    requests = [urlsplit(str(call.request.url)) for call in dingtalk.calls]
    return [parse_qs(sent.query)["access_token"][0] for sent in requests if sent.path == urlsplit(url).path]


def test_the_old_host_gets_the_token_in_the_query(client: DingTalkClient, dingtalk: responses.RequestsMock) -> None:
    dingtalk.post(OLD, json={"errcode": 0, "result": {"userid": "u"}})
    assert client.ask(ASK, {"userid": "u"})["result"] == {"userid": "u"}
    assert tokens_used(dingtalk) == ["first-token"]
    assert orjson.loads(dingtalk.calls[0].request.body or "") == {
        "appKey": "dingtestkey",
        "appSecret": "app-secret-value",
    }


def test_the_new_host_gets_the_token_in_a_header(client: DingTalkClient, dingtalk: responses.RequestsMock) -> None:
    dingtalk.put(NEW, json={"success": True})
    assert client.call(Call("v1.0/card/instances", host="new", method="PUT"))["success"]
    request = dingtalk.calls[1].request
    assert request.headers["x-acs-dingtalk-access-token"] == "first-token"
    assert request.url == NEW


def test_one_token_serves_until_ten_minutes_before_its_end(
    client: DingTalkClient, dingtalk: responses.RequestsMock, clock: FakeClock
) -> None:
    answer_with_tokens(dingtalk, "first-token", "second-token")
    dingtalk.post(OLD, json={"errcode": 0})
    client.ask(ASK, {})
    clock.advance(6590)
    client.ask(ASK, {})
    clock.advance(11)
    client.ask(ASK, {})
    assert tokens_used(dingtalk) == ["first-token", "first-token", "second-token"]


def test_a_token_that_lives_shorter_than_the_margin_serves_for_half_its_life(
    client: DingTalkClient, dingtalk: responses.RequestsMock, clock: FakeClock
) -> None:
    answer_with_tokens(dingtalk, "first-token", "second-token", lifetime=60)
    dingtalk.post(OLD, json={"errcode": 0})
    client.ask(ASK, {})
    clock.advance(28)
    client.ask(ASK, {})
    clock.advance(5)
    client.ask(ASK, {})
    assert tokens_used(dingtalk) == ["first-token", "first-token", "second-token"]


@pytest.mark.parametrize("refusal", [{"errcode": 40014}, {"errcode": 88, "sub_code": "42001"}])
def test_an_expired_token_is_replaced_and_the_call_made_again(
    client: DingTalkClient, dingtalk: responses.RequestsMock, refusal: dict[str, object]
) -> None:
    answer_with_tokens(dingtalk, "first-token", "second-token")
    dingtalk.post(OLD, json=refusal)
    dingtalk.post(OLD, json={"errcode": 0, "result": 1})
    assert client.ask(ASK, {})["result"] == 1
    assert tokens_used(dingtalk) == ["first-token", "second-token"]


def test_an_expired_token_of_the_new_host_is_an_http_400(
    client: DingTalkClient, dingtalk: responses.RequestsMock
) -> None:
    answer_with_tokens(dingtalk, "first-token", "second-token")
    dingtalk.post(NEW, status=400, json={"code": "InvalidAuthentication", "message": "不合法的access_token"})
    dingtalk.post(NEW, json={"success": True})
    assert client.call(Call("v1.0/card/instances", host="new"))["success"]


def test_a_token_refused_twice_is_not_tried_a_third_time(
    client: DingTalkClient, dingtalk: responses.RequestsMock
) -> None:
    answer_with_tokens(dingtalk, "first-token", "second-token")
    dingtalk.post(OLD, json={"errcode": 40014})
    with pytest.raises(EdgeError) as caught:
        client.ask(ASK, {})
    assert caught.value.kind is FailureKind.SESSION_LOST
    assert tokens_used(dingtalk) == ["first-token", "second-token"]


@pytest.mark.parametrize("token", ["", "line\nbreak", "中文", None, 3, ["x"]])
def test_a_token_that_is_none_is_an_edge_error(
    client: DingTalkClient, dingtalk: responses.RequestsMock, token: object
) -> None:
    dingtalk.remove(responses.POST, TOKEN)
    dingtalk.post(TOKEN, json={"accessToken": token, "expireIn": 7200})
    dingtalk.post(OLD, json={"errcode": 0})
    if token == 3:  # a number may stand for its text
        client.check_token()
        return
    with pytest.raises(EdgeError):
        client.check_token()


def test_wrong_credentials_are_for_the_operator_to_mend(
    client: DingTalkClient, dingtalk: responses.RequestsMock
) -> None:
    dingtalk.remove(responses.POST, TOKEN)
    dingtalk.post(TOKEN, status=400, json={"code": "invalidClientIdOrSecret", "message": "无效的clientId"})
    with pytest.raises(EdgeError) as caught:
        client.check_token()
    assert caught.value.kind is FailureKind.CONFIGURATION
    assert "client_secret" in caught.value.cure


def test_calls_of_one_api_are_spaced_and_those_of_others_are_not(
    client: DingTalkClient, dingtalk: responses.RequestsMock, clock: FakeClock
) -> None:
    dingtalk.post(OLD, json={"errcode": 0})
    dingtalk.post("https://oapi.dingtalk.com/other", json={"errcode": 0})
    for _ in range(16):
        client.ask(ASK, {})
        client.ask("other", {})
    assert clock.monotonic() == pytest.approx(1.0)


def test_an_idle_api_does_not_wait(client: DingTalkClient, dingtalk: responses.RequestsMock, clock: FakeClock) -> None:
    dingtalk.post(OLD, json={"errcode": 0})
    client.ask(ASK, {})
    clock.advance(5)
    client.ask(ASK, {})
    assert clock.monotonic() == 5


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        ({"json": {"errcode": 0}}, True),
        ({"json": {"errcode": 33012}}, True),
        ({"status": 502}, True),
        ({"json": {"errcode": 90018}}, False),
        ({"json": {"errcode": 90020}}, False),
        ({"body": "<html>"}, False),
    ],
)
def test_calls_count_unless_they_were_refused_for_their_number(
    client: DingTalkClient,
    dingtalk: responses.RequestsMock,
    calls: list[tuple[str, bool]],
    answer: dict[str, Any],
    counted: bool,
) -> None:
    dingtalk.post(OLD, **answer)
    with suppress(EdgeError):
        client.ask(ASK, {})
    assert calls == [("v1.0/oauth2/accessToken", False), *([(ASK, True)] if counted else [])]


def test_dingtalks_clock_is_read_from_its_answers(
    client: DingTalkClient, dingtalk: responses.RequestsMock, clock: FakeClock
) -> None:
    assert not client.server_clock.measured
    dingtalk.post(OLD, json={"errcode": 0}, headers={"Date": "Mon, 23 Nov 2026 04:02:20 GMT"})
    client.ask(ASK, {})
    assert client.server_clock.offset() == 120.5
    assert client.server_clock.error() == 0.5
    assert client.now() == clock.now() + timedelta(seconds=120.5)


def test_a_date_without_fractions_of_a_second_is_no_offset(
    client: DingTalkClient, dingtalk: responses.RequestsMock, clock: FakeClock
) -> None:
    clock.advance(0.9)
    dingtalk.post(OLD, json={"errcode": 0}, headers={"Date": "Mon, 23 Nov 2026 04:00:20 GMT"})
    client.ask(ASK, {})
    assert abs(client.server_clock.offset()) <= 0.5


def test_one_answer_with_another_date_does_not_move_the_clock(
    client: DingTalkClient, dingtalk: responses.RequestsMock, clock: FakeClock
) -> None:
    dates = ["23 Nov 2026 04:00:20", "23 Nov 2026 09:00:21", "23 Nov 2026 04:00:22"]
    for date in dates:
        dingtalk.post(OLD, json={"errcode": 0}, headers={"Date": f"Mon, {date} GMT"})
        client.ask(ASK, {})
        clock.advance(1)
    assert abs(client.server_clock.offset()) <= 0.5


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 23 Nov 9999 04:02:20 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_date_that_is_none_does_not_move_the_clock(
    client: DingTalkClient, dingtalk: responses.RequestsMock, date: str
) -> None:
    dingtalk.post(OLD, json={"errcode": 0}, headers={"Date": date})
    client.ask(ASK, {})
    assert not client.server_clock.measured


def test_a_minute_limit_lasts_to_the_next_minute_of_dingtalk(
    client: DingTalkClient, dingtalk: responses.RequestsMock
) -> None:
    body = {"code": "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi"}
    dingtalk.post(NEW, status=403, json=body, headers={"Date": "Mon, 23 Nov 2026 04:02:50 GMT"})
    with pytest.raises(EdgeError) as caught:
        client.call(Call("v1.0/card/instances", host="new"))
    assert caught.value.retry_after == 10


def test_other_addresses_are_for_proxies_and_tests(section: DingTalkSection, clock: FakeClock) -> None:
    elsewhere = section.model_copy(update={"api_url": "http://127.0.0.1:1/api/", "oapi_url": "http://127.0.0.1:1/oapi"})
    client = DingTalkClient(elsewhere, clock)
    with responses.RequestsMock() as mock:
        mock.post("http://127.0.0.1:1/api/v1.0/oauth2/accessToken", json={"accessToken": "t", "expireIn": 7200})
        mock.post("http://127.0.0.1:1/oapi/topapi/v2/user/get", json={"errcode": 0})
        assert client.ask(ASK, {}) == {"errcode": 0}


SECRETS = ["app-secret-value", "first-token", "robot-token-value", "this is a secret", "other-robot-token"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(st.sampled_from(SECRETS), st.sampled_from([200, 400, 500]), st.text(max_size=9))
def test_no_error_shows_a_secret_that_an_answer_repeats(
    section: DingTalkSection, clock: FakeClock, secret: str, status: int, more: str
) -> None:
    said = f"{more}{secret}{more} https://oapi.dingtalk.com/x?access_token=somebody-elses&sign=abc%3D"
    with responses.RequestsMock() as mock:
        mock.post(TOKEN, json={"accessToken": "first-token", "expireIn": 7200})
        body = {"errcode": 7, "sub_code": secret, "errmsg": said, "code": said, "message": said}
        mock.post(OLD, status=status, json=body)
        with pytest.raises(EdgeError) as caught:
            DingTalkClient(section, clock).ask(ASK, {})
    shown = f"{caught.value} {caught.value!r} {caught.value.code} {caught.value.cure}"
    assert not [hidden for hidden in (secret, "somebody-elses", "abc%3D") if hidden in shown]


def test_nothing_that_is_printed_or_logged_shows_a_token(
    client: DingTalkClient, dingtalk: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    dingtalk.post(OLD, json={"errcode": 0})
    with caplog.at_level(logging.DEBUG):
        client.ask(ASK, {})
    call = Call(ASK, b"app-secret-value").with_token("first-token")
    shown = f"{call!r} {client!r} {client.settings!r} {caplog.text}"
    assert not [secret for secret in SECRETS if secret in shown]


def test_a_token_that_cannot_be_renewed_serves_to_its_end(
    client: DingTalkClient, dingtalk: responses.RequestsMock, clock: FakeClock
) -> None:
    answer_with_tokens(dingtalk, "first-token")
    dingtalk.post(OLD, json={"errcode": 0})
    client.ask(ASK, {})
    dingtalk.remove(responses.POST, TOKEN)
    renewal = dingtalk.post(TOKEN, status=503)
    clock.advance(6600)
    for _ in range(4):
        client.ask(ASK, {})
        clock.advance(25)
    assert renewal.call_count == 2, "one try a minute"
    clock.advance(500)
    with pytest.raises(EdgeError, match="busy"):
        client.ask(ASK, {})
    dingtalk.replace(responses.POST, TOKEN, json={"accessToken": "second-token", "expireIn": 7200})
    client.ask(ASK, {})
    assert tokens_used(dingtalk) == ["first-token"] * 5 + ["second-token"]


def test_a_token_that_was_refused_is_not_used_again_where_no_other_is_to_be_had(
    client: DingTalkClient, dingtalk: responses.RequestsMock
) -> None:
    client.check_token()
    dingtalk.replace(responses.POST, TOKEN, status=503)
    dingtalk.post(OLD, json={"errcode": 40014})
    for _ in range(2):
        with pytest.raises(EdgeError, match="busy"):
            client.ask(ASK, {})
    assert tokens_used(dingtalk) == ["first-token"]
