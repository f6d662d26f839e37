"""The end of what kdsync's own writes can explain: a look at all that can have changed meets them, or nothing will."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from kdsync.clock import Clock
from kdsync.store import origins
from kdsync.store.database import Database


@contextmanager
def whole_look(db: Database, form: str, clock: Clock, covered: Collection[str] | None = None) -> Iterator[None]:
    """Around a look at all documents of a form or, once it is over, those `covered` by id; one that fails says nothing.

    A document that we submitted and somebody withdrew before anybody looked shows nothing of us; who submits it next
    is somebody else. One that kdsync made and audited is never among the open ones: its look is yet to come.
    """
    with db.read() as tx:
        done = origins.settled(tx, form, clock.now())
    yield
    over = [ident for ident, doc_id in done.items() if covered is None or not doc_id or doc_id in covered]
    if over:
        with db.write() as tx:
            origins.pass_over(tx, over)
