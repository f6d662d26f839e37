"""`kdsync run` while it starts."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from kdsync.cli import run as command
from kdsync.errors import KdsyncError


class Started:
    """A daemon that only remembers what it was asked."""

    def __init__(self, *_: Any) -> None:
        self.reloads = 0

    def request_reload(self) -> None:
        self.reloads += 1

    def run(self) -> int:
        return self.reloads


@pytest.fixture(autouse=True)
def _signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(command, "load", lambda *_: SimpleNamespace(secrets=()))
    monkeypatch.setattr("kdsync.logs.configure", lambda *_, **__: None)
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def told_to_reload(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGHUP)


def test_a_reload_asked_for_too_early_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "Wired", told_to_reload)
    monkeypatch.setattr(command, "Daemon", Started)
    assert command.run(Path("kdsync.yaml"), "info") == 1


def test_a_start_that_fails_after_a_reload_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        told_to_reload()
        raise KdsyncError("no store")

    monkeypatch.setattr(command, "Wired", fail)
    assert command.run(Path("kdsync.yaml"), "info") == 1


def test_what_nobody_thought_of_at_the_start_is_a_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def stumble(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(command, "Wired", stumble)
    with capture_logs() as logs:
        assert command.run(Path("kdsync.yaml"), "info") == 1
    assert [(line["event"], type(line["exc_info"])) for line in logs] == [("start.failed", ZeroDivisionError)]
    assert capfd.readouterr() == ("", "")


def test_a_daemon_that_cannot_begin_says_so_in_a_line_and_lets_go_of_everything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed: list[bool] = []

    class Taken(Started):
        def run(self) -> int:
            raise KdsyncError("cannot listen on 127.0.0.1:9464")

    monkeypatch.setattr(command, "Wired", lambda *_: SimpleNamespace(close=lambda: closed.append(True)))
    monkeypatch.setattr(command, "Daemon", Taken)
    assert command.run(Path("kdsync.yaml"), "info") == 1
    assert "cannot listen on 127.0.0.1:9464" in capsys.readouterr().out
    assert closed == [True]
