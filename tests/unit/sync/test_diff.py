"""What happened between two looks."""

from __future__ import annotations

from typing import Any

import pytest

from kdsync.model import Facts, Layout, Row
from kdsync.model import Transition as T  # noqa: N817  # the tables below read better
from kdsync.sync.diff import Snapshot, compare, gone

HEADS = ("FID", "FBillNo", "FDocumentStatus", "FCancelStatus", "FCloseStatus", "FApproveDate", "FAmount", "FNote")
LAYOUT = Layout(Facts("AP_PAYBILL"), HEADS, watched=frozenset({"FAmount"}))
WITH_ROWS = Layout(Facts("PUR", entry="FEntry"), ("FID", "FDocumentStatus"), ("FQty", "FPrice"), frozenset({"FQty"}))


def row(status: str, *, cancel: str = "A", close: str = "A", approved: str | None = None, amount: Any = 1) -> Row:
    return [7, "K7", status, cancel, close, approved, amount, " "]


def kinds(old: Row | None, new: Row) -> tuple[T, ...]:
    change = compare(Snapshot(1, LAYOUT, old) if old else None, new, LAYOUT)
    return change.kinds if change else ()


@pytest.mark.parametrize(
    ("old", "new", "passed"),
    [
        ("A", "B", (T.SUBMITTED,)),
        ("A", "C", (T.SUBMITTED, T.APPROVED)),
        ("B", "C", (T.APPROVED,)),
        ("B", "D", (T.REJECTED,)),
        ("B", "A", (T.REJECTED,)),
        ("A", "D", (T.SUBMITTED, T.REJECTED)),
        ("C", "D", (T.UNAPPROVED,)),
        ("C", "B", (T.UNAPPROVED, T.SUBMITTED)),
        ("D", "C", (T.SUBMITTED, T.APPROVED)),
        ("Z", "A", ()),
        ("B", "B", ()),
    ],
)
def test_every_transition_between_two_statuses_is_named_in_order(old: str, new: str, passed: tuple[T, ...]) -> None:
    assert kinds(row(old), row(new)) == passed


@pytest.mark.parametrize(
    ("status", "passed"),
    [
        ("Z", (T.CREATED,)),
        ("A", (T.CREATED,)),
        ("B", (T.CREATED, T.SUBMITTED)),
        ("D", (T.CREATED, T.SUBMITTED, T.REJECTED)),
    ],
)
def test_a_new_document_has_passed_what_its_status_needs(status: str, passed: tuple[T, ...]) -> None:
    assert kinds(None, row(status)) == passed


def test_a_new_document_that_is_approved_already() -> None:
    assert kinds(None, row("C")) == (T.CREATED, T.SUBMITTED, T.APPROVED)


def test_approved_with_a_later_approve_date_was_unapproved_in_between() -> None:
    old, new = row("C", approved="2026-11-23T10:00:00"), row("C", approved="2026-11-23T10:00:00.003")
    assert kinds(old, new) == (T.UNAPPROVED, T.SUBMITTED, T.APPROVED)


def test_an_approve_date_that_appears_late_is_no_second_approval() -> None:
    assert kinds(row("C", approved=None), row("C", approved="2026-11-23T10:00:00")) == ()


def test_voided_and_closed_come_after_the_status() -> None:
    assert kinds(row("B"), row("C", cancel="B", close="B")) == (T.APPROVED, T.VOIDED, T.CLOSED)


def test_a_touched_document_whose_content_is_the_same_is_no_change() -> None:
    assert compare(Snapshot(3, LAYOUT, row("A", amount="1.00")), row("A", amount=1.0), LAYOUT) is None


def test_a_watched_field_makes_a_change_and_the_version_rises() -> None:
    change = compare(Snapshot(3, LAYOUT, row("A", amount=1)), row("A", amount=2), LAYOUT)
    assert change is not None
    assert change.kinds == (T.CHANGED,)
    assert change.changed == {"FAmount"}
    assert change.version == 4


def test_a_field_that_nobody_watches_is_no_change() -> None:
    old, new = row("A"), row("A")
    new[-1] = "noted"
    assert compare(Snapshot(3, LAYOUT, old), new, LAYOUT) is None


def test_a_field_that_rules_began_to_use_is_adopted_in_silence() -> None:
    before = Layout(LAYOUT.facts, HEADS[:-2])
    change = compare(Snapshot(3, before, row("A")[:-2]), row("B", amount=9), LAYOUT)
    assert change is not None
    assert (change.kinds, change.changed) == ((T.SUBMITTED,), frozenset())


def test_entry_rows_are_compared_by_their_watched_key() -> None:
    old = Snapshot(1, WITH_ROWS, [7, "A", [[1, 10], [2, 20]]])
    quantity = compare(old, [7, "A", [[1, 10], [3, 20]]], WITH_ROWS)
    price = compare(old, [7, "A", [[1, 10], [2, 21]]], WITH_ROWS)
    assert quantity is not None
    assert quantity.changed == {"FQty"}
    assert price is None


def test_an_entry_row_more_changes_every_entry_key() -> None:
    change = compare(Snapshot(1, WITH_ROWS, [7, "A", [[1, 10]]]), [7, "A", [[1, 10], [1, 10]]], WITH_ROWS)
    assert change is not None
    assert change.changed == {"FQty"}


def test_a_deleted_document_has_a_version_of_its_own() -> None:
    deleted = gone(Snapshot(5, LAYOUT, row("A")))
    assert (deleted.kinds, deleted.version) == ((T.DELETED,), 6)


def test_a_document_that_comes_back_as_it_was_has_not_changed() -> None:
    assert compare(Snapshot(6, LAYOUT, row("A"), is_gone=True), row("A"), LAYOUT) is None


def test_a_document_that_comes_back_is_compared_with_what_it_was() -> None:
    back = compare(Snapshot(6, LAYOUT, row("A"), is_gone=True), row("C"), LAYOUT)
    assert back is not None
    assert (back.kinds, back.version) == ((T.SUBMITTED, T.APPROVED), 7)
    assert back.old is not None


def test_another_document_under_the_id_of_one_that_was_gone_is_created_like_any_other() -> None:
    other = row("A")
    other[1] = "K8"
    new = compare(Snapshot(6, LAYOUT, row("C"), is_gone=True), other, LAYOUT)
    assert new is not None
    assert (new.kinds, new.version, new.old, new.strange) == ((T.CREATED,), 7, None, "")


def test_an_approve_date_in_the_year_one_is_none() -> None:
    assert kinds(row("C", approved="0001-01-01T00:00:00"), row("C", approved="2026-11-23T10:00:00")) == ()


def test_a_form_without_status_is_created_once_and_never_again() -> None:
    stock = Layout(
        Facts("STK_Inventory", status=None, cancel=None, close=None), ("FID", "FQty"), watched=frozenset({"FQty"})
    )
    created, changed = compare(None, [1, 5], stock), compare(Snapshot(1, stock, [1, 5]), [1, 4], stock)
    assert created is not None
    assert created.kinds == (T.CREATED,)
    assert changed is not None
    assert changed.kinds == (T.CHANGED,)
