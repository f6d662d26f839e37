"""Moments of the store, moved with the clock they were written by: what waits keeps waiting for as long as it had to.

A moment that ends up too early only means that something is tried again at once, which is harmless; one that ends up
too late would mean silence. So where it cannot be told by which clock a moment was written, it is moved back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, Text, bindparam, select, true, update

from kdsync.store import moments
from kdsync.store.inbox import ASKED
from kdsync.store.inbox import WAITING as SAID
from kdsync.store.intake import TAKEN
from kdsync.store.ledger import ACCEPTED, SIGN
from kdsync.store.notifications import GATHERED, HELD, MATCHED
from kdsync.store.outbox import LEASED, WAITING
from kdsync.store.schema import attempts, codes, facts, inbox, logins, notifications, outbox, people
from kdsync.store.shown import UNKNOWN
from kdsync.store.stays import UNREAD, UNSEEN

DAY = timedelta(days=1)  # what is older is of no consequence: limits, refused logins and looked up people
UNSENT = outbox.c.state.in_((WAITING, LEASED))
UNTOLD = notifications.c.state.in_((GATHERED, MATCHED, HELD))
UNANSWERED = inbox.c.state.in_((SAID, TAKEN))
WAITS: Sequence[tuple[Table, Column[Any], Sequence[Column[str | None]], ColumnElement[bool]]] = (
    (outbox, outbox.c.id, (outbox.c.next_attempt_at, outbox.c.lease_until, outbox.c.created_at), UNSENT),
    (notifications, notifications.c.id, (notifications.c.next_attempt_at, notifications.c.created_at), UNTOLD),
    (codes, codes.c.userid, (codes.c.locked_until,), true()),
    (inbox, inbox.c.id, (inbox.c.finished_at,), inbox.c.state == ASKED),
    (inbox, inbox.c.id, (inbox.c.next_attempt_at, inbox.c.received_at), UNANSWERED),
)
"""Rows that wait for a moment, or are given up by their age."""
_LATEST = bindparam("latest", type_=Text)
_AHEAD = UNTOLD & (notifications.c.next_attempt_at > _LATEST) & (notifications.c.created_at > _LATEST)
_FIRST_AHEAD = select(notifications.c.id).where(_AHEAD).limit(1)
HISTORY: Sequence[tuple[Table, Column[Any], Sequence[Column[str | None]], ColumnElement[bool]]] = (
    (outbox, outbox.c.id, (outbox.c.accepted_at,), true()),
    (attempts, attempts.c.id, (attempts.c.at,), UNKNOWN),
    (logins, logins.c.id, (logins.c.at,), true()),
    (people, people.c.key, (people.c.refreshed_at,), true()),
)
"""Rows that are asked how long ago they were."""
FACTS = ("hold:", ACCEPTED, SIGN)
"""Facts whose value begins with a moment that matters."""
FROM = (UNSEEN, UNREAD)
"""Facts that tell from when on events are looked at: those keep their moments, so it is never moved forward."""
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


def shift(tx: Connection, by: timedelta, *, was: datetime, began: datetime) -> int:
    """Move moments because the clock was set from `was` by `by`; returns how many.

    The clock ran undisturbed since `began` (by itself): where it is set back, older moments may be right.
    """
    back = by < timedelta()
    waits_from = moments.text(min(began, was + by)) if back else ""
    history_from = moments.text(min(was - DAY, was + by))
    count = sum(_table(tx, table, by, waits_from) for table in WAITS)
    count += sum(_table(tx, table, by, history_from) for table in HISTORY)
    return count + _facts(tx, by)


def is_ahead(tx: Connection, latest: datetime) -> bool:
    """Whether something was noticed after `latest`, which lies ahead: a thread had read the clock before it was set."""
    return tx.execute(_FIRST_AHEAD, {"latest": moments.text(latest)}).first() is not None


def recall(tx: Connection, now: datetime, latest: datetime) -> int:
    """Make that due."""
    moment = moments.text(now)
    due = update(notifications).where(_AHEAD).values(created_at=moment, next_attempt_at=moment)
    return tx.execute(due, {"latest": moments.text(latest)}).rowcount


def set_untried(tx: Connection, urgency: int, after: datetime, at: datetime) -> None:
    """Letters never tried that wait until `after` or longer wait until `at` instead."""
    mine = (outbox.c.state == WAITING) & (outbox.c.attempts == 0) & (outbox.c.urgency == urgency)
    later = outbox.c.next_attempt_at > moments.text(after)
    tx.execute(update(outbox).where(mine, later).values(next_attempt_at=moments.text(at)))


def _table(
    tx: Connection,
    columns_of: tuple[Table, Column[Any], Sequence[Column[str | None]], ColumnElement[bool]],
    by: timedelta,
    since: str,
) -> int:
    table, key, columns, which = columns_of
    count = 0
    for column in columns:
        rows = tx.execute(select(key, column).where(which, column >= since)).all()
        moved = [{"row": ident, "to": moments.text(moments.parse(str(moment)) + by)} for ident, moment in rows]
        if moved:
            tx.execute(update(table).where(key == bindparam("row")).values({column: bindparam("to")}), moved)
        count += len(moved)
    return count


def _facts(tx: Connection, by: timedelta) -> int:
    rows = tx.execute(select(facts.c.key, facts.c.value)).all()
    moved = []
    for key, value in rows:
        moment = MOMENT.match(str(value))
        if moment and str(key).startswith((*FACTS, *FROM) if by < timedelta() else FACTS):
            later = moments.text(moments.parse(moment[0]) + by)
            moved.append({"row": key, "to": later + str(value)[moment.end() :]})
    if moved:
        tx.execute(update(facts).where(facts.c.key == bindparam("row")).values(value=bindparam("to")), moved)
    return len(moved)
