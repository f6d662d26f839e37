"""What DingTalk's calls cost is counted, also while the store cannot be written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kdsync.bridges import CallLedger
from kdsync.clock import FakeClock
from kdsync.errors import StoreUnusableError
from kdsync.services.upkeep import month_of
from kdsync.store import ledger
from kdsync.store.database import Database


def test_calls_that_could_not_be_written_down_are_written_the_next_time(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/kdsync.db")
    database.migrate()
    calls = CallLedger(database, FakeClock(datetime(2026, 11, 23, tzinfo=UTC)), month_of)
    calls("send", True)
    moved = Path(database.path).rename(tmp_path / "moved.db")
    with pytest.raises(StoreUnusableError):
        calls.flush()
    calls("send", True)
    moved.rename(database.path)
    calls.flush()
    calls.flush()
    with database.read() as tx:
        assert ledger.metered_calls(tx, "2026-11") == 2
    database.close()
