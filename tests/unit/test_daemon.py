"""What an operator asks of the running daemon while something else is wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from kdsync.clock import FakeClock
from kdsync.daemon import Daemon
from kdsync.errors import ConfigurationError, Problem, StoreUnusableError
from kdsync.metrics import Metrics
from tests.unit.services.world import START

BROKEN = ConfigurationError([Problem("kdsync.yaml", 1, 1, "rules", "it is broken")])


class Stubborn(Daemon):
    """One of which the parts that a reload takes over do nothing, or what is asked of them."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.scheduled = 0
        parts = {"answering": SimpleNamespace(wanted=False), "ruleset": SimpleNamespace(rules=()), "watchers": {}}
        wired: Any = SimpleNamespace(clock=FakeClock(START), meter=Metrics(), adopt=self.adopt, **parts)
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
    ("error", "event", "again"),
    [
        (BROKEN, "reload.refused", False),
        (StoreUnusableError("the disk is full"), "reload.put_off", True),
        (ZeroDivisionError(), "reload.failed", False),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_reload_that_cannot_be_done_now_ends_nothing(error: Exception, event: str, again: bool) -> None:
    daemon = Stubborn(error, None)
    with capture_logs() as logs:
        assert daemon.reload() is False
    assert [line["event"] for line in logs] == [event]
    assert (daemon.success, daemon.scheduled) == (False, 0)
    assert daemon.due_for_reload() is again
    assert daemon.reload() is True
    assert (daemon.success, daemon.scheduled) == (True, 1)
    assert daemon.due_for_reload() is False


def test_a_reload_that_is_put_off_again_and_again_is_said_once() -> None:
    full = StoreUnusableError("the disk is full")
    daemon = Stubborn(full, full, full, None, full)
    with capture_logs() as logs:
        assert [daemon.reload() for _ in range(5)] == [False, False, False, True, False]
    assert [line["event"] for line in logs] == ["reload.put_off", "reload.finished", "reload.put_off"]
