"""What rules had to tell survives the store as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

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


@pytest.mark.parametrize(
    "item", [ONE, replace(ONE, strange="rewound"), replace(ONE, strange="replaced", storm="n9", reason="why")]
)
def test_a_notification_comes_back_as_it_was_written(database: Database, item: Notification) -> None:
    with database.write() as tx:
        notifications.add(tx, Seal(), [item])
    with database.read() as tx:
        assert notifications.find(tx, Seal(), "n1") == item
