"""Whom a notification reaches, in which language, and what happens when it is nobody."""

from __future__ import annotations

from types import ModuleType
from unittest.mock import patch

import orjson
import pytest

from kdsync.errors import EdgeError, FailureKind
from kdsync.services.ports import KingdeeIdentity
from kdsync.settings.schema import Directory
from kdsync.store import notifications, outbox
from tests.unit.services.world import World, failure, rules


def notify(world: World, *to: str, **document: object) -> None:
    """One approved document whose rule tells `to`, delivered."""
    world.watch(*rules({"to": list(to)}))
    world.poll()
    world.kingdee.create("C", "K1", **document)
    world.poll()
    world.clock.advance(1)
    world.deliver()


def receivers(world: World) -> set[str]:
    return {letter.target for letter in world.letters()}


def text(world: World, userid: str) -> str:
    return str(orjson.loads(world.dingtalk.seen(userid)[0])["markdown"]["text"])


def test_the_creator_by_telephone_number(world: World) -> None:
    world.kingdee.people["7"] = KingdeeIdentity("zhangsan", "Zhang", "13800000001", "")
    world.dingtalk.mobiles["13800000001"] = "u4"
    notify(world, "creator", FCreatorId=7)
    assert receivers(world) == {"u4"}


def test_by_job_number_where_the_telephone_number_is_unknown(world: World) -> None:
    world.configure(match=("mobile", "job_number"))
    world.kingdee.people["7"] = KingdeeIdentity("zhangsan", "Zhang", "13800000001", "J7")
    notify(world, "creator", FCreatorId=7)
    assert receivers(world) == {"u7"}


def test_the_explicit_table_wins(world: World) -> None:
    world.configure(users={"zhangsan": "u9"})
    world.kingdee.people["7"] = KingdeeIdentity("zhangsan", "Zhang", "13800000001", "")
    world.dingtalk.mobiles["13800000001"] = "u4"
    notify(world, "creator", FCreatorId=7)
    assert receivers(world) == {"u9"}


def test_a_field_that_holds_a_telephone_number(world: World) -> None:
    world.dingtalk.mobiles["13800000002"] = "u5"
    notify(world, "field:FPhone", FPhone="13800000002")
    assert receivers(world) == {"u5"}


def test_the_manager_of_the_creator(world: World) -> None:
    world.configure(users={"zhangsan": "u9"})
    world.kingdee.people["7"] = KingdeeIdentity("zhangsan")
    world.dingtalk.managers["u9"] = "boss"
    notify(world, "manager_of:creator", FCreatorId=7)
    assert receivers(world) == {"boss"}


def test_roles_departments_and_groups(world: World) -> None:
    roles = Directory.model_validate({"roles": {"cashier": ("user:u1", "user:u2")}}).roles
    world.configure(roles=roles)
    world.dingtalk.departments["3"] = ["u2", "u3"]
    notify(world, "role:cashier", "dept:3", "group:finance")
    assert receivers(world) == {"u1", "u2", "u3", "finance"}
    assert [name for name, _, _ in world.dingtalk.posted] == ["finance"]


def test_somebody_named_twice_is_told_once(world: World) -> None:
    world.configure(users={"zhangsan": "u1"})
    world.kingdee.people["7"] = KingdeeIdentity("zhangsan")
    notify(world, "user:u1", "creator", FCreatorId=7)
    assert len(world.dingtalk.seen("u1")) == 1


def test_nobody_to_reach_goes_to_the_fallback_with_the_reason(world: World) -> None:
    world.kingdee.people["7"] = KingdeeIdentity("ghost", "Ghost")
    notify(world, "creator", FCreatorId=7)
    assert receivers(world) == {"ops"}
    assert "ghost" in text(world, "ops")
    assert "K1" in text(world, "ops")


def test_a_document_that_names_nobody(world: World) -> None:
    notify(world, "approver", FApproverId=0)
    assert receivers(world) == {"ops"}


def test_some_can_be_reached_and_the_rest_is_told_to_the_fallback(world: World) -> None:
    notify(world, "user:u1", "creator", FCreatorId=7)
    assert receivers(world) == {"u1", "ops"}
    assert "7" not in text(world, "u1").split("·")[0].replace("K1", "")


def test_contacts_that_are_down_are_asked_again(world: World) -> None:
    world.kingdee.people["7"] = KingdeeIdentity("zhangsan", "Zhang", "13800000001", "")
    world.dingtalk.mobiles["13800000001"] = "u4"
    world.dingtalk.down = EdgeError("dingtalk", FailureKind.TRANSIENT, "-1", "busy")
    notify(world, "creator", FCreatorId=7)
    assert receivers(world) == set()
    world.dingtalk.down = None
    world.clock.advance(6)
    world.deliver()
    assert receivers(world) == {"u4"}


def test_contacts_without_permission_go_to_the_fallback(world: World) -> None:
    world.kingdee.people["7"] = KingdeeIdentity("zhangsan", "Zhang", "13800000001", "")
    world.dingtalk.down = EdgeError("dingtalk", FailureKind.CONFIGURATION, "60011", "no permission for contacts")
    notify(world, "creator", FCreatorId=7)
    for seconds in (6, 16):
        assert receivers(world) == set()
        world.clock.advance(seconds)
        world.deliver()
    assert receivers(world) == {"ops"}
    assert "no permission for contacts" in text(world, "ops")


def test_a_permission_that_was_gone_for_a_moment_only(world: World) -> None:
    world.kingdee.people["7"] = KingdeeIdentity("zhangsan", "Zhang", "13800000001", "")
    world.dingtalk.mobiles["13800000001"] = "u4"
    world.dingtalk.down = EdgeError("dingtalk", FailureKind.CONFIGURATION, "60011", "no permission", retry_after=3600)
    notify(world, "creator", FCreatorId=7)
    world.dingtalk.down = None
    world.clock.advance(6)
    world.deliver()
    assert receivers(world) == {"u4"}


def test_a_person_found_once_is_not_asked_for_again_that_day(world: World) -> None:
    world.kingdee.people["7"] = KingdeeIdentity("zhangsan", "Zhang", "13800000001", "")
    world.dingtalk.mobiles["13800000001"] = "u4"
    notify(world, "creator", FCreatorId=7)
    lookups = world.dingtalk.lookups
    assert world.people.find("7", "SEC_User").userid == "u4"
    assert world.dingtalk.lookups == lookups
    world.clock.advance(90_000)
    world.dingtalk.mobiles["13800000001"] = "u5"
    assert world.people.refresh() == 1
    assert world.people.find("7", "SEC_User").userid == "u5"


def test_a_stale_answer_serves_while_dingtalk_is_down(world: World) -> None:
    world.kingdee.people["7"] = KingdeeIdentity("zhangsan", "Zhang", "13800000001", "")
    world.dingtalk.mobiles["13800000001"] = "u4"
    assert world.people.find("7", "SEC_User").userid == "u4"
    world.clock.advance(90_000)
    world.dingtalk.down = EdgeError("dingtalk", FailureKind.TRANSIENT, "-1", "busy")
    assert world.people.find("7", "SEC_User").userid == "u4"


def test_each_reads_their_own_language(world: World) -> None:
    world.configure(locales={"u2": "en"})
    notify(world, "user:u1", "user:u2")
    assert len(world.dingtalk.sent) == 2
    assert text(world, "u1") != text(world, "u2")


@pytest.mark.parametrize(("priority", "held"), [("normal", True), ("low", True), ("high", False), ("urgent", False)])
def test_quiet_hours_hold_back_what_can_wait(world: World, priority: str, held: bool) -> None:
    calendar = world.settings.main.calendar.model_copy(update={"quiet": (21 * 60, 12 * 60)})
    world.settings = world.settings.model_copy(
        update={"main": world.settings.main.model_copy(update={"calendar": calendar})}
    )
    world.watch(*rules({"priority": priority}))
    world.poll()
    world.kingdee.create("C", "K1")
    world.poll()
    world.clock.advance(1)
    world.deliver()
    assert [letter.reason for letter in world.letters(outbox.WAITING)] == ([""] * 2 if held else []), "none was tried"
    world.clock.advance(2 * 3600)
    world.deliver()
    assert len(world.dingtalk.seen("u1")) == 1


@pytest.mark.parametrize(("module", "step"), [(outbox, "add"), (notifications, "settle")])
def test_killed_within_its_commit_nothing_of_it_is_written(world: World, module: ModuleType, step: str) -> None:
    world.poll()
    world.kingdee.create("C", "K1")
    world.poll()
    world.clock.advance(1)
    with patch.object(module, step, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        world.address.step()
    assert world.letters() == []
    world.deliver()
    assert len(world.dingtalk.seen("u1")) == 1


def test_addressing_twice_writes_no_second_letter(world: World) -> None:
    world.poll()
    world.kingdee.create("C", "K1")
    world.poll()
    world.clock.advance(1)
    with world.db.read() as tx:
        notification = notifications.due(tx, world.seal, world.clock.now())[0]
    world.address.step()
    world.address._address(notification)
    assert len(world.letters()) == 2


def test_what_comes_later_about_a_document_waits_for_what_could_not_be_addressed(world: World) -> None:
    created = {"id": "created", "on": ["created"], "to": ["dept:7"]}
    world.watch(*rules(created, {"id": "approved", "to": ["user:u1"]}))
    other = world.kingdee.create("B", "OTHER")
    world.poll()
    world.dingtalk.down = failure(FailureKind.TRANSIENT)
    late = world.kingdee.create("A", "LATE")
    world.poll()
    world.deliver()
    for ident in (late, other):
        world.kingdee.move(ident, "C")
    world.poll(1)
    world.deliver()
    assert ["OTHER" in seen for seen in world.dingtalk.seen("u1")] == [True]
    world.dingtalk.down, world.dingtalk.departments = None, {"7": ["u1"]}
    world.clock.advance(60)
    world.deliver()
    with world.db.read() as tx:
        told = {one.id: one.rule for one in notifications.of_number(tx, world.seal, "LATE")}
    accepted = sorted(world.letters(outbox.ACCEPTED), key=lambda letter: letter.created_at)
    assert [told[one.notification_id] for one in accepted if one.notification_id in told] == ["created", "approved"]
    assert ["LATE approved" in seen for seen in world.dingtalk.seen("u1")] == [False, True, True]


def test_what_was_noticed_together_is_not_torn_apart(world: World) -> None:
    created = {"id": "created", "on": ["created"], "to": ["dept:7"]}
    world.watch(*rules(created, {"id": "approved", "to": ["user:u1"]}))
    world.poll()
    world.dingtalk.down = failure(FailureKind.TRANSIENT)
    world.kingdee.create("C", "BOTH")
    world.poll()
    world.deliver()
    assert world.letters() == []


def test_who_is_also_the_fallback_learns_who_could_not_be_reached(world: World) -> None:
    notify(world, "user:ops", "creator", FCreatorId=404)
    assert len(world.dingtalk.seen("ops")) == 1
    assert "creator" in text(world, "ops")


def test_of_many_who_cannot_be_reached_a_few_are_named(world: World) -> None:
    notify(world, *(f"field:F{n}" for n in range(9)))
    assert "field:F4" in text(world, "ops")
    assert "field:F5" not in text(world, "ops")
    assert "4 more" in text(world, "ops")
