"""A store that cannot be used says why, once, and what to do; nothing half-written stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DatabaseError, IntegrityError
from structlog.testing import capture_logs

from kdsync.errors import StoreUnusableError
from kdsync.store.database import Database, hold_lock
from kdsync.store.trouble import unusable


def remember(database: Database, key: str, value: str = "x") -> None:
    with database.write() as tx:
        tx.execute(text("INSERT INTO facts VALUES (:key, :value, 'now')"), {"key": key, "value": value})


def facts(database: Database) -> list[str]:
    with database.read() as tx:
        return list(tx.execute(text("SELECT key FROM facts ORDER BY key")).scalars())


def allow_pages(database: Database, most: int) -> None:
    """As many pages as the disk has room for."""
    with database.engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count={most}")


def test_a_full_disk_is_said_once_and_what_was_committed_stays(database: Database) -> None:
    remember(database, "a")
    allow_pages(database, 1)  # no more than there are
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(StoreUnusableError, match="make room on the disk"):
                remember(database, "b", "x" * 100_000)
        assert "disk is full" in database.trouble
        allow_pages(database, 100_000)
        remember(database, "c")
    assert database.trouble == ""
    assert facts(database) == ["a", "c"]
    assert [line["event"] for line in logs] == ["store.failed", "store.back"]


def test_a_nearly_full_disk_that_takes_small_transactions_is_said_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0.0]
    monkeypatch.setattr("kdsync.store.database.time.monotonic", lambda: passed[0])
    said: list[tuple[float, str]] = []

    def within(seconds: int, *, full: bool) -> None:
        for _ in range(0, seconds, 5):
            passed[0] += 5.0
            with capture_logs() as logs:
                if full:
                    allow_pages(database, 1)
                    with pytest.raises(StoreUnusableError):
                        remember(database, "large", "x" * 100_000)
                remember(database, f"small {passed[0]}")
            said.extend((passed[0], line["event"]) for line in logs)

    within(200, full=True)
    assert database.trouble
    allow_pages(database, 100_000)
    within(200, full=False)
    assert database.trouble == ""
    within(5, full=True)
    expected = [(5, "store.failed"), (5, "store.back"), (10, "store.failed"), (260, "store.back")]
    assert said == [*expected, (405, "store.failed"), (405, "store.back")]


def test_trouble_that_shows_in_two_ways_in_turn_is_said_once_in_each(database: Database) -> None:
    with capture_logs() as logs:
        for said in ("disk I/O error", "database or disk is full") * 3:
            with pytest.raises(StoreUnusableError, match=said), database.read():
                raise sqlite3.OperationalError(said)
        remember(database, "a")
    assert [line["event"] for line in logs] == ["store.failed", "store.failed", "store.back"]


def test_another_program_holds_the_write_lock(database: Database) -> None:
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=10")
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnusableError, match="another program keeps it locked"):
            remember(database, "a")
    remember(database, "b")
    assert facts(database) == ["b"]


@pytest.mark.parametrize("then", ["deleted", "replaced"])
def test_nothing_is_written_to_a_file_that_is_not_there_any_more(database: Database, then: str) -> None:
    moved = Path(database.path).rename(f"{database.path}.moved")
    if then == "replaced":
        Path(database.path).write_bytes(b"")
    with pytest.raises(StoreUnusableError, match="deleted or replaced"):
        remember(database, "a")
    moved.rename(database.path)
    remember(database, "b")
    assert facts(database) == ["b"]


def test_a_mistake_of_ours_is_not_the_stores_trouble(database: Database) -> None:
    remember(database, "a")
    with pytest.raises(IntegrityError):
        remember(database, "a")
    assert database.trouble == ""


def test_a_store_is_not_begun_anew_beside_the_log_of_the_one_that_is_gone(tmp_path: Path) -> None:
    log = tmp_path / "kdsync.db-wal"
    log.write_bytes(b"the last transactions")
    database = Database(f"sqlite:///{tmp_path}/kdsync.db")
    with pytest.raises(StoreUnusableError, match="put the file back"):
        database.migrate()
    database.close()
    assert log.read_bytes() == b"the last transactions"
    assert not (tmp_path / "kdsync.db").exists()


def test_a_folder_that_cannot_be_written() -> None:
    with pytest.raises(StoreUnusableError, match="cannot write beside the store"):
        hold_lock("/proc/kdsync.db")


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("attempt to write a readonly database", "how it is mounted"),
        ("disk I/O error", "system's log"),
        ("database disk image is malformed", "put a backup in its place"),
        ("something new", "look at the file"),
    ],
)
def test_what_sqlite_says_is_told_with_a_cure(said: str, cure: str) -> None:
    for error in (sqlite3.OperationalError(said), DatabaseError("SELECT", {}, sqlite3.DatabaseError(said))):
        found = unusable("/a/kdsync.db", error)
        assert found is not None
        assert str(found).startswith(f"the store /a/kdsync.db cannot be used: {said} (")
        assert cure in str(found)


@pytest.mark.usefixtures("by_migrations")
def test_a_migration_that_is_cut_off_at_any_statement_can_be_begun_again(tmp_path: Path) -> None:
    database, left = Database(f"sqlite:///{tmp_path}/kdsync.db"), 0

    def cut_off(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal left
        if not statement.startswith(("SELECT", "PRAGMA", "BEGIN")):
            left -= 1
            if left == 0:
                raise KeyboardInterrupt

    event.listen(database.engine, "before_cursor_execute", cut_off)
    cuts = 0
    while cuts < 200:
        left = cuts = cuts + 1
        try:
            database.migrate()
        except KeyboardInterrupt:
            continue
        break
    assert cuts > 10
    left = -1
    remember(database, "a")
    assert facts(database) == ["a"]
    database.close()
