"""How a process ends: before or after any commit, before or after any call. Nothing but the store outlives it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from kdsync.store.database import Database
from tests.new_store import migrated

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


def empty_store(name: str = "kdsync") -> Database:
    """A store of today's shape with nothing in it.

    The file and the engine are the same each time: statements would otherwise be compiled for every example anew.
    """
    db = _database(name)
    db.__dict__.pop("write", None)
    db.close()
    path = Path(db.path)
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    path.write_bytes(migrated().read_bytes())
    return db


@cache
def another(path: str) -> Database:
    """The same store, opened by another process."""
    return Database(f"sqlite:///{path}")


@cache
def _database(name: str) -> Database:
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, folder)
    return Database(f"sqlite:///{folder}/{name}.db")
