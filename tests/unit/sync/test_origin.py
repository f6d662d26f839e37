"""Which parts of a change are ours: by what the writes did, each transition once."""

from __future__ import annotations

from typing import Any

import pytest

from kdsync.model import Facts, Layout, Row
from kdsync.model import Transition as T  # noqa: N817  # the tables below read better
from kdsync.sync.diff import Change, Snapshot, compare
from kdsync.sync.origin import OwnWrite, Standing, explain

HEADS = (
    *("FID", "FBillNo", "FDocumentStatus", "FCancelStatus", "FCloseStatus", "FApproveDate", "FModifyDate"),
    *("FApproverId", "FAmount", "FNote", "FSupplierId", "FSupplierId.FName"),
)
WATCHED = frozenset({"FAmount", "FNote", "FSupplierId.FName", "FDocumentStatus", "FApproverId"})
LAYOUT = Layout(Facts("AP_PAYBILL"), HEADS, watched=WATCHED)
PLAIN = Layout(Facts("AP_PAYBILL"), HEADS)
DAWN, NOON, DUSK = "2026-11-23T06:00:00", "2026-11-23T12:00:00", "2026-11-23T18:00:00"


def row(status: str, approved: str | None = None, *, cancel: str = "A", close: str = "A", **values: Any) -> Row:
    standard = {"FID": 7, "FBillNo": "K7", "FAmount": 1, "FNote": " ", "FSupplierId": 5, "FSupplierId.FName": "Li"}
    state = {"FDocumentStatus": status, "FCancelStatus": cancel, "FCloseStatus": close, "FApproveDate": approved}
    found = {**standard, "FModifyDate": DAWN, "FApproverId": 0, **state, **values}
    return [found[key] for key in HEADS]


def step(old: Row | None, new: Row, layout: Layout = PLAIN) -> Change:
    change = compare(Snapshot(1, layout, old) if old else None, new, layout)
    assert change is not None
    return change


def write(operation: str, ident: int = 1, shows: str | None = None, approved: str = "", **more: Any) -> OwnWrite:
    """One of ours; without `shows` nothing was heard of it so far."""
    after = None if shows is None else Standing(shows, "A", "A", approved)
    return OwnWrite(ident, operation, "7", after=after, **more)


def ours(change: Change, *own: OwnWrite) -> dict[T, int]:
    return dict(explain(change, own).ours)


@pytest.mark.parametrize("shows", [True, False], ids=["verified", "unheard of"])
@pytest.mark.parametrize(
    ("operation", "before", "after", "kind"),
    [
        ("submit", "A", "B", T.SUBMITTED),
        ("audit", "B", "C", T.APPROVED),
        ("approve", "B", "C", T.APPROVED),
        ("reject", "B", "Z", T.REJECTED),
        ("reject", "B", "A", T.REJECTED),
        ("reject", "B", "D", T.REJECTED),
        ("create", None, "A", T.CREATED),
        ("create", None, "Z", T.CREATED),
    ],
)
def test_each_operation_explains_what_it_is_for(
    operation: str, before: str | None, after: str, kind: T, *, shows: bool
) -> None:
    change = step(row(before) if before else None, row(after))
    assert ours(change, write(operation, shows=after if shows else None)) == {kind: 1}


@pytest.mark.parametrize("operation", ["submit", "audit", "approve", "reject", "create", "save", "push", "BillClose"])
def test_nobodys_operation_explains_what_another_is_for(operation: str) -> None:
    made = {"submit": T.SUBMITTED, "audit": T.APPROVED, "approve": T.APPROVED, "create": T.CREATED}
    change = step(None, row("C"))
    assert set(ours(change, write(operation))) == ({made[operation]} if operation in made else set())
    assert ours(step(row("C"), row("D")), write(operation)) == {}


def test_each_transition_of_one_change_has_its_own_origin() -> None:
    change = step(row("A"), row("D"))
    assert change.kinds == (T.SUBMITTED, T.REJECTED)
    assert ours(change, write("submit", shows="B")) == {T.SUBMITTED: 1}
    twice = step(row("C", DAWN), row("C", NOON))
    assert ours(twice, write("audit", shows="C", approved=NOON)) == {T.APPROVED: 1}
    assert ours(twice, write("submit", 1, shows="B"), write("audit", 2)) == {T.SUBMITTED: 1, T.APPROVED: 2}


def test_an_approval_is_ours_only_as_long_as_the_document_bears_its_date() -> None:
    mine = write("audit", shows="C", approved=NOON)
    assert ours(step(row("B"), row("C", NOON)), mine) == {T.APPROVED: 1}
    later = explain(step(row("B"), row("C", DUSK)), [mine])
    assert later.ours == {}
    assert later.met == {1}, "nothing that comes can bear its date again"
    earlier = explain(step(row("B"), row("C", DAWN)), [mine])
    assert earlier.ours == {}, "its own change is yet to be noticed"
    assert earlier.met == frozenset(), "its own change is yet to be noticed"


def test_an_approval_that_another_node_follows_approves_nothing() -> None:
    assert ours(step(row("B"), row("C", NOON)), write("approve", shows="B")) == {}
    assert ours(step(row("B"), row("D")), write("reject", shows="B")) == {}
    for shows in (None, "C"):  # by somebody whose task was seen after ours
        assert ours(step(row("B"), row("C", NOON)), write("approve", shows=shows, is_followed=True)) == {}


def test_a_submission_where_no_workflow_follows_leaves_an_approved_document() -> None:
    change = step(row("A"), row("C", NOON))
    assert ours(change, write("submit", shows="C")) == {T.SUBMITTED: 1}
    assert ours(change, write("submit", 1, shows="B"), write("audit", 2, shows="C")) == {T.SUBMITTED: 1, T.APPROVED: 2}


def test_an_operation_of_the_form_explains_what_kingdee_showed_of_it() -> None:
    before, after = Standing("C", "A", "A", NOON), Standing("C", "A", "B", NOON)
    closed = step(row("C", NOON), row("C", NOON, close="B"))
    assert ours(closed, OwnWrite(1, "BillClose", "7", before=before, after=after)) == {T.CLOSED: 1}
    assert ours(closed, OwnWrite(1, "BillClose", "7", before=before, after=before)) == {}
    assert ours(closed, OwnWrite(1, "BillClose", "7", before=before)) == {}, "nothing was shown so far"
    undone = Standing("D", "A", "A", NOON)
    assert ours(step(row("C", NOON), row("D", NOON)), OwnWrite(1, "UnAudit", "7", before=before, after=undone)) == {
        T.UNAPPROVED: 1
    }


def test_what_others_decided_until_an_operation_was_read_back_is_theirs() -> None:
    """Kingdee was away in between, or kdsync: nothing but the name of an operation tells that it decides."""
    before, after = Standing("A", "A", "A"), Standing("C", "B", "A", NOON)
    change = step(row("A"), row("C", NOON, cancel="B"))
    assert change.kinds == (T.SUBMITTED, T.APPROVED, T.VOIDED)
    assert ours(change, OwnWrite(1, "Cancel", "7", before=before, after=after)) == {T.VOIDED: 1}
    assert ours(change, OwnWrite(1, "Submit", "7", before=before, after=after)) == {T.SUBMITTED: 1}
    assert ours(change, OwnWrite(1, "Audit", "7", before=before, after=after)) == {T.APPROVED: 1}


@pytest.mark.parametrize("shows", ["A", None], ids=["verified", "unheard of"])
@pytest.mark.parametrize(("written", "seen"), [("5.00", 5), (5, "5.0"), ("007", "007 ")])
def test_a_save_is_known_by_its_value_however_it_is_spelled(written: Any, seen: Any, shows: str | None) -> None:
    change = step(row("A"), row("A", FAmount=seen), LAYOUT)
    assert ours(change, write("save", shows=shows, fields={"famount": written})) == {T.CHANGED: 1}


def test_a_change_is_ours_only_if_all_of_it_is() -> None:
    change = step(row("A"), row("A", FAmount=5, FNote="urgent"), LAYOUT)
    partly = explain(change, [write("save", shows="A", fields={"FAmount": 5})])
    assert partly.ours == {}
    assert partly.met == {1}
    assert ours(change, write("save", 1, fields={"FAmount": 5}), write("save", 2, fields={"FNote": "urgent"})) == {
        T.CHANGED: 2
    }
    assert ours(change, write("save", fields={"FAmount": 6, "FNote": "urgent"})) == {}


@pytest.mark.parametrize(("shows", "met"), [("A", {1}), (None, set())], ids=["verified", "unheard of"])
def test_another_value_is_somebody_elses(shows: str | None, met: set[int]) -> None:
    """Once ours was shown, who writes its value after another one is somebody else; before, ours may be yet to come."""
    change = step(row("A"), row("A", FAmount=7, FNote="urgent"), LAYOUT)
    found = explain(change, [write("save", shows=shows, fields={"FAmount": 5})])
    assert found.ours == {}
    assert found.met == met
    assert explain(change, [write("save", shows=shows, fields={"FSupplierId": 5})]).met == frozenset()


def test_of_two_saves_the_later_one_is_seen_and_the_earlier_one_never_will_be() -> None:
    change = step(row("A"), row("A", FAmount=7), LAYOUT)
    own = [write("save", 1, shows="A", fields={"FAmount": 5}), write("save", 2, shows="A", fields={"FAmount": 7})]
    found = explain(change, own)
    assert found.ours == {T.CHANGED: 2}
    assert found.met == {1, 2}


def test_base_data_that_is_watched_by_name_is_known_by_any_of_its_parts() -> None:
    change = step(row("A"), row("A", FSupplierId=6, **{"FSupplierId.FName": "Wu"}), LAYOUT)
    saved = {"FSupplierId.FNumber": "V6", "FSupplierId": 6}
    assert ours(change, write("save", shows="A", fields=saved)) == {T.CHANGED: 1}
    assert ours(change, write("save", shows="A", fields={**saved, "FSupplierId": 9})) == {}
    assert ours(change, write("save", fields={"FSupplierId.FNumber": "V6"})) == {}, "the number is not looked at"


def test_what_kingdee_sets_along_with_our_approval_is_ours() -> None:
    change = step(row("B"), row("C", NOON, FApproverId=9), LAYOUT)
    assert change.changed == {"FDocumentStatus", "FApproverId"}
    assert ours(change, write("audit", shows="C", approved=NOON)) == {T.APPROVED: 1, T.CHANGED: 1}
    assert ours(change) == {}
    edited = step(row("B"), row("C", NOON, FApproverId=9, FAmount=2), LAYOUT)
    assert ours(edited, write("audit", shows="C", approved=NOON)) == {T.APPROVED: 1}


def test_what_a_restored_backup_shows_is_nobodys() -> None:
    change = step(row("B"), row("C", NOON))._replace(strange="rewound")
    found = explain(change, [write("audit")])
    assert found.ours == {}
    assert found.met == frozenset()


def test_what_is_created_may_be_known_by_its_number_until_its_id_is() -> None:
    assert OwnWrite(1, "create", "", "K7").is_about("7", "K7")
    assert not OwnWrite(1, "create", "", "").is_about("7", "")
    assert not OwnWrite(1, "audit", "", "K7").is_about("7", "K7")
    assert OwnWrite(1, "audit", "7", "K7").is_about("7", "K8")
