"""Carries out an action step by step: read, decide, note the write, write, read back. Never a guess, never twice.

What a step comes to is decided by the state that Kingdee shows, not by what it said to a write: an answer may be lost,
and a write that was noted and cut off by a crash may have happened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from kdsync import logs
from kdsync.clock import Clock
from kdsync.commands.plan import OPEN, Decision, Done, Reason, Refuse, State, Verify, next_step
from kdsync.errors import EdgeError, FailureKind
from kdsync.model import Do, Status, Task
from kdsync.rules.actions import CompiledAction
from kdsync.services.desk import Bill, Desk, NotThemselvesError
from kdsync.store import inbox, makers, origins, writes
from kdsync.store.database import Database
from kdsync.store.inbox import Received
from kdsync.store.sealing import Seal
from kdsync.store.writes import Write
from kdsync.sync import identity
from kdsync.sync.origin import standing

log = logs.get("inbound")
LOOKS = 4  # at the state within one try of a step; what does not show by then is looked at again later
UNDER_WAY = timedelta(seconds=10)  # so long may a write still take effect of which nothing was heard
UNHEARD = timedelta(minutes=2)  # the same of what no field shows: nobody else asks for it meanwhile
ONCE = ("push", "operation")  # what a field of the document does not show


class NotYetError(Exception):
    """Kingdee took the write but does not show it yet; look again later, and do not write again."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A step cannot be done: why (a reason of `commands.plan`, or "kingdee" or "unknown"), and Kingdee's words.

    `status` is the letter of the document as it was read last.
    """

    reason: str
    text: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Carried:
    """All steps are verified; `wrote` tells whether anything had to be changed. `bill` is the document now."""

    bill: Bill | None
    wrote: bool


def is_unsure(before: list[Write]) -> bool:
    """Whether the last write of a step may have been done, and nothing has shown it."""
    return bool(before) and before[-1].outcome in writes.MAYBE


def fingerprint(action: CompiledAction) -> str:
    """What stands for the steps of an action: who was allowed these was not allowed others."""
    steps = ([do.kind, do.name, do.fields, do.options] for do in action.do)
    return identity.digest(*(json.dumps(step, sort_keys=True, default=str) for step in steps))


@dataclass(frozen=True, slots=True)
class Carry:
    """Does the steps of one action on one document for one person."""

    db: Database
    desk: Desk
    clock: Clock
    is_sender: Callable[[Task, str], bool]  # whether a task waits for the person with that userid
    seal: Seal

    def run(self, item: Received, action: CompiledAction, until: datetime | None = None) -> Carried | Stopped:
        """Go on where it stands; raises EdgeError and NotYetError where it has to go on later.

        From `until` on nothing more is written: what was is read back, and the rest is not done.
        """
        bill = self._read(item, action) if item.step == len(action.do) else None
        for step in range(item.step, len(action.do)):
            stopped, bill = self._step(item, action, step, until)
            if stopped:
                return replace(stopped, status=bill.status if bill else "")
        with self.db.read() as tx:
            wrote = any(writes.of_step(tx, item.id, step) for step in range(len(action.do)))
        return Carried(bill, wrote)

    def _not_themselves(self, item: Received, step: int, error: NotThemselvesError) -> Stopped:
        """Nothing was sent now; what an earlier try may have done is not called impossible."""
        with self.db.read() as tx:
            is_maybe_done = any(write.outcome in writes.MAYBE for write in writes.of_step(tx, item.id, step))
        return Stopped("unknown" if is_maybe_done else "no-session" if error.login else "no-account", str(error))

    def _step(
        self, item: Received, action: CompiledAction, step: int, until: datetime | None
    ) -> tuple[Stopped | None, Bill | None]:
        do, refused = action.do[step], ""
        for _ in range(LOOKS):
            bill = self._read(item, action)
            with self.db.read() as tx:
                before = writes.of_step(tx, item.id, step)
            sent = [write for write in before if write.outcome in writes.MAYBE]
            others = self._sharing(item, do, before)  # before the task, which is to be as fresh as can be
            task = self._task(item, do, before)
            decision = next_step(do, self._state(item, bill, do, mine=task is not None), sent=bool(sent))
            if isinstance(decision, Done) and bill and sent and self._was_decided_otherwise(do, bill, before):
                return Stopped("unknown"), bill
            made = self._made_before(do, bill) if not (refused or self._was_answered(do, before)) else []
            if isinstance(decision, Done) or made or self._was_answered(do, before):
                self._verified(item, step, do, bill, made if sent else [])
                return None, bill
            self._wait_for(before)
            if bill is None or refused or isinstance(decision, Refuse | Verify):
                return _stopped(decision, before, refused), bill
            if task and others:
                return Stopped("shared-number", others), bill
            self._make_sure_it_may_be_sent(item, do, before, until)
            try:
                refused = self._write(item, bill, do, step, task)
            except NotThemselvesError as error:
                return self._not_themselves(item, step, error), bill
        raise NotYetError("the document keeps changing")

    def _make_sure_it_may_be_sent(self, item: Received, do: Do, before: list[Write], until: datetime | None) -> None:
        now = self.clock.now()
        if any(write.outcome == writes.ACCEPTED for write in before):
            raise NotYetError("Kingdee took it but does not show it yet")
        if until and now >= until:
            raise NotYetError(item.reason or "it is too long ago that it was asked for")
        with self.db.read() as tx:
            unheard = do.kind in ONCE and writes.unheard(tx, self._intended(item, do, 0, None), now - UNHEARD)
        if unheard:
            raise NotYetError("somebody asked for the same a moment ago, and Kingdee did not answer yet")

    def _wait_for(self, before: list[Write]) -> None:
        """Nothing is decided on a state that a write may still change that is under way."""
        unheard = before and before[-1].outcome in (writes.INTENDED, writes.UNKNOWN)
        if unheard and self.clock.now() - before[-1].at < UNDER_WAY:
            raise NotYetError("Kingdee did not answer and may be at it still")

    def _was_answered(self, do: Do, before: list[Write]) -> bool:
        """Steps whose effect no field shows: there Kingdee's own yes has to do."""
        return do.kind in ONCE and any(w.outcome == writes.ACCEPTED for w in before)

    def _made_before(self, do: Do, bill: Bill | None) -> list[tuple[str, str]]:
        """What a push made of the document already: a second one would make a second document."""
        return self.desk.pushed(bill, do) if do.kind == "push" and bill else []

    def _was_decided_otherwise(self, do: Do, bill: Bill, before: list[Write]) -> bool:
        """The task waits no more, but nobody heard Kingdee's yes, and the document tells of another's decision."""
        against = {"approve": OPEN, "reject": {Status.APPROVED}}.get(do.kind, ())
        return bill.status in against and all(write.outcome != writes.ACCEPTED for write in before)

    def _sharing(self, item: Received, do: Do, before: list[Write]) -> str:
        """The documents with the same number, where there are several: tasks and their decisions go by number."""
        if do.kind not in ("approve", "reject") or any(write.outcome == writes.ACCEPTED for write in before):
            return ""
        found = self.desk.find(item.form, item.number, ())
        return ", ".join(bill.document.doc_id for bill in found) if len(found) > 1 else ""

    def _read(self, item: Received, action: CompiledAction) -> Bill | None:
        return self.desk.read(item.form, item.doc_id, sorted(action.heads))

    def _task(self, item: Received, do: Do, before: list[Write]) -> Task | None:
        """The task that waits for the sender; once one was tried, only that: the next node is another decision."""
        if do.kind not in ("approve", "reject"):
            return None
        asked = item.content.get("task")  # a card is about one
        answered = {write.target for write in before} or ({str(asked)} if asked else set())
        tasks = (task for task in self.desk.tasks(item.form, item.number) if self.is_sender(task, item.sender))
        return next((task for task in tasks if not answered or task.item_id in answered), None)

    def _state(self, item: Received, bill: Bill | None, do: Do, *, mine: bool) -> State:
        if bill is None:
            return State(status="", gone=True)
        return State(
            status=bill.status,
            mine=mine,
            running=do.kind == "audit" and self._is_running(item),
            fields={key: bill.raw(key) for key in do.read_back},
        )

    def _is_running(self, item: Received) -> bool:
        """Whether a workflow waits; where that may not be read, Kingdee itself refuses to audit past one."""
        try:
            return bool(self.desk.tasks(item.form, item.number))
        except EdgeError as error:
            if error.kind is not FailureKind.CONFIGURATION:
                raise
            log.warning("tasks.unreadable", form=item.form, bill_no=item.number, error=str(error))
            return False

    def _verified(self, item: Received, step: int, do: Do, bill: Bill | None, made: Sequence[tuple[str, str]]) -> None:
        keys = (*do.read_back, *do.fields)
        shown = {key: bill.raw(key) for key in keys if bill.raw(key) is not None} if bill else {}
        showed = self._kept(bill, {**do.read_back, **shown}) if bill else None
        with self.db.write() as tx:
            writes.verified(tx, item.id, step, showed)
            self._note_made(tx, item, do, made)
            inbox.advance(tx, item.id, step + 1)

    def _write(self, item: Received, bill: Bill, do: Do, step: int, task: Task | None) -> str:
        """Note it, do it, note what came of it; returns Kingdee's words where it said no, else ''."""
        with self.db.write() as tx:
            row = writes.intend(tx, self._intended(item, do, step, task), self._kept(bill, do.read_back))
        log.info("write.intended", inbox_id=item.id, form=item.form, bill_no=item.number, operation=do.kind)
        try:
            ruling = self.desk.write(
                bill,
                do,
                user_id=task.receiver if task else "",
                opinion=str(item.content.get("opinion") or ""),
                sender=item.sender,
            )
        except NotThemselvesError as error:
            self._note(item, do, row, writes.UNSENT, str(error))
            raise
        except EdgeError as error:
            outcome = writes.UNKNOWN if error.kind is FailureKind.UNKNOWN_OUTCOME else writes.UNSENT
            self._note(item, do, row, outcome, str(error))
            raise
        said = f"as {ruling.account}: {ruling.text}" if ruling.account else ruling.text
        self._note(item, do, row, writes.ACCEPTED if ruling.done else writes.REFUSED, said, ruling.made)
        return "" if ruling.done else ruling.text or "no"

    def _note(
        self, item: Received, do: Do, row: int, outcome: str, detail: str, made: Sequence[tuple[str, str]] = ()
    ) -> None:
        with self.db.write() as tx:
            origins.note(tx, row, outcome, detail)
            self._note_made(tx, item, do, made)
        told = {"inbox_id": item.id, "form": item.form, "bill_no": item.number, "operation": do.kind}
        log.info("write.finished", outcome=outcome, detail=detail, **told)

    def _note_made(self, tx: Connection, item: Received, do: Do, made: Sequence[tuple[str, str]]) -> None:
        makers.note(tx, self._intended(item, do, item.step, None), str(do.options.get("to") or ""), made)

    def _kept(self, bill: Bill, fields: Mapping[str, Any]) -> bytes:
        """What tells the change as ours when it is noticed: how the document stands, and what is written into it."""
        return origins.kept(self.seal, standing(bill.facts, bill.raw), fields)

    def _intended(self, item: Received, do: Do, step: int, task: Task | None) -> Write:
        return Write(
            inbox_id=item.id,
            step=step,
            form=item.form,
            doc_id=item.doc_id,
            number=item.number,
            operation=do.name or do.kind,
            target=task.item_id if task else "",
            user=item.sender,
            at=self.clock.now(),
        )


def _stopped(decision: Decision, before: list[Write], refused: str) -> Stopped:
    """Why a step ends that is not done; `refused` are Kingdee's words to a try of just now."""
    if isinstance(decision, Verify) or (decision != Refuse(Reason.GONE) and is_unsure(before)):
        return Stopped("unknown")
    return Stopped(decision.reason) if isinstance(decision, Refuse) and not refused else Stopped("kingdee", refused)
