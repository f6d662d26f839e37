"""Group robots: messages to a group through the webhook of its custom robot ("Custom robot", open.dingtalk.com).

A robot that sends more than 20 messages a minute is throttled for ten; kdsync therefore stops short of that by itself.
`msgUuid` makes a repeat after an unknown outcome harmless.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections import deque
from datetime import datetime
from typing import Any

import orjson

from kdsync.clock import Clock
from kdsync.dingtalk.client import Call, DingTalkClient
from kdsync.dingtalk.work import Receipt
from kdsync.errors import EdgeError
from kdsync.settings.schema import GroupRobot

SEND = "robot/send"
MOST_A_MINUTE = 18  # of 20: DingTalk's minute does not begin with ours
MINUTE = 60.0


def signature(secret: str, milliseconds: int) -> str:
    """Base64 of HMAC-SHA256 over "timestamp\\nsecret", keyed with the secret; not yet percent-encoded."""
    text = f"{milliseconds}\n{secret}".encode()
    return base64.b64encode(hmac.digest(secret.encode(), text, hashlib.sha256)).decode()


class RobotMinute:
    """Counts what each robot sent in the last minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def take(self, name: str) -> float:
        """Take one of this minute's sends: 0, or the seconds until there is one."""
        with self._lock:
            now, sent = self._clock.monotonic(), self._sent.setdefault(name, deque())
            while sent and sent[0] + MINUTE <= now:
                sent.popleft()
            if len(sent) >= MOST_A_MINUTE:
                return sent[0] + MINUTE - now
            sent.append(now)
            return 0.0


class GroupRobots:
    """Sends to the groups that are configured under `dingtalk.groups`."""

    def __init__(self, client: DingTalkClient) -> None:
        self._client = client
        self._minute = RobotMinute(client.clock)

    def send_group(self, name: str, message: bytes, uuid: str) -> Receipt:
        """Send `message`, a JSON object, to the group `name`; the same `uuid` is delivered once. Raises EdgeError.

        Counts as a webhook call, not as a metered one.
        """
        robot = self._client.settings.groups.get(name)
        if robot is None:
            raise self._client.failure("unknown group", SEND, f"group:{name}")
        wait = self._minute.take(name)
        if wait:
            error = self._client.failure("paced", SEND, f"group:{name}")
            error.retry_after = wait
            raise error
        whole = {**_with_keyword(orjson.loads(message), robot.keyword or ""), "msgUuid": uuid}
        self._send(robot, orjson.dumps(whole, option=orjson.OPT_SORT_KEYS))
        return Receipt("")

    def _send(self, robot: GroupRobot, body: bytes) -> None:
        signed_at = self._client.now()
        try:
            self._client.call(_call(robot, body, signed_at))
        except EdgeError as error:
            if error.code != "310000 timestamp":
                raise
            self._client.server_clock.yield_()
            if abs((self._client.now() - signed_at).total_seconds()) < MINUTE:
                raise
        else:
            return
        self._client.call(_call(robot, body, self._client.now()))  # that answer told us DingTalk's time


def _with_keyword(message: dict[str, Any], keyword: str) -> dict[str, Any]:
    """A robot that has keywords takes only what one of them is in."""
    part = message.get("markdown")
    if not keyword or part is None or keyword in part["text"]:
        return message
    return {**message, "markdown": {**part, "text": f"{part['text']}\n\n{keyword}"}}


def _call(robot: GroupRobot, body: bytes, now: datetime) -> Call:
    query = {"access_token": robot.token.get_secret_value()}
    if robot.secret:
        stamp = int(now.timestamp() * 1000)
        query |= {"timestamp": str(stamp), "sign": signature(robot.secret.get_secret_value(), stamp)}
    return Call(SEND, body, host="webhook", query=query, metered=False, writes=True)
