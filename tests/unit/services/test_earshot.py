"""When nobody can be heard in DingTalk operators know: what is said meanwhile does not come again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kdsync.errors import FailureKind
from kdsync.services.earshot import FACT, PATIENCE, Earshot
from kdsync.store import holds, ledger
from kdsync.store.holds import Hold
from kdsync.store.outbox import WORK
from tests.unit.services.world import World

REASON = "dingtalk: the app's credentials are wrong [authFailed]"
CURE = "check dingtalk.client_id"


@pytest.fixture
def ear(world: World) -> Earshot:
    return Earshot(world.db, world.clock, world.notices)


def deaf(ear: Earshot, world: World, *, for_: float) -> None:
    """Nothing is heard for so long."""
    ear.step(wanted=True, connected=False, reason=REASON, cure=CURE)
    world.clock.advance(for_)
    ear.step(wanted=True, connected=False, reason=REASON, cure=CURE)


def told(world: World) -> list[str]:
    world.deliver()
    return world.dingtalk.seen("ops")


def kept(world: World) -> Any:
    with world.db.read() as tx:
        return json.loads(ledger.fact(tx, FACT) or "{}")


def test_it_is_told_once_with_why_and_what_to_do_and_once_that_it_is_over(ear: Earshot, world: World) -> None:
    for _ in range(3):
        deaf(ear, world, for_=PATIENCE)
    (down,) = told(world)
    assert "credentials are wrong" in down
    assert CURE in down
    ear.step(wanted=True, connected=True)
    ear.step(wanted=True, connected=True)
    assert len(told(world)) == 2


def test_a_connection_that_breaks_for_a_moment_is_no_news(ear: Earshot, world: World) -> None:
    for _ in range(5):
        deaf(ear, world, for_=PATIENCE / 2)
        ear.step(wanted=True, connected=True)
    assert told(world) == []


def test_where_nothing_is_to_be_heard_nothing_is_missed(ear: Earshot, world: World) -> None:
    deaf(ear, world, for_=PATIENCE)
    assert len(told(world)) == 1
    ear.step(wanted=False, connected=False)
    world.clock.advance(10 * PATIENCE)
    ear.step(wanted=False, connected=False)
    assert len(told(world)) == 1
    assert kept(world) == {}


def test_a_dingtalk_that_is_down_altogether_is_told_as_that(ear: Earshot, world: World) -> None:
    now = world.clock.now()
    with world.db.write() as tx:
        holds.put(tx, Hold(WORK, now, now, 3, FailureKind.TRANSIENT, "no connection"), now)
    deaf(ear, world, for_=PATIENCE)
    assert told(world) == []


def test_the_store_knows_since_when_and_why_and_is_written_when_that_changes(ear: Earshot, world: World) -> None:
    ear.step(wanted=True, connected=True)
    assert kept(world)["connected"] is True
    deaf(ear, world, for_=30.0)
    began = world.clock.now()
    assert kept(world) | {"since": ""} == {"connected": False, "reason": REASON, "cure": CURE, "since": ""}
    writes = world.db.writes
    ear.step(wanted=True, connected=False, reason=REASON, cure=CURE)
    assert world.db.writes == writes
    assert kept(world)["since"] < began.isoformat()


def test_after_a_restart_the_end_of_an_earlier_outage_is_told(ear: Earshot, world: World) -> None:
    deaf(ear, world, for_=PATIENCE)
    assert len(told(world)) == 1
    Earshot(world.db, world.clock, world.notices).step(wanted=True, connected=True)
    assert len(told(world)) == 2
