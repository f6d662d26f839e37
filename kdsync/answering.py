"""Joins the edges of the way back: what DingTalk pushes is kept in the inbox, and worked on against Kingdee."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from kdsync.acting import Accounts, Acting
from kdsync.bridges import KnownAccount
from kdsync.clock import Clock
from kdsync.delivery.words import words
from kdsync.desk import KingdeeDesk
from kdsync.dingtalk.cards import callback_response
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.contacts import Contacts
from kdsync.dingtalk.frames import Clicked, Happened, Said
from kdsync.dingtalk.line import Topics
from kdsync.dingtalk.session import SessionReplies
from kdsync.dingtalk.stream import ALL_TOPICS, TOPICS, StreamClient
from kdsync.hearing import received
from kdsync.intaking import Intaking
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.people import People as KingdeePeople
from kdsync.kingdee.persons import Hands, Persons
from kdsync.kingdee.workflow import Workflow
from kdsync.rules.actions import CompiledAction
from kdsync.rules.intake import CompiledIntake
from kdsync.services.bars import Bars
from kdsync.services.cards import Cards
from kdsync.services.decisions import on_cards
from kdsync.services.earshot import Earshot
from kdsync.services.inbound import Inbound
from kdsync.services.notices import Notices
from kdsync.services.outsiders import Outsiders
from kdsync.services.people import People
from kdsync.services.permit import Permit
from kdsync.services.ports import Courier, Meter, Source
from kdsync.services.replies import Ending, Replies
from kdsync.services.upkeep import month_of
from kdsync.settings.schema import Settings
from kdsync.store import cards, inbox, moments
from kdsync.store.database import Database
from kdsync.store.inbox import Received
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
        courier: Courier,
        name: Callable[[str], str],
        loaded: Callable[[], tuple[Settings, Sequence[CompiledAction], Sequence[CompiledIntake]]],
        locales: Callable[[], tuple[str, ...]],
    ) -> None:
        self.on_heard: Callable[[], None] = lambda: None
        self.on_told: Callable[[], None] = lambda: None
        self._db, self._seal, self._clock, self._loaded, self._meter = db, seal, clock, loaded, meter
        self._notices, self._earshot = notices, Earshot(db, clock, notices)

        def zone() -> ZoneInfo:
            return loaded()[0].main.kingdee.timezone

        self.persons = Persons(
            kingdee.settings, clock, KnownAccount(db, clock, kingdee.settings.acct_id), kingdee.on_call
        )
        contact = Contacts(dingtalk).user
        accounts = Accounts(KingdeePeople(kingdee), contact, people, lambda: loaded()[0].directory)
        as_person = kingdee.settings.act_as == "person"
        own = Hands.of(kingdee)
        desk = KingdeeDesk(source, Workflow(kingdee), Acting(own, self.persons, accounts, as_person).hands)
        replies = Replies(db, seal, clock, lambda: loaded()[0], locales, notices, self._show)
        permit = Permit(people, zone)
        self.cards = Cards(db, seal, clock, courier, name, desk, meter, self.actions, zone)
        self.bars = Bars(db, seal, clock, courier, desk, lambda: loaded()[0])
        outsiders = Outsiders(db, seal, clock, notices, SessionReplies(dingtalk).reply)
        self.inbound = Inbound(db, seal, clock, desk, permit, replies, meter, self.actions, outsiders)
        self.intaking = Intaking(
            db,
            seal,
            clock,
            meter=meter,
            kingdee=kingdee,
            source=source,
            dingtalk=dingtalk,
            desk=replace(desk, hands=lambda _sender, _receiver: own),  # who agreed need not be a user of Kingdee's
            notices=notices,
            name=name,
            settings=lambda: loaded()[0],
            intakes=lambda: loaded()[2],
            locales=locales,
        )
        self.stream = StreamClient(
            dingtalk, clock, random, self.hear, topics=self._topics(), on_state=self._connected, on_quota=self._unheard
        )

    @property
    def wanted(self) -> bool:
        """Whether there is anything that people could answer with, or approvals that become documents."""
        return self._loaded()[0].main.dingtalk.stream and (bool(self.actions()) or self.intaking.wanted)

    def actions(self) -> Sequence[CompiledAction]:
        """What people may answer now."""
        return self._loaded()[1]

    def _topics(self) -> Topics:
        return ALL_TOPICS if self.intaking.wanted else TOPICS

    def hear(self, message: Said | Clicked | Happened) -> Mapping[str, Any]:
        """Keep what was pushed; it is acknowledged with what this returns."""
        if isinstance(message, Happened):
            if self.intaking.hear(message):
                self.on_heard()
            return {}
        item = received(message, self._clock.now())
        response = self._at_once(message) if isinstance(message, Clicked) else {}
        if item is None or not self.inbound.take(item):
            return {"response": {}}
        self.on_heard()
        return {"response": response}

    def _at_once(self, message: Clicked) -> Mapping[str, Any]:
        """What only the person who clicked sees until it is done."""
        with self._db.write() as tx:
            card = cards.find(tx, self._seal, message.out_track_id)
            if card is None or card.damaged or card.state != cards.OPEN:
                return {}
            cards.clicked(tx, self._seal, card, message.sender)
        return callback_response({"status": words("card_working", card.locale), "open": "false"})

    def _show(self, tx: Connection, item: Received, ending: Ending, reply_id: str) -> bool:
        return on_cards(tx, self._seal, item, ending, reply_id, self.actions(), self._clock.now())

    def note(self) -> None:
        """Keep whether people are heard, and tell when they have not been for a while."""
        stream = self.stream
        self._earshot.step(wanted=self.wanted, connected=stream.connected, reason=stream.trouble, cure=stream.cure)

    def close(self) -> None:
        """Let go of the sessions of those who answered."""
        self.persons.close()

    def resume(self) -> None:
        """Before the first step of a process: nobody was heard since the last one ended."""
        self.inbound.resume()

    def step(self) -> None:
        """Work on what is due."""
        self.stream.subscribe(self._topics())
        while self.inbound.step():
            self.on_told()
        if self.intaking.step():
            self.on_told()

    def show(self) -> int:
        """Let cards and status bars say what became of what they ask for; returns for how many there was something."""
        return self.cards.step() + self.bars.step()

    def pause(self, longest: float) -> float:
        """Seconds until there is something to work on again."""
        with self._db.read() as tx:
            said = inbox.next_due(tx)
        due = (moments.parse(said) if said else None, self.intaking.next_due())
        left = ((moment - self._clock.now()).total_seconds() for moment in due if moment)
        return min(max(seconds, 0.05) for seconds in (*left, longest))

    def _unheard(self) -> None:
        """The month's pushes are used up: what people say does not arrive, and somebody should know."""
        self._notices.raise_(f"pushes {month_of(self._clock.now())}", "pushes")
        self.on_told()

    def _connected(self, connected: bool) -> None:
        self._meter.gauge("stream_connected", int(connected))
        if connected:
            self.intaking.missed.gap()
            self.on_heard()
