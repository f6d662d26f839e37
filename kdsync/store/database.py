"""Opening the SQLite file: WAL, full sync, one writer at a time, migrated to today's tables."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NoReturn

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url

from kdsync import logs
from kdsync.errors import StoreError, StoreUnusableError
from kdsync.store.trouble import ERRORS, refuse_remains, unusable

log = logs.get("store")
MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0009"  # the newest migration
BUSY_MS = 30_000
CALM = 60.0  # seconds without a failure until a store that came and went is said to be back


class Database:
    """An open store. `read` and `write` give a connection inside a transaction that ends with the block."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.path = make_url(url).database or ""
        self.trouble = ""  # why the store could not be used; "" where it can be
        self._lock = threading.Lock()  # of what is noted
        self._said: set[str] = set()  # what the log has of the trouble there is
        self._failed, self._back, self._patience = -CALM, -CALM, 0.0  # monotonic seconds
        self._inode = 0  # of the file that was opened; 0 before
        self.writes = 0  # transactions since it was opened: as long as it stays the same, so does what was read

    def migrate(self) -> None:
        """Bring the tables to today's shape. Raises StoreError where the file cannot be used."""
        refuse_remains(self.path)
        _close_to_others(self.path)
        if self._revision() != HEAD:
            self._upgrade()
        self._inode = self._file()

    def use(self) -> None:
        """Make sure that the tables are today's, and leave them to the daemon where they are not.

        Its tables must not change under a daemon that was not restarted yet. Raises StoreError as `migrate` does.
        """
        refuse_remains(self.path)
        if self._revision() != HEAD:
            told = "has no tables yet, or those of an older kdsync: restart the daemon, which brings them up to date"
            raise StoreError(f"the store {self.path} {told}")
        self._inode = self._file()

    def _revision(self) -> str:
        """The migration the tables are at; "" where there are none. Raises StoreError where it is none of ours."""
        with self.read() as tx:
            if not inspect(tx).has_table("alembic_version"):
                return ""
            found = str(tx.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")
        if found > HEAD:
            told = f"tables {found}, this one knows {HEAD}: install that version again, or put an older copy back"
            raise StoreError(f"the store {self.path} was made by a newer kdsync ({told})")
        return found

    def _upgrade(self) -> None:
        from alembic import command  # it is large, and only needed once for each version
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.read() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view of the store. Raises StoreUnusableError where it cannot be had."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except ERRORS as error:
            self._raise(error)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its first moment, so that it cannot fail half-way.

        Raises StoreUnusableError where it cannot be begun or committed; then nothing of it is there.
        """
        try:
            self._make_sure_of_the_file()
            with self.engine.connect().execution_options(write=True) as connection, connection.begin():
                yield connection
        except ERRORS as error:
            self._raise(error)
        self.writes += 1
        if self.trouble:
            self._well_again()

    def _well_again(self) -> None:
        """On a disk that is full small transactions go well and others do not: what comes back has to stay for long."""
        with self._lock:
            now = time.monotonic()
            if self.trouble and now - self._failed >= self._patience:
                log.info("store.back", path=self.path)
                self.trouble, self._back = "", now
                self._said.clear()

    def _make_sure_of_the_file(self) -> None:
        """What is written to a file that was deleted, or that another one replaced, would be gone with the process."""
        if self._inode and self._file() != self._inode:
            told = "the file was deleted or replaced under kdsync: stop it and put the right file back"
            raise self._noted(StoreUnusableError(f"the store {self.path} cannot be used: {told}"))

    def _file(self) -> int:
        try:
            return Path(self.path).stat().st_ino
        except OSError:
            return 0

    def _raise(self, error: Exception) -> NoReturn:
        found = unusable(self.path, error)
        if found is None:
            raise error
        raise self._noted(found) from error

    def _noted(self, error: StoreUnusableError) -> StoreUnusableError:
        """Say it in the log when it begins, not at each try."""
        with self._lock:
            self._failed = time.monotonic()
            if not self.trouble:
                self._patience = CALM if self._failed - self._back < CALM else 0.0
            self.trouble = str(error)
            if self.trouble not in self._said:
                self._said.add(self.trouble)
                log.error("store.failed", error=self.trouble)
        return error

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _close_to_others(path: str) -> None:
    """A new file is for its owner only, as what SQLite lays beside it then is, too."""
    with suppress(OSError):  # it is there; or it cannot be made, which SQLite says better
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


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
    try:
        file = Path(f"{path}.lock").open("w")  # noqa: SIM115  # it stays open as long as the daemon lives
    except OSError as error:
        told = "the folder must exist and be writable for the user that kdsync runs as"
        raise StoreUnusableError(f"cannot write beside the store {path}: {error.strerror} ({told})") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise StoreError(f"another kdsync is running on the store {path}: stop it first") from None
    return file
