"""Every write to Kingdee: noted before it is sent, and what came of it. An auditor reads it; so does a restart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select, update

from kdsync.store import moments
from kdsync.store.schema import writes

INTENDED, ACCEPTED, VERIFIED, REFUSED, UNSENT, UNKNOWN = (
    *("intended", "accepted", "verified", "refused", "unsent", "unknown"),
)
MAYBE = (INTENDED, ACCEPTED, UNKNOWN)
"""It happened, or may have: a write that was noted and never heard of again is one that a crash cut off."""
LONGEST_DETAIL = 500
NEVER = "never"  # `met` of a write that no change will be explained by


@dataclass(frozen=True, slots=True)
class Write:
    """One write. `user` is the userid of who asked for it; `operation` is what Kingdee was asked to do."""

    inbox_id: str
    step: int
    form: str
    doc_id: str
    number: str
    operation: str
    user: str
    at: datetime
    target: str = ""  # item id of the task that is answered; of a new document, the field that is its key
    outcome: str = INTENDED
    detail: str = ""


def intend(tx: Connection, write: Write, wanted: bytes | None = None) -> int:
    """Note what is about to be sent; returns the row's number.

    `wanted` (of `origins.kept`) is how the document stands now, and what a save will write into it.
    """
    values = {name: getattr(write, name) for name in _PLAIN} | {"at": moments.text(write.at)}
    key = tx.execute(insert(writes).values(**values, wanted=wanted)).inserted_primary_key
    assert key is not None  # noqa: S101  # SQLite always tells
    return int(key[0])


def note(tx: Connection, row: int, outcome: str, detail: str = "") -> None:
    """Note what came of one."""
    tx.execute(update(writes).where(writes.c.id == row).values(outcome=outcome, detail=detail[:LONGEST_DETAIL]))
    if outcome in (REFUSED, UNSENT):
        tx.execute(update(writes).where(writes.c.id == row, writes.c.met == "").values(met=NEVER))


def made(tx: Connection, row: int, doc_id: str, number: str) -> None:
    """Kingdee took one that makes a document, and says which."""
    values = {"outcome": ACCEPTED, "doc_id": doc_id, "number": number}
    tx.execute(update(writes).where(writes.c.id == row).values(**values))


def found(tx: Connection, inbox_id: str, step: int, doc_id: str, number: str) -> None:
    """Kingdee shows the document that this step was to make, though its answer may have been lost."""
    mine = (writes.c.inbox_id == inbox_id, writes.c.step == step, writes.c.outcome.in_(MAYBE))
    tx.execute(update(writes).where(*mine).values(doc_id=doc_id, number=number))
    verified(tx, inbox_id, step)


def verified(tx: Connection, inbox_id: str, step: int, showed: bytes | None = None) -> None:
    """Kingdee shows that what may have happened in this step did.

    `showed` (of `origins.kept`) is how the document stands now, and what the fields of a save hold.
    """
    mine = (writes.c.inbox_id == inbox_id, writes.c.step == step, writes.c.outcome.in_(MAYBE))
    tx.execute(update(writes).where(*mine).values(outcome=VERIFIED, showed=showed))
    step_of = (writes.c.inbox_id == inbox_id, writes.c.step == step)
    met = tx.execute(select(writes.c.met).where(*step_of, writes.c.met.not_in(("", NEVER)))).scalars().first()
    if met:  # by one try of the step, and another could explain nothing new
        tx.execute(update(writes).where(*step_of, writes.c.met == "").values(met=met))


def of_step(tx: Connection, inbox_id: str, step: int) -> list[Write]:
    """The writes of one step of one answer, oldest first."""
    query = select(writes).where(writes.c.inbox_id == inbox_id, writes.c.step == step).order_by(writes.c.id)
    return [_write(row) for row in tx.execute(query).mappings()]


def may_have_changed(tx: Connection, inbox_id: str) -> bool:
    """Whether Kingdee may have done anything of one answer."""
    mine = (writes.c.inbox_id == inbox_id, writes.c.outcome.in_((*MAYBE, VERIFIED)))
    return tx.execute(select(writes.c.id).where(*mine).limit(1)).first() is not None


def unheard(tx: Connection, like: Write, since: datetime) -> bool:
    """Whether another answer asked Kingdee for the same since then, and nothing was heard of it."""
    document = (writes.c.number == like.number, writes.c.form == like.form, writes.c.doc_id == like.doc_id)
    same = (*document, writes.c.operation == like.operation)
    mine = (writes.c.inbox_id != like.inbox_id, writes.c.outcome.in_((INTENDED, UNKNOWN)))
    query = select(writes.c.id).where(*same, *mine, writes.c.at >= moments.text(since)).limit(1)
    return tx.execute(query).first() is not None


def tasks_of(tx: Connection, inbox_id: str) -> set[str]:
    """The item ids of the tasks that one answer decided."""
    mine = (writes.c.inbox_id == inbox_id, writes.c.target != "", writes.c.outcome == VERIFIED)
    return set(tx.execute(select(writes.c.target).where(*mine)).scalars())


def of_number(tx: Connection, number: str) -> list[Write]:
    """The writes to the documents with one bill number, oldest first."""
    query = select(writes).where(writes.c.number == number).order_by(writes.c.id)
    return [_write(row) for row in tx.execute(query).mappings()]


def _write(row: RowMapping) -> Write:
    return Write(**{name: row[name] for name in _PLAIN}, at=moments.parse(row["at"]))


_PLAIN = ("inbox_id", "step", "form", "doc_id", "number", "operation", "target", "user", "outcome", "detail")
