"""What the commands that look into the store print, and what they say of mistakes in asking."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from kdsync.cli import main as command
from kdsync.cli.main import app
from kdsync.cli.opened import print_noted, print_table
from kdsync.cli.options import InboxState, OutboxState
from kdsync.errors import ConfigurationError, FailureKind, KdsyncError, Problem
from kdsync.services.earshot import FACT
from kdsync.settings.advice import NOTHING
from kdsync.store import forms, holds, inbox, intake, ledger, moments, notifications, outbox
from kdsync.store.database import Database
from kdsync.store.holds import Hold

STRANGE = "kingdee: user or password is wrong [login-0] [/red] :100: [bold]"


@pytest.fixture
def config(config: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KDSYNC_CONFIG", str(config))
    monkeypatch.setenv("COLUMNS", "80")
    return config


@pytest.fixture
def _store(store: Database) -> None:
    """One that nobody has open."""
    store.close()


def typed(*words: str) -> tuple[int, str]:
    """Exit code and everything printed; an error as the console script would end with it."""
    done = CliRunner().invoke(app, words)
    if done.exception and not isinstance(done.exception, SystemExit):
        assert isinstance(done.exception, KdsyncError), done.exception
        return 1, str(done.exception)
    return done.exit_code, done.output


def test_what_others_wrote_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("", ("reason",), [(STRANGE,), (None,)])
    assert STRANGE in capsys.readouterr().out


def test_a_reason_stands_below_its_row_and_nothing_is_wider_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = [(("f58bd82a29", "2026-11-28 11:00", "审批", "expense-claim"), STRANGE * 2), (("a", "", "message", ""), "")]
    print_noted(("id", "at", "source", "action"), rows)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "id          at                source   action"
    assert lines[1] == "f58bd82a29  2026-11-28 11:00  审批     expense-claim"
    assert lines[2].startswith("    kingdee: user or password is wrong [login-0] [/red] :100:")
    assert lines[-1] == "a                             message"
    assert max(map(cell_len, lines)) <= 80


def test_the_states_that_can_be_asked_for_are_those_there_are() -> None:
    held = {notifications.HELD, notifications.STORM}
    assert set(OutboxState) == {outbox.WAITING, outbox.LEASED, outbox.ACCEPTED, outbox.DEAD, outbox.DROPPED} | held
    open_ = {inbox.WAITING, intake.TAKEN, inbox.HALF, inbox.ASKED, inbox.CODED}
    assert set(InboxState) == open_ | {inbox.DONE, inbox.REFUSED, inbox.FAILED, inbox.IGNORED, inbox.UNDONE}


@pytest.mark.parametrize(
    "words",
    [
        ("outbox", "list", "--state", "sent"),
        ("inbox", "list", "--state", "open"),
        ("run", "--log-level", "verbose"),
        ("outbox", "list", "--limit", "0"),
        ("simulate", "--kingdee-port", "65536"),
    ],
    ids=" ".join,
)
def test_a_word_that_is_none_of_those_known_is_wrong_usage(words: tuple[str, ...]) -> None:
    assert typed(*words)[0] == 2


@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("outbox list --state dead --state held", 0, "Nothing waits and nothing is dead."),
        ("inbox list --state refused", 0, "Nothing waits and nothing was refused."),
        ("outbox retry all", 1, "nothing sent again: nothing is dead"),
        ("inbox retry all", 1, "nothing to try again: no approval came to nothing"),
        ("outbox drop 4711 --reason x", 1, "no message of the outbox has an id that begins with 4711"),
        ("trace FKD000001", 1, "kdsync knows nothing of FKD000001"),
        ("accept AP_PAYBIL", 1, "is neither `account` nor a form that rules watch: AP_PAYBILL"),
    ],
)
def test_where_there_is_nothing_it_says_so(words: str, code: int, told: str) -> None:
    exit_code, printed = typed(*words.split())
    assert exit_code == code
    assert told in " ".join(printed.split())


def test_a_store_that_is_not_there_yet(config: Path) -> None:
    assert typed("status") == (
        1,
        f"there is no store at {config.with_name('kdsync.db')} yet: start the daemon with `kdsync run` first",
    )


@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied"), "Permission denied (run this as root, or as the user that kdsync"),
        (OSError(30, "Read-only file system"), "cannot be opened: Read-only file system"),
    ],
)
def test_a_store_that_cannot_be_opened_is_an_error_and_nothing_else_is_printed(
    error: OSError, told: str, config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    look = os.open

    def closed(path: str, flags: int, mode: int = 0o777, **options: Any) -> int:
        if path == str(config.with_name("kdsync.db")):
            raise error
        return look(path, flags, mode, **options)

    monkeypatch.setattr(os, "open", closed)
    code, printed = typed("status", "--json")
    assert code == 1
    assert told in printed
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE alembic_version SET version_num = '0099'", "made by a newer kdsync"),
        ("UPDATE alembic_version SET version_num = '0001'", "restart the daemon"),
        ("DROP TABLE facts", "no such table: facts"),
    ],
)
def test_a_store_that_is_not_of_today_is_an_error_on_one_line(
    change: str, told: str, config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(config.with_name("kdsync.db"))) as store:
        store.execute(change)
        store.commit()
    monkeypatch.setattr(sys, "argv", ["kdsync", "status", "--json"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (1, "")
    assert told in printed.err
    assert len(printed.err.splitlines()) == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_an_error_keeps_within_a_terminal_and_on_one_line_elsewhere(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ConfigurationError([Problem("kdsync.yaml", 1, 1, "fallback", "[/x] " + "很长的说明 " * 30)])

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(command, "app", fail)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 78
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("kdsync.yaml:1:1: fallback: [/x] 很长的说明")
    assert (max(map(cell_len, lines)) <= 80) is terminal
    assert (len(lines) > 1) is terminal


@pytest.mark.parametrize(
    ("stream", "told"),
    [
        ({"connected": True}, "Stream: connected since 2026-01-05"),
        ({"reason": "[/x] credentials", "cure": "check them"}, "nobody is heard: [/x] credentials; check them"),
        ({}, "so nobody is heard: it is being opened"),
    ],
)
def test_the_status_says_whether_people_are_heard(store: Database, stream: dict[str, Any], told: str) -> None:
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    said = {"connected": False, "since": at.isoformat(), "reason": "", "cure": "", **stream}
    with store.write() as tx:
        ledger.put_fact(tx, FACT, json.dumps(said), at)
    assert told in " ".join(typed("status")[1].split())


def test_the_status_names_every_form_and_what_to_do_about_what_is_down(store: Database) -> None:
    now = datetime.now(UTC)
    assert "AP_PAYBILL not watched yet never" in " ".join(typed("status")[1].split())
    with store.write() as tx:
        ledger.put_fact(tx, ledger.SIGN, moments.text(now), now)
        forms.save(tx, forms.load(tx, "a", "AP_PAYBILL").form_id, last_error="kingdee: the form does not exist")
        forms.load(tx, "a", "AP_Payable")
    assert typed("status")[0] == 0
    with store.write() as tx:
        holds.put(tx, Hold("kingdee", now, now, 3, FailureKind.TRANSIENT, "nothing listens", "start Kingdee"), now)
    code, printed = typed("status")
    told = " ".join(printed.split())
    assert code == 1
    assert "AP_PAYBILL first look never kingdee: the form does not exist" in told
    assert "AP_Payable no longer watched never" in told
    assert "nothing listens (start Kingdee)" in told


def test_the_status_says_that_a_reload_was_refused(store: Database) -> None:
    with store.write() as tx:
        ledger.put_fact(tx, ledger.SIGN, moments.text(datetime.now(UTC)), datetime.now(UTC))
        ledger.put_fact(tx, ledger.RELOAD, "rules.yaml:7:3: on: is missing", datetime.now(UTC))
    code, printed = typed("status")
    assert code == 1
    assert "Reload: refused, what was in use before still is: rules.yaml:7:3: on: is missing" in printed


@pytest.mark.parametrize(
    ("patterns", "advice"),
    [
        ("[rules/*.yaml]", []),
        ("[rules/*.yml]", ["rules: no file is called rules/*.yml", NOTHING]),
        ("[rules/*.yaml, more/*.yaml]", ["rules: no file is called more/*.yaml"]),
        ("[]", [NOTHING]),
    ],
)
def test_rules_that_are_not_where_they_are_looked_for_are_no_mistake_and_told(
    config: Path, patterns: str, advice: list[str]
) -> None:
    config.write_text(f"{config.read_text()}rules: {patterns}\n")
    code, printed = typed("check", "--json")
    assert code == 0
    assert json.loads(printed)["advice"] == advice


def every_command() -> list[tuple[str, ...]]:
    groups: dict[str, Any] = {"": SimpleNamespace(typer_instance=app)}
    groups |= {group.name or "": group for group in app.registered_groups}
    return [
        (*filter(None, (name,)), (one.name or getattr(one.callback, "__name__", "")))
        for name, group in groups.items()
        for one in group.typer_instance.registered_commands
    ]


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_help_fits_the_terminal_and_cuts_nothing_short(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name = words[-1].rpartition("_")[2]
    code, printed = typed(*words[:-1], name, "--help")
    _, overview = typed(*words[:-1], "--help")
    assert code == 0
    assert max(map(len, (*printed.splitlines(), *overview.splitlines()))) <= 80
    assert "..." not in overview.partition("Commands:")[2]
