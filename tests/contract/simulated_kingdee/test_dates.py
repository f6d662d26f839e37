"""Dates: ticks, which operation moves which, commits that come late, and the server's clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.clock import FakeClock
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.kingdee_answers import Refusal
from kdsync.simulator.kingdee_values import read_moment, show_moment

FORM = "AP_PAYBILL"
DATES = ("FCreateDate", "FModifyDate", "FApproveDate")
NINE = "2026-11-23T09:00:00"


def dates(erp: SimulatedKingdee, doc_id: int | str) -> list[str | None]:
    document = erp.document(FORM, doc_id)
    return [document[key] for key in DATES]


@pytest.mark.parametrize(
    ("microsecond", "shown"),
    [(0, ""), (1000, ""), (2000, ".003"), (380_000, ".38"), (393_000, ".393"), (645_100, ".647"), (720_000, ".72")],
)
def test_a_fraction_is_a_tick_without_trailing_zeros(microsecond: int, shown: str) -> None:
    assert show_moment(datetime(2026, 1, 1, 8, 0, 0, microsecond)) == f"2026-01-01T08:00:00{shown}"  # noqa: DTZ001


def test_the_last_tick_carries_into_the_next_second() -> None:
    assert show_moment(datetime(2026, 12, 31, 23, 59, 59, 999_000)) == "2027-01-01T00:00:00"  # noqa: DTZ001


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2099, 1, 1)))  # noqa: DTZ001
def test_a_shown_moment_reads_back_the_same(moment: datetime) -> None:
    shown = show_moment(moment)
    assert read_moment(shown) == shown
    assert abs(datetime.fromisoformat(shown) - moment) <= timedelta(milliseconds=3)


@given(st.datetimes(), st.datetimes())
def test_shown_moments_sort_as_the_moments_do(one: datetime, other: datetime) -> None:
    if one.year < 1000 or other.year < 1000 or max(one, other).year > 9998:
        return
    assert (show_moment(one) <= show_moment(other)) or one > other


def test_dates_are_local_to_the_server(clock: FakeClock) -> None:
    erp = SimulatedKingdee(clock, timezone="Asia/Ho_Chi_Minh")
    assert dates(erp, erp.create(FORM))[0] == "2026-11-23T08:00:00"


def test_a_new_document_has_one_moment_for_creation_and_change(erp: SimulatedKingdee) -> None:
    assert dates(erp, erp.create(FORM)) == [NINE, NINE, None]


def test_an_edit_moves_the_date_of_change_alone(erp: SimulatedKingdee, clock: FakeClock) -> None:
    doc_id = erp.create(FORM)
    clock.advance(1.5)
    erp.edit(FORM, doc_id, FREMARK="x")
    assert dates(erp, doc_id) == [NINE, f"{NINE[:-2]}01.5", None]


def test_submitting_and_rejecting_move_no_date(erp: SimulatedKingdee, clock: FakeClock) -> None:
    doc_id = erp.create(FORM)
    clock.advance(60)
    erp.submit(FORM, doc_id)
    erp.reject(FORM, doc_id)
    assert dates(erp, doc_id) == [NINE, NINE, None]


def test_an_audit_moves_its_own_date_and_not_that_of_change(erp: SimulatedKingdee, clock: FakeClock) -> None:
    doc_id = erp.create(FORM, status="B")
    clock.advance(60)
    erp.audit(FORM, doc_id)
    assert dates(erp, doc_id) == [NINE, NINE, "2026-11-23T09:01:00"]


def test_an_unaudit_clears_date_and_approver_and_moves_nothing(erp: SimulatedKingdee, clock: FakeClock) -> None:
    doc_id = erp.create(FORM, status="C")
    assert erp.document(FORM, doc_id)["FApproverId"]["FUserAccount"] == "kdsync"
    clock.advance(60)
    erp.unaudit(FORM, doc_id)
    document = erp.document(FORM, doc_id)
    assert dates(erp, doc_id) == [NINE, NINE, None]
    assert (document["FApproverId"], document["FDocumentStatus"]) == (None, "D")


def test_a_write_back_moves_no_date_in_any_status(erp: SimulatedKingdee, clock: FakeClock) -> None:
    doc_id = erp.create(FORM, status="C")
    clock.advance(60)
    erp.write_back(FORM, doc_id, FWRITTENOFFSTATUS="C")
    assert dates(erp, doc_id) == [NINE, NINE, NINE]
    assert erp.document(FORM, doc_id)["FWRITTENOFFSTATUS"] == "C"


def test_voiding_a_finance_bill_moves_no_date(erp: SimulatedKingdee, clock: FakeClock) -> None:
    doc_id = erp.create(FORM)
    clock.advance(60)
    erp.cancel(FORM, doc_id)
    assert dates(erp, doc_id) == [NINE, NINE, None]


def test_an_order_has_dates_for_voiding_and_closing(erp: SimulatedKingdee, clock: FakeClock) -> None:
    voided, closed = erp.create("PUR_PurchaseOrder"), erp.create("PUR_PurchaseOrder", status="C")
    clock.advance(60)
    erp.cancel("PUR_PurchaseOrder", voided)
    erp.close("PUR_PurchaseOrder", closed)
    assert erp.document("PUR_PurchaseOrder", voided)["FCancelDate"] == "2026-11-23T09:01:00"
    order = erp.document("PUR_PurchaseOrder", closed)
    assert (order["FCloseDate"], order["FModifyDate"]) == ("2026-11-23T09:01:00", NINE)
    erp.unclose("PUR_PurchaseOrder", closed)
    assert erp.document("PUR_PurchaseOrder", closed)["FCloseDate"] is None


def test_base_data_has_an_audit_date_of_another_name(erp: SimulatedKingdee) -> None:
    supplier = erp.create("BD_Supplier", "V1", "B", FName="甲")
    erp.audit("BD_Supplier", supplier)
    assert erp.document("BD_Supplier", supplier)["FAuditDate"] == NINE


def test_dates_may_be_given(erp: SimulatedKingdee) -> None:
    moment = datetime(2026, 1, 1, 0, 0, tzinfo=UTC)
    doc_id = erp.create(FORM, FDATE=date(2026, 3, 1), FModifyDate=None, FCreateDate=moment, FApproveDate="2099-01-01")
    document = erp.document(FORM, doc_id)
    assert document["FDATE"] == "2026-03-01T00:00:00"
    assert dates(erp, doc_id) == ["2026-01-01T08:00:00", None, "2099-01-01T00:00:00"]


def test_two_documents_in_one_tick_have_one_date(erp: SimulatedKingdee, clock: FakeClock) -> None:
    first = erp.create(FORM)
    clock.advance(0.001)
    assert dates(erp, first) == dates(erp, erp.create(FORM))


def test_a_late_commit_is_dated_before_it_is_seen(erp: SimulatedKingdee, clock: FakeClock, caller: Any) -> None:
    with erp.late(30):
        doc_id = erp.create(FORM, "P1")
        erp.submit(FORM, doc_id)
    clock.advance(29)
    assert caller.query(FORM, "FBillNo") == []
    clock.advance(1)
    assert caller.query(FORM, "FBillNo,FDocumentStatus,FCreateDate") == [["P1", "B", NINE]]


def test_a_late_step_that_is_not_allowed_any_more_is_rolled_back(
    erp: SimulatedKingdee, clock: FakeClock, caller: Any
) -> None:
    doc_id = erp.create(FORM)
    with erp.late(30):
        erp.submit(FORM, doc_id)
    erp.cancel(FORM, doc_id)
    clock.advance(30)
    assert caller.query(FORM, "FDocumentStatus") == [["A"]]


def test_a_late_edit_of_a_document_that_is_gone_by_then(erp: SimulatedKingdee, clock: FakeClock) -> None:
    doc_id = erp.create(FORM)
    with erp.late(30):
        erp.edit(FORM, doc_id, FREMARK="x")
    erp.delete(FORM, doc_id)
    clock.advance(30)
    assert erp.documents(FORM) == []


def test_a_skewed_server_stamps_and_answers_by_its_own_clock(clock: FakeClock, caller: Any) -> None:
    with SimulatedKingdee(clock, clock_skew=3600) as erp:
        assert dates(erp, erp.create(FORM))[0] == "2026-11-23T10:00:00"
        answer = caller.http.get(erp.url, timeout=10)
        assert parsedate_to_datetime(answer.headers["Date"]) == datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
        erp.clock_skew = -60
        assert dates(erp, erp.create(FORM))[0] == "2026-11-23T08:59:00"


@pytest.mark.parametrize("value", ["soon", "2026-02-30", "23.11.2026"])
def test_a_text_that_is_no_date_is_refused(erp: SimulatedKingdee, value: str) -> None:
    with pytest.raises(ValueError, match=r"date|day|month"):
        erp.create(FORM, FDATE=value)


def test_an_approved_bill_cannot_be_edited_but_base_data_can(erp: SimulatedKingdee) -> None:
    supplier = erp.create("BD_Supplier", "V1", "C")
    erp.edit("BD_Supplier", supplier, FName="乙")
    assert erp.document("BD_Supplier", supplier)["FName"] == "乙"
    bill = erp.create(FORM, status="C")
    with pytest.raises(Refusal, match="不允许修改"):
        erp.edit(FORM, bill, FREMARK="x")
