"""What DingTalk may have shown, which counts against its limits: what it took, and what got no answer.

A message that is sent once more on the same day is the same one to DingTalk, so what is `sending` counts for nothing
but itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BindParameter, Connection, bindparam, func, literal_column, select, union

from kdsync.store import moments
from kdsync.store.outbox import LEASED, WORK
from kdsync.store.schema import attempts, outbox

UNKNOWN = attempts.c.outcome == literal_column("'unknown_outcome'")  # in words: SQLite has an index of just these

# Statements are made once: they are asked before each call, and making them takes longer than asking.
_SINCE: BindParameter[str] = bindparam("since")
_OTHERS = outbox.c.id.not_in(bindparam("sending", expanding=True))
_ACCEPTED = (outbox.c.accepted_at >= _SINCE, outbox.c.channel == WORK, _OTHERS)
_SENT = select(attempts.c.outbox_id).where(UNKNOWN, attempts.c.at >= _SINCE)
_LEASED = select(outbox.c.id).where(outbox.c.state == LEASED)
_NOT_ACCEPTED = func.coalesce(outbox.c.accepted_at, "") < _SINCE
_UNHEARD = (outbox.c.id.in_(union(_SENT, _LEASED)), _NOT_ACCEPTED, outbox.c.channel == WORK, _OTHERS)
"""Not accepted since then, but sent without an answer, or under way from somewhere else."""
_MINE = outbox.c.target.in_(bindparam("targets", expanding=True))
_COUNTS = select(outbox.c.target, func.count()).where(_MINE, *_ACCEPTED).group_by(outbox.c.target)
_PEOPLE = select(outbox.c.target).where(*_UNHEARD)
_REACHED = [select(func.count()).select_from(outbox).where(*which) for which in (_ACCEPTED, _UNHEARD)]


def shown_counts(tx: Connection, targets: Sequence[str], since: datetime, sending: Sequence[str]) -> Counter[str]:
    """How many other messages of the app each of some people may have been shown since then."""
    asked = {"since": moments.text(since), "sending": sending}
    counts: Counter[str] = Counter()
    for target, count in tx.execute(_COUNTS, {**asked, "targets": targets}):
        counts[target] = count
    unheard = tx.execute(_PEOPLE, asked).scalars()
    counts.update(target for target in unheard if target in targets)  # so few that SQL need not look for targets
    return counts


def reached(tx: Connection, since: datetime, sending: Sequence[str]) -> int:
    """How many people the app may have reached since then with other messages."""
    asked = {"since": moments.text(since), "sending": sending}
    return sum(tx.execute(query, asked).scalar_one() for query in _REACHED)
