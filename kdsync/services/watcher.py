"""Who looks at one form, when, and what happens when a look fails. One look at a time for each form."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kdsync import logs
from kdsync.clock import Clock
from kdsync.errors import EdgeError, FailureKind, HeldBackError, StoreUnusableError, UnknownFieldError
from kdsync.rules.ruleset import Ruleset
from kdsync.services.condition import Condition
from kdsync.services.guard import PASSING, Guard
from kdsync.services.looks import Looks
from kdsync.services.match import Matcher
from kdsync.services.notices import Notices
from kdsync.services.ports import Meter, Source
from kdsync.services.report import Report
from kdsync.services.setbacks import INTERVAL, RECONCILE, SWEEP, Setbacks
from kdsync.services.standing import Standing
from kdsync.services.watch import Watch, prepare, without
from kdsync.settings.schema import FormSection
from kdsync.store import forms, ledger
from kdsync.store.database import Database
from kdsync.store.forms import FormCursor
from kdsync.store.sealing import Seal

log = logs.get("watcher")
MOST_NAMED = 20  # documents in one notice
REPORT = "please report the traceback in the log; restart kdsync if it stays"


@dataclass
class Watcher:
    """Looks at one form under a lock. `matcher` is swapped as a whole, between two looks, when rules are reloaded."""

    form: str
    db: Database
    seal: Seal
    source: Source
    guard: Guard
    looks: Looks
    clock: Clock
    meter: Meter
    notices: Notices
    account_set: str
    matcher: Matcher
    section: FormSection
    on_told: Callable[[], None]
    condition: Condition = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _queueing: threading.Lock = field(default_factory=threading.Lock)
    _watch: Watch | None = None
    _without: frozenset[str] = frozenset()
    _keys_wanted: bool = False
    _kept: tuple[int, FormCursor] | None = None  # the cursor, and the store's count of writes when it was read
    _standing: Standing = field(init=False)
    _waiting: dict[str, Callable[[], Report | None]] = field(default_factory=dict)
    _next: Matcher | None = None  # of a reload that the look before did not know of
    _did_without: frozenset[str] | None = None  # which fields the last good look by these rules did without

    def __post_init__(self) -> None:
        self._standing = Standing(self.form, self.notices)
        self.condition = Condition(Setbacks(self.form, self.notices))

    def tick(self) -> Report | None:
        """The look of every interval: a first look, a look at everything, or a look by dates."""
        return self._in_turn(INTERVAL, self._interval)

    def sweep(self) -> Report | None:
        """The look at the open documents; after it the one at all keys, where that is wanted. None where one failed."""
        report = self._in_turn(SWEEP, self._sweep)
        if not self._keys_wanted:
            return report
        keys = self._in_turn(RECONCILE, self._reconcile)
        return keys if report else None

    def reconcile(self) -> Report | None:
        """The look at all keys; one that fails, or falls into an outage, is made up for at a sweep after it."""
        self._keys_wanted = True
        return self._in_turn(RECONCILE, self._reconcile)

    def reload(self, matcher: Matcher, section: FormSection) -> None:
        """Use other rules from the next look on; one that goes on, which may take hours, is not waited for."""
        self.section, self._next = section, matcher
        if self._lock.acquire(blocking=False):
            self._take_over()
            self._lock.release()

    def _take_over(self) -> None:
        matcher, self._next = self._next, None
        if matcher is not None:
            self._watch, self._without, self._did_without, self.matcher = None, frozenset(), None, matcher
            self.condition.setbacks.forgive()

    def in_use(self) -> tuple[Watch, Matcher] | None:
        """The form's columns and the rules that can be asked; None while they are not known."""
        watch, matcher = self._watch, self._usable()
        return (watch, matcher) if watch is not None and watch is self._watch else None

    def does_without(self, key: str) -> bool | None:
        """Whether rules rest because Kingdee does not know a field; None where no look has told yet."""
        return None if self._did_without is None else key in self._did_without

    def _interval(self) -> Report:
        watch, cursor = self._prepared()
        if cursor.baselined_at is None:
            report = self.looks.first(watch, cursor)
            log.info("baseline.finished", form=self.form, documents=report.documents)
            self.condition.baselined = True
            if watch.open_where:
                self._count(self._opened(watch, cursor))
            return report
        self.condition.baselined = True
        if not watch.by_dates or cursor.layout_id != watch.layout_id:
            return self.looks.full(watch, cursor, self._usable())
        return self.looks.by_dates(watch, cursor, self._usable())

    def _sweep(self) -> Report | None:
        watch, cursor = self._prepared()
        if cursor.baselined_at is None:
            return None
        with self.db.read() as tx:
            self._keys_wanted |= ledger.is_accepted(tx, self.form, self.clock.now())
        return self._opened(watch, cursor) if watch.open_where else None

    def _opened(self, watch: Watch, cursor: FormCursor) -> Report:
        report = self.looks.open(watch, self._usable())
        # An alarm is looked at again when something comes back, not at every sweep.
        self._keys_wanted |= report.returned if cursor.alarm else report.vanished
        return report

    def _reconcile(self) -> Report | None:
        watch, cursor = self._prepared()
        if cursor.baselined_at is None or not watch.by_dates:
            self._keys_wanted = False  # a form without dates is compared whole each time, deletions included
            return None

        reports: list[Report] = []

        def others() -> list[str]:
            if watch.by_dates:
                reports.append(self.looks.by_dates(watch, self._cursor(watch), self._usable()))
                self._count(reports[-1])
            if watch.open_where:
                reports.append(self.looks.open(watch, self._usable()))
                self._count(reports[-1])
            return [key for one in reports for key in one.unreadable]

        report = Report("keys")
        try:
            self.looks.by_keys(watch, cursor, self._usable(), others, report)
        except EdgeError:
            self._count_missed(report)
            raise
        # Not before: where the look failed it is still wanted; and so it is where documents vanished while it went on.
        self._keys_wanted = not report.alarm and any(one.vanished for one in reports)
        return report

    def _in_turn(self, name: str, look: Callable[[], Report | None]) -> Report | None:
        """Run a look now; while another one is running, leave it to that one to run it afterwards."""
        with self._queueing:
            self._waiting[name] = look
        report = None
        while self._waiting and self._lock.acquire(blocking=False):
            try:
                while self._waiting:
                    with self._queueing:
                        first = next(iter(self._waiting))
                        look = self._waiting.pop(first)
                    report = self._guarded(first, look)
            finally:
                self._lock.release()
        return report

    def _guarded(self, name: str, look: Callable[[], Report | None]) -> Report | None:
        """Run a look unless a failure asked for a pause; failures end here, classified."""
        self._take_over()
        if self.condition.setbacks.pauses(name):
            return None
        if self.guard.waits():
            self._settle()  # what an earlier process gathered need not wait for Kingdee
            return None
        try:
            report = self._settled(look)
        except HeldBackError:
            return None  # another form's look was faster to find out whether Kingdee is there
        except UnknownFieldError as error:
            self._field_is_missing(name, error)
            return None
        except EdgeError as error:
            self._failed(name, error)
            return None
        except StoreUnusableError:
            raise  # it says itself why, and it is no form's failure
        except Exception as error:
            said = f"kdsync could not look at it ({type(error).__name__})"
            self._failed(name, EdgeError("kdsync", FailureKind.REFUSED, "broke", said, cure=REPORT))
            raise
        else:
            if report is not None:  # it did look
                self._succeeded(name, report)
            return report
        finally:
            self.condition.last_end = self.clock.now()

    def _settled(self, look: Callable[[], Report | None]) -> Report | None:
        """Run a look and settle what it gathered, were it only half of it; before that, what is left of another."""
        self._settle()
        try:
            report = look()
        except EdgeError:
            self._settle()
            raise
        self._settle()
        return report

    def _settle(self) -> None:
        self.looks.ingest.settle.look(self.form, self.matcher, self._watch.facts.title if self._watch else {})

    def _succeeded(self, name: str, report: Report) -> None:
        self.condition.setbacks.succeeded(name)
        self.condition.last_ok = self.clock.now()
        if name == INTERVAL:
            self._did_without = self._without
        self._count(report)

    def _count(self, report: Report) -> None:
        labels = {"form": self.form, "look": report.look}
        self.meter.count("looks", labels=labels)
        self.meter.count("events", report.events, labels={"form": self.form})
        self._count_missed(report)
        if report.alarm:
            self.notices.raise_(f"vanished {self.form}", "vanished", form=self.form, alarm=report.alarm)
        elif report.look in ("keys", "full"):
            self.notices.clear(f"vanished {self.form}", "vanished_over", form=self.form)
        self._standing.take(report)
        if report.damaged:
            numbers = ", ".join(report.damaged[:MOST_NAMED])
            self.notices.raise_(f"damaged {self.form} {numbers}", "damaged", form=self.form, numbers=numbers)
        if report.told:
            self.on_told()
        level = log.info if report.events else log.debug
        level("poll.finished", form=self.form, look=report.look, documents=report.documents, events=report.events)

    def _count_missed(self, report: Report) -> None:
        self.meter.count("missed_changes", report.missed, labels={"form": self.form})

    def _failed(self, name: str, error: EdgeError) -> None:
        self.meter.count("look_failures", labels={"form": self.form, "kind": error.kind})
        said = {"form": self.form, "look": name, "error": str(error), "kind": error.kind, "cure": error.cure}
        if self.guard.is_open and error.kind in PASSING:
            log.info("probe.failed", **said)  # not this form's failure: the guard says when to look again
        else:
            pause = self.condition.setbacks.failed(name, error)
            log.warning("poll.failed", **said, pause=pause)

    def _field_is_missing(self, name: str, error: UnknownFieldError) -> None:
        """Go on without the field: rules that need it are reported and rest, the others are served."""
        layout = self._watch.layout if self._watch else None
        known = {key.casefold() for key in (*layout.heads, *layout.entries)} if layout else {}
        if error.field.casefold() not in known or error.field in self._without:
            self._failed(name, error)
            return
        self._without |= {error.field}
        self._watch = None
        resting = [rule.id for rule in self.matcher.ruleset.of(self.form) if rule.needs.include(error.field)]
        log.error("field.unknown", form=self.form, field=error.field, rules=resting)
        if resting:
            said = {"form": self.form, "field": error.field, "rules": ", ".join(resting)}
            self.notices.raise_(f"field {self.form} {error.field}", "field_unknown", **said)

    def _usable(self) -> Matcher:
        if not self._without:
            return self.matcher
        return replace(self.matcher, ruleset=self._ruleset())

    def _ruleset(self) -> Ruleset:
        rules = self.matcher.ruleset.rules
        return Ruleset(tuple(r for r in rules if not any(r.needs.include(key) for key in self._without)))

    def _prepared(self) -> tuple[Watch, FormCursor]:
        if self._watch is None:
            ruleset = self._ruleset()
            told = self.source.facts(self.form, ruleset.needs(self.form).entries)
            known = replace(told, facts=without(told.facts, self._without))
            self._watch = prepare(self.db, self.seal, known, self.account_set, ruleset, self.section)
            log.info("form.watched", form=self.form, fields=len(self._watch.layout.heads))
        return self._watch, self._cursor(self._watch)

    def _cursor(self, watch: Watch) -> FormCursor:
        writes = self.db.writes
        if self._kept is None or self._kept[0] != writes or self._kept[1].form_id != watch.form_id:
            with self.db.read() as tx:
                self._kept = writes, forms.by_id(tx, watch.form_id)
        return self._kept[1]
