"""Save and Draft: models, base data, entry rows and their traps."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from kdsync.clock import FakeClock
from kdsync.simulator.kingdee import SimulatedKingdee

FORM = "AP_PAYBILL"
PAYABLE = "AP_Payable"
Refusal = Callable[[Any], dict[str, Any]]


def only(erp: SimulatedKingdee, form: str = FORM) -> dict[str, Any]:
    (document,) = erp.documents(form)
    return document


def test_a_new_bill_gets_an_id_and_the_next_number(erp: SimulatedKingdee, caller: Any) -> None:
    model = {"FREALPAYAMOUNTFOR": 12.5, "FPAYBILLENTRY": [{"FCOMMENT": "one"}, {"FCOMMENT": "two"}]}
    result = caller.call("Save", FORM, Model=model, NeedReturnFields=["FBillNo", "FNope"])["Result"]
    document = only(erp)
    assert (result["Id"], result["Number"]) == (document["FID"], "FKD000001")
    assert result["NeedReturnData"] == [{"FBillNo": "FKD000001"}]
    assert (document["FDocumentStatus"], document["FREALPAYAMOUNTFOR"]) == ("A", Decimal("12.5"))
    assert [row["FCOMMENT"] for row in document["entries"]] == ["one", "two"]


def test_a_draft_has_no_number(erp: SimulatedKingdee, caller: Any) -> None:
    caller.call("Draft", FORM, Model={"FREMARK": "x"})
    assert (only(erp)["FDocumentStatus"], only(erp)["FBillNo"].strip()) == ("Z", "")


def test_a_number_that_is_taken(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    erp.create(FORM, "P1")
    assert "唯一" in refusal(caller.call("Save", FORM, Model={"FBillNo": "P1"}))["texts"][0]


def test_an_edit_changes_what_the_model_names(erp: SimulatedKingdee, caller: Any, clock: FakeClock) -> None:
    doc_id = erp.create(FORM, "P1", creator=erp.add_user("zhangsan", "张三"), FREMARK="old", FREALPAYAMOUNTFOR=5)
    clock.advance(60)
    caller.call("Save", FORM, Model={"FID": doc_id, "FREMARK": "new"})
    document = only(erp)
    assert (document["FBillNo"], document["FREMARK"], document["FREALPAYAMOUNTFOR"]) == ("P1", "new", Decimal("5.0"))
    assert (document["FModifyDate"], document["FModifierId"]["id"]) == ("2026-11-23T09:01:00", erp.user)


@pytest.mark.parametrize("status", ["B", "C"])
def test_a_bill_in_approval_or_approved_cannot_be_saved(
    erp: SimulatedKingdee, caller: Any, refusal: Refusal, status: str
) -> None:
    doc_id = erp.create(FORM, status=status)
    assert "审核" in refusal(caller.call("Save", FORM, Model={"FID": doc_id, "FREMARK": "x"}))["texts"][0]


def test_a_model_cannot_set_the_status(erp: SimulatedKingdee, caller: Any) -> None:
    caller.call("Save", FORM, Model={"FDocumentStatus": "C"})
    assert only(erp)["FDocumentStatus"] == "A"


def test_a_model_may_set_the_date_of_change(erp: SimulatedKingdee, caller: Any) -> None:
    caller.call("Save", FORM, Model={"FModifyDate": "2020-01-01"})
    assert only(erp)["FModifyDate"] == "2020-01-01T00:00:00"


def test_keys_as_view_has_them_are_ignored_silently(erp: SimulatedKingdee, caller: Any) -> None:
    answer = caller.call("Save", FORM, Model={"REMARK": "x", "FNope": 1})
    assert answer["Result"]["ResponseStatus"]["IsSuccess"] is True
    assert only(erp)["FREMARK"] == " "


def with_rows(erp: SimulatedKingdee) -> tuple[Any, list[int]]:
    doc_id = erp.create(FORM, entries=[{"FCOMMENT": "one"}, {"FCOMMENT": "two", "FREALPAYAMOUNTFOR_D": 7}])
    return doc_id, [row["FEntryID"] for row in erp.document(FORM, doc_id)["entries"]]


def test_entry_rows_that_are_not_sent_are_deleted(erp: SimulatedKingdee, caller: Any) -> None:
    doc_id, (_, second) = with_rows(erp)
    rows = [{"FEntryID": second, "FCOMMENT": "TWO"}, {"FCOMMENT": "three"}]
    caller.call("Save", FORM, Model={"FID": doc_id, "FPAYBILLENTRY": rows})
    left = only(erp)["entries"]
    assert [(row["FSeq"], row["FCOMMENT"]) for row in left] == [(1, "TWO"), (2, "three")]
    assert (left[0]["FEntryID"], left[0]["FREALPAYAMOUNTFOR_D"]) == (second, Decimal("7.0"))


def test_a_save_without_rows_deletes_all_of_them(erp: SimulatedKingdee, caller: Any) -> None:
    doc_id, _ = with_rows(erp)
    caller.call("Save", FORM, Model={"FID": doc_id, "FREMARK": "x"})
    assert only(erp)["entries"] == []


@pytest.mark.parametrize("off", [False, "false"])
def test_is_delete_entry_off_keeps_them(erp: SimulatedKingdee, caller: Any, off: Any) -> None:
    doc_id, (first, _) = with_rows(erp)
    model = {"FID": doc_id, "FPAYBILLENTRY": [{"FEntryID": first, "FCOMMENT": "ONE"}]}
    caller.call("Save", FORM, Model=model, IsDeleteEntry=off)
    assert sorted(row["FCOMMENT"] for row in only(erp)["entries"]) == ["ONE", "two"]


def test_need_up_date_fields_limits_what_is_written(erp: SimulatedKingdee, caller: Any) -> None:
    doc_id, _ = with_rows(erp)
    model = {"FID": doc_id, "FREMARK": "x", "FREALPAYAMOUNTFOR": 9, "FPAYBILLENTRY": [{"FCOMMENT": "new"}]}
    caller.call("Save", FORM, Model=model, NeedUpDateFields=["FREMARK"], IsDeleteEntry=False)
    document = only(erp)
    assert (document["FREMARK"], document["FREALPAYAMOUNTFOR"], len(document["entries"])) == ("x", Decimal("0.0"), 2)


def test_an_entry_row_of_another_bill(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    doc_id = erp.create(FORM)
    rows = [{"FEntryID": 424242}]
    assert refusal(caller.call("Save", FORM, Model={"FID": doc_id, "FPAYBILLENTRY": rows}))["code"] == 10


def test_base_data_is_found_by_its_number(erp: SimulatedKingdee, caller: Any) -> None:
    supplier = erp.create("BD_Supplier", "V1", "C", FName="甲公司")
    caller.call("Save", PAYABLE, Model={"FSUPPLIERID": {"FNumber": "V1"}})
    assert only(erp, PAYABLE)["FSUPPLIERID"] == {"id": supplier, "FNumber": "V1", "FName": "甲公司"}


def test_base_data_that_is_not_audited_counts_as_missing(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    erp.create("BD_Supplier", "V1", "A")
    answer = caller.call("Save", PAYABLE, Model={"FSUPPLIERID": {"FNumber": "V1"}})
    assert refusal(answer)["texts"] == ["字段“FSUPPLIERID”是必填项"]


def test_an_unknown_number_is_ignored_silently_unless_it_is_verified(
    erp: SimulatedKingdee, caller: Any, refusal: Refusal
) -> None:
    model = {"FSUPPLIERID": {"FNumber": "nobody"}}
    caller.call("Save", PAYABLE, Model=model)
    assert only(erp, PAYABLE)["FSUPPLIERID"] is None
    assert refusal(caller.call("Save", PAYABLE, Model=model, IsVerifyBaseDataField=True))["code"] == 9


def test_base_data_of_a_form_that_is_not_here_is_known_once_it_was_used(erp: SimulatedKingdee, caller: Any) -> None:
    yuan = {"id": 1, "FNumber": "PRE001", "FName": "人民币"}
    erp.create(PAYABLE, FCURRENCYID=yuan)
    caller.call("Save", PAYABLE, Model={"FCURRENCYID": {"FNUMBER": "PRE001"}})
    assert erp.documents(PAYABLE)[1]["FCURRENCYID"] == yuan


def test_a_user_is_found_by_id(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    user = erp.add_user("lisi", "李四")
    caller.call("Save", FORM, Model={"FCreatorId": {"FUserID": str(user)}}, IsVerifyBaseDataField="true")
    assert only(erp)["FCreatorId"]["FName"] == "李四"
    answer = caller.call("Save", FORM, Model={"FCreatorId": {"FUserID": "999"}}, IsVerifyBaseDataField="true")
    assert "999" in refusal(answer)["texts"][0]


def test_a_user_is_found_by_account(erp: SimulatedKingdee, caller: Any) -> None:
    user = erp.add_user("zhangsan", "张三")
    caller.call("Save", FORM, Model={"FModifierId": {"FUserAccount": "zhangsan"}})
    assert only(erp)["FModifierId"]["id"] == user


@pytest.mark.parametrize(
    ("data", "code"),
    [({}, 8), ({"Model": {"FID": 99}}, 10), ({"Model": {"FREALPAYAMOUNTFOR": "much"}}, 11)],
)
def test_what_is_wrong_with_a_model(caller: Any, refusal: Refusal, data: dict[str, Any], code: int) -> None:
    assert refusal(caller.call("Save", FORM, **data))["code"] == code
