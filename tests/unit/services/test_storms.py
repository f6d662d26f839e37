"""A look that gathers more than anybody reads: summed up or held, whatever breaks in between, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select, update

from kdsync.model import Page
from kdsync.services.guard import Guard
from kdsync.services.ports import KingdeeIdentity
from kdsync.services.settle import Settle
from kdsync.store import ledger, notifications, storms
from kdsync.store.notifications import ADDRESSED, BROKEN, GATHERED, HELD, MATCHED, SHADOW, STORM, Notification
from kdsync.store.schema import notifications as table
from tests.unit.services.world import World, rules

EVERYBODY: dict[str, Any] = {"to": ["user:u1", "user:u2"]}
OFF: dict[str, Any] = {"id": "each", "to": ["user:u3"], "storm": "off"}


class Gone(BaseException):
    """The process is no more."""


def states(world: World) -> Counter[str]:
    with world.db.read() as tx:
        return Counter(notifications.counts(tx))


def all_storms(world: World) -> list[storms.Summary]:
    with world.db.read() as tx:
        return storms.find(tx, "", 100)


def summary(world: World) -> Notification:
    (storm,) = all_storms(world)
    with world.db.read() as tx:
        found = notifications.find(tx, world.seal, storm.id)
    assert found
    return found


def approve(world: World, count: int, **values: Any) -> None:
    """So many new documents, approved between two looks."""
    for _ in range(count):
        world.kingdee.create("C", **values)
    world.poll()


@pytest.fixture
def watching(world: World) -> World:
    """A form that was looked at before."""
    world.watch(*rules(EVERYBODY))
    world.poll()
    return world


@contextmanager
def killed_before_settling(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def die(*_: Any) -> None:
        raise Gone

    with monkeypatch.context() as patched:
        patched.setattr("kdsync.services.settle.Settle.within", die)
        with pytest.raises(Gone):
            yield


def test_two_hundred_and_one_in_five_pages_are_one_message_for_each(watching: World) -> None:
    approve(watching, 201)
    watching.deliver()
    assert states(watching) == {STORM: 201, ADDRESSED: 1}
    assert [letter.target for letter in watching.letters()] == ["ops", "u1", "u2"]
    (told,) = watching.dingtalk.seen("u1")
    storm = summary(watching)
    assert "201" in told
    assert f"kdsync trace {storm.id[:10]}" in told
    assert "K100001、K100002、K100003、K100004、K100005" in told
    assert (storm.rule, storm.kind, storm.form) == ("approved", "storm", "AP_PAYBILL")


def test_two_hundred_exactly_are_told_one_by_one(watching: World) -> None:
    approve(watching, 200)
    assert states(watching) == {MATCHED: 200}


def test_two_rules_one_of_which_has_no_limit(world: World) -> None:
    world.watch(*rules(EVERYBODY, OFF))
    world.poll()
    approve(world, 201)
    assert states(world) == {STORM: 201, MATCHED: 202}
    assert all_storms(world)[0].rule == "approved"


def test_each_of_two_rules_has_its_own_storm(world: World) -> None:
    world.watch(*rules(EVERYBODY, {"id": "second", "to": ["user:u1"]}))
    world.poll()
    approve(world, 201)
    world.clock.advance(1)
    world.deliver()
    assert sorted(storm.rule for storm in all_storms(world)) == ["approved", "second"]
    assert len(world.dingtalk.seen("u1")) == 2


def test_the_summaries_of_two_looks_differ_so_that_dingtalk_drops_neither(watching: World) -> None:
    for _ in range(2):
        approve(watching, 201)
        watching.deliver()
    first, second = watching.dingtalk.seen("u1")
    assert first != second


def crash(world: World, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """A look of two pages; the process ends when both are committed and nothing is settled."""
    with killed_before_settling(monkeypatch):
        approve(world, count)
    assert states(world) == {GATHERED: count}


def test_a_crash_before_a_storm_is_settled(watching: World, monkeypatch: pytest.MonkeyPatch) -> None:
    crash(watching, monkeypatch, 201)
    watching.watch(*rules(EVERYBODY))
    watching.poll()
    watching.deliver()
    assert states(watching) == {STORM: 201, ADDRESSED: 1}
    assert len(watching.dingtalk.seen("u1")) == 1


def test_what_a_crash_left_is_settled_when_kingdee_is_down(watching: World, monkeypatch: pytest.MonkeyPatch) -> None:
    crash(watching, monkeypatch, 3)
    watching.kingdee.fail_in = 1
    watching.poll()
    assert states(watching) == {MATCHED: 3}


def test_what_a_crash_left_is_not_counted_with_the_next_look(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.watch(*rules({"storm": 5}))
    world.poll()
    crash(world, monkeypatch, 3)
    approve(world, 3)
    assert states(world) == {MATCHED: 6}


def test_a_damaged_row_among_what_a_crash_left_holds_up_nothing(
    watching: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(watching, monkeypatch, 3)
    with watching.db.write() as tx:
        tx.execute(update(table).where(table.c.number == "K100002").values(recipients='["x"'))
    watching.poll()
    watching.deliver()
    assert states(watching) == {ADDRESSED: 3, BROKEN: 1}
    assert len(watching.dingtalk.seen("u1")) == 2
    assert len(watching.dingtalk.seen("ops")) == 1


def test_what_a_crash_left_of_a_form_no_longer_watched_is_settled_by_the_usual_limit(
    watching: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(watching, monkeypatch, 201)
    watching.settle.leftovers(watching.matcher())
    watching.deliver()
    assert states(watching) == {STORM: 201, ADDRESSED: 1}


def test_a_look_that_fails_half_way_tells_what_it_found(watching: World) -> None:
    watching.kingdee.page_size = 5
    for _ in range(12):
        watching.kingdee.create("C")
    watching.kingdee.fail_in = 4  # the third page
    watching.poll()
    assert states(watching) == {MATCHED: 10}
    watching.poll()
    watching.deliver()
    assert states(watching) == {ADDRESSED: 12}
    assert len(watching.dingtalk.seen("u1")) == 12


def open_documents(world: World, count: int) -> list[int]:
    """Documents known to be open, of a rule that tells at most five steps one by one."""
    world.watch(*rules({"on": ["rejected", "approved"], "storm": 5}))
    found = [world.kingdee.create("B") for _ in range(count)]
    world.poll()
    return found


def test_what_moved_and_what_left_in_one_look_at_open_documents_is_counted_together(world: World) -> None:
    mine = open_documents(world, 8)
    for place, ident in enumerate(mine):
        world.kingdee.move(ident, "A" if place % 2 else "C")
    world.watcher.sweep()
    assert [storm.messages for storm in all_storms(world)] == [8]


@pytest.mark.parametrize("status", ["A", "C"])  # one moves, the other leaves the open documents
def test_a_step_of_one_open_document_is_one_transaction(world: World, status: str) -> None:
    (ident,) = open_documents(world, 1)
    world.watcher.sweep()
    world.kingdee.move(ident, status)
    before = world.db.writes
    world.watcher.sweep()
    assert states(world) == {MATCHED: 1}
    assert world.db.writes == before + 1


def test_a_first_look_and_a_rule_in_shadow_are_no_storms(world: World) -> None:
    world.watch(*rules({"mode": "shadow"}))
    for _ in range(201):
        world.kingdee.create("C")
    world.poll()
    approve(world, 201)
    world.deliver()
    assert states(world) == {SHADOW: 201}


def test_every_creator_learns_of_the_storm_once(world: World) -> None:
    world.watch(*rules({"to": ["creator"], "storm": 5}))
    world.poll()
    for person in (1, 2):
        world.kingdee.people[str(person)] = KingdeeIdentity(f"kd{person}", "", f"1380000000{person}", "")
        world.dingtalk.mobiles[f"1380000000{person}"] = f"u{person}"
    for person in (1, 2, 3) * 3:
        world.kingdee.create("C", FCreatorId=person)
    world.poll()
    world.deliver()
    assert sorted(letter.target for letter in world.letters()) == ["ops", "u1", "u2"]
    assert "creator" in world.dingtalk.seen("ops")[0]  # the third one is nobody


def test_a_rule_that_fails_on_each_document_is_told_once(world: World) -> None:
    world.watch(*rules({"when": "doc.FAmount > 'x'", "storm": 5}))
    world.poll()
    approve(world, 6)
    world.deliver()
    assert len(world.dingtalk.seen("ops")) == 1
    assert "approved" in world.dingtalk.seen("ops")[0]
    assert not world.dingtalk.seen("u1")


def test_a_look_that_matches_nothing_asks_nothing_of_the_store(
    watching: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: Any) -> Any:
        raise AssertionError("asked")

    for name in ("gathered", "is_clear", "forms_with_gathered"):
        monkeypatch.setattr(storms, name, asked)
    watching.poll()


def test_what_a_process_gathered_before_it_ended_is_told_while_kingdee_is_down(
    watching: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled: list[object] = []

    def settle(*looked: object) -> None:
        if settled:
            raise Gone
        settled.append(looked)

    with monkeypatch.context() as patched:
        patched.setattr(Settle, "look", settle)
        watching.kingdee.create("C")
        watching.clock.advance(10)
        with pytest.raises(Gone):
            watching.watcher.tick()
    assert states(watching)[GATHERED] == 1
    watching.watch(*rules({}))
    monkeypatch.setattr(Guard, "waits", lambda _: True)
    watching.watcher.tick()
    watching.deliver()
    assert len(watching.dingtalk.seen("u1")) == 1


def test_a_page_with_a_match_is_one_transaction(watching: World) -> None:
    watching.kingdee.create("C")
    watching.clock.advance(10)
    before = watching.db.writes
    pages = watching.kingdee.pages

    def in_one(*args: Any, **more: Any) -> Iterator[Any]:
        rows = [row for page in pages(*args, **more) for row in page.rows]
        yield replace(next(iter(pages(*args, **more))), rows=rows, last=True)

    watching.kingdee.pages = in_one  # type: ignore[method-assign]
    watching.watcher.tick()
    assert states(watching) == {MATCHED: 1}
    assert watching.db.writes == before + 1


# --- what a backup that was restored makes of documents


def strange(world: World, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """A look at documents that are older than they were."""
    add = notifications.add

    def marked(tx: Connection, seal: Any, items: Any) -> None:
        add(tx, seal, [replace(item, strange="rewound") if item.state == GATHERED else item for item in items])

    with monkeypatch.context() as patched:
        patched.setattr(notifications, "add", marked)
        approve(world, count)


def test_ten_strange_documents_are_told(watching: World, monkeypatch: pytest.MonkeyPatch) -> None:
    strange(watching, monkeypatch, 10)
    assert states(watching) == {MATCHED: 10}


def test_eleven_strange_documents_are_held_and_the_fallback_hears_of_it_once(
    watching: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange(watching, monkeypatch, 11)
    strange(watching, monkeypatch, 12)
    watching.deliver()
    assert states(watching) == {HELD: 23, ADDRESSED: 1}
    (told,) = watching.dingtalk.seen("ops")
    assert "kdsync outbox release AP_PAYBILL" in told
    with watching.db.read() as tx:
        assert storms.held_counts(tx) == {"AP_PAYBILL": 23}
        assert ledger.fact(tx, "notice:held AP_PAYBILL")


# --- afterwards


def test_the_members_of_a_storm_are_sent_after_all(world: World) -> None:
    world.watch(*rules({**EVERYBODY, "storm": 5}))
    world.poll()
    approve(world, 6)
    world.deliver()
    with world.db.write() as tx:
        assert storms.release_storm(tx, summary(world).id, world.clock.now()) == 6
        assert storms.release_storm(tx, summary(world).id, world.clock.now()) == 0
    world.deliver()
    assert len(world.dingtalk.seen("u1")) == 7
    assert [(one.messages, one.unsent) for one in all_storms(world)] == [(6, 0)]


def test_what_was_held_is_sent_after_all(watching: World, monkeypatch: pytest.MonkeyPatch) -> None:
    strange(watching, monkeypatch, 11)
    with watching.db.write() as tx:
        assert storms.release_held(tx, "ap_paybill", watching.clock.now()) == 11
    watching.deliver(100)
    assert len(watching.dingtalk.seen("u1")) == 11


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    looks=st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["ends", "fails", "dies"])), min_size=1, max_size=4),
    limit=st.integers(1, 4),
)
def test_every_message_is_told_or_summed_up_once(
    tmp_path_factory: pytest.TempPathFactory, looks: list[tuple[int, str]], limit: int
) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    written = rules({"storm": limit, "to": ["user:u1"]})
    world.watch(*written)
    world.kingdee.page_size = 2
    world.poll()
    for count, how in looks:
        for _ in range(count):
            world.kingdee.create("C")
        look(world, how)
        if how == "dies":
            world.watch(*written)
    look(world, "ends")
    world.deliver(500)
    assert_all_are_somewhere(world, sum(count for count, _ in looks))
    world.db.close()


def look(world: World, how: str) -> None:
    world.kingdee.fail_in = 3 if how == "fails" else 0
    world.clock.advance(600)
    if how != "dies":
        world.watcher.tick()
        return
    with pytest.MonkeyPatch.context() as patched, killed_before_settling(patched):
        world.watcher.tick()
        raise Gone  # nothing was left to settle


def assert_all_are_somewhere(world: World, documents: int) -> None:
    found = all_storms(world)
    ids = {storm.id for storm in found}
    with world.db.read() as tx:
        rows = tx.execute(select(table.c.id, table.c.state, table.c.storm)).all()
        members = select(table.c.storm, func.count()).where(table.c.storm.is_not(None)).group_by(table.c.storm)
        per_storm = {row[0]: int(row[1]) for row in tx.execute(members)}
    single = [row for row in rows if row.id not in ids]
    assert len(single) == documents
    assert {row.state for row in single} <= {ADDRESSED, STORM}
    assert all((row.state == STORM) == (row.storm in ids) for row in single)
    assert per_storm == {storm.id: storm.messages for storm in found}
    told = sum(row.state == ADDRESSED for row in single)
    assert len(world.dingtalk.seen("u1")) == told + len(found)


def test_a_message_does_not_wait_for_the_end_of_a_look_that_takes_minutes(
    watching: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[int] = []
    pages = watching.kingdee.pages

    def slowly(*what: Any, **how: Any) -> Iterator[Page]:
        for page in pages(*what, **how):
            yield page
            waiting.append(states(watching)[GATHERED])
            watching.clock.advance(5)

    watching.kingdee.page_size = 1
    monkeypatch.setattr(watching.kingdee, "pages", slowly)
    for _ in range(4):
        watching.kingdee.create("C")
    watching.watcher.tick()
    assert waiting == [1, 2, 0, 1, 1]
    assert states(watching)[GATHERED] == 0
