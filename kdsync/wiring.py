"""Joins the edges to the services: everything that a running kdsync consists of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from random import Random

from kdsync import logs
from kdsync.answering import Answering
from kdsync.bridges import CallLedger, DingTalkBook, KingdeeSource, KnownAccount, RefusedLogins
from kdsync.clock import Clock, KeptClock
from kdsync.courier import DingTalkCourier
from kdsync.dingtalk.cards import Cards
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.contacts import Contacts
from kdsync.dingtalk.groups import GroupRobots
from kdsync.dingtalk.work import WorkNotices
from kdsync.errors import StoreUnusableError
from kdsync.kingdee.client import KingdeeClient
from kdsync.metrics import Metrics
from kdsync.rules.ruleset import Ruleset
from kdsync.services import guard
from kdsync.services.address import Address
from kdsync.services.bills import Bills
from kdsync.services.dispatch import Dispatch
from kdsync.services.guard import Guard
from kdsync.services.guarded import GuardedContacts, GuardedKingdee, GuardedTasks
from kdsync.services.ingest import Ingest
from kdsync.services.looks import Looks
from kdsync.services.match import Matcher
from kdsync.services.notices import Notices
from kdsync.services.outages import Outages, channels_of
from kdsync.services.people import People
from kdsync.services.receipts import Receipts
from kdsync.services.settle import Settle
from kdsync.services.tasks import TaskWatch, task_forms
from kdsync.services.timekeeping import Timekeeper, first_time
from kdsync.services.upkeep import Upkeep, month_of
from kdsync.services.watcher import Watcher
from kdsync.settings.load import Loaded
from kdsync.settings.schema import FormSection, Settings
from kdsync.store import forms, holds, ledger, moments, notifications
from kdsync.store.database import Database, hold_lock
from kdsync.store.sealing import Seal

log = logs.get("wiring")
RESTART_FOR = ("kingdee", "dingtalk", "store", "listen")


class Wired:
    """A whole kdsync at rest: nothing runs until the daemon makes it."""

    def __init__(self, loaded: Loaded, clock: Clock, random: Random) -> None:
        self.settings: Settings = loaded.settings
        self.ruleset: Ruleset = loaded.ruleset
        self.actions, self.intakes = loaded.actions, loaded.intakes
        self.meter = Metrics()
        self.on_told: Callable[[], None] = lambda: None
        self._random = random
        self._turn = 0  # whose turn it is to look whether Kingdee is back
        self._back = threading.Event()
        self.watchers: dict[str, Watcher] = {}
        self._left: dict[str, Watcher] = {}  # a look of theirs may still go on, and nobody else looks beside it
        self._open_store(clock)
        self._connect_kingdee()
        self._connect_dingtalk()
        self._build_services()
        self._watch_forms()
        self.settle.leftovers(self._matcher())

    def adopt(self, loaded: Loaded) -> None:
        """Take over changed rules, directory, fallback and polling; connections need a restart."""
        for section in RESTART_FOR:
            if getattr(loaded.settings.main, section) != getattr(self.settings.main, section):
                log.warning("reload.needs_restart", section=section)
        self.settings, self.ruleset = loaded.settings, loaded.ruleset
        self.actions, self.intakes = loaded.actions, loaded.intakes
        self.source.forget()
        self._watch_forms()

    def next_due(self) -> datetime | None:
        """When there will be something to address or to send."""
        with self.db.read() as tx:
            found = notifications.next_due(tx, self.clock.now())
        due = (moments.parse(found) if found else None, self.dispatch.next_due(), self.answering.cards.next_due())
        return min((moment for moment in due if moment), default=None)

    def close(self) -> None:
        """Write down what is only in memory and let go of everything."""
        with suppress(StoreUnusableError):  # which the log has said
            self.calls.flush()
        for one in (self.answering, self.kingdee, self.dingtalk, self.db, self._lock):
            one.close()

    def locales(self) -> tuple[str, ...]:
        """The languages that somebody reads; Chinese where nothing else is said."""
        return tuple(sorted({"zh", *self.settings.directory.locales.values()}))

    def _open_store(self, clock: Clock) -> None:
        store = self.settings.main.store
        self.db = Database(store.url)
        self._lock = hold_lock(self.db.path)
        self.db.migrate()
        self.seal = Seal.of(store.key)
        with self.db.write() as tx:
            self.clock = KeptClock(clock, first_time(clock.now(), ledger.sign_of_life(tx)))
            ledger.prove_key(tx, self.seal, self.clock.now())

    def _connect_kingdee(self) -> None:
        section = self.settings.main.kingdee
        self.kingdee = KingdeeClient(
            section,
            self.clock,
            random=self._random,
            ledger=RefusedLogins(self.db),
            book=KnownAccount(self.db, self.clock, section.acct_id),
            on_call=lambda call: self.meter.count("kingdee_calls", labels={"service": call.service}),
        )
        self.source = KingdeeSource(self.kingdee)

    def _connect_dingtalk(self) -> None:
        section = self.settings.main.dingtalk
        self.calls = CallLedger(self.db, self.clock, month_of)
        self.dingtalk = DingTalkClient(section, self.clock, on_call=self._dingtalk_called)
        notices, robots = WorkNotices(self.dingtalk), GroupRobots(self.dingtalk)
        has_cards = bool(section.card_template) and section.stream
        self.courier = DingTalkCourier(notices, robots, Cards(self.dingtalk, section.card_template), has_cards)
        self.book = DingTalkBook(Contacts(self.dingtalk), self.clock)

    def _dingtalk_called(self, api: str, metered: bool) -> None:
        self.calls(api, metered)
        self.meter.count("dingtalk_calls", labels={"api": api, "metered": "yes" if metered else "no"})

    def _build_services(self) -> None:
        db, seal, clock = self.db, self.seal, self.clock
        main = self.settings.main
        self.notices = Notices(db, seal, clock, lambda: self.settings, self.locales)
        self._build_guards()
        self.people = People(db, self.asked, self.contacts, clock, lambda: self.settings.directory)
        self.address = Address(db, seal, self.people, self.courier, clock, lambda: self.settings, self.notices)
        self.dispatch = Dispatch(db, seal, self.courier, clock, self._random, self.meter, self.notices)
        self.receipts = Receipts(db, seal, self.contacts, clock, self.meter, self.notices)
        self.settle = Settle(db, seal, clock, self.meter, self.notices)
        self.tasks = self._task_watch()
        self.answering = self._answering()
        self.looks = Looks(
            db=db,
            source=self.asked,
            ingest=Ingest(db, seal, clock, self.settle),
            clock=clock,
            zone=main.kingdee.timezone,
            lookback=lambda: self.settings.main.poll.lookback,
            progress=self._progress,
        )
        self.upkeep = Upkeep(
            db=db,
            clock=clock,
            meter=self.meter,
            notices=self.notices,
            people=self.people,
            watchers=self.watched,
            monthly_calls=lambda: self.settings.main.dingtalk.monthly_calls,
            channels=lambda: channels_of(self.settings.main, has_cards=self.courier.has_cards),
            flush=self.calls.flush,
            log_trouble=logs.trouble,
        )
        self.timekeeper = Timekeeper(
            db=db,
            clock=clock,
            meter=self.meter,
            notices=self.notices,
            settings=lambda: self.settings,
            watchers=self.watched,
            clocks={"kingdee": self.kingdee.server_clock, "dingtalk": self.dingtalk.server_clock},
            ask=self.dingtalk.ask_time,
        )

    def _answering(self) -> Answering:
        return Answering(
            self.db,
            self.seal,
            self.clock,
            random=self._random,
            meter=self.meter,
            kingdee=self.kingdee,
            source=self.asked,
            dingtalk=self.dingtalk,
            people=self.people,
            notices=self.notices,
            courier=self.courier,
            name=self.book.name,
            loaded=lambda: (self.settings, self.actions, self.intakes),
            locales=self.locales,
        )

    def _task_watch(self) -> TaskWatch:
        return TaskWatch(
            tasks=GuardedTasks(self.source, self.guard),
            bills=Bills(self.db, self.asked),
            settle=self.settle,
            account_set=self.settings.main.kingdee.acct_id,
            forms=lambda: task_forms(self.ruleset, self.actions),
            watchers=self.watched,
            on_told=lambda: self.on_told(),  # noqa: PLW0108  # the daemon replaces it later
        )

    def _build_guards(self) -> None:
        outages, random = Outages(self.notices), self._random
        self.guard = Guard(
            holds.KINGDEE,
            "kingdee",
            guard.KINGDEE,
            self.db,
            outages,
            random,
            callers=lambda: len(self.watchers),
            on_back=self._kingdee_is_back,
        )
        book = Guard(holds.CONTACTS, "dingtalk", guard.CONTACTS, self.db, outages, random, on_back=self._wake)
        self.asked = GuardedKingdee(self.source, self.guard)
        self.contacts = GuardedContacts(self.book, book)

    def _kingdee_is_back(self) -> None:
        self._back.set()
        self._wake()

    def _wake(self) -> None:
        """Whose people could not be looked up need not wait any longer."""
        with self.db.write() as tx:
            notifications.wake(tx, self.clock.now())
        self.on_told()

    def seek(self) -> None:
        """While Kingdee is down, let one form try when it is time; when it is back, let all of them look."""
        if self.guard.is_due():
            self._turn += 1
            watchers = [watcher for _, watcher in sorted(self.watched().items())]
            watchers[self._turn % len(watchers)].tick()
        if self._back.is_set():
            self._back.clear()
            for watcher in self.watched().values():
                watcher.tick()

    def watched(self) -> dict[str, Watcher]:
        """Today's watchers: a reload may change them under whoever goes through them."""
        return dict(self.watchers)

    def _progress(self, form: str, documents: int) -> None:
        if watcher := self.watchers.get(form):  # it may have been left meanwhile
            watcher.condition.progress = documents
        log.info("baseline.progress", form=form, documents=documents)

    def _watch_forms(self) -> None:
        self.people.follow_directory()
        with self.db.read() as tx:
            self.ruleset = forms.as_stored(tx, self.settings.main.kingdee.acct_id, self.ruleset)
        matcher = self._matcher()
        for form in sorted(set(self.watchers) - set(self.ruleset.forms)):
            log.info("form.left", form=form)
            self._left[form] = self.watchers.pop(form)
        for form in self.ruleset.forms:
            section = self.settings.main.of_form(form)
            known = self.watchers.get(form) or self._left.pop(form, None)
            if known:
                known.reload(matcher, section)
            self.watchers[form] = known or self._watcher(form, matcher, section)

    def _matcher(self) -> Matcher:
        main = self.settings.main
        account_set, zone, waiting_for = main.kingdee.acct_id, main.kingdee.timezone, self.tasks.waiting_for
        offered = {action.id: action for action in self.actions} if self.answering.wanted else {}
        return Matcher(account_set, self.ruleset, zone, self.locales(), main.fallback, waiting_for, offered)

    def _watcher(self, form: str, matcher: Matcher, section: FormSection) -> Watcher:
        return Watcher(
            form=form,
            db=self.db,
            seal=self.seal,
            source=self.asked,
            guard=self.guard,
            looks=self.looks,
            clock=self.clock,
            meter=self.meter,
            notices=self.notices,
            account_set=self.settings.main.kingdee.acct_id,
            matcher=matcher,
            section=section,
            on_told=lambda: self.on_told(),  # noqa: PLW0108  # the daemon replaces it later
        )
