"""What Kingdee's workflow waits for, as far as it was seen: so that each task is told once, and missed when it is over.

Rows are never deleted while kdsync looks at one account set: an item that comes back after it was gone is no new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from kdsync import exact
from kdsync.model import Task
from kdsync.store import ledger, moments
from kdsync.store.schema import tasks

WAITING, GONE = "waiting", "gone"
BASELINE = "tasks:"
"""Facts by form: the account set in which its tasks were looked at for the first time, in silence."""

_KNOWN = "SELECT item_id, state, receiver FROM tasks WHERE item_id IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One task as it was first seen. `form` is spelled as in the rules, `since` is local to the server.

    `seen_at` and `gone_at` are kdsync's own, ISO 8601; the latter is "" while it waits.
    """

    item_id: str
    task_id: str
    form: str
    number: str
    node: str
    receiver: str
    since: str
    seen_at: str
    gone_at: str


class Seen(NamedTuple):
    """How a task stood when it was last looked at."""

    state: str
    receiver: str


_PLAIN = ("item_id", "task_id", "form", "number", "node", "receiver", "since", "seen_at")
_tasks: Select[Any] = select(*(tasks.c[name] for name in _PLAIN), func.coalesce(tasks.c.gone_at, "")).order_by(
    tasks.c.since, tasks.c.item_id
)
_upper = func.upper(tasks.c.form)  # forms are the same in any case, as Kingdee takes them


def is_baselined(tx: Connection, account_set: str, form: str) -> bool:
    """Whether the tasks of a form were ever looked at in this account set."""
    return ledger.fact(tx, BASELINE + form.upper()) == account_set


def baseline(tx: Connection, account_set: str, form: str, items: Iterable[Task], now: datetime) -> None:
    """Keep what waits at the first look at a form; what is known of it from another account set is forgotten."""
    tx.execute(delete(tasks).where(_upper == form.upper()))
    put(tx, form, items, now)
    ledger.put_fact(tx, BASELINE + form.upper(), account_set, now)


def known(tx: Connection, ids: Sequence[str]) -> dict[str, Seen]:
    """What is known of those of the items that were seen before."""
    return {str(ident): Seen(*rest) for ident, *rest in tx.exec_driver_sql(_KNOWN, (exact.dumps(ids).decode(),))}


def put(tx: Connection, form: str, items: Iterable[Task], now: datetime) -> None:
    """Keep tasks that wait; those that were gone wait again, and those that were handed on wait for somebody else."""
    rows = [
        {name: getattr(item, name) for name in ("item_id", "task_id", "number", "node", "receiver", "since")}
        | {"form": form, "seen_at": moments.text(now), "state": WAITING}
        for item in items
    ]
    if rows:
        new = insert(tasks)
        again = {"form": form, "state": WAITING, "gone_at": None, "receiver": new.excluded.receiver}
        tx.execute(new.on_conflict_do_update(index_elements=["item_id"], set_=again), rows)


def mark_gone(tx: Connection, ids: Iterable[str], now: datetime) -> None:
    """These do not wait any more: somebody decided, or took the document back."""
    rows = [{"ident": ident} for ident in ids]
    if rows:
        mine = (tasks.c.item_id == bindparam("ident")) & (tasks.c.state == WAITING)
        tx.execute(update(tasks).where(mine).values(state=GONE, gone_at=moments.text(now)), rows)


def waiting(tx: Connection, forms: Sequence[str]) -> list[Waiting]:
    """What waits on documents of some forms, oldest first."""
    mine = (tasks.c.state == WAITING, _upper.in_([form.upper() for form in forms]))
    return [Waiting(*row) for row in tx.execute(_tasks.where(*mine))]


def waiting_of(tx: Connection, form: str, number: str) -> list[Waiting]:
    """What waits on one document, oldest first."""
    mine = (tasks.c.number == number, tasks.c.state == WAITING, _upper == form.upper())
    return [Waiting(*row) for row in tx.execute(_tasks.where(*mine))]


def of_number(tx: Connection, number: str) -> list[Waiting]:
    """Every task that was ever seen on the documents with one bill number, oldest first."""
    return [Waiting(*row) for row in tx.execute(_tasks.where(tasks.c.number == number))]


def counts(tx: Connection) -> dict[str, int]:
    """How many tasks wait, by form."""
    query = select(tasks.c.form, func.count()).where(tasks.c.state == WAITING).group_by(tasks.c.form)
    return {str(form): int(count) for form, count in tx.execute(query)}
