"""Submit, Audit and their like: over HTTP, document by document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.kingdee_answers import Refusal as Refused

FORM = "AP_PAYBILL"
ORDER = "PUR_PurchaseOrder"
Refusal = Callable[[Any], dict[str, Any]]

ALLOWED = {"Submit": "ZAD", "Audit": "B", "UnAudit": "C", "Delete": "ZAD", "Cancel": "ZAD"}
BECOMES = {"Submit": "B", "Audit": "C", "UnAudit": "D"}


@pytest.mark.parametrize("status", list("ZABCD"))
@pytest.mark.parametrize("operation", list(ALLOWED))
def test_each_operation_in_each_status(
    erp: SimulatedKingdee, caller: Any, refusal: Refusal, operation: str, status: str
) -> None:
    doc_id = erp.create(FORM, "P1", status)
    if operation == "Cancel":
        answer = caller.operate(FORM, operation, Ids=str(doc_id))
    else:
        answer = caller.call(operation, FORM, Numbers=["P1"])
    if status in ALLOWED[operation]:
        entity = {"Id": doc_id, "Number": "P1", "DIndex": 0}
        assert answer["Result"]["ResponseStatus"]["SuccessEntitys"] == [entity]
        assert answer["Result"]["ResponseStatus"]["IsSuccess"] is True
        left = [document["FDocumentStatus"] for document in erp.documents(FORM)]
        assert left == ([] if operation == "Delete" else [BECOMES.get(operation, status)])
    else:
        assert refusal(answer)["code"] == 11
        assert erp.document(FORM, doc_id)["FDocumentStatus"] == status


@pytest.mark.parametrize(
    ("operation", "status", "text"),
    [
        ("Submit", "B", "只有暂存、创建和重新审核的数据才允许提交"),
        ("Audit", "A", "请先提交"),
        ("Audit", "C", "单据已经审核"),
    ],
)
def test_the_texts_that_integrations_know(
    erp: SimulatedKingdee, caller: Any, refusal: Refusal, operation: str, status: str, text: str
) -> None:
    doc_id = erp.create(FORM, status=status)
    assert text in refusal(caller.call(operation, FORM, Ids=str(doc_id)))["texts"][0]


def test_some_of_several_documents_are_refused(erp: SimulatedKingdee, caller: Any) -> None:
    first, second, third = (erp.create(FORM, status=status) for status in "ACA")
    status = caller.call("Submit", FORM, Ids=f"{first},{second}, {third}")["Result"]["ResponseStatus"]
    assert status["IsSuccess"] is False
    assert [(entity["Id"], entity["DIndex"]) for entity in status["SuccessEntitys"]] == [(first, 0), (third, 2)]
    assert [error["DIndex"] for error in status["Errors"]] == [1]


def test_ids_win_over_numbers(erp: SimulatedKingdee, caller: Any) -> None:
    first, second = erp.create(FORM, "P1"), erp.create(FORM, "P2")
    caller.call("Submit", FORM, Ids=str(first), Numbers=["P2"])
    assert [erp.document(FORM, doc_id)["FDocumentStatus"] for doc_id in (first, second)] == ["B", "A"]


@pytest.mark.parametrize("data", [{"Ids": "99"}, {"Numbers": ["nope"]}])
def test_a_document_that_is_not_there(caller: Any, refusal: Refusal, data: dict[str, Any]) -> None:
    assert refusal(caller.call("Submit", FORM, **data))["code"] == 10


@pytest.mark.parametrize("data", [{}, {"Ids": [1, 2]}, {"Numbers": "P1"}])
def test_ids_are_a_text_and_numbers_a_list(caller: Any, refusal: Refusal, data: dict[str, Any]) -> None:
    assert refusal(caller.call("Submit", FORM, **data))["code"] == 8


def test_a_voided_bill_can_be_restored(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    doc_id = erp.create(FORM)
    caller.operate(FORM, "Cancel", Ids=str(doc_id))
    assert erp.document(FORM, doc_id)["FCancelStatus"] == "B"
    assert refusal(caller.operate(FORM, "Cancel", Ids=str(doc_id)))["code"] == 11
    caller.operate(FORM, "Uncancel", Ids=str(doc_id))
    assert erp.document(FORM, doc_id)["FCancelStatus"] == "A"


def test_a_voided_bill_cannot_be_submitted(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    doc_id = erp.create(FORM)
    erp.cancel(FORM, doc_id)
    assert "作废" in refusal(caller.call("Submit", FORM, Ids=str(doc_id)))["texts"][0]


def test_only_an_approved_order_can_be_closed(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    created, approved = erp.create(ORDER), erp.create(ORDER, status="C")
    assert refusal(caller.operate(ORDER, "BillClose", Ids=str(created)))["code"] == 11
    caller.operate(ORDER, "BillClose", Ids=str(approved))
    assert erp.document(ORDER, approved)["FCloseStatus"] == "B"
    caller.operate(ORDER, "BillUnClose", Ids=str(approved))
    assert erp.document(ORDER, approved)["FCloseStatus"] == "A"


def test_a_form_without_a_close_status_cannot_be_closed(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    doc_id = erp.create(FORM, status="C")
    assert refusal(caller.operate(FORM, "BillClose", Ids=str(doc_id)))["texts"] != []


@pytest.mark.parametrize("operation", ["", "Frobnicate"])
def test_an_operation_that_does_not_exist(caller: Any, refusal: Refusal, operation: str) -> None:
    assert refusal(caller.operate(FORM, operation, Ids="1"))["code"] == 3


def test_both_spellings_of_the_operation_service_work(erp: SimulatedKingdee, caller: Any) -> None:
    doc_id = erp.create(FORM)
    body = {"formid": FORM, "opNumber": "Submit", "data": {"Ids": str(doc_id)}}
    assert caller.post("ExecuteOperation", body).json()["Result"]["ResponseStatus"]["IsSuccess"] is True


def test_a_server_that_lacks_a_spelling(erp: SimulatedKingdee, caller: Any) -> None:
    erp.missing_services.add("ExcuteOperation")
    answer = caller.post("ExcuteOperation", {"formid": FORM, "opNumber": "Submit", "data": {"Ids": "1"}})
    assert (answer.status_code, answer.text) == (200, "response_error:未将对象引用设置到对象的实例。")


def test_a_write_without_the_permission(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    doc_id = erp.create(FORM)
    erp.grant(FORM, allowed=False)
    assert refusal(caller.call("Submit", FORM, Ids=str(doc_id)))["code"] == 2
    assert erp.document(FORM, doc_id)["FDocumentStatus"] == "A"


@pytest.mark.parametrize(("to", "kept"), [("D", "D"), ("A", "A"), ("Z", "Z")])
def test_a_rejected_bill_goes_where_the_workflow_says(erp: SimulatedKingdee, to: str, kept: str) -> None:
    doc_id = erp.create(FORM, status="B")
    erp.reject(FORM, doc_id, to=to)
    assert erp.document(FORM, doc_id)["FDocumentStatus"] == kept


def test_people_are_held_to_the_status_too(erp: SimulatedKingdee) -> None:
    doc_id = erp.create(FORM)
    with pytest.raises(Refused, match="请先提交"):
        erp.audit(FORM, doc_id)
    with pytest.raises(KeyError, match="99"):
        erp.submit(FORM, 99)


def test_who_did_it_is_written_down(erp: SimulatedKingdee) -> None:
    one, other = erp.add_user("zhangsan", "张三"), erp.add_user("lisi", "李四")
    doc_id = erp.create(FORM, creator=one)
    erp.edit(FORM, doc_id, by=other, FREMARK="x")
    erp.submit(FORM, doc_id, by=one)
    erp.audit(FORM, doc_id, by=other)
    document = erp.document(FORM, doc_id)
    assert document["FCreatorId"] == {"id": one, "FUserAccount": "zhangsan", "FName": "张三"}
    assert document["FModifierId"]["id"] == document["FApproverId"]["id"] == other
