"""What people say becomes one change and one answer, whatever goes wrong in between."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from kdsync.rules.actions import ActionSection, CompiledAction, compile_action
from kdsync.rules.recipients import parse_recipient
from kdsync.services import endings
from kdsync.services.carry import Carry, Stopped
from kdsync.services.inbound import Inbound
from kdsync.services.permit import Permit
from kdsync.services.ports import KingdeeIdentity
from kdsync.services.replies import ANSWER, Replies
from kdsync.store import inbox, notifications, outbox, writes
from kdsync.store.inbox import Received
from kdsync.sync import identity
from tests.unit.services.desk import FakeDesk
from tests.unit.services.world import ZONE, World

CONFIRM = {
    "id": "confirm-payment",
    "title": "确认付款",
    "phrases": ["确认付款", "confirm payment"],
    "form": "AP_PAYBILL",
    "allow": ["role:cashier"],
    "when": "doc.FDocumentStatus in ('A', 'B', 'D')",
    "do": ["submit", "audit"],
}
APPROVE = {
    "id": "approve",
    "title": "同意",
    "phrases": ["同意", "approve"],
    "form": "ER_ExpReimbursement",
    "allow": ["assignee"],
    "do": ["approve"],
}
EXPENSE = "ER_ExpReimbursement"


class Office:
    """The services of the way back around a fake desk; `u1` and `u2` are cashiers, `u9` is not."""

    def __init__(self, world: World) -> None:
        self.world, self.desk = world, FakeDesk()
        cashiers = tuple(map(parse_recipient, ("user:u1", "user:u2")))
        world.configure(roles={"cashier": cashiers}, users={"kd2": "u2", "kd3": "u3"})
        world.kingdee.people |= {"102": KingdeeIdentity("kd2"), "103": KingdeeIdentity("kd3")}
        self.actions: list[CompiledAction] = [action(CONFIRM), action(APPROVE)]
        self.restart()

    def restart(self) -> None:
        world = self.world
        replies = Replies(
            world.db, world.seal, world.clock, lambda: world.settings, lambda: ("zh", "en"), world.notices
        )
        permit = Permit(world.people, lambda: ZONE)
        self.inbound = Inbound(
            world.db, world.seal, world.clock, self.desk, permit, replies, world.meter, lambda: self.actions
        )

    def hear(self, sender: str, text: str, ident: str = "", **content: Any) -> str:
        """Somebody says something; returns the id of the row."""
        key = ident or identity.digest(sender, text, str(self.world.clock.now()))
        self.inbound.take(Received(key, inbox.MESSAGE, sender, {"text": text, **content}, self.world.clock.now()))
        return key

    def say(self, sender: str, text: str, **content: Any) -> Received:
        """Somebody says something, and it is worked on once; returns what became of it."""
        key = self.hear(sender, text, **content)
        self.inbound.step()
        return self.row(key)

    def row(self, key: str) -> Received:
        with self.world.db.read() as tx:
            found = inbox.find(tx, self.world.seal, key)
        assert found is not None
        return found

    def wait(self, seconds: float = 3600.0, step: float = 30.0) -> None:
        for _ in range(int(seconds / step)):
            self.world.clock.advance(step)
            self.inbound.step()

    def answers(self, userid: str) -> list[str]:
        """Titles of the answers that somebody gets."""
        with self.world.db.read() as tx:
            told = [one for one in notifications.due(tx, self.world.seal, self.world.clock.now()) if one.rule == ANSWER]
        return [one.contents["en"].title for one in told if one.wanted[0].recipient == f"user:{userid}"]

    def outcomes(self, key: str) -> list[tuple[str, str]]:
        with self.world.db.read() as tx:
            steps = [writes.of_step(tx, key, step) for step in range(3)]
        return [(write.operation, write.outcome) for step in steps for write in step]

    def alarms(self) -> int:
        with self.world.db.read() as tx:
            told = notifications.due(tx, self.world.seal, self.world.clock.now())
        return sum(one.kind == "answer_failed" for one in told)


def action(spec: dict[str, Any], **changes: Any) -> CompiledAction:
    return compile_action(ActionSection.model_validate_json(json.dumps({**spec, **changes})))


@pytest.fixture
def office(world: World) -> Office:
    return Office(world)


def test_a_confirmed_payment_is_submitted_and_approved_and_answered_once(office: Office) -> None:
    office.desk.create("1", "FKD100001")
    key = office.hear("u1", "确认付款 FKD100001")
    office.inbound.step()
    office.inbound.step()
    assert office.desk.status("1") == "C"
    assert office.row(key).state == inbox.DONE
    assert office.outcomes(key) == [("submit", writes.VERIFIED), ("audit", writes.VERIFIED)]
    assert office.answers("u1") == ["FKD100001: 确认付款 is done"]


def test_the_same_message_pushed_twice_is_one_row_and_one_write(office: Office) -> None:
    office.desk.create("1", "FKD100001")
    office.hear("u1", "确认付款 FKD100001", ident="same")
    office.inbound.step()
    assert not office.inbound.take(office.row("same"))
    office.inbound.step()
    assert [kind for kind, *_ in office.desk.sent] == ["submit", "audit"]


def test_a_lost_answer_is_read_back_and_not_repeated(office: Office) -> None:
    office.desk.create("1", "FKD100001", status="B")
    office.desk.faults = ["lost"]
    key = office.say("u1", "确认付款 FKD100001").id
    assert office.row(key).state == inbox.WAITING
    office.wait(60)
    assert office.row(key).state == inbox.DONE
    assert [kind for kind, *_ in office.desk.sent] == ["audit"]
    assert office.outcomes(key) == [("audit", writes.VERIFIED)]


def test_a_write_that_was_cut_off_and_not_done_is_done_after_reading(office: Office) -> None:
    office.desk.create("1", "FKD100001", status="B")
    office.desk.faults = ["cut"]
    key = office.say("u1", "确认付款 FKD100001").id
    office.wait(60)
    assert (office.row(key).state, office.desk.status("1")) == (inbox.DONE, "C")
    assert len(office.desk.written) == 1


@pytest.mark.parametrize(("strange", "state"), [(1, inbox.DONE), (2, inbox.DONE), (3, inbox.FAILED)])
def test_a_server_that_restarts_says_strange_things_and_only_what_persists_is_believed(
    office: Office, strange: int, state: str
) -> None:
    office.desk.create("1", "FKD100001")
    office.desk.strange = strange
    key = office.say("u1", "确认付款 FKD100001").id
    assert office.row(key).state == inbox.WAITING
    office.wait(60, step=5)
    assert office.row(key).state == state
    assert office.alarms() == (state == inbox.FAILED)


def test_a_crash_between_two_steps_goes_on_although_when_no_longer_holds(office: Office) -> None:
    office.actions[0] = action(CONFIRM, when="doc.FDocumentStatus == 'A'")
    office.desk.create("1", "FKD100001")
    office.desk.faults = ["", "locked"]
    key = office.say("u1", "确认付款 FKD100001").id
    assert office.desk.status("1") == "B"
    office.restart()
    office.wait(60)
    assert (office.row(key).state, office.desk.status("1")) == (inbox.DONE, "C")


def test_a_stranger_changes_nothing_and_is_told(office: Office) -> None:
    office.desk.create("1", "FKD100001")
    row = office.say("u9", "确认付款 FKD100001")
    assert (row.state, row.number, row.action) == (inbox.REFUSED, "FKD100001", "confirm-payment")
    assert office.desk.sent == []
    assert office.answers("u9") == ["FKD100001: you may not 确认付款"]


def test_what_is_done_already_is_said_and_nothing_written(office: Office) -> None:
    office.actions[0] = action(CONFIRM, when=None)
    office.desk.create("1", "FKD100001", status="C")
    row = office.say("u1", "确认付款 FKD100001")
    assert row.state == inbox.DONE
    assert office.desk.sent == []
    assert office.answers("u1") == ["FKD100001: 确认付款 was done before"]


def test_two_people_in_the_same_second_make_one_change(office: Office) -> None:
    office.desk.create("1", "FKD100001")
    first, second = office.hear("u1", "确认付款 FKD100001"), office.hear("u2", "确认付款 FKD100001")
    office.inbound.step()
    assert {office.row(first).state, office.row(second).state} == {inbox.DONE, inbox.REFUSED}
    assert [kind for kind, *_ in office.desk.written] == ["submit", "audit"]


def test_a_number_that_nobody_has_is_said(office: Office) -> None:
    row = office.say("u1", "确认付款 NOPE999")
    assert row.state == inbox.REFUSED
    assert office.answers("u1") == ["There is no NOPE999"]


def test_a_number_that_three_documents_have_changes_none_of_them(office: Office) -> None:
    for ident in ("1", "2", "3"):
        office.desk.create(ident, "FKD1")
    assert office.say("u1", "确认付款 FKD1").state == inbox.REFUSED
    assert office.desk.sent == []
    assert office.answers("u1") == ["3 documents are called FKD1"]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("你好", "Not understood: 你好"),
        ("确认付款", "Which document? 确认付款"),
        ("确认付款 FKD1\n确认付款 FKD2", "One document at a time"),
        ("x" * 20_000, "The message is too long"),
        ("👍", "Not understood: 👍"),
    ],
)
def test_what_is_unclear_is_answered_with_what_to_write(office: Office, text: str, title: str) -> None:
    row = office.say("u1", text)
    assert row.state == inbox.REFUSED
    assert office.answers("u1") == [title]


def test_somebody_from_outside_is_not_listened_to(office: Office) -> None:
    office.desk.create("1", "FKD1")
    assert office.say("", "确认付款 FKD1").state == inbox.IGNORED
    assert office.desk.sent == []


def test_a_group_is_listened_to_only_when_the_robot_is_mentioned(office: Office) -> None:
    office.desk.create("1", "FKD1")
    assert office.say("u1", "确认付款 FKD1", group=True, mentioned=False).state == inbox.IGNORED
    assert office.answers("u1") == []
    assert office.say("u1", "确认付款 FKD1 ", group=True, mentioned=True).state == inbox.DONE


def test_only_the_receiver_of_the_task_approves_and_the_opinion_goes_along(office: Office) -> None:
    office.desk.create("7", "EXP1", status="B", form=EXPENSE)
    office.desk.wait_for("7", "102", EXPENSE)
    assert office.say("u3", "同意 EXP1").state == inbox.REFUSED
    assert office.say("u2", "同意 EXP1 发票齐全").state == inbox.DONE
    assert office.desk.written == [("approve", "7", "发票齐全")]
    assert office.desk.sent == [("approve", "7", "102")]


def test_the_next_node_of_the_same_person_is_another_decision(office: Office) -> None:
    office.desk.create("7", "EXP1", status="B", form=EXPENSE)
    office.desk.wait_for("7", "102", EXPENSE)
    office.desk.nodes = ["102"]
    office.desk.faults = ["lost"]
    key = office.say("u2", "同意 EXP1").id
    office.wait(60)
    assert office.row(key).state == inbox.DONE
    assert len(office.desk.written) == 1
    assert office.desk.status("7", EXPENSE) == "B"


def test_a_running_workflow_is_not_bypassed(office: Office) -> None:
    office.desk.create("1", "FKD1", status="B")
    office.desk.wait_for("1", "103")
    row = office.say("u1", "确认付款 FKD1")
    assert (row.state, office.desk.sent) == (inbox.REFUSED, [])
    assert office.answers("u1") == ["FKD1: a workflow is under way"]


@pytest.mark.parametrize(("waits", "state", "status"), [(False, inbox.DONE, "C"), (True, inbox.REFUSED, "B")])
def test_where_tasks_may_not_be_read_kingdee_itself_keeps_audits_from_workflows(
    office: Office, waits: bool, state: str, status: str
) -> None:
    office.desk.create("1", "FKD1", status="B")
    if waits:
        office.desk.wait_for("1", "103")
    office.desk.secret = True
    assert office.say("u1", "确认付款 FKD1").state == state
    assert office.desk.status("1") == status


def test_kingdee_refuses_and_says_why(office: Office) -> None:
    office.desk.create("1", "FKD1")
    office.desk.faults = ["refused"]
    row = office.say("u1", "确认付款 FKD1")
    assert row.state == inbox.REFUSED
    assert "必填项未录入" in row.reason
    assert office.answers("u1") == ["FKD1: Kingdee refused to 确认付款"]


def test_kingdee_down_for_ten_minutes_in_the_middle(office: Office) -> None:
    office.desk.create("1", "FKD1")
    office.desk.faults = ["", "locked"]
    key = office.say("u1", "确认付款 FKD1").id
    office.desk.down = True
    office.wait(600)
    assert (office.row(key).state, office.answers("u1")) == (inbox.WAITING, [])
    office.desk.down = False
    office.wait(60)
    assert office.row(key).state == inbox.DONE
    assert office.answers("u1") == ["FKD1: 确认付款 is done"]


def test_after_an_hour_it_is_given_up_aloud(office: Office) -> None:
    office.desk.create("1", "FKD1")
    office.desk.faults = [""] + ["locked"] * 1000
    key = office.say("u1", "确认付款 FKD1").id
    office.wait(3700)
    assert office.row(key).state == inbox.FAILED
    assert office.answers("u1") == ["FKD1: 确认付款 was not possible"]
    assert office.alarms() == 1


def test_a_yes_of_which_nothing_shows_is_not_repeated(office: Office) -> None:
    office.desk.create("1", "FKD1")
    office.desk.mute = True
    key = office.say("u1", "确认付款 FKD1").id
    office.wait(3700)
    assert [kind for kind, *_ in office.desk.sent] == ["submit"]
    assert office.row(key).state == inbox.FAILED


def test_an_operation_without_an_answer_is_left_to_people(office: Office) -> None:
    office.actions[0] = action(CONFIRM, do=[{"operation": "BillClose"}], when=None)
    office.desk.create("1", "FKD1")
    office.desk.faults = ["lost"]
    key = office.say("u1", "确认付款 FKD1").id
    office.wait(60)
    assert office.row(key).state == inbox.FAILED
    assert len(office.desk.sent) == 1
    assert office.answers("u1") == ["FKD1: please check in Kingdee: 确认付款"]
    assert office.alarms() == 1


def test_a_document_deleted_meanwhile_is_said(office: Office) -> None:
    office.desk.create("1", "FKD1")
    office.desk.faults = ["", "locked"]
    key = office.say("u1", "确认付款 FKD1").id
    del office.desk.bills["AP_PAYBILL", "1"]
    office.wait(60)
    assert office.row(key).state == inbox.REFUSED
    assert office.answers("u1") == ["There is no FKD1"]


def test_above_the_limit_a_second_person_has_to_ask_for_the_same(office: Office) -> None:
    limit = {"field": "FAMOUNT", "max": 50000, "above": "second-person"}
    office.actions[0] = action(CONFIRM, limit=limit)
    office.desk.create("1", "FKD1", FAMOUNT=60000)
    assert office.say("u1", "确认付款 FKD1").state == inbox.HALF
    assert office.say("u1", "确认付款 FKD1 ").state == inbox.HALF
    assert office.desk.sent == []
    office.world.clock.advance(3600)
    assert office.say("u2", "确认付款 FKD1").state == inbox.DONE
    assert office.desk.status("1") == "C"


def test_a_first_confirmation_of_the_day_before_yesterday_counts_no_more(office: Office) -> None:
    limit = {"field": "FAMOUNT", "max": 50000, "above": "second-person"}
    office.actions[0] = action(CONFIRM, limit=limit)
    office.desk.create("1", "FKD1", FAMOUNT=60000)
    office.say("u1", "确认付款 FKD1")
    office.world.clock.advance(2 * 86400)
    assert office.say("u2", "确认付款 FKD1").state == inbox.HALF


def test_nobody_confirms_an_own_document_where_the_rule_says_so(office: Office) -> None:
    office.actions[0] = action(CONFIRM, own=False)
    office.desk.create("1", "FKD1", FCreatorId="102")
    assert office.say("u2", "确认付款 FKD1").state == inbox.REFUSED
    assert office.answers("u2") == ["FKD1 is your own document"]
    assert office.say("u1", "确认付款 FKD1").state == inbox.DONE


def test_a_condition_on_rows_is_judged_by_them(office: Office) -> None:
    office.actions[0] = action(CONFIRM, when="doc.entries | map(attribute='FQty') | select('gt', 9) | list == []")
    office.desk.create("1", "FKD1", entries=[{"FQty": 5}, {"FQty": 500}])
    assert (office.say("u1", "确认付款 FKD1").state, office.desk.sent) == (inbox.REFUSED, [])
    office.desk.bills["AP_PAYBILL", "1"]["entries"].pop()
    assert office.say("u1", "确认付款 FKD1 ").state == inbox.DONE


def test_a_condition_that_fails_is_told_to_the_operators(office: Office) -> None:
    office.actions[0] = action(CONFIRM, when="doc.FBillNo + 1 > 2")
    office.desk.create("1", "FKD1")
    assert office.say("u1", "确认付款 FKD1").state == inbox.FAILED
    assert (office.desk.sent, office.alarms()) == ([], 1)


def test_an_action_that_was_taken_out_of_the_rules_is_not_carried_on(office: Office) -> None:
    office.desk.create("1", "FKD1")
    office.desk.faults = ["locked"]
    key = office.say("u1", "确认付款 FKD1").id
    office.actions.clear()
    office.wait(60)
    assert office.row(key).state == inbox.FAILED
    assert office.desk.status("1") == "A"


def test_a_mistake_of_ours_is_tried_again_and_then_said(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a mistake")

    office.desk.create("1", "FKD1")
    monkeypatch.setattr(FakeDesk, "find", broken)
    key = office.say("u1", "确认付款 FKD1").id
    office.wait(300)
    assert office.row(key).state == inbox.FAILED
    assert office.alarms() == 1


def test_the_answer_reaches_the_phone_at_night_too(office: Office) -> None:
    office.desk.create("1", "FKD1")
    office.say("u1", "确认付款 FKD1")
    office.world.deliver()
    assert [letter.target for letter in office.world.letters(outbox.ACCEPTED)] == ["u1"]


@pytest.fixture
def held(office: Office) -> Office:
    office.actions[0] = action(CONFIRM, undo="30s")
    office.desk.create("1", "FKD1")
    return office


def test_what_can_be_taken_back_is_done_when_its_time_is_over(held: Office) -> None:
    row = held.say("u1", "确认付款 FKD1")
    assert (row.state, row.action, held.desk.sent) == (inbox.WAITING, "", [])
    assert held.answers("u1") == ["FKD1: 确认付款 in 30 seconds"]
    held.wait(30)
    assert (held.row(row.id).state, held.desk.status("1")) == (inbox.DONE, "C")
    assert held.answers("u1") == ["FKD1: 确认付款 in 30 seconds", "FKD1: 确认付款 is done"]


@pytest.mark.parametrize(
    "text",
    [
        *("撤销", "undo fkd1", "Hủy FKD1", "撤回 ＦＫＤ１", "撤销FKD1", "撤销 FKD 1", "@kdsync  undo", "Undo."),
        *("👍撤销！", "撤销单号FKD1", "撤销 FKD1，金额错了", "undo FKD1 please"),
    ],
)
def test_a_reply_takes_it_back_and_nothing_is_changed(held: Office, text: str) -> None:
    key = held.say("u1", "确认付款 FKD1").id
    held.world.clock.advance(5)
    assert held.say("u1", text).state == inbox.DONE
    held.wait(60)
    assert (held.row(key).state, held.desk.sent) == (inbox.UNDONE, [])
    assert held.answers("u1") == ["FKD1: 确认付款 in 30 seconds", "FKD1: 确认付款 is taken back"]


@pytest.mark.parametrize(
    ("sender", "text"),
    [("u2", "撤销"), ("u1", "撤销 FKD2"), ("u1", "undo it all now"), ("u1", "undone FKD1"), ("u1", "撤销审核 FKD1")],
)
def test_nobody_takes_back_what_is_not_theirs_or_another_document(held: Office, sender: str, text: str) -> None:
    key = held.say("u1", "确认付款 FKD1").id
    assert held.say(sender, text).state == inbox.REFUSED
    held.wait(30)
    assert held.row(key).state == inbox.DONE


def test_what_was_said_twice_is_taken_back_whole(held: Office) -> None:
    keys = [held.say("u1", "确认付款 FKD1").id, held.say("u1", "confirm payment FKD1").id]
    held.say("u1", "撤销")
    held.wait(60)
    assert ([held.row(key).state for key in keys], held.desk.sent) == ([inbox.UNDONE] * 2, [])


@pytest.mark.parametrize("text", ["撤销", "undo FKD1"])
@pytest.mark.parametrize("trouble", ["down", "locked"])
def test_what_waits_for_kingdee_can_be_taken_back_until_something_may_be_done(
    office: Office, trouble: str, text: str
) -> None:
    office.desk.create("1", "FKD1")
    office.desk.down, office.desk.faults = trouble == "down", ["locked"]
    key = office.say("u1", "确认付款 FKD 1").id
    office.world.clock.advance(1)
    assert office.say("u2", text).state == inbox.REFUSED
    assert office.say("u1", text).state == inbox.DONE
    office.desk.down = False
    office.wait(60)
    assert (office.row(key).state, office.desk.written) == (inbox.UNDONE, [])
    assert len(office.answers("u1")) == 1


def test_what_may_be_done_is_not_taken_back(office: Office) -> None:
    office.desk.create("1", "FKD1")
    office.desk.faults = ["", "locked"]
    key = office.say("u1", "确认付款 FKD1").id
    office.world.clock.advance(1)
    assert office.say("u1", "撤销").state == inbox.REFUSED
    office.wait(60)
    assert office.row(key).state == inbox.DONE


def test_what_is_done_cannot_be_taken_back_any_more_and_that_is_said(held: Office) -> None:
    held.say("u1", "确认付款 FKD1")
    held.wait(30)
    assert held.say("u1", "撤销 FKD1").state == inbox.REFUSED
    assert held.desk.status("1") == "C"
    assert held.answers("u1")[-1] == "Nothing waits that could be taken back"


def test_a_word_that_came_in_time_takes_it_back_although_both_have_their_turn_too_late(held: Office) -> None:
    key = held.say("u1", "确认付款 FKD1").id
    held.world.clock.advance(29)
    held.hear("u1", "撤销")
    held.world.clock.advance(60)  # Kingdee kept others waiting
    held.inbound.step()
    assert (held.row(key).state, held.desk.sent) == (inbox.UNDONE, [])


def test_the_word_of_an_action_that_begins_like_taking_back_is_that_action(held: Office) -> None:
    held.actions.append(action(CONFIRM, id="unaudit", phrases=["撤销"], do=[{"operation": "UnAudit"}], when=None))
    assert held.say("u1", "撤销 FKD1").state == inbox.DONE
    assert [kind for kind, *_ in held.desk.sent] == ["operation"]


def test_after_a_restart_it_can_be_taken_back_for_as_long_again(held: Office) -> None:
    key = held.say("u1", "确认付款 FKD1").id
    held.world.clock.advance(300)  # nobody heard who wanted it back
    held.restart()
    held.inbound.resume()
    held.inbound.step()
    assert (held.row(key).state, held.desk.sent) == (inbox.WAITING, [])
    held.wait(30)
    assert held.row(key).state == inbox.DONE


def test_what_was_held_is_judged_anew_when_its_time_is_over(held: Office) -> None:
    key = held.say("u1", "确认付款 FKD1").id
    held.desk.bills["AP_PAYBILL", "1"]["FDocumentStatus"] = "C"
    held.wait(30)
    assert (held.row(key).state, held.desk.sent) == (inbox.REFUSED, [])


def test_what_may_have_been_done_is_not_called_impossible_when_it_is_given_up(office: Office) -> None:
    office.desk.create("1", "FKD1", status="B")
    office.desk.faults = ["lost"]
    key = office.say("u1", "确认付款 FKD1").id
    office.desk.down = True
    office.wait(3700)
    assert (office.row(key).state, office.alarms()) == (inbox.FAILED, 1)
    assert office.answers("u1") == ["FKD1: please check in Kingdee: 确认付款"]


def test_an_action_that_is_taken_out_after_a_lost_answer_leaves_it_to_people(office: Office) -> None:
    office.desk.create("1", "FKD1", status="B")
    office.desk.faults = ["lost"]
    office.say("u1", "确认付款 FKD1")
    office.actions.clear()
    office.wait(60)
    assert office.answers("u1") == ["FKD1: please check in Kingdee: confirm-payment"]


def test_a_write_that_may_be_under_way_is_not_repeated_yet(office: Office) -> None:
    office.desk.create("7", "EXP1", status="B", form=EXPENSE)
    office.desk.wait_for("7", "102", EXPENSE)
    office.desk.faults = ["cut"]
    key = office.say("u2", "同意 EXP1").id
    office.wait(8, step=2)
    assert len(office.desk.sent) == 1
    office.wait(30, step=2)
    assert len(office.desk.sent) == 2
    assert office.row(key).state == inbox.DONE


def test_who_was_allowed_one_step_is_not_carried_on_with_another(office: Office) -> None:
    office.actions[0] = action(CONFIRM, do=["submit"], allow=["user:u9"])
    office.desk.create("1", "FKD1")
    office.desk.faults = ["locked"]
    key = office.say("u9", "确认付款 FKD1").id
    office.actions[0] = action(CONFIRM)
    office.wait(60)
    assert (office.row(key).state, office.desk.status("1")) == (inbox.FAILED, "A")
    assert office.answers("u9") == ["FKD1: 确认付款 was not possible"]


@pytest.fixture
def limited(office: Office) -> Office:
    office.actions[0] = action(CONFIRM, limit={"field": "FAMOUNT", "max": 50000, "above": "second-person"})
    office.desk.create("1", "FKD1", FAMOUNT=60000)
    return office


def test_a_second_person_does_not_confirm_an_amount_that_the_first_never_saw(limited: Office) -> None:
    assert limited.say("u1", "确认付款 FKD1").state == inbox.HALF
    limited.desk.bills["AP_PAYBILL", "1"]["FAMOUNT"] = 900000
    assert limited.say("u2", "确认付款 FKD1").state == inbox.HALF
    assert limited.desk.sent == []
    assert limited.say("u1", "确认付款 FKD1 ").state == inbox.DONE


@pytest.mark.parametrize("text", ["撤销", "undo FKD1"])
def test_a_first_confirmation_that_was_taken_back_counts_for_nobody(limited: Office, text: str) -> None:
    limited.say("u1", "确认付款 FKD1")
    limited.world.clock.advance(60)
    assert limited.say("u1", text).state == inbox.DONE
    assert limited.answers("u1")[-1] == "FKD1: 确认付款 is taken back"
    assert limited.say("u2", "确认付款 FKD1").state == inbox.HALF
    limited.world.clock.advance(60)
    assert limited.say("u1", text).state == inbox.REFUSED, "it is taken back"


def test_a_first_confirmation_that_a_second_person_made_use_of_cannot_be_taken_back(limited: Office) -> None:
    limited.say("u1", "确认付款 FKD1")
    limited.world.clock.advance(60)
    limited.say("u2", "确认付款 FKD1")
    limited.world.clock.advance(60)
    assert limited.say("u1", "撤销 FKD1").state == inbox.REFUSED
    assert limited.desk.status("1") == "C"


def test_a_first_confirmation_counts_once(limited: Office) -> None:
    limited.say("u1", "确认付款 FKD1")
    assert limited.say("u2", "确认付款 FKD1").state == inbox.DONE
    limited.desk.bills["AP_PAYBILL", "1"]["FDocumentStatus"] = "D"
    limited.world.clock.advance(60)
    assert limited.say("u2", "确认付款 FKD1").state == inbox.HALF


def test_a_task_that_somebody_else_decided_otherwise_is_not_called_approved(office: Office) -> None:
    office.desk.create("7", "EXP1", status="B", form=EXPENSE)
    office.desk.wait_for("7", "102", EXPENSE)
    office.desk.faults = ["cut"]
    office.say("u2", "同意 EXP1")
    office.desk.waiting.clear()
    office.desk.bills[EXPENSE, "7"]["FDocumentStatus"] = "D"
    office.wait(60)
    assert office.answers("u2") == ["EXP1: please check in Kingdee: 同意"]


def test_a_word_about_one_task_does_not_answer_the_next_of_the_same_person(office: Office) -> None:
    office.desk.create("7", "EXP1", status="B", form=EXPENSE)
    office.desk.wait_for("7", "102", EXPENSE)
    office.desk.faults = ["locked"]
    key = office.say("u2", "同意 EXP1").id
    office.desk.waiting.clear()
    office.desk.wait_for("7", "102", EXPENSE)
    office.wait(60)
    assert (office.row(key).state, office.desk.written) == (inbox.REFUSED, [])


def test_where_tasks_may_not_be_read_an_approver_hears_so_and_an_operator_too(office: Office) -> None:
    office.desk.create("1", "EXP1", "B", form=EXPENSE)
    office.desk.wait_for("1", "102", EXPENSE)
    office.desk.secret = True
    row = office.say("u2", "同意 EXP1")
    assert (row.state, office.desk.sent, office.alarms()) == (inbox.FAILED, [], 1)
    assert office.answers("u2") == ["EXP1: Kingdee's tasks cannot be read, so 同意 was not done"]


def test_where_tasks_may_not_be_read_those_who_may_without_one_still_may(office: Office) -> None:
    office.actions[0] = action(CONFIRM, allow=["assignee", "role:cashier"])
    office.desk.create("1", "FKD1", "B")
    office.desk.secret = True
    assert office.say("u1", "确认付款 FKD1").state == inbox.DONE
    assert office.say("u9", "确认付款 FKD1").state == inbox.FAILED, "they may be the assignee"


@pytest.mark.parametrize(
    ("fault", "title"), [("nobody", "account is not known"), ("shut", "does not let your account")]
)
def test_what_has_to_be_done_as_a_person_and_cannot_is_not_done_as_another(
    office: Office, fault: str, title: str
) -> None:
    office.desk.create("1", "FKD1")
    office.desk.faults = [fault]
    row = office.say("u1", "确认付款 FKD1")
    assert (row.state, office.desk.status("1"), office.alarms()) == (inbox.REFUSED, "A", 1)
    assert office.outcomes(row.id) == [("submit", writes.UNSENT)]
    assert title in office.answers("u1")[0]


def test_what_an_earlier_try_may_have_done_is_not_denied_because_a_later_one_cannot_be(office: Office) -> None:
    office.desk.create("1", "FKD1")
    office.desk.faults = ["cut", "shut"]
    key = office.say("u1", "确认付款 FKD1").id
    office.wait(60)
    assert office.row(key).state == inbox.FAILED
    assert office.outcomes(key) == [("submit", writes.UNKNOWN), ("submit", writes.UNSENT)]
    assert "unknown" in office.row(key).reason


def test_what_waited_for_its_first_write_is_judged_anew(office: Office) -> None:
    office.actions[0] = action(CONFIRM, limit={"field": "FAMOUNT", "max": 50000, "above": "second-person"})
    office.desk.create("1", "FKD1", FAMOUNT=100)
    office.desk.faults = ["locked"]  # somebody has the document open, and raises the amount
    key = office.say("u1", "确认付款 FKD1").id
    office.desk.bills["AP_PAYBILL", "1"]["FAMOUNT"] = 900000
    office.wait(60)
    assert (office.row(key).state, office.desk.status("1"), office.desk.written) == (inbox.HALF, "A", [])
    assert office.answers("u1") == ["FKD1: a second person has to confirm"]


def test_what_was_asked_for_while_nothing_ran_is_not_done_days_later(office: Office) -> None:
    office.desk.create("1", "FKD1")
    key = office.hear("u1", "确认付款 FKD1")
    office.world.clock.advance(3 * 86400)
    office.restart()
    office.inbound.step()
    assert (office.row(key).state, office.desk.sent) == (inbox.FAILED, [])
    assert office.answers("u1") == ["Not done: 确认付款 FKD1"]


@pytest.mark.parametrize(("fault", "state", "status"), [("lost", inbox.DONE, "C"), ("cut", inbox.FAILED, "B")])
def test_days_later_what_was_begun_is_read_back_and_not_gone_on_with(
    office: Office, fault: str, state: str, status: str
) -> None:
    office.desk.create("1", "FKD1")
    office.desk.faults = ["", fault]
    key = office.say("u1", "确认付款 FKD1").id
    office.world.clock.advance(3 * 86400)
    office.restart()
    office.inbound.step()
    assert (office.row(key).state, office.desk.status("1")) == (state, status)
    assert [kind for kind, *_ in office.desk.sent] == ["submit", "audit"]
    assert len(office.answers("u1")) == 1


def test_a_task_is_not_decided_by_a_number_that_another_document_has_too(office: Office) -> None:
    for ident in ("7", "8"):
        office.desk.create(ident, "EXP1", status="B", form=EXPENSE)
        office.desk.wait_for(ident, "102", EXPENSE)
    world = office.world
    item = Received("m1", inbox.CLICK, "u2", {}, world.clock.now(), action="approve", form=EXPENSE, doc_id="7")
    carry = Carry(world.db, office.desk, world.clock, Permit(world.people, lambda: ZONE).is_receiver, world.seal)
    outcome = carry.run(replace(item, number="EXP1"), office.actions[1])
    assert isinstance(outcome, Stopped)
    assert (outcome, office.desk.sent) == (Stopped("shared-number", "7, 8", "B"), [])
    assert endings.stopped(outcome, office.actions[1]).reply == "reply_shared_number"


@pytest.fixture
def pushing(office: Office) -> Office:
    push = {"push": {"to": "AP_PAYBILL"}}
    office.actions[0] = action(CONFIRM, form="CN_PAYAPPLY", do=[push], when=None)
    office.desk.create("1", "SQ1", status="C", form="CN_PAYAPPLY")
    return office


@pytest.mark.parametrize(
    ("fault", "state", "answer"),
    [
        ("", inbox.DONE, "SQ1: 确认付款 is done"),
        ("lost", inbox.DONE, "SQ1: 确认付款 is done"),
        ("cut", inbox.FAILED, "SQ1: please check in Kingdee: 确认付款"),
    ],
)
def test_a_push_without_an_answer_is_found_again_and_not_repeated(
    pushing: Office, fault: str, state: str, answer: str
) -> None:
    pushing.desk.faults = [fault]
    key = pushing.say("u1", "确认付款 SQ1").id
    pushing.wait(60)
    assert (pushing.row(key).state, len(pushing.desk.sent)) == (state, 1)
    assert pushing.answers("u1") == [answer]


def test_who_says_it_again_while_kingdee_is_at_it_waits_for_what_becomes_of_the_first(pushing: Office) -> None:
    pushing.desk.faults = ["cut"]  # the answer; the document comes later
    pushing.say("u1", "确认付款 SQ1")
    key = pushing.say("u2", "确认付款 SQ1").id
    assert (pushing.row(key).state, len(pushing.desk.sent)) == (inbox.WAITING, 1)
    pushing.wait(30)
    pushing.desk.create("9", "FKD9", FSRCBILLNO="SQ1")
    pushing.wait(120)
    assert (pushing.row(key).state, len(pushing.desk.sent)) == (inbox.DONE, 1)


def test_long_after_an_answer_was_lost_and_nothing_came_of_it_it_can_be_asked_for_again(pushing: Office) -> None:
    pushing.desk.faults = ["cut"]
    pushing.say("u1", "确认付款 SQ1")
    pushing.wait(300)
    assert pushing.say("u1", "确认付款 SQ1").state == inbox.DONE
    assert len(pushing.desk.sent) == 2


def test_what_somebody_pushed_before_is_not_pushed_a_second_time(pushing: Office) -> None:
    assert pushing.say("u1", "确认付款 SQ1").state == inbox.DONE
    assert pushing.say("u2", "确认付款 SQ1").state == inbox.DONE
    assert (len(pushing.desk.sent), pushing.answers("u2")) == (1, ["SQ1: 确认付款 was done before"])


def test_an_hour_without_kingdee_before_the_document_was_found_is_told_in_what_was_said(office: Office) -> None:
    office.desk.down = True
    key = office.say("u1", "确认付款 FKD1").id
    office.wait(3700)
    assert office.row(key).state == inbox.FAILED
    assert office.answers("u1") == ["Not done: 确认付款 FKD1"]
