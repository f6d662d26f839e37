"""What may be done with a document in which status, and which columns that moves.

An audit moves FApproveDate but not FModifyDate; submitting, rejecting and un-auditing move no date at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kdsync.simulator.kingdee_answers import MsgCode, Refusal
from kdsync.simulator.kingdee_forms import Form
from kdsync.simulator.kingdee_tables import Columns, Record

VOIDED = CLOSED = "B"
NORMAL = OPEN = "A"


@dataclass(frozen=True, slots=True)
class Stamp:
    """When and by whom: the local time as Kingdee prints it, and the id and properties of the user."""

    moment: str
    user: Mapping[str, int | str | None]

    def signed(self, form: Form, who: str, when: str) -> Columns:
        """The two fields filled, as far as the form has them."""
        return _signature(form, who, when, self.user, self.moment)


def _signature(form: Form, who: str, when: str, user: Mapping[str, int | str | None], moment: str | None) -> Columns:
    columns: Columns = {when: moment} if form.has(when) else {}
    if form.has(who):
        names = form.fields[who].columns
        columns |= {name: user.get(name.partition(".")[2] or "id") for name in names}
    return columns


def _cleared(form: Form, who: str, when: str) -> Columns:
    return _signature(form, who, when, {"id": 0}, None)


@dataclass(frozen=True, slots=True)
class Step:
    """One operation. `texts` says why it is refused in a status; in every other status it is allowed."""

    name: str
    texts: Mapping[str, str]
    effect: Callable[[Form, Stamp], Columns]
    living: bool = False  # not for a voided document
    needs: tuple[tuple[str, str, str], ...] = ()  # key, the value it must have, why it is refused otherwise

    def columns(self, form: Form, record: Record, stamp: Stamp) -> Columns:
        """What the operation writes. Raises `Refusal` where the document is not in the state for it."""
        self.check(form, record)
        return self.effect(form, stamp)

    def check(self, form: Form, record: Record) -> None:
        """Raises `Refusal` where the document is not in the state for the operation."""
        status = str(record.head.get(form.status, ""))
        text = self.texts.get(status)
        for key, value, why in self.needs:
            if not form.has(key):
                text = "操作不存在"
            elif record.head[key] != value:
                text = text or why
        if self.living and record.head.get("FCancelStatus") == VOIDED:
            text = "已作废，不允许此操作"
        if text:
            number = record.head.get(form.number) if form.number else record.id
            raise Refusal(MsgCode.INVALID, f"单据编号为“{number}”的单据，{text}")


_SUBMITTED = "只有暂存、创建和重新审核的数据才允许提交"
_NOT_SUBMITTED = "尚未提交，请先提交再审核"
_NOT_APPROVED = "尚未审核，不允许此操作"
_IN_APPROVAL = "审核中，不允许此操作"
_APPROVED = "已审核，不允许此操作"
_NO_CHANGE = "单据已审核，不允许修改"
_RUNNING = {"B": _IN_APPROVAL, "C": _APPROVED}
_UNFINISHED = dict.fromkeys("ZABD", _NOT_APPROVED)

SUBMIT = Step("Submit", {"B": _SUBMITTED, "C": _SUBMITTED}, lambda form, _: {form.status: "B"}, living=True)
AUDIT = Step(
    "Audit",
    {**dict.fromkeys("ZAD", _NOT_SUBMITTED), "C": "单据已经审核"},
    lambda form, stamp: {form.status: "C", **stamp.signed(form, form.approver, form.approved)},
    living=True,
)
UNAUDIT = Step(
    "UnAudit",
    dict.fromkeys("ZABD", "只有已审核的数据才允许反审核"),
    lambda form, _: {form.status: "D", **_cleared(form, form.approver, form.approved)},
)
REJECT = Step("Reject", {**dict.fromkeys("ZAD", "尚未提交"), "C": _APPROVED}, lambda form, _: {form.status: "D"})
CANCEL_ASSIGN = Step(  # the one who submitted takes it back
    "CancelAssign", {**dict.fromkeys("ZAD", "尚未提交"), "C": _APPROVED}, lambda form, _: {form.status: "D"}
)
DELETE = Step("Delete", _RUNNING, lambda _form, _stamp: {})
CHANGE = Step("Change", {"C": _NO_CHANGE}, lambda _form, _stamp: {})
EDIT = Step("Save", {"B": _IN_APPROVAL, "C": _NO_CHANGE}, lambda _form, _stamp: {}, living=True)
CANCEL = Step(
    "Cancel",
    _RUNNING,
    lambda form, stamp: {"FCancelStatus": VOIDED, **stamp.signed(form, "FCancellerId", "FCancelDate")},
    needs=(("FCancelStatus", NORMAL, "单据已作废"),),
)
UNCANCEL = Step(
    "UnCancel",
    {},
    lambda form, _: {"FCancelStatus": NORMAL, **_cleared(form, "FCancellerId", "FCancelDate")},
    needs=(("FCancelStatus", VOIDED, "单据未作废"),),
)
CLOSE = Step(
    "BillClose",
    _UNFINISHED,
    lambda form, stamp: {"FCloseStatus": CLOSED, **stamp.signed(form, "FCloserId", "FCloseDate")},
    needs=(("FCloseStatus", OPEN, "单据已关闭"),),
)
UNCLOSE = Step(
    "BillUnClose",
    _UNFINISHED,
    lambda form, _: {"FCloseStatus": OPEN, **_cleared(form, "FCloserId", "FCloseDate")},
    needs=(("FCloseStatus", CLOSED, "单据未关闭"),),
)

FORBID = Step(
    "Forbid", {}, lambda _form, _stamp: {"FForbidStatus": VOIDED}, needs=(("FForbidStatus", NORMAL, "数据已禁用"),)
)
ENABLE = Step(
    "Enable", {}, lambda _form, _stamp: {"FForbidStatus": NORMAL}, needs=(("FForbidStatus", VOIDED, "数据未禁用"),)
)

OPERATIONS: Mapping[str, Step] = {
    step.name: step
    for step in (SUBMIT, AUDIT, UNAUDIT, DELETE, CANCEL_ASSIGN, CANCEL, UNCANCEL, CLOSE, UNCLOSE, FORBID, ENABLE)
}
"""The operations that have an opNumber."""
