"""Which rows of the outbox go out next: the most urgent first, and what one recipient gets about one document in order.

Written for SQLite, index by index: a hundred thousand rows may wait after a weekend, and each call asks anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, func, select, text, update

from kdsync.errors import FailureKind
from kdsync.store import moments
from kdsync.store.outbox import CARD, LEASED, STARTED, WAITING, WORK, Letter, note_attempt, opened
from kdsync.store.schema import outbox
from kdsync.store.sealing import Seal

_DUE = """
SELECT id FROM outbox INDEXED BY {index}
WHERE state IN ('waiting', 'leased')
  AND CASE state WHEN 'waiting' THEN next_attempt_at ELSE lease_until END <= :now
  AND channel NOT IN (SELECT value FROM json_each(:held))
  AND {which}
  AND NOT CASE channel WHEN 'card' THEN EXISTS (
    SELECT 1 FROM outbox AS reader JOIN outbox AS earlier
      ON earlier.thread = reader.thread AND earlier.target = reader.target AND earlier.channel = 'card'
    WHERE reader.notification_id = outbox.notification_id AND reader.content_id = outbox.content_id
      AND reader.channel = 'card' AND reader.state IN ('waiting', 'leased')
      AND earlier.state IN ('waiting', 'leased') AND earlier.urgency <= reader.urgency
      AND (earlier.created_at, earlier.id) < (reader.created_at, reader.id))
  ELSE EXISTS (
    SELECT 1 FROM outbox AS earlier
    WHERE earlier.thread = outbox.thread AND earlier.target = outbox.target AND earlier.channel = outbox.channel
      AND earlier.state IN ('waiting', 'leased') AND earlier.urgency <= outbox.urgency
      AND (earlier.created_at, earlier.id) < (outbox.created_at, outbox.id)) END
ORDER BY {order} LIMIT :most"""
_ORDER = "urgency, created_at, id"
_FIRST = text(_DUE.format(index="ix_outbox_unsent", which="1", order=_ORDER))
_LEAST_TRIED = text(_DUE.format(index="ix_outbox_unsent", which="channel = :channel", order=f"attempts, {_ORDER}"))
_SAME = "notification_id = :notification AND content_id = :content AND channel = :channel AND alone = 0"
_TOGETHER = text(_DUE.format(index="ix_outbox_notification_id", which=_SAME, order=_ORDER))


def claim(
    tx: Connection,
    seal: Seal,
    *,
    now: datetime,
    lease_until: datetime,
    held: Sequence[str],
    most: int,
    trying: Sequence[str] = (),
) -> list[Letter]:
    """Lease the rows that one call can carry, the most urgent content first; [] if nothing is due.

    A lease that ran out is due again: the daemon died, and what became of the call is unknown. `held` are channels to
    which nothing may be sent now. On the channels in `trying` it is not known whether anything gets through: one row
    goes by itself, the least tried first, so that none that can never be sent stands in the way of the others. Only the
    rows of a card stay together, and wait together where one of its readers is to be told something else before: a
    card is made once, and whoever comes later would not be shown it.
    """
    due = {"now": moments.text(now), "held": orjson.dumps(held).decode()}
    found = _letters(tx, seal, _FIRST, most=1, **due)
    if found and found[0].channel in trying and found[0].channel != CARD:
        found = _letters(tx, seal, _LEAST_TRIED, most=1, channel=found[0].channel, **due)
    elif found and found[0].channel in (WORK, CARD) and not found[0].alone:
        first = found[0]
        same = {"notification": first.notification_id, "content": first.content_id, "channel": first.channel}
        found = _letters(tx, seal, _TOGETHER, most=most, **same, **due)
    _lease(tx, found, now, lease_until)
    return found


def next_due(tx: Connection, held: Sequence[str], now: datetime) -> str | None:
    """When the next row that is not due yet will be; one that waits for another comes after that."""
    free = outbox.c.channel.not_in(held)
    later = (outbox.c.state == WAITING, outbox.c.next_attempt_at > moments.text(now), free)
    waiting = select(outbox.c.next_attempt_at).where(*later).order_by(outbox.c.next_attempt_at).limit(1)
    leased = select(func.min(outbox.c.lease_until)).where(outbox.c.state == LEASED, free)
    found = [moment for moment in (tx.execute(waiting).scalar(), tx.execute(leased).scalar()) if moment]
    return min(found, default=None)


def _letters(tx: Connection, seal: Seal, query: Any, **params: str | int) -> list[Letter]:
    ids = tx.execute(query, params).scalars().all()
    rows = {row["id"]: row for row in tx.execute(select(outbox).where(outbox.c.id.in_(ids))).mappings()} if ids else {}
    return [opened(rows[ident], seal) for ident in ids]


def _lease(tx: Connection, letters: Sequence[Letter], now: datetime, until: datetime) -> None:
    ids = [letter.id for letter in letters]
    unheard = [letter.id for letter in letters if letter.state == LEASED]
    note_attempt(tx, unheard, now, FailureKind.UNKNOWN_OUTCOME, "kdsync stopped before an answer came")
    if ids:
        leased = update(outbox).where(outbox.c.id.in_(ids))
        tx.execute(leased.values(state=LEASED, lease_until=moments.text(until), attempts=outbox.c.attempts + 1))
        note_attempt(tx, ids, now, STARTED, "")
