"""The Stream client on sockets that a test holds: pauses, order, endings, and what is told to whom."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from queue import Queue
from random import Random
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosedError

from kdsync.clock import FakeClock
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.frames import BOT_TOPIC, CARD_TOPIC, EPOCH, Message
from kdsync.dingtalk.stream import LONGEST_PAUSE, OPERATOR_PAUSE, STEADY, Pauses, StreamClient
from kdsync.errors import EdgeError, FailureKind, StoreUnusableError

NEVER = threading.Event()
SAID = {"msgId": "m1", "conversationId": "c1", "senderStaffId": "user1", "createAt": 1, "text": {"content": "hello"}}


class Longest(Random):
    """Each pause is as long as it may be."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


class HeldSocket:
    """A websocket whose other end is the test."""

    def __init__(self) -> None:
        self.frames: Queue[str | Exception] = Queue()
        self.sent: Queue[dict[str, Any]] = Queue()
        self.farewell = ""

    def recv(self) -> str:
        frame = self.frames.get(timeout=10)
        if isinstance(frame, Exception):
            raise frame
        return frame

    def send(self, message: str) -> None:
        if self.farewell:
            raise ConnectionClosedError(None, None)
        self.sent.put(json.loads(message))

    def close(self) -> None:
        self._end("closed")

    def close_socket(self) -> None:
        self._end("cut")

    def _end(self, farewell: str) -> None:
        if not self.farewell:
            self.farewell = farewell
            self.frames.put(ConnectionClosedError(None, None))

    def push(self, data: Any, topic: str = BOT_TOPIC, kind: str = "CALLBACK", ident: str = "1") -> None:
        headers = {"topic": topic, "messageId": ident}
        self.frames.put(json.dumps({"type": kind, "headers": headers, "data": json.dumps(data)}))

    def ack(self) -> tuple[int, Any]:
        answer = self.sent.get(timeout=5)
        return answer["code"], json.loads(answer["data"])


class World:
    """A client whose connections the test holds, on a clock that each turn moves by half a second."""

    def __init__(self, client: DingTalkClient, clock: FakeClock) -> None:
        self.clock = clock
        self.sockets: list[HeldSocket] = []
        self.refusals: list[EdgeError] = []
        self.heard: list[Message] = []
        self.states: list[bool] = []
        self.taking: Callable[[Message], Mapping[str, Any]] = lambda _message: {}
        self.stream = StreamClient(client, clock, Longest(), self.take, on_state=self.states.append)
        self.stream._door = self.open

    @contextmanager
    def open(self) -> Iterator[HeldSocket]:
        if self.refusals:
            raise self.refusals.pop(0)
        socket = HeldSocket()
        self.sockets.append(socket)
        yield socket

    def take(self, message: Message) -> Mapping[str, Any]:
        self.heard.append(message)
        return self.taking(message)

    def connected(self) -> HeldSocket:
        """Look until a connection is open, without any time passing."""
        self.look_until(lambda: self.stream.connected)
        self.stream._look()
        return self.sockets[-1]

    def look_until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + 5
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            self.stream._look()
            NEVER.wait(0.001)

    def pass_by(self, seconds: float) -> None:
        """Let time pass, and let the client look at each half second of it."""
        for _ in range(int(seconds * 2)):
            self.clock.advance(0.5)
            self.stream._look()

    def frame(self, socket: HeldSocket, *arguments: Any, **named: Any) -> tuple[int, Any]:
        socket.push(*arguments, **named)
        return socket.ack()


@pytest.fixture
def world(client: DingTalkClient, clock: FakeClock) -> Iterator[World]:
    world = World(client, clock)
    yield world
    world.stream._end()


def refused(kind: FailureKind, retry_after: float | None = None) -> EdgeError:
    return EdgeError("dingtalk", kind, "x", "no", cure="do something", retry_after=retry_after)


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.none() | st.sampled_from(FailureKind).map(refused)), min_size=1, max_size=20
    ),
    st.integers(),
)
def test_pauses_grow_within_their_bounds_until_a_connection_lives(
    story: list[tuple[float, EdgeError | None]], seed: int
) -> None:
    pauses, failures = Pauses(Random(seed)), 0
    for lived, error in story:
        failures = 0 if lived >= STEADY else failures
        pause = pauses.after(lived, error)
        bound = OPERATOR_PAUSE if error and error.kind is FailureKind.CONFIGURATION else LONGEST_PAUSE
        if error is None or error.kind in (FailureKind.TRANSIENT, FailureKind.CONFIGURATION):
            assert 0 <= pause <= min(bound, 2.0**failures)
        failures += 1
        assert pauses.failures == failures


def test_the_longest_pauses() -> None:
    pauses = Pauses(Longest())
    assert [pauses.after(0) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pauses.after(0, refused(FailureKind.CONFIGURATION)) == 256
    assert pauses.after(0, refused(FailureKind.CONFIGURATION)) == 300
    assert pauses.after(STEADY) == 1
    assert pauses.after(0, refused(FailureKind.RATE_LIMITED, 77)) == 77


def test_only_what_was_kept_is_acknowledged(world: World) -> None:
    socket, kept = world.connected(), threading.Event()
    reached = threading.Event()

    def keep(_message: Message) -> Mapping[str, Any]:
        reached.set()
        assert kept.wait(5)
        return {"response": {"a": 1}}

    world.taking = keep
    socket.push(SAID)
    assert reached.wait(5)
    assert socket.sent.empty()
    kept.set()
    assert socket.ack() == (200, {"response": {"a": 1}})


@pytest.mark.parametrize("failure", [OSError("disk"), KeyError("bug"), ValueError("bug")])
def test_what_could_not_be_kept_comes_again_for_nothing_else_than_silence_makes_it(
    world: World, failure: Exception
) -> None:
    def fail(_message: Message) -> Mapping[str, Any]:
        raise failure

    socket, world.taking = world.connected(), fail
    with structlog.testing.capture_logs() as said:
        socket.push(SAID)
        assert world.frame(socket, {}, "*", "EVENT") == (200, {"status": "LATER", "message": "try again"})
    assert [line["event"] for line in said] == ["stream.not_kept"] * 2
    world.taking = lambda _message: {}
    assert world.frame(socket, SAID) == (200, {"response": {}})


def test_a_store_that_is_full_is_told_in_its_own_words_and_nothing_is_acknowledged(world: World) -> None:
    def fail(_message: Message) -> Mapping[str, Any]:
        raise StoreUnusableError("make room on the disk")

    socket, world.taking = world.connected(), fail
    with structlog.testing.capture_logs() as said:
        socket.push(SAID)
        assert world.frame(socket, {"opaque": "1"}, "ping", "SYSTEM") == (200, {"opaque": "1"})
    assert [(line["event"], line["error"]) for line in said] == [("stream.not_kept", "make room on the disk")]
    assert "exc_info" not in said[0]


def test_an_answer_that_is_no_json_is_a_failure_too(world: World) -> None:
    socket, world.taking = world.connected(), lambda _message: {"response": object()}
    with structlog.testing.capture_logs():
        socket.push(SAID)
        assert world.frame(socket, {}, "ping", "SYSTEM") == (200, {})


def test_an_event_may_be_put_off(world: World) -> None:
    socket, world.taking = world.connected(), lambda _message: {"status": "LATER"}
    assert world.frame(socket, {}, "*", "EVENT") == (200, {"status": "LATER", "message": ""})


@pytest.mark.parametrize(
    ("data", "topic", "code"),
    [(SAID, "/v1.0/other", 404), ({}, BOT_TOPIC, 400), ({"outTrackId": "a"}, CARD_TOPIC, 400)],
)
def test_what_cannot_be_taken_is_refused_once_and_for_all(world: World, data: Any, topic: str, code: int) -> None:
    assert world.frame(world.connected(), data, topic) == (code, {})
    assert world.heard == []


@pytest.mark.parametrize("noise", ["", "{", "[]", "null", '{"type": "CALLBACK", "headers": {}, "data": "{}"}'])
def test_noise_is_told_and_passed_over(world: World, noise: str) -> None:
    socket = world.connected()
    with structlog.testing.capture_logs() as said:
        socket.frames.put(noise)
        assert world.frame(socket, SAID)[0] == 200
    assert [line["event"] for line in said] == ["stream.unreadable"]


def test_what_the_system_says_of_itself_is_a_sign_of_life(world: World) -> None:
    socket = world.connected()
    for topic in ("CONNECTED", "REGISTERED", "KEEPALIVE", "whatever"):
        world.pass_by(60)
        socket.push({}, topic, "SYSTEM")
        world.look_until(lambda: world.stream.last_frame_at == world.clock.now())
    assert socket.sent.empty()
    assert (len(world.sockets), world.stream.connected) == (1, True)
    assert world.frame(socket, {"opaque": 12345678901234567890123}, "ping", "SYSTEM")[0] == 200


def test_two_connections_are_never_taken_from_at_once(world: World) -> None:
    old, inside, most = world.connected(), [0], [0]

    def keep(_message: Message) -> Mapping[str, Any]:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        NEVER.wait(0.005)
        inside[0] -= 1
        return {}

    world.taking = keep
    world.pass_by(STEADY)
    old.push({"reason": "expired"}, "disconnect", "SYSTEM")
    world.look_until(lambda: len(world.sockets) == 2)
    for number in range(10):
        old.push(SAID, ident=f"old{number}")
        world.sockets[1].push(SAID, ident=f"new{number}")
    for _ in range(10):
        assert old.ack()[0] == world.sockets[1].ack()[0] == 200
    assert most == [1]


def test_the_old_connection_stays_until_there_is_a_new_one(world: World) -> None:
    old = world.connected()
    world.pass_by(STEADY)
    world.refusals = [refused(FailureKind.TRANSIENT)] * 4  # pauses of 1, 2, 4 and 8 seconds
    old.push({"reason": "expired"}, "disconnect", "SYSTEM")
    world.look_until(lambda: len(world.refusals) == 3)
    for left in (2, 1, 0):
        world.look_until(lambda: world.stream._line is None)
        world.pass_by(world.stream._due - world.clock.monotonic())
        world.look_until(lambda left=left: len(world.refusals) == left)  # type: ignore[misc]  # of a parametrised lambda
    world.look_until(lambda: world.stream._line is None)
    assert world.frame(old, SAID)[0] == 200
    world.pass_by(8)
    world.connected()
    assert (old.farewell, len(world.sockets), world.states) == ("", 2, [True, False, True])
    world.pass_by(9.5)
    assert old.farewell == ""
    world.pass_by(1)
    assert old.farewell == "cut"


def test_a_connection_that_says_nothing_is_left_when_there_is_another(world: World) -> None:
    silent = world.connected()
    world.pass_by(89)
    assert world.frame(silent, {}, "ping", "SYSTEM")[0] == 200
    world.pass_by(89)
    assert len(world.sockets) == 1
    world.refusals = [refused(FailureKind.TRANSIENT)]
    with structlog.testing.capture_logs() as said:
        world.pass_by(2)
        world.look_until(lambda: world.stream._line is None and not world.refusals)
    assert [line["event"] for line in said] == ["stream.silent", "stream.not_opened"]
    assert world.frame(silent, SAID)[0] == 200  # it was not dead after all
    world.pass_by(1)
    assert world.connected() is not silent
    assert (silent.farewell, world.states) == ("cut", [True, False, True])


def test_where_one_fell_silent_something_may_have_been_missed_and_that_is_told(world: World) -> None:
    silent = world.connected()
    world.pass_by(90.5)
    silent.close()
    world.connected()
    world.look_until(lambda: not world.stream._leaving)
    assert (len(world.sockets), world.states) == (2, [True, False, True])


def test_an_opening_that_never_ends_is_given_up_and_closed_when_it_does(world: World) -> None:
    free, held, open_now = threading.Event(), HeldSocket(), world.stream._door

    @contextmanager
    def stuck() -> Iterator[HeldSocket]:
        assert free.wait(5)
        yield held

    world.stream._door = stuck
    world.stream._look()
    first = world.stream._line
    assert first is not None
    world.stream._door = open_now
    world.pass_by(92)
    world.connected()
    free.set()
    first.thread.join(5)
    assert (len(world.sockets), held.frames.empty(), first.delivers) == (1, True, False)


def test_what_came_before_the_end_is_still_taken(world: World) -> None:
    socket = world.connected()
    socket.farewell = "closed"  # acknowledgements do not get through any more
    with structlog.testing.capture_logs() as said:
        socket.push(SAID)
        socket.push(SAID)
        socket.frames.put(ConnectionClosedError(None, None))
        world.look_until(lambda: not world.stream.connected)
    assert len(world.heard) == 2
    assert [line["event"] for line in said].count("stream.not_acknowledged") == 2


@pytest.mark.parametrize(
    "end", [ConnectionClosedError(None, None), ConnectionResetError(104, "reset"), KeyError("bug")]
)
def test_whatever_ends_a_connection_there_is_another_after_a_pause(world: World, end: Exception) -> None:
    with structlog.testing.capture_logs():
        world.connected().frames.put(end)
        world.look_until(lambda: world.stream._line is None)
        assert len(world.sockets) == 1
        world.pass_by(1)
        world.connected()
    assert (len(world.sockets), world.stream.reconnects, world.stream.opened) == (2, 1, 2)


def test_what_an_operator_must_mend_is_an_error_and_what_passes_a_warning(world: World) -> None:
    world.refusals = [refused(FailureKind.CONFIGURATION), refused(FailureKind.TRANSIENT)]
    with structlog.testing.capture_logs() as said:
        world.look_until(lambda: len(world.refusals) == 1 and world.stream._line is None)
        world.pass_by(1)
        world.look_until(lambda: len(world.refusals) == 0 and world.stream._line is None)
    assert [(line["log_level"], line["cure"]) for line in said] == [
        ("error", "do something"),
        ("warning", "do something"),
    ]
    assert world.states == []


def test_stopping_takes_leave_and_returns(client: DingTalkClient, clock: FakeClock) -> None:
    world, stopping = World(client, clock), threading.Event()
    ready = threading.Event()
    world.stream._on_state = lambda connected: ready.set() if connected else None
    clock.wait = lambda event, seconds: event.wait(min(seconds or 0.0, 0.01))  # type: ignore[method-assign]
    thread = threading.Thread(target=world.stream.run, args=(stopping,))
    thread.start()
    assert ready.wait(5)
    stopping.set()
    thread.join(5)
    assert not thread.is_alive()
    assert [socket.farewell for socket in world.sockets] == ["closed"]


def test_closed_before_it_ran_it_opens_nothing(world: World) -> None:
    world.stream.close()
    world.stream.run(threading.Event())
    assert world.sockets == []


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_any_frame_is_answered_or_passed_over(noise: bytes | str) -> None:
    stream = StreamClient.__new__(StreamClient)
    stream._clock = FakeClock(EPOCH)
    with structlog.testing.capture_logs():
        stream._hear(None, noise)  # type: ignore[arg-type]  # noise is answered to nobody
