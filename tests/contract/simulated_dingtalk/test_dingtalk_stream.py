"""The Stream side of the simulated DingTalk, spoken to with a bare websocket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from kdsync.clock import FakeClock
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.dingtalk_pushes import Push

TOPICS = [
    {"type": "EVENT", "topic": "*"},
    {"type": "CALLBACK", "topic": "/v1.0/im/bot/messages/get"},
    {"type": "CALLBACK", "topic": "/v1.0/card/instances/callback"},
]

Frame = dict[str, Any]
Join = Callable[..., ClientConnection]


def ask_ticket(ding: SimulatedDingTalk, secret: str = "simulated-client-secret", topics: Any = None) -> Any:
    fields = {"clientId": "dingsimulatedapp", "clientSecret": secret, "subscriptions": topics or TOPICS, "ua": "test"}
    return requests.post(f"{ding.url}/v1.0/gateway/connections/open", json=fields, timeout=5)


def address(ding: SimulatedDingTalk, topics: Any = None) -> str:
    granted = ask_ticket(ding, topics=topics).json()
    return f"{granted['endpoint']}?ticket={granted['ticket']}"


@pytest.fixture
def join(ding: SimulatedDingTalk) -> Iterator[Join]:
    """Connect a client: join(topics) -> websocket."""
    with ExitStack() as opened:

        def call(topics: Any = None) -> ClientConnection:
            number = len(ding.connections) + 1
            client = opened.enter_context(connect(address(ding, topics), proxy=None, close_timeout=1))
            assert ding.wait_for_connections(number)
            return client

        yield call


def receive(client: ClientConnection) -> Frame:
    frame: Frame = json.loads(client.recv(timeout=5))
    return frame


def nothing_comes(client: ClientConnection) -> bool:
    try:
        client.recv(timeout=0.1)
    except TimeoutError:
        return True
    return False


def count(client: ClientConnection) -> int:
    """How many frames wait."""
    number = 0
    while not nothing_comes(client):
        number += 1
    return number


def ack(client: ClientConnection, frame: Frame, data: object = None, code: int = 200) -> None:
    headers = {"messageId": frame["headers"]["messageId"], "contentType": "application/json"}
    answer = {"code": code, "headers": headers, "message": "OK", "data": json.dumps(data or {"response": {}})}
    client.send(json.dumps(answer))


def heard(push: Push, number: int = 1) -> bool:
    end = time.monotonic() + 5
    while len(push.acks) < number and time.monotonic() < end:
        push.answered.wait(0.005)
    return len(push.acks) == number


def test_wrong_credentials_get_no_ticket(ding: SimulatedDingTalk) -> None:
    refused = ask_ticket(ding, "wrong")
    assert (refused.status_code, refused.json()["code"]) == (401, "authFailed")
    assert ask_ticket(ding, topics=[{"type": "TOPIC", "topic": "*"}]).status_code == 400


def test_a_ticket_opens_one_connection(ding: SimulatedDingTalk) -> None:
    place = address(ding)
    with connect(place, proxy=None):
        assert ding.wait_for_connections()
    with pytest.raises(InvalidStatus, match="401"):
        connect(place, proxy=None)


def test_a_ticket_is_void_after_ninety_seconds(ding: SimulatedDingTalk, clock: FakeClock) -> None:
    place = address(ding)
    clock.advance(91)
    with pytest.raises(InvalidStatus, match="401"):
        connect(place, proxy=None)


def test_a_message_to_the_robot_and_its_ack(ding: SimulatedDingTalk, join: Join) -> None:
    client = join()
    push = ding.say("user1", "确认付款")
    frame = receive(client)
    assert (frame["type"], frame["headers"]["topic"]) == ("CALLBACK", "/v1.0/im/bot/messages/get")
    assert isinstance(frame["headers"]["time"], str)
    data = json.loads(frame["data"])
    assert (data["senderStaffId"], data["text"], data["conversationType"]) == ("user1", {"content": "确认付款"}, "1")
    assert data["sessionWebhookExpiredTime"] - data["createAt"] == 5_400_000
    ack(client, frame)
    assert heard(push)
    assert push.acks[0].in_time
    assert ding.metered_pushes == 1


def test_a_mention_in_a_group_begins_with_a_blank(ding: SimulatedDingTalk, join: Join) -> None:
    client = join()
    ding.say("user1", "hello", group="finance")
    data = json.loads(receive(client)["data"])
    assert (data["conversationType"], data["text"], data["isInAtList"]) == ("2", {"content": " hello"}, True)


def test_an_outsider_has_no_staff_id(ding: SimulatedDingTalk, join: Join) -> None:
    client = join()
    ding.say("stranger", "hello")
    data = json.loads(receive(client)["data"])
    assert "senderStaffId" not in data
    assert data["senderId"] != "stranger"


def test_an_unanswered_message_comes_again_after_a_minute(
    ding: SimulatedDingTalk, clock: FakeClock, join: Join
) -> None:
    client = join()
    push = ding.say("user1", "hello")
    first = receive(client)
    clock.advance(29)
    assert nothing_comes(client)
    clock.advance(31)
    frames = [receive(client), receive(client)]
    again = next(frame for frame in frames if frame["type"] == "CALLBACK")
    assert again["data"] == first["data"]
    assert again["headers"]["messageId"] != first["headers"]["messageId"]
    ack(client, again)
    assert heard(push)
    clock.advance(20)
    assert nothing_comes(client)


def test_a_message_while_nobody_is_connected_is_lost(ding: SimulatedDingTalk, clock: FakeClock, join: Join) -> None:
    push = ding.say("user1", "hello")
    assert push.lost
    client = join()
    clock.advance(20)
    assert nothing_comes(client)


def test_an_event_comes_three_times_until_it_is_answered(ding: SimulatedDingTalk, clock: FakeClock, join: Join) -> None:
    client = join()
    push = ding.event("user_leave_org", {"userId": ["user1"]})
    first = receive(client)
    assert (first["type"], first["headers"]["topic"]) == ("EVENT", "*")
    assert first["headers"]["eventType"] == "user_leave_org"
    ack(client, first, {"status": "LATER"})
    assert heard(push)
    clock.advance(10)
    second = receive(client)
    assert second["headers"]["eventId"] == first["headers"]["eventId"]
    clock.advance(4)
    ack(client, second, {"status": "SUCCESS"})  # a second too late
    assert heard(push, 2)
    clock.advance(15)
    assert nothing_comes(client)
    clock.advance(0.99)
    assert nothing_comes(client)
    clock.advance(0.01)
    frames = [receive(client), receive(client)]  # the other is the platform's own ping
    third = next(frame for frame in frames if frame["type"] == "EVENT")
    ack(client, third, {"status": "SUCCESS"})
    assert heard(push, 3)
    assert push.settled
    assert ding.metered_pushes == 0  # events of contacts are free


def test_an_event_while_nobody_is_connected_comes_ten_seconds_later(
    ding: SimulatedDingTalk, clock: FakeClock, join: Join
) -> None:
    ding.event("bpms_task_change", {"type": "start"})
    client = join()
    clock.advance(10)
    assert json.loads(receive(client)["data"]) == {"type": "start"}
    assert ding.metered_pushes == 1


def test_a_click_answered_in_time_and_too_late(
    ding: SimulatedDingTalk, clock: FakeClock, join: Join, card: str
) -> None:
    client = join()
    push = ding.click("user1", card, "approve", {"comment": "ok"})
    frame = receive(client)
    data = json.loads(frame["data"])
    assert (data["userId"], data["outTrackId"]) == ("user1", card)
    content = json.loads(data["content"])
    assert content == {"cardPrivateData": {"actionIds": ["approve"], "params": {"comment": "ok"}}}
    ack(client, frame, {"response": {"cardData": {"cardParamMap": {"state": "done"}}}})
    assert heard(push)
    assert not push.refused
    late = ding.click("user1", card, "approve")
    frame = receive(client)
    clock.advance(2.1)
    ack(client, frame)
    assert heard(late)
    assert late.refused


def test_the_same_message_once_more_although_it_was_answered(ding: SimulatedDingTalk, join: Join) -> None:
    client = join()
    push = ding.say("user1", "hello")
    first = receive(client)
    ack(client, first)
    assert heard(push)
    ding.redeliver()
    assert receive(client)["data"] == first["data"]


def test_each_push_goes_to_one_of_the_connections(ding: SimulatedDingTalk, join: Join) -> None:
    clients = [join(), join()]
    for number in range(12):
        ding.say("user1", f"{number}")
    counts = [count(client) for client in clients]
    assert sum(counts) == 12
    assert min(counts) > 0


def test_only_topics_that_were_asked_for(ding: SimulatedDingTalk, join: Join) -> None:
    join([TOPICS[0]])
    assert ding.say("user1", "hello").lost
    assert not ding.event("user_leave_org", {}).lost


def test_a_ping_is_echoed(ding: SimulatedDingTalk, clock: FakeClock, join: Join) -> None:
    client = join()
    (push,) = ding.ping()
    frame = receive(client)
    assert (frame["type"], frame["headers"]["topic"]) == ("SYSTEM", "ping")
    ack(client, frame, json.loads(frame["data"]))
    assert heard(push)
    assert push.acks[0].data == push.data
    clock.advance(30)
    assert receive(client)["headers"]["topic"] == "ping"  # by itself, every half minute


def test_asked_to_go_a_connection_gets_nothing_more_and_ends_after_ten_seconds(
    ding: SimulatedDingTalk, clock: FakeClock, join: Join
) -> None:
    client = join()
    ding.disconnect()
    assert json.loads(receive(client)["data"]) == {"reason": "connection is expired"}
    assert ding.connections == []
    assert ding.say("user1", "hello").lost
    clock.advance(10)
    with pytest.raises(ConnectionClosed):
        client.recv(timeout=5)


def test_a_connection_that_is_lost_without_a_word(ding: SimulatedDingTalk, join: Join) -> None:
    client = join()
    ding.drop()
    with pytest.raises(ConnectionClosed):
        client.recv(timeout=5)
    assert ding.connections == []


def test_a_connection_that_went_deaf_is_still_chosen(ding: SimulatedDingTalk, join: Join) -> None:
    client = join()
    ding.stall()
    push = ding.say("user1", "hello")
    assert nothing_comes(client)
    assert not push.lost
    assert len(ding.connections) == 1


def test_frames_that_make_no_sense_are_ignored(ding: SimulatedDingTalk, join: Join) -> None:
    client = join()
    for nonsense in ("{", "7", '{"headers": 7}', '{"headers": {"messageId": "x"}}', "null"):
        client.send(nonsense)
    push = ding.say("user1", "hello")
    ack(client, receive(client))
    assert heard(push)


def test_without_allowance_frames_come_without_content(clock: FakeClock) -> None:
    with SimulatedDingTalk(clock, monthly_pushes=0) as ding, connect(address(ding), proxy=None) as client:
        assert ding.wait_for_connections()
        ding.say("user1", "hello")
        data = json.loads(receive(client)["data"])
        assert data["errorCode"] == "20001"
        assert "text" not in data
        ding.event("bpms_task_change", {"type": "start"})
        assert set(json.loads(receive(client)["data"])) == {"errorCode", "errMsg"}
