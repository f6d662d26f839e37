"""Never missed, never twice, never silent, never unasked: a machine that tries to break the promises.

People work in a Kingdee of plain Python, also between two pages of a look; kdsync looks, tells, fails and ends between
any two commits and around any call. `Witness` compares each commit with a model of its own, and after each complete
look what kdsync believes with what it must have seen. `KDSYNC_EXPLORE=N` tries N new examples.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kdsync.errors import FailureKind
from kdsync.rules.compile import CompiledRule, compile_rule
from kdsync.rules.ruleset import Ruleset
from kdsync.services.match import Matcher
from kdsync.services.report import Report
from kdsync.services.watcher import Watcher
from kdsync.settings.schema import FormSection
from tests.property.chat import Chat
from tests.property.office import STOCK, VERBS, Action, Name, Office, State
from tests.property.oracle import TELLINGS, Telling
from tests.property.trouble import Crash, Fate, empty_store
from tests.property.witness import KEYS, Told, Witness, light
from tests.unit.services.world import FORM, World
from tests.unit.services.world import rule as written

LOOKBACK = 10.0
EXPLORE = int(os.environ.get("KDSYNC_EXPLORE", "0"))  # how many examples to look for anew
HUNT = "KDSYNC_HUNT" in os.environ  # no time is spent on a shorter example
EXAMPLES = 165

ACTIONS = st.tuples(st.sampled_from([*VERBS, "wait", "edit", "submit", "audit"]), st.integers(0, 7), st.integers(0, 11))
KINDS = [FailureKind.TRANSIENT, FailureKind.RATE_LIMITED, FailureKind.SESSION_LOST, FailureKind.CONFIGURATION]
FAILING = st.dictionaries(st.integers(1, 6), st.sampled_from(KINDS), max_size=1)
MEANWHILE = st.dictionaries(
    st.sampled_from([1, 2, 2, 3, 3, 4, 5, 6]), st.lists(ACTIONS, min_size=1, max_size=3), max_size=2
)
CRASHES = st.one_of(st.none(), st.none(), st.integers(1, 10))  # at which point the process ends
RULES = st.sets(st.sampled_from([one.name for one in TELLINGS]), min_size=3)
OPEN = st.sampled_from([None, "FAlive='yes'"])
OUTCOMES = st.lists(
    st.sampled_from(["ok", "lost", "lost before", "transient", "throttled", "token expired", "refused"]), max_size=4
)


WAITING = (
    "SELECT id FROM outbox WHERE state IN ('waiting', 'leased') "
    "UNION ALL SELECT id FROM notifications WHERE state IN ('matched', 'gathered')"
)


@cache
def compiled(telling: Telling) -> CompiledRule:
    """A rule as kdsync reads it."""
    return compile_rule(written(**telling.written))


class Promises(RuleBasedStateMachine):
    """Documents, looks, messages and failures in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.db, self.fate, self.chat = empty_store(), Fate(), Chat()
        self.path = Path(self.db.path)
        self.chat.path, self.chat.point = self.path, self.fate.point
        self.fate.watch(self.db)
        self.world = World(self.path, db=self.db)
        self.office = Office(self.world.clock)
        self.chat.clock = self.world.clock
        self.office.on_change = self._changed
        self.in_force: list[Telling] = [*TELLINGS]
        self.open: str | None = None
        self.watchers: dict[str, Watcher] = {}
        self.open_ids: set[Name] = set()  # what the last complete look at open documents found
        self.witness = Witness(self.path, self.office, lambda: self.in_force)
        self.fate.on_commit = self.witness.committed
        self._begin_process()

    def teardown(self) -> None:
        """Whatever happened, in the end everything is known and told."""
        try:
            if not (self.witness.wrong or self.chat.wrong):
                self._calm()
        finally:
            self.witness.close()
            self.chat.close()
            self.db.close()

    # --- what happens

    @initialize(bills=st.integers(1, 6), actions=st.lists(ACTIONS, max_size=8), chosen=RULES, failing=FAILING)
    def begin(self, bills: int, actions: list[Action], chosen: set[str], failing: dict[int, FailureKind]) -> None:
        self.work([*(("new", 0, amount) for amount in range(3, 3 + bills)), *actions])
        self.reload(chosen, None)
        self.look(failing, {}, None)

    @rule(actions=st.lists(ACTIONS, min_size=2, max_size=6))
    def work(self, actions: list[Action]) -> None:
        for action in actions:
            self.office.act(action)

    @rule(failing=FAILING, meanwhile=MEANWHILE, crash=CRASHES)
    def look(self, failing: dict[int, FailureKind], meanwhile: dict[int, list[Action]], crash: int | None) -> None:
        self.office.expect(failing, meanwhile)
        self._run(FORM, "tick", crash)

    @rule(failing=FAILING, meanwhile=MEANWHILE, crash=CRASHES)
    def sweep(self, failing: dict[int, FailureKind], meanwhile: dict[int, list[Action]], crash: int | None) -> None:
        self.office.expect(failing, meanwhile)
        self._run(FORM, "sweep", crash)

    @rule(failing=FAILING, meanwhile=MEANWHILE, crash=CRASHES)
    def reconcile(self, failing: dict[int, FailureKind], meanwhile: dict[int, list[Action]], crash: int | None) -> None:
        self.office.expect(failing, meanwhile)
        self._run(FORM, "reconcile", crash)

    @rule(failing=FAILING, meanwhile=MEANWHILE, crash=CRASHES)
    def take_stock(
        self, failing: dict[int, FailureKind], meanwhile: dict[int, list[Action]], crash: int | None
    ) -> None:
        self.office.expect(failing, meanwhile)
        self._run(STOCK, "tick", crash)

    @rule(actions=st.lists(ACTIONS, min_size=2, max_size=6), meanwhile=MEANWHILE)
    def a_usual_round(self, actions: list[Action], meanwhile: dict[int, list[Action]]) -> None:
        """Work, then all looks in turn, and nothing goes wrong."""
        self.work(actions)
        self.look({}, meanwhile, None)
        self.sweep({}, {}, None)
        self.take_stock({}, {}, None)

    @rule(outcomes=OUTCOMES, crash=CRASHES)
    def send(self, outcomes: list[str], crash: int | None) -> None:
        self.chat.outcomes = [*outcomes]
        self.fate.draw(crash)
        try:
            self.world.deliver()
        except Crash:
            self._begin_process()
        self.fate.draw(None)
        self.chat.outcomes = []

    @rule(chosen=RULES, open_where=OPEN)
    def reload(self, chosen: set[str], open_where: str | None) -> None:
        """An operator writes other rules; those of stock stay."""
        self.in_force = [one for one in TELLINGS if one.name in chosen or one.form == STOCK]
        self.open = open_where
        for form, watcher in self.watchers.items():
            watcher.reload(self._matcher(form), self._section(form))

    @rule()
    def restart(self) -> None:
        self._begin_process()

    @rule()
    def calm(self) -> None:
        """Now and then nothing goes wrong for a while."""
        self._calm()

    @invariant()
    def nothing_was_wrong(self) -> None:
        """Also where kdsync's own code caught the error of a check."""
        assert not self.witness.wrong
        assert not self.chat.wrong

    # --- looks

    def _run(self, form: str, name: str, crash: int | None) -> None:
        """One look and what must be known after it, if it came to its end."""
        watcher, meter = self.watchers[form], self.world.meter
        watcher.condition.setbacks.forgive()
        self.witness.began = began = self.office.moment
        missed, self.witness.missed = meter.counters.get("missed_changes", 0), (0, 0)
        was_open = self._open_now(began) | {name for name in self.open_ids if self._believed_open(name)}
        self.fate.draw(crash)
        try:
            report: Report | None = getattr(watcher, name)()
        except Crash:
            self._begin_process()
            return
        finally:
            self.fate.draw(None)
            self.office.expect({}, {})
        assert not self.witness.ask("SELECT id FROM notifications WHERE state = 'gathered' AND form = ?", form)
        least, most = self.witness.missed
        assert least <= meter.counters.get("missed_changes", 0) - missed <= most
        if report is not None:
            event(f"{report.look} look")
            if form == FORM and (name == "sweep" or report.look == "first"):
                self._open_is_known(began, was_open, report)
            self._after(form, report, began)

    def _after(self, form: str, report: Report, began: int) -> None:
        if report.alarm:
            self._alarm_is_right(form, began)
        if form == STOCK and report.look == "full":
            self._known(form, began, None, deletions=not report.alarm)
        if form == FORM and report.look in ("dates", "full"):
            self.witness.dates_looked_at()
            self._every_field_is_known(began)
        if form == FORM and report.look in ("full", "keys"):
            self._known(form, began, [*KEYS], deletions=not report.alarm)
            self.witness.unpromised.clear()
            self._also_unpromised(began)

    def _every_field_is_known(self, began: int) -> None:
        """A field that rules have begun to look at cannot change unseen in a document that lacks it."""
        watched = {key for one in self._of(FORM) for key in one.watched}
        for name, found in self.witness.believed.items():
            if name[0] == FORM and found.state is not None and None not in self.office.states(name, began):
                assert watched <= found.state.keys()

    def _open_is_known(self, began: int, was_open: set[Name], report: Report) -> None:
        """What was open, or was thought to be, is what it was found to be."""
        for name in was_open:
            states = self.office.states(name, began)
            if None not in states[1:] and (states[0] or not report.alarm):  # deleted meanwhile: for the next look
                self.witness.expect_fresh(name, began, report.look, light(self._of(FORM)))
        self.open_ids = {name for name in self._open_now(began) if None not in self.office.states(name, began)}

    def _known(self, form: str, began: int, keys: list[str] | None, *, deletions: bool) -> None:
        for name in self.office.history:
            states = self.office.states(name, began)
            if name[0] == form and None not in states[1:] and (states[0] or deletions):
                self.witness.expect_fresh(name, began, "all", keys)

    def _alarm_is_right(self, form: str, began: int) -> None:
        """Only a form that lost all it had, or many at once, is taken for one that cannot be seen."""
        known = [name for name, found in self.witness.believed.items() if name[0] == form and found.state is not None]
        gone = [name for name in known if None in self.office.states(name, began)]
        assert len(gone) == len(known) or len(gone) > 10

    def _open_now(self, began: int) -> set[Name]:
        return {name for name in self.office.history if self._is_open(self.office.states(name, began)[0], name)}

    def _is_open(self, state: State, name: Name) -> bool:
        if state is None or name[0] != FORM:
            return False
        return bool(state["FDocumentStatus"] != "C" or (self.open and state["FAlive"] == "yes"))

    def _believed_open(self, name: Name) -> bool:
        """A document that was open, unless another look has found it approved since."""
        found = self.witness.believed.get(name)
        return bool(self.open or (found and found.state and found.state["FDocumentStatus"] != "C"))

    def _changed(self, name: Name, was: State, now: State) -> None:
        horizon = self.office._ago(LOOKBACK - 1)
        self.witness.changed(name, was, now, horizon=horizon, is_open=self._is_open(now, name))

    def _also_unpromised(self, began: int) -> None:
        """What changed during a look at all keys may still be for the next one to find."""
        for name in self.office.history:
            if name[0] == FORM and len(self.office.states(name, began)) > 1:
                self.witness.unpromised.add(name)

    # --- the process

    def _begin_process(self) -> None:
        """Nothing of an earlier process is left but its store."""
        self.fate.draw(None)
        self.chat.forget_unwritten()
        # Which deletions a sweep wanted confirmed is forgotten: the daemon looks at all keys soon after its start.
        self.open_ids = {name for name in self.open_ids if self.office.states(name, self.office.moment)[0]}
        self.world = World(self.path, lambda _clock: self.office, lambda: self.chat, self.world.clock, self.db)
        self.world.looks = replace(self.world.looks, lookback=lambda: LOOKBACK)
        self.watchers = {form: self.world.watch(section=self._section(form), form=form) for form in (FORM, STOCK)}
        for form, watcher in self.watchers.items():
            watcher.matcher = self._matcher(form)

    def _of(self, form: str) -> list[Telling]:
        return [one for one in self.in_force if one.form == form]

    def _matcher(self, form: str) -> Matcher:
        return replace(self.world.matcher(), ruleset=Ruleset(tuple(compiled(one) for one in self._of(form))))

    def _section(self, form: str) -> FormSection:
        return FormSection(mode="full") if form == STOCK else FormSection(open=self.open)

    # --- when all is quiet

    def _calm(self) -> None:
        self.world.clock.advance(400)
        for form, look in ((FORM, "tick"), (FORM, "tick"), (FORM, "sweep"), (FORM, "reconcile"), (STOCK, "tick")):
            self._run(form, look, None)
        assert not any(watcher.condition.error for watcher in self.watchers.values())
        for _ in range(14):
            self.world.clock.advance(2000)
            self.world.deliver(200)
            if not self.witness.ask(WAITING):
                break
        while self.world.receipts.step():
            self.world.deliver(200)
        self._everything_was_told_once()

    def _everything_was_told_once(self) -> None:
        """Each notification reached each recipient once, or is dead and `fallback` knows."""
        people = {one.name: one.people for one in TELLINGS}
        due = Counter[tuple[str, ...]]()
        for told, count in (self.witness.told - self._summed_up()).items():
            due.update({(*told, person): count for person in people[told[2]]})
        rows = self.witness.ask(
            "SELECT n.form, n.doc_id, n.rule, n.kind, o.target, o.state, o.id FROM outbox o "
            "JOIN notifications n ON n.id = o.notification_id WHERE n.rule <> 'kdsync' AND n.kind <> 'storm'"
        )
        written = Counter(tuple(row[:5]) for row in rows)
        assert not due - written
        assert not written - due
        assert {row[5] for row in rows} <= {"accepted", "dead"}
        shown = self.chat.count()
        assert all(shown[row[6]] >= 1 for row in rows if row[5] == "accepted")
        dead = [row for row in rows if row[5] == "dead"]
        notices = self.witness.ask("SELECT count(*) FROM notifications WHERE rule = 'kdsync' AND kind = 'dead'")
        assert notices == [(len(dead),)]
        self.chat.each_once_a_day()
        event(f"told {min(len(rows) // 10 * 10, 50)} or more")

    def _summed_up(self) -> Counter[Told]:
        """What is in a storm, which must be in exactly one summary that was told to everybody it is for."""
        stormy = "SELECT form, doc_id, rule, kind, storm FROM notifications WHERE state = 'storm'"
        found, members = Counter[Told](), Counter[str]()
        for form, doc_id, name, kind, storm in self.witness.ask(stormy):
            found[form, doc_id, name, kind] += 1
            members[storm] += 1
        for storm, name in self.witness.ask("SELECT id, rule FROM notifications WHERE kind = 'storm'"):
            telling = next(one for one in TELLINGS if one.name == name)
            assert members.pop(storm) > telling.written["storm"]
            letters = self.witness.ask("SELECT target FROM outbox WHERE notification_id = ?", storm)
            assert {target for (target,) in letters} == {*telling.people, "ops"}
        assert not members
        event("a storm" if found else "no storm")
        return found


TestPromises = pytest.mark.long(Promises.TestCase)
TestPromises.settings = settings(
    max_examples=EXPLORE or EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    derandomize=not EXPLORE,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate] if HUNT else [Phase.generate, Phase.shrink],
)
