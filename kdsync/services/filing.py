"""Makes one document of one approval: look, note, write, look again. Never a second one.

The approval's business id stands in the document and is looked for before every write, so what was cut off by a crash
or lost its answer is found again. Kingdee itself refuses a second document with the same number; a named field it does
not watch over, nor does it check drafts, so there a write of which nothing was heard is given much longer to take
effect. Where Kingdee gives a number of its own instead, such a write is not repeated until somebody has looked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from kdsync import logs
from kdsync.clock import Clock
from kdsync.errors import EdgeError
from kdsync.rules.intake import CompiledIntake
from kdsync.services.cabinet import Cabinet
from kdsync.services.carry import UNDER_WAY, NotYetError, Stopped
from kdsync.services.desk import Bill
from kdsync.services.tries import DONE, SHOWN_WITHIN, UNHEARD, Tries, is_of_this_try
from kdsync.store import intake as store
from kdsync.store import ledger, origins, writes
from kdsync.store.database import Database
from kdsync.store.inbox import Received
from kdsync.store.sealing import Seal
from kdsync.store.writes import Write

log = logs.get("intake")
CREATE = -1  # the step before those of `do`; before it come those of the files
LATE = timedelta(minutes=5)  # so long may a write take effect where Kingdee would take a second one
OWN_NUMBERS = "own numbers:"
"""Facts by form: whether Kingdee gives its documents other numbers than those that they were sent with."""
CURE = "name a text field for the approval's business id: key: {field: FKEY}"


@dataclass(frozen=True, slots=True)
class Filed:
    """The document that stands for an approval; `before` tells that it was there and none of our doing."""

    item: Received
    bill: Bill
    before: bool = False


@dataclass(frozen=True, slots=True)
class Filing:
    """Does it. Raises EdgeError and NotYetError where it has to go on later."""

    db: Database
    seal: Seal
    clock: Clock
    tries: Tries
    cabinet: Cabinet

    def document(
        self, item: Received, intake: CompiledIntake, value: str, model: Callable[[], Mapping[str, Any]]
    ) -> Filed | Stopped:
        """The document with `value` in its key; `model` is asked for only where it has to be made."""
        for _ in range(2):
            before = self.tries.of(item, CREATE)
            if made := _made_otherwise(item, intake, before):
                return Stopped("elsewhere", f"{made.form} {made.number}")
            found = self._look(item, intake, value)
            if len(found) > 1:
                return Stopped("many", ", ".join(bill.document.number for bill in found))
            if found:
                return self._found(item, intake, value, found[0], before)
            self.tries.wait_for(before, LATE if intake.key or intake.draft else UNDER_WAY)
            if stopped := self._accepted(before) or self._unfindable(item, intake, before):
                return stopped
            if before and before[-1].outcome == writes.REFUSED and is_of_this_try(item, before[-1]):
                self.tries.wait_for(before, SHOWN_WITHIN)  # it may say no because the first one is there by now
                return Stopped("kingdee", before[-1].detail)
            item = self._create(item, intake, value, model())
        raise NotYetError("Kingdee took it but does not show it yet")

    def _look(self, item: Received, intake: CompiledIntake, value: str) -> list[Bill]:
        """By its id once that is known: a server that numbers documents itself shows it under another number."""
        if not item.doc_id:
            return self.cabinet.find(intake.form, intake.key, value)
        bill = self.cabinet.read(intake.form, item.doc_id)
        return [bill] if bill else []

    def _found(
        self, item: Received, intake: CompiledIntake, value: str, bill: Bill, before: Sequence[Write]
    ) -> Filed | Stopped:
        number = bill.document.number
        known = replace(item, doc_id=bill.document.doc_id, number=number or item.number)
        own = bool(item.doc_id) and intake.key is None and number != value
        another = own and any(one.outcome in UNHEARD and is_of_this_try(item, one) for one in before)
        with self.db.write() as tx:
            store.keep(tx, self.seal, known)
            if item.doc_id and intake.key is None:
                ledger.put_fact(tx, OWN_NUMBERS + intake.form, str(own), self.clock.now())
            if not another:
                writes.found(tx, item.id, CREATE, known.doc_id, known.number)
        if own:
            log.warning("intake.own_number", form=intake.form, bill_no=number, sent=value, cure=CURE)
        if another:
            return Stopped("another", number)
        return Filed(known, bill, before=all(write.outcome not in DONE for write in before))

    def _accepted(self, before: Sequence[Write]) -> Stopped | None:
        """Kingdee said that it made one, and does not show it: not yet, or not any more."""
        taken = [one for one in before if one.outcome in (writes.ACCEPTED, writes.VERIFIED)]
        if taken and (taken[-1].outcome == writes.VERIFIED or self.tries.age(taken[-1]) > SHOWN_WITHIN):
            return Stopped("gone")
        if taken:
            raise NotYetError("Kingdee took it but does not show it yet")
        return None

    def _unfindable(self, item: Received, intake: CompiledIntake, before: Sequence[Write]) -> Stopped | None:
        """What Kingdee gave a number of its own cannot be looked for, so that nothing tells whether it was made."""
        if intake.key or not any(one.outcome in UNHEARD and is_of_this_try(item, one) for one in before):
            return None
        with self.db.read() as tx:
            own = ledger.fact(tx, OWN_NUMBERS + intake.form) == str(True)
        return Stopped("unnumbered", CURE) if own else None

    def _create(self, item: Received, intake: CompiledIntake, value: str, model: Mapping[str, Any]) -> Received:
        """What is known of it then; where Kingdee said no its words are noted."""
        row = self.tries.intend(item, CREATE, "create", target=intake.key or "")
        try:
            made = self.cabinet.create(intake.form, intake.key, value, model, draft=intake.draft)
        except EdgeError as error:
            self.tries.failed(row, error)
            raise
        known = replace(item, doc_id=made.doc_id, number=made.number or item.number)
        with self.db.write() as tx:
            if made.ruling.done:
                writes.made(tx, row, known.doc_id, known.number)
                store.keep(tx, self.seal, known)
            else:
                origins.note(tx, row, writes.REFUSED, made.ruling.text or "no")
        log.info("intake.created", inbox_id=item.id, done=made.ruling.done, bill_no=known.number)
        return known if made.ruling.done else item


def _made_otherwise(item: Received, intake: CompiledIntake, before: Sequence[Write]) -> Write | None:
    """A write that made it, or may have, as the intake was before: in another form, or where another key is needed."""

    def is_other(write: Write) -> bool:
        return write.form != intake.form or (not item.doc_id and write.target != (intake.key or ""))

    return next((one for one in before if one.outcome in DONE and is_other(one)), None)
