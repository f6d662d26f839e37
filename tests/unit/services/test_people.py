"""Whom Kingdee's users are in DingTalk, as it was found, and when that is found anew."""

from __future__ import annotations

from typing import Any

import pytest

from kdsync.errors import FailureKind
from kdsync.services.ports import KingdeeIdentity
from kdsync.services.receipts import KEY
from kdsync.store import people
from kdsync.store.people import Found
from tests.unit.services.world import World, failure


@pytest.fixture
def known(world: World) -> World:
    """User 7 was found as u4, by the table."""
    world.kingdee.people["7"] = KingdeeIdentity("zhangsan", "Zhang", "13800000001", "")
    world.dingtalk.mobiles["13800000001"] = "u5"
    world.configure(users={"zhangsan": "u4"})
    world.people.follow_directory()
    assert world.people.find("7", "SEC_User").userid == "u4"
    return world


@pytest.mark.parametrize(
    ("directory", "userid"),
    [({"users": {"zhangsan": "u6"}}, "u6"), ({}, "u5"), ({"match": ("job_number",)}, None)],
)
def test_another_table_of_people_counts_at_once(known: World, directory: dict[str, Any], userid: str | None) -> None:
    known.configure(**directory)
    known.people.follow_directory()
    assert known.people.find("7", "SEC_User").userid == userid


def test_the_same_table_asks_nobody_again(known: World) -> None:
    known.configure(users={"zhangsan": "u4"}, locales={"u4": "en"})
    known.people.follow_directory()
    known.kingdee.people.clear()
    assert known.people.find("7", "SEC_User").userid == "u4"


def test_who_was_looked_for_in_dingtalk_is_not_looked_for_in_kingdee(known: World) -> None:
    seen = Found(f"{KEY}u4", "u4", "visible", known.clock.now())
    with known.db.write() as tx:
        people.put(tx, seen)
    known.clock.advance(90_000)
    assert known.people.refresh() == 1
    known.configure()
    known.people.follow_directory()
    with known.db.read() as tx:
        assert people.get(tx, seen.key) == seen


def test_who_cannot_be_asked_for_any_more_keeps_nobody_from_being_found_anew(
    known: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.clock.advance(1)
    known.kingdee.people["8"] = KingdeeIdentity("lisi", "Li", "", "J7")
    known.configure(users={"lisi": "u8"})
    known.people.find("8", "SEC_User")
    known.clock.advance(90_000)
    known.configure(users={"lisi": "u9"})
    person = known.kingdee.person

    def ask(key: str, lookup: str) -> KingdeeIdentity | None:
        if key == "7":
            raise failure(FailureKind.REFUSED)
        return person(key, lookup)

    monkeypatch.setattr(known.kingdee, "person", ask)
    assert known.people.refresh() == 2
    assert known.people.find("8", "SEC_User").userid == "u9"
    assert known.people.refresh() == 1, "who was found is fresh"
