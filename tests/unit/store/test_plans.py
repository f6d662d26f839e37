"""What is asked again and again, or while somebody waits, does not read all that was ever sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, event

from kdsync.store import outbox, shown, storms
from kdsync.store.database import Database
from kdsync.store.sealing import Seal

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
Question = Callable[[Connection], object]
QUESTIONS: dict[str, tuple[Question, set[str]]] = {
    "shown": (
        lambda tx: shown.shown_counts(tx, ["u1", "u2"], NOW, ["a"]),
        {"ix_outbox_target_accepted_at", "ix_attempts_unheard", "ix_outbox_state_next_attempt_at"},
    ),
    "reached": (
        lambda tx: shown.reached(tx, NOW, ["a"]),
        {"ix_outbox_accepted_at", "ix_attempts_unheard", "ix_outbox_state_next_attempt_at"},
    ),
    "unconfirmed": (
        lambda tx: outbox.unconfirmed(tx, "userid:", sent_since=NOW, fresh_since=NOW, limit=50),
        {"ix_outbox_accepted_at"},
    ),
    "accepted for": (lambda tx: outbox.accepted_for(tx, Seal(), "u1", NOW), {"ix_outbox_target_accepted_at"}),
    "counts": (outbox.counts, {"ix_outbox_state_next_attempt_at"}),
    "one by its first letters": (lambda tx: outbox.listing(tx, Seal(), prefix="ab"), set()),
    "a storm by its first letters": (lambda tx: storms.find(tx, "abcd"), {"ix_notifications_storm"}),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_nothing_is_read_from_end_to_end(database: Database, name: str) -> None:
    ask, wanted = QUESTIONS[name]
    asked: list[tuple[str, object]] = []
    note = lambda _c, _cursor, said, values, *_: asked.append((said, values))  # noqa: E731  # to be removed again
    event.listen(database.engine, "before_cursor_execute", note)
    with database.read() as tx:
        ask(tx)
    event.remove(database.engine, "before_cursor_execute", note)
    with database.read() as tx:
        plans = [
            str(row[-1])
            for said, values in asked
            if said.lstrip().startswith("SELECT")
            for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {said}", values)  # type: ignore[arg-type]  # as noted
        ]
    assert plans
    assert not [plan for plan in plans if plan.startswith(("SCAN outbox", "SCAN notifications", "SCAN attempts"))]
    assert wanted == {part for plan in plans for part in plan.split() if part.startswith("ix_")}
