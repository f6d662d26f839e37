"""Secrets of one-time codes in the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from kdsync.errors import StoreError
from kdsync.store import codes, inbox, schema, shifted
from kdsync.store.database import Database
from kdsync.store.inbox import Received
from kdsync.store.sealing import Seal

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SECRET = b"12345678901234567890"
SEAL = Seal("a key")


@pytest.fixture(autouse=True)
def _enrolled(database: Database) -> None:
    with database.write() as tx:
        assert codes.enrol(tx, SEAL, "u1", SECRET, NOW, 100)


def test_a_secret_is_kept_sealed_and_only_once(database: Database) -> None:
    with database.write() as tx:
        assert not codes.enrol(tx, SEAL, "u1", b"another", NOW, 1)
        assert codes.secret(tx, SEAL, "u1") == SECRET
        stored = tx.execute(select(schema.codes.c.secret)).scalar_one()
    assert stored[:1] == b"\x01"
    assert SECRET not in stored


def test_a_secret_that_was_put_in_the_place_of_anothers_is_none(database: Database) -> None:
    with database.write() as tx:
        codes.enrol(tx, SEAL, "u2", b"another", NOW, 1)
        mine = tx.execute(select(schema.codes.c.secret).where(schema.codes.c.userid == "u2")).scalar_one()
        tx.execute(update(schema.codes).where(schema.codes.c.userid == "u1").values(secret=mine))
        with pytest.raises(StoreError, match="not theirs"):
            codes.secret(tx, SEAL, "u1")


@pytest.mark.parametrize(("step", "counts"), [(99, False), (100, False), (101, True)])
def test_only_a_later_step_counts(database: Database, step: int, *, counts: bool) -> None:
    with database.write() as tx:
        codes.count_wrong(tx, "u1", 3)
        assert codes.spend(tx, "u1", step) == counts
        assert not codes.spend(tx, "u1", step)
        found = codes.find(tx, "u1")
    assert found
    assert (found.last_step, found.wrong) == ((101, 0) if counts else (100, 3))


def test_a_lock_lasts_as_long_when_the_clock_is_set(database: Database) -> None:
    hour = timedelta(hours=1)
    with database.write() as tx:
        codes.lock(tx, "u1", NOW + hour)
        shifted.shift(tx, timedelta(days=2), was=NOW, began=NOW)
        assert [one.locked_until for one in codes.listing(tx)] == [NOW + hour + timedelta(days=2)]


def test_a_request_waits_as_long_for_its_code_when_the_clock_is_set(database: Database) -> None:
    item = Received("a", inbox.MESSAGE, "u1", {}, NOW, action="pay", form="F", doc_id="1")
    with database.write() as tx:
        inbox.add(tx, SEAL, item)
        inbox.finish(tx, item, inbox.ASKED, "", NOW)
        shifted.shift(tx, timedelta(days=-2), was=NOW, began=NOW - timedelta(days=3))
        assert not inbox.asked(tx, SEAL, "u1", NOW)
        assert inbox.asked(tx, SEAL, "u1", NOW - timedelta(days=2))
        inbox.coded(tx, item)
        assert not inbox.asked(tx, SEAL, "u1", NOW - timedelta(days=2))


def test_who_is_removed_can_be_enrolled_again(database: Database) -> None:
    with database.write() as tx:
        assert codes.remove(tx, "u1")
        assert not codes.remove(tx, "u1")
        assert codes.find(tx, "u1") is None
        assert codes.enrol(tx, SEAL, "u1", SECRET, NOW, 1)
