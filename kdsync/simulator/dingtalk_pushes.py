"""What the simulated DingTalk pushes over Stream, frame by frame, and when it pushes again.

Sources: the Stream protocol page of DingTalk's developer pedia, "Event subscription overview", "Robot receives
messages" and "Card callbacks" on open.dingtalk.com. The repetition of unanswered robot messages after 60 s follows
the Node.js robot tutorial; the protocol page denies it, users confirm it (see `Manners`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Literal

import orjson

from kdsync.simulator.dingtalk_envelopes import Json

BOT_TOPIC = "/v1.0/im/bot/messages/get"
CARD_TOPIC = "/v1.0/card/instances/callback"
EVENT_TOPIC = "*"
_UNMETERED = ("user_", "org_dept_", "label_", "org_admin_", "org_change")

Kind = Literal["SYSTEM", "EVENT", "CALLBACK"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long an answer may take, and how long after the first attempt the further ones follow."""

    deadline: timedelta
    retries: tuple[timedelta, ...] = ()
    kept: bool = False  # retried even if nobody was connected


EVENTS = Schedule(timedelta(seconds=3), (timedelta(seconds=10), timedelta(seconds=30)), kept=True)
BOT_MESSAGES = Schedule(timedelta(seconds=60), (timedelta(seconds=60), timedelta(seconds=120)))
ONCE = Schedule(timedelta(seconds=60))
CARD_CLICKS = Schedule(timedelta(seconds=2))
SYSTEM = Schedule(timedelta(seconds=10))


@dataclass(frozen=True, slots=True)
class Ack:
    """What a client answered; `in_time` is by the deadline of what it answers."""

    code: int
    data: Json
    at: datetime
    connection: str
    in_time: bool


@dataclass(slots=True)
class Push:
    """One thing that is pushed, with every attempt and every answer.

    `headers` are those beyond the common ones. `lost` tells that nobody was connected and it will not come again.
    `on_ack` is told of each answer; `renew` alters the data before it is pushed again.
    """

    kind: Kind
    topic: str
    data: Json
    schedule: Schedule
    headers: Mapping[str, str] = field(default_factory=dict)
    attempts: list[datetime] = field(default_factory=list)
    message_ids: list[str] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    lost: bool = False
    answered: Event = field(default_factory=Event)
    on_ack: Callable[[Ack], None] | None = None
    renew: Callable[[Json], None] | None = None
    headers_key: str = "headers"

    @property
    def metered(self) -> bool:
        if self.kind == "SYSTEM":
            return False
        return not self.headers.get("eventType", "").startswith(_UNMETERED)

    @property
    def settled(self) -> bool:
        """Nothing more will be pushed on its account."""
        return self.lost or any(map(self._settles, self.acks))

    def _settles(self, ack: Ack) -> bool:
        """An event wants a good answer in time; of anything else any answer will do."""
        if self.kind != "EVENT":
            return True
        return ack.in_time and ack.code == 200 and ack.data.get("status") != "LATER"  # noqa: PLR2004  # as in HTTP

    @property
    def refused(self) -> bool:
        """The person who clicked was shown an error: the answer came late or was not good."""
        return any(not ack.in_time or ack.code != 200 for ack in self.acks)  # noqa: PLR2004  # as in HTTP

    def due(self, now: datetime) -> bool:
        """It is time for the next attempt."""
        made = len(self.attempts)
        if self.settled or not 0 < made <= len(self.schedule.retries):
            return False
        return now - self.attempts[0] >= self.schedule.retries[made - 1]

    def over(self, now: datetime) -> bool:
        """No attempt is left and no answer is awaited any more."""
        if self.settled:
            return True
        return len(self.attempts) > len(self.schedule.retries) and now - self.attempts[-1] > self.schedule.deadline

    def hear(self, ack: Ack) -> None:
        """Take in an answer."""
        self.acks.append(ack)
        if self.on_ack:
            self.on_ack(ack)
        self.answered.set()

    def frame(self, message_id: str, connection: str, now: datetime) -> str:
        """The text frame of one attempt. Numbers in headers are text."""
        headers = {
            "topic": self.topic,
            "messageId": message_id,
            "contentType": "application/json",
            "time": str(int(now.timestamp() * 1000)),
            "appId": "simulated",
            "connectionId": connection,
            **self.headers,
        }
        data = orjson.dumps(self.data).decode()
        return orjson.dumps({"specVersion": "1.0", "type": self.kind, self.headers_key: headers, "data": data}).decode()

    def without_content(self) -> None:
        """What is pushed once the month's pushes are used up."""
        error = {"errorCode": "20001", "errMsg": "Webhook&Stream推送量超过当月限额"}
        kept = {key: value for key, value in self.data.items() if key not in {"text", "content", "msgtype"}}
        self.data = error if self.kind == "EVENT" else kept | error
