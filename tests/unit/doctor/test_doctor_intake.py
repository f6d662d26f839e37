"""What the doctor says of intakes: whether Kingdee has their fields, and DingTalk shows their approvals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from kdsync.clock import Clock
from kdsync.doctor import dingtalk as of_dingtalk
from kdsync.doctor import kingdee as of_kingdee
from kdsync.doctor.finding import FAILED, OK, WARNING, Finding
from kdsync.simulator.dingtalk import SimulatedDingTalk
from tests.unit.doctor.conftest import Configure

ROWS = {"from": "费用明细", "fields": {"FExpenseAmount": "{{ row['金额'] }}"}}
CLAIM: dict[str, Any] = {
    "id": "claim",
    "process": "PROC-1",
    "form": "ER_ExpReimbursement",
    "fields": {"FCausa": "x"},
    "entries": {"FEntity": ROWS},
}


FORM: dict[str, Any] = {"事由": "TextField", "费用明细": {"金额": "MoneyField"}, "发票": "DDAttachment"}


def about(findings: Iterable[Finding], system: str) -> Finding:
    (found,) = (one for one in findings if one.what == f"{system} of claim")
    return found


@pytest.mark.parametrize(
    ("other", "result", "said"),
    [
        ({}, OK, "what it fills in is there"),
        ({"fields": {"FCause": "x"}}, FAILED, "no field or entry FCause | did you mean FCausa?"),
        ({"key": {"field": "F_KD"}}, FAILED, "no field or entry F_KD | correct the intake"),
        ({"form": "ER_Nothing"}, FAILED, "does not exist"),
    ],
)
def test_what_an_intake_fills_in_is_looked_up(
    configure: Configure, clock: Clock, other: dict[str, Any], result: str, said: str
) -> None:
    claim = {**CLAIM, **other}
    found = about(of_kingdee.examine(configure(intake=[claim]), clock, None), f"kingdee {claim['form']}")
    assert found.result == result
    assert said in f"{found.detail} | {found.cure}"


@pytest.mark.parametrize(
    ("other", "result", "said"),
    [
        ({"fields": {"FCausa": "{{ form['事由'] }}"}, "attachments": ["发票"]}, OK, "has the fields"),
        ({"fields": {"FCausa": "{{ form['事由!'] }}"}}, FAILED, "has no 事由! | did you mean 事由?"),
        ({"attachments": ["事由"]}, FAILED, "has no 事由 | files are in 发票"),
        ({"entries": {"FEntity": {**ROWS, "from": "明细"}}}, FAILED, "has no 明细 | did you mean 费用明细?"),
        ({"entries": {"FEntity": {**ROWS, "from": "发票"}}}, FAILED, "has no 发票 | its tables are 费用明细"),
        (
            {"entries": {"FEntity": {**ROWS, "fields": {"FExpenseAmount": "{{ row['钱'] }}"}}}},
            FAILED,
            "has no 费用明细.钱 | correct the intake",
        ),
        ({"process": "PROC-2"}, FAILED, "no such process"),
    ],
)
def test_the_names_of_fields_are_compared_with_the_form(
    configure: Configure, clock: Clock, dingtalk: SimulatedDingTalk, other: dict[str, Any], result: str, said: str
) -> None:
    dingtalk.approvals.define("PROC-1", FORM)
    found = about(of_dingtalk.examine(configure(intake=[{**CLAIM, **other}]), clock, None), "dingtalk form")
    assert found.result == result
    assert said in f"{found.detail} | {found.cure}"


def test_a_form_that_is_not_told_whole_is_not_compared(
    configure: Configure, clock: Clock, dingtalk: SimulatedDingTalk
) -> None:
    dingtalk.approvals.define("PROC-1", {"trip": "DDBizSuite"})
    loaded = configure(intake=[{**CLAIM, "attachments": ["发票"]}])
    assert about(of_dingtalk.examine(loaded, clock, None), "dingtalk form").result == OK


@pytest.mark.parametrize(
    ("scope", "what", "result"),
    [
        ("Workflow.Instance.Read", "dingtalk approvals", FAILED),
        ("Workflow.Form.Read", "dingtalk form", WARNING),
    ],
)
def test_what_may_not_be_asked_is_told_with_its_permission(
    configure: Configure, clock: Clock, dingtalk: SimulatedDingTalk, scope: str, what: str, result: str
) -> None:
    loaded = configure(intake=[CLAIM])
    dingtalk.approvals.define("PROC-1", FORM)
    assert about(of_dingtalk.examine(loaded, clock, None), what).result == OK
    dingtalk.revoke(scope)
    try:
        found = about(of_dingtalk.examine(loaded, clock, None), what)
    finally:
        dingtalk.grant(scope)
    assert (found.result, scope in f"{found.detail} {found.cure}") == (result, True)
