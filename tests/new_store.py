"""A new store for each test: the migrations run once, and what they made is copied, which takes a tenth of the time.

Its statements are compiled once for all stores of a process, as for the one store of a daemon.
"""

from __future__ import annotations

import atexit
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from unittest.mock import patch

from sqlalchemy import Engine
from sqlalchemy.util import LRUCache

from kdsync.store import database
from kdsync.store.database import Database

MIGRATE = Database.migrate
ENGINE = database._engine
STATEMENTS = 5_000  # more than there are, so that none is forgotten


@cache
def migrated() -> Path:
    """The file of a store that has its tables, made by the migrations, and nothing in them."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)
    made = Database(f"sqlite:///{folder}/kdsync.db")
    MIGRATE(made)
    made.close()
    return folder / "kdsync.db"


@cache
def _first() -> Engine:
    """The engine whose dialect, and statements compiled for it, all others share."""
    engine = ENGINE("sqlite://")
    engine._compiled_cache = LRUCache(STATEMENTS)
    engine.connect().close()  # which is when a dialect gets to know its database
    engine.dispose()
    return engine


@contextmanager
def copied() -> Iterator[None]:
    """Within, `migrate` copies where there is nothing yet; a store that is there is migrated as ever."""

    def migrate(self: Database) -> None:
        path = Path(self.path)
        if path.parent.is_dir() and not any(path.parent.glob(f"{path.name}*")):
            shutil.copyfile(migrated(), path)
        MIGRATE(self)

    def engine(url: str) -> Engine:
        made = ENGINE(url)
        made.dialect, made._compiled_cache = _first().dialect, _first()._compiled_cache
        return made

    with patch.object(Database, "migrate", migrate), patch.object(database, "_engine", engine):
        yield
