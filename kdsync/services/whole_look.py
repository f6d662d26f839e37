"""The end of what kdsync's own writes can explain: a look at all that can have changed meets them, or nothing will."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kdsync.clock import Clock
from kdsync.store import origins
from kdsync.store.database import Database


@contextmanager
def whole_look(db: Database, form: str, clock: Clock) -> Iterator[None]:
    """Around a look at all open documents, or all there are, of a form; one that fails says nothing.

    A document that we submitted and somebody withdrew before anybody looked shows nothing of us; who submits it next
    is somebody else.
    """
    with db.read() as tx:
        done = origins.settled(tx, form, clock.now())
    yield
    if done:
        with db.write() as tx:
            origins.pass_over(tx, done)
