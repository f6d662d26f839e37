"""A Kingdee and a DingTalk of plain Python, a store in a temporary file, and a clock that is turned by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from kdsync.clock import Clock, FakeClock, KeptClock
from kdsync.dingtalk.messages import group_message, shows_bar, work_message
from kdsync.errors import EdgeError, FailureKind, UnknownFieldError
from kdsync.model import Content, Facts, Layout, Offered, Page, Priority, Row
from kdsync.rules.compile import CompiledRule, compile_rule
from kdsync.rules.recipients import parse_recipient
from kdsync.rules.ruleset import Ruleset
from kdsync.rules.schema import RuleSection
from kdsync.services.address import Address
from kdsync.services.dispatch import Dispatch
from kdsync.services.guard import CONTACTS, KINGDEE, Guard
from kdsync.services.guarded import GuardedContacts, GuardedKingdee
from kdsync.services.ingest import Ingest
from kdsync.services.looks import Looks
from kdsync.services.match import Matcher
from kdsync.services.notices import Notices
from kdsync.services.outages import Outages
from kdsync.services.people import People
from kdsync.services.ports import KingdeeIdentity, Known, Sure
from kdsync.services.receipts import Receipts
from kdsync.services.settle import Settle
from kdsync.services.watcher import Watcher
from kdsync.settings.schema import Directory, FormSection, MainFile, Settings
from kdsync.store import holds, notifications, outbox
from kdsync.store.database import Database
from kdsync.store.sealing import Seal

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # ten in the morning in Shanghai
FORM = "AP_PAYBILL"
OUTCOMES = {
    "lost": FailureKind.UNKNOWN_OUTCOME,  # it was shown, and the answer never came
    "cut": FailureKind.UNKNOWN_OUTCOME,  # it never came there
    "transient": FailureKind.TRANSIENT,
    "slow down": FailureKind.RATE_LIMITED,
    "refused": FailureKind.REFUSED,
    "no template": FailureKind.CONFIGURATION,
}
APPROVED = {
    "id": "approved",
    "form": FORM,
    "on": ["approved"],
    "to": ["user:u1", "user:u2"],
    "message": {"title": "{{ doc.FBillNo }} approved", "body": "{{ doc.FAmount }}"},
}


def rule(**changes: Any) -> RuleSection:
    """A rule of AP_PAYBILL; `on` and `to` as lists."""
    return RuleSection.model_validate_json(json.dumps({**APPROVED, **changes}))


def rules(*changes: dict[str, Any]) -> list[RuleSection]:
    """Several rules, each with its changes."""
    return [rule(**change) for change in changes]


class Time(KeptClock):
    """kdsync's time on a machine whose clock is turned by hand."""

    def __init__(self, start: datetime) -> None:
        self.fake = FakeClock(start)
        super().__init__(self.fake)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.fake.advance(seconds)


class FakeKingdee:
    """Documents of one form as dictionaries; looks are answered in pages of `page_size`."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.documents: dict[int, dict[str, Any]] = {}
        self.known = Facts(FORM, entry="FEntry")
        self.page_size = 50
        self.visible = True
        self.unknown: set[str] = set()
        self.failures: list[EdgeError] = []
        self.queries: list[str] = []
        self.people: dict[str, KingdeeIdentity] = {}
        self.skew = timedelta(0)
        self.hidden: set[int] = set()  # deleted, or not to be seen
        self.cut = 0  # so many rows does the next answer lose
        self.doubled: tuple[str, ...] = ()
        self.fail_in = 0  # at which answer from now on it fails; 0: never

    def now(self) -> str:
        moment = (self.clock.now() + self.skew).astimezone(ZONE).replace(tzinfo=None)
        return moment.isoformat(timespec="milliseconds").rstrip("0").rstrip(".")

    def create(self, status: str = "A", number: str | None = None, **values: Any) -> int:
        ident = 100_001 + len(self.documents)
        dates = {"FCreateDate": self.now(), "FModifyDate": self.now(), "FApproveDate": None}
        standard = {"FID": ident, "FBillNo": number or f"K{ident}", "FDocumentStatus": "A", "FCancelStatus": "A"}
        people = {"FCreatorId": 0, "FModifierId": 0, "FApproverId": 0}
        self.documents[ident] = {
            **standard,
            "FCloseStatus": "A",
            "FAmount": 1.0,
            "entries": [],
            **people,
            **dates,
            **values,
        }
        if status != "A":
            self.move(ident, status)
        return ident

    def move(self, ident: int, status: str) -> None:
        """A change of status: only an approval moves a date."""
        approved = {"FApproveDate": self.now()} if status == "C" else {}
        self.documents[ident] |= {"FDocumentStatus": status, **approved}

    def edit(self, ident: int, **values: Any) -> None:
        self.documents[ident] |= {**values, "FModifyDate": self.now()}

    def write_back(self, ident: int, **values: Any) -> None:
        self.documents[ident] |= values

    def facts(self, form: str, rows: Iterable[str]) -> Known:
        self._fail()
        rows_are_of = self.known.entry if list(rows) else None
        return Known(replace(self.known, form=form, entry=rows_are_of))

    def pages(
        self, layout: Layout, where: str, *, after: Any = None, ahead: bool = False, sure: Sure | None = None
    ) -> Iterator[Page]:
        assert ahead or after is None, "only a first look goes on somewhere"
        self._fail()
        self.queries.append(where)
        for key in (*layout.heads, *layout.entries):
            if key in self.unknown:
                raise UnknownFieldError(key, f"no field {key}")
        rows = [
            _row(d, layout) for i, d in sorted(self.documents.items()) if self._matches(d, where) and i > (after or 0)
        ]
        rows = rows if self.visible else []
        rows, short = self._cut(rows, sure)
        for start in range(0, len(rows), self.page_size):
            self._fail()
            yield Page(rows[start : start + self.page_size], self._server_now(), last=False)
        yield Page([], self._server_now(), last=True, short=short, doubled=self.doubled)

    def _cut(self, rows: list[Row], sure: Sure | None) -> tuple[list[Row], bool]:
        """What is left of an answer that is cut short; whoever makes sure gets the rest after all."""
        cut, self.cut = self.cut, 0
        left = rows[: len(rows) - cut]
        short = cut > 0 and bool(left) and sure is not None and sure(left, self._server_now())
        return (rows if short else left), short

    def by_ids(self, layout: Layout, ids: Sequence[str]) -> Iterator[Page]:
        self._fail()
        there = [int(i) for i in ids if int(i) in self.documents and int(i) not in self.hidden and self.visible]
        rows = [_row(self.documents[i], layout) for i in there]
        yield Page(rows, self._server_now(), last=True)

    def forget(self) -> None:
        """Nothing is learned."""

    def person(self, key: str, lookup: str) -> KingdeeIdentity | None:
        assert lookup in ("", "SEC_User", "BD_Empinfo")
        return self.people.get(f"{lookup} {key}") or self.people.get(key)

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.fail_in -= 1
        if self.fail_in == 0:
            raise EdgeError("kingdee", FailureKind.TRANSIENT, "cut", "cut")

    def _server_now(self) -> datetime:
        return self.clock.now() + self.skew

    def _matches(self, document: Mapping[str, Any], where: str) -> bool:
        if document["FID"] in self.hidden:
            return False
        if not where:
            return True
        if " in ('Z'" in where:
            alive = "FAlive" in where and document.get("FAlive") == "yes"
            return document["FDocumentStatus"] in ("Z", "A", "B", "D", " ") or alive
        since = where.split(">='")[1][:19].replace(" ", "T")
        return any(str(document[key] or "") >= since for key in ("FModifyDate", "FCreateDate", "FApproveDate"))


def _row(document: Mapping[str, Any], layout: Layout) -> Row:
    heads = [document.get(key) for key in layout.heads]
    entries = [[entry.get(key) for key in layout.entries] for entry in document["entries"]]
    return [*heads, entries] if layout.entries else heads


@dataclass
class FakeDingTalk:
    """Takes messages; what it was told to do instead happens first."""

    sent: list[tuple[tuple[str, ...], bytes]] = field(default_factory=list)
    posted: list[tuple[str, bytes, str]] = field(default_factory=list)
    failures: list[EdgeError | None] = field(default_factory=list)
    calls: int = 0
    mobiles: dict[str, str] = field(default_factory=dict)
    managers: dict[str, str] = field(default_factory=dict)
    departments: dict[str, list[str]] = field(default_factory=dict)
    down: EdgeError | None = None
    lookups: int = 0
    outcomes: list[str] = field(default_factory=list)  # of the next sends, by name
    shown: list[tuple[tuple[str, ...], bytes]] = field(default_factory=list)  # what people really see
    has_cards: bool = False
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)  # by track: to, face, line, open, private
    unseen: dict[str, str] = field(default_factory=dict)  # who gets no card, and why
    updates: int = 0
    during: Callable[[], object] | None = None  # happens while it is told of the next change of a card
    mute: bool = False  # it does not tell whether there is a card
    bars: list[tuple[str, str, str]] = field(default_factory=list)  # changed ones: task, text, status

    def compose_card(self, content: Content, actions: Sequence[Offered], locale: str) -> bytes:
        return json.dumps([content.title, content.body, [action.title(locale) for action in actions]]).encode()

    def send_card(self, track: str, userids: Sequence[str], face: bytes) -> Mapping[str, str]:
        self._turn()
        outcome, already = self.outcomes.pop(0) if self.outcomes else "ok", track in self.cards
        if outcome in ("ok", "lost") and not already:
            to = [userid for userid in userids if userid not in self.unseen]
            self.cards[track] = {"to": to, "face": json.loads(face), "line": "", "open": True, "private": {}}
        if outcome != "ok":
            raise failure(OUTCOMES[outcome], retry_after=2 if outcome == "slow down" else None)
        return {} if already else {userid: self.unseen[userid] for userid in userids if userid in self.unseen}

    def has_card(self, track: str, face: bytes) -> bool:
        if self.mute:
            raise failure(FailureKind.CONFIGURATION)
        return track in self.cards and self.cards[track]["face"] == json.loads(face)

    def update_card(self, track: str, face: bytes, line: str, *, is_open: bool, private: Mapping[str, str]) -> None:
        self.updates += 1
        outcome = self.outcomes.pop(0) if self.outcomes else "ok" if track in self.cards else "refused"
        during, self.during = self.during, None
        if during:
            during()
        if outcome in ("ok", "lost"):
            private = {**self.cards[track]["private"], **private}
            self.cards[track] |= {"line": line, "open": is_open, "private": private, "face": json.loads(face)}
        if outcome != "ok":
            raise failure(OUTCOMES[outcome], retry_after=2 if outcome == "slow down" else None)

    def compose(
        self, channel: str, content: Content, footer: str, *, priority: Priority, button: str, bar: str = ""
    ) -> bytes:
        if channel == "work":
            return work_message(content, footer, priority=priority, button=button, bar=bar)
        return group_message(content, footer, priority=priority)

    def shows_bar(self, message: bytes) -> bool:
        return shows_bar(message)

    def change_bar(self, task: str, text: str, status: str) -> None:
        self.updates += 1
        outcome = self.outcomes.pop(0) if self.outcomes else "ok"
        if outcome in ("ok", "lost"):
            self.bars.append((task, text, status))
        if outcome != "ok":
            raise failure(OUTCOMES[outcome], retry_after=2 if outcome == "slow down" else None)

    def send_work(self, userids: Sequence[str], message: bytes) -> str:
        self._turn()
        outcome = self.outcomes.pop(0) if self.outcomes else "ok"
        if outcome in ("ok", "lost"):
            self._show(userids, message)
        if outcome != "ok":
            raise failure(OUTCOMES[outcome], retry_after=2 if outcome == "slow down" else None)
        self.sent.append((tuple(userids), message))
        return f"task{len(self.sent)}"

    def send_group(self, name: str, message: bytes, ident: str) -> str:
        self._turn()
        self.posted.append((name, message, ident))
        return ""

    def by_mobile(self, mobile: str) -> str | None:
        self._lookup()
        return self.mobiles.get(mobile)

    def by_job_number(self, number: str) -> str | None:
        self._lookup()
        return {"J7": "u7"}.get(number)

    def exists(self, userid: str) -> bool:
        return userid.startswith("u")

    def manager_of(self, userid: str) -> str | None:
        self._lookup()
        return self.managers.get(userid)

    def members_of(self, dept_id: str) -> Sequence[str]:
        self._lookup()
        return self.departments.get(dept_id, [])

    def seen(self, userid: str) -> list[str]:
        """The texts a person got, as JSON."""
        return [message.decode() for users, message in self.sent if userid in users]

    def _show(self, userids: Sequence[str], message: bytes) -> None:
        """A person sees the same content once a day."""
        had = {user for users, shown in self.shown if shown == message for user in users}
        self.shown.append((tuple(user for user in userids if user not in had), message))

    def _turn(self) -> None:
        self.calls += 1
        failure = self.failures.pop(0) if self.failures else None
        if failure:
            raise failure

    def _lookup(self) -> None:
        self.lookups += 1
        if self.down:
            raise self.down


class Counts:
    """Counts what is counted."""

    def __init__(self) -> None:
        self.counters: dict[str, float] = {}
        self.labels: list[Mapping[str, str]] = []

    def count(self, name: str, amount: float = 1, labels: Mapping[str, str] | None = None) -> None:
        self.counters[name] = self.counters.get(name, 0) + amount
        self.labels.append(labels or {})

    def gauge(self, name: str, value: float, labels: Mapping[str, str] | None = None) -> None:
        """Not looked at."""

    def gauges(self, name: str, label: str, values: Mapping[str, float]) -> None:
        """Not looked at."""

    def observe(self, name: str, value: float) -> None:
        """Not looked at."""


class World:
    """The services around the two fakes, or around more elaborate ones."""

    def __init__(
        self,
        folder: Path,
        kingdee: Callable[[Time], FakeKingdee] = FakeKingdee,
        dingtalk: Callable[[], FakeDingTalk] = FakeDingTalk,
        clock: Time | None = None,
        db: Database | None = None,
    ) -> None:
        self.clock = clock or Time(START)
        self.kingdee, self.dingtalk, self.meter = kingdee(self.clock), dingtalk(), Counts()
        self.db, self.seal = db or Database(f"sqlite:///{folder}/kdsync.db"), Seal()
        if db is None:
            self.db.migrate()
        self.settings = _settings()
        self.notices = Notices(self.db, self.seal, self.clock, lambda: self.settings, lambda: ("zh", "en"))
        self.random = Random(7)
        self.guards()
        self.people = People(self.db, self.guarded, self.contacts, self.clock, lambda: self.settings.directory)
        self.address = Address(
            self.db, self.seal, self.people, self.dingtalk, self.clock, lambda: self.settings, self.notices
        )
        self.dispatch = Dispatch(self.db, self.seal, self.dingtalk, self.clock, self.random, self.meter, self.notices)
        self.settle = Settle(self.db, self.seal, self.clock, self.meter, self.notices)
        ingest = Ingest(self.db, self.seal, self.clock, self.settle)
        self.looks = Looks(self.db, self.guarded, ingest, self.clock, ZONE, lookback=lambda: 60.0)
        self.receipts = Receipts(self.db, self.seal, self.contacts, self.clock, self.meter, self.notices)
        self.watcher = self.watch(rule())

    def guards(self) -> None:
        """The guards before both systems, as a new process has them."""
        outages = Outages(self.notices)
        self.guard = Guard(holds.KINGDEE, "kingdee", KINGDEE, self.db, outages, self.random)
        book = Guard(holds.CONTACTS, "dingtalk", CONTACTS, self.db, outages, self.random, on_back=self._wake)
        self.guarded = GuardedKingdee(self.kingdee, self.guard)
        self.contacts = GuardedContacts(self.dingtalk, book)

    def _wake(self) -> None:
        with self.db.write() as tx:
            notifications.wake(tx, self.clock.now())

    def watch(self, *rules: RuleSection, section: FormSection | None = None, form: str = FORM) -> Watcher:
        """A new watcher on the same store, as after a restart."""
        self.watcher = Watcher(
            form=form,
            db=self.db,
            seal=self.seal,
            source=self.guarded,
            guard=self.guard,
            looks=self.looks,
            clock=self.clock,
            meter=self.meter,
            notices=self.notices,
            account_set="acct",
            matcher=self.matcher(*rules),
            section=section or FormSection(),
            on_told=lambda: None,
        )
        return self.watcher

    def matcher(self, *rules: RuleSection) -> Matcher:
        """A matcher for some rules."""
        ruleset = Ruleset(tuple(_compiled(one) for one in rules))
        return Matcher("acct", ruleset, ZONE, ("zh", "en"), (parse_recipient("user:ops"),))

    def configure(self, **directory: Any) -> None:
        """Another directory."""
        self.settings = self.settings.model_copy(update={"directory": Directory(**directory)})

    def poll(self, seconds: float = 10.0) -> None:
        """Let an interval pass and look."""
        self.clock.advance(seconds)
        self.watcher.tick()

    def deliver(self, turns: int = 50) -> None:
        """Address and send until nothing is due."""
        for _ in range(turns):
            if not self.address.step() + self.dispatch.step():
                return

    def letters(self, *states: str) -> list[outbox.Letter]:
        """Rows of the outbox."""
        with self.db.read() as tx:
            return [letter for letter, _rule, _number in outbox.listing(tx, self.seal, states=states)]


def _compiled(one: RuleSection) -> CompiledRule:
    """Most worlds have the same few rules."""
    key = repr(one)
    if key not in _KNOWN:
        _KNOWN[key] = compile_rule(one)
    return _KNOWN[key]


_KNOWN: dict[str, CompiledRule] = {}


@cache
def _settings() -> Settings:
    kingdee = {"url": "https://erp.example.com/K3Cloud/", "acct_id": "acct", "username": "kdsync"}
    dingtalk = {"client_id": "ding", "client_secret": {"env": "X"}, "agent_id": 1}
    main = MainFile.model_validate(
        {"kingdee": kingdee, "dingtalk": dingtalk, "fallback": ("user:ops",)},
        context={"secrets": lambda _written: "secret-value", "base": Path("/")},
    )
    return Settings(main=main, directory=Directory(), rules=(), base=Path("/"), listen=None)


def failure(kind: FailureKind, *, retry_after: float | None = None, code: str = "x") -> EdgeError:
    """A failure of DingTalk."""
    return EdgeError("dingtalk", kind, code, "no", cure="mend it", retry_after=retry_after)
