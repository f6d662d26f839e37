"""A guard before a system: who is let through while it is down, from however many threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from random import Random

import pytest

from kdsync.delivery.breaker import LEAST, Rhythm
from kdsync.errors import EdgeError, FailureKind, HeldBackError
from kdsync.services.guard import Guard
from kdsync.services.outages import Outages
from kdsync.store import holds
from tests.unit.services.world import World

RHYTHM = Rhythm(opens_after=3, longest=20.0)


@pytest.fixture
def guard(world: World) -> Guard:
    return new(world)


def new(world: World, callers: int = 1, on_back: Callable[[], None] = lambda: None) -> Guard:
    """As a new process has it."""
    outages = Outages(world.notices)
    return Guard("kingdee", "kingdee", RHYTHM, world.db, outages, Random(5), callers=lambda: callers, on_back=on_back)


def trouble(kind: FailureKind = FailureKind.TRANSIENT, retry_after: float | None = None) -> EdgeError:
    return EdgeError("kingdee", kind, "cut", "the connection broke", cure="look", retry_after=retry_after)


def fail(guard: Guard, caller: str = "A", error: EdgeError | None = None) -> None:
    with pytest.raises(EdgeError), guard.turn(caller):
        raise error or trouble()


def succeed(guard: Guard, caller: str = "A") -> None:
    with guard.turn(caller) as answered:
        answered()


def held(world: World) -> list[str]:
    with world.db.read() as tx:
        return [name for name, hold in holds.every(tx).items() if hold.is_open]


def test_three_failures_in_a_row_keep_everybody_back(world: World, guard: Guard) -> None:
    for _ in range(3):
        fail(guard)
    assert held(world) == ["kingdee"]
    assert guard.waits()
    with pytest.raises(HeldBackError, match="the connection broke"), guard.turn("B"):
        pytest.fail("it was let through")


def test_a_success_in_between_begins_anew(guard: Guard) -> None:
    for _ in range(5):
        fail(guard)
        fail(guard)
        succeed(guard)
    assert not guard.is_open


def test_one_form_that_fails_alone_keeps_no_other_back(world: World) -> None:
    guard = new(world, callers=2)
    for _ in range(9):
        fail(guard, "A")
    assert not guard.is_open
    fail(guard, "B")
    assert guard.is_open


@pytest.mark.parametrize("kind", [FailureKind.CONFIGURATION, FailureKind.REFUSED, FailureKind.SESSION_LOST])
def test_what_only_an_operator_can_mend_is_no_outage(guard: Guard, kind: FailureKind) -> None:
    for _ in range(9):
        fail(guard, error=trouble(kind))
    assert not guard.is_open


def test_being_asked_to_go_slower_holds_everybody_for_as_long(world: World, guard: Guard) -> None:
    fail(guard, error=trouble(FailureKind.RATE_LIMITED, 60.0))
    world.clock.advance(59)
    assert guard.waits()
    world.clock.advance(1)
    assert not guard.waits()


def test_a_probe_that_is_refused_shows_that_it_is_there(world: World, guard: Guard) -> None:
    for _ in range(3):
        fail(guard)
    world.clock.advance(20)
    fail(guard, error=trouble(FailureKind.REFUSED))
    assert not guard.is_open


def test_a_probe_that_finds_a_wrong_configuration_does_not_end_the_outage(world: World, guard: Guard) -> None:
    for _ in range(3):
        fail(guard)
    world.clock.advance(20)
    fail(guard, error=trouble(FailureKind.CONFIGURATION))
    assert guard.is_open


def test_a_call_that_was_let_out_before_says_nothing_new(world: World, guard: Guard) -> None:
    with contextlib.suppress(EdgeError), guard.turn("A"):
        for _ in range(3):
            fail(guard, "B")
        world.clock.advance(20)
        raise trouble()
    assert guard.is_due()


def test_a_probe_that_breaks_off_is_another_ones_turn(world: World, guard: Guard) -> None:
    for _ in range(3):
        fail(guard)
    world.clock.advance(20)
    with pytest.raises(KeyError), guard.turn("A"):
        raise KeyError("a mistake of ours")
    succeed(guard)
    assert held(world) == []


def test_a_slow_probe_is_over_with_its_first_answer(world: World, guard: Guard) -> None:
    for _ in range(3):
        fail(guard)
    world.clock.advance(20)
    with guard.turn("A") as answered:
        answered()
        succeed(guard, "B")


def test_of_many_threads_one_is_let_through(world: World, guard: Guard) -> None:
    for _ in range(3):
        fail(guard)
    world.clock.advance(20)
    everybody, inside, leave = threading.Barrier(9), threading.Semaphore(0), threading.Event()
    results: list[str] = []

    def come() -> None:
        everybody.wait(10)
        try:
            with guard.turn("A"):
                results.append("in")
                inside.release()
                leave.wait(10)
                raise trouble()
        except HeldBackError:
            results.append("held")
            inside.release()
        except EdgeError:
            pass

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    everybody.wait(10)
    for _ in threads:
        inside.acquire(timeout=10)
    leave.set()
    for thread in threads:
        thread.join(10)
    assert sorted(results) == ["held"] * 7 + ["in"]


def test_a_new_process_tries_once_before_it_believes(world: World, guard: Guard) -> None:
    for _ in range(3):
        fail(guard)
    again = new(world)
    assert again.is_due()
    fail(again)
    assert again.waits()


def test_who_waits_hears_that_it_is_back_and_a_blip_wakes_nobody(world: World) -> None:
    woken: list[bool] = []
    guard = new(world, on_back=lambda: woken.append(True))
    fail(guard)
    succeed(guard)
    assert woken == []
    for _ in range(3):
        fail(guard)
    world.clock.advance(20)
    succeed(guard)
    assert woken == [True]


def test_it_is_tried_within_its_bound_for_as_long_as_it_takes(world: World, guard: Guard) -> None:
    for _ in range(3):
        fail(guard)
    for pause in pauses(world, guard):
        assert LEAST <= pause <= RHYTHM.longest


def pauses(world: World, guard: Guard) -> Iterator[float]:
    for _ in range(30):
        waited = 0.0
        while guard.waits():
            world.clock.advance(0.25)
            waited += 0.25
        yield waited
        fail(guard)
