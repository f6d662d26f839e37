"""Our Stream client at the simulated DingTalk: what comes in, what is acknowledged, and what it survives.

Both live by one clock, which only the test turns; threads wait in real time for what is about to happen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from random import Random
from typing import Any

import pytest
import structlog

from kdsync.clock import FakeClock
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.frames import Clicked, Happened, Message, Said, dedupe_key, twin_key
from kdsync.dingtalk.stream import ALL_TOPICS, StreamClient
from kdsync.settings.schema import DingTalkSection
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.dingtalk_faults import BROKEN
from kdsync.simulator.dingtalk_pushes import CARD_CLICKS, Ack, Push
from tests.contract.simulated_dingtalk.conftest import APP

UNKNOWN = "/v1.0/nobody/knows"
NEVER = threading.Event()


class TurnedClock:
    """A clock for several threads that only the test turns: waiting for its time to pass takes a moment each time."""

    def __init__(self, hands: FakeClock) -> None:
        self._hands = hands

    def now(self) -> datetime:
        return self._hands.now()

    def monotonic(self) -> float:
        return self._hands.monotonic()

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        return event.wait(0.005 if seconds is None else min(seconds, 0.005))


class Ear:
    """Takes what comes in; `broken` makes keeping it fail."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.states: list[bool] = []
        self.quota = 0
        self.broken = False
        self.answer: Mapping[str, Any] = {}

    def __call__(self, message: Message) -> Mapping[str, Any]:
        if self.broken:
            raise OSError("the disk is full")
        self.heard.append(message)
        return self.answer

    def out_of_quota(self) -> None:
        self.quota += 1


@contextmanager
def listening(
    ding: SimulatedDingTalk, clock: FakeClock, ear: Ear, secret: str = APP["appSecret"]
) -> Iterator[StreamClient]:
    values = {"client_id": APP["appKey"], "client_secret": secret, "agent_id": 1}
    values |= {"api_url": ding.url, "oapi_url": ding.url}
    section = DingTalkSection.model_validate(values, context={"secrets": str})
    turned = TurnedClock(clock)
    http = DingTalkClient(section, turned)
    topics = (*ALL_TOPICS, ("CALLBACK", UNKNOWN))
    calls: dict[str, Any] = {"on_state": ear.states.append, "on_quota": ear.out_of_quota}
    client = StreamClient(http, turned, Random(3), ear, topics=topics, **calls)
    stopping = threading.Event()
    thread = threading.Thread(target=client.run, args=(stopping,), daemon=True)
    thread.start()
    try:
        yield client
    finally:
        stopping.set()
        client.close()
        thread.join(5)
        http.close()
        assert not thread.is_alive()


def until(condition: Callable[[], object], turn: Callable[[], object] = lambda: None) -> None:
    """Wait in real time, and `turn` the clock meanwhile."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        turn()
        NEVER.wait(0.005)


def some_turns(clock: FakeClock, seconds: float = 10.0) -> Callable[[], None]:
    """Turn the clock until a pause is over, and not so far that what is slow here looks silent."""
    turns = iter(range(round(seconds * 10)))
    return lambda: clock.advance(0.1) if next(turns, None) is not None else None


def both_know(ding: SimulatedDingTalk, ear: Ear) -> None:
    """Wait until there is a connection: who opened it knows that a moment before the platform can push."""
    until(lambda: ear.states == [True])
    assert ding.wait_for_connections()


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def stream(ding: SimulatedDingTalk, clock: FakeClock, ear: Ear) -> Iterator[StreamClient]:
    with listening(ding, clock, ear) as client:
        both_know(ding, ear)
        yield client


def answer(push: Push) -> Ack:
    assert push.answered.wait(20)
    return push.acks[0]


def let_it_prove_itself(ding: SimulatedDingTalk, clock: FakeClock) -> None:
    """The connection lives for half a minute; the platform pings it then, and hears the answer."""
    clock.advance(31)
    until(lambda: ding._stream.connections[0].heard == clock.now())


def opens(ding: SimulatedDingTalk) -> int:
    return sum("connections/open" in call.api for call in ding.calls)


@pytest.mark.usefixtures("stream")
def test_a_message_is_kept_and_then_acknowledged(ding: SimulatedDingTalk, ear: Ear) -> None:
    ack = answer(ding.say("user1", "同意 EXP1", group="finance"))
    assert (ack.code, ack.in_time, ack.data) == (200, True, {"response": {}})
    (said,) = ear.heard
    assert isinstance(said, Said)
    assert (said.sender, said.text, said.group, said.mentioned) == ("user1", "同意 EXP1", True, True)
    assert said.session_webhook.startswith(ding.url)
    assert (said.session_expires_at - said.created_at).total_seconds() == 5400


@pytest.mark.usefixtures("stream")
def test_somebody_from_outside_has_no_name_that_counts(ding: SimulatedDingTalk, ear: Ear) -> None:
    answer(ding.say("stranger", "hello"))
    (said,) = ear.heard
    assert isinstance(said, Said)
    assert (said.sender, said.sender_mark != "") == ("", True)


@pytest.mark.usefixtures("stream")
def test_a_click_is_answered_with_what_the_card_shall_show(ding: SimulatedDingTalk, ear: Ear, card: str) -> None:
    ear.answer = {"response": {"userPrivateData": {"cardParamMap": {"decided": "true"}}}}
    push = ding.click("user1", card, "approve", {"reason": "好"})
    assert (answer(push).data, push.refused) == (ear.answer, False)
    assert ear.heard == [Clicked(card, "user1", ("approve",), {"reason": "好"})]


@pytest.mark.usefixtures("stream")
def test_events_and_pings_are_acknowledged_as_the_pages_say(ding: SimulatedDingTalk, ear: Ear) -> None:
    event = ding.event("user_leave_org", {"userId": ["user2"]})
    assert (answer(event).code, answer(event).data["status"]) == (200, "SUCCESS")
    assert event.settled
    assert isinstance(ear.heard[0], Happened)
    (ping,) = ding.ping()
    assert answer(ping).data == ping.data


@pytest.mark.usefixtures("stream")
def test_what_could_not_be_kept_comes_again(ding: SimulatedDingTalk, ear: Ear, clock: FakeClock) -> None:
    ear.broken = True
    said, event = ding.say("user1", "one"), ding.event("user_leave_org", {"userId": ["user2"]})
    assert (answer(event).code, answer(event).data["status"]) == (200, "LATER")
    assert said.acks == []
    ear.broken = False
    clock.advance(10.1)
    until(lambda: event.settled)
    clock.advance(50)
    until(lambda: said.settled)
    assert [type(message) for message in ear.heard] == [Happened, Said]


@pytest.mark.usefixtures("stream")
def test_a_topic_that_nobody_knows_is_refused(ding: SimulatedDingTalk, ear: Ear) -> None:
    assert answer(ding._stream.push(Push("CALLBACK", UNKNOWN, {}, CARD_CLICKS))).code == 404
    assert ear.heard == []


@pytest.mark.usefixtures("stream")
def test_the_same_message_once_more_has_the_same_keys(ding: SimulatedDingTalk, ear: Ear) -> None:
    push = ding.say("user1", "one")
    answer(push)
    ding.redeliver()
    until(lambda: len(ear.heard) == 2)
    push.data["msgId"] = "another"
    ding.redeliver()
    until(lambda: len(ear.heard) == 3)
    assert len({dedupe_key(said) for said in ear.heard}) == 2
    assert len({twin_key(said) for said in ear.heard}) == 1


def test_asked_to_go_it_has_the_next_connection_before_it_leaves_the_old_one(
    ding: SimulatedDingTalk, ear: Ear, clock: FakeClock, stream: StreamClient
) -> None:
    (before,) = ding.connections
    let_it_prove_itself(ding, clock)
    ding.disconnect()
    assert ding.wait_for_connections()
    names = [connection.name for connection in ding._stream.connections]
    assert (names[0], len(names)) == (before, 2)
    until(lambda: stream.opened == 2)
    answer(ding.say("user1", "one"))
    until(lambda: len(ding._stream.connections) == 1, lambda: clock.advance(1))
    answer(ding.say("user1", "two"))
    assert [said.text for said in ear.heard if isinstance(said, Said)] == ["one", "two"]
    assert (ear.states, stream.reconnects, opens(ding)) == ([True], 1, 2)


def test_an_old_connection_that_does_not_end_is_left_after_ten_seconds(
    ding: SimulatedDingTalk, clock: FakeClock, stream: StreamClient
) -> None:
    let_it_prove_itself(ding, clock)
    ding._stream.tell("disconnect", {"reason": "but nothing follows"})
    until(lambda: stream.opened == 2)
    clock.advance(9)
    NEVER.wait(0.05)
    assert len(ding._stream.connections) == 2
    clock.advance(1.1)
    until(lambda: len(ding._stream.connections) == 1)


def test_a_lost_connection_comes_back(ding: SimulatedDingTalk, ear: Ear, clock: FakeClock) -> None:
    with listening(ding, clock, ear) as client:
        both_know(ding, ear)
        ding.drop()
        until(lambda: ear.states == [True, False, True], some_turns(clock))
        assert ding.wait_for_connections()
        answer(ding.say("user1", "one"))
        assert (len(ear.heard), client.reconnects) == (1, 1)
    assert ear.states == [True, False, True, False]


def test_a_connection_that_went_deaf_is_given_up(
    ding: SimulatedDingTalk, ear: Ear, clock: FakeClock, stream: StreamClient
) -> None:
    ding.stall()
    clock.advance(89)
    NEVER.wait(0.05)
    assert stream.opened == 1
    until(lambda: stream.opened == 2, lambda: clock.advance(0.2))
    until(lambda: len(ding.connections) == 1)
    answer(ding.say("user1", "one"))
    assert len(ear.heard) == 1


def test_frames_keep_a_connection_alive(ding: SimulatedDingTalk, clock: FakeClock, stream: StreamClient) -> None:
    for _ in range(8):
        clock.advance(30)
        until(lambda: stream.last_frame_at == clock.now())
    assert (stream.opened, len(ding.connections)) == (1, 1)


def test_a_server_that_closes_at_once_is_not_hammered(ding: SimulatedDingTalk, ear: Ear, clock: FakeClock) -> None:
    with listening(ding, clock, ear):
        for _ in range(240):  # two minutes
            clock.advance(0.5)
            NEVER.wait(0.005)
            ding.drop()
    assert 3 < opens(ding) < 20


def test_a_server_that_sends_everybody_away_at_once_is_not_hammered(
    ding: SimulatedDingTalk, ear: Ear, clock: FakeClock
) -> None:
    with listening(ding, clock, ear):
        for _ in range(240):
            clock.advance(0.5)
            NEVER.wait(0.005)
            ding.disconnect()
    assert 3 < opens(ding) < 20


@pytest.mark.usefixtures("stream")
def test_frames_without_content_are_acknowledged_and_told(ding: SimulatedDingTalk, ear: Ear) -> None:
    ding._pushes.use_up()
    assert answer(ding.say("user1", "one")).code == 200
    assert answer(ding.event("bpms_task_change", {"type": "start"})).data["status"] == "SUCCESS"
    assert (ear.heard, ear.quota) == ([], 2)


def test_a_frame_that_is_too_large_ends_the_connection(
    ding: SimulatedDingTalk, ear: Ear, clock: FakeClock, stream: StreamClient
) -> None:
    push = ding.say("user1", "x" * (1024 * 1024))
    until(lambda: stream.opened == 2, lambda: clock.advance(0.1))
    assert (push.acks, ear.heard) == ([], [])


def test_wrong_credentials_are_tried_ever_more_rarely_and_told_with_the_cure(
    ding: SimulatedDingTalk, ear: Ear, clock: FakeClock
) -> None:
    with structlog.testing.capture_logs() as said, listening(ding, clock, ear, secret="wrong-secret") as client:
        for _ in range(360):  # an hour
            clock.advance(10)
            NEVER.wait(0.005)
        assert not client.connected
    assert 8 < opens(ding) < 40
    assert {(line["log_level"], line["event"]) for line in said} == {("error", "stream.not_opened")}
    assert "client_secret" in said[0]["cure"]
    assert "wrong-secret" not in str(said)


def test_no_trouble_of_the_network_ends_it(ding: SimulatedDingTalk, ear: Ear, clock: FakeClock) -> None:
    troubles = ("reset", "http504", "lost_reply", *BROKEN)
    for name in troubles:
        ding.fault(name, times=1, api="connections/open")
    with listening(ding, clock, ear):
        until(lambda: ear.states == [True], lambda: clock.advance(5))
    assert set(troubles) <= set(ding.faults.struck)


def test_ticket_and_secret_are_in_no_log(
    ding: SimulatedDingTalk, ear: Ear, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets: list[str] = []
    redeem = ding._stream.redeem

    def noted(ticket: str) -> Any:
        tickets.append(ticket)
        return redeem(ticket)

    monkeypatch.setattr(ding._stream, "redeem", noted)
    with structlog.testing.capture_logs() as said, listening(ding, clock, ear):
        both_know(ding, ear)
        ding.drop()
        until(lambda: ear.states == [True, False, True], some_turns(clock))
        assert ding.wait_for_connections()
    assert len(tickets) == 2
    assert "stream.connected" in {line["event"] for line in said}
    assert not [secret for secret in (*tickets, APP["appSecret"], "ticket=", "ws://") if secret in str(said)]


def test_it_stops_within_a_second_also_while_an_answer_is_awaited(
    ding: SimulatedDingTalk, ear: Ear, clock: FakeClock
) -> None:
    ding.fault("hang", times=1, api="connections/open", seconds=3)
    with listening(ding, clock, ear):
        until(lambda: ding.faults.struck["hang"])
        began = time.monotonic()
    assert time.monotonic() - began < 1.5
    with listening(ding, clock, ear):
        both_know(ding, ear)
        began = time.monotonic()
    assert time.monotonic() - began < 1.5
    until(lambda: not ding.connections)
