"""DingTalk: the way there, the token, each permission that this configuration needs, the agent id, and the people.

Nothing is sent. What must be asked for a permission is asked so that the answer changes nothing: a person who is named
anyhow, a number that nobody has, the result of a message that was sent before or never.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from urllib.parse import urlsplit

from sqlalchemy import select

from kdsync import probes
from kdsync.bridges import CallLedger
from kdsync.clock import Clock
from kdsync.dingtalk.approvals import Approvals
from kdsync.dingtalk.cards import Cards, Face
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.contacts import ROOT, Contacts
from kdsync.dingtalk.errors import AGENT, failure
from kdsync.dingtalk.transport import connection_trouble
from kdsync.dingtalk.work import ALREADY_GOT, WorkNotices
from kdsync.doctor.clocks import clock_finding
from kdsync.doctor.finding import FAILED, OK, WARNING, Finding, attempt, failed
from kdsync.doctor.network import Host, reach, skipped, walk
from kdsync.errors import EdgeError, FailureKind
from kdsync.rules.intake import CompiledIntake
from kdsync.services.upkeep import month_of
from kdsync.settings.load import Loaded
from kdsync.settings.schema import GroupRobot
from kdsync.store import codes, ledger, moments
from kdsync.store.database import Database
from kdsync.store.outbox import WORK
from kdsync.store.schema import outbox

AFTER_TOKEN = ("dingtalk contacts", "dingtalk people", "dingtalk work notices")
FIREWALL = "open the firewall to api.dingtalk.com, oapi.dingtalk.com and wss-open-connection.dingtalk.com, port 443"
PUBLIC = "https://api.dingtalk.com"
STREAM = "https://wss-open-connection.dingtalk.com"
NOBODYS_NUMBER = "10000000000"
STRANGER = "kdsync-doctor"
JUST_NOW = timedelta(minutes=10)
NEVER_SENT = "1"
NEARLY = 0.8
MOST_MISSED = 3
SHOWN_TO_NOBODY = (
    "DingTalk takes such messages and shows them to nobody: mend what it says there, or tell somebody else"
)
RESULT_KEPT = timedelta(hours=23)  # "Query the result of a work notification": 24 h
TOKEN = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


def examine(loaded: Loaded, clock: Clock, database: Database | None) -> Iterator[Finding]:
    """From the names of the hosts to the visibility of each person."""
    section = loaded.settings.main.dingtalk
    if database:
        yield _quota(loaded, clock, database)
    yield from (_group(f"dingtalk group {name}", robot) for name, robot in section.groups.items())
    hosts = {"dingtalk": section.api_url}
    if urlsplit(section.oapi_url).netloc != urlsplit(section.api_url).netloc:
        hosts["dingtalk oapi"] = section.oapi_url
    reached = []
    for name, url in hosts.items():
        reached.append((yield from walk(_host(name, url, clock), clock)))
    if section.stream and section.api_url.rstrip("/") == PUBLIC:
        yield from _stream(loaded, clock)
    if not all(reached):
        yield from skipped("dingtalk token", *AFTER_TOKEN, because="DingTalk is not reached")
        return
    calls = CallLedger(database, clock, month_of) if database else None
    client = DingTalkClient(section, clock, on_call=calls)
    try:
        yield from _inside(client, loaded, database)
    finally:
        client.close()
        if calls:
            calls.flush()


def _host(name: str, url: str, clock: Clock) -> Host:
    def explain(error: Exception) -> EdgeError:
        trouble = connection_trouble(error)
        return failure(trouble.code, "a first request", trouble.detail, writes=False, now=clock.now())

    firewall = FIREWALL if urlsplit(url).netloc.endswith("dingtalk.com") else ""
    return Host(name, url, explain, firewall=firewall)


def _stream(loaded: Loaded, clock: Clock) -> Iterator[Finding]:
    found = reach(_host("dingtalk stream", STREAM, clock), clock)
    yield from found if loaded.actions or loaded.intakes else map(_not_needed_yet, found)


def _not_needed_yet(finding: Finding) -> Finding:
    """Nothing depends on the host of Stream while there is neither an action nor an intake."""
    if finding.result != FAILED:
        return finding
    return Finding(
        finding.what, WARNING, finding.detail, f"{finding.cure}; nothing needs it as long as kdsync only tells"
    )


def _group(what: str, robot: GroupRobot) -> Finding:
    """Only what can be seen without sending: the shape of token and secret."""
    token = robot.token.get_secret_value()
    secret = robot.secret.get_secret_value() if robot.secret else ""
    if "access_token" in token or "://" in token:
        cure = "keep only what stands after access_token= in the webhook's address"
        return Finding(what, FAILED, "the token is a whole address", cure)
    if not TOKEN.fullmatch(token):
        return Finding(what, WARNING, "the token is not 64 hexadecimal digits", "copy it from the webhook again")
    if secret and not secret.startswith("SEC"):
        cure = "copy the secret of 加签 from the robot's security settings"
        return Finding(what, WARNING, "the secret does not begin with SEC", cure)
    return Finding(what, OK, "token and secret look right; only a message can prove them")


def _inside(client: DingTalkClient, loaded: Loaded, database: Database | None) -> Iterator[Finding]:
    token = attempt("dingtalk token", lambda: _token(client))
    yield token
    yield clock_finding("dingtalk clock", client.server_clock)
    if token.result == FAILED:
        yield from skipped(*AFTER_TOKEN, because="there is no token")
        return
    contacts = Contacts(client)
    for name, ask in _permissions(contacts, loaded).items():
        yield _permission(f"dingtalk {name}", ask)
    yield from _departments(contacts, loaded)
    yield _people(contacts, loaded, _enrolled(database))
    yield _work(client, database)
    if loaded.settings.main.dingtalk.card_template and loaded.actions:
        yield _cards(client, loaded.settings.main.dingtalk.card_template)
    for intake in loaded.intakes:
        yield _approvals(client, intake)
        yield _form(client, intake)


def _token(client: DingTalkClient) -> str:
    client.check_token()
    return "a token was given"


def _permissions(contacts: Contacts, loaded: Loaded) -> dict[str, Callable[[], object]]:
    """A harmless call for each API that this configuration needs."""
    kinds = {one.kind for rule in loaded.ruleset.rules for one in rule.everybody}
    kinds |= {one.kind for action in loaded.actions for one in action.allow}
    kinds |= {one.kind for members in loaded.settings.directory.roles.values() for one in members}
    inner = {one.kind for _, one in probes.recipients(loaded)}
    inner |= {"creator" for action in loaded.actions if not action.own}
    of_document = {"creator", "modifier", "approver", "assignee", "field"}
    match = loaded.settings.directory.match if inner & of_document else ()
    needed: dict[str, Callable[[], object]] = {"contacts": lambda: contacts.user(STRANGER)}
    if "mobile" in match:
        needed["mobile numbers"] = lambda: contacts.by_mobile(NOBODYS_NUMBER)
    if "job_number" in match or "dept" in kinds:
        needed["departments"] = lambda: list(islice(contacts.departments(), 2))
    if "job_number" in match or kinds & {"dept", "manager_of"}:
        needed["members"] = lambda: next(contacts.department_members(ROOT), None)
    return needed


def _permission(what: str, ask: Callable[[], object]) -> Finding:
    try:
        ask()
    except EdgeError as error:
        if error.kind is FailureKind.REFUSED:  # the root itself may be outside the scope
            return Finding(what, OK, f"allowed, as far as {error.message}")
        return failed(what, error)
    return Finding(what, OK, "allowed")


def _departments(contacts: Contacts, loaded: Loaded) -> Iterator[Finding]:
    named = {one.value for _, one in probes.recipients(loaded) if one.kind == "dept"}
    for dept in sorted(named):
        what = f"dingtalk dept:{dept}"
        try:
            there = next(contacts.department_members(int(dept)), None)
        except (EdgeError, ValueError) as error:
            told = error.message if isinstance(error, EdgeError) else "it is no number"
            cure = error.cure if isinstance(error, EdgeError) else "dept: takes the number of a department"
            yield Finding(what, FAILED, told, cure)
            continue
        if there is None:
            cure = "if it has no departments below it either, nobody is told"
            yield Finding(what, WARNING, "nobody in it is visible to the app", cure)
        else:
            yield Finding(what, OK, "visible")


def _enrolled(database: Database | None) -> list[str]:
    if database is None:
        return []
    with database.read() as tx:
        return [one.userid for one in codes.listing(tx)]


def _people(contacts: Contacts, loaded: Loaded, enrolled: Sequence[str]) -> Finding:
    what = "dingtalk people"
    try:
        invisible = [f"{userid} ({where})" for userid, where in probes.invisible_users(contacts, loaded, enrolled)]
    except EdgeError as error:
        return failed(what, error)
    if invisible:
        cure = (
            "correct the userids, or put these people into the app's visible range (可见范围) and publish a version; "
            "kdsync totp remove takes codes from who left"
        )
        return Finding(what, FAILED, f"not visible to the app: {', '.join(invisible)}", cure)
    return Finding(what, OK, f"all {len(probes.named_users(loaded))} named people are visible")


def _work(client: DingTalkClient, database: Database | None) -> Finding:
    """Agent id and permission, by the result of a message; one metered call."""
    what, task = "dingtalk work notices", _last_task(client, database)
    try:
        result = WorkNotices(client).send_result(task or NEVER_SENT)
    except EdgeError as error:
        if error.kind is FailureKind.REFUSED and "agent" not in error.message.lower():
            return Finding(what, OK, "allowed; the agent id is not refused, only a message can prove it")
        found = failed(what, error)
        return Finding(what, FAILED, found.detail, AGENT if error.kind is FailureKind.REFUSED else found.cure)
    missed = [f"{one.recipient}: {one.reason}" for one in result.undelivered if one.code != ALREADY_GOT]
    if task and missed:
        return Finding(
            what, WARNING, f"the last message did not reach {', '.join(missed[:MOST_MISSED])}", SHOWN_TO_NOBODY
        )
    return Finding(what, OK, "allowed, agent id right" if task else "allowed, agent id not refused")


def _cards(client: DingTalkClient, template: str) -> Finding:
    """The permission, by a change of a card that there is not; one metered call."""
    what = "dingtalk cards"
    try:
        Cards(client, template).update(STRANGER, Face("-", open=False))
    except EdgeError as error:
        if error.kind is not FailureKind.REFUSED:
            return failed(what, error)
    return Finding(what, OK, "allowed; only a card can prove that the template is published and bound to the app")


def _approvals(client: DingTalkClient, intake: CompiledIntake) -> Finding:
    """The permission and the process code, by a list of the last minutes; one metered call."""
    what, now = f"dingtalk approvals of {intake.id}", client.now()
    try:
        next(Approvals(client).finished(intake.process, now - JUST_NOW, now), None)
    except EdgeError as error:
        return failed(what, error)
    return Finding(what, OK, "its approvals can be listed; only a comment can prove Workflow.Instance.Write")


def _form(client: DingTalkClient, intake: CompiledIntake) -> Finding:
    """Whether the form has the fields that the intake names; one metered call."""
    what = f"dingtalk form of {intake.id}"
    try:
        wrong = dict(probes.unknown_form_fields(client, intake))
    except EdgeError as error:
        if error.kind is FailureKind.CONFIGURATION:
            return replace(failed(what, error, "the names of its fields are not compared: "), result=WARNING)
        return failed(what, error)
    if wrong:
        cure = "; ".join(dict.fromkeys(hint for hint in wrong.values() if hint)) or "correct the intake"
        return Finding(what, FAILED, f"the form has no {', '.join(wrong)}", cure)
    return Finding(what, OK, "the form has the fields that the intake names, as far as DingTalk tells")


def _last_task(client: DingTalkClient, database: Database | None) -> str:
    if database is None:
        return ""
    since = moments.text(client.clock.now() - RESULT_KEPT)
    mine = (outbox.c.accepted_at >= since, outbox.c.channel == WORK, outbox.c.task_id != "")
    with database.read() as tx:
        found = tx.execute(
            select(outbox.c.task_id).where(*mine).order_by(outbox.c.accepted_at.desc()).limit(1)
        ).scalar()
    return str(found) if found and str(found).isdecimal() else ""


def _quota(loaded: Loaded, clock: Clock, database: Database) -> Finding:
    """The month's calls by kdsync's own ledger; other applications of the organisation use the same allowance."""
    limit, what = loaded.settings.main.dingtalk.monthly_calls, "dingtalk quota"
    with database.read() as tx:
        used = ledger.metered_calls(tx, month_of(clock.now()))
    detail = f"{used:,} of {limit:,} calls used this month, by kdsync's own count"
    cure = "buy more calls, or send less; dingtalk.monthly_calls should say what the plan allows"
    if used >= limit:
        return Finding(what, FAILED, detail, cure)
    if used >= NEARLY * limit:
        return Finding(what, WARNING, detail, cure)
    return Finding(what, OK, detail)
