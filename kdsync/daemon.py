"""The daemon: looks on a schedule, a dispatcher that wakes when something is due, signals, and an orderly end."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from kdsync import logs
from kdsync.errors import ConfigurationError, StoreUnusableError
from kdsync.health import HealthServer
from kdsync.interpreter import tune_interpreter
from kdsync.listener import Listener
from kdsync.schedule import HOUSE, LOOKS, Schedule
from kdsync.services.watcher import Watcher
from kdsync.settings.load import Loaded
from kdsync.store import holds
from kdsync.wiring import Wired

log = logs.get("daemon")
LOOK_THREADS = 4  # looks at different forms at once; Kingdee is happy with up to four requests
LONGEST_SLEEP = 5.0  # an operator may have put something into the outbox from another process
DRAIN = 5.0
HEARTBEAT = 10.0
FIRST_RECONCILE = 120.0  # after a restart deletions should not wait for hours
STUCK = 600.0  # a loop that has not come round for so long is not alive


class Daemon:
    """Runs what `wired` holds. `load` reads the configuration anew for a reload."""

    def __init__(self, wired: Wired, load: Callable[[], Loaded]) -> None:
        self.wired = wired
        self.stopping = threading.Event()
        self._load = load
        self._wake = threading.Event()
        self._reload = threading.Event()
        self._put_off = False  # a reload, and it was said
        self._poke = threading.Event()
        self._jobs = Schedule(LOOK_THREADS)
        self._listener = Listener(wired.answering, self._surely)
        self._dispatcher = threading.Thread(target=self._dispatch, name="dispatch", daemon=True)
        self._health: HealthServer | None = None
        self._turned = wired.clock.monotonic()

    @property
    def port(self) -> int:
        """The port of the health pages; 0 where they are off."""
        return self._health.port if self._health else 0

    def start(self) -> None:
        """Begin to look, to send and to answer probes."""
        wired = self.wired
        wired.on_told = wired.answering.on_told = self._wake.set
        wired.meter.gauge("reload_success", 1)
        if wired.settings.listen:
            self._health = HealthServer(
                wired.settings.listen, live=self._live, ready=self._ready, metrics=wired.meter.text
            )
        self._dispatcher.start()
        self._schedule()
        self._jobs.start()
        self._listener.start()
        log.info("started", forms=sorted(wired.watchers), rules=len(wired.ruleset.rules), port=self.port)

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; SIGHUP reloads. Returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        signal.signal(signal.SIGHUP, lambda *_: self.request_reload())
        tune_interpreter()
        self.start()
        notify("READY=1")
        while not self.stopping.is_set():
            self._poke.wait(HEARTBEAT)
            self._poke.clear()
            if self._live()["ok"]:
                notify("WATCHDOG=1")
            if self.due_for_reload():
                self.reload()
        if not self.close():
            os._exit(0)  # a request that hangs must not hold the service; what it was about is in the store
        return 0

    def stop(self) -> None:
        """Ask the daemon to end; safe in a signal handler."""
        self.stopping.set()
        self._poke.set()

    def request_reload(self) -> None:
        """Ask for a reload; safe in a signal handler."""
        self._reload.set()
        self._poke.set()

    def close(self) -> bool:
        """End in order: no new looks, what is due is sent, what runs may finish, the store is closed.

        Returns whether everything that ran has finished.
        """
        log.info("stopping")
        notify("STOPPING=1")
        self.stopping.set()
        self._wake.set()
        self._listener.stop()
        self._jobs.clear()
        finished = threading.Thread(target=self._jobs.close, name="shutdown", daemon=True)
        finished.start()
        listened = self._listener.join(DRAIN / 2)
        self._dispatcher.join(DRAIN)
        finished.join(DRAIN / 2)
        if self._health:
            self._health.close()
        unfinished = finished.is_alive() or self._dispatcher.is_alive() or not listened
        self.wired.close()
        log.info("stopped", unfinished=unfinished)
        return not unfinished

    def due_for_reload(self) -> bool:
        """Whether somebody asked for one, or one was put off; it is then taken for begun."""
        due = self._reload.is_set()
        self._reload.clear()
        return due

    def reload(self) -> bool:
        """Take over a changed configuration, or keep the one in use and say why."""
        try:
            self.wired.adopt(self._load())
        except Exception as error:  # noqa: BLE001  # it is said; whatever it is, the daemon goes on
            self._not_reloaded(error)
            self.wired.meter.gauge("reload_success", 0)
            return False
        self._put_off = False
        self.wired.upkeep.refused = ""
        self._schedule()
        self._listener.start()
        self.wired.meter.gauge("reload_success", 1)
        self._wake.set()
        log.info("reload.finished", rules=len(self.wired.ruleset.rules), forms=sorted(self.wired.watchers))
        return True

    def _not_reloaded(self, error: Exception) -> None:
        if isinstance(error, ConfigurationError):
            for problem in error.problems:
                log.error("reload.refused", file=problem.file, line=problem.line, key=problem.key, error=str(problem))
            self.wired.upkeep.refused = str(error.problems[0])
        elif isinstance(error, StoreUnusableError):  # with the next signs of life, until it goes well
            if not self._put_off:
                log.error("reload.put_off", error=str(error))
            self._put_off = True
            self._reload.set()
        else:
            log.error("reload.failed", exc_info=error)
            self.wired.upkeep.refused = f"{type(error).__name__}, see the log"

    def _schedule(self) -> None:
        self._jobs.clear()
        poll = self.wired.settings.main.poll
        for place, (form, watcher) in enumerate(sorted(self.wired.watchers.items())):
            start = 0.05 * place  # not all forms in the same instant
            self._every(watcher.section.interval or poll.interval, watcher.tick, f"dates {form}", start)
            self._every(poll.sweep, watcher.sweep, f"open {form}", poll.sweep + start)
            self._every(poll.reconcile, watcher.reconcile, f"keys {form}", min(poll.reconcile, FIRST_RECONCILE) + start)
            self.wired.meter.count("missed_changes", 0, {"form": form})
        self._every(poll.sweep, self.wired.tasks.look, "tasks", 0.0)
        self._every(1.0, self.wired.seek, "seek", 1.0)
        self._every(5.0, self.wired.upkeep.step, "upkeep", 1.0, HOUSE)
        self._every(5.0, self.wired.timekeeper.report, "clocks", 1.0, HOUSE)
        self._every(30.0, self.wired.receipts.step, "receipts", 10.0)
        self._every(5.0, self.wired.answering.note, "stream", 1.0, HOUSE)
        self._every(600.0, self.wired.upkeep.refresh_people, "people", 600.0)

    def _every(self, seconds: float, work: Callable[[], object], name: str, start: float, by: str = LOOKS) -> None:
        self._jobs.every(seconds, name, partial(self._surely, name, work), start, by)

    def _surely(self, name: str, work: Callable[[], object]) -> bool:
        """Run a job and tell whether it went well; an error of ours is logged whole, and the job comes round again."""
        if self.stopping.is_set():
            return False
        try:
            work()
        except Exception as error:
            if self.stopping.is_set():
                log.info("loop.cut_off", loop=name)  # the store was closed under it; its page is looked at again
                return False
            if not isinstance(error, StoreUnusableError):  # the store has said it
                log.exception("loop.failed", loop=name)
            self.wired.meter.count("loop_failures", labels={"loop": name.partition(" ")[0]})
            return False
        return True

    def _dispatch(self) -> None:
        while not self.stopping.is_set():
            well = self._surely("dispatch", self._send_what_is_due)
            self._turned = self.wired.clock.monotonic()
            self._wake.wait(self._sleep() if well else LONGEST_SLEEP)
            self._wake.clear()
        self._surely_drain()

    def _send_what_is_due(self) -> None:
        while not self.stopping.is_set() and self._turn():
            pass

    def _turn(self) -> int:
        jump = self.wired.timekeeper.step()
        if jump:
            self._jobs.move(jump)
        messages = self.wired.address.step() + self.wired.dispatch.step()
        return messages + self.wired.answering.show()

    def _surely_drain(self) -> None:
        end = self.wired.clock.monotonic() + DRAIN / 2
        try:
            while self.wired.clock.monotonic() < end and self._turn():
                pass
        except Exception:
            log.exception("loop.failed", loop="drain")

    def _sleep(self) -> float:
        try:
            due = self.wired.next_due()
        except Exception:
            log.exception("loop.failed", loop="dispatch")
            return 1.0
        if due is None:
            return LONGEST_SLEEP
        return min(max((due - self.wired.clock.now()).total_seconds(), 0.05), LONGEST_SLEEP)

    def _live(self) -> dict[str, Any]:
        idle = self.wired.clock.monotonic() - self._turned
        return {"ok": idle < STUCK and self._dispatcher.is_alive(), "dispatcher_idle_seconds": round(idle, 1)}

    def _ready(self) -> dict[str, Any]:
        forms = {form: _state(watcher) for form, watcher in self.wired.watched().items()}
        watched, trouble = all(state in ("watched", "given up") for state in forms.values()), self.wired.db.trouble
        tasks = not trouble and self.wired.tasks.is_ready()
        said = {"tasks": "watched" if tasks else "first look", "store": trouble or "ok", "down": self._down()}
        return {"ok": watched and tasks, "forms": forms, **said}

    def _down(self) -> dict[str, str]:
        """What does not work, and why: no reason to start anything anew."""
        if self.wired.db.trouble:
            return {}
        with self.wired.db.read() as tx:
            return {name: hold.reason for name, hold in holds.every(tx).items() if hold.is_open}


def _state(watcher: Watcher) -> str:
    condition = watcher.condition
    if condition.baselined:
        return "watched"
    return "given up" if condition.given_up else f"first look: {condition.progress} documents"


def notify(state: str) -> None:
    """Tell systemd (`sd_notify(3)`); nothing happens where it does not ask or listen, or no file can be opened."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect("\0" + address[1:] if address.startswith("@") else address)
        sock.sendall(state.encode())
