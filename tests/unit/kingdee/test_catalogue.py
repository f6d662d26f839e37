"""What the built-in table of forms promises."""

from __future__ import annotations

import pytest

from kdsync.kingdee.catalogue import KNOWN, facts_without_metadata, known
from kdsync.model import Facts


@pytest.mark.parametrize("form", ["AP_PAYBILL", "ap_paybill", "Ap_PayBill"])
def test_forms_are_found_in_any_case(form: str) -> None:
    facts = known(form)
    assert facts is not None
    assert facts.form == "AP_PAYBILL"


def test_each_form_is_there_once_and_has_three_names() -> None:
    assert len({facts.form.casefold() for facts in KNOWN}) == len(KNOWN) == 24
    for facts in KNOWN:
        assert set(facts.title) == {"zh", "en", "vi"}
        assert all(facts.title.values())


def test_stock_has_no_dates_no_status_and_no_number() -> None:
    stock = facts_without_metadata("STK_Inventory")
    assert (stock.dates, stock.status, stock.number, stock.entry) == ((), None, None, None)


@pytest.mark.parametrize(
    ("form", "pk"),
    [
        ("BD_MATERIAL", "FMATERIALID"),
        ("BD_Customer", "FCUSTID"),
        ("GL_VOUCHER", "FVOUCHERID"),
        ("SEC_User", "FUserID"),
        ("SAL_SaleOrder", "FID"),
    ],
)
def test_primary_keys_differ(form: str, pk: str) -> None:
    assert facts_without_metadata(form).pk == pk


@pytest.mark.parametrize(
    ("form", "where"),
    [
        ("AP_Payable", "FWRITTENOFFSTATUS <> 'C'"),
        ("AR_receivable", "FWRITTENOFFSTATUS <> 'C'"),
        ("SAL_SaleOrder", "FCloseStatus = 'A'"),
        ("CN_PAYAPPLY", "FCLOSESTATUS = 'A'"),
        ("AP_PAYBILL", None),
    ],
)
def test_which_approved_documents_are_still_alive(form: str, where: str | None) -> None:
    assert facts_without_metadata(form).open == where


def test_dates_whose_names_are_not_sure_are_left_to_the_metadata() -> None:
    assert not any(facts.other_dates for facts in KNOWN)


def test_an_unknown_form_is_taken_for_a_bill() -> None:
    assert known("F_ABC_Custom") is None
    assert facts_without_metadata("F_ABC_Custom") == Facts("F_ABC_Custom")
