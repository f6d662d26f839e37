"""Noticing where Kingdee, the rules or a look are not as usual."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from kdsync.errors import EdgeError, FailureKind
from kdsync.model import Layout, Page
from kdsync.settings.schema import FormSection
from tests.unit.services.test_guards import notices
from tests.unit.services.test_watcher import CHANGED, out_of_reach, told
from tests.unit.services.world import World, rules

WRONG = EdgeError("kingdee", FailureKind.CONFIGURATION, "4", "GetRealExpress error", cure="mend the filter")
SLOW = EdgeError("kingdee", FailureKind.TRANSIENT, "timeout", "no answer in time", cure="wait")


def test_a_document_whose_status_was_never_set_is_open(world: World) -> None:
    world.watch(*rules(CHANGED))
    ident = world.kingdee.create(number="BLANK", FDocumentStatus=" ")
    out_of_reach(world)
    world.kingdee.write_back(ident, FAmount=2)
    world.watcher.sweep()
    assert told(world) == [("amount", "BLANK")]


@pytest.mark.parametrize("status", [None, "E"])
def test_a_status_that_is_none_of_kingdees_does_not_cost_a_request_at_every_sweep(world: World, status: Any) -> None:
    world.kingdee.create(number="ODD", FDocumentStatus=status)
    world.poll()
    world.watcher.sweep()
    world.kingdee.fail_in = 2  # the look itself asks once
    world.watcher.sweep()
    assert told(world) == []
    assert world.watcher.condition.error == ""


def let_fail(world: World, error: EdgeError, which: Callable[[Layout, str], bool]) -> list[float]:
    """Some queries fail from now on; when they were made."""
    pages, asked = world.kingdee.pages, list[float]()

    def failing(layout: Layout, where: str, **how: Any) -> Iterator[Page]:
        if not which(layout, where):
            return pages(layout, where, **how)
        asked.append(world.clock.monotonic())
        raise error

    world.kingdee.pages = failing  # type: ignore[method-assign]
    return asked


def at_all_keys(layout: Layout, where: str) -> bool:
    return not where and "FBillNo" not in layout.heads


def go_on(world: World, seconds: int) -> None:
    """As the daemon does; looks by dates go well all the time."""
    for second in range(0, seconds, 5):
        world.clock.advance(5)
        for every, look in ((10, world.watcher.tick), (15, world.watcher.sweep)):
            if second % every == 0:
                look()


def test_open_documents_that_can_never_be_looked_at_are_told_once_although_dates_can(world: World) -> None:
    world.watch(*rules({}), section=FormSection(open="FNope='1'"))
    asked = let_fail(world, WRONG, lambda _layout, where: "FNope" in where)
    go_on(world, 3_000)
    assert notices(world) == ["sweep_failed"]
    assert len(asked) < 25
    assert "GetRealExpress" in world.watcher.condition.error
    world.kingdee.create("C", "ON")
    world.poll()
    assert ("approved", "ON") in told(world)
    world.watch(*rules({}))
    go_on(world, 30)
    assert notices(world) == ["sweep_failed", "sweep_back"]
    assert world.watcher.condition.error == ""


@pytest.mark.parametrize(
    ("error", "within", "kind"), [(SLOW, 3_000, "reconcile_failed"), (WRONG, 600, "reconcile_failed")]
)
def test_keys_that_can_never_be_looked_at_are_told_and_asked_for_less_and_less(
    world: World, error: EdgeError, within: int, kind: str
) -> None:
    world.poll()
    asked = let_fail(world, error, at_all_keys)
    world.watcher.reconcile()
    go_on(world, within)
    assert notices(world) == [kind]
    assert len(asked) <= 7


def test_a_form_that_can_never_be_looked_at_is_told_once_and_not_for_each_look(world: World) -> None:
    world.poll()
    let_fail(world, WRONG, lambda _layout, _where: True)
    world.watcher.reconcile()
    go_on(world, 2_000)
    assert notices(world) == ["form_failed"]


def test_a_first_look_that_always_fails_is_told_although_sweeps_have_nothing_to_do(world: World) -> None:
    let_fail(world, WRONG, lambda _layout, _where: True)
    go_on(world, 200)
    assert notices(world) == ["form_failed"]
    assert world.watcher.condition.given_up
    assert world.watcher.condition.last_ok is None


def test_one_form_that_keeps_timing_out_is_told_in_the_end(world: World) -> None:
    """Others answer, so that Kingdee is not down."""
    world.guard._callers = lambda: 2
    let_fail(world, SLOW, lambda _layout, _where: True)
    go_on(world, 200)
    assert notices(world) == []
    go_on(world, 400)
    assert notices(world) == ["form_failed"]


def leave_out(world: World, ident: int, name: str) -> None:
    """A row cannot be read from now on."""
    pages, by_ids = world.kingdee.pages, world.kingdee.by_ids

    def without(found: Iterator[Page]) -> Iterator[Page]:
        for page in found:
            rows = [row for row in page.rows if row[0] != ident]
            yield replace(page, rows=rows, unreadable=(name,) if len(rows) < len(page.rows) else ())

    world.kingdee.pages = lambda *args, **how: without(pages(*args, **how))  # type: ignore[method-assign]
    world.kingdee.by_ids = lambda *args, **how: without(by_ids(*args, **how))  # type: ignore[method-assign]


@pytest.mark.parametrize(("name", "found"), [("100001", [("deleted", "GONE")]), ("", [])])
def test_a_row_that_cannot_be_read_hides_no_deletion_as_long_as_its_key_can(
    world: World, name: str, found: list[tuple[str, str]]
) -> None:
    world.watch(*rules({"id": "deleted", "on": ["deleted"]}))
    odd, gone, _ = (world.kingdee.create("C", number) for number in ("ODD", "GONE", "STAYS"))
    out_of_reach(world)
    leave_out(world, odd, name)
    world.kingdee.hidden.add(gone)
    world.watcher.reconcile()
    assert [one for one in told(world) if one[0] == "deleted"] == found
    assert notices(world) == ["unreadable"]


def test_an_alarm_is_not_over_because_a_row_cannot_be_read(world: World) -> None:
    idents = [world.kingdee.create("C") for _ in range(40)]
    out_of_reach(world)
    world.kingdee.hidden = {*idents[5:25]}
    world.watcher.reconcile()
    leave_out(world, idents[0], "")
    world.watcher.reconcile()
    assert notices(world) == ["vanished", "unreadable"]


def test_a_look_at_all_keys_that_fell_due_and_failed_once_is_made_up_for(world: World) -> None:
    world.watch(*rules({"id": "deleted", "on": ["deleted"]}))
    world.kingdee.create("C", "HERE")
    ident = world.kingdee.create("C", "GONE")
    out_of_reach(world)
    world.kingdee.hidden.add(ident)
    world.kingdee.fail_in = 1
    world.watcher.reconcile()
    go_on(world, 100)
    assert told(world) == [("deleted", "GONE")]


def test_what_open_documents_showed_is_made_known_also_where_all_keys_are_looked_at_next(world: World) -> None:
    world.watch(*rules({"id": "submitted", "on": ["submitted"]}))
    moved, gone, _ = (world.kingdee.create("A", number) for number in ("MOVED", "GONE", "STAYS"))
    out_of_reach(world)
    heard = list[int]()
    world.watcher.on_told = lambda: heard.append(1)
    world.kingdee.move(moved, "B")
    world.kingdee.hidden.add(gone)
    world.watcher.sweep()
    assert told(world) == [("submitted", "LATER"), ("submitted", "MOVED")]
    assert heard == [1]
    assert world.meter.counters["events"] == 3  # LATER, MOVED and GONE


def test_an_open_document_deleted_in_the_first_look_is_missed_by_the_next_sweep(world: World) -> None:
    world.watch(*rules({"id": "deleted", "on": ["deleted"]}))
    world.kingdee.create("A", "STAYS")
    ident, pages = world.kingdee.create("A", "GONE"), world.kingdee.pages

    def then_deleted(layout: Layout, where: str, **how: Any) -> Iterator[Page]:
        yield from pages(layout, where, **how)
        world.kingdee.hidden.add(ident)

    world.kingdee.pages = then_deleted  # type: ignore[method-assign]
    world.poll()
    world.watcher.sweep()
    assert told(world) == [("deleted", "GONE")]
