"""View, QueryBusinessInfo, users and bulk loading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.kingdee_forms import Form

FORM = "AP_PAYBILL"
Refusal = Callable[[Any], dict[str, Any]]


def test_view_has_keys_without_their_f(erp: SimulatedKingdee, caller: Any) -> None:
    user = erp.add_user("zhangsan", "张三")
    doc_id = erp.create(FORM, "P1", creator=user, FREALPAYAMOUNTFOR="12.5", entries=[{"FCOMMENT": "one"}])
    document = caller.call("View", FORM, Id=str(doc_id))["Result"]["Result"]
    assert (document["Id"], document["BillNo"], document["REALPAYAMOUNTFOR"]) == (doc_id, "P1", 12.5)
    assert document["CreatorId_Id"] == user
    named = {"Id": user, "UserAccount": "zhangsan", "Name": [{"Key": 2052, "Value": "张三"}]}
    assert document["CreatorId"] == named
    assert document["ApproverId"] is None
    assert document["PAYBILLENTRY"][0]["COMMENT"] == "one"
    assert caller.call("View", FORM, Number="P1")["Result"]["Result"] == document


@pytest.mark.parametrize(("data", "code"), [({"Id": "99"}, 10), ({"Number": "nope"}, 10), ({}, 8)])
def test_a_view_of_nothing(caller: Any, refusal: Refusal, data: dict[str, Any], code: int) -> None:
    assert refusal(caller.call("View", FORM, **data))["code"] == code


def test_a_view_without_the_permission(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    doc_id = erp.create(FORM)
    erp.grant(FORM, allowed=False)
    assert refusal(caller.call("View", FORM, Id=str(doc_id)))["code"] == 2


def test_the_metadata_of_a_form(caller: Any) -> None:
    info = caller.post("QueryBusinessInfo", {"data": {"FormId": FORM}}).json()["Result"]["NeedReturnData"]
    head, entry, _ = info["Entrys"]
    fields = {field["Key"]: field for field in head["Fields"]}
    assert (head["Key"], entry["Key"]) == ("FBillHead", "FPAYBILLENTRY")
    assert fields["FCreatorId"]["LookUpObjectFormId"] == "SEC_User"
    assert fields["FBillNo"]["LookUpObjectFormId"] is None
    assert {field["Key"] for field in entry["Fields"]} >= {"FREALPAYAMOUNTFOR_D", "FCOMMENT"}
    assert "Audit" in {operation["OperationNumber"] for operation in info["Operations"]}


def test_the_metadata_of_a_form_that_does_not_exist(caller: Any, refusal: Refusal) -> None:
    assert refusal(caller.post("QueryBusinessInfo", {"data": {"FormId": "X_Nothing"}}).json())["code"] == 4


def test_a_user_leads_to_a_phone_through_the_employee(erp: SimulatedKingdee, caller: Any) -> None:
    user = erp.add_user("zhangsan", "张三", "13800138000", "E001")
    (row,) = caller.query("SEC_User", "FLinkObject,FPhone,FName", f"FUserID={user}", order="")
    assert row[1:] == [" ", "张三"]
    where = f"FPersonID={row[0]}"
    assert caller.query("BD_Empinfo", "FMobile,FStaffNumber", where) == [["13800138000", "E001"]]


def test_a_user_without_a_phone_or_a_job_number(erp: SimulatedKingdee, caller: Any) -> None:
    erp.add_user("lisi", "李四")
    assert caller.query("BD_Empinfo", "FMobile,FStaffNumber") == [[" ", " "]]


def test_the_account_of_the_creator_can_be_asked_for(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM, creator=erp.add_user("zhangsan", "张三"))
    assert caller.query(FORM, "FCreatorId.FUserAccount,FCreatorId.FName") == [["zhangsan", "张三"]]


def test_a_form_of_ones_own(erp: SimulatedKingdee, caller: Any) -> None:
    words = "FBillNo FDocumentStatus FModifyDate:datetime F_TAX:amount F_PAID:flag"
    erp.define_form(Form.parse("X_Bill", words, {"FEntity": "F_NOTE"}, prefix="X"))
    doc_id = erp.create("X_Bill", F_TAX="0.13", entries=[{"F_NOTE": "a"}])
    rows = caller.query("X_Bill", "FID,FBillNo,F_TAX,F_PAID,F_NOTE,FEntity_FSeq")
    assert rows == [[doc_id, "X000001", 0.13, False, "a", 1]]
    with pytest.raises(ValueError, match="exists"):
        erp.define_form(Form.parse("x_bill", "FBillNo"))


def test_a_bulk_load_counts_on_and_keeps_what_it_is_given(erp: SimulatedKingdee, caller: Any) -> None:
    rows = [
        {"FREALPAYAMOUNTFOR": 1.25, "FModifyDate": "2026-01-01 00:00:00"},
        {"FID": 500_000, "FBillNo": "P9", "FCONTACTUNIT": {"id": 7, "FName": "甲"}, "entries": [{"FCOMMENT": "x"}]},
    ]
    erp.load(FORM, rows)
    after = erp.create(FORM)
    assert after == 500_001
    keys = "FID,FBillNo,FREALPAYAMOUNTFOR,FModifyDate,FCONTACTUNIT.FName,FDocumentStatus"
    assert caller.query(FORM, keys, f"FID <> {after}") == [
        [100_001, "FKD000001", 1.25, "2026-01-01T00:00:00", None, "A"],
        [500_000, "P9", 0.0, None, "甲", "A"],
    ]
    assert erp.document(FORM, 500_000)["entries"][0]["FCOMMENT"] == "x"


def test_a_misspelt_field_is_a_mistake_of_the_test(erp: SimulatedKingdee) -> None:
    with pytest.raises(ValueError, match="FREMARKS"):
        erp.create(FORM, FREMARKS="x")
    with pytest.raises(ValueError, match="FEntity"):
        erp.create(FORM, entries={"FEntity": [{}]})
    with pytest.raises(ValueError, match="FPhone"):
        erp.create(FORM, FCONTACTUNIT={"id": 1, "FPhone": "1"})


def test_a_number_can_be_used_once(erp: SimulatedKingdee) -> None:
    erp.create(FORM, "P1")
    with pytest.raises(ValueError, match="P1"):
        erp.create(FORM, "P1")


def test_entry_rows_are_edited_by_handing_them_back(erp: SimulatedKingdee) -> None:
    material = {"id": 3, "FNumber": "M1", "FName": "螺丝"}
    doc_id = erp.create("PUR_PurchaseOrder", entries=[{"FQty": 1, "FMaterialId": material}, {"FQty": 2}])
    first, second = erp.document("PUR_PurchaseOrder", doc_id)["entries"]
    erp.edit("PUR_PurchaseOrder", doc_id, entries=[second | {"FQty": 5}, first, {"FQty": 9}])
    rows = erp.document("PUR_PurchaseOrder", doc_id)["entries"]
    assert [int(row["FQty"]) for row in rows] == [5, 1, 9]
    assert [row["FEntryID"] for row in rows[:2]] == [second["FEntryID"], first["FEntryID"]]
    assert rows[1]["FMaterialId"] == material
