"""Who may do what, and what an answer says: judged from the model's own facts, at every commit of the way back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import starmap
from sqlite3 import Connection
from typing import Any

from kdsync.clock import Clock
from kdsync.model import Do
from kdsync.rules.actions import ActionSection, CompiledAction, compile_action
from kdsync.services.desk import Bill
from kdsync.store.cards import Card
from kdsync.sync import identity
from tests.property.desk import EXPENSE, PAYMENT, Effect, Key, Request, TroubledDesk

KINGDEE_USERS = {"102": "u2", "103": "u3"}
CHECK = "please check in Kingdee"
FINAL = ("done", "refused", "failed", "ignored", "undone", "half")
A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Allowance:
    """An action as the model knows it: who (None: whom the workflow waits for), in which states, up to what."""

    id: str
    form: str
    do: tuple[Any, ...]
    who: frozenset[str] | None
    phrases: tuple[str, ...]
    states: str = ""
    most: int | None = None
    own: bool = True
    undo: str | None = None

    @cached_property
    def compiled(self) -> CompiledAction:
        """The same as kdsync reads it."""
        spec = {
            "id": self.id,
            "title": self.id,
            "phrases": self.phrases,
            "form": self.form,
            "allow": ["assignee"] if self.who is None else [f"user:{one}" for one in sorted(self.who)],
            "when": f"doc.FDocumentStatus in {tuple(self.states)}" if self.states else None,
            "limit": {"field": "FAMOUNT", "max": self.most, "above": "second-person"} if self.most else None,
            "own": self.own,
            "undo": self.undo,
            "do": self.do,
        }
        return compile_action(ActionSection.model_validate_json(json.dumps(spec)))


ROWS = "SELECT id, sender, state, action, form, doc_id, number, step, reason, finished_at FROM inbox"
CASHIERS = frozenset({"u1", "u2"})
PAY = ("确认付款", "confirm payment")
CONFIRM = Allowance("confirm", PAYMENT, ("submit", "audit"), CASHIERS, PAY, "ABD", 50000, own=False)
APPROVE = Allowance("approve", EXPENSE, ("approve",), None, ("同意", "approve"))
REJECT = Allowance("reject", EXPENSE, ("reject",), None, ("驳回", "reject"))
NOTE = Allowance("note", PAYMENT, ({"save": {"FREMARK": "OK"}},), frozenset({"u1", "u3"}), ("备注",))
CLOSE = Allowance("close", PAYMENT, ({"operation": "BillClose"},), frozenset({"u1"}), ("关闭",))
PUSH = Allowance("push", PAYMENT, ({"push": {"to": "AP_NEXT"}},), frozenset({"u1", "u2"}), ("下推",))
NORMAL = (CONFIRM, APPROVE, REJECT, NOTE, CLOSE, PUSH)
SUBMIT = Allowance("confirm", PAYMENT, ("submit",), frozenset({"u1", "u9"}), PAY, "ABD")
HELD = Allowance("confirm", PAYMENT, ("submit", "audit"), CASHIERS, PAY, "ABD", undo="30s")
TOO_LATE = ("it was decided before", "no such document", "the card has no action")
LONGER = Allowance("confirm", PAYMENT, ({"save": {"FREMARK": "OK"}}, "submit", "audit"), CASHIERS, PAY, "ABD", 50000)
RULES = (NORMAL, NORMAL, NORMAL[1:], (SUBMIT, *NORMAL[1:]), (HELD, *NORMAL[1:]), (LONGER, *NORMAL[1:]))


@dataclass(frozen=True)
class Said:
    """What somebody said. `phrase` is "" where it is no command.

    A click is about one document as its card showed it, and about one task of a workflow; `late` tells that somebody
    had decided that.
    """

    sender: str
    phrase: str
    number: str
    at: datetime
    card: Card | None = None
    late: bool = False


@dataclass(frozen=True)
class Row:
    """A message as the store has it."""

    id: str
    sender: str
    state: str
    action: str
    form: str
    doc_id: str
    number: str
    step: int
    reason: str
    finished_at: str | None


@dataclass
class Judge:
    """Looks at each commit; what was wrong is kept in `wrong`, for kdsync catches what is raised."""

    store: Connection
    desk: TroubledDesk
    clock: Clock
    rules: Callable[[], tuple[Allowance, ...]]
    said: dict[str, Said] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    allowed: dict[str, Allowance] = field(default_factory=dict)
    halves: list[tuple[str, Key, str, datetime, Any]] = field(default_factory=list)
    done: dict[tuple[str, Key], datetime] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def expect(self, condition: object, what: str) -> None:
        if not condition:
            self.wrong.append(what)

    # --- what is written to Kingdee

    def request(self, bill: Bill, do: Do, user: str, opinion: str) -> Request | None:
        """Every write stands in the store before it is sent, and none goes past a workflow that was seen."""
        key = (bill.document.form, bill.document.doc_id)
        query = "SELECT inbox_id, step, target, operation, form, doc_id, outcome FROM writes ORDER BY id DESC LIMIT 1"
        rows = self._ask(query)
        noted = rows and rows[0][3:] == (do.name or do.kind, *key, "intended")
        self.expect(noted, f"{do} on {key} was not noted")
        if not noted:
            return None
        message, step, target = rows[0][:3]
        if do.kind == "audit":
            tasks = self.desk.shown_tasks.get((key[0], bill.document.number))
            self.expect(self.desk.secret or tasks == [], f"{message} audits past {tasks}")
        self._may(message, step, do, key, user)
        return Request(message, step, do, key, user, target, opinion)

    def _may(self, message: str, step: int, do: Do, key: Key, user: str) -> None:
        said, rule = self.said[message], self.allowed.get(message)
        self.expect(rule, f"{message} was never allowed")
        if rule:
            self.expect(step < len(rule.do) and rule.compiled.do[step] == do, f"{message} was not allowed {do}")
        number = (self.desk.shown.get(key) or {}).get("FBillNo")
        self.expect(number == said.number, f"{said} is not about {number}")
        self.expect(not user or KINGDEE_USERS.get(user) == said.sender, f"{said} answers for {user}")

    def effect(self, effect: Effect) -> None:
        """Each step is done once, and not after the answer said that it was not."""
        for other in self.desk.effects:
            if (other.message, other.step) == (effect.message, effect.step):
                repeatable = other.undone and effect.kind in ("submit", "audit", "save") and not self._known(other)
                self.expect(repeatable, f"{effect} is the second after {other}")
        row, (told, text) = self._row(effect.message), self._told(effect.message)
        denied = row.state not in ("waiting", "done") and not (told and CHECK in text)  # what others did was done, too
        self.expect(not denied, f"{effect} after {row}: {text}")
        noted = self._ask("SELECT target FROM writes WHERE inbox_id = ? AND step = ?", effect.message, effect.step)
        self.expect({target for (target,) in noted} == {effect.target}, f"{effect}, but it was about {noted}")
        card = self.said[effect.message].card
        self.expect(
            not card or not effect.target or effect.target == card.item_id, f"{effect}: another task than {card}"
        )

    def _known(self, effect: Effect) -> bool:
        """Whether kdsync knew that it was done."""
        sql = "SELECT 1 FROM writes WHERE inbox_id = ? AND step = ? AND outcome IN ('accepted', 'verified')"
        return bool(self._ask(sql, effect.message, effect.step))

    # --- what is committed

    def committed(self) -> None:
        rows = {row.id: row for row in starmap(Row, self._ask(ROWS))}
        for ident in self.said:
            before, row = self.rows.get(ident), rows[ident]
            if row == before:
                continue
            self.rows[row.id] = row
            self.expect("stumbled" not in row.reason, f"{row}: a mistake of kdsync's, or of the model's")
            if before and before.state in FINAL:
                self._retracted(before, row)
            elif row.state in FINAL:
                self._finished(row)
            elif row.action and not (before and before.action):
                self._judged(row)

    def _retracted(self, before: Row, row: Row) -> None:
        """An answer stands as it was given; only a first confirmation may be taken back, and counts no more then."""
        is_half = before.state == row.state == "half" and row.reason == "taken back"
        self.expect(is_half, f"{before} became {row}")
        key = (row.form, row.doc_id)
        self.halves = [half for half in self.halves if half[:3] != (row.action, key, before.sender)]

    def _judged(self, row: Row) -> None:
        """It was allowed just now: it must be, by what kdsync has just seen."""
        said, key = self.said[row.id], (row.form, row.doc_id)
        rule = next((one for one in self.rules() if one.id == row.action), None)
        values = self.desk.shown.get(key)
        self.expect(rule and values, f"{row} is allowed by no rule")
        if not rule or not values:
            return
        self.allowed[row.id] = rule
        self.expect(said.phrase in rule.phrases, f"{said} does not ask for {rule.id}")
        card = said.card
        if card:
            self.expect(key == (card.form, card.doc_id), f"{card} is about another document than {row}")
            self.expect(values["FAMOUNT"] == card.seen["FAMOUNT"], f"{said} saw another amount than {values}")
        alike = [one for (form, _), one in self.desk.bills.items() if (form, one["FBillNo"]) == (row.form, said.number)]
        self.expect(card or len(alike) <= 1, f"{said} may mean {alike}")
        self.expect(self._granted(rule, said.sender, key, values), f"{said} may not {rule.id}")
        if rule.most and values["FAMOUNT"] > rule.most:
            now, amount = self.clock.now(), values["FAMOUNT"]
            first = [half for half in self.halves if half[:2] == (row.action, key) and half[2] != said.sender]
            done = self.done.get((row.action, key), now - 2 * A_DAY)
            fresh = [half for half in first if now - half[3] <= A_DAY and half[3] > done]
            self.expect(fresh, f"{said} is alone, and over the limit")
            self.expect(any(half[4] == amount for half in fresh), f"{said}: {amount} was never confirmed: {fresh}")

    def _granted(self, rule: Allowance, sender: str, key: Key, values: dict[str, Any]) -> bool:
        if rule.who is None:
            tasks = self.desk.shown_tasks.get((key[0], values["FBillNo"])) or []
            mine = any(KINGDEE_USERS.get(task.receiver) == sender for task in tasks)
        else:
            mine = sender in rule.who
        own = KINGDEE_USERS.get(str(values["FCreatorId"]), sender) == sender  # of whom nothing is known it may be
        return mine and (rule.own or not own) and (not rule.states or values["FDocumentStatus"] in rule.states)

    def _finished(self, row: Row) -> None:
        self.seen[f"{row.state}"] += 1
        said, key = self.said[row.id], (row.form, row.doc_id)
        told, text = self._told(row.id)
        ignored = row.state in ("ignored", "undone")
        self.expect(told == (not ignored), f"{row}: {told} answers")
        self.expect((row.state == "ignored") == (not said.sender), f"{said} was {row.state}")
        if said.late and row.state != "failed":
            self.expect(row.reason.startswith(TOO_LATE), f"{said} was too late, and told {row.reason}")
        if row.state == "half":
            values = self.desk.shown.get(key) or {}
            rule = next((one for one in self.rules() if one.id == row.action), None)
            self.expect(rule and self._granted(rule, said.sender, key, values), f"{said} may not even half")
            self.halves.append((row.action, key, said.sender, self.clock.now(), values.get("FAMOUNT")))
        if row.state == "done" and row.action:
            self.done[row.action, key] = self.clock.now()
            self.expect(self._as_said(row, key), f"{row} is not so: {self.desk.shown.get(key)} {self.desk.decided}")
        elif CHECK not in text:
            late = [
                one for one in self.desk.effects if one.message == row.id and one.step >= row.step and not one.undone
            ]
            self.expect(not late or row.state == "done", f"{row} was done after all: {late}")

    def _as_said(self, row: Row, key: Key) -> bool:
        """Whether the document is as an answer says that it was made."""
        values, rule = self.desk.shown.get(key) or {}, self.allowed[row.id]
        last = rule.do[-1]
        if last in ("approve", "reject"):
            targets = self._ask("SELECT target FROM writes WHERE inbox_id = ?", row.id)
            mine = [one for one in self.desk.effects if one.message == row.id]
            how = {self.desk.decided.get(target) for (target,) in targets}
            opposite = values.get("FDocumentStatus") == {"approve": "D", "reject": "C"}[last]
            return bool(mine) or how == {last} or not opposite
        if isinstance(last, str):
            return bool(str(values.get("FDocumentStatus")) in {"submit": "BC", "audit": "C"}[last])
        if "save" in last:
            return bool(values.get("FREMARK") == "OK")
        if "push" in last:
            return self.desk.successors[key] == 1
        return any(one.message == row.id for one in self.desk.effects)

    # --- in the end

    def everything_is_answered(self) -> None:
        for ident in self.said:
            row = self._row(ident)
            self.expect(row.state in FINAL, f"{row} has no end")
            self.expect(self._told(ident)[0] == (row.state not in ("ignored", "undone")), f"{row} has no answer")
        self.expect(max(self.desk.successors.values(), default=0) <= 1, f"pushed twice: {self.desk.successors}")
        answers = self._ask("SELECT count(*) FROM notifications WHERE rule = 'answer' AND kind <> 'waiting'")[0][0]
        finals = sum(self._row(ident).state not in ("ignored", "undone") for ident in self.said)
        self.expect(answers == finals, f"{answers} answers to {finals} messages")

    def cards_are_true(self, phones: dict[str, dict[str, Any]]) -> None:
        """Whoever looks at a card sees what became of it, and nobody is left with words that no longer hold."""
        for track, state, dirty in self._ask("SELECT track, state, dirty FROM cards"):
            phone = phones[track]
            self.expect(not dirty, f"{track} is not shown as it is")
            self.expect(phone["open"] == (state == "open"), f"{track} is {state}, and shows {phone}")
            self.expect(all("正在处理" not in own for own in phone["private"].values()), f"{track} shows {phone}")
        for row in map(self._row, self.said):
            card = self.said[row.id].card
            if card and row.state == "done":
                self.expect(phones[card.track]["line"], f"{row} shows nothing: {phones[card.track]}")

    def _told(self, ident: str) -> tuple[bool, str]:
        found = self._ask("SELECT contents FROM notifications WHERE event_id = ?", identity.digest("answer", ident))
        return bool(found), str(found[0][0]) if found else ""

    def _row(self, ident: str) -> Row:
        return Row(*self._ask(f"{ROWS} WHERE id = ?", ident)[0])

    def _ask(self, query: str, *values: object) -> list[Any]:
        return self.store.execute(query, values).fetchall()
