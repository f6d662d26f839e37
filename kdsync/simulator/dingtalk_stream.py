"""The Stream side of the simulated DingTalk: tickets, connections, the choice among them, answers and repetition.

Source: the Stream protocol page of DingTalk's developer pedia; the official `dingtalk-stream` client.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from threading import Condition, RLock
from typing import Any, Protocol

import orjson

from kdsync.clock import Clock
from kdsync.simulator.dingtalk_envelopes import Json, RefusedError
from kdsync.simulator.dingtalk_gateway import Call, Route
from kdsync.simulator.dingtalk_limits import MonthlyAllowance
from kdsync.simulator.dingtalk_pushes import SYSTEM, Ack, Push

_TICKET = timedelta(seconds=90)
_SILENCE = timedelta(seconds=10)
_KEEPALIVE = timedelta(seconds=30)

Subscription = tuple[str, str]


class Line(Protocol):
    """The socket of one client."""

    def send(self, frame: str) -> None:
        """Send one text frame; OSError if the other end is gone."""

    def cut(self) -> None:
        """End the TCP connection without a closing handshake."""


@dataclass(frozen=True, slots=True)
class _Ticket:
    until: datetime
    subscriptions: frozenset[Subscription]


@dataclass(slots=True)
class Connection:
    """One connected client.

    While `closing`, nothing more is delivered to it. `stalled`: what is sent to it vanishes, as after a loss of the
    network that the platform has not noticed.
    """

    name: str
    subscriptions: frozenset[Subscription]
    line: Line
    heard: datetime
    pinged: datetime
    closing: bool = False
    stalled: bool = False

    def takes(self, push: Push) -> bool:
        return not self.closing and (push.kind, push.topic) in self.subscriptions


class Stream:
    """Who is connected and what was pushed. `tick` must be called often: time passes only there."""

    def __init__(
        self,
        clock: Clock,
        random: Random,
        lock: RLock,
        *,
        credentials: tuple[str, str],
        pushes: MonthlyAllowance,
    ) -> None:
        self._clock = clock
        self._random = random
        self._lock = lock
        self._joined = Condition(lock)
        self._credentials = credentials
        self._allowance = pushes
        self.endpoint = ""
        self._tickets: dict[str, _Ticket] = {}
        self._awaiting: dict[str, Push] = {}
        self._open: list[Push] = []
        self.connections: list[Connection] = []
        self.pushed: list[Push] = []

    def routes(self) -> list[Route]:
        return [Route("POST", "/v1.0/gateway/connections/open", self._grant, metered=False, token=False)]

    def _grant(self, call: Call) -> Json:
        fields = call.fields
        if (fields.get("clientId"), fields.get("clientSecret")) != self._credentials:
            raise RefusedError("authFailed", "鉴权失败", status=401)
        listed = fields.get("subscriptions")
        if not isinstance(listed, list) or not listed:
            raise RefusedError("invalidParameter.subscriptions", "subscriptions is missing or empty", status=400)
        subscriptions = frozenset(map(_subscription, listed))
        ticket = self._name()
        self._tickets[ticket] = _Ticket(self._clock.now() + _TICKET, subscriptions)
        return {"endpoint": self.endpoint, "ticket": ticket}

    def redeem(self, ticket: str) -> frozenset[Subscription] | None:
        """What the ticket's owner subscribed to; None for a ticket that is used, too old or unknown."""
        with self._lock:
            known = self._tickets.pop(ticket, None)
            return known.subscriptions if known and self._clock.now() <= known.until else None

    def join(self, line: Line, subscriptions: frozenset[Subscription]) -> Connection:
        with self._lock:
            now = self._clock.now()
            connection = Connection(self._name(), subscriptions, line, heard=now, pinged=now)
            self.connections.append(connection)
            self._joined.notify_all()
            return connection

    def leave(self, connection: Connection) -> None:
        with self._lock:
            if connection in self.connections:
                self.connections.remove(connection)

    def delivering(self) -> list[Connection]:
        """The connections that were not asked to go."""
        with self._lock:
            return [connection for connection in self.connections if not connection.closing]

    def wait_for(self, number: int, seconds: float) -> bool:
        """Wait in real time until so many connections are delivered to; tell whether they are."""
        with self._joined:
            return self._joined.wait_for(lambda: len(self.delivering()) >= number, seconds)

    def hear(self, connection: Connection, text: str | bytes) -> None:
        """Take in a frame of a client: an ack of something that was pushed; anything else is ignored."""
        with self._lock:
            connection.heard = self._clock.now()
            try:
                frame = orjson.loads(text)
                push = self._awaiting.get(frame["headers"]["messageId"])
                data = _object(frame.get("data"))
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
                return
            if push is not None:
                in_time = connection.heard - push.attempts[-1] <= push.schedule.deadline
                push.hear(Ack(frame.get("code", 0), data, connection.heard, connection.name, in_time))

    def push(self, push: Push) -> Push:
        """Push to one of the connections that subscribed to it."""
        with self._lock:
            if push.metered and not self._allowance.spend():
                push.without_content()
            self.pushed.append(push)
            self._open.append(push)
            self._attempt(push)
            return push

    def again(self, push: Push) -> None:
        """Push once more what was pushed before, answered or not."""
        with self._lock:
            self._attempt(push)

    def tell(self, topic: str, data: Json) -> list[Push]:
        """Send a SYSTEM frame to every connection."""
        with self._lock:
            return [self._tell(connection, topic, data) for connection in list(self.connections)]

    def disconnect(self, reason: str) -> None:
        """Ask every client to go: no more deliveries to it, and its TCP connection ends after 10 s of silence."""
        with self._lock:
            self.tell("disconnect", {"reason": reason})
            for connection in self.connections:
                connection.closing = True

    def stall(self) -> None:
        """Let everything vanish on the way to the clients of now, which stay connected and go on being chosen."""
        with self._lock:
            for connection in self.connections:
                connection.stalled = True

    def drop(self) -> None:
        """Lose every connection without a word."""
        with self._lock:
            for connection in self.connections:
                connection.line.cut()
            self.connections.clear()

    def tick(self) -> None:
        """Do what is due by the clock: repetitions, pings, the end of connections that were asked to go."""
        with self._lock:
            now = self._clock.now()
            self._open = [push for push in self._open if not push.over(now)]
            for push in self._open:
                if push.due(now):
                    self._attempt(push)
            for connection in list(self.connections):
                self._keep_up(connection, now)

    def _keep_up(self, connection: Connection, now: datetime) -> None:
        if connection.closing and now - connection.heard >= _SILENCE:
            connection.line.cut()
            self.connections.remove(connection)
        elif not connection.closing and now - connection.pinged >= _KEEPALIVE:
            connection.pinged = now
            self._tell(connection, "ping", {"opaque": self._name()})

    def _attempt(self, push: Push) -> None:
        if push.attempts and push.renew:
            push.renew(push.data)
        takers = [connection for connection in self.connections if connection.takes(push)]
        if takers:
            self._send(push, self._random.choice(takers))
        else:
            push.attempts.append(self._clock.now())
            push.lost = not push.schedule.kept

    def _tell(self, connection: Connection, topic: str, data: Json) -> Push:
        push = Push("SYSTEM", topic, data, SYSTEM)
        self._send(push, connection)
        return push

    def _send(self, push: Push, connection: Connection) -> None:
        """One attempt under a message id of its own; a dead line swallows it."""
        now = self._clock.now()
        message_id = self._name()
        push.attempts.append(now)
        push.message_ids.append(message_id)
        self._awaiting[message_id] = push
        if connection.stalled:
            return
        try:
            connection.line.send(push.frame(message_id, connection.name, now))
        except OSError:
            self.leave(connection)

    def _name(self) -> str:
        return f"{self._random.getrandbits(128):032x}"


def _subscription(item: Any) -> Subscription:
    kind, topic = (item.get("type"), item.get("topic")) if isinstance(item, dict) else (None, None)
    if kind not in ("EVENT", "CALLBACK", "SYSTEM") or not isinstance(topic, str):
        raise RefusedError("invalidParameter.subscriptions", f"unknown subscription {item!r}", status=400)
    return kind, topic


def _object(text: Any) -> Json:
    """The decoded `data` of an ack, which is text that holds JSON; empty where it holds something else."""
    value = orjson.loads(text) if isinstance(text, str) and text else {}
    return value if isinstance(value, dict) else {}
