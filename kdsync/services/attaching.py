"""Hangs the files of an approval on its document: look, note, send, look again. Never one twice.

Kingdee takes any number of files of one name, so that a file of which nothing was heard is looked for by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from kdsync.errors import EdgeError, FailureKind
from kdsync.services.cabinet import Approvals, Cabinet, File
from kdsync.services.carry import UNDER_WAY, NotYetError, Stopped
from kdsync.services.tries import SHOWN_WITHIN, UNHEARD, Tries, is_of_this_try
from kdsync.store import intake as store
from kdsync.store import writes
from kdsync.store.database import Database
from kdsync.store.inbox import Received
from kdsync.store.sealing import Seal

FIRST = -2  # the step of the first file, one less for each that follows
LARGEST = 50 * 1024 * 1024  # bytes of a file
MOST_TRIES = 20  # of one file: each costs a call of the month's
UNREADABLE = "attachments-unreadable"


@dataclass(frozen=True, slots=True)
class Attaching:
    """Does it. Raises EdgeError and NotYetError where it has to go on later."""

    db: Database
    seal: Seal
    tries: Tries
    cabinet: Cabinet
    approvals: Approvals

    def files(self, item: Received, files: Sequence[File]) -> Stopped | None:
        """Hang each of the files on the document, and see that they hang there."""
        named = dict(self._named(files))
        steps = self._steps(item, named)
        for name, file in named.items():
            if stopped := self._file(item, steps[name], name, file):
                return stopped
        return self._shown(item, {steps[name]: name for name in named})

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

    def _steps(self, item: Received, names: Iterable[str]) -> dict[str, int]:
        """The step of each file by its name, once and for all: the next time the intake may name other fields."""
        known = list(item.content.get("files") or ())
        new = [name for name in names if name not in known]
        if new:
            with self.db.write() as tx:
                store.keep(tx, self.seal, replace(item, content={**item.content, "files": known + new}))
        return {name: FIRST - place for place, name in enumerate(known + new)}

    def _file(self, item: Received, step: int, name: str, file: File) -> Stopped | None:
        tries = self.tries.of(item, step)
        mine = [one for one in tries if is_of_this_try(item, one)]
        came_of_it, came_of_mine = {one.outcome for one in tries}, {one.outcome for one in mine}
        if writes.VERIFIED in came_of_it or writes.ACCEPTED in came_of_mine:
            return None
        if came_of_it & set(writes.MAYBE):
            self.tries.wait_for(tries, UNDER_WAY)
            hanging = self._hanging(item)
            if hanging is None and writes.ACCEPTED in came_of_it:
                return None
            if hanging is None and came_of_mine & set(UNHEARD):
                return Stopped("file-unknown", name)
            if name in (hanging or ()):
                self._verified(item, [step])
                return None
        if len(mine) >= MOST_TRIES:
            return Stopped("file", f"{name}: {mine[-1].detail}")
        return self._attach(item, step, name, file)

    def _shown(self, item: Received, names: Mapping[int, str]) -> Stopped | None:
        """A server that never tells what hangs on its documents is taken at its word."""
        before = {step: self.tries.of(item, step) for step in names}
        taken = {step: found[-1] for step, found in before.items() if found and found[-1].outcome == writes.ACCEPTED}
        hanging = self._hanging(item) if taken else None
        if hanging is None:
            return None
        self._verified(item, [step for step in taken if names[step] in hanging])
        missing = [step for step in taken if names[step] not in hanging]
        if any(self.tries.age(taken[step]) > SHOWN_WITHIN for step in missing):
            return Stopped("file", ", ".join(names[step] for step in missing))
        if missing:
            raise NotYetError("Kingdee took a file but does not show it yet")
        return None

    def _hanging(self, item: Received) -> frozenset[str] | None:
        """The names of what hangs on the document; None where this server never tells."""
        try:
            return self.cabinet.attached(item.form, item.doc_id)
        except EdgeError as error:
            if error.code != UNREADABLE:
                raise
            return None

    def _verified(self, item: Received, steps: Iterable[int]) -> None:
        with self.db.write() as tx:
            for step in steps:
                writes.verified(tx, item.id, step)

    def _attach(self, item: Received, step: int, name: str, file: File) -> Stopped | None:
        content = self._content(item, step, name, file)
        if isinstance(content, Stopped):
            return content
        row = self.tries.intend(item, step, "attach", detail=name)
        try:
            self.cabinet.attach(item.form, item.doc_id, item.number, name, content)
        except EdgeError as error:
            self.tries.failed(row, error)
            if error.kind is not FailureKind.REFUSED:
                raise
            return Stopped("file", f"{name}: {error.words or error.message}")
        with self.db.write() as tx:
            writes.note(tx, row, writes.ACCEPTED, name)
        return None

    def _content(self, item: Received, step: int, name: str, file: File) -> bytes | Stopped:
        """What is in it; to fetch it in vain is a try, too, where it may have cost a call."""
        try:
            return self.approvals.download(str(item.content["instance"]), file.file_id, LARGEST)
        except EdgeError as error:
            if error.kind is FailureKind.QUOTA:
                raise
            row = self.tries.intend(item, step, "attach", detail=name)
            with self.db.write() as tx:
                writes.note(tx, row, writes.UNSENT, str(error))
            if error.kind is not FailureKind.REFUSED:
                raise
            return Stopped("file", f"{name}: {error.message}")
