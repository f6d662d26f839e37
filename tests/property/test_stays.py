"""Whatever comes between: a stay in approval is told once, to those it waits for or to those who stand in for them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.services.test_stays import STAND_IN
from tests.unit.services.test_tasks import NO_RIGHT, Desk
from tests.unit.services.world import rule

LONG = 400.0  # seconds after which even a look that waits for an operator is made again
STEPS = st.sampled_from(
    ("submit", "submit", "reject", "approve", "edit", "sweep", "sweep", "settle", "blind", "see", "restart")
)


def look(desk: Desk, times: int = 1) -> None:
    """All looks, one after the other: a submission has no date of its own."""
    for _ in range(times):
        desk.world.poll(15.0)
        desk.world.watcher.sweep()
        desk.watch.look()


@dataclass
class Office:
    """Documents that come into approval and leave it; one receiver for each stay."""

    desk: Desk
    bills: list[int]
    stays: dict[int, int] = field(default_factory=dict)  # by document
    told_before: dict[int, int] = field(default_factory=dict)  # when its stay began

    def do(self, step: str, bill: int) -> None:
        kingdee = self.desk.kingdee
        in_approval = kingdee.documents[bill]["FDocumentStatus"] == "B"
        mine = [task for task in kingdee.waiting if task.number == kingdee.documents[bill]["FBillNo"]]
        if step == "submit" and not in_approval:
            self.stays[bill] = self.stays.get(bill, 0) + 1
            self.told_before[bill] = self.told(bill)
            (task,) = kingdee.assign(bill, "100")
            kingdee.waiting[-1] = replace(task, item_id=f"i{bill}-{self.stays[bill]}")
        elif step in ("reject", "approve") and in_approval:
            kingdee.decide(*mine)
            kingdee.move(bill, "D" if step == "reject" else "C")
            look(self.desk)  # what happens between two looks may be missed
        elif step == "edit":
            kingdee.edit(bill, FAmount=self.stays.get(bill, 0) + 2)
        elif step in ("sweep", "settle"):
            look(self.desk, 1 if step == "sweep" else 4)
        elif step == "restart":
            self.desk.world.clock.advance(1)
            self.desk.use(rule(**STAND_IN))
        elif step in ("blind", "see"):
            kingdee.down = NO_RIGHT if step == "blind" else None

    def told(self, bill: int) -> int:
        number = str(self.desk.kingdee.documents[bill]["FBillNo"])
        return sum(title.startswith(f"{number} ") for title, _ in self.desk.told())


@example(steps=[("blind", 0), ("submit", 0), ("sweep", 0), ("restart", 0)], sees=False)
@given(steps=st.lists(st.tuples(STEPS, st.integers(0, 1)), max_size=30), sees=st.booleans())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_stay_is_told_once(steps: list[tuple[str, int]], sees: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        try:
            _played(desk, steps, sees)
        finally:
            desk.world.db.close()


def _played(desk: Desk, steps: list[tuple[str, int]], sees: bool) -> None:
    desk.use(rule(**STAND_IN))
    values: dict[str, Any] = {"FCreatorId": 1}
    office = Office(desk, [desk.kingdee.create("A", number, **values) for number in ("EXP1", "EXP2")])
    look(desk, 2)
    for step, which in steps:
        office.do(step, office.bills[which])
    desk.kingdee.down = None if sees else NO_RIGHT
    desk.world.clock.advance(LONG)
    look(desk, 6)
    for bill in office.bills:
        told = office.told(bill)
        assert told <= office.stays.get(bill, 0), "no stay is told twice"
        if desk.kingdee.documents[bill]["FDocumentStatus"] == "B":
            assert told > office.told_before[bill], "whoever waits is heard of"
