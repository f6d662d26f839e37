"""Approvals that are to become documents: rows of the inbox in a state of their own, so that nobody answers them.

The id of a row is made of the approval's, so that an event pushed twice and an approval found by looking are one row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from kdsync.store import inbox as answers
from kdsync.store import moments
from kdsync.store.inbox import FAILED, IGNORED, REFUSED, Received
from kdsync.store.schema import inbox
from kdsync.store.sealing import Seal
from kdsync.sync import identity

APPROVAL = "approval"  # their source
TAKEN = "intake"  # the state of those that are still to become documents
BEFORE = "finished before the intake was there"
RETRIABLE = (REFUSED, FAILED, TAKEN)


def row_id(instance_id: str) -> str:
    """The id of the row of one approval."""
    return identity.digest(APPROVAL, instance_id)


def known(tx: Connection, instance_ids: Collection[str]) -> set[str]:
    """Which of these approvals have a row."""
    rows = {row_id(instance): instance for instance in instance_ids}
    found = tx.execute(select(inbox.c.id).where(inbox.c.id.in_(rows))).scalars()
    return {rows[ident] for ident in found}


def can_be_read(item: Received) -> bool:
    """Whether what is stored of one tells which it is."""
    return bool(item.content.get("instance"))


def take_after_all(tx: Connection, seal: Seal, item: Received, now: datetime) -> bool:
    """One that was passed over as finished before its intake was there, and was not; False if that is not so."""
    mine = (inbox.c.id == item.id, inbox.c.state == IGNORED, inbox.c.reason == BEFORE)
    values = {"state": TAKEN, "reason": "", "finished_at": None, "next_attempt_at": moments.text(now)}
    if not tx.execute(update(inbox).where(*mine).values(**values)).rowcount:
        return False
    keep(tx, seal, item)
    return True


def due(tx: Connection, seal: Seal, now: datetime, limit: int) -> list[Received]:
    """Those whose turn it is, oldest first."""
    waiting = (inbox.c.state == TAKEN, inbox.c.next_attempt_at <= moments.text(now))
    query = select(inbox.c.id).where(*waiting).order_by(inbox.c.received_at, inbox.c.id).limit(limit)
    return _found(tx, seal, tx.execute(query).scalars().all())


def next_due(tx: Connection) -> str | None:
    """When the next one has its turn."""
    return tx.execute(select(func.min(inbox.c.next_attempt_at)).where(inbox.c.state == TAKEN)).scalar()


def keep(tx: Connection, seal: Seal, item: Received) -> None:
    """Note what is known of one by now."""
    answers.understood(tx, seal, item)
    tx.execute(update(inbox).where(inbox.c.id == item.id).values(sender=item.sender))


def refuse(tx: Connection, seal: Seal, item: Received) -> None:
    """Note that nothing becomes of one, and why, before anybody is told: that is all that is left to try."""
    keep(tx, seal, item)
    tx.execute(update(inbox).where(inbox.c.id == item.id).values(attempts=0))


def retry(tx: Connection, seal: Seal, item: Received, now: datetime) -> None:
    """Try it anew, as if it had just come in; what was done of it stays done."""
    content = {key: value for key, value in item.content.items() if key != "refusal"}
    content |= {"again": int(content.get("again") or 0) + 1, "since": moments.text(now)}
    keep(tx, seal, replace(item, content=content))
    values: dict[str, Any] = {"state": TAKEN, "attempts": 0, "reason": "", "finished_at": None}
    tx.execute(update(inbox).where(inbox.c.id == item.id).values(**values, next_attempt_at=moments.text(now)))


def listing(tx: Connection, seal: Seal, states: Sequence[str], *, prefix: str = "", limit: int = 100) -> list[Received]:
    """Everything in the inbox in some states (all where none is named), newest first; answers of people as well."""
    query = select(inbox.c.id).where(inbox.c.id.startswith(prefix, autoescape=True))
    if states:
        query = query.where(inbox.c.state.in_(states))
    query = query.order_by(inbox.c.received_at.desc(), inbox.c.id).limit(limit)
    return _found(tx, seal, tx.execute(query).scalars().all())


def counts(tx: Connection) -> dict[str, int]:
    """How many approvals are in which state."""
    mine = inbox.c.source == APPROVAL
    query = select(inbox.c.state, func.count()).where(mine).group_by(inbox.c.state)
    return {str(state): int(count) for state, count in tx.execute(query)}


def _found(tx: Connection, seal: Seal, idents: Sequence[str]) -> list[Received]:
    rows = (answers.find(tx, seal, ident) for ident in idents)
    return [row for row in rows if row is not None]
