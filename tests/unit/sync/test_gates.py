"""Deletions and alarms."""

from __future__ import annotations

import pytest

from kdsync.sync.gates import suspicious
from kdsync.sync.identity import event_id, notification_id


@pytest.mark.parametrize(("known", "vanished"), [(40, 1), (1, 1), (5, 3), (1000, 100), (100_000, 2_000), (10, 0)])
def test_a_normal_days_deletions(known: int, vanished: int) -> None:
    assert suspicious(known, vanished) == ""


@pytest.mark.parametrize(("known", "vanished"), [(300, 300), (2, 2), (1000, 101), (40, 11), (100_000, 2_001)])
def test_too_many_at_once_to_be_deletions(known: int, vanished: int) -> None:
    assert str(known) in suspicious(known, vanished)


def test_ids_are_stable_and_distinct() -> None:
    first = event_id("acct", "F", "7", 2, "approved")
    assert first == event_id("acct", "F", "7", 2, "approved")
    others = {
        event_id("acct", "F", "7", 3, "approved"),
        event_id("acct", "F", "72", 2, "approved"),
        notification_id(first, "r"),
    }
    assert len({first, *others}) == 4
