"""What kdsync wrote is met by the change that it made, in whatever order both are heard of."""

from __future__ import annotations

from typing import Any

import pytest

from kdsync.errors import EdgeError, FailureKind
from kdsync.model import Task, Transition
from kdsync.rules.actions import CompiledAction
from kdsync.services.tries import Tries
from kdsync.store import documents, forms, notifications, origins, tasks, writes
from kdsync.store.inbox import Received
from kdsync.store.sealing import Seal
from kdsync.store.writes import ACCEPTED, REFUSED, UNKNOWN, UNSENT, Write
from kdsync.sync.origin import Standing
from tests.unit.services.test_inbound import CONFIRM, Office, action
from tests.unit.services.world import FORM, World, rules

THEIRS, ALL = "theirs", "all"
T = Transition
Fields = dict[str, Any]
KINDS = ["created", "submitted", "approved", "unapproved", "closed", {"changed": ["FAmount"]}]


class House:
    """A world in which kdsync writes to documents, one phase of a write at a time."""

    def __init__(self, world: World) -> None:
        self.world, self.tries = world, 0
        world.watch(*rules({"id": THEIRS, "on": KINDS}, {"id": ALL, "on": KINDS, "origin": "any"}))
        world.poll()

    def begin(
        self,
        ident: int,
        operation: str,
        step: int = 0,
        inbox_id: str = "",
        fields: Fields | None = None,
        target: str = "",
    ) -> int:
        self.tries += 1
        write = Write(
            inbox_id=inbox_id or f"said{self.tries}",
            step=step,
            form=FORM.lower(),  # as an action may spell it
            doc_id=str(ident),
            number=f"K{ident}",
            operation=operation,
            target=target,
            user="u1",
            at=self.world.clock.now(),
        )
        with self.world.db.write() as tx:
            return writes.intend(tx, write, self._kept(ident, fields or {}))

    def hear(self, row: int, outcome: str) -> None:
        """Kingdee's answer, or that there is none."""
        with self.world.db.write() as tx:
            origins.note(tx, row, outcome)

    def verify(self, ident: int, row: int, fields: Fields | None = None) -> None:
        with self.world.db.write() as tx:
            write = next(one for one in writes.of_number(tx, f"K{ident}") if self._row(tx, one) == row)
            writes.verified(tx, write.inbox_id, write.step, self._kept(ident, fields or {}))

    def done(self, ident: int, operation: str, to: str) -> int:
        """A whole write that leads to a status."""
        row = self.begin(ident, operation)
        self.world.kingdee.move(ident, to)
        self.hear(row, ACCEPTED)
        self.verify(ident, row)
        return row

    def look(self) -> None:
        self.world.poll()
        self.world.watcher.sweep()

    def ours(self, ident: int) -> list[tuple[str, int]]:
        """The kinds of all its events that are ours, with the row."""
        with self.world.db.read() as tx:
            form_id = forms.load(tx, "acct", FORM).form_id
            layouts = forms.raw_layouts(tx, form_id)
            found = documents.events_of(tx, layouts, self.world.seal, form_id=form_id, doc_ids=[str(ident)])
            return [(str(kind), row) for event in found for kind, row in event.ours.items()]

    def told(self, ident: int, rule: str = THEIRS) -> list[tuple[str, str]]:
        """Kind and state of what a rule told."""
        with self.world.db.read() as tx:
            found = notifications.of_number(tx, self.world.seal, f"K{ident}")
        return [(one.kind, one.state) for one in found if one.rule == rule]

    def _row(self, tx: Any, write: Write) -> int:
        query = "SELECT max(id) FROM writes WHERE inbox_id = ? AND step = ?"
        return int(tx.exec_driver_sql(query, (write.inbox_id, write.step)).scalar())

    def _kept(self, ident: int, fields: dict[str, Any]) -> bytes:
        now = self.world.kingdee.documents[ident]
        keys = ("FDocumentStatus", "FCancelStatus", "FCloseStatus", "FApproveDate")
        return origins.kept(self.world.seal, Standing(*(str(now[key] or "") for key in keys)), fields)


@pytest.fixture
def house(world: World) -> House:
    return House(world)


def test_a_verified_write_is_met_once_and_only_rules_that_ask_are_told(house: House) -> None:
    ident = house.world.kingdee.create("A")
    house.look()
    row = house.done(ident, "submit", "B")
    house.look()
    assert house.ours(ident) == [("submitted", row)]
    assert house.told(ident) == [("created", "matched"), ("submitted", "own")]
    assert house.told(ident, ALL) == [("created", "matched"), ("submitted", "matched")]
    assert house.world.meter.counters["own_changes"] == 1
    house.world.kingdee.move(ident, "D")
    house.look()
    house.world.kingdee.move(ident, "B")
    house.look()
    assert house.ours(ident) == [("submitted", row)]
    assert house.told(ident)[-1] == ("submitted", "matched")


def test_a_look_may_come_before_the_answer(house: House) -> None:
    ident = house.world.kingdee.create("B")
    house.look()
    row = house.begin(ident, "audit")
    house.world.kingdee.move(ident, "C")
    house.look()
    house.hear(row, ACCEPTED)
    house.verify(ident, row)
    assert house.ours(ident) == [("approved", row)]
    assert house.told(ident)[-1] == ("approved", "own")


@pytest.mark.parametrize("outcome", [REFUSED, UNSENT])
def test_what_was_taken_for_ours_is_told_after_all_when_our_write_was_refused(house: House, outcome: str) -> None:
    ident = house.world.kingdee.create("B")
    house.look()
    row = house.begin(ident, "audit")
    house.world.kingdee.move(ident, "C")  # by somebody, in the same moment
    house.look()
    assert house.told(ident)[-1] == ("approved", "own")
    house.hear(row, outcome)
    assert house.ours(ident) == []
    assert house.told(ident)[-1] == ("approved", "matched")
    house.world.deliver()
    assert any("approved" in text and f"K{ident}" in text for text in house.world.dingtalk.seen("u1"))


def test_a_document_that_was_taken_for_the_one_of_an_approval_is_told_when_kingdee_refuses_ours(house: House) -> None:
    world = house.world
    tries = Tries(world.db, world.clock)
    approval = Received("x", "approval", "u1", {}, world.clock.now(), form=FORM, number="FYBX1")
    row = tries.intend(approval, -1, "create")
    ident = world.kingdee.create("A", "FYBX1")  # by somebody, by hand, in the same moment
    house.look()
    assert house.ours(ident) == [("created", row)]
    tries.failed(row, EdgeError("kingdee", FailureKind.REFUSED, "11", "the number is taken"))
    assert house.ours(ident) == []
    with world.db.read() as tx:
        assert {one.state for one in notifications.of_number(tx, world.seal, "FYBX1")} == {"matched"}


def test_a_first_try_that_took_effect_keeps_the_change_although_the_second_is_refused(house: House) -> None:
    ident = house.world.kingdee.create("B")
    house.look()
    first = house.begin(ident, "audit", inbox_id="one")
    house.hear(first, UNKNOWN)
    house.world.kingdee.move(ident, "C")
    second = house.begin(ident, "audit", inbox_id="one")
    house.look()
    house.hear(second, REFUSED)
    house.verify(ident, second)
    assert [kind for kind, _ in house.ours(ident)] == ["approved"]
    assert house.told(ident)[-1] == ("approved", "own")


def test_a_write_refused_between_comparing_and_storing_is_nobodys_excuse(house: House) -> None:
    ident = house.world.kingdee.create("B")
    house.look()
    row = house.begin(ident, "audit")
    house.world.kingdee.move(ident, "C")
    real, meets = origins.meet, []

    def late(tx: Any, write: int, place: origins.Place) -> None:
        meets.append(write)
        writes.note(tx, row, REFUSED)
        real(tx, write, place)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(origins, "meet", late)
        house.look()
    assert meets == [row]
    assert house.ours(ident) == []
    assert house.told(ident)[-1] == ("approved", "matched")


def test_an_approval_after_ours_was_undone_is_somebody_elses(house: House) -> None:
    ident = house.world.kingdee.create("B")
    house.look()
    house.done(ident, "audit", "C")
    house.world.clock.advance(1)
    for status in "DBC":
        house.world.kingdee.move(ident, status)
    house.look()
    assert house.ours(ident) == []
    assert house.told(ident)[-1] == ("approved", "matched")


def test_what_was_withdrawn_before_anybody_looked_explains_no_later_change(house: House) -> None:
    ident = house.world.kingdee.create("A")
    house.look()
    house.done(ident, "submit", "B")
    house.world.kingdee.move(ident, "A")
    house.look()
    house.world.kingdee.move(ident, "B")
    house.look()
    assert house.ours(ident) == []
    assert house.told(ident)[-1] == ("submitted", "matched")


def test_a_write_of_which_nothing_is_heard_explains_nothing_for_ever(house: House) -> None:
    ident = house.world.kingdee.create("B")
    house.look()
    row = house.begin(ident, "audit")
    house.hear(row, UNKNOWN)
    house.look()
    house.world.clock.advance(3700)
    house.look()
    house.world.kingdee.move(ident, "C")
    house.look()
    assert house.ours(ident) == []


def test_a_save_is_known_by_its_value_and_met_by_a_change_that_is_ours_in_part(house: House) -> None:
    ident = house.world.kingdee.create("A")
    house.look()
    row = house.begin(ident, "save", fields={"FAmount": "5.00"})
    house.world.kingdee.edit(ident, FAmount=5.0)
    house.look()
    assert house.ours(ident) == [("changed", row)]
    house.hear(row, ACCEPTED)
    house.verify(ident, row, {"FAmount": 5.0})
    for amount in (6.0, 5.0):
        house.world.kingdee.edit(ident, FAmount=amount)
        house.look()
    assert house.ours(ident) == [("changed", row)]
    assert house.told(ident)[-3:] == [("changed", "own"), ("changed", "matched"), ("changed", "matched")]


def test_a_document_that_kdsync_made_is_ours_from_its_beginning(house: House) -> None:
    ident = house.world.kingdee.create("A")
    create, submit = house.begin(ident, "create", inbox_id="x"), house.begin(ident, "submit", step=1, inbox_id="x")
    house.world.kingdee.move(ident, "B")
    house.verify(ident, create)
    house.look()
    assert house.ours(ident) == [("created", create), ("submitted", submit)]
    assert house.told(ident) == [("created", "own"), ("submitted", "own")]


@pytest.mark.parametrize(("item_id", "state"), [("mine", "own"), ("next", "matched")])
@pytest.mark.parametrize("is_late", [True, False], ids=["verified late", "unheard of"])
def test_whoever_was_asked_after_ours_made_the_approval(
    house: House, item_id: str, state: str, *, is_late: bool
) -> None:
    """Nobody heard what became of ours; a task that was seen since tells that it left the document in approval."""
    ident = house.world.kingdee.create("B")
    house.look()
    row = house.begin(ident, "approve", target="mine")
    house.hear(row, UNKNOWN)
    house.world.clock.advance(5)
    task = Task(item_id, "t", FORM.upper(), f"K{ident}", "n2", "101", "Li", house.world.kingdee.now())
    with house.world.db.write() as tx:
        tasks.put(tx, FORM, [task], house.world.clock.now())
    house.world.kingdee.move(ident, "C")
    if is_late:
        house.verify(ident, row)
    house.look()
    assert house.told(ident)[-1] == ("approved", state)
    assert house.ours(ident) == ([("approved", row)] if state == "own" else [])


def test_what_kdsync_did_to_a_document_that_no_look_at_the_open_ones_shows_is_ours(house: House) -> None:
    house.world.kingdee.create("A")
    house.look()
    ident = house.world.kingdee.create("A")
    rows = [house.begin(ident, operation, step, "x") for step, operation in enumerate(["create", "submit", "audit"])]
    house.world.kingdee.move(ident, "C")
    for row in rows:
        house.verify(ident, row)
    house.world.watcher.sweep()  # before the look by dates
    house.look()
    assert [kind for kind, _ in house.ours(ident)] == ["created", "submitted", "approved"]
    closed = house.begin(ident, "BillClose")
    house.world.kingdee.write_back(ident, FCloseStatus="B")
    house.verify(ident, closed)
    house.look()
    house.world.watcher.reconcile()
    assert house.ours(ident)[-1] == ("closed", closed)


def test_no_write_outlives_a_look_at_everything(house: House) -> None:
    ident = house.world.kingdee.create("C")
    house.look()
    row = house.begin(ident, "BillClose")
    house.world.kingdee.write_back(ident, FCloseStatus="B")
    house.verify(ident, row)
    house.world.kingdee.write_back(ident, FCloseStatus="A")
    house.world.watcher.reconcile()
    house.world.clock.advance(1)
    house.world.kingdee.write_back(ident, FCloseStatus="B")
    house.world.watcher.reconcile()
    assert house.ours(ident) == []
    assert house.told(ident)[-1] == ("closed", "matched")


def test_a_rule_in_shadow_stays_in_shadow(house: House) -> None:
    house.world.watch(*rules({"id": THEIRS, "on": KINDS, "mode": "shadow"}))
    ident = house.world.kingdee.create("A")
    house.look()
    house.done(ident, "submit", "B")
    house.look()
    assert house.told(ident)[-1] == ("submitted", "shadow")


def test_a_write_that_cannot_be_read_any_more_explains_nothing(house: House) -> None:
    house.world.seal = Seal("a key")
    ident = house.world.kingdee.create("A")
    house.look()
    house.done(ident, "submit", "B")  # sealed with a key that the looks do not have
    house.look()
    assert house.ours(ident) == []
    house.world.seal = Seal()
    assert house.told(ident)[-1] == ("submitted", "matched")


def test_what_an_answer_does_is_kept_as_kingdee_showed_it(world: World) -> None:
    office = Office(world)
    office.actions[:] = [marked(), marked(id="note", phrases=["备注"], do=[{"save": {"FRemark": "5.00"}}])]
    office.desk.create("1", "FKD100001")
    office.say("u1", "确认付款 FKD100001")
    office.desk.create("2", "FKD100002", FRemark=" ")
    office.say("u1", "备注 FKD100002")
    with world.db.read() as tx:
        submit, audit, note = origins.unmet(tx, world.seal, "ap_paybill")
    assert (submit.operation, audit.operation) == ("submit", "audit")
    assert (submit.before, submit.after) == (Standing("A"), Standing("B"))
    assert (audit.before, audit.after) == (Standing("B"), Standing("C"))
    assert (note.doc_id, note.after, note.fields) == ("2", Standing("A"), {"FRemark": "5.00"})


def marked(**changes: Any) -> CompiledAction:
    return action(CONFIRM, **changes)
