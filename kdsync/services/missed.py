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
from kdsync.delivery.retry import after
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
AFTER_TROUBLE = (60.0, 120.0, 300.0, 900.0, 1800.0)  # seconds after so many looks that failed, the last again and again
BETWEEN = 900.0  # seconds from one look to the next, however often the line breaks: each costs calls
HOUR, DAY = 3600.0, 86_400.0  # from one far look to the next, at least and at most
PASSES = (FailureKind.TRANSIENT, FailureKind.RATE_LIMITED, FailureKind.SESSION_LOST, FailureKind.UNKNOWN_OUTCOME)
CHUNK = 200
NEVER = float("-inf")


@dataclass
class _Turn:
    """When the approvals of one process are looked for again, and from afar; how many looks failed in a row."""

    due: float = NEVER
    far_due: float = NEVER
    far_at: float = NEVER
    failed: int = 0


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
    _looked: float = NEVER
    _turns: dict[str, _Turn] = field(default_factory=dict)
    _gap: threading.Event = field(default_factory=threading.Event)

    def gap(self) -> None:
        """Look far, at once or, where a line comes and goes, some minutes after the last look."""
        self._gap.set()

    def step(self) -> int:
        """Look where it is time; how many approvals were found that nobody had told of."""
        now, intakes = self.clock.monotonic(), self.intakes()
        self._turns = {one.process: self._turns.get(one.process) or _Turn() for one in intakes}
        if self._gap.is_set() and now >= self._looked + BETWEEN:
            self._gap.clear()
            for turn in self._turns.values():
                turn.due, turn.far_due = now, min(turn.far_due, max(now, turn.far_at + HOUR))
        due = [one for one in intakes if self._turns[one.process].due <= now]
        self._looked = now if due else self._looked
        return sum(self._surely(one, self._turns[one.process], now) for one in due)

    def _surely(self, intake: CompiledIntake, turn: _Turn, now: float) -> int:
        """What fails in passing is tried again soon; what only an operator can mend has time."""
        far = now >= turn.far_due
        try:
            found = self._look(intake, FAR if far else NEAR)
        except EdgeError as error:
            log.warning("intake.look_failed", intake=intake.id, error=str(error), cure=error.cure)
            soon = after(AFTER_TROUBLE, turn.failed) if error.kind in PASSES else self.interval()
            turn.due, turn.failed = now + min(soon, self.interval()), turn.failed + 1
            return 0
        if far:
            turn.far_at, turn.far_due = now, now + DAY
        turn.due, turn.failed = min(now + self.interval(), turn.far_due), 0
        return found

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
            known = store.known(tx, ids)
        unknown = [one for one in ids if one not in known]
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
