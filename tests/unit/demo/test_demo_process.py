"""The daemon as a process: what it says when it ends by itself, and that nothing stays behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdsync.demo.process import DaemonError, RunningDaemon
from kdsync.demo.stage import workplace


def test_a_daemon_that_cannot_start_says_why(tmp_path: Path) -> None:
    config = tmp_path / "kdsync.yaml"
    config.write_text("kingdee: {}\n", encoding="utf-8")
    daemon = RunningDaemon(config, {})
    try:
        daemon._process.wait(30)
        with pytest.raises(DaemonError, match=r"exit code 78.*kdsync\.yaml"):
            daemon.ready()
    finally:
        daemon.stop()


def test_the_workplace_is_removed() -> None:
    with workplace() as (folder, _keep):
        (folder / "daemon.log").touch()
    assert not folder.exists()


def test_the_workplace_is_removed_on_ctrl_c() -> None:
    def interrupted() -> Path:
        with workplace() as (folder, _keep):
            places.append(folder)
            raise KeyboardInterrupt

    places: list[Path] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not places[0].exists()


def test_the_log_is_kept_and_named_when_the_daemon_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def failing() -> None:
        with workplace():
            raise DaemonError("the daemon ended by itself")

    with pytest.raises(DaemonError, match=r"ended by itself\nIts log: .*daemon\.log"):
        failing()
    assert list(tmp_path.iterdir())


def test_the_log_is_kept_where_something_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with workplace() as (folder, keep):
        (folder / "daemon.log").touch()
        log = keep()
    assert log == folder / "daemon.log"
    assert log.exists()
