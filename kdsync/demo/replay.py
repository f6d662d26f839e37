"""A log of expense declarations becomes a script: every row is played on an ER_ExpReimbursement bill, as its status
allows. Pure; who must hear of what follows from the log alone.

The columns are `declaration,amount_eur,time,activity,role`; rows are in order of time. The activities are those of the
BPI Challenge 2020 (domestic declarations), a public log of a university's expense claims.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from operator import attrgetter
from pathlib import Path
from typing import TextIO

from kdsync.demo.script import Paper, Step, Tell, Verb
from kdsync.errors import KdsyncError

COLUMNS = ("declaration", "amount_eur", "time", "activity")
FORM = "ER_ExpReimbursement"
APPROVED, SENT_BACK = "已审核", "被退回"  # what the titles of the replay's rules say


class LogError(KdsyncError):
    """The file is not a log that can be played."""


class Act(StrEnum):
    """What an activity means for the bill."""

    SAVE = "save"
    SUBMIT = "submit"
    ENDORSE = "endorse"  # one approver of several: the bill stays in approval
    APPROVE = "approve"
    REJECT = "reject"
    TAKE_BACK = "take back"  # by its author, mostly after a rejection
    REQUEST_PAYMENT = "request payment"
    PAY = "pay"


ACTS: Mapping[str, Act] = {
    "Declaration SAVED by EMPLOYEE": Act.SAVE,
    "Declaration SUBMITTED by EMPLOYEE": Act.SUBMIT,
    "Declaration APPROVED by PRE_APPROVER": Act.ENDORSE,
    "Declaration APPROVED by ADMINISTRATION": Act.ENDORSE,
    "Declaration APPROVED by BUDGET OWNER": Act.ENDORSE,
    "Declaration FINAL_APPROVED by SUPERVISOR": Act.APPROVE,
    "Declaration REJECTED by PRE_APPROVER": Act.REJECT,
    "Declaration REJECTED by ADMINISTRATION": Act.REJECT,
    "Declaration REJECTED by BUDGET OWNER": Act.REJECT,
    "Declaration REJECTED by SUPERVISOR": Act.REJECT,
    "Declaration REJECTED by MISSING": Act.REJECT,
    "Declaration REJECTED by EMPLOYEE": Act.TAKE_BACK,
    "Request Payment": Act.REQUEST_PAYMENT,
    "Payment Handled": Act.PAY,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the log."""

    declaration: str
    amount: Decimal
    time: datetime
    activity: str


@dataclass(frozen=True, slots=True)
class Beat:
    """One row as the steps it takes, to be played at once. `time` is the log's."""

    declaration: str
    time: datetime
    steps: tuple[Step, ...]

    @property
    def tells(self) -> int:
        """How many notifications it leads to."""
        return sum(len(step.tells) for step in self.steps)


@dataclass(slots=True)
class Plan:
    """The whole log as beats; what could not be played as it stands is counted by its reason."""

    beats: list[Beat] = field(default_factory=list)
    declarations: int = 0
    rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)  # played after the step that the log left out

    @property
    def tells(self) -> int:
        """How many notifications the whole log leads to."""
        return sum(beat.tells for beat in self.beats)


def read(path: Path, limit: int = 0) -> list[Row]:
    """The rows of a log, plain or gzipped; of the first `limit` declarations only. Raises LogError."""
    try:
        with _opened(path) as file:
            rows = sorted(_rows(csv.DictReader(file)), key=attrgetter("time"))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise LogError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if not rows:
        raise LogError(f"{path} has no rows: there is nothing to play")
    return list(_of_first(rows, limit) if limit else rows)


def _opened(path: Path) -> TextIO:
    return (
        gzip.open(path, "rt", encoding="utf-8", newline="")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8", newline="")
    )


def _rows(reader: csv.DictReader[str]) -> Iterator[Row]:
    lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if lacking:
        raise LogError(f"the log has no column {', '.join(lacking)}; its first line must name {', '.join(COLUMNS)}")
    for row in reader:
        try:
            time = datetime.fromisoformat(row["time"])
            yield Row(row["declaration"], Decimal(row["amount_eur"]), _zoned(time), row["activity"])
        except (ValueError, InvalidOperation, TypeError) as error:
            raise LogError(f"line {reader.line_num} of the log cannot be read: {error}") from error


def _zoned(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _of_first(rows: Iterable[Row], limit: int) -> Iterator[Row]:
    known: set[str] = set()
    for row in rows:
        if len(known) < limit:
            known.add(row.declaration)
        if row.declaration in known:
            yield row


def plan(rows: Iterable[Row], people: Sequence[str], office: str) -> Plan:
    """The log as a script.

    `people` are the accounts, and userids, among whom the declarations are spread; the account `office` approves,
    rejects and pays.
    """
    made, bills = Plan(), dict[str, _Bill]()
    for row in rows:
        made.rows += 1
        if row.declaration not in bills:
            creator = people[len(bills) % len(people)]
            bills[row.declaration] = _Bill(row.declaration, row.amount, creator, office)
        steps = _play(made, bills[row.declaration], row)
        if steps:
            made.beats.append(Beat(row.declaration, row.time, steps))
    made.declarations = len(bills)
    return made


def _play(made: Plan, bill: _Bill, row: Row) -> tuple[Step, ...]:
    act = ACTS.get(row.activity)
    if act is None:
        made.skipped[f"unknown activity {row.activity!r}"] += 1
        return ()
    if act in NEEDS_SUBMITTED and bill.status in UNSUBMITTED:
        made.mended[f"{act} before it was submitted"] += 1
        return (*bill.submit(), *bill.do(act))
    steps = bill.do(act)
    if not steps:
        made.skipped[f"{act} while {STATUS[bill.status]}"] += 1
    return steps


BY_AUTHOR: tuple[Verb, ...] = ("create", "edit", "submit")
UNSUBMITTED = ("", "A", "D")
NEEDS_SUBMITTED = (Act.ENDORSE, Act.APPROVE)
STATUS: Mapping[str, str] = {
    "": "it did not exist",
    "A": "not submitted",
    "B": "in approval",
    "C": "approved",
    "D": "sent back",
}


@dataclass(slots=True)
class _Bill:
    """A declaration on its way; `status` is FDocumentStatus, "" before it exists."""

    declaration: str
    amount: Decimal
    creator: str
    office: str
    status: str = ""

    @property
    def number(self) -> str:
        """FBillNo."""
        return f"BX-{self.declaration}"

    def do(self, act: Act) -> tuple[Step, ...]:
        """The steps of an act in this status; none where it makes no sense."""
        return _ACTIONS[act](self)

    def save(self) -> tuple[Step, ...]:
        if self.status:
            return self.correct()
        self.status = "A"
        content = Paper(FORM, {"FCausa": "", "FExpAmountSum": self.amount}, [_row(self.amount)], self.amount)
        return (self._step("create", content=content),)

    def submit(self) -> tuple[Step, ...]:
        before = () if self.status else self.save()
        if self.status not in ("A", "D"):
            return ()
        self.status = "B"
        return (*before, self._step("submit"))

    def endorse(self) -> tuple[Step, ...]:
        return self._note({"FRemark": "同意"}) if self.status == "B" else ()

    def approve(self) -> tuple[Step, ...]:
        if self.status != "B":
            return ()
        self.status = "C"
        return (self._step("audit", APPROVED),)

    def reject(self) -> tuple[Step, ...]:
        verbs: dict[str, Verb] = {"B": "reject", "C": "unaudit"}
        verb = verbs.get(self.status)
        if verb is None:
            return ()
        self.status = "D"
        return (self._step(verb, SENT_BACK),)

    def take_back(self) -> tuple[Step, ...]:
        """After a rejection the author corrects the bill; before, it is a withdrawal, which looks like a rejection."""
        return self.correct() if self.status == "D" else self.reject()

    def correct(self) -> tuple[Step, ...]:
        if self.status not in ("A", "D"):
            return ()
        return (self._step("edit", content=Paper(FORM, {"FCausa": "更正"}), noticed=False),)

    def request_payment(self) -> tuple[Step, ...]:
        return self._note({"FRequestAmount": self.amount}) if self.status else ()

    def pay(self) -> tuple[Step, ...]:
        return self._note({"FPayedAmount": self.amount}) if self.status else ()

    def _note(self, row: Mapping[str, object]) -> tuple[Step, ...]:
        """A write-back: no date moves, and no rule looks at it."""
        return (self._step("write_back", content=Paper(FORM, {}, [row]), noticed=False),)

    def _step(self, verb: Verb, told: str = "", content: Paper | None = None, *, noticed: bool = True) -> Step:
        actor = self.creator if verb in BY_AUTHOR else self.office
        tells = (Tell(self.creator, (told, f"{self.amount:,.2f}")),) if told else ()
        number = self.number if verb == "create" else None
        return Step(0.0, actor, verb, self.declaration, content, tells, number, noticed=noticed)


def _row(amount: Decimal) -> dict[str, object]:
    return {"FExpenseAmount": amount, "FExpSubmitAmount": amount}


_ACTIONS = {
    Act.SAVE: _Bill.save,
    Act.SUBMIT: _Bill.submit,
    Act.ENDORSE: _Bill.endorse,
    Act.APPROVE: _Bill.approve,
    Act.REJECT: _Bill.reject,
    Act.TAKE_BACK: _Bill.take_back,
    Act.REQUEST_PAYMENT: _Bill.request_payment,
    Act.PAY: _Bill.pay,
}
