"""DingTalk's Stream: one connection outwards, over which messages, clicks and events come in.

A frame is acknowledged when `take` has kept it, and not before: DingTalk need not push it again afterwards. A
connection that is asked to go, or says nothing any more, is read until the next one is open; and whatever ends at once
is tried again with longer and longer pauses. Source: the Stream protocol page of
open-dingtalk/developerpedia.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from random import Random
from typing import Any

from kdsync import logs
from kdsync.clock import Clock
from kdsync.delivery.retry import doubling
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.frames import (
    BAD,
    BOT_TOPIC,
    CALLBACK,
    CARD_TOPIC,
    EVENT,
    NOT_FOUND,
    OK,
    SYSTEM,
    Frame,
    Message,
    ack,
    read_frame,
    read_message,
)
from kdsync.dingtalk.line import Door, Line, Topics
from kdsync.errors import EdgeError, FailureKind, StoreError

log = logs.get("stream")
TOPICS: Topics = ((CALLBACK, BOT_TOPIC), (CALLBACK, CARD_TOPIC))
ALL_TOPICS: Topics = ((EVENT, "*"), *TOPICS)
SILENCE = 90.0  # seconds without any frame; DingTalk sends one every half minute at least
LAST_WORDS = 10.0  # so long a connection that was asked to go is read after the next one is open
STEADY = 30.0  # a connection that lived so long was a good one
LONGEST_PAUSE, OPERATOR_PAUSE = 60.0, 300.0
TURN = 0.5  # seconds between two looks at how things stand
END = 0.5  # seconds for what is being kept at the end
PASSES = (FailureKind.TRANSIENT, FailureKind.RATE_LIMITED, FailureKind.UNKNOWN_OUTCOME)
"""The failures that pass by themselves; the others wait for an operator."""

QUOTA_CURE = "wait for the first of the month or buy more Webhook and Stream pushes; subscribe to fewer events"
Take = Callable[[Message], Mapping[str, Any]]


class Pauses:
    """How long to wait before the next connection: up to a second, and twice as long after each failure in a row."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.failures = 0

    def after(self, lived: float, error: EdgeError | None = None) -> float:
        """Seconds. `lived` is for how many seconds the connection was open, `error` why it could not be opened.

        Anything between nothing and the longest, so that not all daemons of the world come back together.
        """
        if lived >= STEADY:
            self.failures = 0
        longest = LONGEST_PAUSE if error is None or error.kind in PASSES else OPERATOR_PAUSE
        pause = self._random.uniform(0.0, doubling(self.failures, longest))
        self.failures += 1
        return max(pause, (error.retry_after if error else None) or 0.0)


class StreamClient:
    """Listens for as long as `run` runs.

    `take` keeps a message and returns the data of its acknowledgement, such as `{"response": {…}}` for a click; where
    it raises, DingTalk shall push again: an event is put off, anything else gets no answer at all, for what got any
    answer does not come again; who clicked is shown an error then. It is called on the thread of a connection, one
    call at a time. `on_state` hears whether there is a connection that says something, `on_quota` that frames come
    without content. `opened` counts connections.
    """

    def __init__(
        self,
        client: DingTalkClient,
        clock: Clock,
        random: Random,
        take: Take,
        *,
        topics: Topics = TOPICS,
        on_state: Callable[[bool], None] = lambda _connected: None,
        on_quota: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock, self._take, self._on_state, self._on_quota = clock, take, on_state, on_quota
        self._client, self._topics, self._opened_for = client, topics, topics
        self._door = Door(client, topics).open
        self._pauses = Pauses(random)
        self._closed, self._changed, self._taking = threading.Event(), threading.Event(), threading.Lock()
        self._line: Line | None = None
        self._leaving: dict[Line, float | None] = {}  # to be replaced, and until when they are read
        self._due = clock.monotonic()
        self._known, self._told = False, False
        self.opened = 0
        self.trouble, self.cure = "", ""  # why it is not connected, and what to do, as far as is known
        self.last_frame_at: datetime | None = None

    @property
    def connected(self) -> bool:
        """Whether something new can come in."""
        line = self._line
        return line is not None and line.delivers

    @property
    def reconnects(self) -> int:
        """How many connections followed the first."""
        return max(self.opened - 1, 0)

    def run(self, stopping: threading.Event) -> None:
        """Keep a connection open until `stopping` is set or `close` called; no trouble of the network ends it."""
        try:
            while not (stopping.is_set() or self._closed.is_set()):
                self._changed.clear()
                self._clock.wait(self._changed, self._look())
        finally:
            self._end()

    def subscribe(self, topics: Topics) -> None:
        """Listen to these topics from now on; a connection that listens to others is replaced, the next one first."""
        if topics != self._topics:
            self._door = Door(self._client, topics).open
            self._topics = topics
            self._changed.set()

    def close(self) -> None:
        """Have `run` close its connections and return, within a second or so."""
        self._closed.set()
        self._changed.set()

    # --- which connections there are: on the thread that runs

    def _look(self) -> float:
        """Do what is due; seconds until it must be looked again."""
        now = self._clock.monotonic()
        if self._line:
            self._check(self._line, now)
        self._let_go(now)
        if self._line is None and now >= self._due:
            self._known = False
            self._opened_for = self._topics
            self._line = Line(self._door, self._clock, self._hear, self._changed.set)
            self._line.start()
        if self.connected or self._line is None:  # while one is being opened, what was told last is good enough
            self._tell(self.connected)
        return TURN if self._line else min(TURN, max(self._due - now, 0.0))

    def _check(self, line: Line, now: float) -> None:
        lived = now - line.ready_at if line.ready_at is not None else 0.0
        if line.ready_at is not None and not self._known:
            self._welcome(now)
        if line.ready_at is not None and self._opened_for != self._topics and not line.asked_to_go:
            line.go()
        if line.over:
            self._lost(line, now, lived)
        elif line.asked_to_go or (line.delivers and now - line.heard > SILENCE):
            self._replace(line, now, lived)
        elif now - line.heard > SILENCE:
            line.ending = "it does not open"
            line.cut()
            self._lost(line, now, lived)

    def _replace(self, line: Line, now: float, lived: float) -> None:
        """The next one is opened first: what may still come over this one would be lost."""
        self._line, self._leaving[line] = None, None
        self._due = now if lived >= STEADY else now + self._pauses.after(lived)
        if not line.asked_to_go:
            self.trouble, self.cure = "nothing came over the connection any more", ""
            log.warning("stream.silent", seconds=round(now - line.heard, 1))
            self._tell(False)  # what was sent meanwhile may have gone nowhere

    def _welcome(self, now: float) -> None:
        """The new connection is open: what was asked to go says its last words, and what is silent has none."""
        self._known = True
        self.opened += 1
        self._leaving = {line: now + LAST_WORDS if line.asked_to_go else now for line in self._leaving}
        log.info("stream.connected", connections=self.opened)

    def _lost(self, line: Line, now: float, lived: float) -> None:
        self._line = None
        pause = self._pauses.after(lived, line.trouble)
        self._due = now + pause
        error, wait = line.trouble, round(pause, 1)
        self.trouble, self.cure = (str(error), error.cure) if error else (line.ending, "")
        if error is None:
            log.warning("stream.ended", reason=line.ending, seconds=round(lived, 1), again_in=wait)
        else:
            tell = log.warning if error.kind in PASSES else log.error
            tell("stream.not_opened", error=str(error), cure=error.cure, again_in=wait)

    def _let_go(self, now: float) -> None:
        """Those that are replaced end by themselves, or when their time is over."""
        for line, until in list(self._leaving.items()):
            if not line.over and until is not None and now >= until:
                line.cut()
            elif not line.over:
                continue
            del self._leaving[line]
            log.info("stream.left", reason=line.ending or "left")

    def _tell(self, connected: bool) -> None:
        if connected != self._told:
            self._told = connected
            self._on_state(connected)

    def _end(self) -> None:
        """Close everything; what is being kept gets a moment to be."""
        lines = [*self._leaving, *([self._line] if self._line else [])]
        self._line, self._leaving = None, {}
        for line in lines:
            if line.delivers:
                line.close()
            else:
                line.cut()
        for line in lines:
            line.thread.join(END if line.ready_at is not None else 0.0)
        self._tell(False)

    # --- what comes in: on the thread of each connection

    def _hear(self, line: Line, text: str | bytes) -> None:
        self.last_frame_at = self._clock.now()
        try:
            frame = read_frame(text)
        except EdgeError as error:
            log.warning("stream.unreadable", error=str(error))
            return
        if frame.kind == SYSTEM:
            self._of_system(line, frame)
        elif answer := self._answer(frame):
            line.send(answer)

    def _of_system(self, line: Line, frame: Frame) -> None:
        """`ping` is echoed, `disconnect` gets no answer; what else there is only shows that the line is alive."""
        if frame.topic == "ping":
            line.send(ack(frame, frame.data))
        elif frame.topic == "disconnect" and not line.asked_to_go:
            log.info("stream.asked_to_go", reason=str(frame.data.get("reason") or "")[:100])
            line.go()

    def _answer(self, frame: Frame) -> str:
        """The acknowledgement; '' where it shall come again."""
        if frame.is_without_content:
            log.error("stream.quota", topic=frame.topic, cure=QUOTA_CURE)
            self._on_quota()
            return _agreed(frame, {})
        try:
            message = read_message(frame)
        except EdgeError as error:
            log.warning("stream.unreadable", topic=frame.topic, error=str(error))
            return ack(frame, {}, BAD, "it cannot be read")
        if message is None:
            log.warning("stream.unknown_topic", topic=frame.topic[:100])
            return ack(frame, {}, NOT_FOUND, "unknown topic")
        return self._taken(frame, message)

    def _taken(self, frame: Frame, message: Message) -> str:
        try:
            with self._taking:
                return _agreed(frame, self._take(message))
        except StoreError as error:  # which says itself why, and what to do
            log.error("stream.not_kept", topic=frame.topic, error=str(error))
        except Exception:
            log.exception("stream.not_kept", topic=frame.topic)
        return ack(frame, {"status": "LATER", "message": "try again"}) if frame.kind == EVENT else ""


def _agreed(frame: Frame, data: Mapping[str, Any]) -> str:
    """An event's acknowledgement says that it was taken, every other one holds a response."""
    if frame.kind == EVENT:
        return ack(frame, {"status": data.get("status", "SUCCESS"), "message": ""}, OK)
    return ack(frame, {"response": {}, **data}, OK)
