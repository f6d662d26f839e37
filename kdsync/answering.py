"""Joins the edges of the way back: what DingTalk pushes is kept in the inbox, and worked on against Kingdee."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from kdsync.clock import Clock
from kdsync.desk import KingdeeDesk
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.frames import Clicked, Happened, Said
from kdsync.dingtalk.stream import StreamClient
from kdsync.hearing import received
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.operations import Operations
from kdsync.kingdee.workflow import Workflow
from kdsync.rules.actions import CompiledAction
from kdsync.services.inbound import Inbound
from kdsync.services.notices import Notices
from kdsync.services.people import People
from kdsync.services.permit import Permit
from kdsync.services.ports import Meter, Source
from kdsync.services.replies import Replies
from kdsync.services.upkeep import month_of
from kdsync.settings.schema import Settings
from kdsync.store import inbox, moments
from kdsync.store.database import Database
from kdsync.store.sealing import Seal


class Answering:
    """The way back at rest. `on_heard` is called when there is something to work on, `on_told` when to send."""

    def __init__(
        self,
        db: Database,
        seal: Seal,
        clock: Clock,
        *,
        random: Random,
        meter: Meter,
        kingdee: KingdeeClient,
        source: Source,
        dingtalk: DingTalkClient,
        people: People,
        notices: Notices,
        loaded: Callable[[], tuple[Settings, Sequence[CompiledAction]]],
        locales: Callable[[], tuple[str, ...]],
    ) -> None:
        self.on_heard: Callable[[], None] = lambda: None
        self.on_told: Callable[[], None] = lambda: None
        self._db, self._clock, self._loaded, self._meter = db, clock, loaded, meter
        self._notices = notices
        desk = KingdeeDesk(source, Operations(kingdee), Workflow(kingdee))
        replies = Replies(db, seal, clock, lambda: loaded()[0], locales, notices)
        permit = Permit(people, lambda: loaded()[0].main.kingdee.timezone)
        self.inbound = Inbound(db, seal, clock, desk, permit, replies, meter, self.actions)
        self.stream = StreamClient(dingtalk, clock, random, self.hear, on_state=self._connected, on_quota=self._unheard)

    @property
    def wanted(self) -> bool:
        """Whether there is anything that people could answer with."""
        return self._loaded()[0].main.dingtalk.stream and bool(self.actions())

    def actions(self) -> Sequence[CompiledAction]:
        """What people may answer now."""
        return self._loaded()[1]

    def hear(self, message: Said | Clicked | Happened) -> Mapping[str, Any]:
        """Keep what was pushed; it is acknowledged with what this returns."""
        item = received(message, self._clock.now())
        if item and self.inbound.take(item):
            self.on_heard()
        return {"response": {}}

    def step(self) -> None:
        """Work on what is due."""
        while self.inbound.step():
            self.on_told()

    def pause(self, longest: float) -> float:
        """Seconds until there is something to work on again."""
        with self._db.read() as tx:
            due = inbox.next_due(tx)
        if due is None:
            return longest
        return min(max((moments.parse(due) - self._clock.now()).total_seconds(), 0.05), longest)

    def _unheard(self) -> None:
        """The month's pushes are used up: what people say does not arrive, and somebody should know."""
        self._notices.raise_(f"pushes {month_of(self._clock.now())}", "pushes")
        self.on_told()

    def _connected(self, connected: bool) -> None:
        self._meter.gauge("stream_connected", int(connected))
