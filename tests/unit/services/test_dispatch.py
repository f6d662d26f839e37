"""Sending: together where contents are equal, again where it may help, never twice, never silently given up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kdsync.errors import FailureKind
from kdsync.store import claims, ledger, outbox
from tests.unit.services.world import World, failure, rules


def approve(world: World, *numbers: str) -> None:
    """Documents that are approved after the first look."""
    world.poll()
    for number in numbers:
        world.kingdee.create("C", number)
    world.poll()
    world.clock.advance(1)


def test_people_with_equal_content_share_one_call(world: World) -> None:
    approve(world, "K1")
    world.deliver()
    assert [sorted(users) for users, _ in world.dingtalk.sent] == [["u1", "u2"]]
    assert {letter.state for letter in world.letters()} == {outbox.ACCEPTED}


def test_two_hundred_and_fifty_people_are_three_calls(world: World) -> None:
    world.watch(*rules({"to": [f"user:u{n}" for n in range(250)]}))
    approve(world, "WIDE")
    world.deliver()
    assert [len(users) for users, _ in world.dingtalk.sent] == [100, 100, 50]
    assert len({user for users, _ in world.dingtalk.sent for user in users}) == 250


def test_distinct_events_never_send_the_same_bytes(world: World) -> None:
    world.watch(*rules({"message": {"title": "approved", "body": ""}}))
    approve(world, "K1", "K2", "K3")
    world.deliver()
    assert len({message for _, message in world.dingtalk.sent}) == 3


@pytest.mark.parametrize("kind", [FailureKind.TRANSIENT, FailureKind.UNKNOWN_OUTCOME])
def test_a_repeat_is_byte_identical(world: World, kind: FailureKind) -> None:
    approve(world, "K1")
    world.dingtalk.failures = [failure(kind)]
    world.deliver()
    first = [letter.content for letter in world.letters()]
    assert world.dingtalk.sent == []
    world.clock.advance(3)
    world.deliver()
    assert [message for _, message in world.dingtalk.sent] == [first[0]]


def quiet_hours(world: World) -> None:
    """From nine in the evening to eight in the morning."""
    main = world.settings.main
    calendar = main.calendar.model_copy(update={"quiet": (21 * 60, 8 * 60)})
    world.settings = world.settings.model_copy(update={"main": main.model_copy(update={"calendar": calendar})})


@pytest.mark.parametrize("trouble", [FailureKind.TRANSIENT, FailureKind.QUOTA])
def test_what_was_held_up_until_quiet_hours_waits_for_their_end(world: World, trouble: FailureKind) -> None:
    quiet_hours(world)
    approve(world, "K1")
    world.clock.advance(10 * 3600)  # eight in the evening
    world.dingtalk.failures = [failure(trouble, retry_after=2 * 3600)]
    world.deliver()
    world.clock.advance(3 * 3600)
    world.deliver()
    assert world.dingtalk.seen("u1") == []
    assert [letter.reason for letter in world.letters(outbox.WAITING)] == ["quiet hours"] * 2
    world.clock.advance(10 * 3600)
    world.deliver()
    assert len(world.dingtalk.seen("u1")) == len(world.dingtalk.seen("u2")) == 1


def test_what_an_operator_asks_for_does_not_wait_for_the_morning(world: World) -> None:
    quiet_hours(world)
    approve(world, "K1")
    world.clock.advance(13 * 3600)
    world.deliver()
    first, second = world.letters()
    with world.db.write() as tx:
        outbox.revive(tx, [first.id], world.clock.now())
    world.deliver()
    assert [users for users, _ in world.dingtalk.sent] == [(first.target,)]
    assert [letter.id for letter in world.letters(outbox.WAITING)] == [second.id]


def test_a_letter_that_is_on_its_way_cannot_be_dropped(world: World) -> None:
    approve(world, "K1")
    world.address.step()
    ids = [letter.id for letter in world.letters()]

    def drop() -> None:
        with world.db.write() as tx:
            assert outbox.drop(tx, ids, world.clock.now(), "no") == 0

    world.dingtalk._turn = drop  # type: ignore[method-assign]
    world.deliver()
    with world.db.read() as tx:
        outcomes = [outcome for ident in ids for _at, outcome, _detail in outbox.attempts_of(tx, ident)]
    assert outcomes == ["started", "accepted"] * 2


def test_nothing_is_tried_before_its_time(world: World) -> None:
    approve(world, "K1")
    world.dingtalk.failures = [failure(FailureKind.TRANSIENT)] * 3
    for _ in range(100):
        world.deliver()
    assert world.dingtalk.calls == 1
    due = world.dispatch.next_due()
    assert due is not None
    assert timedelta(seconds=1) < due - world.clock.now() < timedelta(seconds=3)


def test_a_crash_after_the_claim_sends_the_same_bytes_when_the_lease_runs_out(world: World) -> None:
    approve(world, "K1")
    world.address.step()
    with world.db.write() as tx:
        now = world.clock.now()
        claimed = claims.claim(tx, world.seal, now=now, lease_until=now + timedelta(seconds=60), held=[], most=100)
    assert len(claimed) == 2
    world.deliver()
    assert world.dingtalk.calls == 0
    world.clock.advance(61)
    world.deliver()
    assert [(len(users), message) for users, message in world.dingtalk.sent] == [(2, claimed[0].content)]


def test_one_refused_person_does_not_keep_the_message_from_the_others(world: World) -> None:
    approve(world, "K1")
    world.dingtalk.failures = [failure(FailureKind.REFUSED), failure(FailureKind.REFUSED)]
    world.deliver()
    dead, accepted = world.letters(outbox.DEAD), world.letters(outbox.ACCEPTED)
    assert [letter.target for letter in dead] in (["u1"], ["u2"])
    assert {letter.target for letter in accepted} == {"u1", "u2", "ops"} - {dead[0].target}
    assert any(dead[0].target in text and "K1" in text for text in world.dingtalk.seen("ops"))


def test_a_dead_notice_about_a_dead_letter_makes_no_further_notices(world: World) -> None:
    world.watch(*rules({"to": ["user:u1"]}))
    approve(world, "K1")
    world.dingtalk.failures = [failure(FailureKind.REFUSED)] * 10
    world.deliver()
    assert [letter.state for letter in world.letters()] == [outbox.DEAD, outbox.DEAD]


def test_the_used_up_quota_costs_one_call_and_survives_a_restart(world: World) -> None:
    approve(world, "K1", "K2", "K3")
    world.dingtalk.failures = [failure(FailureKind.QUOTA)] * 99
    for _ in range(50):
        world.deliver()
        world.clock.advance(60)
    assert world.dingtalk.calls == 1
    with world.db.read() as tx:
        assert "quota" in next(iter(ledger.facts_like(tx, "hold:").values()))
    world.dingtalk.failures = []
    world.clock.advance(6 * 3600)
    world.deliver()
    assert len(world.dingtalk.seen("u1")) == 3


def test_a_ban_holds_everything_back_for_as_long_as_it_was_told(world: World) -> None:
    approve(world, "K1", "K2")
    world.dingtalk.failures = [failure(FailureKind.RATE_LIMITED, retry_after=300)]
    world.deliver()
    world.clock.advance(299)
    world.deliver()
    assert world.dingtalk.calls == 1
    world.clock.advance(70)
    world.deliver()
    assert len(world.dingtalk.seen("u1")) == 2


def test_an_operators_retry_revives_the_dead(world: World) -> None:
    world.watch(*rules({"to": ["user:u1"]}))
    approve(world, "K1")
    world.dingtalk.failures = [failure(FailureKind.REFUSED)]
    world.deliver()
    dead = world.letters(outbox.DEAD)
    with world.db.write() as tx:
        assert outbox.revive(tx, [dead[0].id], world.clock.now()) == 1
        tries = outbox.attempts_of(tx, dead[0].id)
    world.deliver()
    assert len(world.dingtalk.seen("u1")) == 1
    assert [outcome for _, outcome, _ in tries] == ["started", "refused"]
    with world.db.write() as tx:
        assert outbox.revive(tx, [dead[0].id], world.clock.now()) == 0, "it was accepted"


def test_what_is_on_its_way_cannot_be_asked_for(world: World) -> None:
    approve(world, "K1")
    world.address.step()
    now = world.clock.now()
    with world.db.write() as tx:
        letters = claims.claim(tx, world.seal, now=now, lease_until=now + timedelta(hours=1), held=(), most=9)
        assert outbox.revive(tx, [letter.id for letter in letters], now) == 0


def test_urgent_content_goes_first(world: World) -> None:
    world.watch(*rules({"id": "calm", "priority": "low"}, {"id": "now", "priority": "urgent"}))
    approve(world, "K1")
    world.address.step()
    world.dispatch.step()
    first = world.letters(outbox.ACCEPTED)[0]
    assert first.urgency == 0


def test_each_group_robot_is_held_back_by_itself(world: World) -> None:
    world.watch(*rules({"to": ["group:finance"]}, {"id": "other", "to": ["group:sales"]}))
    approve(world, "K1")
    world.dingtalk.failures = [failure(FailureKind.RATE_LIMITED, retry_after=600)]
    world.deliver()
    assert len(world.dingtalk.posted) == 1
    world.clock.advance(800)
    world.deliver()
    assert sorted(name for name, _, _ in world.dingtalk.posted) == ["finance", "sales"]
    assert len({ident for _, _, ident in world.dingtalk.posted}) == 2
