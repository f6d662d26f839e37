"""Documents that are older than they were, and ids that belong to others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.model import Facts, Layout, Row
from kdsync.model import Transition as T  # noqa: N817  # as in test_diff.py
from kdsync.sync.diff import Snapshot, compare
from kdsync.sync.strange import REPLACED, REWOUND, Visible, replaced, returned_as_another, rewound

HEADS = ("FID", "FBillNo", "FDocumentStatus", "FCreateDate", "FModifyDate")
LAYOUT = Layout(Facts("AP_PAYBILL"), HEADS)
HORIZON = "2026-11-23T11:55:00"
MONDAY, TUESDAY, WEDNESDAY, NOW = (f"2026-11-{day}T12:00:00" for day in (16, 17, 18, 23))


def row(created: Any = MONDAY, modified: Any = TUESDAY, number: Any = "K7", status: str = "A") -> Row:
    return [7, number, status, created, modified]


def is_rewound(before: Any, after: Any, horizon: str = HORIZON) -> bool:
    return rewound(row(modified=before), LAYOUT, row(modified=after), LAYOUT, horizon)


def test_a_document_that_was_modified_before_the_state_we_know() -> None:
    assert is_rewound(WEDNESDAY, TUESDAY)
    assert not is_rewound(TUESDAY, WEDNESDAY)
    assert not is_rewound(TUESDAY, TUESDAY)


def test_a_server_clock_that_was_set_back_by_minutes_is_no_restore() -> None:
    assert not is_rewound("2026-11-23T11:59:30", "2026-11-23T11:58:00")


def test_a_document_dated_2099_that_is_corrected_is_no_restore() -> None:
    assert not is_rewound("2099-01-01T00:00:00", NOW)


@pytest.mark.parametrize("missing", [None, "", " ", "0001-01-01T00:00:00", 0, "no date"])
def test_a_missing_date_is_no_evidence(missing: Any) -> None:
    assert not is_rewound(WEDNESDAY, missing)
    assert not is_rewound(missing, TUESDAY)
    assert not is_rewound(WEDNESDAY, TUESDAY, horizon="")
    assert not replaced(row(created=missing), LAYOUT, row(number="K8"), LAYOUT)
    assert not replaced(row(), LAYOUT, row(created=missing, number="K8"), LAYOUT)


def test_a_form_without_those_fields() -> None:
    bare = Layout(Facts("X", number=None, created=None, modified=None), ("FID",))
    assert not rewound([7], bare, [7], bare, HORIZON)
    assert not replaced([7], bare, [7], bare)
    assert not returned_as_another([7], bare, [7], bare)


def test_an_id_with_another_number_and_another_date_of_birth_is_another_document() -> None:
    assert replaced(row(), LAYOUT, row(created=NOW, number="K8"), LAYOUT)
    assert replaced(row(created=TUESDAY), LAYOUT, row(created=MONDAY, number="K8"), LAYOUT)


def test_a_document_that_is_given_another_number_stays_the_same() -> None:
    assert not replaced(row(), LAYOUT, row(number="K8"), LAYOUT)


def test_the_lost_number_is_given_again_too() -> None:
    assert replaced(row(modified=TUESDAY), LAYOUT, row(created=WEDNESDAY), LAYOUT)
    assert not replaced(row(modified=WEDNESDAY), LAYOUT, row(created=TUESDAY), LAYOUT)


def test_a_change_says_that_it_is_strange() -> None:
    old = Snapshot(4, LAYOUT, row(modified=WEDNESDAY, status="C"))
    back = compare(old, row(modified=TUESDAY, status="B"), LAYOUT, HORIZON)
    assert back is not None
    assert (back.kinds, back.strange, back.version) == ((T.UNAPPROVED, T.SUBMITTED), REWOUND, 5)
    usual = compare(old, row(modified=NOW, status="B"), LAYOUT, HORIZON)
    assert usual is not None
    assert usual.strange == ""


def test_another_document_under_a_known_id_is_a_new_one() -> None:
    change = compare(Snapshot(4, LAYOUT, row(status="C")), row(created=NOW, number="K8", status="B"), LAYOUT, HORIZON)
    assert change is not None
    assert (change.kinds, change.strange) == ((T.CREATED, T.SUBMITTED), REPLACED)
    assert (change.old, change.version) == (None, 5)


def test_another_document_that_looks_the_same_is_a_new_one_too() -> None:
    change = compare(Snapshot(1, LAYOUT, row()), row(created=NOW, modified=NOW), LAYOUT)
    assert change is not None
    assert change.kinds == (T.CREATED,)


def visible(*rows: Row) -> Visible:
    seen = Visible()
    seen.add(rows, LAYOUT)
    return seen


def test_what_is_missing_above_the_highest_id_was_the_newest() -> None:
    seen = visible([7, "K7", "A", WEDNESDAY, NOW], [9, "K9", "A", MONDAY, NOW])
    assert seen.is_older_than("10", TUESDAY)
    assert not seen.is_older_than("8", NOW)


def test_texts_as_keys_are_told_by_the_date_of_birth() -> None:
    seen = visible(["b", "K7", "A", MONDAY, NOW], ["c", "K8", "A", TUESDAY, NOW])
    assert seen.is_older_than("a", WEDNESDAY)
    assert not seen.is_older_than("d", TUESDAY)
    assert not seen.is_older_than("d", "")
    assert not visible(["b", "K7", "A", None, None]).is_older_than("d", WEDNESDAY)


def test_a_form_that_shows_nothing_was_not_restored() -> None:
    assert not Visible().is_older_than("10", WEDNESDAY)


DATES = st.sampled_from([MONDAY, TUESDAY, WEDNESDAY, NOW, None, " ", "0001-01-01T00:00:00"])
ROWS = st.builds(row, DATES, DATES, st.sampled_from(["K7", "K8", " ", None]), st.sampled_from("ABCD"))


@given(ROWS, ROWS)
def test_nothing_is_strange_about_a_document_that_only_moves_on(old: Row, new: Row) -> None:
    change = compare(
        Snapshot(1, LAYOUT, old), [7, old[1], new[2], old[3], max(str(old[4] or ""), NOW)], LAYOUT, HORIZON
    )
    assert change is None or change.strange == ""


@given(ROWS)
def test_a_document_is_never_another_than_itself(same: Row) -> None:
    assert not replaced(same, LAYOUT, list(same), LAYOUT)
    assert not returned_as_another(same, LAYOUT, list(same), LAYOUT)
    assert not rewound(same, LAYOUT, list(same), LAYOUT, HORIZON)
