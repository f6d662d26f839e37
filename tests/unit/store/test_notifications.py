"""What rules had to tell survives the store as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kdsync.model import Content, Priority
from kdsync.store import notifications
from kdsync.store.database import Database
from kdsync.store.notifications import GATHERED, Notification, Wanted
from kdsync.store.sealing import Seal

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ONE = Notification(
    id="n1",
    event_id="e1",
    form="AP_PAYBILL",
    doc_id="100001",
    number="FKD1",
    rule="approved",
    kind="approved",
    priority=Priority.HIGH,
    state=GATHERED,
    wanted=(Wanted("creator", "100", "SEC_User"),),
    contents={"zh": Content("title", "body", "https://x.example", (("label", "text"),))},
    created_at=NOW,
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/kdsync.db")
    database.migrate()
    yield database
    database.close()


@pytest.mark.parametrize(
    "item", [ONE, replace(ONE, strange="rewound"), replace(ONE, strange="replaced", storm="n9", reason="why")]
)
def test_a_notification_comes_back_as_it_was_written(db: Database, item: Notification) -> None:
    with db.write() as tx:
        notifications.add(tx, Seal(), [item])
    with db.read() as tx:
        assert notifications.find(tx, Seal(), "n1") == item
