"""Whoever was asked to decide by a form sees in it that somebody has; what cannot be changed is given up quietly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kdsync.errors import EdgeError, FailureKind, HeldBackError
from kdsync.model import Document, Facts, Task
from kdsync.services.bars import MOST_READS, MOST_TRIES, Bars
from kdsync.services.desk import Bill
from kdsync.services.dispatch import MOST_MISTAKES
from kdsync.services.ports import KingdeeIdentity
from kdsync.services.upkeep import month_of
from kdsync.store import bars, ledger, outbox, writes
from kdsync.store.bars import CHANGED, LOST
from kdsync.store.writes import Write
from tests.unit.services.desk import FakeDesk
from tests.unit.services.test_tasks import ASSIGNED, Desk
from tests.unit.services.world import FORM, rule

FORMED: dict[str, Any] = {
    **ASSIGNED,
    "message": {"title": "{{ doc.FBillNo }} waits", "fields": {"Amount": "{{ doc.FAmount }}"}},
}


class Reader(FakeDesk):
    """Shows the documents of the world's Kingdee."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk, self.reads = desk, 0
        self.trouble: EdgeError | None = None

    def read(self, form: str, doc_id: str, _fields: Any, _rows: Any = ()) -> Bill | None:
        self.reads += 1
        if self.trouble:
            raise self.trouble
        values = self.desk.kingdee.documents.get(int(doc_id))
        return Bill(Document(form, doc_id, values["FBillNo"], values), Facts(form)) if values else None


class Office:
    """Tasks are told by a form, and their bars kept true."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)
        self.world, self.kingdee, self.dingtalk = self.desk.world, self.desk.kingdee, self.desk.world.dingtalk
        self.reader = Reader(self.desk)
        for n in range(9):
            self.kingdee.people[f"10{n}"] = KingdeeIdentity(f"kd{n}", f"Li {n}", f"1380000000{n}")
            self.dingtalk.mobiles[f"1380000000{n}"] = f"u{n}"
        self.use()

    def use(self, **changes: Any) -> None:
        """A new process with this rule."""
        world = self.world
        self.desk.use(rule(**{**FORMED, **changes}))
        self.bars = Bars(world.db, world.seal, world.clock, self.dingtalk, self.reader, lambda: world.settings)
        self.desk.sweep()

    def assign(self, number: str, *receivers: str) -> tuple[int, list[Task]]:
        """A document waits for some, and they are told."""
        bill = self.kingdee.create("A", number, FAmount=880)
        items = self.kingdee.assign(bill, *receivers)
        self.desk.sweep()
        self.world.deliver()
        return bill, items

    def decide(self, bill: int, status: str, items: Sequence[Task]) -> None:
        self.kingdee.move(bill, status)
        self.kingdee.decide(*items)
        self.desk.sweep(2)  # two tasks that vanish at once are believed at the second look

    def settle(self, seconds: float = 2.0) -> int:
        """Let some time pass and do what is due; returns how many calls that took."""
        self.world.clock.advance(seconds)
        before = self.dingtalk.updates
        while self.bars.step():
            pass
        return self.dingtalk.updates - before

    def owed(self) -> int:
        with self.world.db.read() as tx:
            return len(ledger.facts_like(tx, bars.OWED))

    def outcomes(self) -> list[tuple[str, str]]:
        """What became of the bars, by the attempts of the letters."""
        with self.world.db.read() as tx:
            tries = [one for letter in self.world.letters() for one in outbox.attempts_of(tx, letter.id)]
        return [(outcome, detail) for _at, outcome, detail in tries if outcome in (CHANGED, LOST)]

    def bar_of(self, place: int = -1) -> str:
        """The status that a message was sent with; "" where it has no bar."""
        sent = json.loads(self.dingtalk.sent[place][1])
        return str(sent.get("oa", {}).get("status_bar", {}).get("status_value", ""))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    found = Office(tmp_path)
    yield found
    found.world.db.close()


@pytest.mark.parametrize(
    ("status", "text"),
    [("C", "已处理 · 已审核"), ("D", "已处理 · 重新审核"), ("B", "已处理 · 审核中"), ("A", "已处理 · 创建")],
)
def test_the_bar_says_that_it_was_decided_and_how_the_document_stands(office: Office, status: str, text: str) -> None:
    bill, items = office.assign("EXP1", "101")
    assert office.bar_of() == "待审批"
    assert office.settle() == 0, "somebody still has to decide"
    office.decide(bill, status, items)
    assert office.settle() == 1
    assert office.dingtalk.bars == [("task1", text, status)]
    assert office.outcomes() == [(CHANGED, text)]
    assert (office.settle(600), office.owed()) == (0, 0)


def test_each_reader_has_it_in_their_language(office: Office) -> None:
    office.world.configure(locales={"u1": "en", "u2": "vi"})
    bill, items = office.assign("EXP1", "101", "102")
    assert {office.bar_of(0), office.bar_of(1)} == {"Waiting", "Chờ duyệt"}
    office.decide(bill, "C", items)
    assert office.settle() == 2
    assert {text for _, text, _ in office.dingtalk.bars} == {"Decided · Approved", "Đã xử lý · Đã duyệt"}


def test_what_one_of_two_decided_changes_only_their_bar(office: Office) -> None:
    bill, items = office.assign("EXP1", "101", "102")
    office.decide(bill, "B", items[:1])
    assert office.settle() == 1
    assert office.owed() == 1
    office.decide(bill, "C", items[1:])
    assert office.settle() == 1
    assert [text for _, text, _ in office.dingtalk.bars] == ["已处理 · 审核中", "已处理 · 已审核"]


def test_an_answer_through_kdsync_changes_the_bar_before_kingdee_is_looked_at_again(office: Office) -> None:
    bill, (item,) = office.assign("EXP1", "101")
    office.kingdee.move(bill, "C")
    write = Write("in1", 0, FORM, str(bill), "EXP1", "approve", "u1", office.world.clock.now(), target=item.item_id)
    with office.world.db.write() as tx:
        row = writes.intend(tx, write)
    assert office.settle() == 0, "nobody knows yet whether it was done"
    with office.world.db.write() as tx:
        writes.note(tx, row, writes.VERIFIED)
    assert office.settle() == 1
    office.decide(bill, "C", [item])
    assert office.settle() == 0


@pytest.mark.parametrize("count", [5, 6])
def test_only_a_message_for_few_people_has_a_bar(office: Office, count: int) -> None:
    office.use(to=[f"user:u{n}" for n in range(count)])
    bill, items = office.assign("EXP1", "101")
    assert [len(users) for users, _ in office.dingtalk.sent] == [count]
    assert bool(office.bar_of()) == (count == 5)
    office.decide(bill, "C", items)
    assert office.settle() == (count == 5)
    assert office.outcomes() == [(CHANGED, "已处理 · 已审核")] * (count if count == 5 else 0)


def test_text_and_the_copy_for_the_fallback_have_no_bar(office: Office) -> None:
    office.use(to=["assignee", "user:u2", "role:nobody"])
    office.assign("EXP1", "101")
    bars_of = {users: office.bar_of(place) for place, (users, _) in enumerate(office.dingtalk.sent)}
    assert sorted(bars_of.values()) == ["", "待审批"]
    assert bars_of["ops",] == ""
    office.use(message={"title": "t", "body": "b"})
    office.assign("EXP2", "101")
    assert office.bar_of() == ""
    assert office.owed() == 1


def test_another_event_of_the_document_has_no_bar(office: Office) -> None:
    office.use(on=["submitted"], to=["user:u1"])
    bill = office.kingdee.create("A", "EXP1")
    office.desk.sweep()
    office.kingdee.assign(bill, "101")
    office.desk.sweep(2)
    office.world.deliver()
    assert office.bar_of() == ""
    assert office.owed() == 0


def test_what_was_decided_before_it_was_told_has_no_bar(office: Office) -> None:
    bill = office.kingdee.create("A", "EXP1")
    items = office.kingdee.assign(bill, "101")
    office.desk.sweep()
    office.decide(bill, "C", items)
    office.world.deliver()
    assert (len(office.dingtalk.sent), office.bar_of(), office.owed()) == (1, "", 0)


def test_a_message_that_is_sent_after_the_decision_is_changed_then(office: Office) -> None:
    bill = office.kingdee.create("A", "EXP1")
    items = office.kingdee.assign(bill, "101")
    office.desk.sweep()
    office.world.address.step()
    office.decide(bill, "C", items)
    assert office.settle() == 0
    assert office.reader.reads == 0
    office.world.deliver()
    assert office.settle(61) == 1
    assert office.owed() == 0


@pytest.mark.parametrize("outcome", ["transient", "lost", "slow down"])
def test_a_change_that_fails_is_tried_again_after_a_pause(office: Office, outcome: str) -> None:
    bill, items = office.assign("EXP1", "101")
    office.decide(bill, "C", items)
    office.dingtalk.outcomes = [outcome] * 3
    assert office.settle() == 1
    assert office.settle(1.5) == 0
    assert sum(office.settle(60) for _ in range(10)) == 3
    assert office.outcomes() == [(CHANGED, "已处理 · 已审核")]


def test_of_two_messages_the_one_that_was_changed_is_not_changed_again(office: Office) -> None:
    office.use(to=["assignee", "user:u2"])
    office.world.configure(locales={"u2": "en"})
    bill, items = office.assign("EXP1", "101")
    office.decide(bill, "C", items)
    office.dingtalk.outcomes = ["ok", "transient"]
    assert office.settle() == 2
    assert office.settle(10) == 1
    assert sorted(task for task, _, _ in office.dingtalk.bars) == ["task1", "task2"]


def test_where_bars_fail_messages_do_not_wait_for_one_after_the_other(office: Office) -> None:
    bills = [office.assign(f"EXP{n}", "101") for n in range(4)]
    for bill, items in bills[:3]:
        office.decide(bill, "C", items)
    office.dingtalk.outcomes = ["transient"] * 3
    assert [office.settle() for _ in range(3)] == [1, 1, 1]
    assert sum(office.settle(5) for _ in range(9)) == 3
    office.reader.trouble = EdgeError("kingdee", FailureKind.TRANSIENT, "timeout", "no answer")
    before = office.reader.reads
    office.decide(*(bills[3][0], "C", bills[3][1]))
    office.settle()
    office.settle()
    assert office.reader.reads == before + 1


def test_a_bar_that_kdsync_stumbles_over_is_given_up(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    bill, items = office.assign("EXP1", "101")
    office.decide(bill, "C", items)
    monkeypatch.setattr(office.dingtalk, "change_bar", lambda _task: None)
    for _ in range(MOST_MISTAKES):
        assert office.owed() == 1
        office.settle(301)
    assert office.owed() == 0


def test_a_restart_goes_on_where_it_was(office: Office) -> None:
    bill, items = office.assign("EXP1", "101")
    office.decide(bill, "C", items)
    office.dingtalk.outcomes = ["transient"]
    office.settle()
    office.use()
    assert office.settle(5) == 1
    assert len(office.dingtalk.bars) == 1


@pytest.mark.parametrize(("outcome", "tries"), [("refused", 1), ("no template", 1), ("transient", MOST_TRIES)])
def test_what_dingtalk_does_not_change_is_given_up_and_nobody_is_alarmed(
    office: Office, outcome: str, tries: int
) -> None:
    bill, items = office.assign("EXP1", "101")
    office.decide(bill, "C", items)
    office.dingtalk.outcomes = [outcome] * (tries + 1)
    assert sum(office.settle(301) for _ in range(tries + 5)) == tries
    assert [what for what, _ in office.outcomes()] == [LOST]
    assert office.owed() == 0
    office.world.deliver()
    assert office.dingtalk.seen("ops") == []


def test_no_calls_are_spent_on_it_once_the_month_is_nearly_used_up(office: Office) -> None:
    bill, items = office.assign("EXP1", "101")
    office.decide(bill, "C", items)
    limit = office.world.settings.main.dingtalk.monthly_calls
    with office.world.db.write() as tx:
        month = month_of(office.world.clock.now())
        ledger.count_call(tx, month, "send", metered=True, count=limit * 9 // 10)
    assert office.settle() == 0
    assert office.outcomes() == [(LOST, "the calls of this month are nearly used up")]
    assert (office.dingtalk.bars, office.owed(), office.reader.reads) == ([], 0, 0)


def test_while_nothing_gets_through_to_people_no_bar_is_tried(office: Office) -> None:
    bill, items = office.assign("EXP1", "101")
    office.dingtalk.outcomes = ["transient"] * 60
    for n in range(4):
        office.assign(f"EXP{n + 2}", "102")
    office.decide(bill, "C", items)
    assert office.settle() == 0
    assert office.dingtalk.updates == 0
    office.dingtalk.outcomes = []
    office.world.clock.advance(600)
    office.world.deliver()
    assert office.settle() == 1


def test_while_kingdee_is_down_it_waits_and_without_the_status_it_says_only_that_it_was_decided(office: Office) -> None:
    bill, items = office.assign("EXP1", "101")
    office.decide(bill, "C", items)
    office.reader.trouble = HeldBackError("kingdee", "", 1.0)
    assert sum(office.settle(31) for _ in range(9)) == 0
    office.reader.trouble = EdgeError("kingdee", FailureKind.REFUSED, "no", "no")
    assert sum(office.settle(31) for _ in range(MOST_READS)) == 0
    office.settle(31)
    assert office.dingtalk.bars == [("task1", "已处理", "")]


def test_a_document_that_is_gone_was_decided(office: Office) -> None:
    bill, items = office.assign("EXP1", "101")
    office.decide(bill, "A", items)
    del office.kingdee.documents[bill]
    office.settle()
    assert office.dingtalk.bars == [("task1", "已处理", "")]


def test_what_waits_longer_than_dingtalk_changes_it_is_forgotten(office: Office) -> None:
    bill, items = office.assign("EXP1", "101")
    office.settle(7 * 86_400 + 3600)
    assert office.owed() == 0
    office.decide(bill, "C", items)
    assert office.settle() == 0


def test_a_pause_does_not_outlast_a_clock_that_is_set_back(office: Office) -> None:
    bill, items = office.assign("EXP1", "101")
    office.decide(bill, "C", items)
    office.dingtalk.outcomes = ["transient"]
    office.settle()
    with office.world.db.read() as tx:
        assert bars.due(tx, office.world.clock.now(), timedelta(seconds=300)) is None
        assert bars.due(tx, office.world.clock.now() - timedelta(days=1), timedelta(seconds=300)) is not None
