"""Whoever works on a document in whatever order, an event is ours if and only if kdsync made it happen.

Writes of kdsync begin, take effect, are answered and read back in phases; others submit, approve, send back and edit in
between, and so do looks. A model remembers who did what. Where others do what kdsync is about to do, with the same
values and before anybody heard of it, nobody could tell; all the rest is exact.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kdsync.model import Transition as T  # noqa: N817  # the model below reads better
from kdsync.store import documents, forms
from kdsync.store.writes import ACCEPTED, REFUSED, UNSENT
from tests.unit.services.test_own_writes import ALL, THEIRS, House
from tests.unit.services.world import FORM, World

MOVES = {"submit": ("ZAD", "B", T.SUBMITTED), "audit": ("B", "C", T.APPROVED), "reject": ("B", "D", T.REJECTED)}
MOVES["unaudit"] = ("C", "D", T.UNAPPROVED)
"""From which statuses a step leads where, and what that is called."""
TOGETHER = {
    "whole": ("begin", "land", "answer"),
    "again": ("unaudit", "submit", "audit"),
    "over": ("whole", "other", "glance", "edit"),
}
EXPLORE = int(os.environ.get("KDSYNC_EXPLORE", "0"))

OURS = st.tuples(st.sampled_from(["submit", "audit", "save"]), st.integers(2, 4))
ACTIONS = st.one_of(
    st.tuples(st.just("begin"), OURS),
    st.tuples(st.sampled_from(["land", "answer", "whole"]), OURS),
    st.tuples(st.sampled_from([*MOVES, "edit", "again", "over"]), OURS),
    st.tuples(st.sampled_from(["look", "glance"]), OURS),
)


@dataclass
class Mine:
    """One write of ours, as it really was."""

    row: int
    operation: str
    value: int
    landed: str = ""  # when it took effect
    showed: str = ""  # the approve date that it was read back with
    is_verified: bool = False
    is_over: bool = False  # a look at its document after it was verified did not meet it


@dataclass
class Model:
    """One document, and who did what to it since the last look."""

    house: House
    ident: int
    mine: dict[int, Mine] = field(default_factory=dict)
    under_way: Mine | None = None
    since: list[tuple[T, int]] = field(default_factory=list)  # what happened, and the row of our write (0: others)
    seen: int = 1  # the newest version that was looked at
    met: set[int] = field(default_factory=set)

    @property
    def status(self) -> str:
        return str(self.house.world.kingdee.documents[self.ident]["FDocumentStatus"])

    def do(self, name: str, operation: str, value: int) -> None:
        self.house.world.clock.advance(1)
        if name in MOVES:
            self._move(name, 0)
        elif name in ("edit", "other") and self.status != "C":
            self._edit(value + (name == "other"), 0)
        elif name == "begin":
            self._begin(operation, value)
        elif name in TOGETHER:
            for part in TOGETHER[name]:
                self.do(part, operation, value)
        elif name == "land":
            self._land()
        elif name == "answer":
            self._answer()
        elif name in ("look", "glance"):
            self.look(whole=name == "look")

    def _can(self, operation: str) -> bool:
        return self.status != "C" if operation == "save" else self.status in MOVES[operation][0]

    def _begin(self, operation: str, value: int) -> None:
        if self.under_way is None and self._can(operation):
            row = self.house.begin(self.ident, operation, fields=_saved(operation, f"{value}.00"))
            self.under_way = self.mine[row] = Mine(row, operation, value)

    def _land(self) -> None:
        """It takes effect, or somebody was faster and Kingdee refuses it."""
        write = self.under_way
        if write is None or write.landed:
            return
        if not self._can(write.operation):
            self.house.hear(write.row, REFUSED)
            self.under_way = None
            return
        if write.operation == "save":
            self._edit(write.value, write.row)
        else:
            self._move(write.operation, write.row)
        write.landed = self.house.world.kingdee.now()

    def _answer(self) -> None:
        write = self.under_way
        if write is None or not write.landed:
            return
        now = self.house.world.kingdee.documents[self.ident]
        self.house.hear(write.row, ACCEPTED)
        shows = now["FAmount"] == write.value if write.operation == "save" else self.status in "BC"
        if shows if write.operation != "audit" else self.status == "C":
            self.house.verify(self.ident, write.row, fields=_saved(write.operation, now["FAmount"]))
            write.is_verified, write.showed = True, str(now["FApproveDate"] or "")
            self.under_way = None

    def _move(self, name: str, row: int) -> None:
        before, after, kind = MOVES[name]
        if self.status in before:
            self.house.world.kingdee.move(self.ident, after)
            self.since.append((kind, row))

    def _edit(self, value: int, row: int) -> None:
        self.house.world.kingdee.edit(self.ident, FAmount=float(value))
        self.since.append((T.CHANGED, row))

    def look(self, *, whole: bool = True) -> None:
        """A whole look, or one by dates: that may show nothing of the document, and shows what somebody wrote over."""
        verified = [one for one in self.mine.values() if one.is_verified]
        if whole:
            self.house.look()
        else:
            self.house.world.poll()
        events = list(self._events())
        for kinds, ours in events:
            for kind in kinds:
                self._judge(kind, ours.get(kind))
            self.met |= set(ours.values())
        amount = self.house.world.kingdee.documents[self.ident]["FAmount"]
        edited = any(T.CHANGED in kinds for kinds, _ in events)
        for one in verified:
            one.is_over |= whole or (edited and one.operation == "save" and one.value != amount)
        if whole or events:
            self.since.clear()

    def _events(self) -> Iterator[tuple[tuple[T, ...], dict[T, int]]]:
        world = self.house.world
        with world.db.read() as tx:
            form_id = forms.load(tx, "acct", FORM).form_id
            layouts = forms.raw_layouts(tx, form_id)
            found = documents.events_of(tx, layouts, world.seal, form_id=form_id, doc_ids=[str(self.ident)])
            new = [event for event in found if event.version > self.seen]
        self.seen = max([self.seen, *(event.version for event in new)])
        for event in new:
            yield event.kinds, dict(event.ours)

    def _judge(self, kind: T, row: int | None) -> None:
        who = [by for what, by in self.since if what is kind]
        if row is None:
            assert not who or not all(by and by not in self.met for by in who), f"{kind} was ours alone: {who}"
            return
        write = self.mine[row]
        assert not write.is_over, "it explains nothing after a look"
        assert row not in self.met, "each write explains one change"
        if write.is_verified or write.landed:
            self._judge_known(kind, write, who)

    def _judge_known(self, kind: T, write: Mine, who: list[int]) -> None:
        now = self.house.world.kingdee.documents[self.ident]
        if kind is T.CHANGED:
            assert now["FAmount"] == write.value, "another value is another's"
        elif kind is T.APPROVED and write.is_verified and write.showed == write.landed:
            assert who[-1] == write.row, "who approved it last is somebody else"
        else:
            assert MOVES[write.operation][2] is kind

    def end(self) -> None:
        """Nothing is under way any more: what never took effect is nobody's excuse, and who was left out is told."""
        if self.under_way and not self.under_way.landed:
            self.house.hear(self.under_way.row, UNSENT)
        self.look()
        ours = self.house.ours(self.ident)
        assert [row for _, row in ours if not self.mine[row].landed] == []
        assert len(ours) == len(set(ours))
        everything, theirs = self.house.told(self.ident, ALL), self.house.told(self.ident, THEIRS)
        assert [kind for kind, _ in everything] == [kind for kind, _ in theirs]
        assert {state for _, state in everything} == {"matched"}
        assert sum(state == "own" for _, state in theirs) == sum(kind != "rejected" for kind, _ in ours)


def _saved(operation: str, value: Any) -> dict[str, Any]:
    return {"FAmount": value} if operation == "save" else {}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("own")
    world = World(folder)
    yield House(world)
    world.db.close()


@example(actions=[("over", ("save", 3)), ("look", ("save", 3))], status="A")
@given(actions=st.lists(ACTIONS, min_size=3, max_size=25), status=st.sampled_from("AB"))
@settings(
    max_examples=EXPLORE or 80,
    deadline=None,
    derandomize=not EXPLORE,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_an_event_is_ours_if_and_only_if_kdsync_made_it_happen(
    house: House, actions: list[tuple[str, tuple[str, int]]], status: str
) -> None:
    model = Model(house, house.world.kingdee.create(status))
    house.look()
    for name, (operation, value) in actions:
        model.do(name, operation, value)
    model.end()
    house.world.kingdee.hidden.add(model.ident)
