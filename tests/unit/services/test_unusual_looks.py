"""Noticing where Kingdee, the rules or a look are not as usual."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.services.test_watcher import CHANGED, out_of_reach, told
from tests.unit.services.world import World, rules


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
