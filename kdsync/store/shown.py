"""What DingTalk may have shown, which counts against its limits: what it took, and what got no answer.

A message that is sent once more on the same day is the same one to DingTalk, so what is `sending` counts for nothing
but itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, literal_column, select, union

from kdsync.store import moments
from kdsync.store.outbox import LEASED, WORK
from kdsync.store.schema import attempts, outbox

UNKNOWN = attempts.c.outcome == literal_column("'unknown_outcome'")  # in words: SQLite has an index of just these


def shown_counts(tx: Connection, targets: Sequence[str], since: datetime, sending: Sequence[str]) -> Counter[str]:
    """How many other messages of the app each of some people may have been shown since then."""
    accepted = select(outbox.c.target, func.count()).where(outbox.c.target.in_(targets), *_accepted(since, sending))
    counts: Counter[str] = Counter()
    for target, count in tx.execute(accepted.group_by(outbox.c.target)):
        counts[target] = count
    unheard = tx.execute(select(outbox.c.target).where(*_unheard(since, sending))).scalars()
    counts.update(target for target in unheard if target in targets)  # so few that SQL need not look for targets
    return counts


def reached(tx: Connection, since: datetime, sending: Sequence[str]) -> int:
    """How many people the app may have reached since then with other messages."""
    found = [_accepted(since, sending), _unheard(since, sending)]
    return sum(tx.execute(select(func.count()).select_from(outbox).where(*which)).scalar_one() for which in found)


def _accepted(since: datetime, sending: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    return outbox.c.accepted_at >= moments.text(since), outbox.c.channel == WORK, outbox.c.id.not_in(sending)


def _unheard(since: datetime, sending: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    """Not accepted since then, but sent without an answer, or under way from somewhere else."""
    at = moments.text(since)
    unknown = select(attempts.c.outbox_id).where(UNKNOWN, attempts.c.at >= at)
    leased = select(outbox.c.id).where(outbox.c.state == LEASED)
    not_accepted = func.coalesce(outbox.c.accepted_at, "") < at
    return outbox.c.id.in_(union(unknown, leased)), not_accepted, outbox.c.channel == WORK, outbox.c.id.not_in(sending)
