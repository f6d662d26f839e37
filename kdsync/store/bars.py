"""Messages whose status bar says that somebody has to decide: what is to be done with them once somebody has.

One fact for each task that such messages are about, kept until all of them say so. That a bar was changed, or never
will be, is an attempt of its letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from sqlalchemy import Connection, and_, delete, func, literal, or_, select, update

from kdsync.store import ledger, moments, outbox, tasks
from kdsync.store.notifications import Notification
from kdsync.store.outbox import Letter
from kdsync.store.schema import attempts, facts, notifications, writes
from kdsync.store.schema import outbox as letters
from kdsync.store.schema import tasks as seen
from kdsync.store.sealing import Seal
from kdsync.store.writes import VERIFIED
from kdsync.sync import identity

OWED = "bar:"
"""Facts by item id of a task: JSON [failed tries, when to try next]; since when it is owed."""
CHANGED, LOST = "bar changed", "bar not changed"  # outcomes of attempts
_OURS = (facts.c.key >= OWED, facts.c.key < OWED[:-1] + chr(ord(OWED[-1]) + 1))  # by the index


@dataclass(frozen=True, slots=True)
class Owed:
    """A decided task whose messages do not say so yet. `form` is spelled as in the rules."""

    item_id: str
    form: str
    number: str
    tries: int


def task_of(tx: Connection, account_set: str, told: Notification) -> str:
    """The item id of the task that waits and that something is told about; "" where there is none."""
    waiting = tasks.waiting_of(tx, told.form, told.number)
    mine = (one.item_id for one in waiting if identity.task_event_id(account_set, one.item_id) == told.event_id)
    return next(mine, "")


def owe(tx: Connection, item_id: str, now: datetime) -> None:
    """Messages about a task say that it waits; they are to say something else when it does not."""
    ledger.put_fact(tx, OWED + item_id, _kept(0, now), now)


def due(tx: Connection, now: datetime, longest: timedelta) -> Owed | None:
    """The next one to be changed. No pause is longer than `longest`: a clock was set where one seems to be."""
    decided = and_(writes.c.number == seen.c.number, writes.c.target == seen.c.item_id, writes.c.outcome == VERIFIED)
    joined = facts.join(seen, seen.c.item_id == func.substr(facts.c.key, len(OWED) + 1))
    over = or_(seen.c.state == tasks.GONE, select(literal(1)).where(decided).exists())
    query = select(facts.c.value, seen.c.item_id, seen.c.form, seen.c.number).select_from(joined)
    for value, item_id, form, number in tx.execute(query.where(*_OURS, over).order_by(facts.c.at)):
        tries, moment = orjson.loads(value)
        if not now < moments.parse(moment) <= now + longest:
            return Owed(item_id, form, number, tries)
    return None


def later(tx: Connection, owed: Owed, tries: int, until: datetime) -> None:
    """It could not be done now."""
    mine = update(facts).where(facts.c.key == OWED + owed.item_id)
    tx.execute(mine.values(value=_kept(tries, until)))


def settle(tx: Connection, owed: Owed) -> None:
    """Nothing is left to be done."""
    ledger.forget_fact(tx, OWED + owed.item_id)


def expire(tx: Connection, before: datetime) -> int:
    """Forget those owed since before then; returns how many."""
    return tx.execute(delete(facts).where(*_OURS, facts.c.at < moments.text(before))).rowcount


def unsettled(tx: Connection, seal: Seal, account_set: str, owed: Owed) -> list[tuple[Letter, str]]:
    """The letters about a task whose bars were neither changed nor given up, each with the id of its document."""
    event = identity.task_event_id(account_set, owed.item_id)
    ended = select(attempts.c.outbox_id).where(
        attempts.c.outbox_id == letters.c.id, attempts.c.outcome.in_((CHANGED, LOST))
    )
    query = (
        select(letters, notifications.c.doc_id)
        .join_from(letters, notifications, letters.c.notification_id == notifications.c.id)
        .where(notifications.c.number == owed.number, notifications.c.event_id == event, ~ended.exists())
        .order_by(letters.c.id)
    )
    return [(outbox.opened(row, seal), str(row["doc_id"])) for row in tx.execute(query).mappings()]


def note(tx: Connection, ids: Sequence[str], now: datetime, outcome: str, detail: str) -> None:
    """What became of the bar of some letters: CHANGED, or LOST."""
    outbox.note_attempt(tx, ids, now, outcome, detail)


def _kept(tries: int, until: datetime) -> str:
    return orjson.dumps([tries, moments.text(until)]).decode()
