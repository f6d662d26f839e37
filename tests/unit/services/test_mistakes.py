"""What trips over a mistake of ours, or over a damaged row of the store, stops neither the others nor goes unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from kdsync.delivery.render import render
from kdsync.errors import FailureKind, StoreError, StoreUnusableError
from kdsync.model import Page
from kdsync.services import match
from kdsync.services.dispatch import MOST_MISTAKES
from kdsync.services.people import Resolution
from kdsync.services.ports import KingdeeIdentity
from kdsync.settings.schema import FormSection
from kdsync.store import ledger, outbox
from kdsync.store.schema import documents, notifications
from kdsync.store.schema import outbox as letters
from kdsync.store.sealing import MARK, Seal
from tests.unit.services.world import FORM, World, rule, rules

NONSENSE = [b"", b"{", b"\x00\xff", b"[1,", b"[]", b"[1],[2]", b'"text"', b"{}", MARK + b"x" * 40, MARK, b"[" * 2000]


def approve(world: World, *numbers: str) -> None:
    """Documents that are approved after the first look."""
    for number in numbers:
        world.kingdee.create("C", number)
    world.poll()
    world.clock.advance(1)


def damage(world: World, table: Any, column: str, value: object, **where: str) -> None:
    with world.db.write() as tx:
        mine = [getattr(table.c, key) == wanted for key, wanted in where.items()]
        assert tx.execute(update(table).where(*mine).values({column: value})).rowcount


def stored(world: World, column: Any) -> list[Any]:
    with world.db.read() as tx:
        return list(tx.execute(select(column)).scalars())


def patiently(world: World, hours: float = 2.0) -> None:
    for _ in range(int(hours * 60)):
        world.clock.advance(60)
        world.deliver()


def poison(world: World, monkeypatch: pytest.MonkeyPatch, word: str) -> list[bytes]:
    """Letters with that word in them make the sending code stumble; returns what else is sent."""
    sent, send = list[bytes](), world.dingtalk.send_work

    def stumble(userids: Sequence[str], message: bytes) -> str:
        if word.encode() in message and b"approved" in message and "ops" not in userids:
            raise ValueError("an id of a recipient is empty or holds a comma")
        sent.append(message)
        return send(userids, message)

    monkeypatch.setattr(world.dingtalk, "send_work", stumble)
    return sent


def test_a_letter_that_cannot_be_sent_for_a_mistake_of_ours_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.poll()
    poison(world, monkeypatch, "K1")
    approve(world, "K1", "K2")
    world.deliver()
    assert [message for message in world.dingtalk.seen("u1") if "K2" in message]


def test_such_a_letter_is_dead_after_some_tries_and_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.poll()
    poison(world, monkeypatch, "K1")
    approve(world, "K1")
    world.deliver()
    assert {letter.state for letter in world.letters()} == {outbox.WAITING}
    patiently(world)
    dead = world.letters(outbox.DEAD)
    assert {letter.target for letter in dead} == {"u1", "u2"}
    assert all(MOST_MISTAKES <= letter.attempts <= MOST_MISTAKES + 1 for letter in dead)
    assert sum("K1" in message for message in world.dingtalk.seen("ops")) == 2


@pytest.mark.parametrize("nonsense", [MARK + b"x" * 40, MARK])
def test_a_letter_whose_content_is_damaged_is_dead_and_told_and_the_others_go_out(
    world: World, nonsense: bytes
) -> None:
    world.poll()
    approve(world, "K1", "K2")
    world.address.step()
    first = next(letter for letter in world.letters() if letter.target == "u1" and b"K1" in letter.content)
    damage(world, letters, "content", nonsense, id=first.id)
    world.deliver()
    assert [letter.id for letter in world.letters(outbox.DEAD)] == [first.id]
    assert len(world.dingtalk.seen("u1")) == 1
    assert len(world.dingtalk.seen("u2")) == 2
    assert sum("K1" in message for message in world.dingtalk.seen("ops")) == 1


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("column", ["contents", "recipients"])
def test_a_damaged_notification_is_told_and_the_others_are_addressed(
    world: World, column: str, nonsense: bytes
) -> None:
    world.poll()
    approve(world, "K1", "K2")
    value = nonsense.decode("latin-1") if column == "recipients" else nonsense
    damage(world, notifications, column, value, number="K1")
    world.deliver()
    assert len(world.dingtalk.seen("u1")) == 1
    assert sorted(stored(world, notifications.c.state))[:2] == ["addressed", "addressed"]
    told = world.dingtalk.seen("ops")
    assert len(told) == 1
    assert "K1" in told[0]


def test_a_notification_that_cannot_be_addressed_for_a_mistake_of_ours_is_told_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = world.people.resolve

    def stumble(recipient: Any, raw: str = "", lookup: str = "") -> Resolution:
        if recipient.value == "u1":
            raise KeyError(recipient.value)
        return resolve(recipient, raw, lookup)

    monkeypatch.setattr(type(world.people), "resolve", lambda _self, *args: stumble(*args))
    other = {"id": "other", "when": "doc.FBillNo == 'K2'", "to": ["user:u2"]}
    world.watch(*rules({"when": "doc.FBillNo == 'K1'", "to": ["user:u1"]}, other))
    world.poll()
    approve(world, "K1", "K2")
    world.deliver()
    assert len(world.dingtalk.seen("u2")) == 1
    assert world.dingtalk.seen("ops") == []
    patiently(world)
    assert world.dingtalk.seen("u1") == []
    assert len(world.dingtalk.seen("ops")) == 1


def test_a_rule_that_stumbles_keeps_no_other_from_its_turn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(asked: Any, *args: Any, **options: Any) -> Any:
        if asked.id == "bad":
            raise IndexError("a mistake of ours")
        return render(asked, *args, **options)

    monkeypatch.setattr(match, "render", stumble)
    world.watch(*rules({"id": "bad", "to": ["user:u1"]}, {"id": "good", "to": ["user:u2"]}))
    world.poll()
    approve(world, "K1")
    world.deliver()
    assert len(world.dingtalk.seen("u2")) == 1
    assert ["bad" in message for message in world.dingtalk.seen("ops")] == [True]


def test_a_look_that_stumbles_is_told_and_comes_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.poll()
    monkeypatch.setattr(world.kingdee, "pages", lambda *_, **__: dict[int, int]()[0])
    for _ in range(5):
        with pytest.raises(KeyError):
            world.watcher.tick()
        world.clock.advance(400)
    world.deliver()
    assert sum("KeyError" in message for message in world.dingtalk.seen("ops")) == 1
    assert world.watcher.condition.given_up
    monkeypatch.undo()
    approve(world, "K1")
    world.deliver()
    assert len(world.dingtalk.seen("u1")) == 1
    assert len(world.dingtalk.seen("ops")) == 2


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("look", ["tick", "sweep", "reconcile"])
def test_a_damaged_snapshot_is_read_anew_and_told_and_nobody_else_hears_of_it(
    world: World, nonsense: bytes, look: str
) -> None:
    world.kingdee.create("B", "K1", FCancelStatus="B")
    world.kingdee.create("B", "K2")
    world.watch(rule(on=["approved", "voided", "created", "submitted", {"changed": ["FAmount"]}]))
    world.poll()
    damage(world, documents, "row", nonsense, number="K1")
    world.clock.advance(10)
    getattr(world.watcher, look)()
    world.deliver()
    assert world.letters() == [] or {letter.target for letter in world.letters()} == {"ops"}
    assert len(world.dingtalk.seen("ops")) == 1
    assert "K1" in world.dingtalk.seen("ops")[0]
    world.kingdee.move(100_001, "C")
    world.poll()
    world.clock.advance(1)
    world.deliver()
    assert len(world.dingtalk.seen("u1")) == 1
    assert len(world.dingtalk.seen("ops")) == 1


def test_a_document_whose_snapshot_is_damaged_may_be_deleted(world: World) -> None:
    for number in range(30):
        world.kingdee.create("C", f"K{number}")
    world.watch(rule(on=["deleted"]))
    world.poll()
    damage(world, documents, "row", b"{", number="K3")
    world.kingdee.hidden.add(100_004)
    world.clock.advance(10)
    world.watcher.reconcile()
    world.deliver()
    assert len(world.dingtalk.seen("u1")) == 1
    world.watcher.reconcile()
    world.deliver()
    assert len(world.dingtalk.seen("u1")) == 1


@pytest.mark.parametrize(
    ("first", "then", "fits"),
    [
        (None, None, True),
        ("a", "a", True),
        (None, "a", True),
        ("a", "b", False),
        ("a", None, False),
    ],
)
def test_the_key_of_the_store_is_proved_before_anything_looks_damaged(
    world: World, first: str | None, then: str | None, fits: bool
) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)

    def prove(key: str | None) -> Callable[[], None]:
        def run() -> None:
            with world.db.write() as tx:
                ledger.prove_key(tx, Seal(key), now)

        return run

    prove(first)()
    if fits:
        prove(then)()
        prove(then)()
        return
    with pytest.raises(StoreError, match=r"store\.key"):
        prove(then)()
    prove(first)()


def test_a_mistake_is_an_unknown_outcome_until_it_is_given_up() -> None:
    from kdsync.services.dispatch import own_mistake

    kinds = [own_mistake(ValueError("x"), tries).kind for tries in range(1, MOST_MISTAKES + 1)]
    assert set(kinds[:-1]) == {FailureKind.UNKNOWN_OUTCOME}
    assert kinds[-1] is FailureKind.REFUSED
    assert FORM not in str(own_mistake(ValueError(FORM), 1))


def garble(world: World, monkeypatch: pytest.MonkeyPatch, *idents: int, once: bool = False) -> None:
    """Kingdee answers for these documents with rows that are none; `once`: not where it is asked for them by id."""
    pages, by_ids = world.kingdee.pages, world.kingdee.by_ids

    def spoiled(found: Iterator[Page]) -> Iterator[Page]:
        for page in found:
            good = [row for row in page.rows if row[0] not in idents]
            bad = tuple(str(row[0]) for row in page.rows if row[0] in idents)
            yield replace(page, rows=good, unreadable=bad)

    monkeypatch.setattr(world.kingdee, "pages", lambda *args, **options: spoiled(pages(*args, **options)))
    if not once:
        monkeypatch.setattr(world.kingdee, "by_ids", lambda *args: spoiled(by_ids(*args)))


def test_a_row_that_cannot_be_read_hides_no_other_and_is_no_deletion(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.watch(rule(on=["approved", "deleted"]))
    for _ in range(20):
        world.kingdee.create("B")
    world.poll()
    garble(world, monkeypatch, 100_003)
    world.kingdee.move(100_003, "C")
    world.kingdee.move(100_004, "C")
    for look in (world.watcher.tick, world.watcher.sweep, world.watcher.reconcile, world.watcher.reconcile):
        world.clock.advance(10)
        look()
        world.deliver()
    assert ["K100004" in message for message in world.dingtalk.seen("u1")] == [True]
    told = world.dingtalk.seen("ops")
    assert len(told) == 1
    assert "100003" in told[0]
    monkeypatch.undo()
    for look in (world.watcher.sweep, world.watcher.reconcile):
        world.clock.advance(10)
        look()
        world.deliver()
    assert ["K100003" in message for message in world.dingtalk.seen("u1")] == [False, True]
    world.kingdee.hidden.add(100_005)
    world.clock.advance(10)
    world.watcher.reconcile()
    world.deliver()
    assert "K100005" in world.dingtalk.seen("u1")[-1]


def test_a_row_that_could_not_be_read_once_does_not_make_its_page_a_short_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.watch(rule())
    for _ in range(5):
        world.kingdee.create("B")
    world.poll()
    garble(world, monkeypatch, 100_003, once=True)
    world.clock.advance(10)
    world.watcher.reconcile()
    world.deliver()
    (told,) = world.dingtalk.seen("ops")
    assert "100003" in told


def test_a_store_that_cannot_be_read_for_a_moment_is_no_mistake_of_a_rule(world: World) -> None:
    trouble: list[Exception] = [StoreUnusableError("the disk fails")]

    def waiting_for(_form: str, _number: str) -> list[str]:
        if trouble:
            raise trouble.pop()
        return ["7"]

    world.configure(users={"zhangsan": "u7"})
    world.kingdee.people["7"] = KingdeeIdentity("zhangsan")
    world.watch(rule(to=["assignee"]))
    world.watcher.reload(replace(world.watcher.matcher, waiting_for=waiting_for), FormSection())
    world.poll()
    with pytest.raises(StoreUnusableError):
        approve(world, "K1")
    world.poll()
    world.clock.advance(1)
    world.deliver()
    assert [letter.target for letter in world.letters(outbox.ACCEPTED)] == ["u7"]


def test_a_store_that_cannot_be_read_for_a_moment_is_no_mistake_of_a_letter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_users: Sequence[str], _message: bytes) -> str:
        raise StoreUnusableError("the disk fails")

    world.poll()
    approve(world, "K1")
    with monkeypatch.context() as patched:
        patched.setattr(world.dingtalk, "send_work", fail)
        for _ in range(MOST_MISTAKES + 1):
            with pytest.raises(StoreUnusableError):
                world.deliver()
            world.clock.advance(61)
    world.deliver()
    assert {letter.state for letter in world.letters()} == {outbox.ACCEPTED}
