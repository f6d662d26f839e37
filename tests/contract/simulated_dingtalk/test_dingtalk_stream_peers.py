"""The official client and ours, one after the other through the same day: both hear the same and answer as well."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any

import dingtalk_stream
import pytest

from kdsync.clock import FakeClock
from kdsync.dingtalk.frames import Clicked, Happened, Said
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.dingtalk_pushes import Push
from tests.contract.simulated_dingtalk.test_dingtalk_peer import build
from tests.contract.simulated_dingtalk.test_dingtalk_stream_client import Ear, answer, listening, until

pytestmark = pytest.mark.peer
SHOWN = {"response": {"cardData": {"cardParamMap": {"state": "done"}}}}

Hear = Callable[[], tuple[Any, ...]]
"""What was heard next, as plain values."""


def plain(heard: Any) -> tuple[Any, ...]:
    """What either client hands on, in the same words."""
    match heard:
        case Said():
            return heard.message_id, heard.conversation_id, heard.sender, heard.text, heard.session_webhook
        case dingtalk_stream.ChatbotMessage():
            text = heard.text.content.strip()
            return heard.message_id, heard.conversation_id, heard.sender_staff_id, text, heard.session_webhook
        case Clicked():
            return heard.out_track_id, heard.sender, list(heard.action_ids), heard.params
        case dingtalk_stream.CardCallbackMessage():
            pressed = heard.content["cardPrivateData"]
            return heard.card_instance_id, heard.user_id, pressed["actionIds"], pressed["params"]
        case Happened():
            return heard.event_id, heard.kind, heard.data, int(heard.born_at.timestamp() * 1000)
        case _:
            headers = heard.headers
            return headers.event_id, headers.event_type, heard.data, int(headers.event_born_time)


@pytest.fixture
def official(ding: SimulatedDingTalk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hear]:
    address = f"{ding.url}/v1.0/gateway/connections/open"
    monkeypatch.setattr(dingtalk_stream.DingTalkStreamClient, "OPEN_CONNECTION_API", address)
    got: Queue[Any] = Queue()
    client = build(got)
    thread = threading.Thread(target=lambda: asyncio.run(client.start()), daemon=True)
    thread.start()
    assert ding.wait_for_connections()
    yield lambda: plain(got.get(timeout=5))
    client.stopping = True
    ding.disconnect()
    thread.join(timeout=10)
    assert not thread.is_alive()


@pytest.fixture
def ours(ding: SimulatedDingTalk, clock: FakeClock) -> Iterator[Hear]:
    ear = Ear()
    ear.answer = SHOWN
    with listening(ding, clock, ear):
        assert ding.wait_for_connections()

        def hear() -> tuple[Any, ...]:
            until(lambda: ear.heard)
            return plain(ear.heard.pop(0))

        yield hear


@pytest.fixture(params=["official", "ours"])
def hear(request: pytest.FixtureRequest) -> Hear:
    chosen: Hear = request.getfixturevalue(request.param)
    return chosen


def header(push: Push, name: str) -> Any:
    return push.headers[name]


def test_a_message(ding: SimulatedDingTalk, hear: Hear) -> None:
    for group in (None, "finance"):
        push = ding.say("user1", "同意 EXP1", group)
        data = push.data
        assert hear() == (data["msgId"], data["conversationId"], "user1", "同意 EXP1", data["sessionWebhook"])
        assert (answer(push).code, list(answer(push).data), push.settled) == (200, ["response"], True)


def test_a_message_that_comes_again(ding: SimulatedDingTalk, hear: Hear) -> None:
    push = ding.say("user1", "同意 EXP1")
    first = hear()
    answer(push)
    ding.redeliver()
    assert hear() == first


def test_a_click(ding: SimulatedDingTalk, hear: Hear, card: str) -> None:
    push = ding.click("user1", card, "approve", {"reason": "好"})
    assert hear() == (card, "user1", ["approve"], {"reason": "好"})
    assert (answer(push).code, answer(push).data, push.refused) == (200, SHOWN, False)


def test_an_event(ding: SimulatedDingTalk, hear: Hear) -> None:
    push = ding.event("bpms_instance_change", {"type": "finish", "result": "agree"})
    born = int(header(push, "eventBornTime"))
    assert hear() == (header(push, "eventId"), "bpms_instance_change", push.data, born)
    assert (answer(push).code, push.settled) == (200, True)


@pytest.mark.usefixtures("hear")
def test_a_ping(ding: SimulatedDingTalk) -> None:
    (push,) = ding.ping()
    assert (answer(push).code, answer(push).data) == (200, push.data)


def test_being_asked_to_go(ding: SimulatedDingTalk, clock: FakeClock, hear: Hear) -> None:
    (before,) = ding.connections
    clock.advance(31)
    ding.disconnect()
    # Slowly: a peer that has not read the request before its line is cut sleeps for ten seconds of real time.
    until(lambda: ding.connections, lambda: clock.advance(0.005))
    assert ding.connections != [before]
    push = ding.say("user1", "still there?")
    assert hear()[3] == "still there?"
    assert answer(push).code == 200
