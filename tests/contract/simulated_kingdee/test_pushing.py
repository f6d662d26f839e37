"""One bill begets another: rules, what is copied, and the link back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kdsync.simulator.kingdee import SimulatedKingdee

SOURCE, TARGET = "CN_PAYAPPLY", "AP_PAYBILL"
RULE = {"RuleId": "CN_PAYAPPLYTOPAYBILL"}
BY_DEFAULT = {"IsEnableDefaultRule": "true", "TargetFormId": TARGET}
Refusal = Callable[[Any], dict[str, Any]]


@pytest.fixture
def application(erp: SimulatedKingdee) -> int:
    supplier = {"id": 7, "FNumber": "V7", "FName": "Supplier"}
    rows: list[dict[str, Any]] = [{"FAPPLYAMOUNTFOR": 100}, {"FAPPLYAMOUNTFOR": "20.50"}]
    return int(
        erp.create(SOURCE, "SQ1", "C", entries=rows, FCONTACTUNIT=supplier, FAPPLYAMOUNTFOR_H="120.5", FDescription="x")
    )


def push(caller: Any, **data: Any) -> Any:
    return caller.call("Push", SOURCE, **{"Ids": "", "Numbers": [], **data})


@pytest.mark.parametrize("by", [RULE, BY_DEFAULT], ids=["by its id", "the default"])
def test_a_payment_made_of_an_application(
    erp: SimulatedKingdee, caller: Any, application: int, by: dict[str, Any]
) -> None:
    answer = push(caller, Ids=str(application), **by)["Result"]
    (made,) = answer["ResponseStatus"]["SuccessEntitys"]
    assert answer["ConvertResponseStatus"]["IsSuccess"] is True
    payment = erp.document(TARGET, made["Id"])
    assert made == {"Id": payment["FID"], "Number": payment["FBillNo"], "DIndex": 0}
    assert (payment["FDocumentStatus"], payment["FCONTACTUNIT"]["FNumber"]) == ("A", "V7")
    assert str(payment["FPAYAMOUNTFOR"]) == "120.5"
    assert [str(row["FREALPAYAMOUNTFOR_D"]) for row in payment["entries"]] == ["100.0", "20.5"]
    assert [row["FSRCBILLNO"] for row in payment["FPAYBILLSRCENTRY"]] == ["SQ1", "SQ1"]


def test_a_second_push_makes_a_second_bill_and_both_are_found_by_their_source(caller: Any, application: int) -> None:
    for _ in range(2):
        push(caller, Ids=str(application), **RULE)
    found = caller.query(TARGET, "FID,FBillNo", "FSRCBILLNO='SQ1'")
    assert len({row[0] for row in found}) == 2


def test_only_some_of_the_rows(erp: SimulatedKingdee, caller: Any, refusal: Refusal, application: int) -> None:
    row = erp.document(SOURCE, application)["entries"][1]["FEntryID"]
    (made,) = push(caller, EntryIds=str(row), **RULE)["Result"]["ResponseStatus"]["SuccessEntitys"]
    assert [str(row["FREALPAYAMOUNTFOR_D"]) for row in erp.document(TARGET, made["Id"])["entries"]] == ["20.5"]
    assert refusal(push(caller, Ids=str(application), EntryIds=str(row), **RULE))["code"] == 8


def test_a_link_in_the_rows_themselves(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create("PUR_Requisition", "R1", "C", entries=[{"FReqQty": 5}])
    answer = caller.call("Push", "PUR_Requisition", Numbers=["R1"], RuleId="PUR_Requisition-PUR_PurchaseOrder")
    (made,) = answer["Result"]["ResponseStatus"]["SuccessEntitys"]
    (row,) = erp.document("PUR_PurchaseOrder", made["Id"])["entries"]
    assert (row["FSrcBillNo"], str(row["FQty"])) == ("R1", "5.0")


def test_only_approved_bills_are_pushed(erp: SimulatedKingdee, caller: Any, refusal: Refusal, application: int) -> None:
    erp.create(SOURCE, "SQ2", "A")
    assert "未审核" in refusal(push(caller, Numbers=["SQ2"], **RULE))["texts"][0]
    assert "不存在" in refusal(push(caller, Ids="99", **RULE))["texts"][0]
    status = push(caller, Numbers=["SQ2", "SQ1"], **RULE)["Result"]["ResponseStatus"]
    assert [item["DIndex"] for item in status["Errors"]] == [0]
    assert [item["DIndex"] for item in status["SuccessEntitys"]] == [1]
    assert len(erp.documents(TARGET)) == 1
    assert erp.document(SOURCE, application)["FDocumentStatus"] == "C"


@pytest.mark.parametrize(
    "by",
    [
        {},
        {"RuleId": "nope"},
        {"RuleId": "PUR_Requisition-PUR_PurchaseOrder"},
        {"TargetFormId": TARGET},
        {"IsEnableDefaultRule": "true", "TargetFormId": "SAL_SaleOrder"},
    ],
)
def test_a_rule_that_does_not_exist(caller: Any, refusal: Refusal, application: int, by: dict[str, Any]) -> None:
    assert "转换规则" in refusal(push(caller, Ids=str(application), **by))["texts"][0]


def test_a_bill_that_cannot_be_saved_is_nothing_or_a_draft_without_a_number(
    erp: SimulatedKingdee, caller: Any, refusal: Refusal, application: int
) -> None:
    erp.pusher.saves = False
    answer = push(caller, Ids=str(application), **RULE)
    assert "必填" in refusal(answer)["texts"][0]
    assert answer["Result"]["ConvertResponseStatus"]["IsSuccess"] is True
    assert erp.documents(TARGET) == []
    answer = push(caller, Ids=str(application), IsDraftWhenSaveFail="true", **RULE)
    (made,) = answer["Result"]["ResponseStatus"]["SuccessEntitys"]
    assert made["Number"] == ""
    assert erp.document(TARGET, made["Id"])["FDocumentStatus"] == "Z"


def test_a_push_whose_answer_is_lost_was_made(erp: SimulatedKingdee, caller: Any, application: int) -> None:
    erp.fault("lost_reply", op="Push")
    with pytest.raises(OSError, match=r"."):
        push(caller, Ids=str(application), **RULE)
    assert len(erp.documents(TARGET)) == 1


def test_master_data_is_forbidden_and_enabled(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    supplier = str(erp.create("BD_Supplier", "V1", "C"))
    caller.operate("BD_Supplier", "Forbid", Ids=supplier)
    assert erp.document("BD_Supplier", int(supplier))["FForbidStatus"] == "B"
    assert refusal(caller.operate("BD_Supplier", "Forbid", Ids=supplier))["code"] == 11
    caller.operate("BD_Supplier", "Enable", Ids=supplier)
    assert erp.document("BD_Supplier", int(supplier))["FForbidStatus"] == "A"
