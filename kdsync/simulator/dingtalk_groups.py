"""Group robots of the simulated DingTalk, called by webhook, and the webhooks of a running conversation.

Sources: "Custom robot", "Custom robot security settings" and "Robot message types" on open.dingtalk.com. The limit of
20,000 bytes (460101) is what users report.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kdsync.clock import Clock
from kdsync.simulator.dingtalk_envelopes import Json, RefusedError
from kdsync.simulator.dingtalk_gateway import Call, Route
from kdsync.simulator.dingtalk_limits import MonthlyAllowance
from kdsync.simulator.dingtalk_messages import robot_message
from kdsync.simulator.dingtalk_phones import Channel, Phones
from kdsync.simulator.phone import read

_A_MINUTE = 20
_THROTTLED = timedelta(minutes=10)
_SIGNATURE_AGE = 3600  # seconds, either way
_BODY = 20_000  # bytes
SESSION = timedelta(seconds=5400)


@dataclass(slots=True)
class GroupRobot:
    """One robot in one group. `secret` and `keywords` are its security settings; both are optional here."""

    group: str
    secret: str | None = None
    keywords: tuple[str, ...] = ()
    arrivals: list[datetime] = field(default_factory=list)
    throttled_until: datetime | None = None
    uuids: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Session:
    """Where answers to one incoming message go, and until when."""

    who: str
    until: datetime


class GroupRobots:
    """robot/send, and robot/sendBySession for the answer to a message that the app's own robot was sent."""

    def __init__(self, clock: Clock, phones: Phones, pushes: MonthlyAllowance) -> None:
        self._clock = clock
        self._phones = phones
        self._pushes = pushes
        self._robots: dict[str, GroupRobot] = {}
        self._sessions: dict[str, Session] = {}

    def add(self, token: str, robot: GroupRobot) -> None:
        self._robots[token] = robot

    def open_session(self, key: str, who: str) -> datetime:
        """Let `key` answer `who` from now on; the time when that ends."""
        session = Session(who, self._clock.now() + SESSION)
        self._sessions[key] = session
        return session.until

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/robot/send", self._send, metered=False, token=False),
            Route("POST", "/robot/sendBySession", self._answer, metered=False, token=False),
        ]

    def _send(self, call: Call) -> Json:
        robot = self._robots.get(call.query.get("access_token", ""))
        if robot is None:
            raise RefusedError(400101, "token is not exist")
        message = _message(call)
        self._check_rate(robot)
        self._check_signature(robot, call.query)
        if robot.keywords and not any(keyword in _everything(message) for keyword in robot.keywords):
            raise RefusedError(310000, "keywords not in content")
        uuid = str(message.get("msgUuid") or "")
        if uuid and uuid in robot.uuids:
            return {}
        self._deliver(robot.group, "group", message)
        robot.uuids.add(uuid)
        return {}

    def _answer(self, call: Call) -> Json:
        session = self._sessions.get(call.query.get("session", ""))
        if session is None or self._clock.now() > session.until:
            raise RefusedError(300001, "session is not exist or expired")
        self._deliver(session.who, "session", _message(call))
        return {}

    def _deliver(self, who: str, channel: Channel, message: Json) -> None:
        if not self._pushes.spend():
            raise RefusedError(90030, "Webhook&Stream推送量超过当月限额")
        self._phones.show(who, channel, read(message), message)

    def _check_rate(self, robot: GroupRobot) -> None:
        """20 messages a minute; one more, and the robot is throttled for ten minutes."""
        now = self._clock.now()
        if robot.throttled_until and now < robot.throttled_until:
            raise RefusedError(410100, "发送速度太快而限流")
        robot.arrivals = [at for at in robot.arrivals if now - at < timedelta(minutes=1)]
        if len(robot.arrivals) >= _A_MINUTE:
            robot.throttled_until = now + _THROTTLED
            raise RefusedError(410100, "发送速度太快而限流")
        robot.arrivals.append(now)

    def _check_signature(self, robot: GroupRobot, query: Mapping[str, str]) -> None:
        if robot.secret is None:
            return
        timestamp = query.get("timestamp", "")
        if not timestamp.isdecimal():
            raise RefusedError(310000, "invalid timestamp")
        if abs(self._clock.now().timestamp() - int(timestamp) / 1000) > _SIGNATURE_AGE:
            raise RefusedError(310000, "invalid timestamp")
        if not hmac.compare_digest(signature(robot.secret, timestamp).encode(), query.get("sign", "").encode()):
            raise RefusedError(310000, "sign not match")


def signature(secret: str, timestamp: str) -> str:
    """What the `sign` parameter must hold once it is decoded; `timestamp` in milliseconds."""
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _message(call: Call) -> Json:
    """The decoded message, checked for what its type needs."""
    if "application/json" not in call.request.headers.get("content-type", ""):
        raise RefusedError(43004, "无效的HTTP HEADER Content-Type")
    if len(call.request.body) > _BODY:
        raise RefusedError(460101, "message too long, exceed 20000 bytes")
    return robot_message(call.fields)


def _everything(message: Any) -> str:
    """All text of a message, for the keywords."""
    if isinstance(message, dict):
        return "\n".join(map(_everything, message.values()))
    return "\n".join(map(_everything, message)) if isinstance(message, list) else str(message)
