"""What the doctor says of intakes: whether Kingdee has their fields, and DingTalk shows their approvals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from kdsync.clock import Clock
from kdsync.doctor import dingtalk as of_dingtalk
from kdsync.doctor import kingdee as of_kingdee
from kdsync.doctor.finding import FAILED, OK, Finding
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


def about(findings: Iterable[Finding]) -> Finding:
    (found,) = (one for one in findings if one.what.endswith(" of claim"))
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
    found = about(of_kingdee.examine(configure(intake=[{**CLAIM, **other}]), clock, None))
    assert found.result == result
    assert said in f"{found.detail} | {found.cure}"


def test_approvals_that_may_not_be_listed_are_told(
    configure: Configure, clock: Clock, dingtalk: SimulatedDingTalk
) -> None:
    loaded = configure(intake=[CLAIM])
    assert about(of_dingtalk.examine(loaded, clock, None)).result == OK
    dingtalk.revoke("Workflow.Instance.Read")
    try:
        found = about(of_dingtalk.examine(loaded, clock, None))
    finally:
        dingtalk.grant("Workflow.Instance.Read")
    assert (found.result, "Workflow.Instance.Read" in f"{found.detail} {found.cure}") == (FAILED, True)
