"""Approvals that were finished while nobody listened: looked for at the start, after a gap, and now and then.

What was finished before an intake was first seen becomes no document: the first look only takes note of it. When an
approval ended cannot be asked for, only when it began; so a look reaches far back where something may have been missed,
and a short way otherwise, for every 20 approvals in it cost a call of the month's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from kdsync import logs
from kdsync.clock import Clock
from kdsync.errors import EdgeError, FailureKind
from kdsync.rules.intake import CompiledIntake
from kdsync.services.cabinet import Approvals
from kdsync.services.intake import SINCE
from kdsync.services.ports import Meter
from kdsync.store import inbox, ledger, moments
from kdsync.store import intake as store
from kdsync.store.database import Database
from kdsync.store.inbox import IGNORED, Received
from kdsync.store.sealing import Seal

log = logs.get("intake")
FAR, NEAR = timedelta(days=30), timedelta(days=3)
AT_ONCE = timedelta(minutes=1)  # a first look within it shows what was finished before, later ones have to ask
AFTER_TROUBLE = 60.0  # seconds
BETWEEN = 300.0  # seconds from one look to the next, however often the line breaks: each costs calls
PASSES = (FailureKind.TRANSIENT, FailureKind.RATE_LIMITED, FailureKind.SESSION_LOST, FailureKind.UNKNOWN_OUTCOME)
DAY = 86_400.0
CHUNK = 200


@dataclass
class Missed:
    """Looks when it is time; `gap` says that something may have been missed. Times are the monotonic clock's."""

    db: Database
    seal: Seal
    clock: Clock
    approvals: Approvals
    meter: Meter
    intakes: Callable[[], Sequence[CompiledIntake]]
    interval: Callable[[], float]
    _due: float = float("-inf")
    _far_due: float = float("-inf")
    _looked: float = float("-inf")
    _known: set[str] = field(default_factory=set)
    _gap: threading.Event = field(default_factory=threading.Event)

    def gap(self) -> None:
        """Look far, at once or, where a line comes and goes, some minutes after the last look."""
        self._gap.set()

    def step(self) -> int:
        """Look where it is time; how many approvals were found that nobody had told of."""
        now, fresh = self.clock.monotonic(), {one.process for one in self.intakes()} - self._known
        if self._gap.is_set() and now >= self._looked + BETWEEN:
            self._gap.clear()
            self._due = self._far_due = now
        if not self.intakes() or (now < self._due and not fresh):
            return 0
        far = now >= self._far_due or bool(fresh)
        found = [self._surely(intake, FAR if far else NEAR) for intake in self.intakes()]
        self._looked, self._known = now, {one.process for one in self.intakes()}
        if None in found:
            self._due = now + min(AFTER_TROUBLE, self.interval())
        else:
            self._due, self._far_due = now + self.interval(), now + DAY if far else self._far_due
        return sum(filter(None, found))

    def _surely(self, intake: CompiledIntake, back: timedelta) -> int | None:
        """None where it has to be tried again soon; what only an operator can mend has time."""
        try:
            return self._look(intake, back)
        except EdgeError as error:
            log.warning("intake.look_failed", intake=intake.id, error=str(error), cure=error.cure)
            return None if error.kind in PASSES else 0

    def _look(self, intake: CompiledIntake, back: timedelta) -> int:
        now = self.clock.now()
        since, listed = self.began(intake), self._is_listed(intake)
        before = not listed and now - since < AT_ONCE
        ids, found = self.approvals.finished(intake.process, now - back, now), 0
        while chunk := list(islice(ids, CHUNK)):
            found += self._keep(intake, chunk, now, before=before)
        if not listed:
            with self.db.write() as tx:
                ledger.put_fact(tx, f"{SINCE}{intake.process} listed", moments.text(now), now)
        log.info("intake.looked", intake=intake.id, days=back.days, found=0 if before else found)
        return 0 if before else found

    def began(self, intake: CompiledIntake) -> datetime:
        """Since when its approvals become documents: since it was first seen, which is now if it was not yet."""
        now = self.clock.now()
        with self.db.read() as tx:
            began = ledger.fact(tx, SINCE + intake.process)
        if began is None:
            with self.db.write() as tx:
                began = ledger.fact(tx, SINCE + intake.process)  # the other thread may have been first
                if began is None:
                    ledger.put_fact(tx, SINCE + intake.process, moments.text(now), now)
            log.info("intake.first_seen", intake=intake.id, process=intake.process)
        return datetime.fromisoformat(began) if began else now

    def _is_listed(self, intake: CompiledIntake) -> bool:
        """Whether it is known what was finished before."""
        with self.db.read() as tx:
            return ledger.fact(tx, f"{SINCE}{intake.process} listed") is not None

    def _keep(self, intake: CompiledIntake, ids: list[str], now: datetime, *, before: bool) -> int:
        with self.db.read() as tx:
            unknown = [one for one in ids if one not in store.known(tx, ids)]
        if not unknown:
            return 0
        state, reason = (IGNORED, store.BEFORE) if before else (store.TAKEN, "")
        with self.db.write() as tx:
            for instance in unknown:
                content = {"instance": instance, "process": intake.process}
                inbox.add(
                    tx,
                    self.seal,
                    Received(
                        id=store.row_id(instance),
                        source=store.APPROVAL,
                        sender="",
                        content=content,
                        received_at=now,
                        state=state,
                        reason=reason,
                        action=intake.id,
                        form=intake.form,
                    ),
                )
        self.meter.count("received", len(unknown), labels={"source": store.APPROVAL, "new": "yes"})
        return len(unknown)
