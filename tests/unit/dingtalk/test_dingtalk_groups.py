"""Group robots: the signature, the count of a minute, and what refusals mean."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import responses

from kdsync.clock import FakeClock
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.groups import GroupRobots, signature
from kdsync.dingtalk.work import Receipt
from kdsync.errors import EdgeError, FailureKind

SEND = "https://oapi.dingtalk.com/robot/send"
MESSAGE = b'{"markdown":{"text":"### t","title":"t"},"msgtype":"markdown"}'
AGREED = {"errcode": 0, "errmsg": "ok"}


@pytest.fixture
def robots(client: DingTalkClient) -> GroupRobots:
    return GroupRobots(client)


def query(dingtalk: responses.RequestsMock, number: int = -1) -> dict[str, list[str]]:
    return parse_qs(urlsplit(str(dingtalk.calls[number].request.url)).query)


def test_the_signature_is_that_of_the_public_vector() -> None:
    assert signature("this is a secret", 1577262236757) == "DJrE6qdyVGCQz9z5r2MDuNcNAhwYnuAkyj13cx169CA="


def test_a_message_goes_out_signed_with_its_uuid(
    robots: GroupRobots, dingtalk: responses.RequestsMock, clock: FakeClock
) -> None:
    dingtalk.post(SEND, json=AGREED)
    assert robots.send_group("finance", MESSAGE, "uuid-1") == Receipt("")
    stamp = int(clock.now().timestamp() * 1000)
    assert query(dingtalk) == {
        "access_token": ["robot-token-value"],
        "timestamp": [str(stamp)],
        "sign": [signature("this is a secret", stamp)],
    }
    body = orjson.loads(dingtalk.calls[0].request.body or "")
    assert body == {**orjson.loads(MESSAGE), "msgUuid": "uuid-1"}
    assert len(dingtalk.calls) == 1  # no token of the app is needed


def test_a_robot_without_a_secret_is_not_signed(robots: GroupRobots, dingtalk: responses.RequestsMock) -> None:
    dingtalk.post(SEND, json=AGREED)
    robots.send_group("plain", MESSAGE, "uuid-1")
    assert query(dingtalk) == {"access_token": ["other-robot-token"]}


@pytest.mark.parametrize(("text", "sent"), [("### t", "### t\n\n付款"), ("### 付款单", "### 付款单")])
def test_a_robots_keyword_stands_below_a_message_that_lacks_it(
    client: DingTalkClient, dingtalk: responses.RequestsMock, text: str, sent: str
) -> None:
    robot = client.settings.groups["plain"].model_copy(update={"keyword": "付款"})
    client.settings = client.settings.model_copy(update={"groups": {"plain": robot}})
    dingtalk.post(SEND, json=AGREED)
    message = {"msgtype": "markdown", "markdown": {"title": "付款", "text": text}}
    GroupRobots(client).send_group("plain", orjson.dumps(message), "uuid-1")
    body = orjson.loads(dingtalk.calls[0].request.body or "")
    assert body["markdown"] == {"title": "付款", "text": sent}


def test_a_webhook_is_not_a_metered_call(
    robots: GroupRobots, dingtalk: responses.RequestsMock, calls: list[tuple[str, bool]]
) -> None:
    dingtalk.post(SEND, json=AGREED)
    robots.send_group("plain", MESSAGE, "uuid-1")
    assert calls == [("robot/send", False)]


def test_a_clock_that_is_hours_off_is_corrected_by_the_refusal_itself(
    robots: GroupRobots, dingtalk: responses.RequestsMock, clock: FakeClock
) -> None:
    started = int(clock.now().timestamp() * 1000)
    late = {"Date": "Mon, 23 Nov 2026 09:00:20 GMT"}
    dingtalk.post(SEND, json={"errcode": 310000, "errmsg": "invalid timestamp"}, headers=late)
    dingtalk.post(SEND, json=AGREED, headers=late)
    robots.send_group("finance", MESSAGE, "uuid-1")
    first, second = (int(query(dingtalk, number)["timestamp"][0]) for number in (0, 1))
    assert abs(second - first - 5 * 3600 * 1000) <= 500
    assert first == started


def test_a_clock_that_was_set_since_is_corrected_by_the_refusal_too(
    robots: GroupRobots, client: DingTalkClient, dingtalk: responses.RequestsMock
) -> None:
    dingtalk.post(SEND, json=AGREED, headers={"Date": "Mon, 23 Nov 2026 04:00:20 GMT"})
    robots.send_group("finance", MESSAGE, "uuid-1")
    late = {"Date": "Mon, 23 Nov 2026 09:00:20 GMT"}
    dingtalk.post(SEND, json={"errcode": 310000, "errmsg": "invalid timestamp"}, headers=late)
    dingtalk.post(SEND, json=AGREED, headers=late)
    robots.send_group("finance", MESSAGE, "uuid-2")
    assert abs(client.server_clock.offset() - 5 * 3600) <= 0.5


def test_a_refused_timestamp_that_nothing_corrects_is_told(
    robots: GroupRobots, dingtalk: responses.RequestsMock
) -> None:
    dingtalk.post(SEND, json={"errcode": 310000, "errmsg": "invalid timestamp"})
    with pytest.raises(EdgeError) as caught:
        robots.send_group("finance", MESSAGE, "uuid-1")
    assert (caught.value.kind, caught.value.code) == (FailureKind.CONFIGURATION, "310000 timestamp")
    assert len(dingtalk.calls) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind", "pause"),
    [
        (200, b'{"errcode":130101,"errmsg":"send too fast"}', FailureKind.RATE_LIMITED, 600),
        (200, b'{"errcode":410100}', FailureKind.RATE_LIMITED, 600),
        (302, b"", FailureKind.RATE_LIMITED, 600),
        (200, b'{"errcode":90030}', FailureKind.QUOTA, None),
        (200, b'{"errcode":400101}', FailureKind.CONFIGURATION, None),
        (200, b'{"errcode":430104}', FailureKind.REFUSED, None),
        (200, b'{"errcode":460101}', FailureKind.REFUSED, None),
        (504, b"", FailureKind.UNKNOWN_OUTCOME, None),
    ],
)
def test_refusals_of_a_robot_are_known(
    robots: GroupRobots,
    dingtalk: responses.RequestsMock,
    status: int,
    body: bytes,
    kind: FailureKind,
    pause: float | None,
) -> None:
    dingtalk.post(SEND, status=status, body=body, headers={"Location": "https://www.dingtalk.com/"})
    with pytest.raises(EdgeError) as caught:
        robots.send_group("finance", MESSAGE, "uuid-1")
    assert (caught.value.kind, caught.value.retry_after) == (kind, pause)


def test_a_group_that_nobody_configured_is_for_the_operator(
    robots: GroupRobots, dingtalk: responses.RequestsMock
) -> None:
    with pytest.raises(EdgeError, match="group:sales") as caught:
        robots.send_group("sales", MESSAGE, "uuid-1")
    assert caught.value.kind is FailureKind.CONFIGURATION
    assert not dingtalk.calls


def test_a_robot_stops_short_of_twenty_messages_a_minute(
    robots: GroupRobots, dingtalk: responses.RequestsMock, clock: FakeClock
) -> None:
    dingtalk.post(SEND, json=AGREED)
    for _ in range(18):
        robots.send_group("plain", MESSAGE, "u")
    spent = clock.monotonic()
    with pytest.raises(EdgeError) as caught:
        robots.send_group("plain", MESSAGE, "u")
    assert caught.value.kind is FailureKind.RATE_LIMITED
    assert caught.value.retry_after == pytest.approx(60 - spent)
    assert len(dingtalk.calls) == 18
    robots.send_group("finance", MESSAGE, "u")  # another robot has a minute of its own
    clock.advance(caught.value.retry_after or 0)
    robots.send_group("plain", MESSAGE, "u")
    assert len(dingtalk.calls) == 20
