"""A new store for each test: the migrations run once, and what they made is copied, which takes a tenth of the time."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from unittest.mock import patch

from kdsync.store.database import Database

BY_MIGRATIONS = Database._upgrade


@cache
def migrated() -> Path:
    """The file of a store that has its tables, made by the migrations, and nothing in them."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)
    database = Database(f"sqlite:///{folder}/kdsync.db")
    with patch.object(Database, "_upgrade", BY_MIGRATIONS):
        database.migrate()
    database.close()
    return folder / "kdsync.db"


@contextmanager
def copied() -> Iterator[None]:
    """Within, `migrate` copies where there is no table yet; a store that has some is migrated as ever."""

    def upgrade(self: Database) -> None:
        if self._revision():
            BY_MIGRATIONS(self)
            return
        with self.read() as connection, closing(sqlite3.connect(migrated())) as made:
            new = connection.connection.driver_connection
            assert isinstance(new, sqlite3.Connection)
            new.rollback()  # of what was read
            made.backup(new)

    with patch.object(Database, "_upgrade", upgrade):
        yield
