"""What is still to be sent: waiting, leased for a call (see `claims`), accepted or dead. Rows are never deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, insert, literal_column, select, text, tuple_, update
from sqlalchemy.dialects.sqlite import insert as upsert

from kdsync.errors import FailureKind, StoreError
from kdsync.store import moments
from kdsync.store.prefixes import begins_with
from kdsync.store.schema import attempts, notifications, outbox
from kdsync.store.sealing import Seal

WAITING, LEASED, ACCEPTED, DEAD, DROPPED = "waiting", "leased", "accepted", "dead", "dropped"
WORK, CARD, GROUP = "work", "card", "group"  # a group's channel is `group:NAME`: each robot is held back by itself
STARTED, POSTPONED = "started", "postponed"
ASKED_FOR = "an operator asked for it"
_UNCONFIRMED = text("""
SELECT DISTINCT outbox.target
FROM outbox INDEXED BY ix_outbox_accepted_at LEFT JOIN people ON people.key = :prefix || outbox.target
WHERE outbox.accepted_at >= :sent AND outbox.channel IN ('work', 'card') AND outbox.state = 'accepted'
  AND (people.key IS NULL OR (
    (people.userid IS NULL OR people.refreshed_at < :fresh) AND outbox.accepted_at >= people.refreshed_at))
LIMIT :most""")  # left to itself, SQLite reads all that was ever accepted


@dataclass(frozen=True, slots=True)
class Letter:
    """One row: one message for one recipient. `content` is what DingTalk gets, byte by byte.

    `damaged` says why the stored content cannot be read; it is empty then. What one recipient gets on one channel with
    the same `thread` goes out in order; None has no order.
    """

    id: str
    notification_id: str
    channel: str
    target: str
    content: bytes
    content_id: str
    urgency: int
    created_at: datetime
    state: str = WAITING
    attempts: int = 0
    alone: bool = False
    reason: str = ""
    task_id: str = ""
    next_attempt_at: datetime | None = None  # None: at once
    accepted_at: str = ""
    damaged: str = ""
    thread: str | None = None


def add(tx: Connection, seal: Seal, letters: Sequence[Letter]) -> None:
    """Insert rows; a recipient who has one for the same notification gets no second."""
    rows = [
        {
            **{key: getattr(item, key) for key in _PLAIN},
            "content": seal.close_bytes(item.content),
            "created_at": moments.text(item.created_at),
            "next_attempt_at": moments.text(item.next_attempt_at or item.created_at),
            "alone": int(item.alone),
        }
        for item in letters
    ]
    if rows:
        tx.execute(upsert(outbox).on_conflict_do_nothing(), rows)


def accept(tx: Connection, ids: Sequence[str], now: datetime, task_id: str) -> None:
    """DingTalk took the message."""
    values: dict[str, Any] = {"state": ACCEPTED, "accepted_at": moments.text(now), "task_id": task_id, "reason": ""}
    tx.execute(update(outbox).where(outbox.c.id.in_(ids)).values(lease_until=None, **values))
    note_attempt(tx, ids, now, "accepted", task_id)


def again(
    tx: Connection, ids: Sequence[str], *, now: datetime, at: datetime, outcome: str, reason: str, alone: bool = False
) -> None:
    """Try once more at `at`."""
    _wait(tx, ids, at, reason, **({"alone": 1} if alone else {}))
    note_attempt(tx, ids, now, outcome, reason)


def put_off(tx: Connection, ids: Sequence[str], *, now: datetime, until: datetime, reason: str) -> None:
    """Not sent now: what has to wait was not tried."""
    _wait(tx, ids, until, reason, attempts=outbox.c.attempts - 1)
    note_attempt(tx, ids, now, POSTPONED, reason)


def as_text(tx: Connection, ids: Sequence[str], now: datetime, outcome: str, reason: str) -> None:
    """These do not go out as a card, but as the text that they hold."""
    _wait(tx, ids, now, reason, channel=WORK, attempts=0)
    note_attempt(tx, ids, now, outcome, reason)


def _wait(tx: Connection, ids: Sequence[str], until: datetime, reason: str, **more: Any) -> None:
    values = {"state": WAITING, "next_attempt_at": moments.text(until), "reason": reason, "lease_until": None, **more}
    tx.execute(update(outbox).where(outbox.c.id.in_(ids)).values(**values))


def bury(tx: Connection, ids: Sequence[str], now: datetime, outcome: str, reason: str) -> None:
    """Give up: the rows stay, dead."""
    tx.execute(update(outbox).where(outbox.c.id.in_(ids)).values(state=DEAD, reason=reason, lease_until=None))
    note_attempt(tx, ids, now, outcome, reason)


def revive(tx: Connection, ids: Sequence[str], now: datetime) -> int:
    """Put dead or waiting rows to be sent at once; returns how many."""
    return _revive(tx, outbox.c.id.in_(ids), now)


def revive_dead(tx: Connection, now: datetime) -> tuple[int, list[str]]:
    """Put all dead rows to be sent at once; returns how many, and their channels.

    They are not named one by one: after a long outage there are more than SQLite takes variables.
    """
    dead = outbox.c.state == DEAD
    channels = tx.execute(select(outbox.c.channel).where(dead).distinct()).scalars().all()
    return _revive(tx, dead, now), list(channels)


def _revive(tx: Connection, these: ColumnElement[bool], now: datetime) -> int:
    """Those of one card go together: it is made once."""
    cards = select(outbox.c.notification_id, outbox.c.content_id).where(these, outbox.c.channel == CARD)
    same = (outbox.c.channel == CARD) & tuple_(outbox.c.notification_id, outbox.c.content_id).in_(cards)
    mine = (these | same) & outbox.c.state.in_((DEAD, WAITING))
    values: dict[str, Any] = {"state": WAITING, "next_attempt_at": moments.text(now), "reason": ASKED_FOR}
    return tx.execute(update(outbox).where(mine).values(attempts=0, **values)).rowcount


def drop(tx: Connection, ids: Sequence[str], now: datetime, reason: str) -> int:
    """Give up rows on an operator's word; returns how many."""
    mine = outbox.c.id.in_(ids) & outbox.c.state.in_((DEAD, WAITING))
    dropped = tx.execute(select(outbox.c.id).where(mine)).scalars().all()
    tx.execute(update(outbox).where(outbox.c.id.in_(dropped)).values(state=DROPPED, reason=reason))
    note_attempt(tx, dropped, now, DROPPED, reason)
    return len(dropped)


def listing(
    tx: Connection, seal: Seal, *, states: Sequence[str] = (), prefix: str = "", limit: int = 100
) -> list[tuple[Letter, str, str]]:
    """Rows with their rule and bill number, newest first; `prefix` of the id narrows it to some."""
    query = select(outbox, notifications.c.rule, notifications.c.number).join_from(
        outbox, notifications, outbox.c.notification_id == notifications.c.id
    )
    if states:
        query = query.where(outbox.c.state.in_(states))
    if prefix:
        query = query.where(begins_with(outbox.c.id, prefix))
    found = tx.execute(query.order_by(outbox.c.created_at.desc(), outbox.c.id).limit(limit)).mappings()
    return [(opened(row, seal), row["rule"], row["number"]) for row in found]


def of_notification(tx: Connection, seal: Seal, ident: str) -> list[Letter]:
    """The rows of one notification."""
    query = select(outbox).where(outbox.c.notification_id == ident).order_by(outbox.c.id)
    return [opened(row, seal) for row in tx.execute(query).mappings()]


def attempts_of(tx: Connection, ident: str) -> list[tuple[str, str, str]]:
    """(at, outcome, detail) of every try, oldest first."""
    query = select(attempts.c.at, attempts.c.outcome, attempts.c.detail).where(attempts.c.outbox_id == ident)
    return [(at, outcome, detail) for at, outcome, detail in tx.execute(query.order_by(attempts.c.id))]


def may_be_sent(tx: Connection, ident: str) -> bool:
    """Whether an earlier try of a row may have got through."""
    return any(outcome == FailureKind.UNKNOWN_OUTCOME for _at, outcome, _detail in attempts_of(tx, ident))


def others_got_through(tx: Connection, ident: str, channel: str) -> bool:
    """Whether something was accepted on a channel since a row first failed."""
    failed = attempts.c.outcome.not_in((STARTED, POSTPONED))
    first = select(func.min(attempts.c.at)).where(attempts.c.outbox_id == ident, failed).scalar_subquery()
    others = select(outbox.c.id).where(outbox.c.accepted_at > first, outbox.c.channel == channel).limit(1)
    return tx.execute(others).first() is not None


def accepted_for(tx: Connection, seal: Seal, target: str, since: datetime) -> list[Letter]:
    """What one person was sent since then."""
    mine = (outbox.c.target == target, outbox.c.accepted_at >= moments.text(since))
    query = select(outbox).where(*mine, outbox.c.state == ACCEPTED, outbox.c.channel.in_((WORK, CARD)))
    return [opened(row, seal) for row in tx.execute(query).mappings()]


def unconfirmed(tx: Connection, prefix: str, *, sent_since: datetime, fresh_since: datetime, limit: int) -> list[str]:
    """People who were sent something that nobody has confirmed: `people` holds, under prefix + userid, who was looked
    up and when, and no userid for one who was not there. Who is not there is unconfirmed again with each message."""
    since = {"fresh": moments.text(fresh_since), "sent": moments.text(sent_since)}
    return list(tx.execute(_UNCONFIRMED, {"prefix": prefix, "most": limit, **since}).scalars())


def counts(tx: Connection) -> dict[str, int]:
    """How many rows are in which state. Those that are accepted are the rest: to count them would read them all."""
    few = (outbox.c.state.in_((WAITING, LEASED, DEAD, DROPPED)),)
    query = select(outbox.c.state, func.count()).where(*few).group_by(outbox.c.state)
    found = {str(state): int(count) for state, count in tx.execute(query)}
    rows = tx.execute(select(func.max(literal_column("rowid"))).select_from(outbox)).scalar() or 0  # none is deleted
    accepted = rows - sum(found.values())
    return {**found, ACCEPTED: accepted} if accepted else found


def waiting(tx: Connection, channel: str) -> int:
    """How many rows of a channel are not sent."""
    unsent = (outbox.c.state.in_((WAITING, LEASED)), outbox.c.channel == channel)
    return int(tx.execute(select(func.count()).select_from(outbox).where(*unsent)).scalar_one())


def oldest_waiting(tx: Connection) -> str | None:
    """When the oldest unsent row was written."""
    return tx.execute(select(func.min(outbox.c.created_at)).where(outbox.c.state.in_((WAITING, LEASED)))).scalar()


def opened(row: RowMapping, seal: Seal) -> Letter:
    """A letter from its row. One that cannot be read is no reason to stop: it says so itself."""
    content, damaged = b"", ""
    try:
        content = seal.open_bytes(row["content"])
    except StoreError as error:
        damaged = str(error)
    return Letter(
        **{key: row[key] for key in _PLAIN},
        content=content,
        damaged=damaged,
        created_at=moments.parse(row["created_at"]),
        alone=bool(row["alone"]),
        task_id=row["task_id"] or "",
        next_attempt_at=moments.parse(row["next_attempt_at"]),
        accepted_at=row["accepted_at"] or "",
    )


_PLAIN = (
    "id",
    "notification_id",
    "channel",
    "target",
    "content_id",
    "urgency",
    "state",
    "attempts",
    "reason",
    "thread",
)


def note_attempt(tx: Connection, ids: Sequence[str], now: datetime, outcome: str, detail: str) -> None:
    """Keep what happened to some rows, for those who ask later."""
    at = moments.text(now)
    if ids:
        tx.execute(insert(attempts), [{"outbox_id": i, "at": at, "outcome": outcome, "detail": detail} for i in ids])
