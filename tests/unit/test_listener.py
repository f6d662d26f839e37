"""The thread that works on what was heard: it goes on, whatever goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from kdsync import listener
from kdsync.errors import StoreUnusableError
from kdsync.listener import Listener


class Answering:
    """Fails in what the test names, once each."""

    wanted = True

    def __init__(self, *failing: str) -> None:
        self.failing = list(failing)
        self.calls: list[str] = []
        self.worked = threading.Event()
        self.stream = self

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failing:
            self.failing.remove(name)
            raise StoreUnusableError("make room on the disk")

    def resume(self) -> None:
        self._call("resume")

    def step(self) -> None:
        self._call("step")

    def pause(self, longest: float) -> float:
        self._call("pause")
        self.worked.set()
        return longest

    def actions(self) -> list[Any]:
        return []

    def run(self, stopping: threading.Event) -> None:
        stopping.wait()

    def close(self) -> None:
        """The stream ends by itself here."""


def surely(_name: str, work: Callable[[], object]) -> bool:
    try:
        work()
    except StoreUnusableError:
        return False
    return True


def test_a_store_that_fails_in_between_does_not_end_the_way_back(monkeypatch: Any) -> None:
    monkeypatch.setattr(listener, "AFTER_TROUBLE", 0.001)
    answering = Answering("resume", "step", "pause")
    listening = Listener(answering, surely)  # type: ignore[arg-type]
    listening.start()
    assert answering.worked.wait(5)
    listening.stop()
    assert listening.join(5)
    assert answering.calls[:6] == ["resume", "resume", "step", "step", "pause", "step"]
