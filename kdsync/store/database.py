"""Opening the SQLite file: WAL, full sync, one writer at a time, migrated to today's tables."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from kdsync.errors import StoreError

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0003"  # the newest migration
BUSY_MS = 30_000


class Database:
    """An open store. `read` and `write` give a connection inside a transaction that ends with the block."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.path = make_url(url).database or ""
        self.writes = 0  # transactions since it was opened: as long as it stays the same, so does what was read

    def migrate(self) -> None:
        """Bring the tables to today's shape. Raises StoreError where the file cannot be used."""
        if self._revision() != HEAD:
            self._upgrade()

    def _revision(self) -> str:
        """The migration the tables are at; "" where there are none."""
        try:
            with self.read() as tx:
                if not inspect(tx).has_table("alembic_version"):
                    return ""
                return str(tx.execute(text("SELECT version_num FROM alembic_version")).scalar())
        except OperationalError as error:
            raise StoreError(f"cannot open the store {self.path}: {error.orig}") from error

    def _upgrade(self) -> None:
        from alembic import command  # it is large, and only needed once for each version
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        try:
            with self.engine.connect() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
        except OperationalError as error:
            raise StoreError(f"cannot open the store {self.path}: {error.orig}") from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view of the store."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its first moment, so that it cannot fail half-way."""
        with self.engine.connect().execution_options(write=True) as connection, connection.begin():
            yield connection
        self.writes += 1

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_MS / 1000}, hide_parameters=True)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy's own BEGIN below is the only one
    # Rows are a few hundred bytes, kept in order of key: larger pages are split less often (a new store only).
    for pragma in ("page_size=8192", "journal_mode=WAL", "synchronous=FULL", "temp_store=FILE", "cache_size=-8000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def hold_lock(path: str) -> IO[str]:
    """Make sure that one daemon works on this store; the lock lasts as long as the returned file is open."""
    file = Path(f"{path}.lock").open("w")  # noqa: SIM115  # it stays open as long as the daemon lives
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise StoreError(f"another kdsync is running on the store {path}: stop it first") from None
    return file
