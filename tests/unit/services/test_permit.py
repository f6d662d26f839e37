"""Who may do what: what was true when others asked, or of somebody who only looks alike, counts for nothing."""

from __future__ import annotations

from typing import Any

import pytest

from kdsync.errors import FailureKind
from kdsync.rules.recipients import parse_recipient
from kdsync.services.ports import KingdeeIdentity
from kdsync.store import inbox, notifications
from kdsync.store import intake as approvals
from kdsync.store.inbox import Received
from tests.unit.services.test_codes import standing_alarms
from tests.unit.services.test_inbound import CONFIRM, Office, action
from tests.unit.services.world import World, failure

PAYMENT = "AP_PAYBILL"
LIMIT = {"field": "FAMOUNT", "max": 50000, "above": "second-person"}


@pytest.fixture
def office(world: World) -> Office:
    return Office(world)


def use(office: Office, **changes: Any) -> None:
    office.actions[0] = action(CONFIRM, **changes)


def cashiers(office: Office, *users: str) -> None:
    members = tuple(parse_recipient(f"user:{user}") for user in users)
    office.world.configure(roles={"cashier": members}, users=office.world.settings.directory.users)


def outcome(row: Received) -> tuple[str, str]:
    return row.state, row.reason


def alarm(office: Office) -> str:
    with office.world.db.read() as tx:
        told = notifications.due(tx, office.world.seal, office.world.clock.now())
    return next((one.contents["en"].body for one in told if one.kind == "answer_failed"), "")


# --- two people


@pytest.fixture
def limited(office: Office) -> Office:
    use(office, limit=LIMIT)
    cashiers(office, "u1", "u2", "u3")
    office.desk.create("1", "FKD1", FAMOUNT=60000)
    return office


def test_who_lost_the_right_meanwhile_is_no_first_person(limited: Office) -> None:
    assert limited.say("u1", "确认付款 FKD1").state == inbox.HALF
    cashiers(limited, "u2", "u3")
    assert limited.say("u2", "确认付款 FKD1").state == inbox.HALF
    assert limited.desk.sent == []
    assert limited.say("u3", "确认付款 FKD1").state == inbox.DONE


def test_one_of_several_first_persons_who_still_has_the_right_is_enough(limited: Office) -> None:
    for user in ("u3", "u1"):
        assert limited.say(user, "确认付款 FKD1", ident=user).state in (inbox.HALF, inbox.DONE)
    assert limited.desk.status("1") == "C"


def test_who_asked_for_other_steps_is_no_first_person(limited: Office) -> None:
    use(limited, limit=LIMIT, do=["submit"])
    assert limited.say("u1", "确认付款 FKD1").state == inbox.HALF
    use(limited, limit=LIMIT)
    assert limited.say("u2", "确认付款 FKD1").state == inbox.HALF
    assert limited.desk.sent == []


def test_who_made_it_is_no_first_person_where_nobody_may_do_it_to_what_is_theirs(limited: Office) -> None:
    limited.desk.bills[PAYMENT, "1"]["FCreatorId"] = "103"
    assert limited.say("u3", "确认付款 FKD1").state == inbox.HALF
    use(limited, limit=LIMIT, own=False)
    assert limited.say("u2", "确认付款 FKD1").state == inbox.HALF


# --- who is meant by `allow`


def test_who_may_not_does_not_hear_that_a_condition_fails(office: Office) -> None:
    use(office, when="doc.FBillNo + 1 > 2")
    office.desk.create("1", "FKD1")
    assert outcome(office.say("u9", "确认付款 FKD1")) == (inbox.REFUSED, "not-allowed")
    assert alarm(office) == ""


def test_who_is_named_may_although_a_department_cannot_be_asked(office: Office) -> None:
    use(office, allow=["dept:7", "user:u1"])
    office.desk.create("1", "FKD1")
    office.world.dingtalk.down = failure(FailureKind.CONFIGURATION)
    stranger = office.say("u9", "确认付款 FKD1")
    assert office.say("u1", "确认付款 FKD1").state == inbox.DONE
    office.wait(120)
    assert (office.row(stranger.id).state, office.row(stranger.id).reason) == (inbox.FAILED, "dingtalk: no [x]")


def test_the_manager_of_whom_a_task_waits_for(office: Office) -> None:
    use(office, allow=["manager_of:assignee"], do=[{"save": {"FREMARK": "seen"}}])
    office.desk.create("1", "FKD1", FREMARK="")
    office.world.dingtalk.managers["u2"] = "u8"
    assert office.say("u8", "确认付款 FKD1").state == inbox.REFUSED
    office.desk.wait_for("1", "102")
    assert office.say("u2", "确认付款 FKD1").state == inbox.REFUSED
    assert office.say("u8", "确认付款 FKD1 ").state == inbox.DONE


def test_an_employee_is_not_taken_for_the_user_of_the_same_id(office: Office) -> None:
    use(office, allow=["field:FPAYEEID"])
    office.desk.lookups["FPAYEEID"] = "BD_Empinfo"
    office.world.kingdee.people["BD_Empinfo 102"] = KingdeeIdentity("kd3")
    office.desk.create("1", "FKD1", FPAYEEID=102)
    assert office.say("u2", "确认付款 FKD1").state == inbox.REFUSED
    assert office.say("u3", "确认付款 FKD1").state == inbox.DONE


def test_a_user_id_that_looks_like_a_telephone_is_none(office: Office) -> None:
    use(office, allow=["creator"])
    office.world.dingtalk.mobiles["13800000001"] = "u9"
    office.world.kingdee.people["13800000001"] = KingdeeIdentity("kd2")
    office.desk.create("1", "FKD1", FCreatorId="13800000001")
    assert office.say("u9", "确认付款 FKD1").state == inbox.REFUSED
    assert office.say("u2", "确认付款 FKD1").state == inbox.DONE


# --- one's own document


def approved(office: Office, applicant: str, doc_id: str, number: str) -> None:
    """kdsync made that document of somebody's approval."""
    at = office.world.clock.now()
    row = Received("a", approvals.APPROVAL, applicant, {}, at, inbox.DONE, form=PAYMENT, doc_id=doc_id)
    with office.world.db.write() as tx:
        inbox.add(tx, office.world.seal, row)
        inbox.finish(tx, Received("a", "", "", {}, at, form=row.form, doc_id=doc_id, number=number), inbox.DONE, "", at)


def test_what_kdsync_made_of_ones_own_approval_is_ones_own(office: Office) -> None:
    use(office, own=False)
    office.desk.create("1", "FKD1", FCreatorId="99")
    approved(office, "u1", "1", "FKD1")
    assert outcome(office.say("u1", "确认付款 FKD1")) == (inbox.REFUSED, "own-document")
    assert office.say("u2", "确认付款 FKD1").state == inbox.DONE


def test_what_one_had_kdsync_make_of_another_document_is_ones_own(office: Office) -> None:
    use(office, own=False)
    office.actions.append(
        action(CONFIRM, id="pay", phrases=["付款"], form="CN_PAYAPPLY", do=[{"push": {"to": PAYMENT}}])
    )
    office.desk.create("1", "SQ1", form="CN_PAYAPPLY")
    assert office.say("u1", "付款 SQ1").state == inbox.DONE
    assert outcome(office.say("u1", "确认付款 SQ1-P")) == (inbox.REFUSED, "own-document")
    assert office.say("u2", "确认付款 SQ1-P").state == inbox.DONE


@pytest.mark.parametrize("creator", [0, "", "104"])
def test_where_nobody_can_tell_who_made_it_it_may_be_ones_own(office: Office, creator: Any) -> None:
    use(office, own=False)
    office.world.kingdee.people["104"] = KingdeeIdentity("kd4", "Li")
    office.desk.create("1", "FKD1", FCreatorId=creator)
    row = office.say("u1", "确认付款 FKD1")
    assert (row.state, office.desk.sent) == (inbox.REFUSED, [])
    assert office.answers("u1") == ["FKD1: who made it cannot be told"]
    assert ("kd4 Li" if creator == "104" else "names no creator") in alarm(office)
    assert "users:" in alarm(office)
    assert standing_alarms(office.world) == {}, "it is over with that answer"


def test_who_may_not_or_not_now_raises_no_alarm_over_who_made_it(office: Office) -> None:
    use(office, own=False)
    office.desk.create("1", "FKD1", status="C")
    assert outcome(office.say("u9", "确认付款 FKD1")) == (inbox.REFUSED, "not-allowed")
    assert outcome(office.say("u1", "确认付款 FKD1")) == (inbox.REFUSED, "when")
    assert alarm(office) == ""


# --- how much it is about


@pytest.mark.parametrize("amount", [None, "", "many", True])
def test_a_document_that_tells_no_amount_is_over_no_limit_and_under_none(office: Office, amount: Any) -> None:
    use(office, limit=LIMIT)
    office.desk.create("1", "FKD1", FAMOUNT=amount)
    assert outcome(office.say("u1", "确认付款 FKD1")) == (inbox.REFUSED, "no-amount")
    assert office.answers("u1") == ["FKD1: its amount is not known"]
