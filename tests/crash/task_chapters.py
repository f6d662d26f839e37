"""What happens around workflow tasks: status bars that are changed, and approvers where tasks cannot be read."""

from __future__ import annotations

from typing import Any

from tests.crash.chapters import ASKED, Chapter, rule
from tests.crash.house import EXPENSE, House

TASKS = "WF_AssignmentBill_ProcManage"
BAR = "status_bar/update"
FORMS: dict[str, Any] = {
    **ASKED,
    "message": {"title": "asked {{ doc.FBillNo }}.", "fields": {"单据": "{{ doc.FBillNo }}"}},
}


def _bar(house: House, number: str) -> str:
    return next((seen.status for seen in house.dingtalk.seen("user1") if f"asked {number}." in seen.title), "")


def _shows(house: House, number: str, status: str) -> Any:
    """Where an answer was lost with its process the message went out twice: DingTalk shows the first of them, and the
    second one's bar is the one that kdsync knows."""
    return _bar(house, number) == status or house.store("SELECT id FROM attempts WHERE outcome = 'unknown_outcome'")


def _asked(house: House, number: str) -> Any:
    bill = house.kingdee.create(EXPENSE, number)
    house.kingdee.start_workflow(EXPENSE, bill, "kd1")
    house.expect(f"asked {number}.", "user1")
    house.until(lambda: _bar(house, number))
    return bill


def bars_changed(house: House) -> None:
    """Two tasks are decided in Kingdee: DingTalk changes the first bar after a while, and the second one never."""
    house.configure(FORMS)
    house.start()
    house.until(lambda: house.reached("tasks.TaskWatch._take"))
    first = _asked(house, "EXP1")
    house.dingtalk.fault("system_busy", probability=1.0, api=BAR)
    house.kingdee.answer_task(EXPENSE, first, "kd1", approve=True)
    house.until(lambda: house.reached("bars.Bars._put_off"))
    house.dingtalk.clear_faults()
    house.until(lambda: _shows(house, "EXP1", "已处理 · 已审核"))
    second = _asked(house, "EXP2")
    house.dingtalk.fault("bad_parameter", probability=1.0, api=BAR)
    house.kingdee.answer_task(EXPENSE, second, "kd1", approve=False)
    house.until(lambda: house.store("SELECT id FROM attempts WHERE outcome = 'bar not changed'"))
    assert _bar(house, "EXP2") == "待审批"


def bars_wait(house: House) -> None:
    """The document cannot be read for a while after its task was decided."""
    house.configure(FORMS)
    house.start()
    house.until(lambda: house.reached("tasks.TaskWatch._take"))
    bill = _asked(house, "EXP1")
    house.possible.add(EXPENSE)  # operators hear that it cannot be read, if that lasts
    house.kingdee.fault("permission", times=10_000, form=EXPENSE)
    house.kingdee.answer_task(EXPENSE, bill, "kd1", approve=True)
    house.until(lambda: house.reached("bars.Bars._status"))
    house.kingdee.clear_faults()
    house.until(lambda: _shows(house, "EXP1", "已处理 · 已审核"))


def tasks_unread(house: House) -> None:
    """For a while tasks may not be read: approvers are told of what is submitted, and afterwards assignees again."""
    house.configure(rule("asked", EXPENSE, "assigned", ("assignee",), approvers=["user:user2"]))
    house.start()
    house.until(lambda: house.reached("tasks.TaskWatch._take"))
    house.kingdee.fault("permission", times=10_000, form=TASKS)
    house.expect("无法读取待办任务", "user5")
    house.until(lambda: house.reached("stays.Stays.begin"))
    bill = house.kingdee.create(EXPENSE, "EXP1")
    house.kingdee.start_workflow(EXPENSE, bill, "kd1")
    house.expect("asked EXP1.", "user2")
    house.until(lambda: house.dingtalk.seen("user2"))
    house.kingdee.clear_faults()
    house.expect("待办任务已可读取", "user5")
    house.until(lambda: house.reached("stays.Stays.end"))
    later = house.kingdee.create(EXPENSE, "EXP2")
    house.kingdee.start_workflow(EXPENSE, later, "kd1")
    house.expect("asked EXP2.", "user1")


TASK_CHAPTERS: tuple[Chapter, ...] = (bars_changed, bars_wait, tasks_unread)
