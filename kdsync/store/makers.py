"""For whom kdsync made documents in Kingdee: there they are by kdsync's own user, whoever wanted them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select

from kdsync.store import moments
from kdsync.store.intake import APPROVAL
from kdsync.store.schema import inbox, writes
from kdsync.store.writes import NEVER, VERIFIED, Write

CREATED, PUSHED = "create", "pushed"
STEP = -1  # no step of an action


def note(tx: Connection, write: Write, form: str, made: Sequence[tuple[str, str]]) -> None:
    """What that write made: id and number of each document; "" for a form that only Kingdee's rule knows."""
    for doc_id, number in made:
        tx.execute(
            insert(writes).values(
                inbox_id=write.inbox_id,
                step=STEP,
                form=form,
                doc_id=doc_id,
                number=number,
                operation=PUSHED,
                target="",
                user=write.user,
                at=moments.text(write.at),
                outcome=VERIFIED,
                detail=f"of {write.form} {write.number}",
                met=NEVER,  # whoever is told of new documents is told of these
            )
        )


def of(tx: Connection, form: str, doc_id: str, number: str) -> frozenset[str]:
    """The userids of those who had it made: by an approval in DingTalk, or from another document."""
    same = (writes.c.number == number, writes.c.doc_id == doc_id, func.lower(writes.c.form).in_((form.lower(), "")))
    pushed = select(writes.c.user).where(*same, writes.c.operation.in_((CREATED, PUSHED)))
    mine = (inbox.c.number == number, inbox.c.doc_id == doc_id, func.lower(inbox.c.form) == form.lower())
    approved = select(inbox.c.sender).where(*mine, inbox.c.source == APPROVAL)
    return frozenset(tx.execute(pushed.union(approved)).scalars()) - {""}
