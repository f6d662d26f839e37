"""The writes of one approval: each is noted before it is sent, and not repeated while it may still take effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kdsync import logs
from kdsync.clock import Clock
from kdsync.errors import EdgeError, FailureKind
from kdsync.services.carry import NotYetError
from kdsync.store import origins, writes
from kdsync.store.database import Database
from kdsync.store.inbox import Received
from kdsync.store.writes import Write

log = logs.get("intake")
UNHEARD = (writes.INTENDED, writes.UNKNOWN)
DONE = (*writes.MAYBE, writes.VERIFIED)  # it happened, or may have
SHOWN_WITHIN = timedelta(minutes=10)  # what Kingdee says it did and does not show by then is gone


@dataclass(frozen=True, slots=True)
class Tries:
    """The tries of each step."""

    db: Database
    clock: Clock

    def of(self, item: Received, step: int) -> list[Write]:
        """Those of one step so far, oldest first."""
        with self.db.read() as tx:
            return writes.of_step(tx, item.id, step)

    def intend(self, item: Received, step: int, operation: str, *, detail: str = "", target: str = "") -> int:
        """Note one that is about to be sent; returns its row."""
        write = Write(
            inbox_id=item.id,
            step=step,
            form=item.form,
            doc_id=item.doc_id,
            number=item.number,
            operation=operation,
            target=target,
            user=item.sender,
            at=self.clock.now(),
            detail=detail,
        )
        with self.db.write() as tx:
            row = writes.intend(tx, write)
        log.info("write.intended", inbox_id=item.id, form=item.form, bill_no=item.number, operation=operation)
        return row

    def failed(self, row: int, error: EdgeError) -> None:
        """Note that Kingdee did not say yes."""
        outcomes = {FailureKind.UNKNOWN_OUTCOME: writes.UNKNOWN, FailureKind.REFUSED: writes.REFUSED}
        with self.db.write() as tx:
            origins.note(tx, row, outcomes.get(error.kind, writes.UNSENT), str(error))

    def wait_for(self, before: Sequence[Write], under_way: timedelta) -> None:
        """NotYetError while one of which nothing was heard may still be under way."""
        if any(one.outcome in UNHEARD and self.age(one) < under_way for one in before):
            raise NotYetError("Kingdee did not answer and may be at it still")

    def age(self, write: Write) -> timedelta:
        """How long ago it was noted."""
        return self.clock.now() - write.at


def is_of_this_try(item: Received, write: Write) -> bool:
    """Whether it was written since an operator last had it tried again, having looked at what is there."""
    since = item.content.get("since")
    return not since or write.at > datetime.fromisoformat(str(since))
