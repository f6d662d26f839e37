"""What DingTalk accepts and then shows to nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kdsync.delivery import limits
from kdsync.errors import FailureKind
from kdsync.store import outbox
from kdsync.store.claims import claim
from tests.unit.services.test_dispatch import approve
from tests.unit.services.world import World, failure, rules

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


def test_whom_dingtalk_refuses_to_look_up_stands_in_nobodys_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.watch(*rules({"to": ["user:a odd", "user:gone"]}))
    approve(world, "K1")
    world.deliver()
    trouble = failure(FailureKind.REFUSED)

    def exists(userid: str) -> bool:
        if userid == "a odd":
            raise trouble
        return False

    monkeypatch.setattr(world.dingtalk, "exists", exists)
    world.receipts.step()
    assert [letter.target for letter in world.letters(outbox.DEAD)] == ["gone"]


@pytest.fixture
def limited(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Where DingTalk shows one person 20 messages a day, and reaches 300 people a minute."""
    monkeypatch.setattr(limits, "A_DAY", 20)
    monkeypatch.setattr(limits, "A_MINUTE", 300)
    return world


def approve_many(world: World, count: int) -> None:
    """So many messages for one person."""
    world.watch(*rules({"to": ["user:u1"]}))
    approve(world, *(f"K{n}" for n in range(count)))


def test_what_is_one_too_many_for_a_day_waits_for_dingtalks_next(limited: World) -> None:
    approve_many(limited, 23)
    limited.deliver()
    assert taken(limited) == 20
    limited.clock.advance(14 * 3600)  # it is midnight here, and may not be where DingTalk is
    limited.deliver()
    assert taken(limited) == 20
    limited.clock.advance(300)
    limited.deliver()
    assert taken(limited) == 23


@pytest.mark.parametrize("outcome", ["lost", "cut"])
def test_what_may_have_been_shown_counts_in_its_day(limited: World, outcome: str) -> None:
    approve_many(limited, 22)
    limited.dingtalk.outcomes = [outcome]
    limited.deliver()
    assert taken(limited) == 19  # one may have been shown, and is due again in a moment
    limited.clock.advance(200)
    limited.deliver()
    assert taken(limited) == 20, "its repetition takes no other's place"
    limited.clock.advance(14.1 * 3600)
    limited.deliver()
    assert taken(limited) == 22


def test_what_was_repeated_because_no_answer_came_counts_once(limited: World) -> None:
    approve_many(limited, 10)
    limited.dingtalk.outcomes = ["lost"]
    limited.deliver()
    limited.clock.advance(200)
    limited.deliver()
    approve(limited, *(f"L{n}" for n in range(10)))
    limited.deliver()
    assert taken(limited) == 20


def test_what_was_refused_twice_was_not_shown(limited: World) -> None:
    approve_many(limited, 1)
    limited.dingtalk.outcomes = ["transient", "transient"]
    limited.deliver()
    limited.clock.advance(60)
    limited.deliver()
    with limited.db.read() as tx:
        [(letter, *_)] = outbox.listing(tx, limited.seal, states=[outbox.WAITING])
        assert letter.attempts == 2
        assert not outbox.may_be_sent(tx, letter.id)


def send_elsewhere(world: World) -> None:
    """Another process claims what is due first, and is never heard of again."""
    world.address.step()
    now = world.clock.now()
    with world.db.write() as tx:
        claim(tx, world.seal, now=now, lease_until=now + HOUR, held=(), most=100)


def test_what_a_process_that_died_may_have_shown_counts_although_it_is_refused_then(limited: World) -> None:
    approve_many(limited, 21)
    send_elsewhere(limited)
    limited.clock.advance(3601)
    limited.dingtalk.outcomes = ["transient"]
    limited.deliver()
    assert taken(limited) == 19


def test_what_goes_to_a_group_counts_for_no_person(limited: World) -> None:
    limited.watch(*rules({"to": ["group:g"]}))
    approve(limited, "K1")
    send_elsewhere(limited)
    limited.watch(*rules({"to": [f"user:u{n}" for n in range(300)]}))
    approve(limited, "K2")
    limited.deliver()
    assert taken(limited) == 300


def test_what_a_process_that_died_was_sending_counts_too(limited: World) -> None:
    approve_many(limited, 21)
    send_elsewhere(limited)
    limited.deliver()
    assert taken(limited) == 19
    limited.clock.advance(3600)
    limited.deliver()
    assert taken(limited) == 20


def test_so_many_people_a_minute(limited: World) -> None:
    limited.watch(*rules({"to": [f"user:u{n}" for n in range(350)]}))
    approve(limited, "K1")
    limited.deliver()
    assert taken(limited) == 300
    for _ in range(6):
        limited.clock.advance(20)
        limited.deliver()
    assert taken(limited) == 350


def test_people_who_may_have_been_reached_count_in_their_minute(limited: World) -> None:
    limited.watch(*rules({"to": [f"user:u{n}" for n in range(350)]}))
    approve(limited, "K1")
    limited.dingtalk.outcomes = ["lost"]
    limited.deliver()
    assert taken(limited) == 200


def test_what_had_to_wait_was_not_tried(limited: World) -> None:
    limited.watch(*rules({"to": [f"user:u{n}" for n in range(350)]}))
    approve(limited, "K1")
    for _ in range(4):
        limited.deliver()
        limited.clock.advance(16)
    limited.dingtalk.outcomes = ["transient"]
    limited.deliver()
    due = limited.dispatch.next_due()
    assert taken(limited) == 300
    assert due is not None
    assert due - limited.clock.now() < timedelta(seconds=3)


def test_what_had_to_wait_finds_out_that_dingtalk_is_down_like_any_other(limited: World) -> None:
    approve_many(limited, 26)
    limited.deliver()
    limited.clock.advance(14.01 * 3600)
    limited.watch(*rules({"to": ["user:u2"]}))
    approve(limited, "K26")
    limited.deliver()
    assert taken(limited) == 21
    limited.clock.advance(300)
    limited.dingtalk.calls, limited.dingtalk.outcomes = 0, ["transient"] * 99
    limited.deliver()
    assert limited.dingtalk.calls == 3
