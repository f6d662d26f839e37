"""The outbox alone, between a DingTalk of plain Python and an operator: whatever a send comes to, at any time of day.

Nobody sees anything twice unless midnight passed while nobody knew whether it had been shown; nothing is called for
before its time, at night or out of order; every message ends accepted, dead and told, or given up by an operator.
`KDSYNC_EXPLORE=N` tries N new examples.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kdsync.delivery import limits
from kdsync.model import Content, Priority
from kdsync.store import holds, notifications, outbox
from kdsync.store.notifications import MATCHED, Notification, Wanted
from tests.property.chat import OUTCOMES, SHANGHAI, Chat
from tests.property.trouble import Crash, Fate, another, empty_store
from tests.unit.services.world import FORM, World, failure

EXPLORE = int(os.environ.get("KDSYNC_EXPLORE", "0"))  # how many examples to look for anew
HUNT = "KDSYNC_HUNT" in os.environ  # no time is spent on a shorter example
EXAMPLES = 60
A_DAY = 4  # messages that one person is shown
LEASE = timedelta(seconds=60)
LONG = timedelta(hours=72)  # after that nothing is tried again
QUIET = (21, 8)  # hours
WAITS = ("low", "normal")
URGENCY = {"urgent": 0, "high": 1, "normal": 2, "low": 3}
HOLDS = {  # seconds that a channel rests after an outcome, at least
    "throttled": 2.0,
    "banned": 300.0,
    "quota": 6 * 3600.0,
    "configuration": 60.0,
}
LATER = ("transient", "busy", "token expired", "lost", "lost before")  # after these a letter rests for a moment
CROWD = tuple(f"user:p{number}" for number in range(103))

PEOPLE = st.lists(
    st.sampled_from(["user:u1", "user:u2", "user:u3", "user:x1", "user:r1", "group:g", "dept:7"]),
    min_size=1,
    max_size=3,
    unique=True,
).map(tuple)
Told = tuple[str, tuple[str, ...], Priority]
TOLD = st.lists(
    st.tuples(st.sampled_from("123"), PEOPLE, st.sampled_from([*Priority, Priority.NORMAL])), min_size=1, max_size=3
)
CRASHES = st.one_of(st.none(), st.none(), st.integers(1, 8))  # at which point the process ends
TRIES = st.lists(st.sampled_from(["ok", "ok", *OUTCOMES]), max_size=5)
PICKS = st.integers(0, 30)
AHEAD = st.sampled_from([0, 0, -200, 200])  # seconds that DingTalk's clock is
MOMENTS = st.sampled_from([0.0, 0.5, 3, 61, 400, 4_000, 8 * 3600, 14 * 3600])


@dataclass(frozen=True)
class Row:
    """A letter as the store has it."""

    id: str
    notification: str
    target: str
    channel: str
    state: str
    document: str
    priority: str
    created_at: str


class Letters(RuleBasedStateMachine):
    """Notifications about three documents, all outcomes of a send, crashes, and an operator at another terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.db, self.fate, self.chat = empty_store(), Fate(), Chat()
        self.path = Path(self.db.path)
        self.chat.path, self.chat.point, self.chat.a_day = self.path, self.fate.point, A_DAY
        self.chat.refuses, self.chat.departments = frozenset({"r1"}), {"7": ["u1", "u4"]}
        self.chat.on_call, self.chat.on_outcome = self._called, self._came_to
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(limits, "A_DAY", A_DAY)
        self.operator = another(self.db.path)
        self.fate.watch(self.db)
        self.world = World(self.path, db=self.db)
        self.chat.clock = self.world.clock
        self.made = 0
        self.rests: dict[str, datetime] = {}  # channels and letters, and until when nothing is called for them
        self.calling: Sequence[str] = ()  # what the last call was for
        self.touched: set[str] = set()  # what an operator wanted sent
        self._begin_process()

    def teardown(self) -> None:
        """In the end nothing goes wrong any more, and everything arrives or is dead."""
        try:
            if not self.chat.wrong:
                self._calm()
        finally:
            self.patch.undo()
            self.chat.close()
            self.db.close()
            self.operator.close()

    # --- what happens

    @initialize(crowd=st.sampled_from([False, False, False, True]), hours=st.integers(0, 23), told=TOLD, ahead=AHEAD)
    def begin(self, crowd: bool, hours: int, told: list[Told], ahead: int) -> None:
        self.chat.ahead = timedelta(seconds=ahead)
        self.world.clock.advance(hours * 3600)
        if crowd:
            self._tell("1", CROWD, Priority.HIGH)
        self.tell(told)
        self._run(self.world.address.step, None)

    @rule(told=TOLD)
    def tell(self, told: list[Told]) -> None:
        for document, people, priority in told:
            self._tell(document, people, priority)

    @rule(unknown=st.booleans(), crash=CRASHES)
    def address(self, unknown: bool, crash: int | None) -> None:
        """DingTalk's directory may be out of order."""
        self.chat.down = failure(OUTCOMES["transient"]) if unknown else None
        self._run(self.world.address.step, crash)
        self.chat.down = None

    @rule(outcomes=TRIES, crash=CRASHES, seconds=MOMENTS)
    def send(self, outcomes: list[str], crash: int | None, seconds: float) -> None:
        self.chat.outcomes = [*outcomes]
        self.world.clock.advance(seconds)
        for _ in range(len(outcomes) + 1):
            self._run(self.world.dispatch.step, crash)
            crash = None
        self.chat.outcomes = []

    @rule(outcomes=TRIES, crash=CRASHES)
    def look_up(self, outcomes: list[str], crash: int | None) -> None:
        self._run(self.world.address.step, None)
        self.send(outcomes, crash, 0.0)
        self._run(self.world.receipts.step, crash)

    @rule(outcome=st.sampled_from([*OUTCOMES]), pick=PICKS, verb=st.sampled_from(["retry", "drop"]))
    def meddle(self, outcome: str, pick: int, verb: str) -> None:
        """An operator retries or drops a letter while a call is under way."""
        self.chat.outcomes = [outcome]
        self.chat.during = lambda: self.operate(pick, verb)
        self._run(self.world.dispatch.step, None)
        self.chat.during = lambda: None
        self.chat.outcomes = []

    @rule(pick=PICKS, verb=st.sampled_from(["retry", "drop"]))
    def operate(self, pick: int, verb: str) -> None:
        rows = [row for row in self._rows() if row.state in ("waiting", "dead", "leased")]
        if rows:
            row, now = rows[pick % len(rows)], self.world.clock.now()
            with self.operator.write() as tx:
                if verb == "drop":
                    outbox.drop(tx, [row.id], now, "the operator's word")
                else:
                    count = outbox.revive(tx, [row.id], now)
                    holds.lift(tx, row.channel, now)
                    self.rests.pop(row.channel, None)
                    if count:
                        self.rests.pop(row.id, None)
                        self.touched.add(row.id)
                    if row.state == "dead":
                        self.chat.taken.discard(row.id)  # DingTalk took it, but for somebody who is not there

    @rule(seconds=MOMENTS)
    def wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-61, -1, 1, 61, 290, 310]))
    def midnight(self, seconds: float) -> None:
        """More than a day's messages go out before and about midnight in Shanghai; DingTalk's clock is its own."""
        for _ in range(A_DAY + 1):
            self._tell("1", ("user:u1",), Priority.HIGH)
        self._send_what_is_due()
        self._run(self.world.receipts.step, None)  # as all day long: it need not look back for more than a week
        now = self.world.clock.now().astimezone(SHANGHAI)
        over = datetime.combine(now.date() + timedelta(days=1), time(), SHANGHAI) - now
        self.world.clock.advance(max(over.total_seconds() + seconds, 0))
        self._send_what_is_due()

    @rule()
    def restart(self) -> None:
        self._begin_process()

    @invariant()
    def nothing_was_wrong(self) -> None:
        """Also where kdsync's own code caught the error of a check."""
        assert not self.chat.wrong

    # --- what must hold at each call

    def _called(self, letters: Sequence[str]) -> None:
        """Nothing is called for before its time, at night, or before what comes first."""
        now, self.calling = self.world.clock.now(), letters
        rows = {row.id: row for row in self._rows()}
        for row in (rows[letter] for letter in letters):
            for what in (row.channel, row.id):
                rests = self.rests.get(what)
                self.chat.expect(rests is None or now >= rests, f"a call at {now} for {row}, which rests till {rests}")
            if row.id not in self.touched:
                hour = now.astimezone(SHANGHAI).hour
                night = hour >= QUIET[0] or hour < QUIET[1]
                self.chat.expect(not (night and row.priority in WAITS), f"a call at {hour} for {row}")
            self._first_things_first(row, rows.values())

    def _first_things_first(self, row: Row, rows: Any) -> None:
        """What somebody gets about one document is in order, unless something is more urgent."""
        about = (row.target, row.channel, row.document)
        for other in rows:
            earlier = other.created_at < row.created_at and URGENCY[other.priority] <= URGENCY[row.priority]
            if earlier and (other.target, other.channel, other.document) == about and row.document:
                self.chat.expect(other.state not in ("waiting", "leased"), f"{row} before {other}")

    def _came_to(self, letters: Sequence[str], channel: str, outcome: str) -> None:
        """An outcome, and what rests after it."""
        now = self.world.clock.now()
        self.touched -= set(letters)
        if outcome in HOLDS:
            self.rests[channel] = now + timedelta(seconds=HOLDS[outcome])
        if outcome in LATER:
            young = (now - LONG).isoformat()  # older ones have their last try, each by itself
            again = [row.id for row in self._rows() if row.id in letters and row.created_at > young]
            self.rests |= dict.fromkeys(again, now + timedelta(seconds=1))

    def _run(self, step: Callable[[], object], crash: int | None) -> None:
        """A process that ends knows nothing of an outcome that it did not write down, but its lease stands."""
        self.fate.draw(crash)
        rests, touched, self.calling = {**self.rests}, {*self.touched}, ()
        try:
            step()
        except Crash:
            leased = {row.id for row in self._rows() if row.state == "leased"} & {*self.calling}
            self.rests = rests | dict.fromkeys(leased, self.world.clock.now() + LEASE)
            self.touched |= touched
            self._begin_process()
        finally:
            self.fate.draw(None)

    # --- the process

    def _begin_process(self) -> None:
        """Nothing of an earlier process is left but its store."""
        self.chat.forget_unwritten()
        self.world = World(self.path, dingtalk=lambda: self.chat, clock=self.world.clock, db=self.db)
        main = self.world.settings.main
        calendar = main.calendar.model_copy(update={"quiet": (QUIET[0] * 60, QUIET[1] * 60)})
        self.world.settings = self.world.settings.model_copy(
            update={"main": main.model_copy(update={"calendar": calendar})}
        )

    def _tell(self, document: str, people: Sequence[str], priority: Priority) -> None:
        self.made += 1
        name = f"T{self.made}T"
        notification = Notification(
            id=f"notification{self.made:04}",
            event_id=f"{self.made:08}event",
            form=FORM,
            doc_id=document,
            number=f"K{document}",
            rule="rule",
            kind="changed",
            priority=priority,
            state=MATCHED,
            wanted=tuple(Wanted(one) for one in people),
            contents={"zh": Content(name, "what happened")},
            created_at=self.world.clock.now() + timedelta(microseconds=self.made),
        )
        with self.operator.write() as tx:
            notifications.add(tx, self.world.seal, [notification])
        self.world.clock.advance(0.01)

    def _rows(self, *, notices: bool = True) -> list[Row]:
        query = (
            "SELECT o.id, o.notification_id, o.target, o.channel, o.state, n.doc_id, n.priority, o.created_at "
            "FROM outbox o JOIN notifications n ON n.id = o.notification_id"
        )
        rows = [Row(*row) for row in self.chat.ask(query)]
        return [row for row in rows if notices or row.notification.startswith("notification")]

    def _send_what_is_due(self) -> None:
        for step in (self.world.address.step, self.world.dispatch.step):
            while step():
                pass

    # --- when all is quiet

    def _calm(self) -> None:
        for _ in range(200):
            self.world.clock.advance(4 * 3600)
            self._send_what_is_due()
            while self.world.receipts.step():
                pass
            if not self._unfinished():
                break
        assert not self._unfinished()
        self._everything_came_to_an_end()

    def _unfinished(self) -> list[Any]:
        return self.chat.ask(
            "SELECT id FROM outbox WHERE state IN ('waiting', 'leased') "
            "UNION ALL SELECT id FROM notifications WHERE state = 'matched'"
        )

    def _everything_came_to_an_end(self) -> None:
        shown = self.chat.count()
        rows = self._rows(notices=False)
        dead = [row for row in rows if row.state == "dead"]
        for row in rows:
            assert row.state in ("accepted", "dead", "dropped"), row
            seen = row.target not in self.chat.strangers
            assert shown[row.id] >= 1 or row.state != "accepted" or not seen, f"nobody saw {row}"
        self.chat.each_once_a_day()
        self._the_dead_are_told(dead)
        self._everybody_has_a_letter(rows)
        event(f"{min(len(rows) // 5 * 5, 30)} letters, dead {bool(dead)}")

    def _the_dead_are_told(self, dead: list[Row]) -> None:
        told = [str(found) for (found,) in self.chat.ask("SELECT contents FROM notifications WHERE kind = 'dead'")]
        for row in dead:
            name = f"T{int(row.notification.removeprefix('notification'))}T"
            assert any(name in text and row.target in text for text in told), f"nobody was told that {row} is dead"
        strangers = [row for row in self._rows(notices=False) if row.target in self.chat.strangers]
        assert all(row.state != "accepted" for row in strangers), "a message to nobody counts as accepted"

    def _everybody_has_a_letter(self, rows: list[Row]) -> None:
        query = "SELECT id, recipients FROM notifications WHERE rule = 'rule'"
        people = {"dept:7": ["u1", "u4"]}
        for ident, recipients in self.chat.ask(query):
            wanted = [one for one, *_ in json.loads(recipients)]
            due = {name for one in wanted for name in people.get(one, [one.partition(":")[2]])}
            assert sorted(row.target for row in rows if row.notification == ident) == sorted(due)


TestLetters = pytest.mark.long(Letters.TestCase)
TestLetters.settings = settings(
    max_examples=EXPLORE or EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    derandomize=not EXPLORE,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate] if HUNT else [Phase.generate, Phase.shrink],
)
