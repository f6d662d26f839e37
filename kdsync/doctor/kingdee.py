"""Kingdee: the way there, one login, the clock, and the right to every form and field in use."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from kdsync import probes
from kdsync.bridges import KingdeeSource, KnownAccount, RefusedLogins
from kdsync.clock import Clock
from kdsync.doctor.clocks import clock_finding, zone_findings
from kdsync.doctor.finding import FAILED, OK, WARNING, Finding, attempt, failed
from kdsync.doctor.network import Host, skipped, walk
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee import metadata
from kdsync.kingdee.account import Account, AccountBook, MemoryBook
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.errors import answered, failure
from kdsync.kingdee.limits import LoginLedger
from kdsync.kingdee.persons import Persons
from kdsync.kingdee.query import select
from kdsync.kingdee.transport import symptom_of
from kdsync.model import Status
from kdsync.rules.intake import CompiledIntake
from kdsync.services.tasks import SEE_ROWS, task_forms
from kdsync.settings.load import Loaded
from kdsync.settings.schema import KingdeeSection
from kdsync.store.database import Database

LONGEST = 15.0
"""Seconds for an answer, where the daemon may wait longer."""
AFTER_LOGIN = ("kingdee clock", "kingdee forms", "kingdee tasks", "kingdee people")
PEOPLE = (
    ("SEC_User", ("FUserID", "FUserAccount", "FName"), "users"),
    ("BD_Empinfo", ("FID", "FName", "FMobile"), "employees"),
)
RIGHTS = "grant the Kingdee user of kdsync the right to view it (查看权限), in each organisation that counts"
AUTHORISE = (
    "let the third-party login authorisation (第三方系统登录授权) cover all users, or list those who answer, or write "
    "act_as: integration"
)
UNNOTED, RUN_ELSEWHERE = (
    "where refused passwords cannot be noted none is tried",
    "run it as root or with a home folder",
)
NO_RIGHT = ("permission", "2")
FROM_KINGDEE = ("creator", "modifier", "approver", "assignee", "field")


def examine(loaded: Loaded, clock: Clock, database: Database | None) -> Iterator[Finding]:
    """From the name of the host to the fields of each form; nothing is written, and at most one login is refused."""
    section = loaded.settings.main.kingdee
    host = Host("kingdee", section.url, lambda error: failure(symptom_of(error)), section.ca_file)
    if not (yield from walk(host, clock)):
        yield from skipped("kingdee login", *AFTER_LOGIN, because="Kingdee is not reached")
        return
    if section.auth == "password" and not database and not NotedLogins.of(section).can_note():
        yield from skipped("kingdee login", *AFTER_LOGIN, because=f"{UNNOTED}: {RUN_ELSEWHERE}")
        return
    client = _client(section, clock, database)
    try:
        yield from _inside(client, loaded)
        if section.act_as == "person" and client.has_session:
            yield _person(client, loaded, clock, database)
    finally:
        client.close()


def _client(section: KingdeeSection, clock: Clock, database: Database | None) -> KingdeeClient:
    hurried = section.model_copy(update={"timeout": min(section.timeout, LONGEST)})
    ledger: LoginLedger = RefusedLogins(database) if database else NotedLogins.of(section)
    book = _Known(KnownAccount(database, clock, section.acct_id)) if database else None
    return KingdeeClient(hurried, clock, ledger=ledger, book=book)


def _inside(client: KingdeeClient, loaded: Loaded) -> Iterator[Finding]:
    login = attempt("kingdee login", lambda: _log_in(client))
    yield login
    if login.result != FAILED:
        login = _session(client, loaded)
        yield from [login] if login.result == FAILED else []
    yield clock_finding("kingdee clock", client.server_clock)
    if login.result == FAILED:
        yield from skipped(*AFTER_LOGIN[1:], because="there is no session")
        return
    yield from zone_findings("kingdee zone", client)
    source = KingdeeSource(client)
    for form in probes.forms(loaded):
        yield from _form(source, loaded, form)
    yield from (_intake(client, intake) for intake in loaded.intakes)
    forms = task_forms(loaded.ruleset, loaded.actions)
    if forms:
        yield _tasks(client, source, forms)
    if _asks_for_people(loaded):
        yield from _people(client, loaded)


def _person(client: KingdeeClient, loaded: Loaded, clock: Clock, database: Database | None) -> Finding:
    """One login as a person whom the operator named: it shows how far the third-party login authorisation reaches."""
    what, named = "kingdee person", loaded.settings.directory.users
    account = next((account for account in named if account != client.settings.username), None)
    if account is None:
        cure = "name one in directory.yaml under users: and run this again"
        return Finding(what, WARNING, "act_as: person, and no person is named to try a login as", cure)
    book = _Known(KnownAccount(database, clock, client.settings.acct_id)) if database else MemoryBook()
    persons = Persons(client.settings, clock, book)
    try:
        seen = _session(persons.client(account), loaded)
    except EdgeError as error:
        seen = failed(what, error)
    finally:
        persons.close()
    if seen.result == FAILED:
        return Finding(what, FAILED, f"as {account}: {seen.detail}", f"{AUTHORISE}; {seen.cure}")
    return Finding(what, OK, f"the application may log in as {account}")


def _log_in(client: KingdeeClient) -> str:
    session = client.log_in()
    who = f" as {session.user_name}" if session.user_name else ""
    where = f", account set {session.account}" if any(session.account) else ""
    warning = f"; Kingdee says: {session.warning}" if session.warning else ""
    return f"by {client.settings.auth}{who}{where}{warning}"


def _session(client: KingdeeClient, loaded: Loaded) -> Finding:
    """One call: a login with an expired password succeeds, and signed headers are only looked at now."""
    form = next(iter(loaded.ruleset.forms), "SEC_User")
    try:
        metadata.fetch(client, form)
    except EdgeError as error:
        if error.kind is not FailureKind.REFUSED and error.code not in NO_RIGHT and _spoils_all(error):
            return failed("kingdee session", error)
    return Finding("kingdee session", OK)


def _spoils_all(error: EdgeError) -> bool:
    """Whether every call will fail so: what Kingdee says of one service or form does not tell."""
    return error.kind in (FailureKind.CONFIGURATION, FailureKind.SESSION_LOST, FailureKind.RATE_LIMITED) or (
        not answered(error) and error.code not in ("http-404", "http-405")
    )


def _form(source: KingdeeSource, loaded: Loaded, form: str) -> Iterator[Finding]:
    what = f"kingdee {form}"
    try:
        layout = probes.form_layout(source, loaded, form)
        unknown = [error.field for error in probes.unknown_fields(source, layout)]
        used = [key for key in unknown if probes.users_of(loaded, form, key)]
        misplaced = list(probes.misplaced(source, loaded, form))
        count = sum(len(page.rows) for page in source.some(probes.without(layout, unknown)))
    except EdgeError as error:
        finding = failed(what, error)
        yield replace(finding, cure=RIGHTS) if error.code in NO_RIGHT else finding
        return
    for key in used:
        users = ", ".join(probes.users_of(loaded, form, key))
        cure = "correct it there: the key as BOS or the form's field list (字段列表) shows it"
        yield Finding(f"{what} {key}", FAILED, f"Kingdee has no such field; used by {users}", cure)
    for key, entry, whose in misplaced:
        detail = f"it belongs to the entry {entry}, and {whose} takes it for a field of the head"
        yield Finding(f"{what} {key}", FAILED, detail, probes.HEADS_ONLY)
    if count == 0:
        detail = "no document is visible: there is none, or none of them may be seen"
        yield Finding(what, WARNING, detail, f"if there are some: {RIGHTS}")
    elif not used and not misplaced:
        yield Finding(what, OK, f"{len(layout.heads) + len(layout.entries)} fields can be read")


def _intake(client: KingdeeClient, intake: CompiledIntake) -> Finding:
    """Whether the form has what an intake fills in: Kingdee itself leaves out what it does not know."""
    what = f"kingdee {intake.form} of {intake.id}"
    try:
        wrong = dict(probes.unknown_intake_keys(client, intake))
    except EdgeError as error:
        return failed(what, error)
    if wrong:
        cure = "; ".join(dict.fromkeys(hint for hint in wrong.values() if hint)) or "correct the intake"
        return Finding(what, FAILED, f"Kingdee has no field or entry {', '.join(wrong)}", cure)
    return Finding(what, OK, "what it fills in is there, as far as Kingdee tells what its forms have")


def _tasks(client: KingdeeClient, source: KingdeeSource, forms: Sequence[str]) -> Finding:
    """Whether tasks can be read; a right to the rows that is missing shows as no tasks at all."""
    what = "kingdee tasks"
    try:
        waiting = source.pending(forms)
        unasked = [] if waiting else [form for form in forms if _has_one_in_approval(client, source, form)]
    except EdgeError as error:
        return failed(what, error)
    if unasked:
        detail = f"not one is visible, and documents of {', '.join(unasked)} are in approval"
        return Finding(what, WARNING, detail, f"if a workflow decides on them: {SEE_ROWS}")
    return Finding(what, OK, f"{len(waiting)} wait for somebody")


def _has_one_in_approval(client: KingdeeClient, source: KingdeeSource, form: str) -> bool:
    facts = source.facts(form, ()).facts
    where = f"{facts.status}='{Status.IN_APPROVAL}'"
    return facts.status is not None and bool(select(client, form, (facts.pk,), where, 1))


def _asks_for_people(loaded: Loaded) -> bool:
    named = any(one.kind in FROM_KINGDEE for _, one in probes.recipients(loaded))
    return named or bool(loaded.settings.directory.users) or any(not action.own for action in loaded.actions)


def _people(client: KingdeeClient, loaded: Loaded) -> Iterator[Finding]:
    """Users and employees, by whom recipients such as `creator` are found."""
    for form, keys, name in PEOPLE:
        what = f"kingdee {name}"
        try:
            rows = select(client, form, keys, "", 100)
        except EdgeError as error:
            finding = failed(what, error, f"{form} cannot be read: ")
            cure = f"{RIGHTS}; without it creator, approver and field: reach nobody but fallback"
            yield replace(finding, cure=cure) if error.code in NO_RIGHT else finding
            continue
        if not rows:
            yield Finding(what, WARNING, f"{form} shows nobody", RIGHTS)
            continue
        phones = sum(bool(str(row.get("FMobile") or "").strip()) for row in rows)
        if "FMobile" in keys and not phones and "mobile" in loaded.settings.directory.match:
            cure = "keep mobile numbers in Kingdee, or name people in directory.yaml under users:"
            yield Finding(what, WARNING, f"none of {len(rows)} employees has a mobile number to be found by", cure)
        else:
            yield Finding(what, OK, f"{form} can be read")
        if form == "SEC_User" and loaded.settings.directory.users:
            yield _accounts(client, loaded)


def _accounts(client: KingdeeClient, loaded: Loaded) -> Finding:
    what = "kingdee accounts"
    try:
        unknown = probes.unknown_accounts(client, loaded)
    except EdgeError as error:
        return failed(what, error)
    if unknown:
        cure = "correct users: in directory.yaml, or let kdsync's Kingdee user see these users"
        return Finding(what, FAILED, f"Kingdee shows no user {', '.join(unknown)}", cure)
    return Finding(what, OK, f"all {len(loaded.settings.directory.users)} accounts of users: are there")


class _Known:
    """The account set that the daemon knows; the doctor learns none."""

    def __init__(self, book: AccountBook) -> None:
        self._book = book

    def known(self) -> Account | None:
        return self._book.known()

    def remember(self, account: Account) -> None:
        """Left to the daemon."""


class NotedLogins:
    """Refused passwords before there is a store: about five of them lock the account, doctor or not."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, section: KingdeeSection) -> NotedLogins:
        """Those of one Kingdee user, in the cache folder of who asks."""
        name = "".join(letter if letter.isalnum() else "-" for letter in f"{section.acct_id}-{section.username}")
        return cls(Path.home() / ".cache" / "kdsync" / f"logins-{name}.json")

    def can_note(self) -> bool:
        """Whether there is a place for it, which is made."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            return False
        return os.access(self._path if self._path.exists() else self._path.parent, os.W_OK)

    def failures(self, since: datetime) -> int:
        """How many since then."""
        return sum(datetime.fromisoformat(at) >= since for at in self._noted())

    def record(self, at: datetime) -> None:
        """Note one."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.write_text(json.dumps([*self._noted()[-9:], at.isoformat()]))

    def _noted(self) -> list[str]:
        try:
            return list(json.loads(self._path.read_text()))
        except (OSError, ValueError):  # there is none yet, or it was cut off
            return []
