"""The store: today's tables by migration, one writer at a time, sealed where a key is set."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from kdsync.errors import StoreError
from kdsync.store import origins, schema
from kdsync.store.database import HEAD, MIGRATIONS, Database, hold_lock
from kdsync.store.sealing import MARK, Seal
from kdsync.store.seen import Seen


@pytest.mark.usefixtures("by_migrations")
def test_the_migrations_make_exactly_the_tables_of_the_schema(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/kdsync.db")
    database.migrate()
    with database.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    database.close()


def test_the_newest_migration_is_the_one_that_is_looked_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_migrating_twice_changes_nothing(database: Database) -> None:
    with database.write() as tx:
        tx.execute(text("INSERT INTO facts VALUES ('a', 'b', 'c')"))
    database.migrate()
    with database.read() as tx:
        assert tx.execute(text("SELECT value FROM facts")).scalars().all() == ["b"]


def test_a_store_of_the_first_version_keeps_what_it_holds(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/kdsync.db")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO outbox VALUES ('x', 'n', 'work', 'u', 'c', 'i', 0, 'waiting', 0, 0, 'now',"
            " NULL, 'now', NULL, NULL, '')"
        )
        connection.commit()
    database.migrate()
    with database.read() as tx:
        assert tx.execute(text("SELECT id, state, thread FROM outbox")).all() == [("x", "waiting", None)]
    database.close()


def test_what_was_written_before_origins_were_known_explains_no_later_change(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/kdsync.db")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        connection.exec_driver_sql(
            "INSERT INTO writes VALUES (1, 'said', 0, 'F', '1', 'K1', 'audit', '', 'u1', 'now', 'verified', '')"
        )
        connection.commit()
    database.migrate()
    with database.read() as tx:
        assert tx.execute(text("SELECT met, wanted, showed FROM writes")).all() == [("never", None, None)]
        assert origins.unmet(tx, Seal(), "F") == []
    database.close()


@pytest.mark.parametrize("revision", ["0010", "2f1c9a", "9999"])
def test_a_store_of_another_versions_is_refused_in_words_and_left_as_it_is(database: Database, revision: str) -> None:
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    for opening in (database.migrate, database.use):
        with pytest.raises(StoreError, match=f"tables {revision}.*this one knows {HEAD}.*install that version again"):
            opening()
    with database.read() as tx:
        assert tx.execute(text("SELECT version_num FROM alembic_version")).scalar() == revision


@pytest.mark.parametrize("change", ["UPDATE alembic_version SET version_num = '0005'", "DELETE FROM alembic_version"])
def test_a_store_that_the_daemon_has_yet_to_bring_up_to_date_is_not_changed_by_who_only_uses_it(
    database: Database, change: str
) -> None:
    with database.write() as tx:
        tx.execute(text(change))
    with database.read() as tx:
        before = tx.execute(text("SELECT version_num FROM alembic_version")).all()
    with pytest.raises(StoreError, match="restart the daemon"):
        database.use()
    with database.read() as tx:
        assert tx.execute(text("SELECT version_num FROM alembic_version")).all() == before


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    def half() -> None:
        with database.write() as tx:
            tx.execute(text("INSERT INTO facts VALUES ('a', 'b', 'c')"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    with database.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM facts")).scalar() == 0


def test_it_is_durable(database: Database) -> None:
    with database.read() as tx:
        assert tx.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert tx.execute(text("PRAGMA synchronous")).scalar() == 2


def test_a_store_that_cannot_be_opened_says_where(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/no/such/folder/kdsync.db")
    with pytest.raises(StoreError, match="no/such/folder"):
        database.migrate()
    database.close()


def test_a_second_daemon_on_the_same_store_is_refused(tmp_path: Path) -> None:
    with hold_lock(str(tmp_path / "kdsync.db")), pytest.raises(StoreError, match="another kdsync"):
        hold_lock(str(tmp_path / "kdsync.db"))
    hold_lock(str(tmp_path / "kdsync.db")).close()


@given(st.lists(st.one_of(st.text(st.characters(codec="utf-8")), st.integers(-9, 9), st.none())))
def test_what_is_sealed_can_be_opened_and_not_be_read(values: list[Any]) -> None:
    seal = Seal("key")
    stored = seal.close(["a supplier's name", *values])
    assert b"supplier" not in stored
    assert seal.open(stored) == ["a supplier's name", *values]


def test_equal_documents_are_sealed_differently() -> None:
    seal = Seal("key")
    assert seal.close([1]) != seal.close([1])


def test_plain_rows_stay_readable_when_a_key_is_set_later() -> None:
    assert Seal("key").open(Seal().close([1, "a"])) == [1, "a"]


def test_a_missing_or_wrong_key_is_said() -> None:
    stored = Seal("key").close([1])
    assert stored.startswith(MARK)
    with pytest.raises(StoreError, match=r"store\.key"):
        Seal().open(stored)
    with pytest.raises(StoreError, match="not the key"):
        Seal("another").open(stored)


def test_what_a_look_did_not_see() -> None:
    seen = Seen()
    seen.add(str(n) for n in range(0, 20_000, 2))
    seen.add(["0", "2"])
    assert seen.missing(str(n) for n in range(20_000)) == [str(n) for n in range(1, 20_000, 2)]


@pytest.mark.usefixtures("by_migrations")
def test_a_new_store_is_nobody_elses_to_read_and_an_old_one_stays_as_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "kdsync.db"
    for mode in (0o600, 0o640):
        database = Database(f"sqlite:///{path}")
        database.migrate()
        assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("kdsync.db*")} == {mode}
        database.close()
        path.chmod(0o640)
