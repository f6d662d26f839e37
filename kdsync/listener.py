"""The two threads of the way back: one hears what DingTalk pushes and keeps it, the other works on what was kept."""

from __future__ import annotations

import threading
from collections.abc import Callable

from kdsync import logs
from kdsync.answering import Answering

log = logs.get("daemon")
LONGEST_SLEEP = 5.0
AFTER_TROUBLE = 5.0


class Listener:
    """Runs while there are actions to answer with. `surely(name, work)` runs work and tells whether it went well."""

    def __init__(self, answering: Answering, surely: Callable[[str, Callable[[], object]], bool]) -> None:
        self._answering = answering
        self._surely = surely
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._threads: list[threading.Thread] = []
        self._pause = 0.0  # seconds until the next turn
        self._begun = False

    def start(self) -> None:
        """Begin, if there is something to listen for and nobody listens yet; may be called again after a reload."""
        if self._threads or self._stopping.is_set() or not self._answering.wanted:
            return
        self._answering.on_heard = self._wake.set
        for name, run in (("stream", self._hear), ("inbound", self._work)):
            thread = threading.Thread(target=run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        log.info("listening", actions=[action.id for action in self._answering.actions()])

    def stop(self) -> None:
        """Hear no more, and finish what is being worked on."""
        self._stopping.set()
        self._wake.set()
        if self._threads:
            self._answering.stream.close()

    def join(self, seconds: float) -> bool:
        """Wait for both; whether they have ended."""
        for thread in self._threads:
            thread.join(seconds)
        return not any(thread.is_alive() for thread in self._threads)

    def _hear(self) -> None:
        while not self._stopping.is_set():
            if not self._surely("stream", lambda: self._answering.stream.run(self._stopping)):
                self._stopping.wait(AFTER_TROUBLE)

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._surely("inbound", self._turn)
            self._wake.wait(self._pause)
            self._wake.clear()

    def _turn(self) -> None:
        self._pause = AFTER_TROUBLE
        if not self._begun:
            self._answering.resume()
            self._begun = True
        self._answering.step()
        self._pause = self._answering.pause(LONGEST_SLEEP)
