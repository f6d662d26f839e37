"""What QueryBusinessInfo says, and what becomes of the table's facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.catalogue import facts_without_metadata
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.errors import Symptom, failure
from kdsync.kingdee.metadata import Field, Metadata, fetch, learn, read_metadata, refine
from kdsync.model import Facts


def part(key: str, *fields: str, **more: Any) -> dict[str, Any]:
    return {"Key": key, "Fields": [{"Key": name, "Name": [{"Key": 2052, "Value": name}]} for name in fields], **more}


ORDER = {
    "Id": "SAL_SaleOrder",
    "PkFieldName": "FID",
    "Name": [{"Key": 2052, "Value": "销售订单"}, {"Key": 1033, "Value": "SO"}],
    "Entrys": [
        part(
            "FBillHead",
            "FBillNo",
            "FDOCUMENTSTATUS",
            "FCreateDate",
            "FModifyDate",
            "FApproveDate",
            "FCancelDate",
            "FCreatorId",
            "FCloseStatus",
        ),
        part("FSaleOrderFinance", "FBillAllAmount"),
        part("SubHeadEntity", "FReceiver"),
        part("FSaleOrderEntry", "FMaterialId", "FQty", "FBillNo"),
        part("FSaleOrderPlan", "FRecAmount", "FRecDate"),
        part("FOrderEntryPlan", "FPlanQty", ParentKey="FSaleOrderEntry"),
    ],
    "Operations": [{"OperationNumber": "Submit"}, {"OperationNumber": "BillClose"}, {}],
}


@dataclass
class Told:
    """A client that gets one answer, or one error."""

    answer: Any

    def call(self, service: str, payload: Mapping[str, Any], *, read: bool) -> Any:
        assert (service, payload, read) == ("QueryBusinessInfo", {"data": {"FormId": "SAL_SaleOrder"}}, True)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def told(answer: Any) -> KingdeeClient:
    return cast("KingdeeClient", Told(answer))


def test_head_and_entries_are_told_apart() -> None:
    order = fetch(told({"Result": {"NeedReturnData": ORDER}}), "SAL_SaleOrder")
    assert order.entries == ("FSaleOrderEntry", "FSaleOrderPlan")
    assert order.operations == ("Submit", "BillClose")
    assert (order.pk, order.names) == ("FID", {"zh": "销售订单", "en": "SO"})
    assert order.entry_of("FQty") == order.entry_of("fqty") == "FSaleOrderEntry"
    assert order.entry_of("FMaterialId.FName") == "FSaleOrderEntry"
    assert order.entry_of("FSaleOrderEntry_FEntryID") == order.entry_of("FSALEORDERENTRY_FSeq") == "FSaleOrderEntry"
    assert [order.entry_of(key) for key in ("FBillNo", "FBillAllAmount", "FReceiver", "FNope", "FID")] == [None] * 5
    assert order.head_key("fdocumentstatus") == "FDOCUMENTSTATUS"
    assert order.head_key("FQty") is None


def test_kinds_of_fields() -> None:
    assert Field("FSupplierId", lookup="BD_Supplier").kind == "reference"
    assert [Field(key).kind for key in ("FDate", "FModifyDate", "F_ABC_Date1", "FUpdateTime", "FQty")] == [
        "date",
        "date",
        "date",
        "date",
        "other",
    ]


@pytest.mark.parametrize("answer", [None, [], {}, {"Result": None}, {"Result": {"NeedReturnData": []}}])
def test_an_answer_without_metadata(answer: Any) -> None:
    with pytest.raises(EdgeError) as caught:
        fetch(told(answer), "SAL_SaleOrder")
    assert caught.value.code == "shape"


PARTS = st.sampled_from(
    ["Entrys", "Fields", "Key", "Name", "Value", "PkFieldName", "Operations", "OperationNumber", "Id"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PARTS, inner),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from([*ORDER]), ANYTHING))
def test_whatever_is_missing_or_odd_is_left_out(data: dict[str, Any]) -> None:
    assert isinstance(refine(None, read_metadata("X", data)), Facts)


def test_facts_are_spelt_as_the_form_has_them() -> None:
    facts = refine(facts_without_metadata("sal_saleorder"), read_metadata("SAL_SaleOrder", ORDER))
    assert (facts.status, facts.cancel, facts.modifier) == ("FDOCUMENTSTATUS", None, None)
    assert facts.other_dates == ("FCancelDate",)
    assert facts.dates == ("FModifyDate", "FCreateDate", "FApproveDate", "FCancelDate")
    assert (facts.entry, facts.open, facts.pk) == ("FSaleOrderEntry", "FCloseStatus = 'A'", "FID")


def test_a_form_that_is_not_in_the_table_is_learnt() -> None:
    data = {
        "Id": "F_X",
        "PkFieldName": "FXID",
        "Name": [{"Key": "2052", "Value": "自定义"}],
        "Entrys": [
            part("FBillHead", "FNumber", "FCREATEDATE", "FAuditDate", "FAuditorId", "FCloseDate"),
            part("FE1", "FA"),
            part("FE2", "FB", "FC"),
        ],
    }
    facts = refine(None, read_metadata("F_X", data), ["FB", "FC.FName", "FA"])
    assert facts == Facts(
        "F_X",
        pk="FXID",
        number="FNumber",
        status=None,
        cancel=None,
        close=None,
        created="FCREATEDATE",
        modified=None,
        approved="FAuditDate",
        other_dates=("FCloseDate",),
        creator=None,
        modifier=None,
        approver="FAuditorId",
        entry="FE2",
        title={"zh": "自定义"},
    )
    assert refine(None, read_metadata("F_X", data)).entry == "FE1"


def test_a_filter_by_a_field_that_is_not_there_is_dropped() -> None:
    metadata = read_metadata("AP_Payable", {"Entrys": [part("FBillHead", "FBillNo")]})
    assert refine(facts_without_metadata("AP_Payable"), metadata).open is None


def test_metadata_without_fields_changes_nothing() -> None:
    facts = facts_without_metadata("AP_Payable")
    assert refine(facts, Metadata("AP_Payable")) == facts


@pytest.mark.parametrize(
    "symptom",
    [
        Symptom(text="没有权限"),
        Symptom(text="response_error: x"),
        Symptom(http="404"),
        Symptom(text="?", msgcode="4"),
    ],
)
def test_where_kingdee_does_not_tell_the_table_has_to_do(symptom: Symptom) -> None:
    assert learn(told(failure(symptom)), "SAL_SaleOrder") == (facts_without_metadata("SAL_SaleOrder"), None)


@pytest.mark.parametrize(
    "error",
    [
        failure(Symptom(fault="timeout")),
        failure(Symptom(http="502")),
        failure(Symptom(login="0")),
        failure(Symptom(text="标识为“X”的业务对象不存在")),
        EdgeError("kingdee", FailureKind.RATE_LIMITED, "14", "slow down"),
    ],
)
def test_what_may_be_asked_again_is_not_taken_for_an_answer(error: EdgeError) -> None:
    with pytest.raises(EdgeError):
        learn(told(error), "SAL_SaleOrder")


def test_what_kingdee_tells_is_used() -> None:
    facts, metadata = learn(told({"Result": {"NeedReturnData": ORDER}}), "SAL_SaleOrder", ["FRecAmount"])
    assert metadata is not None
    assert facts.entry == "FSaleOrderPlan"
