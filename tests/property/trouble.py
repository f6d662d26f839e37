"""How a process ends: before or after any commit, before or after any call. Nothing but the store outlives it."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from kdsync.store.database import Database

MEMORY = Path("/dev/shm")  # noqa: S108  # stores of a test need no disk


class Crash(BaseException):
    """The process is gone."""


class Fate:
    """Counts the points at which the process may end, and ends it at the one that was drawn."""

    def __init__(self) -> None:
        self._left = 0
        self.on_commit: Callable[[], None] = lambda: None

    def draw(self, points: int | None) -> None:
        """The process ends at that point from now on; None: it does not."""
        self._left = points or 0

    def point(self) -> None:
        """Raises Crash if this is the point."""
        self._left -= 1
        if self._left == 0:
            raise Crash

    def watch(self, db: Database) -> None:
        """Make points of what is about to be committed, and of what has just been."""
        real = db.write

        @contextmanager
        def write() -> Iterator[Any]:
            with real() as tx:
                yield tx
                self.point()
            self.on_commit()
            self.point()

        db.write = write  # type: ignore[method-assign]


def folder() -> Path:
    """A folder with an empty store of today's shape in it."""
    made = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    (made / "kdsync.db").write_bytes(_empty())
    return made


@cache
def _empty() -> bytes:
    made = Path(tempfile.mkdtemp())
    db = Database(f"sqlite:///{made}/kdsync.db")
    db.migrate()
    db.close()
    with sqlite3.connect(made / "kdsync.db") as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.close()
    found = (made / "kdsync.db").read_bytes()
    shutil.rmtree(made)
    return found
