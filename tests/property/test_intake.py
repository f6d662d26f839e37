"""An approval, between a Kingdee that loses answers and a process that ends anywhere: one document, and each file once.

Whatever an operator or a reload does in between, nothing of a stranger's is touched, no comment is repeated, and in the
end the document is there or somebody was told why not. `KDSYNC_EXPLORE=N` tries N new examples.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kdsync.errors import EdgeError, FailureKind
from kdsync.services.cabinet import Made
from kdsync.services.desk import Bill, Ruling
from kdsync.store import inbox, intake
from tests.property.trouble import Crash, Fate, empty_store
from tests.unit.services.cabinet import FakeCabinet, Registry, compiled
from tests.unit.services.desk import trouble
from tests.unit.services.world import World

EXPLORE = int(os.environ.get("KDSYNC_EXPLORE", "0"))  # how many examples to look for anew
HUNT = "KDSYNC_HUNT" in os.environ  # no time is spent on a shorter example
EXAMPLES = 12
STRANGER = ("AP_Payable", "D1")  # what is made first in the other form has the same id
UNDER_WAY = timedelta(seconds=9)  # so much later takes effect what is late
INTAKES: list[dict[str, Any]] = [{}, {"key": {"field": "F_KD"}}, {"as": "draft"}, {"as": "save"}]
CHANGES: list[dict[str, Any]] = [{"attachments": ["合同", "发票"]}, {"form": "AP_Payable"}, {"key": {"field": "F_NEW"}}]
FAULTS = st.sampled_from(
    [
        *(("making", fault) for fault in ("lost", "cut", "late", "late", "refused")),
        *(("hanging", fault) for fault in ("lost", "cut", "late", "late", "refused", "locked")),
        *(("faults", fault) for fault in ("lost", "cut", "refused", "locked")),
    ]
)
CRASH = st.sampled_from([None, None, None, *range(1, 30)])
SECONDS = st.sampled_from([1.0, 1.0, 5.0, 11.0, 60.0, 400.0])
WORDS = [FailureKind.TRANSIENT, FailureKind.UNKNOWN_OUTCOME, FailureKind.REFUSED]


class Cabinet(FakeCabinet):
    """A Kingdee whose answers may be lost, and which may do what it was asked for a while after that."""

    def __init__(self, fate: Fate, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.fate, self.now = fate, now
        self.late: list[tuple[datetime, Callable[[], object]]] = []
        self.hung: list[tuple[str, str, str]] = []

    def find(self, *args: Any, **kwargs: Any) -> list[Bill]:
        self._called()
        return super().find(*args, **kwargs)

    def read(self, *args: Any, **kwargs: Any) -> Bill | None:
        self._called()
        return super().read(*args, **kwargs)

    def make(self, form: str, key: str | None, value: str, model: Mapping[str, Any], *, draft: bool) -> Made:
        self._called()
        if self.making[:1] == ["late"]:
            del self.making[0]
            self._later(lambda: super(Cabinet, self).make(form, key, value, model, draft=draft))
        made = super().make(form, key, value, model, draft=draft)
        self.fate.point()
        return made

    def attached(self, form: str, doc_id: str) -> frozenset[str]:
        self._called()
        return frozenset(name for *of, name in self.hung if of == [form, doc_id])

    def attach(self, form: str, doc_id: str, number: str, name: str, content: bytes) -> None:
        del number, content
        self._called()
        fault = self.hanging.pop(0) if self.hanging else ""
        if fault == "refused":
            raise EdgeError("kingdee", FailureKind.REFUSED, "x", "no", words="文件类型不允许")
        if fault == "late":
            self._later(lambda: self.hung.append((form, doc_id, name)))
        if fault in ("", "lost"):
            self.hung.append((form, doc_id, name))
        if fault:
            raise trouble(FailureKind.TRANSIENT if fault == "locked" else FailureKind.UNKNOWN_OUTCOME)
        self.fate.point()

    def write(self, *args: Any, **kwargs: Any) -> Ruling:
        self._called()
        ruling = super().write(*args, **kwargs)
        self.fate.point()
        return ruling

    def _later(self, do: Callable[[], object]) -> None:
        self.late.append((self.now() + UNDER_WAY, do))
        raise trouble(FailureKind.UNKNOWN_OUTCOME)

    def _called(self) -> None:
        self.fate.point()
        due = [one for one in self.late if one[0] <= self.now()]
        self.late = [one for one in self.late if one not in due]
        for _, do in due:
            do()


class Intakes(RuleBasedStateMachine):
    """One approval, and everything that may come between it and its document."""

    @initialize(how=st.sampled_from(INTAKES), files=st.sampled_from([0, 1, 2, 2]))
    def begin(self, how: dict[str, Any], files: int) -> None:
        self.fate, self.how, self.retries, self.is_changed = Fate(), how, 0, False
        self.world = World(Path("/"), db=empty_store("intake"))
        self.fate.watch(self.world.db)
        self.cabinet = Cabinet(self.fate, self.world.clock.now)
        self.cabinet.create(STRANGER[1], "stranger", "A", STRANGER[0])
        self.registry = Registry(self.world, self.cabinet)
        self.registry.intakes = [compiled(**how)]
        self.registry.missed.step()
        self.files = ["a.pdf", "b.pdf"][:files]
        self.registry.approval(files=self.files, contract=["c.pdf"])
        self.registry.event()

    @rule(pushed=st.booleans(), crash=CRASH)
    def hear(self, pushed: bool, crash: int | None) -> None:
        """It is pushed again, or looked for."""
        self._live(crash, self.registry.event if pushed else self.registry.missed.step)

    @rule(seconds=SECONDS, crash=CRASH)
    def wait(self, seconds: float, crash: int | None) -> None:
        self._live(crash, lambda: self.registry.wait(seconds))

    @rule(seconds=SECONDS, crash=CRASH)
    def retry(self, seconds: float, crash: int | None) -> None:
        """An operator has it tried again, whether that makes sense or not."""
        self.world.clock.advance(seconds)
        with self.world.db.write() as tx:
            item = inbox.find(tx, self.world.seal, intake.row_id("A1"))
            if item and item.state in intake.RETRIABLE:
                intake.retry(tx, self.world.seal, item, self.world.clock.now())
                self.retries += 1
        self._live(crash, self.registry.intake.step)

    @rule(fault=FAULTS, looks=st.sampled_from([0, 0, 0, 4]), word=st.sampled_from([None, *WORDS]))
    def trouble(self, fault: tuple[str, str], looks: int, word: FailureKind | None) -> None:
        getattr(self.cabinet, fault[0]).append(fault[1])
        self.cabinet.hidden = looks
        self.registry.approvals.faults += [word] if word else []

    @rule(change=st.sampled_from(CHANGES))
    def reload(self, change: dict[str, Any]) -> None:
        self.registry.intakes = [compiled(**{**self.how, **change})]
        self.is_changed |= "attachments" not in change

    @invariant()
    def nothing_is_done_twice(self) -> None:
        made = [one for one in self.cabinet.bills if one != STRANGER]
        assert len(made) <= 1, made
        assert len(self.cabinet.hung) == len(set(self.cabinet.hung))
        assert {(form, doc_id) for form, doc_id, _ in self.cabinet.hung} <= set(made)
        assert self.cabinet.status(STRANGER[1], STRANGER[0]) == "A"
        assert len(self.registry.approvals.comments) <= self.retries + 1

    def teardown(self) -> None:
        """Everything is well again, and an operator has it tried again in the end."""
        if not hasattr(self, "registry"):
            return
        self.cabinet.making, self.cabinet.hanging, self.cabinet.faults = [], [], []
        self.cabinet.hidden, self.registry.approvals.faults = 0, []
        self._live(None, self.registry.event)
        if self.registry.settle().state != inbox.DONE:
            self.retry(700.0, None)
        row = self.registry.settle()
        self.nothing_is_done_twice()
        if row.state == inbox.DONE:
            assert {name for *_, name in self.cabinet.hung} >= set(self.files)
            return
        assert self.is_changed, row.reason
        assert row.reason.startswith("it is in Kingdee, or may be, as the intake was before"), row.reason

    def _live(self, crash: int | None, step: Callable[[], object]) -> None:
        self.fate.draw(crash)
        try:
            step()
        except Crash:
            self.registry.restart()
        finally:
            self.fate.draw(None)


TestIntakes = Intakes.TestCase
TestIntakes.settings = settings(
    max_examples=EXPLORE or EXAMPLES,
    stateful_step_count=20,
    deadline=None,
    derandomize=not EXPLORE,
    phases=[Phase.generate] if HUNT else [Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
