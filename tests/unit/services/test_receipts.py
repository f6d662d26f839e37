"""What DingTalk accepts and then shows to nobody."""

from __future__ import annotations

from kdsync.store import outbox
from tests.unit.services.test_dispatch import approve
from tests.unit.services.world import World, rules


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


def test_five_thousand_people_a_minute(world: World) -> None:
    world.watch(*rules({"to": [f"user:u{n}" for n in range(5050)]}))
    approve(world, "K1")
    world.deliver(2000)
    assert sum(len(users) for users, _ in world.dingtalk.sent) == 5000
    for _ in range(6):
        world.clock.advance(20)
        world.deliver()
    assert sum(len(users) for users, _ in world.dingtalk.sent) == 5050
