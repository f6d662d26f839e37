"""A Kingdee that can be changed: documents, workflow tasks, and everything that can become of a write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kdsync.errors import EdgeError, FailureKind
from kdsync.model import Do, Document, Facts, Task
from kdsync.services.desk import Bill, NotThemselvesError, Ruling

AFTER = {"submit": ("ZAD", "B"), "audit": ("B", "C")}
"""From which status a step leads to which."""
STATUS = "FDocumentStatus"


def trouble(kind: FailureKind, code: str = "x") -> EdgeError:
    return EdgeError("kingdee", kind, code, "trouble")


@dataclass
class FakeDesk:
    """`faults` are taken one a write: lost (done, no answer), cut (not done, no answer), down, refused, locked.

    Of the same, nobody: the sender is no one in Kingdee, and shut: Kingdee does not let them in.
    """

    bills: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    waiting: list[Task] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    written: list[tuple[str, str, str]] = field(default_factory=list)  # step, document, opinion: what took effect
    sent: list[tuple[str, str, str]] = field(default_factory=list)  # what was asked for, with the user
    down: bool = False
    strange: int = 0  # so many answers are those of a server that restarts
    mute: bool = False  # Kingdee says yes and shows nothing of it
    secret: bool = False  # workflow tasks may not be read
    nodes: list[str] = field(default_factory=list)  # receivers of the nodes that follow
    lookups: dict[str, str] = field(default_factory=dict)  # the forms that fields refer to

    def create(self, ident: str, number: str, status: str = "A", form: str = "AP_PAYBILL", **values: Any) -> str:
        self.bills[form, ident] = {"FID": ident, "FBillNo": number, STATUS: status, "FCreatorId": 0, **values}
        return ident

    def status(self, ident: str, form: str = "AP_PAYBILL") -> str:
        return str(self.bills[form, ident][STATUS])

    def wait_for(self, ident: str, receiver: str, form: str = "AP_PAYBILL") -> Task:
        number = str(self.bills[form, ident]["FBillNo"])
        item = f"item{len(self.waiting) + len(self.sent) + 1}"
        task = Task(item, "task", form.upper(), number, "审批", receiver, "", "2026-11-23T10:00:00")
        self.waiting.append(task)
        return task

    def find(self, form: str, number: str, fields: Iterable[str], rows: Iterable[str] = ()) -> list[Bill]:
        self._reachable()
        mine = [key for key, values in self.bills.items() if key[0] == form and values["FBillNo"] == number]
        return [self._bill(key, fields, rows) for key in mine]

    def read(self, form: str, doc_id: str, fields: Iterable[str], rows: Iterable[str] = ()) -> Bill | None:
        self._reachable()
        return self._bill((form, doc_id), fields, rows) if (form, doc_id) in self.bills else None

    def tasks(self, form: str, number: str) -> list[Task]:
        self._reachable()
        if self.secret:
            raise trouble(FailureKind.CONFIGURATION, "tasks-unreadable")
        return [task for task in self.waiting if (task.form, task.number) == (form.upper(), number)]

    def pushed(self, bill: Bill, do: Do) -> list[tuple[str, str]]:
        self._reachable()
        found = {key[1]: values for key, values in self.bills.items() if key[0] == do.options.get("to")}
        mine = ((ident, str(one["FBillNo"])) for ident, one in found.items() if "FSRCBILLNO" in one)
        return [(ident, number) for ident, number in mine if found[ident]["FSRCBILLNO"] == bill.document.number]

    def write(self, bill: Bill, do: Do, *, user_id: str, opinion: str, sender: str) -> Ruling:
        self._reachable()
        assert sender
        self.sent.append((do.kind, bill.document.doc_id, user_id))
        fault = self.faults.pop(0) if self.faults else ""
        if fault in ("cut", "locked"):
            raise trouble(FailureKind.UNKNOWN_OUTCOME if fault == "cut" else FailureKind.TRANSIENT)
        if fault in ("nobody", "shut"):
            raise NotThemselvesError(fault, login=fault == "shut")
        if fault == "refused":
            return Ruling(done=False, text="必填项未录入")
        ruling = self._done(bill, do, user_id, opinion)
        if fault == "lost":
            raise trouble(FailureKind.UNKNOWN_OUTCOME)
        return ruling

    def _done(self, bill: Bill, do: Do, user_id: str, opinion: str) -> Ruling:
        values = self.bills[bill.document.form, bill.document.doc_id]
        if do.kind == "audit" and self.waiting:
            return Ruling(done=False, text="单据已关联工作流实例")
        if do.kind in AFTER:
            before, after = AFTER[do.kind]
            if values[STATUS] not in before:
                return Ruling(done=False, text="单据已经审核")
            values[STATUS] = values[STATUS] if self.mute else after
        elif do.kind in ("approve", "reject"):
            return self._decide(values, do, bill, user_id, opinion)
        elif do.kind == "push":
            return self._push(bill, do)
        values.update(do.fields)
        self.written.append((do.kind, bill.document.doc_id, opinion))
        return Ruling(done=True)

    def _push(self, bill: Bill, do: Do) -> Ruling:
        made = (f"9{bill.document.doc_id}", f"{bill.document.number}-P")
        self.create(*made, form=do.options["to"], FSRCBILLNO=bill.document.number)
        self.written.append((do.kind, bill.document.doc_id, ""))
        return Ruling(done=True, made=(made,))

    def _decide(self, values: dict[str, Any], do: Do, bill: Bill, user_id: str, opinion: str) -> Ruling:
        mine = [task for task in self.waiting if (task.number, task.receiver) == (bill.document.number, user_id)]
        if not mine:
            return Ruling(done=False, text="当前用户不是待办任务的处理人")
        self.waiting.remove(mine[0])
        self.written.append((do.kind, bill.document.doc_id, opinion))
        if do.kind == "approve" and self.nodes:
            self.wait_for(bill.document.doc_id, self.nodes.pop(0), bill.document.form)
        else:
            values[STATUS] = "C" if do.kind == "approve" else "D"
        return Ruling(done=True)

    def _bill(self, key: tuple[str, str], fields: Iterable[str], rows: Iterable[str] = ()) -> Bill:
        """Nothing is shown but what was asked for and what is always asked for."""
        shown = {"FID", "FBillNo", STATUS, "FCreatorId", *fields}
        values = {name: value for name, value in self.bills[key].items() if name in shown}
        entries = [{name: row[name] for name in rows} for row in self.bills[key].get("entries", ()) if [*rows]]
        document = Document(key[0], key[1], str(values["FBillNo"]), values, entries)
        return Bill(document, Facts(key[0]), lambda name: self.lookups.get(name, ""))

    def _reachable(self) -> None:
        if self.down:
            raise trouble(FailureKind.TRANSIENT, "refused")
        if self.strange:
            self.strange -= 1
            raise trouble(FailureKind.CONFIGURATION, "http-302")
