"""Notifications whose look is not over, and those that were not told one by one: summed up in a storm, or held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, Select, bindparam, func, select, update

from kdsync.delivery.storm import Gathered
from kdsync.model import Priority
from kdsync.store import moments
from kdsync.store.notifications import DROPPED, GATHERED, HELD, MATCHED, STORM
from kdsync.store.prefixes import begins_with
from kdsync.store.schema import notifications

_WAITS = "SELECT 1 FROM notifications WHERE state = ? AND form = ? LIMIT 1"
_IN_ORDER = (notifications.c.created_at, notifications.c.number, notifications.c.id)


@dataclass(frozen=True, slots=True)
class Member:
    """One notification that was not told by itself. `to` as the rule says it, with the document's value if any."""

    id: str
    form: str
    number: str
    rule: str
    kind: str
    event_id: str
    state: str
    to: tuple[str, ...]
    created_at: str
    reason: str
    strange: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A storm: how many notifications it sums up, and how many of them nobody asked to be sent after all."""

    id: str
    form: str
    rule: str
    created_at: str
    messages: int
    unsent: int


def gathered(tx: Connection, form: str) -> list[Gathered]:
    """What looks at a form gathered and nobody decided on yet, in order of time."""
    columns = ("id", "rule", "doc_id", "number", "priority", "recipients", "strange", "reason")
    query = select(*(notifications.c[key] for key in columns)).where(*_waiting(form))
    rows = tx.execute(query.order_by(*_IN_ORDER))
    return [
        Gathered(ident, rule, doc_id, number, Priority(priority), _wanted(recipients), strange or "", reason)
        for ident, rule, doc_id, number, priority, recipients, strange, reason in rows
    ]


def forms_with_gathered(tx: Connection) -> list[str]:
    """The forms of which something waits to be decided on."""
    query = select(notifications.c.form).distinct().where(notifications.c.state == GATHERED)
    return list(tx.execute(query.order_by(notifications.c.form)).scalars())


def is_clear(tx: Connection, form: str) -> bool:
    """Whether nothing of a form waits to be decided on."""
    return tx.exec_driver_sql(_WAITS, (GATHERED, form)).first() is None


def decide(tx: Connection, ids: Iterable[str], state: str, *, storm: str | None = None, reason: str = "") -> None:
    """Note what becomes of gathered notifications."""
    mine = (notifications.c.id == bindparam("ident")) & (notifications.c.state == GATHERED)
    values: dict[str, Any] = {"state": state, "storm": storm}
    if reason:
        values["reason"] = reason
    rows = [{"ident": ident} for ident in ids]
    if rows:
        tx.execute(update(notifications).where(mine).values(**values), rows)


def find(tx: Connection, prefix: str, limit: int = 2) -> list[Summary]:
    """The storms whose id begins so."""
    mine = _is_storm(begins_with(notifications.c.storm, prefix))
    return list(_summaries(tx, select(notifications).where(mine).limit(limit)))


def summaries(tx: Connection, since: datetime | None = None, limit: int = 100) -> list[Summary]:
    """The storms since then, newest first."""
    recent = notifications.c.created_at >= (moments.text(since) if since else "")
    all_of_them = _is_storm(notifications.c.storm.is_not(None))
    newest = (
        select(notifications).where(all_of_them, recent).order_by(notifications.c.created_at.desc(), notifications.c.id)
    )
    return list(_summaries(tx, newest.limit(limit)))


def members(tx: Connection, storm: str) -> Iterator[Member]:
    """What a storm sums up, in order of time."""
    return _members(tx, notifications.c.storm == storm)


def held(tx: Connection, form: str) -> Iterator[Member]:
    """What is kept back of a form, in order of time."""
    return _members(tx, _held_of(form))


def held_counts(tx: Connection) -> dict[str, int]:
    """How many notifications of each form are kept back."""
    query = select(notifications.c.form, func.count()).where(notifications.c.state == HELD)
    return {str(form): int(count) for form, count in tx.execute(query.group_by(notifications.c.form))}


def release_storm(tx: Connection, storm: str, now: datetime) -> int:
    """Let the members of a storm be told one by one after all; returns how many."""
    mine = (notifications.c.storm == storm) & (notifications.c.state == STORM)
    return _release(tx, mine, now)


def release_held(tx: Connection, form: str, now: datetime) -> int:
    """Let what is kept back of a form be told after all; returns how many."""
    return _release(tx, _held_of(form), now, reason="")


def drop_held(tx: Connection, form: str, reason: str) -> int:
    """Give up what is kept back of a form; returns how many."""
    return tx.execute(update(notifications).where(_held_of(form)).values(state=DROPPED, reason=reason)).rowcount


def _release(tx: Connection, which: Any, now: datetime, **values: Any) -> int:
    again = update(notifications).where(which).values(state=MATCHED, next_attempt_at=moments.text(now), **values)
    return tx.execute(again).rowcount


def _waiting(form: str) -> tuple[Any, Any]:
    return notifications.c.state == GATHERED, notifications.c.form == form


def _held_of(form: str) -> Any:
    return (notifications.c.state == HELD) & (func.lower(notifications.c.form) == form.lower())


def _is_storm(which: Any) -> Any:
    return notifications.c.id.in_(select(notifications.c.storm).where(which).distinct())


def _summaries(tx: Connection, query: Select[Any]) -> Iterator[Summary]:
    for row in tx.execute(query).mappings().all():
        counts = select(notifications.c.state, func.count()).where(notifications.c.storm == row["id"])
        states = {str(state): int(count) for state, count in tx.execute(counts.group_by(notifications.c.state))}
        yield Summary(
            row["id"], row["form"], row["rule"], row["created_at"], sum(states.values()), states.get(STORM, 0)
        )


def _members(tx: Connection, which: Any) -> Iterator[Member]:
    columns = ("id", "form", "number", "rule", "kind", "event_id", "state", "created_at", "reason", "strange")
    chosen = select(notifications.c.recipients, *(notifications.c[key] for key in columns)).where(which)
    for row in tx.execute(chosen.order_by(*_IN_ORDER)).mappings():
        yield _member(row, columns)


def _member(row: RowMapping, columns: Iterable[str]) -> Member:
    to = tuple(f"{recipient} ({value})" if value else recipient for recipient, value, _ in _wanted(row["recipients"]))
    return Member(to=to, **{key: row[key] or "" for key in columns})


def _wanted(recipients: str) -> tuple[tuple[str, str, str], ...]:
    """Nobody where the row is damaged: that is told of it when its people are looked for."""
    try:
        found = tuple((str(one), str(value), str(lookup)) for one, value, lookup in orjson.loads(recipients))
    except (ValueError, TypeError):
        return ()
    return found
