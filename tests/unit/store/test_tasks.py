"""Tasks are kept from the first time they are seen until nobody asks for their account set any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kdsync.model import Task
from kdsync.store import moments, tasks
from kdsync.store.database import Database
from kdsync.store.tasks import GONE, WAITING, Seen, Waiting

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SEEN = moments.text(NOW)
FORM = "ER_ExpReimbursement"
ONE = Task("i1", "t1", FORM.upper(), "EXP1", "审批", "100002", "李四", "2026-11-23T09:30:00")
OTHER = replace(ONE, item_id="i2", receiver="100003", since="2026-11-23T09:00:00")


@pytest.fixture
def kept(database: Database) -> Database:
    with database.write() as tx:
        tasks.baseline(tx, "acct", FORM, [ONE], NOW)
        tasks.put(tx, FORM, [OTHER], NOW)
    return database


def test_what_waits_on_a_document_is_found_however_its_form_is_spelled(kept: Database) -> None:
    expected = [
        Waiting("i2", "t1", FORM, "EXP1", "审批", "100003", "2026-11-23T09:00:00", SEEN, ""),
        Waiting("i1", "t1", FORM, "EXP1", "审批", "100002", "2026-11-23T09:30:00", SEEN, ""),
    ]
    with kept.read() as tx:
        assert tasks.waiting_of(tx, FORM.lower(), "EXP1") == expected
        assert tasks.waiting(tx, [FORM.upper(), "OTHER"]) == expected
        assert tasks.waiting_of(tx, FORM, "EXP2") == tasks.waiting(tx, ["OTHER"]) == tasks.waiting(tx, []) == []


def test_a_task_that_is_gone_is_still_known(kept: Database) -> None:
    with kept.write() as tx:
        tasks.mark_gone(tx, ["i1"], NOW)
    with kept.read() as tx:
        assert tasks.known(tx, ["i1", "i2", "i3"]) == {"i1": Seen(GONE, "100002"), "i2": Seen(WAITING, "100003")}
        assert [one.item_id for one in tasks.waiting_of(tx, FORM, "EXP1")] == ["i2"]
        assert tasks.counts(tx) == {FORM: 1}
        assert [(one.item_id, one.gone_at) for one in tasks.of_number(tx, "EXP1")] == [("i2", ""), ("i1", SEEN)]


def test_a_task_that_is_gone_may_wait_again(kept: Database) -> None:
    with kept.write() as tx:
        tasks.mark_gone(tx, ["i1"], NOW)
        tasks.put(tx, FORM, [ONE], NOW)
    with kept.read() as tx:
        assert tasks.known(tx, ["i1"]) == {"i1": Seen(WAITING, "100002")}


def test_a_first_look_in_another_account_set_forgets_what_was_known(kept: Database) -> None:
    with kept.read() as tx:
        assert tasks.is_baselined(tx, "acct", FORM.lower())
        assert not tasks.is_baselined(tx, "other", FORM)
    with kept.write() as tx:
        tasks.baseline(tx, "other", FORM.lower(), [replace(ONE, item_id="i9")], NOW)
    with kept.read() as tx:
        assert tasks.known(tx, ["i1", "i2", "i9"]) == {"i9": Seen(WAITING, "100002")}
        assert not tasks.is_baselined(tx, "acct", FORM)
