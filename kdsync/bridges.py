"""The two edges in the shapes that the services ask for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from kdsync.clock import Clock
from kdsync.dingtalk.contacts import Contact, Contacts
from kdsync.errors import StoreUnusableError
from kdsync.kingdee import catalogue, metadata, query
from kdsync.kingdee.account import Account
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.metadata import Metadata
from kdsync.kingdee.people import People
from kdsync.kingdee.workflow import Workflow
from kdsync.model import Layout, Page, Task
from kdsync.services.ports import KingdeeIdentity, Known, Sure
from kdsync.store import ledger
from kdsync.store.database import Database

BOOK_FRESH = 12 * 3600.0  # seconds
MEMBERS_FRESH = 300.0  # seconds; a department with many below it takes a call for each, and more for large ones


@dataclass
class KingdeeSource:
    """Looking at forms: `services.ports.Source`, `Staff` and `Tasks`."""

    client: KingdeeClient
    page_size: int = 2000
    _learned: dict[str, Metadata] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._people = People(self.client)
        self._workflow = Workflow(self.client)

    def facts(self, form: str, rows: Iterable[str]) -> Known:
        """The built-in table, refined by Kingdee's own metadata where it can be read."""
        told = self._learned.get(form)
        if told is None:
            facts, told = metadata.learn(self.client, form)
            if told is None:
                return Known(replace(facts, form=form))  # asked for again when the form is prepared again
            self._learned[form] = told
        facts = metadata.refine(catalogue.facts_without_metadata(form), told, rows)
        return Known(replace(facts, form=form), told.entry_of, _lookup_of(told), _key_of(told))

    def pages(
        self,
        layout: Layout,
        where: str,
        *,
        after: str | int | None = None,
        ahead: bool = False,
        sure: Sure | None = None,
    ) -> Iterator[Page]:
        """Keyset pages by primary key."""
        key = None if after is None else (after,)
        return query.pages(self.client, layout, where, page_size=self.page_size, after=key, ahead=ahead, sure=sure)

    def by_ids(self, layout: Layout, ids: Sequence[str]) -> Iterator[Page]:
        """Documents by primary key."""
        return query.by_ids(self.client, layout, ids)

    def forget(self) -> None:
        """Ask for metadata anew."""
        self._learned.clear()

    def person(self, key: str, lookup: str) -> KingdeeIdentity | None:
        """A user or employee."""
        found = self._people.person(key, lookup)
        return KingdeeIdentity(found.account, found.name, found.mobile, found.job_number) if found else None

    def pending(self, forms: Sequence[str]) -> list[Task]:
        """Everything that waits for somebody."""
        return self._workflow.pending(forms)

    def some(self, layout: Layout) -> Iterator[Page]:
        """A page with the first few documents, if there are any."""
        yield next(query.pages(self.client, layout, page_size=2))


@dataclass
class DingTalkBook:
    """DingTalk's directory: `services.ports.Contacts`. Job numbers can only be found by reading everybody."""

    contacts: Contacts
    clock: Clock
    _by_number: dict[str, list[str]] = field(default_factory=dict)
    _read_at: float | None = None  # monotonic
    _members: dict[str, tuple[float, list[str]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def by_mobile(self, mobile: str) -> str | None:
        """The userid of a phone number."""
        return self.contacts.by_mobile(mobile)

    def by_job_number(self, number: str) -> str | None:
        """The userid of a job number; None where nobody or more than one person has it."""
        with self._lock:
            if self._read_at is None or self.clock.monotonic() - self._read_at > BOOK_FRESH:
                self._by_number = _by_job_number(self.contacts.everybody())
                self._read_at = self.clock.monotonic()
        found = self._by_number.get(number, [])
        return found[0] if len(found) == 1 else None

    def exists(self, userid: str) -> bool:
        """Whether the app can see that person."""
        return self.contacts.user(userid) is not None

    def name(self, userid: str) -> str:
        """What somebody is called; "" for whom the app cannot see."""
        found = self.contacts.user(userid)
        return found.name if found else ""

    def manager_of(self, userid: str) -> str | None:
        """Somebody's manager."""
        return self.contacts.manager_of(userid)

    def members_of(self, dept_id: str) -> Sequence[str]:
        """The members of a department; those below it are included."""
        with self._lock:
            now, (read_at, members) = self.clock.monotonic(), self._members.get(dept_id, (None, []))
            if read_at is None or now - read_at > MEMBERS_FRESH:
                members = self.contacts.members_below(int(dept_id))
                self._members[dept_id] = (now, members)
        return members


@dataclass
class CallLedger:
    """Counts calls in memory and writes them down now and then: a write for each call would double the work."""

    db: Database
    clock: Clock
    month_of: Callable[[datetime], str]
    _counts: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, api: str, metered: bool) -> None:
        """One call of an API."""
        with self._lock:
            self._counts[self.month_of(self.clock.now()), api, metered] += 1

    def flush(self) -> None:
        """Write down what was counted."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        try:
            self._write(counts)
        except StoreUnusableError:
            with self._lock:
                self._counts += counts  # for the next time
            raise

    def _write(self, counts: Counter[tuple[str, str, bool]]) -> None:
        if counts:
            with self.db.write() as tx:
                for (month, api, metered), count in counts.items():
                    ledger.count_call(tx, month, api, metered=metered, count=count)


@dataclass(frozen=True, slots=True)
class RefusedLogins:
    """Refused passwords, remembered across restarts: an account locks after five."""

    db: Database

    def failures(self, since: datetime) -> int:
        """How many since then."""
        with self.db.read() as tx:
            return ledger.refused_logins(tx, since)

    def record(self, at: datetime) -> None:
        """Note one."""
        with self.db.write() as tx:
            ledger.refuse_login(tx, at)


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """The account set behind an id, remembered across restarts: `kingdee.account.AccountBook`."""

    db: Database
    clock: Clock
    acct_id: str

    def known(self) -> Account | None:
        """What earlier logins named."""
        with self.db.read() as tx:
            found = ledger.fact(tx, ledger.ACCOUNT + self.acct_id)
        return Account(*orjson.loads(found)) if found else None

    def remember(self, account: Account) -> None:
        """Note what a login named."""
        with self.db.write() as tx:
            ledger.put_fact(tx, ledger.ACCOUNT + self.acct_id, orjson.dumps(list(account)).decode(), self.clock.now())


def _lookup_of(told: Metadata) -> Callable[[str], str]:
    def lookup(key: str) -> str:
        found = told.field_of(key.partition(".")[0])
        return found.lookup if found else ""

    return lookup


def _key_of(told: Metadata) -> Callable[[str], str | None]:
    def key(wanted: str) -> str | None:
        found = told.field_of(wanted)
        return found.key if found else None

    return key


def _by_job_number(contacts: Iterator[Contact]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for contact in contacts:
        if contact.job_number and contact.active:
            mine = found.setdefault(contact.job_number, [])
            if contact.userid not in mine:
                mine.append(contact.userid)
    return found
