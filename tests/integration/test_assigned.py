"""Documents that wait for people in Kingdee's workflow: whoever has to decide hears of it once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kdsync.cli import doctor, live, status, trace
from kdsync.cli.opened import now_of
from tests.integration.company import Company

EXPENSE = "ER_ExpReimbursement"
ASSIGNED: dict[str, Any] = {
    "id": "expense-assigned",
    "form": EXPENSE,
    "on": "assigned",
    "to": ["assignee"],
    "message": {
        "title": "{{ doc.FBillNo }} waits for {{ task.receiver_name }}",
        "body": "{{ doc.FExpAmountSum }} {{ doc.FDocumentStatus | status }} {{ task.node }} {{ task.since | date }}",
    },
}
SUBMITTED: dict[str, Any] = {
    "id": "expense-changed",
    "form": EXPENSE,
    "on": {"changed": ["FCausa"]},
    "to": ["assignee"],
    "message": {"title": "{{ doc.FBillNo }} is now about {{ doc.FCausa }}"},
}


@pytest.fixture
def office(company: Company) -> Company:
    company.configure(ASSIGNED, SUBMITTED)
    return company


def expense(company: Company, number: str) -> Any:
    return company.kingdee.create(EXPENSE, number, "A", FExpAmountSum=880, FCausa="taxi")


def story(company: Company) -> list[dict[str, Any]]:
    found = trace.gather(company.wired.db, company.wired.seal, company.kingdee.credentials.acct_id, "EXP1")
    return sorted(found, key=lambda line: str(line["at"]))


def test_each_approver_is_told_once_and_the_next_one_after_the_first_decided(office: Company) -> None:
    office.start()
    bill = expense(office, "EXP1")
    office.kingdee.start_workflow(EXPENSE, bill, "kd2", then=["kd3"], node="部门审批")
    (text,) = office.until(lambda: office.shown("user2", "EXP1 waits"))
    assert "EXP1 waits for Person 2" in text
    assert "880" in text
    assert "审核中 部门审批" in text
    office.kingdee.answer_task(EXPENSE, bill, "kd2", True)
    office.until(lambda: office.shown("user3", "EXP1 waits for Person 3"))
    office.until(lambda: [line["for"] for line in story(office) if line["what"] == "decided"])
    assert [line["what"] for line in story(office) if "node" in line] == ["assigned", "decided", "assigned"]
    with office.wired.db.read() as tx:
        assert status.gather(office.load(), office.wired.db, now_of(tx))["tasks"] == {EXPENSE: 1}
    assert len(office.shown("user2", "EXP1 waits")) == 1


def test_what_waited_before_is_nobodys_news_and_a_restart_repeats_nothing(office: Company) -> None:
    old = expense(office, "EXP1")
    office.kingdee.start_workflow(EXPENSE, old, "kd2")
    office.start()
    office.kingdee.start_workflow(EXPENSE, expense(office, "EXP2"), "kd2", "kd3")
    office.until(lambda: office.shown("user2", "EXP2") and office.shown("user3", "EXP2"))
    assert office.daemon
    office.daemon.close()
    office.kingdee.start_workflow(EXPENSE, expense(office, "EXP3"), "kd2")
    office.start()
    office.until(lambda: office.shown("user2", "EXP3"))
    assert len(office.shown("user2", "waits")) == 2
    assert not office.shown("user2", "EXP1")


def test_the_assignee_hears_of_other_events_of_the_document(office: Company) -> None:
    office.start()
    bill = expense(office, "EXP1")
    office.kingdee.start_workflow(EXPENSE, bill, "kd2")
    office.until(lambda: office.shown("user2", "EXP1 waits"))
    office.kingdee.edit(EXPENSE, bill, FCausa="train")
    office.until(lambda: office.shown("user2", "EXP1 is now about train"))


def test_a_rule_that_comes_with_a_reload_begins_with_silence(company: Company) -> None:
    company.start()
    company.kingdee.start_workflow(EXPENSE, expense(company, "EXP1"), "kd2")
    company.configure(ASSIGNED)
    assert company.daemon
    assert company.daemon.reload()
    company.until(lambda: company.page("/health/ready")[0] == 200)
    company.kingdee.start_workflow(EXPENSE, expense(company, "EXP2"), "kd2")
    company.until(lambda: company.shown("user2", "EXP2"))
    assert not company.shown("user2", "EXP1")


def test_without_the_right_to_see_tasks_an_operator_hears_of_it_and_with_it_people_do(office: Company) -> None:
    office.kingdee.fault("permission", times=3, form="WF_AssignmentBill_ProcManage")
    office.start()
    office.until(lambda: office.shown("user5", "无法读取待办任务"))
    office.until(lambda: office.shown("user5", "待办任务已可读取"))
    office.kingdee.start_workflow(EXPENSE, expense(office, "EXP1"), "kd2")
    office.until(lambda: office.shown("user2", "EXP1"))
    assert 'kdsync_tasks_waiting{form="ER_ExpReimbursement"} 1.0' in office.page("/metrics")[1]


def test_while_tasks_cannot_be_read_approvers_are_told_and_nobody_twice_when_they_can(company: Company) -> None:
    company.configure({**ASSIGNED, "approvers": ["role:cashier"]})
    company.kingdee.fault("permission", form="WF_AssignmentBill_ProcManage", times=3)
    company.start()
    company.until(lambda: company.shown("user5", "无法读取待办任务"))
    company.kingdee.start_workflow(EXPENSE, expense(company, "EXP1"), "kd2")
    company.until(lambda: company.shown("user1", "EXP1 waits for"))
    company.until(lambda: company.shown("user5", "待办任务已可读取"))
    company.kingdee.start_workflow(EXPENSE, expense(company, "EXP2"), "kd2")
    company.until(lambda: company.shown("user2", "EXP2 waits for Person 2"))
    assert len(company.shown("user2", "EXP1")) == 1, "as a cashier, not again as the assignee"
    assert not company.shown("user1", "EXP2")


def test_the_doctor_and_the_live_check_say_that_tasks_cannot_be_read(
    office: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    bill = expense(office, "EXP1")
    assert live.check(office.config, live=True, json_output=False) == 0
    assert _tasks_of(office, capsys)["result"] == "ok"
    office.kingdee.submit(EXPENSE, bill)  # a permission that hides rows shows as no tasks
    hidden = _tasks_of(office, capsys)
    assert hidden["result"] == "warning"
    assert EXPENSE in hidden["detail"]
    office.kingdee.start_workflow(EXPENSE, bill, "kd2")
    assert _tasks_of(office, capsys)["result"] == "ok"
    office.kingdee.fault("permission", form="WF_AssignmentBill_ProcManage")
    assert live.check(office.config, live=True, json_output=False) == 78
    office.kingdee.fault("permission", form="WF_AssignmentBill_ProcManage")
    found = _tasks_of(office, capsys)
    assert found["result"] == "failed"
    assert "流程管理" in found["cure"]


def _tasks_of(company: Company, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    doctor.doctor(company.config, json_output=True)
    return next(one for one in json.loads(capsys.readouterr().out) if one["what"] == "kingdee tasks")
