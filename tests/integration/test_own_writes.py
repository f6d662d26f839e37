"""Between both systems: what kdsync did comes back through the looks as its own, and only rules that ask are told."""

from __future__ import annotations

from typing import Any

import pytest

from kdsync.cli import trace
from tests.integration.company import FORM, Company

EXPENSE = "ER_ExpReimbursement"
CONFIRM: dict[str, Any] = {
    "id": "confirm-payment",
    "title": "确认付款",
    "phrases": ["确认付款"],
    "form": FORM,
    "allow": ["role:cashier"],
    "do": ["submit", "audit"],
}
APPROVE: dict[str, Any] = {
    "id": "approve",
    "title": "同意",
    "phrases": ["同意"],
    "form": EXPENSE,
    "allow": ["assignee"],
    "do": ["approve"],
}
NOTE: dict[str, Any] = {
    "id": "note",
    "title": "备注",
    "phrases": ["备注"],
    "form": FORM,
    "allow": ["role:cashier"],
    "do": [{"save": {"FREMARK": "seen"}}],
}


def rule(ident: str, on: Any, form: str = FORM, **more: Any) -> dict[str, Any]:
    message = {"title": f"{{{{ doc.FBillNo }}}} {ident} {{{{ event.kind }}}} {{{{ event.origin }}}}"}
    return {"id": ident, "form": form, "on": on, "to": ["user:user4"], "message": message, **more}


KINDS = ["submitted", "approved", "rejected", "unapproved"]
CHANGED = {"changed": ["FREMARK"]}


@pytest.fixture
def office(company: Company) -> Company:
    company.configure(
        rule("new", "created"),
        rule("theirs", [*KINDS, CHANGED]),
        rule("all", [*KINDS, CHANGED], origin="any"),
        rule("claims", KINDS, EXPENSE),
        rule("all-claims", KINDS, EXPENSE, origin="any"),
        actions=[CONFIRM, APPROVE, NOTE],
    )
    company.start()
    company.until(lambda: company.wired.answering.stream.connected)
    return company


def told(office: Company, needle: str) -> list[str]:
    """The titles that user 4 got about a document, in any order."""
    return sorted(text.splitlines()[0].strip("# ") for text in office.shown("user4", needle))


def test_an_answer_fires_no_rule_but_those_that_ask_for_any(
    office: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    bill = office.pay("FKD1")
    office.dingtalk.say("user1", "确认付款 FKD1")
    office.until(lambda: "FKD1 all approved dingtalk" in told(office, "FKD1"))
    assert told(office, "FKD1 all") == ["FKD1 all approved dingtalk", "FKD1 all submitted dingtalk"]
    assert told(office, "FKD1 theirs") == []
    office.kingdee.unaudit(FORM, bill)
    office.until(lambda: "FKD1 theirs unapproved kingdee" in told(office, "FKD1"))
    story = list(trace.gather(office.wired.db, office.wired.seal, office.kingdee.credentials.acct_id, "FKD1"))
    ours = [line["ours"] for line in story if line["what"] == "noticed" and line["ours"]]
    assert {kind: user for one in ours for kind, user in one.items()} == {"submitted": "user1", "approved": "user1"}
    assert trace.trace(office.config, "FKD1", json_output=False) == 0
    assert "approved by user1 through kdsync" in capsys.readouterr().out
    unsent = [line for line in story if line["what"] == "matched" and line["state"] == "own"]
    assert {(line["rule"], line["kind"]) for line in unsent} == {("theirs", "submitted"), ("theirs", "approved")}


def test_somebody_who_approves_it_again_in_kingdee_is_told_of(office: Company) -> None:
    bill = office.pay("FKD2")
    office.dingtalk.say("user1", "确认付款 FKD2")
    office.until(lambda: "FKD2 all approved dingtalk" in told(office, "FKD2"))
    office.kingdee.unaudit(FORM, bill)
    office.kingdee.submit(FORM, bill)
    office.kingdee.audit(FORM, bill)
    office.until(lambda: "FKD2 theirs approved kingdee" in told(office, "FKD2"))


def test_an_approval_of_a_node_that_another_follows_is_not_the_approval_of_the_claim(office: Company) -> None:
    claim = office.kingdee.create(EXPENSE, "EXP1", "A", FExpAmountSum=880, FCausa="taxi")
    office.kingdee.start_workflow(EXPENSE, claim, "kd2", then=["kd3"])
    office.dingtalk.say("user2", "同意 EXP1")
    office.until(lambda: office.shown("user2", "已完成"))
    office.dingtalk.say("user3", "同意 EXP1")
    office.until(lambda: "EXP1 all-claims approved dingtalk" in told(office, "EXP1"))
    assert [text for text in told(office, "EXP1") if "approved" in text] == ["EXP1 all-claims approved dingtalk"]


def test_what_an_answer_saved_is_known_by_its_value(office: Company) -> None:
    bill = office.pay("FKD3")
    office.until(lambda: told(office, "FKD3"))
    office.dingtalk.say("user1", "备注 FKD3")
    office.until(lambda: "FKD3 all changed dingtalk" in told(office, "FKD3"))
    office.kingdee.edit(FORM, bill, FREMARK="again")
    office.until(lambda: "FKD3 theirs changed kingdee" in told(office, "FKD3"))
    assert "FKD3 theirs changed dingtalk" not in told(office, "FKD3")


def test_a_lost_answer_is_ours_all_the_same(office: Company) -> None:
    office.pay("FKD4", "B")
    office.kingdee.fault("lost_reply", times=1, op="Audit")
    office.dingtalk.say("user1", "确认付款 FKD4")
    office.until(lambda: "FKD4 all approved dingtalk" in told(office, "FKD4"))
    assert "FKD4 theirs approved dingtalk" not in told(office, "FKD4")
