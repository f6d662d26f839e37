"""The doctor says who cannot do what an action lets them do, for want of a one-time code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kdsync.clock import Clock, FakeClock
from kdsync.doctor import codes as of_codes
from kdsync.doctor import dingtalk as of_dingtalk
from kdsync.doctor import examine
from kdsync.doctor.finding import FAILED, OK, SKIPPED, WARNING
from kdsync.doctor.service import ourselves
from kdsync.settings.load import Loaded
from kdsync.store import codes
from kdsync.store.database import Database
from kdsync.store.sealing import Seal
from tests.unit.doctor.conftest import Configure

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
KEY = Seal("the-secret-of-the-app")
PAY: dict[str, Any] = {
    "id": "pay",
    "title": "x",
    "phrases": ["pay"],
    "form": "AP_PAYBILL",
    "allow": ["user:u1", "user:u2"],
    "limit": {"field": "FREALPAYAMOUNTFOR", "max": 50000, "above": "totp"},
    "do": ["audit"],
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/kdsync.db")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def loaded(configure: Configure, tmp_path: Path) -> Loaded:
    return using(configure, tmp_path, PAY)


def using(configure: Configure, folder: Path, *actions: dict[str, Any]) -> Loaded:
    store = {"url": f"sqlite:///{folder}/kdsync.db", "key": {"env": "DT_SECRET"}}
    return configure(actions=actions, store=store)


def enrol(database: Database, *users: str, seal: Seal = KEY) -> None:
    with database.write() as tx:
        for user in users:
            codes.enrol(tx, seal, user, b"12345678901234567890", NOW, 0)


def found(loaded: Loaded, database: Database | None) -> list[tuple[str, str, str]]:
    told = of_codes.examine(loaded, database, FakeClock(NOW))
    return [(one.result, one.detail, one.cure) for one in told]


def test_nobody_is_enrolled(loaded: Loaded, database: Database) -> None:
    ((result, detail, cure),) = found(loaded, database)
    assert (result, cure) == (WARNING, "kdsync totp enrol u1")
    assert detail == "action pay takes a one-time code above 50000, and nobody is enrolled"


def test_nobody_who_may_is_enrolled_and_who_is_may_not(loaded: Loaded, database: Database) -> None:
    enrol(database, "u9")
    lack, idle = found(loaded, database)
    assert lack[:2] == (
        WARNING,
        "action pay takes a one-time code above 50000, and none of those who may is (u1, u2)",
    )
    assert idle == (WARNING, "u9 is enrolled, and no action takes a code of theirs", "kdsync totp remove u9")


def test_one_of_two_is_enrolled(loaded: Loaded, database: Database) -> None:
    enrol(database, "u2")
    assert found(loaded, database) == [(OK, "1 enrolled; not enrolled, though they may: u1", "")]


def test_of_whom_a_department_tells_nobody_is_called_idle(
    configure: Configure, tmp_path: Path, database: Database
) -> None:
    enrol(database, "u9")
    loaded = using(configure, tmp_path, {**PAY, "allow": ["dept:7", "user:u1"]})
    assert found(loaded, database) == [(OK, "1 enrolled; not enrolled, though they may: u1", "")]


def test_who_is_locked_and_until_when(loaded: Loaded, database: Database) -> None:
    enrol(database, "u1", "u2")
    with database.write() as tx:
        codes.lock(tx, "u1", NOW + timedelta(minutes=30))
        codes.lock(tx, "u2", NOW - timedelta(minutes=30))
    locked, fine = found(loaded, database)
    assert (locked[0], fine) == (WARNING, (OK, "2 enrolled", ""))
    assert locked[1].startswith("u1 is locked until")


@pytest.mark.parametrize("spoilt", ["by another key", "by another owner"])
def test_secrets_that_are_not_theirs(loaded: Loaded, database: Database, spoilt: str) -> None:
    enrol(database, "u2")
    enrol(database, "u1", seal=Seal("another") if spoilt == "by another key" else KEY)
    if spoilt == "by another owner":
        with database.write() as tx:
            tx.exec_driver_sql("UPDATE codes SET secret = (SELECT secret FROM codes WHERE userid = 'u2')")
    failed, _ = found(loaded, database)
    assert (failed[0], "totp remove u1" in failed[2]) == (FAILED, True)
    assert "no code of u1 can be right" in failed[1]


def test_a_store_that_cannot_be_read_or_is_not_there_yet(loaded: Loaded, database: Database, tmp_path: Path) -> None:
    assert [result for result, *_ in found(loaded, None)] == [SKIPPED]
    database.close()
    (tmp_path / "kdsync.db").unlink()
    assert [result for result, *_ in found(loaded, None)] == [WARNING]


def test_where_no_action_takes_codes_nothing_is_said(configure: Configure, tmp_path: Path, database: Database) -> None:
    loaded = using(configure, tmp_path, {**PAY, "limit": {**PAY["limit"], "above": "second-person"}})
    assert found(loaded, database) == []
    enrol(database, "u1")
    assert [result for result, *_ in found(loaded, database)] == [WARNING]


def test_who_left_and_still_has_codes(loaded: Loaded, database: Database, clock: Clock) -> None:
    enrol(database, "user1", "left")
    (told,) = (one for one in of_dingtalk.examine(loaded, clock, database) if one.what == "dingtalk people")
    assert told.result == FAILED
    assert "left (one-time codes)" in told.detail
    assert "user1" not in told.detail
    assert "kdsync totp remove" in told.cure


def test_it_is_part_of_the_doctor(loaded: Loaded, database: Database) -> None:
    enrol(database, "u1")
    (told,) = (one for one in examine(loaded, FakeClock(NOW), ourselves()) if one.what == "one-time codes")
    assert told.result == OK
