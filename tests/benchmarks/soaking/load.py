"""What people do in the soak's company, at random: each step leaves it certain what kdsync must notice and tell.

A document is left alone until kdsync has noticed its last step, for of two edits between two looks only the second can
be seen. Steps that follow from each other (submit and audit) are also taken at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from kdsync.clock import Clock
from kdsync.simulator.kingdee import SimulatedKingdee
from tests.benchmarks.soaking.company import BILLS, BOARD, BOARD_SIZE, FORMS, PAYABLE, SPECIAL, STORE, TELLS, Staff
from tests.benchmarks.soaking.oracle import Oracle, Place

TOGETHER = 5  # documents with one and the same tick
LATE = (0.5, 8.0)  # seconds that a long transaction takes
BORN = {"Z": ("created",), "A": ("created",), "B": ("created", "submitted"), "C": ("created", "submitted", "approved")}
RARE_GAP = 20.0  # seconds; a robot may send 20 messages a minute
STOCK_IDS = 900_000


@dataclass(slots=True)
class Doc:
    """One document as the load knows it."""

    form: str
    id: int
    number: str
    level: int
    creator: int  # place in the staff
    payer: int
    status: str
    amount: int = 1
    living: bool = True

    @property
    def place(self) -> Place:
        return self.form, str(self.id)


class Load:
    """`share` of the documents are told about; the others are only to be noticed."""

    def __init__(
        self, kingdee: SimulatedKingdee, staff: Staff, oracle: Oracle, clock: Clock, random: Random, share: float
    ) -> None:
        self.steps: Counter[str] = Counter()
        self.waiting: dict[Place, Doc] = {}
        self._ready: list[Doc] = []
        self._kingdee, self._staff, self._oracle = kingdee, staff, oracle
        self._clock, self._random, self._share = clock, random, share
        self._numbers = 0
        self._newest: dict[str, int] = {}
        self._rare: dict[int, float] = {}
        self._steps: dict[str, Sequence[tuple[float, Callable[[Doc], None]]]] = {
            **dict.fromkeys("ZAD", self._of_drafts()),
            "B": ((0.6, self._audit), (0.2, self._reject), (0.2, self._amend)),
            "C": ((0.2, self._unaudit), (0.15, self._close), (0.15, self._anew), (0.5, self._retire)),
            "payable": ((0.4, self._amend), (0.2, self._unaudit), (0.4, self._settle)),
            "store": ((0.9, self._amend), (0.1, self._delete)),
            "voided": ((0.5, self._delete), (0.5, self._retire)),
        }

    def _of_drafts(self) -> Sequence[tuple[float, Callable[[Doc], None]]]:
        return (
            (0.45, self._submit),
            (0.15, self._submit_and_audit),
            (0.15, self._edit),
            (0.1, self._amend),
            (0.05, self._void),
            (0.05, self._delete),
            (0.02, self._lose_its_date),
            (0.002, self._date_in_the_future),
            (0.028, self._late_edit),
        )

    def begin(self, number: int) -> None:
        """Documents of each form that are there before kdsync looks first."""
        for form in FORMS:
            for _ in range(number):
                status = "" if form == STORE else self._random.choice("AABCC")
                self._ready.append(self._create(form, status))

    def step(self) -> None:
        """One thing that somebody does."""
        if not self._ready or self._random.random() < 0.25:  # enough for the pool to stay filled
            self._newcomers()
            return
        place = self._random.randrange(len(self._ready))
        self._ready[place], self._ready[-1] = self._ready[-1], self._ready[place]
        doc = self._ready.pop()
        self._one_of(self._steps[self._sort_of(doc)])(doc)

    def noticed(self, place: Place) -> None:
        """kdsync knows all of a document: the next step may be taken."""
        doc = self.waiting.pop(place)
        if doc.living:
            self._ready.append(doc)

    def _sort_of(self, doc: Doc) -> str:
        if doc.form == STORE:
            return "store"
        return "payable" if doc.form == PAYABLE and doc.status == "C" else doc.status

    def _one_of(self, choices: Sequence[tuple[float, Callable[[Doc], None]]]) -> Callable[[Doc], None]:
        return self._random.choices([step for _, step in choices], [weight for weight, _ in choices])[0]

    # --- the steps

    def _newcomers(self) -> None:
        way = self._random.random()
        form = self._random.choice(FORMS if way < 0.3 else BILLS)  # stock is seldom new
        status = "" if form == STORE else self._random.choices("ZABC", (5, 80, 8, 7))[0]
        if form != STORE and way > 0.97:  # three in a hundred
            self._same_tick(form, status)
            return
        late = self._random.uniform(*LATE) if way > 0.94 else 0.0  # three in a hundred
        with self._kingdee.late(late) if late else nullcontext():
            doc = self._create(form, status)
        self._happened(doc, "late create" if late else "create", *BORN[status or "A"], after=late)

    def _create(self, form: str, status: str) -> Doc:
        doc = self._draw(form, status)
        if form == STORE:
            keeper, ident = self._staff.accounts[doc.payer], STOCK_IDS + self._numbers
            doc.number = str(ident)  # a form without numbers: its documents go by their ids
            self._kingdee.create(form, FID=ident, FCode=doc.number, FKeeperId=keeper, FSum=1, FLevel=doc.level)
        else:
            rows = [{"FQty": Decimal(number)} for number in range(1, 4)] if form == "SOAK_Order" else ()
            payer, creator = self._staff.accounts[doc.payer], self._staff.accounts[doc.creator]
            created = self._kingdee.create(
                form, doc.number, status, creator, rows, FPayerId=payer, FSum=1, FLevel=doc.level
            )
            ident = self._newest[form] = int(created)
        doc.id = ident
        return doc

    def _draw(self, form: str, status: str) -> Doc:
        self._numbers += 1
        people = len(self._staff.accounts)
        creator, payer = self._random.randrange(people), self._random.randrange(people)
        number = f"{form[5:7].upper()}{self._numbers:07}"
        return Doc(form, 0, number, self._level(), creator, payer, status)

    def _level(self) -> int:
        if self._random.random() >= self._share:
            return 0
        level, now = self._random.choice([1, 1, 1, 1, *SPECIAL]), self._clock.monotonic()
        if now - self._rare.get(level, -RARE_GAP) < RARE_GAP:
            return 1
        if level in SPECIAL:
            self._rare[level] = now
        return level

    def _same_tick(self, form: str, status: str) -> None:
        """As from an import: all of them with the same dates to the tick."""
        local = self._clock.now().astimezone(ZoneInfo(self._kingdee.timezone)).replace(tzinfo=None, microsecond=0)
        dates = dict.fromkeys(("FCreateDate", "FModifyDate", *(["FApproveDate"] if status == "C" else [])), local)
        docs = [self._draw(form, status) for _ in range(TOGETHER)]
        accounts, rows = self._staff.accounts, list[dict[str, Any]]()
        for doc in docs:
            people = {"FCreatorId": {"id": accounts[doc.creator]}, "FPayerId": {"id": accounts[doc.payer]}}
            about = {"FBillNo": doc.number, "FDocumentStatus": status, "FSum": 1, "FLevel": doc.level}
            rows.append({**about, **people, **dates})
            self._newest[form] += 1
            doc.id = rows[-1]["FID"] = self._newest[form]
        self._kingdee.load(form, rows)
        for doc in docs:
            self._happened(doc, "create in one tick", *BORN[status])

    def _submit(self, doc: Doc) -> None:
        self._kingdee.submit(doc.form, doc.id)
        self._moved(doc, "B", "submit", "submitted")

    def _submit_and_audit(self, doc: Doc) -> None:
        self._kingdee.submit(doc.form, doc.id)
        self._kingdee.audit(doc.form, doc.id)
        self._moved(doc, "C", "submit and audit", "submitted", "approved")

    def _audit(self, doc: Doc) -> None:
        late = self._random.uniform(*LATE) if self._random.random() < 0.05 else 0.0  # one in twenty
        with self._kingdee.late(late) if late else nullcontext():
            self._kingdee.audit(doc.form, doc.id)
        self._moved(doc, "C", "late audit" if late else "audit", "approved", after=late)

    def _reject(self, doc: Doc) -> None:
        to = self._random.choice("DDA")
        self._kingdee.reject(doc.form, doc.id, to=to)
        self._moved(doc, to, "reject", "rejected")

    def _unaudit(self, doc: Doc) -> None:
        self._kingdee.unaudit(doc.form, doc.id)
        self._moved(doc, "D", "un-audit", "unapproved")

    def _anew(self, doc: Doc) -> None:
        """Un-audited, submitted and approved again before anybody looks, or while."""
        for verb in (self._kingdee.unaudit, self._kingdee.submit, self._kingdee.audit):
            verb(doc.form, doc.id)
        self._moved(doc, "C", "approve anew", "unapproved", "submitted", "approved")

    def _edit(self, doc: Doc) -> None:
        doc.amount += 1
        self._kingdee.edit(doc.form, doc.id, FSum=doc.amount)
        self._happened(doc, "edit", "changed")

    def _late_edit(self, doc: Doc) -> None:
        doc.amount += 1
        late = self._random.uniform(*LATE)
        with self._kingdee.late(late):
            self._kingdee.edit(doc.form, doc.id, FSum=doc.amount)
        self._happened(doc, "late edit", "changed", after=late)

    def _amend(self, doc: Doc) -> None:
        """Written back by another document: no date moves."""
        doc.amount += 1
        self._kingdee.write_back(doc.form, doc.id, FSum=doc.amount)
        self._happened(doc, "write back", "changed")

    def _settle(self, doc: Doc) -> None:
        """Written off, by another document."""
        self._kingdee.write_back(doc.form, doc.id, FWRITTENOFFSTATUS="C")
        self.steps["write off"] += 1

    def _void(self, doc: Doc) -> None:
        self._kingdee.cancel(doc.form, doc.id)
        self._moved(doc, "voided", "void", "voided")

    def _close(self, doc: Doc) -> None:
        self._kingdee.close(doc.form, doc.id)
        doc.living = False
        self._happened(doc, "close", "closed")

    def _delete(self, doc: Doc) -> None:
        self._kingdee.delete(doc.form, doc.id)
        doc.living = False
        self._happened(doc, "delete", "deleted")

    def _lose_its_date(self, doc: Doc) -> None:
        self._kingdee.write_back(doc.form, doc.id, FModifyDate=None)
        self.steps["date lost"] += 1
        self._ready.append(doc)

    def _date_in_the_future(self, doc: Doc) -> None:
        self._kingdee.write_back(doc.form, doc.id, FModifyDate=datetime(2099, 1, 1))  # noqa: DTZ001  # Kingdee's own
        self.steps["date in the future"] += 1
        self._ready.append(doc)

    def _retire(self, doc: Doc) -> None:
        """Nobody touches it any more."""
        self.steps["left alone"] += 1
        doc.living = False

    # --- what must come of them

    def _moved(self, doc: Doc, status: str, name: str, *kinds: str, after: float = 0.0) -> None:
        doc.status = status
        self._happened(doc, name, *kinds, after=after)

    def _happened(self, doc: Doc, name: str, *kinds: str, after: float = 0.0) -> None:
        self.steps[name] += 1
        self.waiting[doc.place] = doc
        self._oracle.expect(doc.place, kinds)
        since = self._clock.now() + timedelta(seconds=after)
        for kind in kinds if doc.level else ():
            for who in self._hearers(doc, kind):
                self._oracle.expect_tell((who, doc.number, kind), since)

    def _hearers(self, doc: Doc, kind: str) -> dict[str, None]:
        if doc.form == STORE:
            return {self._staff.userid(doc.payer): None}
        named = {"creator": doc.creator, "field:FPayerId": doc.payer}
        who = dict.fromkeys(self._staff.userid(named[to]) for to in TELLS[kind])
        if kind == "approved" and doc.level in SPECIAL:
            to = SPECIAL[doc.level]
            members = [f"board{member}" for member in range(BOARD_SIZE)] if to == BOARD else [to.partition(":")[2]]
            who |= dict.fromkeys(members)
        return who
