"""A process that does nothing but commit and checkpoint is killed at random instants: what it told is there, whole."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import event, text

from kdsync.store.database import Database
from tests.crash.house import WARM
from tests.new_store import migrated

SEEDS = 4 + int(os.environ.get("KDSYNC_EXPLORE", "0"))
FILLER = "x" * 20_000  # some pages


def count_on(path: Path, told: Connection) -> None:
    """Commit number after number, each with a checkpoint, and tell each when it is committed."""
    database = Database(f"sqlite:///{path}")
    event.listen(database.engine, "connect", lambda raw, _: raw.execute("PRAGMA wal_autocheckpoint=1"))
    for number in range(1_000_000):
        with database.write() as tx:
            values = {"key": f"{number:07}", "value": FILLER}
            tx.execute(text("INSERT INTO facts VALUES (:key, :value, 'now')"), values)
            tx.execute(text("INSERT INTO logins (at) VALUES (:key)"), values)
        told.send(number)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_killed_within_a_commit(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "kdsync.db"
    path.write_bytes(migrated().read_bytes())
    hear, told = WARM.Pipe(duplex=False)
    process = WARM.Process(target=count_on, args=(path, told), daemon=True)
    process.start()
    told.close()
    last = hear.recv()
    time.sleep(Random(seed).uniform(0.0, 0.2))
    process.kill()
    process.join()
    try:
        while True:
            last = hear.recv()
    except EOFError:
        hear.close()
    with closing(sqlite3.connect(path)) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        stored = [int(key) for (key,) in store.execute("SELECT key FROM facts ORDER BY key")]
        assert store.execute("SELECT count(*) FROM logins").fetchone() == (len(stored),)
    assert stored == list(range(len(stored)))
    assert stored[-1] in (last, last + 1)
