"""Workflow tasks as a source: who has what on the table, told to each receiver once, and taken note of when it is over.

Kingdee dates no task change on the document, so all that waits is asked for at every look, in one query for all forms.
A task and the notifications about it are stored in one transaction: whatever breaks, it is told once and never twice.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from kdsync import logs
from kdsync.delivery.retry import doubling
from kdsync.delivery.storm import Verdict
from kdsync.errors import ANOTHER_ACCOUNT, EdgeError, FailureKind, HeldBackError
from kdsync.model import Event, Task, Transition
from kdsync.rules.actions import BY_WORKFLOW, CompiledAction
from kdsync.rules.ruleset import Ruleset
from kdsync.services.bills import Bills
from kdsync.services.match import Matcher
from kdsync.services.ports import Tasks
from kdsync.services.setbacks import LASTING, LONGEST_PAUSE, OPERATOR_PAUSE, PERSISTENT
from kdsync.services.settle import Settle
from kdsync.services.stays import LATE, Stays
from kdsync.services.watch import Watch
from kdsync.services.watcher import MOST_NAMED, Watcher
from kdsync.store import ledger, notifications, tasks
from kdsync.store.notifications import Notification
from kdsync.store.tasks import Seen, Waiting
from kdsync.sync import identity
from kdsync.sync.gates import suspicious

log = logs.get("tasks")
ASSIGNED = Transition.ASSIGNED
CAUSE = "tasks"  # of the notice that they cannot be read
VANISHED = "tasks vanished"  # of the notice that they are not visible any more
SEE_ROWS = "let the Kingdee user see all rows of process management (流程管理): its data permission hides them"
FEW = 20  # tasks of one look that are logged one by one


@dataclass
class TaskWatch:
    """Looks at the tasks of all forms for which they matter, one look at a time.

    `_failures` counts looks that failed in a row, `_alone` those of them that failed while Kingdee was there,
    `_hidden_for` those that showed less than there must be; `_doubted` are tasks that so many others vanished together
    with that the next look has to say it again.
    """

    tasks: Tasks
    bills: Bills
    settle: Settle
    account_set: str
    forms: Callable[[], Sequence[str]]  # no two of them the same in capitals
    watchers: Callable[[], Mapping[str, Watcher]]
    on_told: Callable[[], None]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _failures: int = 0
    _pause_until: float = 0.0
    _has_worked: bool = False
    _doubted: frozenset[str] = frozenset()
    _hidden_for: int = -1
    _alone: int = 0

    def __post_init__(self) -> None:
        self.db, self.clock, self.notices = self.settle.db, self.settle.clock, self.settle.notices
        self.meter = self.settle.meter
        self._stays = Stays(self.settle, self.account_set)
        self._last_read = self._last_alive()  # what was submitted before was told by its tasks, if they could be read

    def _last_alive(self) -> datetime:
        """When an earlier process may have read them last."""
        with self.db.read() as tx:
            sign = ledger.sign_of_life(tx)
        return sign[0] - LATE if sign else self.clock.now()

    def look(self) -> None:
        """Ask what waits, tell what is new, note what is over; nothing while another look is not done."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._look(self.forms())
        finally:
            self._lock.release()

    def is_ready(self) -> bool:
        """Whether a task that comes from now on is noticed, or people were told why not."""
        if self._failures >= PERSISTENT:
            return True
        with self.db.read() as tx:
            return all(tasks.is_baselined(tx, self.account_set, form) for form in self.forms())

    def waiting_for(self, form: str, number: str) -> list[str]:
        """The Kingdee users for whom a document waited at the last look."""
        with self.db.read() as tx:
            return [one.receiver for one in tasks.waiting_of(tx, form, number)]

    def _look(self, forms: Sequence[str]) -> None:
        pending = self._pending(forms) if forms and self.clock.monotonic() >= self._pause_until else None
        if pending is None:
            self._stand_in(forms)
            return
        self._note_gone(forms, pending)
        by_form: dict[str, dict[str, Task]] = defaultdict(dict)
        for item in pending:
            by_form[item.form.upper()][item.item_id] = item
        for form in forms:
            self._surely(form, list(by_form[form.upper()].values()))
        self._count(forms)

    def _pending(self, forms: Sequence[str]) -> Sequence[Task] | None:
        """What waits; None where that cannot be told now."""
        began = self.clock.now()
        try:
            pending = self.tasks.pending(forms)
        except HeldBackError:
            return None  # Kingdee is down, and somebody else finds out when it is back
        except EdgeError as error:
            self._failed(error, forms)
            return None
        self._succeeded(began)
        return pending

    def _stand_in(self, forms: Sequence[str]) -> None:
        """While tasks cannot be read, tell those who stand in for their receivers."""
        for form in forms:
            watcher = self.watchers().get(form)
            in_use = watcher.in_use() if watcher else None
            if in_use and self._stays.tell(form, *in_use):
                self.on_told()

    def _surely(self, form: str, items: list[Task]) -> None:
        """Take the tasks of a form; where its documents cannot be read now, the next look finds the same tasks new."""
        try:
            if self._take(form, items):
                self._stays.end(form)
        except EdgeError as error:
            log.warning("tasks.postponed", form=form, error=str(error), kind=error.kind, cure=error.cure)

    def _take(self, form: str, items: list[Task]) -> bool:
        """Whether it is done with them."""
        with self.db.read() as tx:
            is_first = not tasks.is_baselined(tx, self.account_set, form)
            known = tasks.known(tx, [item.item_id for item in items])
        if is_first:
            with self.db.write() as tx:
                tasks.baseline(tx, self.account_set, form, items, self.clock.now())
            log.info("tasks.baselined", form=form, tasks=len(items))
            return True
        new = [item for item in items if item.item_id not in known or _is_handed_on(item, known)]
        back = [item for item in items if item not in new and known[item.item_id].state == tasks.GONE]
        watcher = self.watchers().get(form)
        if not new or watcher is None or not watcher.matcher.ruleset.listening(form, ASSIGNED):
            self._keep(form, [*new, *back])
            return True
        in_use = watcher.in_use()
        if in_use is None:
            return False  # the form is about to be looked at, and the tasks are new at the next look
        handed_on = {item.item_id for item in new if item.item_id in known}
        self._tell(form, new, back, handed_on, *in_use)
        return True

    def _tell(
        self, form: str, new: list[Task], back: list[Task], handed_on: set[str], watch: Watch, matcher: Matcher
    ) -> None:
        now = self.clock.now()
        events = (self._named(one, handed_on) for one in self.bills.assigned(self.account_set, watch, new, now))
        about = ((event, matcher.about(watch, event, now)) for event in events)
        told = [one for event, found in about for one in self._stays.untold(watch, event, found)]
        if told:
            self.settle.expect(form)
        verdict = self._keep(form, [*new, *back], told, (watch, matcher))
        if verdict:
            self.settle.settled(form, verdict)
            self.on_told()
        _log("task.noticed", "tasks.noticed", form, new)

    def _named(self, event: Event, handed_on: set[str]) -> Event:
        """A task that was handed on is another event than when it waited for the first one."""
        task = event.task
        if task is None or task.item_id not in handed_on:
            return event
        return replace(event, event_id=identity.task_event_id(self.account_set, task.item_id, task.receiver))

    def _keep(
        self,
        form: str,
        items: list[Task],
        told: Sequence[Notification] = (),
        by: tuple[Watch, Matcher] | None = None,
    ) -> Verdict | None:
        """Store tasks and what is told about them, all or nothing."""
        if not items:
            return None
        with self.db.write() as tx:
            tasks.put(tx, form, items, self.clock.now())
            notifications.add(tx, self.settle.seal, told)
            return self.settle.within(tx, form, by[1], by[0].facts.title) if told and by else None

    def _note_gone(self, forms: Sequence[str], pending: Sequence[Task]) -> None:
        """Note what does not wait any more.

        Without the right to see them tasks look like none, so where many vanish at once, the next look must agree,
        and their documents must have gone on.
        """
        with self.db.read() as tx:
            waiting = {one.item_id: one for one in tasks.waiting(tx, forms)}
        missing = waiting.keys() - {item.item_id for item in pending}
        is_odd = bool(suspicious(len(waiting), len(missing)))
        hidden = self._hidden([waiting[ident] for ident in missing], pending) if is_odd else set()
        self._doubt(waiting, hidden if suspicious(len(waiting), len(hidden)) else set())
        gone = (missing & self._doubted) - hidden if is_odd else missing
        self._doubted = frozenset(missing - gone)
        if self._doubted:
            log.warning("tasks.vanished", tasks=len(missing), known=len(waiting), hidden=len(hidden))
        if gone:
            with self.db.write() as tx:
                tasks.mark_gone(tx, gone, self.clock.now())
            for form in forms:
                _log("task.gone", "tasks.gone", form, [waiting[ident] for ident in sorted(gone)])

    def _hidden(self, missing: Sequence[Waiting], pending: Sequence[Task]) -> set[str]:
        """The ids of missing tasks that nobody can have decided: their documents are where they were."""
        asked = {(item.form.upper(), item.number) for item in pending}
        still: set[tuple[str, str]] = set()
        for form in {one.form for one in missing}:
            watcher = self.watchers().get(form)
            in_use = watcher.in_use() if watcher else None
            numbers = sorted({one.number for one in missing if one.form == form})
            still |= {(form, number) for number in (self.bills.in_approval(in_use[0], numbers) if in_use else ())}
        return {
            one.item_id
            for one in missing
            if (one.form, one.number) in still and (one.form.upper(), one.number) not in asked
        }

    def _doubt(self, waiting: Mapping[str, Waiting], hidden: set[str]) -> None:
        """Tell an operator of what is hidden for some looks, and when it is not any more."""
        if not hidden and self._hidden_for:  # at first not 0, for the notice may be of an earlier run
            self.notices.clear(VANISHED, "tasks_readable")
        self._hidden_for = max(self._hidden_for, 0) + 1 if hidden else 0
        if self._hidden_for == PERSISTENT:
            numbers = ", ".join(sorted({waiting[ident].number for ident in hidden})[:MOST_NAMED])
            error = f"{len(hidden)} of {len(waiting)} are not visible any more, and nobody can have decided: {numbers}"
            self.notices.raise_(VANISHED, "tasks_unreadable", error=error, cure=SEE_ROWS)

    def _count(self, forms: Iterable[str]) -> None:
        with self.db.read() as tx:
            counts = tasks.counts(tx)
        self.meter.gauges("tasks_waiting", "form", {form: counts.get(form, 0) for form in forms})

    def _failed(self, error: EdgeError, forms: Sequence[str]) -> None:
        if not self._failures:
            self._stays.doubt(self._last_read)
        self._failures += 1
        is_down = any(watcher.guard.is_open for watcher in self.watchers().values())
        self._alone = 0 if is_down else self._alone + 1
        for_operator = error.kind in (FailureKind.CONFIGURATION, FailureKind.REFUSED)
        seconds = doubling(self._failures - 1, OPERATOR_PAUSE if for_operator else LONGEST_PAUSE)
        self._pause_until = self.clock.monotonic() + max(seconds, error.retry_after or 0.0)
        log.warning("tasks.unreadable", error=str(error), kind=error.kind, cure=error.cure, pause=seconds)
        self.meter.count("look_failures", labels={"form": CAUSE, "kind": error.kind})
        lasts = self._failures >= PERSISTENT if for_operator else self._alone >= LASTING
        if lasts and error.code != ANOTHER_ACCOUNT:  # which the forms tell
            self.notices.raise_(CAUSE, "tasks_unreadable", error=error.message, cure=error.cure)
            self._stays.begin(forms)

    def _succeeded(self, began: datetime) -> None:
        if self._failures or not self._has_worked:  # the notice may be of an earlier run
            self.notices.clear(CAUSE, "tasks_readable")
            self._stays.sure()
        self._failures, self._alone, self._has_worked, self._last_read = 0, 0, True, began
        self.meter.count("looks", labels={"form": CAUSE, "look": "tasks"})


def task_forms(ruleset: Ruleset, actions: Iterable[CompiledAction]) -> tuple[str, ...]:
    """The forms whose tasks matter: to a rule, or because somebody may answer them. As the rules spell them."""
    spelled = {form.upper(): form for form in ruleset.forms}
    of_rules = (
        rule.form
        for rule in ruleset.rules
        if rule.listens(ASSIGNED) or any(recipient.innermost.kind == "assignee" for recipient in rule.to)
    )
    answered = (action.form for action in actions if any(do.kind in BY_WORKFLOW for do in action.do))
    return tuple({form.upper(): spelled.get(form.upper(), form) for form in (*of_rules, *answered)}.values())


def _is_handed_on(item: Task, known: Mapping[str, Seen]) -> bool:
    return known[item.item_id].receiver != item.receiver


def _log(one: str, several: str, form: str, items: Sequence[Task | Waiting]) -> None:
    mine = [item for item in items if item.form.upper() == form.upper()]
    for item in mine if len(mine) <= FEW else ():
        log.info(one, form=form, bill_no=item.number, node=item.node, item_id=item.item_id)
    if len(mine) > FEW:
        log.info(several, form=form, tasks=len(mine))
