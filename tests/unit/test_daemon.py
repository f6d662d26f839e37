"""What an operator asks of the running daemon while something else is wrong."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from kdsync.clock import FakeClock
from kdsync.daemon import Daemon
from kdsync.errors import ConfigurationError, Problem, StoreUnusableError
from kdsync.metrics import Metrics
from tests.unit.services.world import START

LISTENED = ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
BROKEN = ConfigurationError([Problem("kdsync.yaml", 1, 1, "rules", "it is broken")])


class Stubborn(Daemon):
    """One of which the parts that a reload takes over do nothing, or what is asked of them."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.scheduled = 0
        parts = {"answering": SimpleNamespace(wanted=False), "ruleset": SimpleNamespace(rules=()), "watchers": {}}
        parts |= {"upkeep": SimpleNamespace(refused=""), "adopt": self.adopt}
        wired: Any = SimpleNamespace(clock=FakeClock(START), meter=Metrics(), **parts)
        super().__init__(wired, lambda: None)  # type: ignore[arg-type,return-value]  # `adopt` takes it

    def adopt(self, _loaded: object) -> None:
        outcome = self.outcomes.pop(0)
        if outcome:
            raise outcome

    def _schedule(self) -> None:
        self.scheduled += 1

    @property
    def success(self) -> bool:
        return b"kdsync_reload_success 1.0" in self.wired.meter.text()


@pytest.mark.parametrize(
    ("error", "event", "again", "noted"),
    [
        (BROKEN, "reload.refused", False, "kdsync.yaml:1:1: rules: it is broken"),
        (StoreUnusableError("the disk is full"), "reload.put_off", True, ""),
        (ZeroDivisionError(), "reload.failed", False, "ZeroDivisionError, see the log"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_reload_that_cannot_be_done_now_ends_nothing(error: Exception, event: str, again: bool, noted: str) -> None:
    daemon = Stubborn(error, None)
    with capture_logs() as logs:
        assert daemon.reload() is False
    assert [line["event"] for line in logs] == [event]
    assert (daemon.success, daemon.scheduled) == (False, 0)
    assert daemon.wired.upkeep.refused == noted
    assert daemon.due_for_reload() is again
    assert daemon.reload() is True
    assert daemon.wired.upkeep.refused == ""
    assert (daemon.success, daemon.scheduled) == (True, 1)
    assert daemon.due_for_reload() is False


def test_a_reload_that_is_put_off_again_and_again_is_said_once() -> None:
    full = StoreUnusableError("the disk is full")
    daemon = Stubborn(full, full, full, None, full)
    with capture_logs() as logs:
        assert [daemon.reload() for _ in range(5)] == [False, False, False, True, False]
    assert [line["event"] for line in logs] == ["reload.put_off", "reload.finished", "reload.put_off"]


class Served(Stubborn):
    """One that is asked to end once it was looked at `turns` times, and lives as long as `lives`."""

    def __init__(self, turns: int, lives: int) -> None:
        super().__init__()
        self.turns, self.lives, self.looked = turns, lives, 0

    def start(self) -> None:
        pass

    def close(self) -> bool:
        return True

    def _live(self) -> dict[str, Any]:
        self.looked += 1
        if self.looked == self.turns:
            self.stop()
        return {"ok": self.looked <= self.lives}


@pytest.fixture
def _signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("kdsync.daemon.HEARTBEAT", 0.001)
    monkeypatch.setattr("kdsync.daemon.tune_interpreter", lambda: None)
    handled = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in handled]
    yield
    for number, handler in zip(handled, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals")
@pytest.mark.parametrize("abstract", [True, False])
@pytest.mark.parametrize(("lives", "told"), [(9, LISTENED), (1, LISTENED[:2]), (0, LISTENED[:1])])
def test_systemd_hears_that_it_is_ready_and_alive_as_long_as_it_is(
    abstract: bool, lives: int, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{tmp_path}/notify"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{path}" if abstract else path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{path}" if abstract else path)
        systemd.setblocking(False)
        assert Served(turns=2, lives=lives).run() == 0
        heard = [systemd.recv(99).decode() for _ in told]
        with pytest.raises(BlockingIOError):
            systemd.recv(99)
    assert heard == told


@pytest.mark.usefixtures("_signals")
def test_a_systemd_that_does_not_listen_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/nobody")
    assert Served(turns=2, lives=9).run() == 0


@pytest.mark.usefixtures("_signals")
def test_that_no_more_files_can_be_opened_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/notify")
    monkeypatch.setattr("kdsync.daemon.socket.socket", exhausted)
    assert Served(turns=2, lives=9).run() == 0
