"""Enrolling people for one-time codes."""

from __future__ import annotations

import io
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdsync.cli import totp
from kdsync.cli.main import app
from kdsync.commands.onetime import STEP, code_at
from kdsync.errors import KdsyncError
from kdsync.services.notices import RAISED
from kdsync.store import codes, ledger, notifications
from kdsync.store.database import Database
from kdsync.store.sealing import Seal
from tests.unit.cli.conftest import MAIN

SECRET = b"12345678901234567890"
IN_BASE32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
SEALED = MAIN.replace('kdsync.db"}', 'kdsync.db", key: {env: KEY}}')


@pytest.fixture
def config(config: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one of all commands, with a store that has a key and is there."""
    config.write_text(SEALED)
    monkeypatch.chdir(config.parent)
    monkeypatch.setenv("KEY", "store-secret")
    monkeypatch.setattr("secrets.token_bytes", lambda size: SECRET[:size])
    database = Database("sqlite:///kdsync.db")
    database.migrate()
    database.close()
    return config


def enrolled() -> codes.Enrolled | None:
    database = Database("sqlite:///kdsync.db")
    with database.read() as tx:
        found = codes.find(tx, "user1")
        assert found is None or codes.secret(tx, Seal("store-secret"), "user1") == SECRET
    database.close()
    return found


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_who_types_a_code_of_the_app_is_enrolled(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at = datetime.now(UTC).timestamp()
    type_in(monkeypatch, "no idea", code_at(SECRET, at + 7200), code_at(SECRET, at))
    assert totp.enrol(config, "user1", confirmed=False) == 0
    said = capsys.readouterr().out
    assert said.count("That is not it") == 2
    assert f"otpauth://totp/kdsync%3Auser1?secret={IN_BASE32}" in said
    found = enrolled()
    assert found
    assert found.last_step >= at // STEP, "the code that was typed counts no more"


@pytest.mark.parametrize("typed", [(), ("1", "2", "3", "4")])
def test_without_a_right_code_nothing_is_kept(
    config: Path, monkeypatch: pytest.MonkeyPatch, typed: tuple[str, ...]
) -> None:
    type_in(monkeypatch, *typed)
    assert totp.enrol(config, "user1", confirmed=False) == 1
    assert enrolled() is None


def test_on_a_terminal_there_is_a_picture_for_the_phone(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert totp.enrol(config, "user1", confirmed=True) == 0
    assert re.search("[▀▄█]{5}", capsys.readouterr().out)


def test_without_a_key_of_the_store_nobody_is_enrolled(config: Path) -> None:
    config.write_text(MAIN)
    with pytest.raises(KdsyncError, match=r"write store\.key into kdsync.yaml"):
        totp.enrol(config, "user1", confirmed=True)
    assert enrolled() is None


@pytest.mark.parametrize(("begun", "told"), [("another key", "not the key"), (None, "has not run with store.key yet")])
def test_nobody_is_enrolled_with_a_key_that_the_daemon_does_not_use(config: Path, begun: str | None, told: str) -> None:
    database = Database("sqlite:///kdsync.db")
    with database.write() as tx:
        ledger.prove_key(tx, Seal(begun), datetime.now(UTC))
    database.close()
    with pytest.raises(KdsyncError, match=told):
        totp.enrol(config, "user1", confirmed=True)
    assert enrolled() is None


def test_who_is_enrolled_is_not_enrolled_over(config: Path) -> None:
    totp.enrol(config, "user1", confirmed=True)
    with pytest.raises(KdsyncError, match="`kdsync totp remove user1`"):
        totp.enrol(config, "user1", confirmed=True)
    assert totp.remove(config, "user1", json_output=False) == 0
    assert totp.remove(config, "user1", json_output=False) == 1
    assert totp.enrol(config, "user1", confirmed=True) == 0


def test_whoever_gets_or_loses_codes_hears_of_it_and_so_does_fallback(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    totp.enrol(config, "user1", confirmed=True)
    totp.remove(config, "user1", json_output=False)
    totp.remove(config, "user1", json_output=False)
    database = Database("sqlite:///kdsync.db")
    with database.read() as tx:
        told = notifications.due(tx, Seal("store-secret"), datetime.now(UTC) + timedelta(seconds=1))
        assert ledger.facts_like(tx, RAISED) == {}
    database.close()
    assert [one.kind for one in told] == ["code_enrolled", "code_removed"]
    assert [[to.recipient for to in one.wanted] for one in told] == [["user:user1", "user:ops1"]] * 2
    assert "user1" in told[0].contents["zh"].title
    assert IN_BASE32 not in str(told)
    assert "notice.told" not in capsys.readouterr().out, "a command prints no log"


def test_a_userid_is_needed(config: Path) -> None:
    with pytest.raises(KdsyncError, match="USERID"):
        totp.enrol(config, " ", confirmed=True)


def test_the_list_tells_locks_and_no_secret(config: Path) -> None:
    run = CliRunner().invoke
    args = ["-c", str(config)]
    assert run(app, ["totp", "list", *args]).stdout.strip() == "Nobody is enrolled."
    assert run(app, ["totp", "enrol", "user1", "--yes", *args]).exit_code == 0
    database, until = Database("sqlite:///kdsync.db"), datetime.now(UTC) + timedelta(hours=1)
    with database.write() as tx:
        codes.lock(tx, "user1", until)
    database.close()
    assert "user1" in run(app, ["totp", "list", *args]).stdout
    listed = run(app, ["totp", "list", "--json", *args]).stdout
    (one,) = json.loads(listed)
    assert (one["userid"], one["wrong"], datetime.fromisoformat(one["locked_until"])) == ("user1", 0, until)
    assert set(one) == {"userid", "enrolled", "wrong", "locked_until"}
    removed = run(app, ["totp", "remove", "user1", "--json", *args])
    assert json.loads(removed.stdout) == {"removed": 1}
