"""The official dingtalk-stream client against the simulated DingTalk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from queue import Queue
from threading import Thread
from typing import Any

import dingtalk_stream
import pytest

from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.dingtalk_pushes import Ack, Push

pytestmark = pytest.mark.peer


class Client(dingtalk_stream.DingTalkStreamClient):  # type: ignore[misc]  # the client has no types
    """The official client, with an end: it leaves its endless loop for a KeyboardInterrupt only."""

    stopping = False

    def open_connection(self) -> Any:
        if self.stopping:
            raise KeyboardInterrupt
        return super().open_connection()


class Bot(dingtalk_stream.ChatbotHandler):  # type: ignore[misc]  # the client has no types
    def __init__(self, got: Queue[Any]) -> None:
        super().__init__()
        self.got = got

    async def process(self, callback: Any) -> tuple[int, str]:
        self.got.put(dingtalk_stream.ChatbotMessage.from_dict(callback.data))
        return dingtalk_stream.AckMessage.STATUS_OK, "OK"


class Card(dingtalk_stream.CallbackHandler):  # type: ignore[misc]  # the client has no types
    def __init__(self, got: Queue[Any]) -> None:
        super().__init__()
        self.got = got

    async def process(self, callback: Any) -> tuple[int, Any]:
        self.got.put(dingtalk_stream.CardCallbackMessage.from_dict(callback.data))
        return dingtalk_stream.AckMessage.STATUS_OK, {"cardData": {"cardParamMap": {"state": "done"}}}


class Events(dingtalk_stream.EventHandler):  # type: ignore[misc]  # the client has no types
    def __init__(self, got: Queue[Any]) -> None:
        super().__init__()
        self.got = got

    async def process(self, event: Any) -> tuple[int, str]:
        self.got.put(event)
        return dingtalk_stream.AckMessage.STATUS_OK, "OK"


def build(got: Queue[Any], secret: str = "simulated-client-secret") -> Client:
    client = Client(dingtalk_stream.Credential("dingsimulatedapp", secret), logging.getLogger("peer"))
    client.register_callback_handler(dingtalk_stream.ChatbotMessage.TOPIC, Bot(got))
    client.register_callback_handler(dingtalk_stream.CallbackHandler.TOPIC_CARD_CALLBACK, Card(got))
    client.register_all_event_handler(Events(got))
    return client


@pytest.fixture(autouse=True)
def _at_home(ding: SimulatedDingTalk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client reads the address from its class, which names the real DingTalk."""
    address = f"{ding.url}/v1.0/gateway/connections/open"
    monkeypatch.setattr(dingtalk_stream.DingTalkStreamClient, "OPEN_CONNECTION_API", address)


@pytest.fixture
def got() -> Queue[Any]:
    return Queue()


@pytest.fixture
def peer(ding: SimulatedDingTalk, got: Queue[Any]) -> Iterator[Client]:
    client = build(got)
    thread = Thread(target=lambda: asyncio.run(client.start()), daemon=True)
    thread.start()
    assert ding.wait_for_connections()
    yield client
    client.stopping = True
    ding.disconnect()
    thread.join(timeout=10)
    assert not thread.is_alive()


def answer(push: Push) -> Ack:
    assert push.answered.wait(5)
    return push.acks[0]


def test_it_understands_a_message_and_its_ack_is_accepted(
    ding: SimulatedDingTalk, peer: Client, got: Queue[Any]
) -> None:
    push = ding.say("user1", "确认付款", group="finance")
    message = got.get(timeout=5)
    assert (message.sender_staff_id, message.text.content) == ("user1", " 确认付款")
    assert (message.conversation_title, message.robot_code) == ("finance", peer.credential.client_id)
    assert message.session_webhook.startswith(ding.url)
    assert (answer(push).code, answer(push).data) == (200, {"response": "OK"})
    assert push.settled


def test_it_understands_a_click_and_answers_with_the_card(
    ding: SimulatedDingTalk, peer: Client, got: Queue[Any], card: str
) -> None:
    push = ding.click("user1", card, "approve", {"comment": "ok"})
    click = got.get(timeout=5)
    assert (click.user_id, click.card_instance_id, click.corp_id) == ("user1", card, "dingsimulatedcorp")
    assert click.content["cardPrivateData"] == {"actionIds": ["approve"], "params": {"comment": "ok"}}
    assert answer(push).data == {"response": {"cardData": {"cardParamMap": {"state": "done"}}}}
    assert not push.refused
    assert peer.websocket is not None


def test_its_ack_of_an_event_counts_although_it_names_no_status(
    ding: SimulatedDingTalk, peer: Client, got: Queue[Any]
) -> None:
    push = ding.event("user_leave_org", {"userId": ["user1"]})
    event = got.get(timeout=5)
    assert (event.headers.event_type, event.data) == ("user_leave_org", {"userId": ["user1"]})
    assert event.headers.event_born_time > 0
    assert answer(push).data == {"userId": ["user1"]}
    assert push.settled
    assert peer.websocket is not None


def test_it_echoes_a_ping(ding: SimulatedDingTalk, peer: Client) -> None:
    (push,) = ding.ping()
    assert answer(push).data == push.data
    assert peer.websocket is not None


def test_asked_to_go_it_comes_back(ding: SimulatedDingTalk, peer: Client, got: Queue[Any]) -> None:
    (before,) = ding.connections
    ding.disconnect()
    assert ding.wait_for_connections()
    assert ding.connections != [before]
    ding.say("user1", "still there?")
    assert got.get(timeout=5).text.content == "still there?"
    assert peer.websocket is not None


def test_with_a_wrong_secret_it_gets_no_connection(ding: SimulatedDingTalk, got: Queue[Any]) -> None:
    assert build(got, secret="wrong").open_connection() is None
    assert [call.code for call in ding.refused] == ["authFailed"]
