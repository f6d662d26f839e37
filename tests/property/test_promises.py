"""Never missed, never twice, never silent, never unasked: a machine that tries to break the promises.

It works in a Kingdee of plain Python, lets kdsync look, send, fail and crash between any two commits, and after every
complete look compares what kdsync believes with what is there, and what people saw with what happened.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from kdsync.services.dispatch import Dispatch
from kdsync.store import forms, outbox
from kdsync.store.database import Database
from kdsync.store.schema import documents, events, notifications
from kdsync.store.schema import outbox as letters
from kdsync.sync import cursor as cursors
from tests.unit.services.world import ZONE, World, rules

RULES: list[dict[str, Any]] = [
    {"id": "approved", "on": ["approved"], "to": ["user:u1", "user:u2"]},
    {"id": "sent", "on": ["submitted", "rejected"], "to": ["user:u1"]},
    {"id": "amount", "on": [{"changed": ["FAmount"]}], "to": ["user:u2"]},
    {"id": "gone", "on": ["deleted", "voided"], "to": ["user:u1"]},
]
LISTENS = {
    "approved": {"approved": ["u1", "u2"]},
    "submitted": {"sent": ["u1"]},
    "rejected": {"sent": ["u1"]},
    "changed": {"amount": ["u2"]},
    "deleted": {"gone": ["u1"]},
    "voided": {"gone": ["u1"]},
}
NEXT = {"A": "B", "B": "C", "C": "D", "D": "B"}
CRASHES = st.sampled_from([None, None, 1, 2, 3, 4])  # before which commit the process ends
EXPLORE = int(os.environ.get("KDSYNC_EXPLORE", "0"))  # how many examples to look for anew


class Crash(BaseException):
    """The process is gone."""


class Promises(RuleBasedStateMachine):
    """Documents, looks, messages and failures in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.world = World(self.folder)
        self.world.watch(*rules(*RULES))
        self.world.kingdee.page_size = 2
        self.baseline: set[str] = set()

    def teardown(self) -> None:
        """Whatever happened, in the end everything is known and told."""
        try:
            self.look_at_everything_and_send_everything()
        finally:
            self.world.db.close()
            shutil.rmtree(self.folder)

    # --- what people do in Kingdee

    @initialize(statuses=st.lists(st.sampled_from("ABCD"), max_size=4))
    def begin(self, statuses: list[str]) -> None:
        for status in statuses:
            self.world.kingdee.create(status)
        self.world.poll()
        self.baseline = {str(ident) for ident in self.world.kingdee.documents}

    @rule(status=st.sampled_from("ABC"), amount=st.integers(1, 5))
    def create(self, status: str, amount: int) -> None:
        self.world.clock.advance(1)
        self.world.kingdee.create(status, FAmount=float(amount))

    @rule(data=st.data())
    def move_on(self, data: st.DataObject) -> None:
        ident = self._some(data)
        if ident:
            self.world.clock.advance(1)
            self.world.kingdee.move(ident, NEXT[self.world.kingdee.documents[ident]["FDocumentStatus"]])

    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        ident = self._some(data)
        if ident and self.world.kingdee.documents[ident]["FDocumentStatus"] == "B":
            self.world.kingdee.move(ident, data.draw(st.sampled_from("AD")))

    @rule(data=st.data(), amount=st.sampled_from([1, 1.0, "1.00", 2, 3]))
    def edit(self, data: st.DataObject, amount: Any) -> None:
        ident = self._some(data)
        if ident:
            self.world.clock.advance(1)
            self.world.kingdee.edit(ident, FAmount=amount)

    @rule(data=st.data(), amount=st.integers(1, 3))
    def write_back(self, data: st.DataObject, amount: int) -> None:
        """No date moves; only an open document's is promised to be noticed."""
        ident = self._some(data)
        if ident and self.world.kingdee.documents[ident]["FDocumentStatus"] != "C":
            self.world.kingdee.write_back(ident, FAmount=amount)

    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        ident = self._some(data)
        if ident:
            self.world.kingdee.edit(ident, FCancelStatus="B")

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        ident = self._some(data)
        if ident and len(self.world.kingdee.documents) > 1:
            self.world.kingdee.hidden.add(ident)

    @rule(seconds=st.sampled_from([1, 30, 600, 100_000]))
    def let_time_pass(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @rule(data=st.data())
    def date_in_the_future(self, data: st.DataObject) -> None:
        ident = self._some(data)
        if ident:
            self.world.kingdee.write_back(ident, FModifyDate="2099-01-01T00:00:00")

    # --- what kdsync does

    @rule(fail=st.sampled_from([None, None, 1, 2, 3]), crash=CRASHES)
    def look(self, fail: int | None, crash: int | None) -> None:
        """One round of looks; something may break in the middle."""
        with self._trouble(fail, crash):
            self.world.clock.advance(1)
            self.world.watcher.condition.pause_until = 0.0
            self.world.watcher.tick()
            self.world.watcher.sweep()

    @rule(
        outcomes=st.lists(st.sampled_from(["ok", "lost", "transient", "slow down", "refused"]), max_size=4),
        crash=CRASHES,
    )
    def send(self, outcomes: list[str], crash: int | None) -> None:
        self.world.dingtalk.outcomes = [*outcomes]
        with self._trouble(None, crash):
            self.world.clock.advance(1)
            self.world.deliver()
        self.world.dingtalk.outcomes = []

    @rule(crash=CRASHES)
    def look_in_passing(self, crash: int | None) -> None:
        """Looks are what mostly happens."""
        self.look(None, crash)

    @rule()
    def restart(self) -> None:
        self._restart()

    def look_at_everything_and_send_everything(self) -> None:
        """Complete looks and complete delivery, then the comparison."""
        self._settle()
        self._nothing_is_missed()
        self._everything_was_told_once()

    # --- what must hold at any moment

    @invariant()
    def the_cursor_is_never_ahead_of_kingdees_clock(self) -> None:
        with self.world.db.read() as tx:
            for cursor in forms.everything(tx, "acct"):
                assert cursor.newest <= cursors.server_local(self.world.clock.now() + timedelta(seconds=1), ZONE)

    @invariant()
    def no_event_of_a_document_is_left_out(self) -> None:
        with self.world.db.read() as tx:
            versions = dict(tx.execute(select(documents.c.doc_id, documents.c.version)).fetchall())
            found = Counter(tx.execute(select(events.c.doc_id)).scalars())
        for doc_id, version in versions.items():
            assert found[doc_id] == version - (doc_id in self.baseline)

    @invariant()
    def the_look_at_all_keys_finds_nothing_that_others_missed(self) -> None:
        assert self.world.meter.counters.get("missed_changes", 0) == 0

    @invariant()
    def nobody_sees_anything_twice(self) -> None:
        seen = Counter((user, message) for users, message in self.world.dingtalk.shown for user in users)
        assert not [key for key, count in seen.items() if count > 1]

    def _settle(self) -> None:
        """Complete looks and complete delivery, without trouble; the dead are told."""
        self.world.watcher.condition.pause_until = 0.0
        self.world.poll(1)
        self.world.watcher.sweep()
        self.world.watcher.reconcile()
        for _ in range(12):
            self.world.clock.advance(4000)
            self.world.deliver(200)

    def _nothing_is_missed(self) -> None:
        """What kdsync believes is what Kingdee shows."""
        there = {str(i): d for i, d in self.world.kingdee.documents.items() if i not in self.world.kingdee.hidden}
        with self.world.db.read() as tx:
            rows = tx.execute(select(documents.c.doc_id, documents.c.is_gone, documents.c.row)).fetchall()
            alarm = forms.by_id(tx, 1).alarm
        layout = self.world.watcher._prepared()[0].layout
        believed = {doc_id: self.world.seal.open(row) for doc_id, is_gone, row in rows if not is_gone}
        if not alarm:
            assert believed.keys() == there.keys()
        for doc_id, document in there.items():
            row = dict(zip(layout.heads, believed[doc_id], strict=True))
            assert row["FDocumentStatus"] == document["FDocumentStatus"]
            assert float(row["FAmount"]) == float(document["FAmount"])

    def _everything_was_told_once(self) -> None:
        """Each kind of each event reached each recipient of each rule once, or is dead and `fallback` knows."""
        with self.world.db.read() as tx:
            expected: Counter[tuple[str, str]] = Counter()
            for kinds in tx.execute(select(events.c.kinds)).scalars():
                for kind in kinds.split():
                    for name, people in LISTENS.get(kind, {}).items():
                        expected.update((name, person) for person in people)
            joined = select(notifications.c.rule, letters.c.target, letters.c.state).join_from(
                letters, notifications, letters.c.notification_id == notifications.c.id
            )
            rows = tx.execute(joined.where(notifications.c.rule != "kdsync")).fetchall()
        event(f"told {min(len(rows), 5)} or more")
        assert Counter((name, target) for name, target, _ in rows) == expected
        assert {state for _, _, state in rows} <= {outbox.ACCEPTED, outbox.DEAD}
        accepted = sum(state == outbox.ACCEPTED for _, _, state in rows)
        shown = sum(len([u for u in users if u != "ops"]) for users, _ in self.world.dingtalk.shown)
        dead = sum(state == outbox.DEAD for _, _, state in rows)
        assert shown - dead <= accepted <= shown  # one that is dead may have been shown before its answer was lost
        assert len([1 for users, _ in self.world.dingtalk.shown if "ops" in users]) >= dead

    def _some(self, data: st.DataObject) -> int | None:
        there = [i for i in self.world.kingdee.documents if i not in self.world.kingdee.hidden]
        return data.draw(st.sampled_from(there)) if there else None

    @contextmanager
    def _trouble(self, fail: int | None, crash: int | None) -> Iterator[None]:
        """Kingdee fails at its n-th answer; the process ends before or after its n-th commit."""
        if fail:
            self.world.kingdee.fail_in = fail
        write, count = Database.write, [0]

        @contextmanager
        def fatal(db: Database) -> Iterator[Any]:
            count[0] += 1
            if crash and count[0] == crash:
                raise Crash
            with write(db) as tx:
                yield tx
            if crash and count[0] + 1 == crash:
                raise Crash

        Database.write = fatal  # type: ignore[assignment,method-assign]
        try:
            yield
        except Crash:
            self._restart()
        finally:
            Database.write = write  # type: ignore[method-assign]
            self.world.kingdee.fail_in = 0

    def _restart(self) -> None:
        world = self.world
        world.watch(*rules(*RULES))
        world.dispatch = Dispatch(
            world.db, world.seal, world.dingtalk, world.clock, world.random, world.meter, world.notices
        )
        world.clock.advance(61)


TestPromises = Promises.TestCase
TestPromises.settings = settings(
    max_examples=EXPLORE or 60,
    stateful_step_count=30,
    deadline=None,
    derandomize=not EXPLORE,
    suppress_health_check=list(HealthCheck),
)
