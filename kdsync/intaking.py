"""Joins the edges of intake: approvals that DingTalk pushes are kept in the inbox, and become documents in Kingdee."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from kdsync import logs
from kdsync.clock import Clock
from kdsync.desk import bill_of, every_row
from kdsync.dingtalk.approvals import Approvals
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.contacts import Contacts
from kdsync.dingtalk.frames import Happened
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.attachments import Attachments, stored_name
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.keys import Keys
from kdsync.kingdee.operations import Operations
from kdsync.kingdee.query import literal
from kdsync.kingdee.register import Register
from kdsync.model import Layout
from kdsync.rules.intake import CompiledIntake
from kdsync.services.attaching import Attaching
from kdsync.services.cabinet import Made, Staff
from kdsync.services.carry import Carry
from kdsync.services.desk import Bill, Desk, Ruling
from kdsync.services.filing import Filing
from kdsync.services.intake import Intake
from kdsync.services.intake_words import IntakeWords
from kdsync.services.missed import Missed
from kdsync.services.notices import Notices
from kdsync.services.numbers import Numbers
from kdsync.services.ports import Meter, Source
from kdsync.services.tries import Tries
from kdsync.settings.schema import Settings
from kdsync.store import intake as store
from kdsync.store import moments
from kdsync.store.database import Database
from kdsync.store.inbox import Received
from kdsync.store.sealing import Seal
from kdsync.sync.layout import full_layout

log = logs.get("intake")
CHANGED, STARTED, FINISHED, AGREED = "bpms_instance_change", "start", "finish", "agree"
MILLISECONDS = re.compile(r"[1-9]\d{12}", re.ASCII)
"""Since 1970, as an event tells them; what looks otherwise says nothing."""


@dataclass(frozen=True, slots=True)
class KingdeeCabinet:
    """`services.cabinet.Cabinet`. Looks go through `source`, so a Kingdee that is down is left alone."""

    source: Source
    operations: Operations
    attachments: Attachments
    keys: Keys

    def find(self, form: str, key: str | None, value: str) -> list[Bill]:
        """By the key, whatever the status."""
        layout = self._layout(form, key)
        field = key or layout.facts.number
        if field is None:
            message = f"{form} has no number, so nothing would tell its documents apart"
            cure = "name a text field for the approval's business id: key: {field: FKEY}"
            raise EdgeError("kingdee", FailureKind.CONFIGURATION, "no-number", message, cure=cure)
        return list(self._bills(layout, f"{field}={literal(value)}"))

    def read(self, form: str, doc_id: str) -> Bill | None:
        """By its id."""
        layout = self._layout(form, None)
        pages = self.source.by_ids(layout, [doc_id])
        return next((bill_of(layout, row) for row in every_row(form, pages)), None)

    def create(self, form: str, key: str | None, value: str, model: Mapping[str, Any], *, draft: bool) -> Made:
        """The key goes first: Kingdee fills in what depends on a field in the order in which fields come."""
        facts = self.source.facts(form, ()).facts
        document = {key or facts.number or "FBillNo": value, **model}
        self.keys.check(form, document)
        outcome = self.operations.create(form, document, draft=draft)
        return Made(Ruling(outcome.done, outcome.text), outcome.doc_id, outcome.number)

    def attached(self, form: str, doc_id: str) -> frozenset[str]:
        """What hangs on it."""
        return self.attachments.names(form, doc_id)

    def attach(self, form: str, doc_id: str, number: str, name: str, content: bytes) -> None:
        """One more file."""
        self.attachments.upload(form, doc_id, number, name, content)

    def stored_name(self, name: str) -> str:
        """What a file is called there."""
        return stored_name(name)

    def _layout(self, form: str, key: str | None) -> Layout:
        known = self.source.facts(form, ())
        return full_layout(known.facts, [key] if key else [], (), (), known.entry_of)

    def _bills(self, layout: Layout, where: str) -> Iterable[Bill]:
        return (bill_of(layout, row) for row in every_row(layout.form, self.source.pages(layout, where)))


class Intaking:
    """The intake at rest."""

    def __init__(
        self,
        db: Database,
        seal: Seal,
        clock: Clock,
        *,
        meter: Meter,
        kingdee: KingdeeClient,
        source: Source,
        dingtalk: DingTalkClient,
        desk: Desk,
        notices: Notices,
        name: Callable[[str], str],
        settings: Callable[[], Settings],
        intakes: Callable[[], Sequence[CompiledIntake]],
        locales: Callable[[], tuple[str, ...]],
    ) -> None:
        self._db, self._clock, self._intakes = db, clock, intakes
        approvals, operations = Approvals(dingtalk), Operations(kingdee)
        words = IntakeWords(db, seal, clock, approvals, notices, settings, locales, name)
        register, tries = Register(kingdee, Staff), Tries(db, clock)
        cabinet = KingdeeCabinet(source, operations, Attachments(kingdee), Keys(kingdee))
        self.intake = Intake(
            db=db,
            seal=seal,
            clock=clock,
            approvals=approvals,
            numbers=Numbers(register, Contacts(dingtalk), lambda: settings().directory),
            filing=Filing(db, seal, clock, tries, cabinet),
            attaching=Attaching(db, seal, tries, cabinet, approvals),
            carry=Carry(db, desk, clock, lambda _task, _userid: False, seal),
            words=words,
            meter=meter,
            intakes=intakes,
            zone=lambda: _zone(settings()),
        )
        self.missed = Missed(db, seal, clock, approvals, meter, intakes, lambda: settings().main.poll.reconcile)

    @property
    def wanted(self) -> bool:
        """Whether approvals become anything."""
        return bool(self._intakes())

    def hear(self, event: Happened) -> bool:
        """Keep an approval that was agreed to and becomes something; whether there is something new to work on."""
        told = {key: str(value) for key, value in event.data.items() if isinstance(value, str | int)}
        intake = self.intake.of_process(told.get("processCode", ""))
        if event.kind != CHANGED or intake is None or not told.get("processInstanceId"):
            return False
        kind, result = told.get("type", ""), told.get("result", "")
        if (kind, result.lower()) != (FINISHED, AGREED):
            if kind != STARTED:
                number = told.get("businessId")
                log.info("intake.not_agreed", intake=intake.id, type=kind, result=result, approval=number)
            return False
        self.missed.began(intake)
        return self.intake.take(_received(intake, told, self._clock.now()))

    def step(self) -> int:
        """Look for what was missed, and work on one approval that is due: somebody may be waiting for an answer."""
        self.missed.step()
        return self.intake.step(limit=1)

    def next_due(self) -> datetime | None:
        """When there is something to work on."""
        with self._db.read() as tx:
            due = store.next_due(tx)
        return moments.parse(due) if due else None


def _zone(settings: Settings) -> ZoneInfo:
    return settings.main.kingdee.timezone


def _received(intake: CompiledIntake, told: Mapping[str, str], now: datetime) -> Received:
    finished = told.get("finishTime", "")
    at = datetime.fromtimestamp(int(finished) / 1000, UTC) if MILLISECONDS.fullmatch(finished) else None
    content = {
        "instance": told["processInstanceId"],
        "process": intake.process,
        "business_id": told.get("businessId", ""),
        "title": told.get("title", ""),
        "finished_at": moments.text(at) if at else "",
        "event": True,
    }
    return Received(
        id=store.row_id(told["processInstanceId"]),
        source=store.APPROVAL,
        sender=told.get("staffId", ""),
        content=content,
        received_at=now,
        state=store.TAKEN,
        action=intake.id,
        form=intake.form,
        number=told.get("businessId", ""),
    )
