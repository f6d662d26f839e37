"""ExecuteBillQuery and BillQuery: shapes, paging and what they keep silent about."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from json import loads
from typing import Any

import pytest

from kdsync.clock import FakeClock
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.kingdee_forms import Form

FORM = "AP_PAYBILL"
SUPPLIER = {"id": 7, "FNumber": "V001", "FName": "供应商'\"<一>"}
Refusal = Callable[[Any], dict[str, Any]]


def test_values_come_in_the_order_of_the_keys(erp: SimulatedKingdee, caller: Any) -> None:
    doc_id = erp.create(FORM, "FKD1", FCONTACTUNIT=SUPPLIER, FREALPAYAMOUNTFOR="12.50")
    keys = "FBillNo,FID,FREALPAYAMOUNTFOR,FCONTACTUNIT,FCONTACTUNIT.FNumber,FCONTACTUNIT.FName"
    assert caller.query(FORM, keys) == [["FKD1", doc_id, 12.5, 7, "V001", "供应商'\"<一>"]]


def test_nothing_found_is_an_empty_list(caller: Any) -> None:
    assert caller.query(FORM, "FID") == []


def test_empty_text_is_one_blank_and_unset_base_data_is_zero_without_a_name(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM)
    keys = "FREMARK,FCONTACTUNIT,FCONTACTUNIT.FName,FApproverId,FApproveDate,FREALPAYAMOUNTFOR"
    assert caller.query(FORM, keys) == [[" ", 0, None, 0, None, 0.0]]


def test_flags_are_booleans_and_may_be_filtered_as_one(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create("ER_ExpReimbursement", "A1", FRealPay=True)
    erp.create("ER_ExpReimbursement", "A2")
    assert caller.query("ER_ExpReimbursement", "FRealPay") == [[True], [False]]
    assert caller.query("ER_ExpReimbursement", "FBillNo", "FRealPay='1'") == [["A1"]]


def test_an_amount_keeps_every_digit(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM, FREALPAYAMOUNTFOR=Decimal("1234567890123456.789"))
    body = {"data": {"FormId": FORM, "FieldKeys": "FREALPAYAMOUNTFOR"}}
    text = caller.post("ExecuteBillQuery", body).text
    assert loads(text, parse_float=Decimal) == [[Decimal("1234567890123456.789")]]


def test_a_whole_amount_still_has_a_decimal(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM, FREALPAYAMOUNTFOR=100)
    body = {"data": {"FormId": FORM, "FieldKeys": "FREALPAYAMOUNTFOR"}}
    assert caller.post("ExecuteBillQuery", body).text == "[[100.0]]"


def test_an_entry_field_repeats_the_head_for_each_entry_row(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM, "P1", entries=[{"FCOMMENT": "one"}, {"FCOMMENT": "two"}])
    rows = caller.query(FORM, "FBillNo,FPAYBILLENTRY_FSeq,FCOMMENT", order="FID,FPAYBILLENTRY_FEntryID")
    assert rows == [["P1", 1, "one"], ["P1", 2, "two"]]


def test_head_fields_alone_give_one_row_a_document(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM, "P1", entries=[{}, {}])
    assert caller.query(FORM, "FBillNo") == [["P1"]]


def test_an_entry_field_in_the_filter_alone_flattens_too(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM, "P1", entries=[{"FREALPAYAMOUNTFOR_D": 5}, {"FREALPAYAMOUNTFOR_D": 6}, {}])
    assert caller.query(FORM, "FBillNo", "FREALPAYAMOUNTFOR_D > 4.9") == [["P1"], ["P1"]]


def test_a_document_without_entry_rows_still_comes(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM, "P1")
    assert caller.query(FORM, "FBillNo,FPAYBILLENTRY_FEntryID,FREALPAYAMOUNTFOR_D") == [["P1", None, None]]


def test_two_sibling_entries_multiply(erp: SimulatedKingdee, caller: Any) -> None:
    entries: Any = {"FEntityDetail": [{}, {}], "FEntityPlan": [{"FPAYAMOUNTFOR": 1}, {"FPAYAMOUNTFOR": 2}]}
    erp.create("AR_receivable", entries=entries)
    assert len(caller.query("AR_receivable", "FALLAMOUNTFOR_D,FPAYAMOUNTFOR")) == 4


def test_bill_query_names_the_values(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM, "P1", FCONTACTUNIT=SUPPLIER)
    body = {"data": {"FormId": FORM, "FieldKeys": "FBillNo,FCONTACTUNIT.FNumber"}}
    assert caller.post("BillQuery", body).json() == [{"FBillNo": "P1", "FCONTACTUNIT.FNumber": "V001"}]


def test_two_hundred_fields_in_one_query(erp: SimulatedKingdee, caller: Any) -> None:
    keys = [f"F_X_{number}" for number in range(200)]
    erp.define_form(Form.parse("X_Wide", "FBillNo " + " ".join(f"{key}:amount" for key in keys), status=""))
    amounts: dict[str, Any] = {key: position for position, key in enumerate(keys)}
    erp.create("X_Wide", **amounts)
    assert caller.query("X_Wide", ",".join(keys)) == [[float(number) for number in range(200)]]
    body = {"data": {"FormId": "X_Wide", "FieldKeys": ",".join(keys)}}
    assert caller.post("BillQuery", body).json() == [{key: float(at) for at, key in enumerate(keys)}]


@pytest.mark.parametrize("key", ["FBillNo", "FBILLNO", "FPAYBILLENTRY_FENTRYID"])
def test_a_key_is_known_as_it_is_and_in_capitals(erp: SimulatedKingdee, caller: Any, key: str) -> None:
    erp.create(FORM, entries=[{}])
    assert len(caller.query(FORM, key)) == 1


@pytest.mark.parametrize("key", ["fbillno", "FBillno", "FNope", "FCONTACTUNIT.FPhone", "FCreateDate as x", "FEntryID"])
def test_one_unknown_key_fails_the_whole_query(caller: Any, refusal: Refusal, key: str) -> None:
    answer = caller.query(FORM, f"FID,{key}")
    assert isinstance(answer[0][0], dict)
    assert refusal(answer) == {"code": 9, "texts": [f"元数据中标识为{key}的字段不存在"]}


def test_an_error_of_bill_query_stands_alone(caller: Any, refusal: Refusal) -> None:
    answer = caller.post("BillQuery", {"data": {"FormId": FORM, "FieldKeys": "FNope"}}).json()
    assert set(answer) == {"Result"}
    assert refusal(answer)["code"] == 9


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"FormId": "X_Nothing"}, 4),
        ({"FormId": ""}, 5),
        ({"FieldKeys": ""}, 8),
        ({"FilterString": "FID >"}, 4),
        ({"OrderString": "FID SIDEWAYS"}, 4),
        ({"OrderString": "FNope"}, 9),
        ({"Limit": -1}, 8),
        ({"StartRow": "x"}, 8),
    ],
)
def test_what_is_wrong_with_a_query_has_its_code(
    caller: Any, refusal: Refusal, change: dict[str, Any], code: int
) -> None:
    body = {"data": {"FormId": FORM, "FieldKeys": "FID", **change}}
    assert refusal(caller.post("ExecuteBillQuery", body).json())["code"] == code


def test_an_unknown_form_is_named(caller: Any, refusal: Refusal) -> None:
    assert refusal(caller.query("X_Nothing", "FID"))["texts"] == ["标识为“X_Nothing”的业务对象不存在，或者被删除"]


def test_the_case_of_the_form_does_not_matter(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM, "P1")
    assert caller.query("ap_paybill", "FBillNo") == [["P1"]]


def test_no_limit_means_two_thousand_rows(erp: SimulatedKingdee, caller: Any) -> None:
    erp.load(FORM, ({} for _ in range(2001)))
    assert len(caller.query(FORM, "FID")) == 2000


def test_a_limit_above_ten_thousand_is_cut_silently(erp: SimulatedKingdee, caller: Any) -> None:
    erp.load(FORM, ({} for _ in range(10_001)))
    assert len(caller.query(FORM, "FID", Limit=20_000)) == 10_000


def test_a_server_may_cap_its_pages_lower(clock: FakeClock, caller: Any) -> None:
    with SimulatedKingdee(clock, max_page=3) as small:
        small.load(FORM, ({} for _ in range(5)))
        caller.erp = small
        caller.log_in()
        assert len(caller.query(FORM, "FID", Limit=2000)) == 3


def test_start_row_counts_flattened_rows(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM, entries=[{"FCOMMENT": str(number)} for number in range(5)])
    rows = caller.query(FORM, "FCOMMENT", order="FPAYBILLENTRY_FEntryID", StartRow=3, Limit=10)
    assert rows == [["3"], ["4"]]


def test_top_row_count_truncates_a_page_silently(erp: SimulatedKingdee, caller: Any) -> None:
    erp.load(FORM, ({} for _ in range(10)))
    assert len(caller.query(FORM, "FID", TopRowCount=5, StartRow=3, Limit=4)) == 2
    assert caller.query(FORM, "FID", TopRowCount=5, StartRow=6, Limit=4) == []


def test_without_an_order_the_newest_comes_first(erp: SimulatedKingdee, caller: Any) -> None:
    first, second = erp.create(FORM), erp.create(FORM)
    assert caller.query(FORM, "FID", order="") == [[second], [first]]


def test_amounts_are_ordered_as_numbers(erp: SimulatedKingdee, caller: Any) -> None:
    for amount in ("9.5", "100", "-3"):
        erp.create(FORM, FREALPAYAMOUNTFOR=amount)
    assert caller.query(FORM, "FREALPAYAMOUNTFOR", order="FREALPAYAMOUNTFOR DESC") == [[100.0], [9.5], [-3.0]]


def test_a_lost_permission_shows_as_no_rows(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM)
    erp.grant(FORM, allowed=False)
    assert caller.query(FORM, "FID") == []
    erp.grant(FORM, allowed=True)
    assert len(caller.query(FORM, "FID")) == 1


def test_a_narrowed_permission_shows_as_fewer_rows(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM, "P1")
    erp.create(FORM, "P2")
    erp.grant(FORM, "FBillNo = 'P2'")
    assert caller.query(FORM, "FBillNo", "FBillNo like 'P%' or FID > 0") == [["P2"]]


def test_every_request_is_noted(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM)
    caller.query(FORM, "FID", "FID > 0")
    (noted,) = erp.requests
    assert (noted.op, noted.form, noted.rows, noted.fault) == ("ExecuteBillQuery", FORM, 1, "")
    assert noted.data["FilterString"] == "FID > 0"


def test_ids_of_stock_rows_are_texts(erp: SimulatedKingdee, caller: Any) -> None:
    ids = sorted(str(erp.create("STK_Inventory", FQty=number)) for number in range(3))
    assert caller.query("STK_Inventory", "FID", f"FID > '{ids[0]}'") == [[ids[1]], [ids[2]]]
