"""A Kingdee where anything can become of a write, and where others work at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from kdsync.clock import Clock, FakeClock
from kdsync.errors import FailureKind
from kdsync.model import Do, Task
from kdsync.services.desk import Bill, Ruling
from tests.property.trouble import Crash
from tests.unit.services.desk import AFTER, STATUS, FakeDesk, trouble
from tests.unit.services.world import START

PAYMENT, EXPENSE = "AP_PAYBILL", "ER_ExpReimbursement"
FAULTS = ("lost", "late", "late", "cut", "locked", "refused", "busy", "dies", "dies before")
DEEDS = (
    *("edit", "raise", "submit", "audit", "unaudit", "reject", "workflow", "agree", "disagree", "wait") * 2,
    "delete",
)
Key = tuple[str, str]
Deed = tuple[str, int, int]  # what somebody does in Kingdee, to which document, and a number that some need


@dataclass
class Effect:
    """A write of kdsync's that Kingdee did."""

    message: str
    step: int
    kind: str
    key: Key
    target: str  # the task that was answered
    undone: bool = False  # others have changed since what it had changed


@dataclass
class Request:
    """A write that is under way. `target` is the task that kdsync noted."""

    message: str
    step: int
    do: Do
    key: Key
    user: str
    target: str
    opinion: str


@dataclass
class TroubledDesk(FakeDesk):
    """`faults` are taken one a write; `meanwhile` says what others do just before the nth call.

    `late`: the answer is lost, and the write is done only some seconds later; `dies`: the process ends before it hears.
    """

    clock: Clock = field(default_factory=lambda: FakeClock(START))
    advance: Callable[[float], None] = lambda _seconds: None
    point: Callable[[], None] = lambda: None
    request: Callable[[Bill, Do, str, str], Request | None] = lambda *_: None  # what the store says of a write
    on_effect: Callable[[Effect], None] = lambda _effect: None
    meanwhile: dict[int, list[Deed]] = field(default_factory=dict)
    under_way: list[tuple[datetime, Request]] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    decided: dict[str, str] = field(default_factory=dict)  # tasks, and how they were
    shown: dict[Key, dict[str, Any] | None] = field(default_factory=dict)  # documents as kdsync saw them last
    shown_tasks: dict[tuple[str, str], list[Task] | None] = field(default_factory=dict)
    delay: float = 0.0
    successors: Counter[Key] = field(default_factory=Counter)  # how many documents a push made of one
    path: dict[Key, list[str]] = field(default_factory=dict)  # whom workflows reach next
    items: int = 0

    # --- what kdsync asks

    def find(self, form: str, number: str, fields: Iterable[str], rows: Iterable[str] = ()) -> list[Bill]:
        self._others()
        found = super().find(form, number.upper(), fields, rows)  # all numbers here are in capitals
        self.shown |= {(form, bill.document.doc_id): {**self.bills[form, bill.document.doc_id]} for bill in found}
        return found

    def read(self, form: str, doc_id: str, fields: Iterable[str], rows: Iterable[str] = ()) -> Bill | None:
        self._others()
        bill = super().read(form, doc_id, fields, rows)
        self.shown[form, doc_id] = {**self.bills[form, doc_id]} if bill else None
        return bill

    def tasks(self, form: str, number: str) -> list[Task]:
        self._others()
        self.shown_tasks[form, number] = None
        found = super().tasks(form, number)
        self.shown_tasks[form, number] = found
        return found

    def pushed(self, bill: Bill, do: Do) -> list[tuple[str, str]]:  # noqa: ARG002  # there is one form to push into
        self._others()
        self._reachable()
        number = bill.document.number
        return [(f"{number}-{n}", number) for n in range(self.successors[bill.document.form, bill.document.doc_id])]

    def write(self, bill: Bill, do: Do, *, user_id: str, opinion: str, sender: str) -> Ruling:
        assert sender
        self._reachable()
        request = self.request(bill, do, user_id, opinion)
        fault = self.faults.pop(0) if self.faults else ""
        self.point()
        if request is None:
            return Ruling(done=False, text="never noted")
        if fault == "dies before":
            raise Crash
        if fault in ("cut", "locked", "busy"):
            raise trouble(FailureKind.UNKNOWN_OUTCOME if fault == "cut" else FailureKind.TRANSIENT)
        if fault == "refused":
            return Ruling(done=False, text="必填项未录入")
        if fault == "late":
            self.under_way.append((self.clock.now() + timedelta(seconds=self.delay), request))
            self.point()
            raise trouble(FailureKind.UNKNOWN_OUTCOME)
        ruling = self._effect(request)
        self.point()
        if fault == "dies":
            raise Crash
        if fault == "lost":
            raise trouble(FailureKind.UNKNOWN_OUTCOME)
        return ruling

    # --- what is done

    def arrive(self) -> None:
        """What was under way long enough is done now."""
        due = [request for at, request in self.under_way if at <= self.clock.now()]
        self.under_way = [(at, request) for at, request in self.under_way if at > self.clock.now()]
        for request in due:
            self._effect(request, late=True)

    def _effect(self, request: Request, *, late: bool = False) -> Ruling:
        """Kingdee does it, if its rules allow; what is late answers the task that waited when it was sent."""
        values, do = self.bills.get(request.key), request.do
        if values is None:
            return Ruling(done=False, text="单据不存在")
        target = ""
        if do.kind in AFTER:
            before, after = AFTER[do.kind]
            if values[STATUS] not in before or (do.kind == "audit" and self._waiting(values)):
                return Ruling(done=False, text="单据状态不符")
            values[STATUS] = after
        elif do.kind == "save":
            if values[STATUS] == "C":
                return Ruling(done=False, text="单据已审核")
            values |= do.fields
        elif do.kind in ("approve", "reject"):
            mine = [task for task in self._waiting(values) if task.receiver == request.user]
            mine = [task for task in mine if task.item_id == request.target or not late]
            if not mine:
                return Ruling(done=False, text="当前用户不是待办任务的处理人")
            target = mine[0].item_id
            self._settle(request.key, mine[0], do.kind)
        elif do.kind == "push":
            self.successors[request.key] += 1
        effect = Effect(request.message, request.step, do.kind, request.key, target)
        self.on_effect(effect)
        self.effects.append(effect)
        return Ruling(done=True)

    def _waiting(self, values: dict[str, Any]) -> list[Task]:
        return [task for task in self.waiting if task.number == values["FBillNo"]]

    def _settle(self, key: Key, task: Task, how: str) -> None:
        """A task is decided: the next node follows, also one of the same person, or the workflow is over."""
        self.waiting.remove(task)
        self.decided[task.item_id] = how
        if how == "approve" and self.path.get(key):
            self.ask(key, self.path[key].pop(0))
        else:
            self.bills[key][STATUS] = "C" if how == "approve" else "D"

    def ask(self, key: Key, receiver: str) -> None:
        """A workflow reaches somebody."""
        self.items += 1
        task = self.wait_for(key[1], receiver, key[0])
        self.waiting[-1] = replace(task, item_id=f"item{self.items}")

    # --- what others do

    def _others(self) -> None:
        self.meanwhile = {left - 1: deeds for left, deeds in self.meanwhile.items() if left > 0}
        for deed in self.meanwhile.pop(0, []):
            self.act(deed)
        self.arrive()

    def act(self, deed: Deed) -> None:
        """Somebody works in Kingdee, as far as Kingdee lets them."""
        verb, pick, amount = deed
        if verb == "wait":
            self.advance(float(amount))
        elif self.bills:
            key = sorted(self.bills)[pick % len(self.bills)]
            before = {**self.bills[key]}
            self._act(verb, key, amount)
            if self.bills.get(key) != before:
                self._undo(key)

    def _act(self, verb: str, key: Key, amount: int) -> None:
        values = self.bills[key]
        status, tasks = values[STATUS], self._waiting(values)
        if verb == "edit" and status != "C":
            values["FREMARK"] = f"x{amount}"
        elif verb == "raise" and status != "C":
            values["FAMOUNT"] = 60000 + amount
        elif verb == "submit" and status in AFTER["submit"][0]:
            values[STATUS] = "B"
        elif verb == "audit" and status == "B" and not tasks:
            values[STATUS] = "C"
        elif verb == "unaudit" and status == "C":
            values[STATUS] = "D"
        elif verb == "reject" and status == "B":
            self.waiting = [task for task in self.waiting if task not in tasks]
            values[STATUS] = "D"
        elif verb == "delete" and status in "AD":
            del self.bills[key]
        elif verb == "workflow" and status in "AB" and not tasks:
            values[STATUS] = "B"
            self.path[key] = [["102"], ["103"], ["103", "103"], ["102", "103"]][amount % 4]
            self.ask(key, self.path[key].pop(0))
        elif verb in ("agree", "disagree") and tasks:
            self._settle(key, tasks[0], "approve" if verb == "agree" else "reject")

    def _undo(self, key: Key) -> None:
        for effect in self.effects:
            effect.undone |= effect.key == key
