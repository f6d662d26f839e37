"""Tasks of workflows are listed and decided in a simulated Kingdee, and by answers that no simulator gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from kdsync import exact
from kdsync.clock import FakeClock
from kdsync.errors import TASKS_UNREADABLE, EdgeError, FailureKind
from kdsync.kingdee.answer import read_answer
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.outcome import Outcome
from kdsync.kingdee.workflow import LONGEST_OPINION, TASKS, Workflow
from kdsync.model import Task
from kdsync.simulator.kingdee import SimulatedKingdee

FORM, OTHER = "ER_ExpReimbursement", "CN_PAYAPPLY"
FAILED = [{"Id": 7, "ErrorCode": 500, "Message": "当前用户不是待办任务的处理人"}]
LOCK = "单据已被锁定"


class Canned:
    """Stands for a client that answers one write."""

    def __init__(self, body: Any) -> None:
        self.body = body

    def call(self, _service: str, _payload: Mapping[str, Any], *, read: bool) -> Any:
        return read_answer(200, exact.dumps(self.body), read=read)


def decided(body: Any) -> Outcome:
    workflow = Workflow(cast("KingdeeClient", Canned(body)))
    return workflow.answer(FORM, "BX1", "5", approve=True, opinion="")


def answer(results: Any, status: Any = "") -> dict[str, Any]:
    return {"Result": {"ResponseStatus": status, "OperationResults": results}}


@pytest.fixture
def workflow(at_erp: KingdeeClient, erp: SimulatedKingdee) -> Workflow:
    at_erp.log_in()
    erp.requests.clear()
    return Workflow(at_erp)


@pytest.fixture
def zhang(erp: SimulatedKingdee) -> int:
    return erp.add_user("zhangsan", "张三")


@pytest.fixture
def bill(erp: SimulatedKingdee) -> int:
    return int(erp.create(FORM, "BX1"))


def status(erp: SimulatedKingdee, bill: int) -> str:
    return str(erp.document(FORM, bill)["FDocumentStatus"])


def test_a_task_says_who_is_waited_for_since_when(
    erp: SimulatedKingdee, workflow: Workflow, clock: FakeClock, zhang: int, bill: int
) -> None:
    clock.advance(60)
    erp.start_workflow(FORM, bill, zhang, node="部门经理")
    (task,) = workflow.pending([FORM])
    assert task == Task(
        task.item_id, task.task_id, FORM.upper(), "BX1", "部门经理", str(zhang), "张三", "2026-11-23T09:01:00"
    )
    assert workflow.pending_of(FORM, "BX1") == [task]
    assert workflow.pending_of(FORM, "BX'2") == []


def test_only_tasks_of_the_forms_that_still_wait(
    erp: SimulatedKingdee, workflow: Workflow, zhang: int, bill: int
) -> None:
    li = erp.add_user("lisi", "李四")
    other = int(erp.create(OTHER))
    erp.start_workflow(FORM, bill, zhang, li)
    erp.start_workflow(OTHER, other, zhang)
    erp.answer_task(FORM, bill, zhang, approve=True)
    assert [task.receiver for task in workflow.pending([FORM])] == [str(li)]
    assert {task.form for task in workflow.pending([FORM, OTHER])} == {FORM.upper(), OTHER.upper()}
    erp.requests.clear()
    assert workflow.pending([]) == []
    assert erp.requests == []


def test_more_tasks_than_a_page_holds(erp: SimulatedKingdee, workflow: Workflow, zhang: int) -> None:
    erp._services._most = 100
    for number in range(230):
        erp.start_workflow(FORM, int(erp.create(FORM, f"BX{number:03}")), zhang)
    assert [task.number for task in workflow.pending([FORM])] == [f"BX{number:03}" for number in range(230)]


def test_a_page_that_is_cut_short_decides_nothing(erp: SimulatedKingdee, workflow: Workflow, zhang: int) -> None:
    for _ in range(4):
        erp.start_workflow(FORM, int(erp.create(FORM)), zhang)
    erp.fault("short_page", form=TASKS)
    assert len(workflow.pending([FORM])) == 4


def test_a_decision_with_its_opinion(erp: SimulatedKingdee, workflow: Workflow, zhang: int, bill: int) -> None:
    erp.start_workflow(FORM, bill, zhang)
    outcome = workflow.answer(FORM, "BX1", str(zhang), approve=True, opinion="金额<预算(见附件)")
    assert outcome == Outcome("", "BX1", done=True)
    assert status(erp, bill) == "C"
    assert erp.documents("WF_AssignmentHisBill_ProcManage")[0]["FDisposition"] == "金额＜预算(见附件)"


def test_an_opinion_is_not_too_long(erp: SimulatedKingdee, workflow: Workflow, zhang: int, bill: int) -> None:
    erp.start_workflow(FORM, bill, zhang)
    workflow.answer(FORM, "BX1", str(zhang), approve=False, opinion="好" * 5000)
    assert erp.requests[-1].data["Disposition"] == "好" * (LONGEST_OPINION - 1) + "…", "it shows that it was cut"
    assert status(erp, bill) == "D"


@pytest.mark.parametrize("wordy", [False, True])
def test_somebody_else_may_not_decide(
    erp: SimulatedKingdee, workflow: Workflow, zhang: int, bill: int, wordy: bool
) -> None:
    erp.workflow.wordy = wordy
    erp.start_workflow(FORM, bill, zhang)
    li = erp.add_user("lisi", "李四")
    outcome = workflow.answer(FORM, "BX1", str(li), approve=True, opinion="")
    assert (outcome.done, outcome.code, outcome.text) == (False, "not-assignee", "当前用户不是待办任务的处理人")
    assert status(erp, bill) == "B"
    assert workflow.answer(FORM, "BX1", str(zhang), approve=True, opinion="").done


def test_a_lost_answer_is_not_asked_for_again(erp: SimulatedKingdee, workflow: Workflow, zhang: int, bill: int) -> None:
    erp.start_workflow(FORM, bill, zhang)
    erp.fault("lost_reply", op="WorkflowAudit")
    with pytest.raises(EdgeError) as caught:
        workflow.answer(FORM, "BX1", str(zhang), approve=True, opinion="")
    assert caught.value.kind is FailureKind.UNKNOWN_OUTCOME
    assert [request.op for request in erp.requests] == ["WorkflowAudit"]
    assert workflow.pending_of(FORM, "BX1") == []


@pytest.mark.parametrize(
    "body",
    [
        answer("{}"),
        answer(""),
        answer([]),
        answer('[{"Id": 7, "ErrorCode": 0, "Message": ""}]'),
        answer('{"7": {"IsSuccess": true, "Message": "审批成功"}}'),
        answer(None, {"IsSuccess": True}),
        answer("审批成功", {"IsSuccess": "true"}),
    ],
)
def test_a_decision_that_nothing_objects_to_is_made(body: Any) -> None:
    assert decided(body) == Outcome("", "BX1", done=True)


@pytest.mark.parametrize(
    "body",
    [
        answer(json.dumps(FAILED)),
        answer(FAILED),
        answer({"7": FAILED[0]}),
        answer({"Results": [{"Bill": FAILED}]}),
        answer(json.dumps({"IsSuccess": "False", "Message": FAILED[0]["Message"]})),
        answer(json.dumps(FAILED), {"IsSuccess": True, "Errors": []}),
        answer(json.dumps(FAILED), {"IsSuccess": False, "Errors": [], "MsgCode": 0}),
        answer("{}", {"IsSuccess": False, "Errors": [{"Message": FAILED[0]["Message"]}], "MsgCode": 11}),
    ],
)
def test_a_refusal_wherever_it_hides(body: Any) -> None:
    outcome = decided(body)
    assert (outcome.done, outcome.code) == (False, "not-assignee")


def test_a_refusal_without_words() -> None:
    assert decided(answer('[{"ErrorCode": 500}]')).text == "Kingdee does not say why"


def test_a_lock_is_worth_another_try() -> None:
    with pytest.raises(EdgeError) as caught:
        decided(answer(json.dumps([{"ErrorCode": 500, "Message": LOCK}])))
    assert caught.value.kind is FailureKind.TRANSIENT


@pytest.mark.parametrize(
    "body",
    [{}, [], {"Result": {}}, {"Result": {"ResponseStatus": ""}}, answer("not JSON"), answer("[" * 50 + "]" * 50)],
)
def test_an_answer_that_does_not_tell_leaves_the_outcome_unknown(body: Any) -> None:
    with pytest.raises(EdgeError) as caught:
        decided(body)
    assert caught.value.kind is FailureKind.UNKNOWN_OUTCOME


@pytest.mark.parametrize("fault", ["permission", "unknown_form", "bad_filter"])
def test_a_process_form_that_may_not_be_read(erp: SimulatedKingdee, workflow: Workflow, fault: str) -> None:
    erp.fault(fault, form=TASKS)
    with pytest.raises(EdgeError) as caught:
        workflow.pending([FORM])
    assert (caught.value.kind, caught.value.code) == (FailureKind.CONFIGURATION, TASKS_UNREADABLE)
    assert "view permission on process management" in caught.value.cure


def test_a_process_form_of_another_version(erp: SimulatedKingdee, workflow: Workflow, monkeypatch: Any) -> None:
    form = erp._tables.form(TASKS)
    columns = {key: column for key, column in form.columns.items() if "FASSIGNNAME" not in key}
    monkeypatch.setitem(form.__dict__, "columns", columns)
    with pytest.raises(EdgeError) as caught:
        workflow.pending([FORM])
    assert (type(caught.value), caught.value.code) == (EdgeError, TASKS_UNREADABLE)
    assert "FASSIGNNAME" in caught.value.message


def test_an_outage_is_no_matter_of_configuration(erp: SimulatedKingdee, workflow: Workflow) -> None:
    erp.fault("database", form=TASKS)
    with pytest.raises(EdgeError) as caught:
        workflow.pending([FORM])
    assert caught.value.kind is FailureKind.TRANSIENT


def test_a_hidden_task_is_no_task(erp: SimulatedKingdee, workflow: Workflow, zhang: int, bill: int) -> None:
    erp.start_workflow(FORM, bill, zhang)
    erp.grant(TASKS, allowed=False)
    assert workflow.pending([FORM]) == []
