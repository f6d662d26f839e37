"""Work notifications of the simulated DingTalk, which accepts much that it then does not deliver.

Sources: "Asynchronously send work notifications" and its neighbours (progress, result, recall, status bar) and
"Global error codes" on open.dingtalk.com.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

import orjson

from kdsync.clock import Clock
from kdsync.simulator.dingtalk_contacts import ROOT, Company, User
from kdsync.simulator.dingtalk_envelopes import Json, RefusedError, trouble
from kdsync.simulator.dingtalk_faults import SILENT
from kdsync.simulator.dingtalk_gateway import Call, Route
from kdsync.simulator.dingtalk_limits import Window, today
from kdsync.simulator.dingtalk_manners import Manners
from kdsync.simulator.dingtalk_messages import work_message
from kdsync.simulator.dingtalk_phones import Phones
from kdsync.simulator.phone import read

DAILY_CAP = 143105
DUPLICATE = 143106
MINUTE_CAP = 143103
_A_MINUTE = 5000  # recipients of one app, and recipients of one send
_EVERYBODY_A_DAY = 3
_USERS, _DEPARTMENTS = 100, 20
_STATUS_BAR_USERS = 5
_OUT_OF_SCOPE = 50002, "请求的员工userid不在授权范围内"
_NO_SUCH_USER = 33012, "无效的USERID"
_BASE = "/topapi/message/corpconversation/"


@dataclass(slots=True)
class Task:
    """One accepted send. `forbidden` maps userids to the code that says why nothing came."""

    task_id: int
    sent_at: datetime
    message: Json
    few: bool  # few enough recipients for a status bar
    invalid: list[str] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)
    forbidden: dict[str, int] = field(default_factory=dict)

    @property
    def recipients(self) -> int:
        return len(self.delivered) + len(self.forbidden)


@dataclass(frozen=True, slots=True)
class _Addressed:
    users: list[User]
    invalid: list[str]
    few: bool


class WorkNotifications:
    """asyncsend_v2 and what follows it. A task is finished `task_seconds` after it was accepted."""

    def __init__(
        self, clock: Clock, company: Company, phones: Phones, manners: Manners, agent_id: int, task_seconds: float
    ) -> None:
        self._clock = clock
        self._manners = manners
        self._company = company
        self._phones = phones
        self._agent_id = agent_id
        self._task_seconds = timedelta(seconds=task_seconds)
        self._numbers = count(256_271_667_526)
        self._tasks: dict[int, Task] = {}
        self._reached = Window(clock, _A_MINUTE, 60)
        self._day = today(clock)
        self._got: defaultdict[str, set[bytes]] = defaultdict(set)
        self._to_everybody = 0
        self._to_everybody_minute = Window(clock, 1, 60)

    def routes(self) -> list[Route]:
        handlers = {
            "asyncsend_v2": self._send,
            "getsendprogress": self._progress,
            "getsendresult": self._result,
            "recall": self._recall,
            "status_bar/update": self._update_status_bar,
        }
        return [Route("POST", _BASE + name, handle, "qyapi_base") for name, handle in handlers.items()]

    def _send(self, call: Call) -> Json:
        fields = call.fields
        self._check_agent(fields, unknown=52019)
        message = work_message(fields.get("msg"), self._manners.longest_message)
        addressed = self._addressed(fields)
        status_bar = message["oa"].get("status_bar") if message["msgtype"] == "oa" else None
        if status_bar and not addressed.few:
            raise RefusedError(41052, "状态栏仅支持5人以内: a status bar needs 5 recipients or fewer")
        task = Task(next(self._numbers), self._clock.now(), message, addressed.few, addressed.invalid)
        self._tasks[task.task_id] = task
        if call.fault in SILENT:
            task.forbidden = dict.fromkeys((user.userid for user in addressed.users), SILENT[call.fault][0])
        else:
            self._deliver(task, addressed.users, _bar(status_bar or {}))
        return {"task_id": task.task_id}

    def _deliver(self, task: Task, users: list[User], bar: tuple[str, str]) -> None:
        self._begin_day()
        reading = read(task.message)
        content = orjson.dumps(task.message, option=orjson.OPT_SORT_KEYS)
        for place, user in enumerate(users):
            code = MINUTE_CAP if place >= _A_MINUTE else self._obstacle(self._got[user.userid], content)
            if code:
                task.forbidden[user.userid] = code
                continue
            task.delivered.append(user.userid)
            self._phones.show(user.userid, "work", reading, task.message, task_id=task.task_id, bar=bar)

    def _obstacle(self, got: set[bytes], content: bytes) -> int:
        """Why `content` silently does not reach who `got` other messages today; 0 where it does and is counted."""
        if content in got:
            return DUPLICATE
        if len(got) >= self._manners.messages_a_day:
            return DAILY_CAP
        if not self._reached.take():
            return MINUTE_CAP
        got.add(content)
        return 0

    def _begin_day(self) -> None:
        if self._day != today(self._clock):
            self._day = today(self._clock)
            self._got.clear()
            self._to_everybody = 0

    def _addressed(self, fields: Json) -> _Addressed:
        if _is_true(fields.get("to_all_user")):
            self._check_everybody()
            return _Addressed(_in_scope(self._company.everyone_below(ROOT)), [], few=False)
        userids = _listed(fields, "userid_list", _USERS)
        dept_ids = _listed(fields, "dept_id_list", _DEPARTMENTS)
        if not userids and not dept_ids:
            raise RefusedError(40035, "不合法的参数: one of userid_list, dept_id_list and to_all_user is needed")
        named = [self._company.users[userid] for userid in userids if userid in self._company.users]
        reachable = _in_scope(named)
        if not dept_ids and not reachable:
            raise RefusedError(*(_OUT_OF_SCOPE if named else _NO_SUCH_USER))
        found = {user.userid for user in reachable}
        people = reachable + self._below(dept_ids)
        few = not dept_ids and len(userids) <= _STATUS_BAR_USERS
        return _Addressed(list(dict.fromkeys(people)), [each for each in userids if each not in found], few)

    def _below(self, dept_ids: list[str]) -> list[User]:
        people = []
        for dept_id in dept_ids:
            department = self._company.departments.get(int(dept_id)) if dept_id.isdecimal() else None
            if department is None or not department.in_scope:
                raise RefusedError(50004, "请求的部门id不在授权范围内")
            people += _in_scope(self._company.everyone_below(department.dept_id))
        return people

    def _check_everybody(self) -> None:
        self._begin_day()
        if self._to_everybody >= _EVERYBODY_A_DAY:
            raise RefusedError(41045, "超过发送全员消息的次数上限: 3 a day")
        if not self._to_everybody_minute.take():
            raise RefusedError(41046, "超过发送全员消息的每分钟次数上限")
        self._to_everybody += 1

    def _progress(self, call: Call) -> Json:
        task = self._task(call, "task_id", timedelta(days=1))
        done = self._is_done(task)
        return {"progress": {"progress_in_percent": 100 if done else 0, "status": 2 if done else 1}}

    def _result(self, call: Call) -> Json:
        task = self._task(call, "task_id", timedelta(days=1))
        if task.recipients > _USERS:
            raise trouble("timeout", new_host=False)
        done = self._is_done(task)
        codes = Counter(task.forbidden.values())
        forbidden = [{"code": str(code), "count": codes[code], "userid": who} for who, code in task.forbidden.items()]
        return {
            "send_result": {
                "invalid_user_id_list": task.invalid if done else [],
                "forbidden_user_id_list": list(task.forbidden) if done else [],
                "failed_user_id_list": [],
                "read_user_id_list": [],
                "unread_user_id_list": task.delivered if done else [],
                "invalid_dept_id_list": [],
                "forbidden_list": forbidden if done else [],
            }
        }

    def _recall(self, call: Call) -> Json:
        task = self._task(call, "msg_task_id", timedelta(days=1), unknown=400002)
        self._phones.change(task.task_id, recalled=True)
        return {}

    def _update_status_bar(self, call: Call) -> Json:
        task = self._task(call, "task_id", timedelta(days=self._manners.bar_days), agent=40056)
        if not task.few or not self._is_done(task):
            raise RefusedError(41052, "接收者过多或者发送任务未结束: too many recipients, or not finished yet")
        status = call.fields.get("status_value")
        if task.message["msgtype"] != "oa" or not status:
            raise RefusedError(40035, "不合法的参数: status_value, or no OA message")
        text, colour = _bar(call.fields)
        self._phones.change(task.task_id, status=text, status_bg=colour)
        return {}

    def _task(self, call: Call, key: str, age: timedelta, *, agent: int = 52019, unknown: int = 40035) -> Task:
        fields = call.fields
        self._check_agent(fields, unknown=agent)
        number = str(fields.get(key) or "")
        task = self._tasks.get(int(number)) if number.isdecimal() else None
        if task is None or self._clock.now() - task.sent_at > age:
            raise RefusedError(unknown, f"不合法的参数: {key}")
        return task

    def _check_agent(self, fields: Json, *, unknown: int) -> None:
        """The AgentId is a number and this app's own; the appKey is not accepted in its place."""
        agent_id = str(fields.get("agent_id") or "")
        if not agent_id.isdecimal():
            raise RefusedError(400002, "参数错误: agent_id")
        if int(agent_id) != self._agent_id:
            raise RefusedError(unknown, "无效的agent_id")

    def _is_done(self, task: Task) -> bool:
        return self._clock.now() - task.sent_at >= self._task_seconds


def _in_scope(users: list[User]) -> list[User]:
    return [user for user in users if user.in_scope]


def _bar(fields: Json) -> tuple[str, str]:
    """Text and colour."""
    return str(fields.get("status_value") or ""), str(fields.get("status_bg") or "")


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"


def _listed(fields: Json, key: str, most: int) -> list[str]:
    """The members of a list that is joined by commas; one alone may be a number."""
    joined = fields.get(key)
    if joined is not None and not isinstance(joined, str | int):
        raise RefusedError(40035, f"不合法的参数: {key} is text joined by commas")
    members = str(joined).split(",") if joined else []
    if len(members) > most:
        raise RefusedError(40035, f"不合法的参数: {key} has more than {most} members")
    return list(dict.fromkeys(members))
