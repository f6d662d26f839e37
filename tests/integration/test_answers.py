"""Between both systems: what people write in DingTalk happens in Kingdee, once, and they hear what became of it."""

from __future__ import annotations

from typing import Any

import pytest

from kdsync.cli import trace
from tests.integration.company import FORM, Company

EXPENSE = "ER_ExpReimbursement"
CONFIRM: dict[str, Any] = {
    "id": "confirm-payment",
    "title": {"zh": "确认付款", "en": "Confirm payment"},
    "phrases": ["确认付款", "confirm payment"],
    "form": FORM,
    "allow": ["role:cashier"],
    "when": "doc.FDocumentStatus in ('A', 'B', 'D')",
    "do": ["submit", "audit"],
}
PUSH: dict[str, Any] = {
    "id": "push",
    "title": "下推",
    "phrases": ["下推"],
    "form": "CN_PAYAPPLY",
    "allow": ["role:cashier"],
    "do": [{"push": {"to": FORM}}],
}
DECIDE: list[dict[str, Any]] = [
    {"id": name, "title": name, "phrases": [phrase], "form": EXPENSE, "allow": ["assignee"], "do": [name]}
    for name, phrase in (("approve", "同意"), ("reject", "驳回"))
]
ASSIGNED: dict[str, Any] = {
    "id": "expense-assigned",
    "form": EXPENSE,
    "on": "assigned",
    "to": ["assignee"],
    "message": {"title": "{{ doc.FBillNo }} waits for you"},
    "actions": ["approve", "reject"],
}
CREATED: dict[str, Any] = {
    "id": "created",
    "form": FORM,
    "on": "created",
    "to": ["user:user4"],
    "message": {"title": "-"},
}


@pytest.fixture
def office(company: Company) -> Company:
    company.configure(CREATED, ASSIGNED, actions=[CONFIRM, PUSH, *DECIDE])
    company.start()
    company.until(lambda: company.wired.answering.stream.connected)
    return company


def status(company: Company, form: str, bill: Any) -> str:
    return str(company.kingdee.document(form, bill)["FDocumentStatus"])


def writes(company: Company) -> list[str]:
    """The services that were asked to change something."""
    return [one.op for one in company.kingdee.requests if one.op in ("Submit", "Audit", "WorkflowAudit")]


def expense(company: Company, number: str, *receivers: str, **more: Any) -> Any:
    bill = company.kingdee.create(EXPENSE, number, "A", FExpAmountSum=880, FCausa="taxi")
    company.kingdee.start_workflow(EXPENSE, bill, *receivers, **more)
    return bill


def test_a_payment_is_confirmed_by_chat_and_the_story_is_told(office: Company) -> None:
    bill = office.pay("FKD1")
    push = office.dingtalk.say("user1", "确认付款 FKD1")
    office.until(lambda: office.shown("user1", "FKD1：确认付款 已完成"))
    assert status(office, FORM, bill) == "C"
    assert [ack.in_time for ack in push.acks] == [True]
    office.dingtalk.redeliver(push)
    office.dingtalk.say("user2", "确认付款 FKD1")
    office.until(lambda: office.shown("user2", "FKD1：现在不能 确认付款"))
    assert writes(office) == ["Submit", "Audit"]
    assert len(office.shown("user1", "FKD1：")) == 1
    story = trace.gather(office.wired.db, office.wired.seal, office.kingdee.credentials.acct_id, "FKD1")
    told = [(line["what"], line.get("outcome") or line.get("state")) for line in story]
    assert [line for line in told if line[0] == "written"] == [("written", "verified"), ("written", "verified")]
    assert {line for line in told if line[0] == "answered"} == {("answered", "done"), ("answered", "refused")}


def test_an_approver_reads_how_to_answer_and_decides_with_an_opinion(office: Company) -> None:
    bill = expense(office, "EXP1", "kd2", then=["kd3"])
    (text,) = office.until(lambda: office.shown("user2", "EXP1 waits"))
    assert "同意 EXP1" in text
    assert "驳回 EXP1" in text
    office.dingtalk.say("user3", "同意 EXP1")
    office.until(lambda: office.shown("user3", "EXP1：您无权执行"))
    office.dingtalk.say("user2", "同意EXP1 发票齐全")
    office.until(lambda: office.shown("user2", "已完成"))
    assert status(office, EXPENSE, bill) == "B", "another node follows"
    office.until(lambda: office.shown("user3", "EXP1 waits"))
    office.dingtalk.say("user3", "驳回 EXP1 金额不符")
    office.until(lambda: status(office, EXPENSE, bill) == "D")
    said = [one.data["Disposition"] for one in office.kingdee.requests if one.op == "WorkflowAudit"]
    assert said == ["发票齐全", "金额不符"]


def test_a_lost_answer_is_looked_up_and_what_it_was_about_not_repeated(office: Company) -> None:
    office.kingdee.create("CN_PAYAPPLY", "SQ2", "C", FAPPLYAMOUNTFOR_H=5)
    bill = office.pay("FKD2", "B")
    office.kingdee.fault("lost_reply", times=1, op="Audit")
    office.kingdee.fault("lost_reply", times=1, op="Push")
    office.dingtalk.say("user1", "下推 SQ2")
    office.dingtalk.say("user1", "confirm payment FKD2")
    office.until(lambda: office.shown("user1", "SQ2：下推 已完成"))
    assert len(office.kingdee.documents(FORM)) == 2
    office.until(lambda: office.shown("user1", "FKD2：确认付款 已完成"))
    assert status(office, FORM, bill) == "C"
    assert writes(office).count("Audit") == 1


def test_a_workflow_is_not_bypassed(office: Company) -> None:
    bill = office.pay("FKD3")
    office.kingdee.start_workflow(FORM, bill, "kd3")
    office.dingtalk.say("user1", "确认付款 FKD3")
    office.until(lambda: office.shown("user1", "FKD3：工作流正在审批"))
    assert status(office, FORM, bill) == "B"
    assert "Audit" not in writes(office)


def test_when_the_months_pushes_are_used_up_somebody_is_told_once(office: Company) -> None:
    office.dingtalk._pushes.use_up()
    for _ in range(2):
        office.dingtalk.say("user1", "确认付款 FKD1")
    office.until(lambda: office.shown("user5", "推送次数已用完"))
    office.dingtalk.say("user1", "确认付款 FKD1")
    assert len(office.shown("user5", "推送次数已用完")) == 1
