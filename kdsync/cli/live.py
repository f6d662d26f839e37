"""`kdsync check`, with the probes that `--live` adds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from kdsync import logs, probes
from kdsync.bridges import KingdeeSource
from kdsync.cli import check as offline
from kdsync.cli.check import Finding
from kdsync.clock import SystemClock
from kdsync.dingtalk.approvals import Approvals
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.contacts import Contacts
from kdsync.doctor.kingdee import RUN_ELSEWHERE, UNNOTED, NotedLogins
from kdsync.errors import TASKS_UNREADABLE, EdgeError, FailureKind
from kdsync.kingdee import catalogue
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.workflow import TASKS
from kdsync.rules.intake import CompiledIntake
from kdsync.services.tasks import task_forms
from kdsync.settings.load import Loaded


def check(config: Path, *, live: bool, json_output: bool) -> int:
    """All problems, or what was found; the exit code."""
    with logs.silent():
        return offline.check(
            config,
            live,
            json_output,
            probes=(kingdee_fields, dingtalk_people, dingtalk_approvals),
            known_forms=[facts.form for facts in catalogue.KNOWN],
        )


def kingdee_fields(loaded: Loaded) -> Iterator[Finding]:
    """Whether Kingdee has every form and field that the rules use."""
    section = loaded.settings.main.kingdee
    noted = NotedLogins.of(section) if section.auth == "password" else None
    if noted and not noted.can_note():
        yield Finding("kingdee", UNNOTED, RUN_ELSEWHERE, misconfigured=False)
        return
    client = KingdeeClient(section, SystemClock(), ledger=noted)
    try:
        source = KingdeeSource(client)
        for form in probes.forms(loaded):
            yield from _fields_of(source, loaded, form)
        for intake in loaded.intakes:
            yield from _intake_of(client, intake)
        yield from _tasks(source, loaded)
        for account in probes.unknown_accounts(client, loaded):
            hint = "correct it in directory.yaml, or let kdsync's Kingdee user see that user"
            yield Finding(f"users.{account}", "Kingdee shows no user with this account", hint)
    finally:
        client.close()


def _fields_of(source: KingdeeSource, loaded: Loaded, form: str) -> Iterator[Finding]:
    try:
        for error in probes.unknown_fields(source, probes.form_layout(source, loaded, form)):
            users = probes.users_of(loaded, form, error.field)
            if users:
                yield Finding(f"{form}.{error.field}", f"Kingdee has no such field; used by {', '.join(users)}")
        for key, entry, whose in probes.misplaced(source, loaded, form):
            message = f"it belongs to the entry {entry}; {whose} takes it for a field of the head"
            yield Finding(f"{form}.{key}", message, probes.HEADS_ONLY)
    except EdgeError as error:
        if error.kind is not FailureKind.REFUSED:
            raise
        yield Finding(form, error.message, error.cure)


def _intake_of(client: KingdeeClient, intake: CompiledIntake) -> Iterator[Finding]:
    try:
        for key, hint in probes.unknown_intake_keys(client, intake):
            message = f"Kingdee has no such field or entry; used by intake {intake.id}"
            yield Finding(f"{intake.form}.{key}", message, hint)
    except EdgeError as error:
        if error.kind is not FailureKind.REFUSED:
            raise
        yield Finding(f"intake {intake.id}: {intake.form}", error.message, error.cure)


def dingtalk_approvals(loaded: Loaded) -> Iterator[Finding]:
    """Whether the approvals of every intake's process can be read, and have its fields; two calls of the month's for
    each."""
    client = DingTalkClient(loaded.settings.main.dingtalk, SystemClock())
    try:
        for intake in loaded.intakes:
            yield from _approvals_of(client, intake)
    finally:
        client.close()


def _approvals_of(client: DingTalkClient, intake: CompiledIntake) -> Iterator[Finding]:
    about, now = f"intake {intake.id}: {intake.process}", client.now()
    try:
        next(Approvals(client).finished(intake.process, now - timedelta(minutes=10), now), None)
    except EdgeError as error:
        if error.kind not in (FailureKind.REFUSED, FailureKind.CONFIGURATION):
            raise
        yield Finding(about, error.message, error.cure)
        return
    try:
        for name, hint in probes.unknown_form_fields(client, intake):
            yield Finding(
                f"{about}: {name}", "the form has no such field, or it is none of the kind that is meant", hint
            )
    except EdgeError as error:
        unasked = error.kind is not FailureKind.REFUSED
        message = f"its form cannot be compared: {error.message}" if unasked else error.message
        yield Finding(about, message, error.cure, misconfigured=not unasked)


def _tasks(source: KingdeeSource, loaded: Loaded) -> Iterator[Finding]:
    try:
        source.pending(task_forms(loaded.ruleset, loaded.actions))
    except EdgeError as error:
        if error.code != TASKS_UNREADABLE:
            raise
        yield Finding(TASKS, error.message, error.cure)


def dingtalk_people(loaded: Loaded) -> Iterator[Finding]:
    """Whether the app can see every person that the configuration names."""
    client = DingTalkClient(loaded.settings.main.dingtalk, SystemClock())
    try:
        for userid, where in probes.invisible_users(Contacts(client), loaded):
            yield Finding(
                f"{where}: {userid}", "DingTalk does not show this person to the app", "widen its visible range"
            )
    finally:
        client.close()
