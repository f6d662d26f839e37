"""Who a recipient is: from what a rule and a document say to userids of DingTalk, or to the reason why nobody is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from kdsync import logs
from kdsync.clock import Clock
from kdsync.errors import EdgeError, FailureKind
from kdsync.rules.recipients import Recipient
from kdsync.services.ports import Contacts, KingdeeIdentity, Staff
from kdsync.settings.schema import Directory
from kdsync.store import ledger, people
from kdsync.store.database import Database
from kdsync.store.people import Found
from kdsync.sync import identity

log = logs.get("people")
PHONE = re.compile(r"(\+?86[- ]?)?1\d{10}|\+\d{8,14}")
BASIS = "directory"  # fact: what people were found by
FRESH = timedelta(days=1)
MISS_FRESH = timedelta(minutes=5)  # a miss is asked again soon, but not for each of many bills at once


@dataclass(slots=True)
class Resolution:
    """Whom some recipients stand for. `missing` says in English what could not be found, one line each."""

    userids: dict[str, None] = field(default_factory=dict)
    groups: dict[str, None] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def join(self, other: Resolution) -> None:
        """Add another one's."""
        self.userids |= other.userids
        self.groups |= other.groups
        self.missing += other.missing


@dataclass(frozen=True, slots=True)
class People:
    """Finds people, and remembers them in the store. Raises EdgeError where the other side cannot be asked now."""

    db: Database
    staff: Staff
    contacts: Contacts
    clock: Clock
    directory: Callable[[], Directory]

    def follow_directory(self) -> None:
        """At a start or reload: what was found by another table, or other ways of matching, is found anew."""
        directory, now = self.directory(), self.clock.now()
        basis = identity.digest(*directory.match, *(part for pair in sorted(directory.users.items()) for part in pair))
        with self.db.write() as tx:
            if ledger.fact(tx, BASIS) != basis:
                forgotten = people.forget(tx)
                ledger.put_fact(tx, BASIS, basis, now)
                if forgotten:
                    log.info("people.forgotten", count=forgotten)

    def resolve(self, recipient: Recipient, raw: str = "", lookup: str = "") -> Resolution:
        """`raw` is the value of the document that the recipient stands for, `lookup` the form that it refers to."""
        if recipient.kind == "user":
            return Resolution({recipient.value: None})
        if recipient.kind == "group":
            return Resolution({}, {recipient.value: None})
        if recipient.kind == "role":
            return self._role(recipient)
        if recipient.kind == "dept":
            members = self.contacts.members_of(recipient.value)
            return _some(members, f"department {recipient.value} has no members that the app can see")
        if recipient.kind == "manager_of":
            return self._managers(recipient, raw, lookup)
        return self._from_document(recipient, raw, lookup)

    def find(self, raw: str, lookup: str = "") -> Found:
        """The DingTalk user of a Kingdee user, employee or phone number; from the cache while it is fresh."""
        key, now = f"{lookup}:{raw}", self.clock.now()
        with self.db.read() as tx:
            cached = people.get(tx, key)
        if cached and now - cached.refreshed_at < (FRESH if cached.userid else MISS_FRESH):
            return cached
        try:
            found = self._ask(key)
        except EdgeError as error:
            if cached and cached.userid and error.kind is not FailureKind.REFUSED:
                return cached
            raise
        with self.db.write() as tx:
            people.put(tx, found)
        log.info("person.found" if found.userid else "person.not_found", key=raw, userid=found.userid, via=found.via)
        return found

    def refresh(self, limit: int = 50) -> int:
        """Ask again for people not asked for since a day; returns for how many."""
        with self.db.read() as tx:
            old = people.stale(tx, self.clock.now() - FRESH, limit)
        for found in old:
            try:
                fresh = self._ask(found.key)
            except EdgeError as error:
                if error.kind is not FailureKind.REFUSED:
                    raise
                log.warning("person.not_asked", key=found.key, error=str(error), cure=error.cure)
                continue
            with self.db.write() as tx:
                people.put(tx, fresh)
        return len(old)

    def _role(self, recipient: Recipient) -> Resolution:
        whole = Resolution()
        for member in self.directory().roles.get(recipient.value, ()):
            whole.join(self.resolve(member))
        return whole if whole.userids or whole.groups else _some((), f"role {recipient.value} has no members")

    def _managers(self, recipient: Recipient, raw: str, lookup: str) -> Resolution:
        inner = self.resolve(recipient.inner, raw, lookup)
        whole = Resolution(missing=inner.missing)
        for userid in inner.userids:
            manager = self.contacts.manager_of(userid)
            whole.join(_some([manager] if manager else (), f"{userid} has no manager in DingTalk"))
        return whole

    def _from_document(self, recipient: Recipient, raw: str, lookup: str) -> Resolution:
        if raw in ("", "0"):
            of_task = recipient.kind == "assignee"
            lacks = "is not known to wait for anybody" if of_task else f"names no {recipient}"
            return _some((), f"the document {lacks}")
        found = self.find(raw, lookup)
        return _some([found.userid] if found.userid else (), f"{recipient} is {found.via}")

    def _ask(self, key: str) -> Found:
        lookup, _, raw = key.partition(":")
        now = self.clock.now()
        if not lookup and PHONE.fullmatch(raw):  # an id may look like one
            userid = self.contacts.by_mobile(raw)
            return Found(key, userid, "mobile" if userid else f"{raw}, a number that DingTalk does not know", now)
        person = self.staff.person(raw, lookup)
        if person is None:
            return Found(key, None, f"{raw}, whom Kingdee does not show as a user or employee", now)
        userid, via = self._match(person)
        return Found(key, userid, via, now)

    def _match(self, person: KingdeeIdentity) -> tuple[str | None, str]:
        """The explicit table wins; then the ways of `match`, in order."""
        directory = self.directory()
        if person.account in directory.users:
            return directory.users[person.account], "table"
        ask: Callable[[str], str | None]
        tried = []
        for way in directory.match:
            mobile = way == "mobile"
            number = person.mobile if mobile else person.job_number
            ask = self.contacts.by_mobile if mobile else self.contacts.by_job_number
            userid = ask(number) if number else None
            if userid:
                return userid, way
            tried.append(f"{way.replace('_', ' ')} {number or 'not kept in Kingdee'}")
        who = " ".join(part for part in (person.account, person.name) if part)
        return None, f"{who}, not found in DingTalk by {' or '.join(tried)}"


def _some(userids: Sequence[str], otherwise: str) -> Resolution:
    return Resolution(dict.fromkeys(userids)) if userids else Resolution(missing=[otherwise])
