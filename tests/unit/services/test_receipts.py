"""What DingTalk accepts and then shows to nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kdsync.store import outbox
from kdsync.store.claims import claim
from tests.unit.services.test_dispatch import approve
from tests.unit.services.world import World, rules

HOUR = timedelta(hours=1)


def taken(world: World) -> int:
    """How many messages DingTalk said ok to, one for each person."""
    return sum(len(users) for users, _ in world.dingtalk.sent)


def test_what_went_to_somebody_who_left_is_dead_and_told(world: World) -> None:
    world.watch(*rules({"to": ["user:u1", "user:gone"]}))
    approve(world, "K1")
    world.deliver()
    assert world.receipts.step() == 2
    world.deliver()
    assert [letter.target for letter in world.letters(outbox.DEAD)] == ["gone"]
    assert any("gone" in text and "K1" in text for text in world.dingtalk.seen("ops"))


def test_a_recipient_is_looked_up_once_a_day(world: World) -> None:
    approve(world, "K1", "K2")
    world.deliver()
    assert world.receipts.step() == 2
    assert world.receipts.step() == 0
    world.clock.advance(90_000)
    world.kingdee.create("C", "K3")
    world.poll()
    world.clock.advance(1)
    world.deliver()
    assert world.receipts.step() == 2


def test_the_second_message_to_somebody_who_left_is_dead_too(world: World) -> None:
    world.watch(*rules({"to": ["user:u1", "user:gone"]}))
    approve(world, "K1")
    world.deliver()
    world.receipts.step()
    world.clock.advance(60)
    world.kingdee.create("C", "K2")
    world.poll()
    world.clock.advance(1)
    world.deliver()
    assert world.receipts.step() == 2  # the operators, who heard of the first one, are new
    assert [letter.target for letter in world.letters(outbox.DEAD)].count("gone") == 2
    assert world.receipts.step() == 0


def test_what_was_sent_before_a_long_stop_is_checked_after_it(world: World) -> None:
    world.watch(*rules({"to": ["user:gone"]}))
    approve(world, "K1")
    world.deliver()
    world.clock.advance(2 * 86_400)
    world.receipts.step()
    assert [letter.target for letter in world.letters(outbox.DEAD)] == ["gone"]


def test_the_five_hundred_and_first_message_of_a_day_waits_for_the_next(world: World) -> None:
    world.watch(*rules({"to": ["user:u1"], "storm": "off"}))
    approve(world, *(f"K{n}" for n in range(503)))
    world.deliver(2000)
    assert len(world.dingtalk.seen("u1")) == 500
    world.clock.advance(14 * 3600)
    world.deliver()
    assert len(world.dingtalk.seen("u1")) == 503


@pytest.mark.parametrize("outcome", ["lost", "cut"])
def test_what_may_have_been_shown_counts_as_one_of_the_five_hundred(world: World, outcome: str) -> None:
    world.watch(*rules({"to": ["user:u1"], "storm": "off"}))
    approve(world, *(f"K{n}" for n in range(502)))
    world.dingtalk.outcomes = [outcome]
    world.deliver(2000)
    assert taken(world) == 499  # one may have been shown, and is due again in a moment
    world.clock.advance(200)
    world.deliver()
    assert taken(world) == 500, "its repetition takes no other's place"
    world.clock.advance(14 * 3600)
    world.deliver()
    assert taken(world) == 502


def test_what_a_process_that_died_was_sending_counts_too(world: World) -> None:
    world.watch(*rules({"to": ["user:u1"], "storm": "off"}))
    approve(world, *(f"K{n}" for n in range(501)))
    world.address.step()
    with world.db.write() as tx:
        claim(tx, world.seal, now=world.clock.now(), lease_until=world.clock.now() + HOUR, held=(), most=100)
    world.deliver(2000)
    assert taken(world) == 499
    world.clock.advance(3600)
    world.deliver()
    assert taken(world) == 500


def test_five_thousand_people_a_minute(world: World) -> None:
    world.watch(*rules({"to": [f"user:u{n}" for n in range(5050)]}))
    approve(world, "K1")
    world.deliver(2000)
    assert taken(world) == 5000
    for _ in range(6):
        world.clock.advance(20)
        world.deliver()
    assert taken(world) == 5050


def test_people_who_may_have_been_reached_count_in_their_minute(world: World) -> None:
    world.watch(*rules({"to": [f"user:u{n}" for n in range(5050)]}))
    approve(world, "K1")
    world.dingtalk.outcomes = ["lost"]
    world.deliver(2000)
    assert taken(world) == 4900
