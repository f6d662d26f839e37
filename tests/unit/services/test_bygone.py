"""Alarms of what has passed stand no more, and are told again when it comes back."""

from __future__ import annotations

import pytest

from kdsync.services.bygone import Bygone
from kdsync.services.notices import RAISED
from kdsync.settings.schema import FormSection
from kdsync.store import ledger
from tests.unit.services.world import FORM, World, rules

DAY = 86_400
ODD = {"id": "odd", "when": "doc.FNope == 1"}


def standing(world: World, *forms: str) -> list[str]:
    """What alarms stand after upkeep, in a daemon that watches some forms."""
    Bygone(world.notices, lambda: dict.fromkeys(forms, world.watcher)).step(world.clock.now())
    with world.db.read() as tx:
        return [key.removeprefix(RAISED) for key in ledger.facts_like(tx, RAISED)]


@pytest.mark.parametrize(
    ("cause", "days"),
    [("clock kingdee 2026-11-23", 1), ("quota 2026-11 80%", 8), ("quota 2026-11 100%", 8), ("pushes 2026-11", 8)],
)
def test_an_alarm_of_a_day_or_month_is_over_with_it_and_not_before(world: World, cause: str, days: int) -> None:
    world.notices.raise_(cause, "pushes")
    world.clock.advance((days - 1) * DAY + 13 * 3600)  # ten in the morning it was
    assert standing(world) == [cause]
    world.clock.advance(3600)
    assert standing(world) == []


@pytest.mark.parametrize("kind", ["form {}", "form {} sweep", "vanished {}", "field {} FNope"])
def test_alarms_of_a_form_that_no_rule_watches_any_more_are_over(world: World, kind: str) -> None:
    kept, left = kind.format(FORM), kind.format("GONE")
    for cause in (kept, left):
        world.notices.raise_(cause, "pushes")
    assert standing(world, FORM) == [kept]


def test_snapshots_that_were_damaged_are_told_again_where_they_are_again(world: World) -> None:
    for _ in range(2):
        world.notices.raise_(f"damaged {FORM} K1, K2", "damaged", form=FORM, numbers="K1, K2")
        assert standing(world, FORM) == []
        world.clock.advance(60)
    world.deliver()
    assert sum("K1, K2" in text for text in world.dingtalk.seen("ops")) == 2


def test_what_upkeep_does_not_know_stands(world: World) -> None:
    for cause in ("account", "cards", "outage work", f"held {FORM}"):
        world.notices.raise_(cause, "pushes")
    assert len(standing(world)) == 4


def test_a_field_that_is_there_again_and_is_lost_again_is_told_twice(world: World) -> None:
    def poll() -> None:
        world.poll()
        assert standing(world, FORM) == [f"field {FORM} FNope"]

    world.watch(*rules(ODD))
    world.kingdee.unknown = {"FNope"}
    for _ in range(3):
        poll()
    world.watcher.reload(world.matcher(*rules(ODD)), FormSection())
    assert standing(world, FORM), "no look by these rules has told yet"
    poll()
    poll()
    world.watcher.reload(world.matcher(*rules(ODD)), FormSection())
    world.kingdee.unknown = set()
    world.poll()
    assert standing(world, FORM) == []
    world.watcher.reload(world.matcher(*rules(ODD)), FormSection())
    world.kingdee.unknown = {"FNope"}
    poll()
    poll()
    world.clock.advance(1)
    world.deliver()
    assert sum("FNope" in text for text in world.dingtalk.seen("ops")) == 2
