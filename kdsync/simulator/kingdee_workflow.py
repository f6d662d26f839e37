"""Workflows of the simulated Kingdee: who is asked, in which order, and what an answer does to the bill.

Running instances are listed in the process management form, one row for each receiver of a node, and move to its
history when they end. Keys are those of a public integration that reads and answers such tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from random import Random
from uuid import UUID

import orjson

from kdsync.simulator.kingdee_answers import MsgCode, Refusal
from kdsync.simulator.kingdee_documents import Documents
from kdsync.simulator.kingdee_forms import Form
from kdsync.simulator.kingdee_steps import AUDIT, CANCEL_ASSIGN, REJECT, SUBMIT, Step
from kdsync.simulator.kingdee_tables import Record, quoted
from kdsync.simulator.kingdee_values import Stored

Person = str | int
"""The account or the id of a user."""
Node = Person | Sequence[Person]
"""Who is asked at once; all of them must pass."""

_FIELDS = (
    "FAssignId FInstCode FBILLNUMBER FObjectTypeId FASSIGNNAME FActivityStatus FInstStatus FReceiverId>SEC_User "
    "FStatus FDisposition FResultName FBasePost:int FCreateTime:datetime FCompletedTime:datetime"
)
_PK = "FReceiverItem_FRECEIVERITEMID"
TASKS = Form.parse("WF_AssignmentBill_ProcManage", _FIELDS, pk=_PK, number="", status="", name="流程管理")
HISTORY = Form.parse("WF_AssignmentHisBill_ProcManage", _FIELDS, pk=_PK, number="", status="", name="流程管理历史")
_INSTANCES = Form.parse(  # not a form of Kingdee's: where its tables of instances are kept here
    "WF_ProcInst", "FNumber FOBJECTTYPEID FKEYVALUE FNODES FTITLE FSTEP:int", number="FNumber", status="", prefix="WF"
)
WORKFLOW_FORMS = (TASKS, HISTORY, _INSTANCES)

ENDING = frozenset({AUDIT.name, REJECT.name, CANCEL_ASSIGN.name})
"""Steps after which nothing is waited for any more."""
OPEN, DONE, RUNNING, OVER = "0", "1", "2", "1"


class Verdict(IntEnum):
    """ApprovalType of WorkflowAudit."""

    PASS = 1
    REJECT = 2
    TERMINATE = 3


_SAID = {Verdict.PASS: "同意", Verdict.REJECT: "不同意", Verdict.TERMINATE: "终止"}


def not_the_receiver() -> Refusal:
    return Refusal(MsgCode.INVALID, "当前用户不是待办任务的处理人")


class Workflow:
    """The running instances; not to be used inside `late`.

    `on_submit` says by form id which nodes a submit starts, `wordy` whether WorkflowAudit answers with a
    ResponseStatus.
    """

    def __init__(self, documents: Documents, random: Random) -> None:
        self.on_submit: dict[str, Sequence[Node]] = {}
        self.wordy = False
        self._documents = documents
        self._tables = documents.tables
        self._random = random
        for form in WORKFLOW_FORMS:
            self._tables.define(form)

    def step(
        self,
        form: Form,
        doc_id: int | str,
        step: Step,
        user: int,
        *,
        columns: Mapping[str, Stored] | None = None,
        verify: bool = True,
    ) -> None:
        """Carry out an operation, with what it means for workflows; `columns` overrule what it writes.

        With `verify` a document in a workflow is not audited past it. Raises KeyError or `Refusal`.
        """
        with self._tables.lock:
            instance = self._running(form, doc_id)
            if instance and verify and step is AUDIT:
                number = self._number(form, doc_id)
                raise Refusal(MsgCode.INVALID, f"单据编号为“{number}”的单据已关联工作流实例，不允许直接审核")
            self._documents.step(form, doc_id, step, self._documents.stamp(user), **(columns or {}))
            if instance and step.name in ENDING:
                self._end(instance)
            nodes = self.on_submit.get(form.id) if step is SUBMIT else None
            if nodes:
                self._begin(form, doc_id, self._users(nodes), "审批")

    def start(self, form: Form, doc_id: int | str, nodes: Sequence[Node], title: str, user: int) -> None:
        """Put a bill into approval, submitting it where that is still to be done. Raises as `step` does, and ValueError
        where the bill is in a workflow or a receiver is nobody."""
        with self._tables.lock:
            if self._running(form, doc_id):
                raise ValueError(f"{form.id} {doc_id} is in a workflow already")
            users = self._users(nodes)
            if self._documents.record(form, doc_id).head[form.status] != "B":
                self._documents.step(form, doc_id, SUBMIT, self._documents.stamp(user))
            self._begin(form, doc_id, users, title)

    def answer(self, form: Form, doc_id: int | str, person: Person, verdict: Verdict, opinion: str) -> None:
        """Decide the task that waits for somebody. Raises `Refusal` where none does."""
        with self._tables.lock:
            instance = self._running(form, doc_id)
            rows = self._rows(instance) if instance else []
            user = self._find(person)
            mine = [row for row in rows if row.head["FReceiverId"] == user and row.head["FStatus"] == OPEN]
            if not instance or user is None or not mine:
                raise not_the_receiver()
            self._documents.edit(TASKS, mine[0].id, None, fields=self._decision(verdict, opinion), entries=None)
            if verdict is not Verdict.PASS:
                self._documents.step(form, doc_id, REJECT, self._documents.stamp(user))
                self._end(instance)
            elif all(row.head["FStatus"] == DONE for row in self._rows(instance)):
                self._go_on(form, doc_id, instance, user)

    def _decision(self, verdict: Verdict, opinion: str) -> dict[str, str]:
        now = self._documents.stamp(0).moment
        return {"FStatus": DONE, "FDisposition": opinion, "FResultName": _SAID[verdict], "FCompletedTime": now}

    def _go_on(self, form: Form, doc_id: int | str, instance: Record, user: int) -> None:
        for row in self._rows(instance):
            self._tables.change(TASKS, row.id, {"FActivityStatus": DONE})
        if int(instance.head["FSTEP"] or 0) < len(orjson.loads(str(instance.head["FNODES"]))):
            self._ask(form, doc_id, instance)
        else:
            self._documents.step(form, doc_id, AUDIT, self._documents.stamp(user))
            self._end(instance)

    def _begin(self, form: Form, doc_id: int | str, users: list[list[int]], title: str) -> None:
        fields = {"FOBJECTTYPEID": form.id, "FKEYVALUE": str(doc_id), "FNODES": orjson.dumps(users).decode()}
        instance = self._documents.create(
            _INSTANCES, 0, number=None, status="", entries=(), fields={**fields, "FTITLE": title}
        )
        self._ask(form, doc_id, self._documents.record(_INSTANCES, instance))

    def _ask(self, form: Form, doc_id: int | str, instance: Record) -> None:
        """One row for each receiver of the next node."""
        step = int(instance.head["FSTEP"] or 0)
        common = {
            "FAssignId": str(UUID(int=self._random.getrandbits(128), version=4)),
            "FInstCode": instance.head["FNumber"],
            "FBILLNUMBER": self._number(form, doc_id),
            "FObjectTypeId": form.id.upper(),
            "FASSIGNNAME": f"{instance.head['FTITLE']}{step + 1 if step else ''}",
            "FActivityStatus": OPEN,
            "FInstStatus": RUNNING,
            "FStatus": OPEN,
            "FCreateTime": self._documents.stamp(0).moment,
        }
        for user in orjson.loads(str(instance.head["FNODES"]))[step]:
            fields = {**common, "FReceiverId": user}
            self._documents.create(TASKS, 0, number=None, status="", entries=(), fields=fields)
        self._tables.change(_INSTANCES, instance.id, {"FSTEP": step + 1})

    def _end(self, instance: Record) -> None:
        """The rows move to the history."""
        now = self._documents.stamp(0).moment
        for row in self._rows(instance, every=True):
            ended = {"FStatus": DONE, "FActivityStatus": DONE, "FInstStatus": OVER}
            done = {"FCompletedTime": row.head["FCompletedTime"] or now}
            self._tables.remove(TASKS, row.id)
            self._tables.put(HISTORY, replace(row, head={**row.head, **ended, **done}))
        self._tables.remove(_INSTANCES, instance.id)

    def _running(self, form: Form, doc_id: int | str) -> Record | None:
        self._documents.settle()
        where = f'SELECT FID FROM {quoted(_INSTANCES.id)} WHERE "FOBJECTTYPEID" = ? AND "FKEYVALUE" = ?'  # noqa: S608
        found = self._tables.rows(where, (form.id, str(doc_id)))
        return self._tables.get(_INSTANCES, found[0][0]) if found else None

    def _rows(self, instance: Record, *, every: bool = False) -> list[Record]:
        """The tasks of the node that is open, or of `every` node so far, in the order in which they were given."""
        where = f'SELECT {_PK} FROM {quoted(TASKS.id)} WHERE "FInstCode" = ? ORDER BY 1'  # noqa: S608
        rows = [self._documents.record(TASKS, row[0]) for row in self._tables.rows(where, (instance.head["FNumber"],))]
        return [row for row in rows if every or row.head["FActivityStatus"] == OPEN]

    def _number(self, form: Form, doc_id: int | str) -> Stored:
        return self._documents.record(form, doc_id).head.get(form.number, "")

    def _users(self, nodes: Sequence[Node]) -> list[list[int]]:
        users = [[self._user(person) for person in _people(node)] for node in nodes]
        if not users or not all(users):
            raise ValueError("a workflow needs somebody to ask")
        return users

    def _user(self, person: Person) -> int:
        user = self._find(person)
        if user is None:
            raise ValueError(f"there is no user {person!r}")
        return user

    def _find(self, person: Person) -> int | None:
        users = self._tables.form("SEC_User")
        if isinstance(person, int):
            return person if self._tables.get(users, person) else None
        ids = self._tables.ids(users, person)
        return int(ids[0]) if ids else None


def _people(node: Node) -> tuple[Person, ...]:
    return tuple(node) if isinstance(node, Iterable) and not isinstance(node, str) else (node,)
