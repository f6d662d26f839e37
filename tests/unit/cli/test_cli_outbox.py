"""What `kdsync outbox retry all` sends again, however much there is."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from kdsync.cli import outbox as command
from kdsync.errors import FailureKind
from kdsync.store import database, holds, outbox
from kdsync.store.database import Database
from kdsync.store.holds import Hold
from kdsync.store.outbox import CARD, DEAD, LEASED, WAITING, WORK, Letter
from kdsync.store.schema import outbox as rows
from kdsync.store.sealing import Seal

NOW = datetime(2026, 11, 28, 1, tzinfo=UTC)
MANY, MOST = 60, 40  # dead messages, and values that SQLite takes


def letter(ident: str, state: str, channel: str = WORK, notification: str = "") -> Letter:
    return Letter(ident, notification or ident, channel, f"u-{ident}", b"{}", "content", 1, NOW, state=state)


def keep(store: Database, *letters: Letter) -> None:
    with store.write() as tx:
        for one in letters:
            outbox.add(tx, Seal(), [one])
            tx.execute(update(rows).where(rows.c.id == one.id).values(state=one.state))


def states(store: Database) -> dict[str, str]:
    with store.read() as tx:
        return {row.id: row.state for row in tx.execute(select(rows.c.id, rows.c.state))}


def test_more_are_dead_than_sqlite_takes_values(
    config: Path, store: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(store, *(letter(f"d{number}", DEAD) for number in range(MANY)))
    prepare = database._prepare

    def with_few_values(connection: sqlite3.Connection, record: Any) -> None:
        prepare(connection, record)
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, MOST)

    monkeypatch.setattr(database, "_prepare", with_few_values)
    assert command.retry(config, ["all"], json_output=False) == 0
    assert capsys.readouterr().out == f"{MANY} sent again\n"
    assert Counter(states(store).values()) == {WAITING: MANY}


def test_all_are_the_dead_and_what_waits_on_the_same_card(config: Path, store: Database) -> None:
    card = [letter("c1", DEAD, CARD, "n1"), letter("c2", WAITING, CARD, "n1"), letter("c3", DEAD, CARD, "n2")]
    keep(store, *card, letter("w1", LEASED), letter("w2", WAITING), letter("w3", outbox.ACCEPTED))
    later = NOW + timedelta(days=1)
    with store.write() as tx:
        tx.execute(update(rows).where(rows.c.state == WAITING).values(next_attempt_at=later.isoformat()))
        held = Hold(CARD, NOW, later, 3, FailureKind.TRANSIENT, "x", "", is_open=True)
        holds.put(tx, held, NOW)
        holds.put(tx, replace(held, name=WORK), NOW)
    assert command.retry(config, ["all"], json_output=True) == 0
    with store.read() as tx:
        asked = tx.execute(select(rows.c.id).where(rows.c.reason == outbox.ASKED_FOR)).scalars().all()
        until = {name: hold.until for name, hold in holds.every(tx).items()}
    assert sorted(asked) == ["c1", "c2", "c3"]
    assert states(store) == {**dict.fromkeys(["c1", "c2", "c3", "w2"], WAITING), "w1": LEASED, "w3": outbox.ACCEPTED}
    assert until[WORK] == later, "nothing of this channel was dead"
    assert until[CARD] < later
