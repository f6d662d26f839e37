"""Makes one document of one approval and hangs its files on it: look, note, write, look again. Never a second one.

The approval's business id stands in the document and is looked for before every write, so what was cut off by a crash
or lost its answer is found again. Kingdee itself refuses a second document with the same number; a named field it does
not watch over, so there a write of which nothing was heard is given much longer to take effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any

from kdsync import logs
from kdsync.clock import Clock
from kdsync.errors import EdgeError, FailureKind
from kdsync.rules.intake import CompiledIntake
from kdsync.services.cabinet import Approvals, Cabinet, File
from kdsync.services.carry import UNDER_WAY, NotYetError, Stopped
from kdsync.services.desk import Bill
from kdsync.store import intake as store
from kdsync.store import writes
from kdsync.store.database import Database
from kdsync.store.inbox import Received
from kdsync.store.sealing import Seal
from kdsync.store.writes import Write

log = logs.get("intake")
CREATE = -1  # the steps before those of `do`: the document, then a file each
FIRST_FILE = -2
LATE = timedelta(minutes=5)  # so long may a write take effect where Kingdee would take a second one
SHOWN_WITHIN = timedelta(minutes=10)  # what Kingdee says it made and does not show by then is gone
LARGEST = 50 * 1024 * 1024  # bytes of a file
UNREADABLE = "attachments-unreadable"
UNHEARD = (writes.INTENDED, writes.UNKNOWN)


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
    cabinet: Cabinet
    approvals: Approvals

    def document(
        self, item: Received, intake: CompiledIntake, value: str, model: Callable[[], Mapping[str, Any]]
    ) -> Filed | Stopped:
        """The document with `value` in its key; `model` is asked for only where it has to be made."""
        for _ in range(2):
            before = self._before(item, CREATE)
            found = self._look(item, intake, value)
            if len(found) > 1:
                return Stopped("many", ", ".join(bill.document.number for bill in found))
            if found:
                return self._found(item, found[0], before)
            self._wait_for(before, UNDER_WAY if intake.key is None else LATE)
            if gone := self._accepted(before):
                return gone
            if before and before[-1].outcome == writes.REFUSED and _is_of_this_try(item, before[-1]):
                self._wait_for(before, SHOWN_WITHIN)  # it may say no because the first one is there by now
                return Stopped("kingdee", before[-1].detail)
            item = self._create(item, intake, value, model())
        raise NotYetError("Kingdee took it but does not show it yet")

    def files(self, item: Received, files: Sequence[File]) -> Stopped | None:
        """Hang each of the files on the document, and see that they hang there."""
        named = [(FIRST_FILE - place, name, file) for place, (name, file) in enumerate(self._named(files))]
        for step, name, file in named:
            if stopped := self._file(item, step, name, file):
                return stopped
        return self._shown(item, {step: name for step, name, _ in named}) if named else None

    def _look(self, item: Received, intake: CompiledIntake, value: str) -> list[Bill]:
        """By its id once that is known: a server that numbers documents itself shows it under another number."""
        if not item.doc_id:
            return self.cabinet.find(intake.form, intake.key, value)
        bill = self.cabinet.read(intake.form, item.doc_id)
        return [bill] if bill else []

    def _found(self, item: Received, bill: Bill, before: list[Write]) -> Filed:
        ours = any(write.outcome in (*writes.MAYBE, writes.VERIFIED) for write in before)
        known = replace(item, doc_id=bill.document.doc_id, number=bill.document.number or item.number)
        with self.db.write() as tx:
            store.keep(tx, self.seal, known)
            writes.verified(tx, item.id, CREATE)
        return Filed(known, bill, before=not ours)

    def _accepted(self, before: list[Write]) -> Stopped | None:
        """Kingdee said that it made one, and does not show it: not yet, or not any more."""
        taken = [one for one in before if one.outcome in (writes.ACCEPTED, writes.VERIFIED)]
        if taken and (taken[-1].outcome == writes.VERIFIED or self._age(taken[-1]) > SHOWN_WITHIN):
            return Stopped("gone")
        if taken:
            raise NotYetError("Kingdee took it but does not show it yet")
        return None

    def _create(self, item: Received, intake: CompiledIntake, value: str, model: Mapping[str, Any]) -> Received:
        """What is known of it then; where Kingdee said no its words are noted."""
        row = self._intend(item, CREATE, "create")
        try:
            made = self.cabinet.create(intake.form, intake.key, value, model, draft=intake.draft)
        except EdgeError as error:
            self._failed(row, error)
            raise
        known = replace(item, doc_id=made.doc_id, number=made.number or item.number)
        with self.db.write() as tx:
            if made.ruling.done:
                writes.made(tx, row, known.doc_id, known.number)
                store.keep(tx, self.seal, known)
            else:
                writes.note(tx, row, writes.REFUSED, made.ruling.text or "no")
        log.info("intake.created", inbox_id=item.id, done=made.ruling.done, bill_no=known.number)
        return known if made.ruling.done else item

    def _file(self, item: Received, step: int, name: str, file: File) -> Stopped | None:
        before = [one for one in self._before(item, step) if _is_of_this_try(item, one) or one.outcome not in UNHEARD]
        if any(one.outcome in (writes.ACCEPTED, writes.VERIFIED) for one in before):
            return None
        if any(one.outcome in UNHEARD for one in before):
            self._wait_for(before, UNDER_WAY)
            try:
                hangs = name in self.cabinet.attached(item.form, item.doc_id)
            except EdgeError as error:
                if error.code != UNREADABLE:
                    raise
                return Stopped("file-unknown", name)
            if hangs:
                with self.db.write() as tx:
                    writes.verified(tx, item.id, step)
                return None
        return self._attach(item, step, name, file)

    def _shown(self, item: Received, names: Mapping[int, str]) -> Stopped | None:
        """A server that never tells what hangs on its documents is taken at its word."""
        before = {step: self._before(item, step) for step in names}
        taken = {step: found[-1] for step, found in before.items() if found and found[-1].outcome == writes.ACCEPTED}
        try:
            hanging = self.cabinet.attached(item.form, item.doc_id) if taken else frozenset()
        except EdgeError as error:
            if error.code != UNREADABLE:
                raise
            return None
        with self.db.write() as tx:
            for step in taken:
                if names[step] in hanging:
                    writes.verified(tx, item.id, step)
        missing = [step for step in taken if names[step] not in hanging]
        if any(self._age(taken[step]) > SHOWN_WITHIN for step in missing):
            return Stopped("file", ", ".join(names[step] for step in missing))
        if missing:
            raise NotYetError("Kingdee took a file but does not show it yet")
        return None

    def _attach(self, item: Received, step: int, name: str, file: File) -> Stopped | None:
        try:
            content = self.approvals.download(str(item.content["instance"]), file.file_id, LARGEST)
        except EdgeError as error:
            if error.kind is not FailureKind.REFUSED:
                raise
            return Stopped("file", f"{name}: {error.message}")
        row = self._intend(item, step, "attach", name)
        try:
            self.cabinet.attach(item.form, item.doc_id, item.number, name, content)
        except EdgeError as error:
            self._failed(row, error)
            if error.kind is not FailureKind.REFUSED:
                raise
            return Stopped("file", f"{name}: {error.words or error.message}")
        with self.db.write() as tx:
            writes.note(tx, row, writes.ACCEPTED, name)
        return None

    def _named(self, files: Sequence[File]) -> Iterator[tuple[str, File]]:
        """Each with the name that it gets in Kingdee, which no other file of the same document has."""
        taken: set[str] = set()
        for file in files:
            name = self.cabinet.stored_name(file.name)
            path, count = PurePath(name), 1
            while name.casefold() in taken:
                count += 1
                name = self.cabinet.stored_name(f"{path.stem[:80]} ({count}){path.suffix}")
            taken.add(name.casefold())
            yield name, file

    def _before(self, item: Received, step: int) -> list[Write]:
        with self.db.read() as tx:
            return writes.of_step(tx, item.id, step)

    def _wait_for(self, before: list[Write], under_way: timedelta) -> None:
        """Nothing is repeated while the last try may still be under way."""
        if any(one.outcome in UNHEARD and self._age(one) < under_way for one in before):
            raise NotYetError("Kingdee did not answer and may be at it still")

    def _age(self, write: Write) -> timedelta:
        return self.clock.now() - write.at

    def _intend(self, item: Received, step: int, operation: str, detail: str = "") -> int:
        write = Write(
            inbox_id=item.id,
            step=step,
            form=item.form,
            doc_id=item.doc_id,
            number=item.number,
            operation=operation,
            user=item.sender,
            at=self.clock.now(),
            detail=detail,
        )
        with self.db.write() as tx:
            row = writes.intend(tx, write)
        log.info("write.intended", inbox_id=item.id, form=item.form, bill_no=item.number, operation=operation)
        return row

    def _failed(self, row: int, error: EdgeError) -> None:
        outcomes = {FailureKind.UNKNOWN_OUTCOME: writes.UNKNOWN, FailureKind.REFUSED: writes.REFUSED}
        with self.db.write() as tx:
            writes.note(tx, row, outcomes.get(error.kind, writes.UNSENT), str(error))


def _is_of_this_try(item: Received, write: Write) -> bool:
    """Whether it was written since an operator last had it tried again, having looked at what is there."""
    since = item.content.get("since")
    return not since or write.at > datetime.fromisoformat(str(since))
