"""Bills in a workflow: who is asked, what an answer does, and what the WebAPI says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from kdsync.clock import FakeClock
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.kingdee_answers import Refusal as Refused

FORM = "ER_ExpReimbursement"
TASKS, HISTORY = "WF_AssignmentBill_ProcManage", "WF_AssignmentHisBill_ProcManage"
PK = "FReceiverItem_FRECEIVERITEMID"
PENDING = "FStatus='0' AND FActivityStatus='0' AND FInstStatus='2'"
Refusal = Callable[[Any], dict[str, Any]]


@pytest.fixture
def zhang(erp: SimulatedKingdee) -> int:
    return erp.add_user("zhangsan", "张三")


@pytest.fixture
def li(erp: SimulatedKingdee) -> int:
    return erp.add_user("lisi", "李四")


@pytest.fixture
def bill(erp: SimulatedKingdee) -> int:
    return int(erp.create(FORM, "BX1"))


def waiting(caller: Any, keys: str = "FReceiverId.FName", form: str = TASKS, where: str = PENDING) -> Any:
    return caller.query(form, keys, where, f"{PK} ASC")


def decide(caller: Any, user: int, kind: int = 1, **more: Any) -> Any:
    data = {"FormId": FORM, "Ids": "", "Numbers": ["BX1"], "UserId": user, "ApprovalType": kind, **more}
    return caller.post("WorkflowAudit", {"data": data}).json()


def status(erp: SimulatedKingdee, bill: int) -> str:
    return str(erp.document(FORM, bill)["FDocumentStatus"])


def test_the_process_form_says_who_has_what_since_when(
    erp: SimulatedKingdee, caller: Any, clock: FakeClock, zhang: int, bill: int
) -> None:
    clock.advance(60)
    erp.start_workflow(FORM, bill, "zhangsan", node="部门经理")
    keys = "FBILLNUMBER,FObjectTypeId,FASSIGNNAME,FReceiverId,FReceiverId.FName,FCreateTime"
    assert waiting(caller, keys) == [["BX1", FORM.upper(), "部门经理", zhang, "张三", "2026-11-23T09:01:00"]]
    assert status(erp, bill) == "B"


def test_the_last_answer_approves_the_bill_in_the_name_of_who_gave_it(
    erp: SimulatedKingdee, caller: Any, zhang: int, bill: int
) -> None:
    erp.start_workflow(FORM, bill, "zhangsan")
    answer = decide(caller, zhang, Disposition="发票齐全")
    assert answer == {"Result": {"ResponseStatus": "", "OperationResults": "{}"}}
    assert status(erp, bill) == "C"
    assert erp.document(FORM, bill)["FApproverId"]["id"] == zhang
    keys = "FStatus,FInstStatus,FDisposition,FResultName"
    assert waiting(caller, where="") == []
    assert waiting(caller, keys, HISTORY, "") == [["1", "1", "发票齐全", "同意"]]


def test_all_receivers_of_a_node_must_pass(erp: SimulatedKingdee, caller: Any, zhang: int, li: int, bill: int) -> None:
    erp.start_workflow(FORM, bill, zhang, "lisi")
    assert len({tuple(row) for row in waiting(caller, "FAssignId")}) == 1
    assert [row[0] for row in waiting(caller)] == ["张三", "李四"]
    decide(caller, zhang)
    assert waiting(caller) == [["李四"]]
    assert status(erp, bill) == "B"
    decide(caller, li)
    assert status(erp, bill) == "C"


def test_the_next_node_is_asked_after_the_first(
    erp: SimulatedKingdee, caller: Any, zhang: int, li: int, bill: int
) -> None:
    erp.start_workflow(FORM, bill, "zhangsan", then=["lisi", [zhang, li]])
    erp.answer_task(FORM, bill, "zhangsan", approve=True)
    assert waiting(caller, "FASSIGNNAME,FReceiverId.FName") == [["审批2", "李四"]]
    erp.answer_task(FORM, bill, li, approve=True)
    assert waiting(caller) == [["张三"], ["李四"]]
    assert status(erp, bill) == "B"


@pytest.mark.parametrize("kind", [2, 3])
def test_a_refusal_sends_the_bill_back_and_ends_the_workflow(
    erp: SimulatedKingdee, caller: Any, zhang: int, li: int, bill: int, kind: int
) -> None:
    erp.start_workflow(FORM, bill, "zhangsan", li, then=["lisi"])
    decide(caller, zhang, kind, Disposition="缺少发票")
    assert status(erp, bill) == "D"
    assert waiting(caller, where="") == []
    assert waiting(caller, "FDisposition", HISTORY, "FReceiverId.FName='张三'") == [["缺少发票"]]
    erp.start_workflow(FORM, bill, "lisi")
    assert waiting(caller) == [["李四"]]


@pytest.mark.parametrize("wordy", [False, True])
def test_only_whom_the_task_waits_for_may_answer_and_the_refusal_hides(
    erp: SimulatedKingdee, caller: Any, zhang: int, li: int, bill: int, wordy: bool
) -> None:
    erp.workflow.wordy = wordy
    erp.start_workflow(FORM, bill, "zhangsan")
    result = decide(caller, li)["Result"]
    assert json.loads(result["OperationResults"]) == [
        {"Id": bill, "ErrorCode": 500, "Message": "当前用户不是待办任务的处理人"}
    ]
    assert result["ResponseStatus"]["Errors"] == [] if wordy else result["ResponseStatus"] == ""
    assert status(erp, bill) == "B"
    decide(caller, zhang)
    assert "处理人" in decide(caller, zhang)["Result"]["OperationResults"]


def test_a_decision_by_user_name(erp: SimulatedKingdee, caller: Any, zhang: int, bill: int) -> None:
    erp.start_workflow(FORM, bill, zhang)
    decide(caller, 0, UserName="zhangsan")
    assert status(erp, bill) == "C"


def test_a_decision_without_a_kind(erp: SimulatedKingdee, caller: Any, refusal: Refusal, zhang: int, bill: int) -> None:
    erp.start_workflow(FORM, bill, zhang)
    assert refusal(decide(caller, zhang, 9))["code"] == 8


@pytest.mark.parametrize("way", ["Audit", "ExcuteOperation"])
def test_nobody_audits_past_a_workflow(
    erp: SimulatedKingdee, caller: Any, refusal: Refusal, zhang: int, bill: int, way: str
) -> None:
    erp.start_workflow(FORM, bill, zhang)
    ids = {"Ids": str(bill)}
    answer = caller.call("Audit", FORM, **ids) if way == "Audit" else caller.operate(FORM, "Audit", **ids)
    assert "单据已关联工作流实例" in refusal(answer)["texts"][0]
    with pytest.raises(Refused, match="已关联工作流实例"):
        erp.audit(FORM, bill)
    assert waiting(caller) == [["张三"]]


def test_one_who_does_not_verify_audits_past_it(erp: SimulatedKingdee, caller: Any, zhang: int, bill: int) -> None:
    erp.start_workflow(FORM, bill, zhang)
    caller.call("Audit", FORM, Ids=str(bill), IsVerifyProcInst="false")
    assert (status(erp, bill), waiting(caller)) == ("C", [])


def test_a_submitted_bill_is_taken_back(
    erp: SimulatedKingdee, caller: Any, refusal: Refusal, zhang: int, bill: int
) -> None:
    erp.start_workflow(FORM, bill, zhang)
    caller.call("CancelAssign", FORM, Numbers=["BX1"])
    assert (status(erp, bill), waiting(caller)) == ("D", [])
    assert refusal(caller.call("CancelAssign", FORM, Numbers=["BX1"]))["code"] == 11
    erp.submit(FORM, bill)
    erp.withdraw(FORM, bill)
    assert status(erp, bill) == "D"


def test_a_submit_starts_the_workflow_of_the_form(erp: SimulatedKingdee, caller: Any, zhang: int, bill: int) -> None:
    erp.workflow.on_submit[FORM] = [zhang]
    caller.call("Submit", FORM, Ids=str(bill))
    assert waiting(caller) == [["张三"]]


def test_the_process_form_may_not_be_readable(erp: SimulatedKingdee, caller: Any, zhang: int, bill: int) -> None:
    erp.start_workflow(FORM, bill, zhang)
    erp.grant(TASKS, allowed=False)
    assert waiting(caller) == []


def test_a_backup_holds_the_workflows_too(erp: SimulatedKingdee, caller: Any, zhang: int, bill: int) -> None:
    erp.start_workflow(FORM, bill, zhang)
    backup = erp.backup()
    erp.answer_task(FORM, bill, zhang, approve=False)
    erp.restore(backup)
    assert (status(erp, bill), waiting(caller)) == ("B", [["张三"]])
    erp.answer_task(FORM, bill, zhang, approve=True)
    assert status(erp, bill) == "C"


def test_a_decision_whose_answer_is_lost_was_made(erp: SimulatedKingdee, caller: Any, zhang: int, bill: int) -> None:
    erp.start_workflow(FORM, bill, zhang)
    erp.fault("lost_reply", op="WorkflowAudit", form=FORM)
    with pytest.raises(OSError, match=r"."):
        decide(caller, zhang)
    assert status(erp, bill) == "C"


def test_mistakes_of_a_test(erp: SimulatedKingdee, zhang: int, bill: int) -> None:
    with pytest.raises(ValueError, match="nobody"):
        erp.start_workflow(FORM, bill, "nobody")
    with pytest.raises(ValueError, match="somebody"):
        erp.start_workflow(FORM, bill)
    with pytest.raises(Refused, match="处理人"):
        erp.answer_task(FORM, bill, zhang, approve=True)
    assert status(erp, bill) == "A"
    erp.start_workflow(FORM, bill, zhang)
    with pytest.raises(ValueError, match="already"):
        erp.start_workflow(FORM, bill, zhang)
