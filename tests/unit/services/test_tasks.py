"""Workflow tasks: each receiver is told once for each task, whatever breaks in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from kdsync.errors import ANOTHER_ACCOUNT, EdgeError, FailureKind
from kdsync.metrics import Metrics
from kdsync.model import Task
from kdsync.rules.actions import ActionSection, CompiledAction, compile_action
from kdsync.rules.schema import RuleSection
from kdsync.services.bills import Bills
from kdsync.services.guarded import GuardedTasks
from kdsync.services.ports import KingdeeIdentity
from kdsync.services.tasks import TaskWatch, task_forms
from kdsync.store import notifications, storms, tasks
from kdsync.store.database import Database
from kdsync.store.notifications import STORM, Wanted
from tests.unit.services.world import FORM, FakeKingdee, Time, World, rule, rules

ASSIGNED: dict[str, Any] = {
    "id": "assigned",
    "on": ["assigned"],
    "to": ["assignee"],
    "message": {
        "title": "{{ doc.FBillNo }} waits for {{ task.receiver_name }}",
        "body": "{{ doc.FDocumentStatus | status }} {{ task.node }} {{ task.since | datetime }} {{ doc.FAmount }}",
    },
}
NO_RIGHT = EdgeError("kingdee", FailureKind.CONFIGURATION, "no-right", "no right to view it", cure="grant it")


class Office(FakeKingdee):
    """A Kingdee whose documents may wait for people."""

    def __init__(self, clock: Time) -> None:
        super().__init__(clock)
        self.waiting: list[Task] = []
        self.down: EdgeError | None = None
        self.asked: list[tuple[str, ...]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def pending(self, forms: Sequence[str]) -> list[Task]:
        self.asked.append(tuple(forms))
        self.meanwhile()
        if self.down:
            raise self.down
        return [task for task in self.waiting if task.form in {form.upper() for form in forms}]

    def assign(self, ident: int, *receivers: str, node: str = "审批") -> list[Task]:
        """The document is submitted and waits for these users."""
        self.move(ident, "B")
        number = self.documents[ident]["FBillNo"]
        first = 1 + sum(1 for _ in self.waiting)
        mine = [
            Task(f"i{ident}{first + n}", f"t{ident}", FORM.upper(), number, node, one, f"Person {one}", self.now())
            for n, one in enumerate(receivers)
        ]
        self.waiting += mine
        return mine

    def decide(self, *items: Task) -> None:
        self.waiting = [item for item in self.waiting if item not in items]

    def _matches(self, document: Mapping[str, Any], where: str) -> bool:
        if where.startswith("FBillNo in "):
            return document["FID"] not in self.hidden and f"'{document['FBillNo']}'" in where.replace("''", "'")
        return super()._matches(document, where)


class Desk:
    """A world in which tasks are looked at."""

    def __init__(self, folder: Path, db: Database | None = None) -> None:
        self.world = World(folder, kingdee=Office, db=db)
        assert isinstance(self.world.kingdee, Office)
        self.kingdee: Office = self.world.kingdee
        self.use(rule(**ASSIGNED))

    def use(self, *written: RuleSection, answered: tuple[CompiledAction, ...] = ()) -> None:
        """A new process with these rules."""
        world = self.world
        watcher = world.watch(*written)
        ruleset = watcher.matcher.ruleset
        self.watch = TaskWatch(
            tasks=GuardedTasks(self.kingdee, world.guard),
            bills=Bills(world.db, world.guarded),
            settle=world.settle,
            account_set="acct",
            forms=lambda: task_forms(ruleset, answered),
            watchers=lambda: {FORM: world.watcher},
            on_told=lambda: None,
        )

    def sweep(self, times: int = 1) -> None:
        for _ in range(times):
            self.world.poll(15.0)
            self.watch.look()

    def told(self) -> list[tuple[str, tuple[Wanted, ...]]]:
        """Titles and recipients of what the rule about tasks told, in order."""
        numbers = dict.fromkeys(str(one["FBillNo"]) for one in self.kingdee.documents.values())
        with self.world.db.read() as tx:
            found = [
                one
                for number in [*numbers, "GHOST"]
                for one in notifications.of_number(tx, self.world.seal, number)
                if one.kind == "assigned"
            ]
        return [(one.contents["en"].title, one.wanted) for one in found]

    def states(self) -> dict[str, str]:
        known = [task.item_id for task in self.kingdee.waiting]
        with self.world.db.read() as tx:
            return {item_id: seen.state for item_id, seen in tasks.known(tx, known).items()}

    def waiting(self, number: str) -> list[str]:
        with self.world.db.read() as tx:
            return [one.receiver for one in tasks.waiting_of(tx, FORM.lower(), number)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk(tmp_path)
    yield found
    found.world.db.close()


@pytest.fixture
def quiet(desk: Desk) -> Desk:
    """Both first looks are over."""
    desk.sweep()
    return desk


def action(form: str, *steps: str) -> CompiledAction:
    written = {"id": "a", "title": "同意", "phrases": ["ok"], "form": form, "allow": ["assignee"]}
    return compile_action(ActionSection.model_validate_json(json.dumps({**written, "do": steps or ["approve"]})))


def user(receiver: str) -> Wanted:
    return Wanted("assignee", receiver, "SEC_User")


def test_what_waits_at_the_first_look_is_nobodys_news(desk: Desk) -> None:
    bill = desk.kingdee.create("A")
    desk.kingdee.assign(bill, "100")
    desk.sweep(3)
    assert desk.told() == []
    assert set(desk.states().values()) == {tasks.WAITING}


def test_each_receiver_is_told_once(quiet: Desk) -> None:
    bill = quiet.kingdee.create("A", "EXP1", FAmount=880)
    quiet.kingdee.assign(bill, "100", "101")
    quiet.sweep(3)
    assert quiet.told() == [
        ("EXP1 waits for Person 100", (user("100"),)),
        ("EXP1 waits for Person 101", (user("101"),)),
    ]
    assert quiet.waiting("EXP1") == ["100", "101"]


def test_tasks_are_counted_by_form_and_those_of_a_form_that_rules_left_no_more(quiet: Desk) -> None:
    quiet.watch.meter = meter = Metrics()
    quiet.kingdee.assign(quiet.kingdee.create("A", "EXP1"), "100")
    quiet.sweep()
    assert f'kdsync_tasks_waiting{{form="{FORM}"}} 1.0' in meter.text().decode()
    quiet.watch.forms = lambda: ["AP_Other"]
    quiet.sweep()
    assert FORM not in meter.text().decode()


def test_the_message_reaches_the_receiver_and_shows_the_document_as_it_is_now(quiet: Desk) -> None:
    quiet.kingdee.people["100"] = KingdeeIdentity("kd1", "Li", "13800000001")
    quiet.world.dingtalk.mobiles["13800000001"] = "u1"
    bill = quiet.kingdee.create("A", "EXP1", FAmount=880)
    quiet.world.poll()  # its snapshot says A
    quiet.kingdee.assign(bill, "100", node="财务审批")
    quiet.watch.look()
    quiet.world.deliver()
    (seen,) = quiet.world.dingtalk.seen("u1")
    assert "EXP1 waits for Person 100" in seen
    assert "审核中 财务审批 2026-11-23 10:00 880" in seen


def test_a_second_node_and_a_second_round_are_new_tasks(quiet: Desk) -> None:
    bill = quiet.kingdee.create("A", "EXP1")
    first = quiet.kingdee.assign(bill, "100")
    quiet.sweep()
    quiet.kingdee.decide(*first)
    quiet.kingdee.waiting += [replace(first[0], item_id="i2", task_id="t2", node="复核")]
    quiet.sweep()
    assert len(quiet.told()) == 2
    assert quiet.waiting("EXP1") == ["100"]


def test_a_document_nobody_has_seen_before_is_read(quiet: Desk) -> None:
    bill = quiet.kingdee.create("A", "O'Hara", FAmount=12)
    quiet.kingdee.assign(bill, "100")
    quiet.watch.look()  # before the look by dates
    assert [title for title, _ in quiet.told()] == ["O'Hara waits for Person 100"]
    assert "FBillNo in ('O''Hara')" in quiet.kingdee.queries


def test_of_two_documents_with_one_number_the_one_in_approval_is_meant(quiet: Desk) -> None:
    quiet.use(rule(**ASSIGNED, when="doc.FAmount == 2"))
    quiet.sweep()
    quiet.kingdee.create("C", "SAME", FAmount=1)
    waits = quiet.kingdee.create("A", "SAME", FAmount=2)
    quiet.kingdee.create("A", "SAME", FAmount=3)
    quiet.kingdee.assign(waits, "100")
    quiet.sweep()
    assert len(quiet.told()) == 1


def test_a_document_that_is_hidden_now_is_told_as_it_was_last_seen(quiet: Desk) -> None:
    quiet.use(rule(**ASSIGNED, when="doc.FAmount == 5"))
    bill = quiet.kingdee.create("A", "EXP1", FAmount=5)
    quiet.sweep()
    quiet.kingdee.assign(bill, "100")
    quiet.kingdee.hidden.add(bill)
    quiet.watch.look()
    assert len(quiet.told()) == 1


def test_a_document_that_was_never_visible_is_told_by_its_number(quiet: Desk) -> None:
    quiet.kingdee.waiting.append(Task("i1", "t1", FORM, "GHOST", "审批", "100", "Li", "2026-11-23T10:00:00"))
    quiet.sweep(2)
    assert quiet.told() == [("GHOST waits for Li", (user("100"),))]


def test_the_rule_decides_which_tasks_are_told(quiet: Desk) -> None:
    quiet.use(rule(**ASSIGNED, when="task.node == '财务审批'"))
    quiet.sweep()
    quiet.kingdee.assign(quiet.kingdee.create("A", "EXP1"), "100")
    quiet.kingdee.assign(quiet.kingdee.create("A", "EXP2"), "100", node="财务审批")
    quiet.sweep(2)
    assert [title for title, _ in quiet.told()] == ["EXP2 waits for Person 100"]


def test_the_manager_of_the_assignee(quiet: Desk) -> None:
    quiet.use(rule(**{**ASSIGNED, "to": ["manager_of:assignee", "user:u9"]}))
    quiet.sweep()
    quiet.kingdee.assign(quiet.kingdee.create("A", "EXP1"), "100")
    quiet.sweep()
    assert quiet.told()[0][1] == (Wanted("manager_of:assignee", "100", "SEC_User"), Wanted("user:u9"))


def test_another_trigger_tells_everybody_for_whom_the_document_waits(quiet: Desk) -> None:
    world = quiet.world
    world.watch(rule(id="changed", on=[{"changed": ["FAmount"]}], to=["assignee", "creator"]))
    matcher = replace(world.watcher.matcher, waiting_for=lambda _form, number: quiet.waiting(number))
    world.watcher.matcher = matcher
    bill = quiet.kingdee.create("A", "EXP1")
    lonely = quiet.kingdee.create("A", "EXP2")
    quiet.kingdee.assign(bill, "100", "101")
    quiet.sweep(2)
    for one in (bill, lonely):
        quiet.kingdee.edit(one, FAmount=7)
    quiet.sweep()
    with world.db.read() as tx:
        (waited,) = notifications.of_number(tx, world.seal, "EXP1")[-1:]
        (not_waited,) = notifications.of_number(tx, world.seal, "EXP2")
    assert waited.wanted[:2] == (user("100"), user("101"))
    assert not_waited.wanted[0] == Wanted("assignee")
    world.deliver()
    assert any("is not known to wait for anybody" in text for text in world.dingtalk.seen("ops"))


def test_nothing_is_told_twice_after_a_restart_or_a_reload(quiet: Desk) -> None:
    quiet.kingdee.assign(quiet.kingdee.create("A", "EXP1"), "100")
    quiet.sweep()
    quiet.use(rule(**ASSIGNED))
    quiet.kingdee.assign(quiet.kingdee.create("A", "EXP2"), "100")
    quiet.sweep(2)
    assert [title for title, _ in quiet.told()] == ["EXP1 waits for Person 100", "EXP2 waits for Person 100"]


def test_what_came_while_kdsync_was_down_is_told(quiet: Desk) -> None:
    quiet.kingdee.assign(quiet.kingdee.create("A", "EXP1"), "100")
    quiet.world.clock.advance(86_400)
    quiet.use(rule(**ASSIGNED))
    quiet.sweep()
    assert len(quiet.told()) == 1


def test_a_form_that_begins_to_matter_has_a_first_look_of_its_own(desk: Desk) -> None:
    desk.use(rule())
    desk.kingdee.assign(desk.kingdee.create("A", "EXP1"), "100")
    desk.sweep()
    assert desk.kingdee.asked == []
    desk.use(rule(**ASSIGNED))
    assert not desk.watch.is_ready()
    desk.sweep()
    assert desk.watch.is_ready()
    desk.kingdee.assign(desk.kingdee.create("A", "EXP2"), "100")
    desk.sweep(2)
    assert [title for title, _ in desk.told()] == ["EXP2 waits for Person 100"]


def test_a_form_whose_tasks_are_only_answered_is_known_too(desk: Desk) -> None:
    desk.use(rule(), answered=(action("AP_Paybill"), action("ER_ExpReimbursement")))
    bill = desk.kingdee.create("A", "EXP1")
    desk.sweep()
    desk.kingdee.assign(bill, "100")
    desk.sweep()
    assert desk.kingdee.asked[-1] == (FORM, "ER_ExpReimbursement")
    assert desk.waiting("EXP1") == ["100"]
    assert desk.told() == []


def test_another_account_set_has_a_first_look_of_its_own(quiet: Desk) -> None:
    quiet.kingdee.assign(quiet.kingdee.create("A", "EXP1"), "100")
    quiet.sweep()
    quiet.watch.account_set = "test"
    quiet.kingdee.waiting = [replace(one, number="EXP2", receiver="200") for one in quiet.kingdee.waiting]
    quiet.sweep()
    assert quiet.waiting("EXP1") == []
    assert quiet.waiting("EXP2") == ["200"]
    assert len(quiet.told()) == 1


# What is over


def test_a_task_somebody_decided_is_gone(quiet: Desk) -> None:
    mine = quiet.kingdee.assign(quiet.kingdee.create("A", "EXP1"), "100")
    quiet.sweep()
    quiet.kingdee.decide(*mine)
    quiet.sweep()
    assert quiet.waiting("EXP1") == []


@pytest.fixture
def three(quiet: Desk) -> list[int]:
    """Documents that wait for one person."""
    bills = [quiet.kingdee.create("A", f"EXP{n}") for n in range(3)]
    for bill in bills:
        quiet.kingdee.assign(bill, "100")
    quiet.sweep()
    quiet.world.watcher.sweep()
    return bills


def test_many_tasks_that_vanish_at_once_have_to_be_missing_twice(quiet: Desk, three: list[int]) -> None:
    hidden, quiet.kingdee.waiting = quiet.kingdee.waiting, []
    quiet.sweep()
    assert quiet.waiting("EXP0") == ["100"]
    quiet.kingdee.waiting = hidden
    quiet.sweep()
    quiet.kingdee.waiting = []
    for bill in three:
        quiet.kingdee.move(bill, "C")
    quiet.sweep()
    assert quiet.waiting("EXP0") == ["100"], "what vanished before has come back meanwhile"
    quiet.sweep()
    assert quiet.waiting("EXP0") == []
    assert notices(quiet) == []


def notices(desk: Desk) -> list[str]:
    """What an operator was told about tasks that cannot be seen."""
    desk.world.deliver()
    return [told for told in desk.world.dingtalk.seen("ops") if "待办任务" in told]


def test_nobody_decided_where_tasks_vanish_and_their_documents_are_still_in_approval(
    quiet: Desk, three: list[int]
) -> None:
    """A right to rows that is taken away shows as no tasks at all."""
    hidden, quiet.kingdee.waiting = quiet.kingdee.waiting, []
    quiet.sweep(6)
    assert [quiet.waiting(f"EXP{n}") for n in range(3)] == [["100"]] * 3
    (told,) = notices(quiet)
    assert "3 of 3 are not visible any more, and nobody can have decided: EXP0, EXP1, EXP2" in told
    assert "data permission" in told
    quiet.use(rule(**ASSIGNED))  # the notice outlives the process
    quiet.kingdee.move(three[0], "C")
    quiet.kingdee.waiting = hidden[1:]
    quiet.sweep(2)
    assert [quiet.waiting(f"EXP{n}") for n in range(3)] == [[], ["100"], ["100"]]
    assert "待办任务已可读取" in notices(quiet)[1]
    assert len(quiet.told()) == 3


def test_who_is_asked_next_tells_that_all_of_them_were_decided(quiet: Desk, three: list[int]) -> None:
    quiet.kingdee.waiting = [replace(one, item_id=f"next{one.item_id}") for one in quiet.kingdee.waiting]
    quiet.sweep(2)
    assert len(quiet.told()) == 2 * len(three)
    assert [quiet.waiting(f"EXP{n}") for n in range(3)] == [["100"]] * 3


def test_a_task_that_comes_back_waits_again_and_is_not_told_again(quiet: Desk) -> None:
    mine = quiet.kingdee.assign(quiet.kingdee.create("A", "EXP1"), "100")
    quiet.sweep()
    quiet.kingdee.decide(*mine)
    quiet.sweep()
    quiet.kingdee.waiting += mine
    quiet.sweep(2)
    assert quiet.waiting("EXP1") == ["100"]
    assert len(quiet.told()) == 1


def test_a_task_that_is_handed_on_is_told_to_whom_it_waits_for_now(quiet: Desk) -> None:
    """Whether Kingdee gives it another id then is not known: here it does not."""
    (mine,) = quiet.kingdee.assign(quiet.kingdee.create("A", "EXP1"), "100")
    quiet.sweep()
    for receiver in ("101", "102"):
        quiet.kingdee.waiting = [replace(mine, receiver=receiver, receiver_name=f"Person {receiver}")]
        quiet.sweep(2)
        assert quiet.waiting("EXP1") == [receiver]
    assert [wanted for _, wanted in quiet.told()] == [(user("100"),), (user("101"),), (user("102"),)]
    quiet.kingdee.decide(*quiet.kingdee.waiting)
    quiet.sweep()
    assert quiet.waiting("EXP1") == []


# What fails


def test_tasks_wait_until_their_documents_can_be_read(quiet: Desk) -> None:
    quiet.kingdee.assign(quiet.kingdee.create("A", "EXP1"), "100")
    quiet.kingdee.failures = [EdgeError("kingdee", FailureKind.TRANSIENT, "cut", "cut")]
    quiet.watch.look()
    assert quiet.told() == []
    assert quiet.states() == {}
    quiet.sweep()
    assert len(quiet.told()) == 1


def test_tasks_wait_until_the_columns_of_their_form_are_known(quiet: Desk) -> None:
    quiet.kingdee.assign(quiet.kingdee.create("A", "EXP1"), "100")
    quiet.use(rule(**ASSIGNED))  # whose watcher has not looked yet
    quiet.watch.look()
    assert quiet.states() == {}
    quiet.sweep()
    assert len(quiet.told()) == 1


def test_tasks_that_cannot_be_read_are_an_operators_business_once(quiet: Desk) -> None:
    quiet.kingdee.down = NO_RIGHT
    for _ in range(8):
        quiet.sweep()
    quiet.world.deliver()
    (told,) = quiet.world.dingtalk.seen("ops")
    assert "无法读取待办任务" in told
    assert "no right to view it" in told
    assert "grant it" in told
    assert quiet.watch.is_ready(), "nothing else is kept waiting"


def test_people_are_told_what_came_while_tasks_could_not_be_read(quiet: Desk) -> None:
    quiet.kingdee.down = NO_RIGHT
    for _ in range(8):
        quiet.sweep()
    quiet.use(rule(**ASSIGNED))  # the notice outlives the process
    quiet.kingdee.down = None
    quiet.kingdee.assign(quiet.kingdee.create("A", "EXP1"), "100")
    quiet.sweep(2)
    quiet.world.deliver()
    assert len(quiet.told()) == 1
    assert "待办任务已可读取" in quiet.world.dingtalk.seen("ops")[1]


@pytest.mark.parametrize(
    "error",
    [
        EdgeError("kingdee", FailureKind.TRANSIENT, "cut", "cut"),
        EdgeError("kingdee", FailureKind.CONFIGURATION, ANOTHER_ACCOUNT, "another account set"),
    ],
)
def test_what_the_forms_tell_already_is_not_told_again(quiet: Desk, error: EdgeError) -> None:
    quiet.kingdee.down = error
    for _ in range(5):
        quiet.world.clock.advance(60)
        quiet.watch.look()
    quiet.world.deliver()
    assert not [one for one in quiet.world.dingtalk.seen("ops") if "待办" in one]


def test_a_form_that_was_never_asked_for_while_down_is_not_ready(desk: Desk) -> None:
    desk.kingdee.down = EdgeError("kingdee", FailureKind.TRANSIENT, "cut", "cut")
    desk.watch.look()
    assert not desk.watch.is_ready()


def test_a_kingdee_that_is_down_is_left_alone(quiet: Desk) -> None:
    for pause in (1.0, 2.0, 4.0):
        quiet.kingdee.failures = [EdgeError("kingdee", FailureKind.TRANSIENT, "cut", "cut")]
        quiet.world.poll(pause)
    assert quiet.world.guard.is_open
    asked = len(quiet.kingdee.asked)
    quiet.watch.look()
    assert len(quiet.kingdee.asked) == asked


def test_two_looks_never_overlap(quiet: Desk) -> None:
    quiet.kingdee.meanwhile = quiet.watch.look
    quiet.watch.look()
    assert len(quiet.kingdee.asked) == 2  # the one of `quiet`, and the outer one


def test_more_tasks_than_anybody_reads_are_summed_up(quiet: Desk) -> None:
    quiet.use(rule(**ASSIGNED, storm=4))
    quiet.sweep()
    for n in range(5):
        quiet.kingdee.assign(quiet.kingdee.create("A", f"EXP{n}"), "100", "101")
    quiet.sweep(2)
    with quiet.world.db.read() as tx:
        (storm,) = storms.find(tx, "", 100)
        counts = notifications.counts(tx)
    assert storm.messages == 10
    assert counts[STORM] == 10


class Gone(BaseException):
    """The process is no more."""


@pytest.mark.parametrize("cut_at", range(6))  # there are four commits
def test_a_crash_between_any_two_commits_loses_and_repeats_nothing(
    quiet: Desk, monkeypatch: pytest.MonkeyPatch, cut_at: int
) -> None:
    quiet.kingdee.assign(quiet.kingdee.create("A", "EXP1"), "100", "101")
    old = quiet.kingdee.assign(quiet.kingdee.create("A", "EXP2"), "102")
    quiet.sweep()
    quiet.kingdee.decide(*old)
    quiet.kingdee.assign(quiet.kingdee.create("A", "EXP3"), "103")
    left = cut_at
    write = Database.write

    @contextmanager
    def cut(self: Database) -> Iterator[Connection]:
        nonlocal left
        if left == 0:
            raise Gone
        left -= 1
        with write(self) as tx:
            yield tx

    monkeypatch.setattr(Database, "write", cut)
    with suppress(Gone):
        quiet.sweep(2)
    monkeypatch.undo()
    quiet.use(rule(**ASSIGNED))
    quiet.sweep(2)
    assert sorted(one[1][0].value for one in quiet.told()) == ["100", "101", "102", "103"]
    assert quiet.waiting("EXP2") == []


def test_the_forms_whose_tasks_matter() -> None:
    written = [
        *rules({"id": "a"}, {"id": "b", "form": "ER_B", "on": ["assigned"]}),
        *rules({"id": "c", "form": "ER_C", "to": ["manager_of:assignee"]}, {"id": "d", "form": "ER_D"}),
    ]
    ruleset = World.matcher(None, *written).ruleset  # type: ignore[arg-type]  # asks nothing of the world
    actions = [action("er_d"), action("ER_X", "reject"), action("er_x"), action("ER_A", "submit")]
    assert task_forms(ruleset, actions) == ("ER_B", "ER_C", "ER_D", "er_x")
    assert task_forms(ruleset, ()) == ("ER_B", "ER_C")
