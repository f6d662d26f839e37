"""FilterString: what is understood, what is refused, and that it means what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.clock import FakeClock
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.kingdee_answers import MsgCode, Refusal
from kdsync.simulator.kingdee_filter import compile_filter
from kdsync.simulator.kingdee_forms import Kind
from kdsync.simulator.kingdee_query import run_query

FORM = "AP_PAYBILL"
ROWS: list[dict[str, Any]] = [
    {"FBillNo": "P1", "FREALPAYAMOUNTFOR": "9.5", "FREMARK": "O'Neil", "FModifyDate": "2026-01-01T08:00:00.383"},
    {"FBillNo": "P2", "FREALPAYAMOUNTFOR": "100", "FREMARK": "", "FApproveDate": "2026-02-01", "FDocumentStatus": "C"},
    {"FBillNo": "Q3", "FREALPAYAMOUNTFOR": "0.1", "FREMARK": "100%", "FCONTACTUNIT": {"id": 7, "FName": "甲"}},
]


@pytest.fixture(scope="module")
def erp() -> SimulatedKingdee:
    server = SimulatedKingdee(FakeClock(datetime(2026, 1, 1, tzinfo=UTC)))
    server.load(FORM, ROWS)
    return server


def found(erp: SimulatedKingdee, where: Any) -> str:
    data = {"FormId": FORM, "FieldKeys": "FBillNo", "FilterString": where, "OrderString": "FID"}
    body, _ = run_query(erp._tables, data, named=False, most=100, visible="", shorten=False)
    return body.decode().replace("[", "").replace("]", "").replace('"', "")


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("", "P1,P2,Q3"),
        ("FBillNo = 'P1'", "P1"),
        ("FBillNo='p1'", "P1"),
        ("FBillNo = 'P1  '", "P1"),
        ("FBillNo <> 'P1'", "P2,Q3"),
        ("FBillNo != N'P1'", "P2,Q3"),
        ("FBillNo like 'P%'", "P1,P2"),
        ("FBillNo NOT LIKE 'P_'", "Q3"),
        ("FBillNo in ('P1', 'Q3')", "P1,Q3"),
        ("FBillNo not in ('P1')", "P2,Q3"),
        ("FREMARK = 'O''Neil'", "P1"),
        ("FREMARK = ''", "P2"),
        ("FREMARK is null", ""),
        ("FApproveDate is null", "P1,Q3"),
        ("FApproveDate is not null and FDocumentStatus='C'", "P2"),
        ("FREALPAYAMOUNTFOR > 9", "P1,P2"),
        ("FREALPAYAMOUNTFOR = 0.10", "Q3"),
        ("FREALPAYAMOUNTFOR = '100'", "P2"),
        ("FREALPAYAMOUNTFOR between 0.1 and 9.5", "P1,Q3"),
        ("FREALPAYAMOUNTFOR not between 1 and 50 and FBillNo like 'P%'", "P2"),
        ("FModifyDate >= '2026-01-01 08:00:00'", "P1"),
        ("FModifyDate >= {ts'2026-01-01 08:00:01'}", ""),
        ("FModifyDate = {ts '2026-01-01 08:00:00.384'}", "P1"),
        ("FModifyDate >= '2026-01-01'", "P1"),
        ("FModifyDate >= '2026-01-01T08:00' AND FModifyDate < '2026-01-02'", "P1"),
        ("FCONTACTUNIT = 7", "Q3"),
        ("FCONTACTUNIT = '7'", "Q3"),
        ("FCONTACTUNIT.FName = '甲'", "Q3"),
        ("FCONTACTUNIT.FName is null", "P1,P2"),
        ("FCONTACTUNIT <> 0", "Q3"),
        ("FID in (100001,100003)", "P1,Q3"),
        ("FID = '100002'", "P2"),
        ("'P1' = FBillNo", "P1"),
        ("1=1", "P1,P2,Q3"),
        ("1=0", ""),
        ("FREALPAYAMOUNTFOR > FPAYAMOUNTFOR and not FBillNo = 'P2'", "P1,Q3"),
        ("FBillNo='P1' or FBillNo='P2' and FDocumentStatus='A'", "P1"),
        ("(FBillNo='P1' or FBillNo='P2') and FDocumentStatus='C'", "P2"),
        ("not (FBillNo='P1' or FBillNo='P2')", "Q3"),
    ],
)
def test_a_filter_finds_what_it_says(erp: SimulatedKingdee, where: str, numbers: str) -> None:
    assert found(erp, where) == numbers


@pytest.mark.parametrize(
    "where",
    [
        "FBillNo",
        "FBillNo =",
        "= 'P1'",
        "FBillNo = 'P1",
        "FBillNo = 'P1' and",
        "FBillNo = 'P1' FID = 1",
        "(FBillNo = 'P1'",
        "FBillNo = 'P1')",
        "FBillNo not 'P1'",
        "FBillNo in ()",
        "FBillNo in 'P1'",
        "FBillNo like '[P]%'",
        "FID like '1%'",
        "FID = 'abc'",
        "FID = 1.5",
        "FREALPAYAMOUNTFOR > 'much'",
        "FModifyDate >= 'yesterday'",
        "FModifyDate >= '2026-13-01'",
        "FModifyDate >= '2026-01-01 08:00:00.1234'",
        "FModifyDate between '2026-01-01'",
        "to_char(FModifyDate,'yyyy') = '2026'",
        "FID in (select FID from T_AP_PAYBILL)",
        "FID = 1; drop table x",
        "FID = 1 -- comment",
        'FID = "1"',
    ],
)
def test_what_cannot_be_read_is_refused_with_code_4(erp: SimulatedKingdee, where: str) -> None:
    with pytest.raises(Refusal, match="GetRealExpress") as refused:
        found(erp, where)
    assert refused.value.code is MsgCode.EXCEPTION


def test_an_unknown_key_is_refused_with_code_9(erp: SimulatedKingdee) -> None:
    with pytest.raises(Refusal, match="FNope") as refused:
        found(erp, "FBillNo = 'P1' and FNope > 3")
    assert refused.value.code is MsgCode.NO_FIELD


def condition(key: str, compare: str, value: str, logic: Any = 0, left: str = "", right: str = "") -> dict[str, Any]:
    return {"Left": left, "FieldName": key, "Compare": compare, "Value": value, "Right": right, "Logic": logic}


@pytest.mark.parametrize(
    ("conditions", "numbers"),
    [
        ([condition("FBillNo", "67", "P1")], "P1"),
        ([condition("FREMARK", "=", "O'Neil")], "P1"),
        ([condition("FDocumentStatus", "105", "C"), condition("FREALPAYAMOUNTFOR", ">=", "100")], "P2"),
        ([condition("FBillNo", "67", "P1", 1, "("), condition("FBillNo", "67", "Q3", 0, right=")")], "P1,Q3"),
        ([condition("FBillNo", "LIKE", "P%", "AND"), condition("FBillNo", "IN", "'P2','Q3'")], "P2"),
        ([], "P1,P2,Q3"),
    ],
)
def test_a_filter_may_be_a_list_of_conditions(erp: SimulatedKingdee, conditions: Any, numbers: str) -> None:
    assert found(erp, conditions) == numbers


@given(st.text(max_size=30))
def test_any_text_as_a_literal_is_bound_and_never_becomes_sql(text: str) -> None:
    quoted = text.replace("'", "''")
    sql, parameters = compile_filter(f"FBillNo = '{quoted}'", lambda key: (f'h."{key}"', Kind.TEXT))
    assert sql == '(h."FBillNo" = ?)'
    assert parameters == [text.rstrip() or " "]


@given(st.text(alphabet="FID ='<>()andorntilke,.{}10-%\n", max_size=40))
def test_any_text_as_a_filter_is_compiled_or_refused(text: str) -> None:
    try:
        sql, parameters = compile_filter(text, lambda _key: ("c", Kind.TEXT))
    except Refusal:
        return
    assert sql.count("?") == len(parameters)
