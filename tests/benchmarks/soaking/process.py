"""The daemon of a soak: a process that is killed and started again, and what all its lives together cost."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kdsync.clock import Clock
from kdsync.demo.process import Counts, DaemonError, RunningDaemon
from tests.benchmarks.soaking.company import OPERATOR
from tests.benchmarks.soaking.oracle import Place, Undelivered

AT_ONCE = 500  # documents in one question to the store
TICKS = os.sysconf("SC_CLK_TCK")


class Killable(RunningDaemon):
    """A daemon that can be ended without warning, and told to reload."""

    def kill(self) -> None:
        """SIGKILL."""
        self._session.close()
        self._process.kill()
        self._process.wait()

    def reload(self) -> bool:
        """SIGHUP, unless it is still starting: whether."""
        if self._port():
            self._process.send_signal(signal.SIGHUP)
        return bool(self._port())

    def cpu_seconds(self) -> float:
        """Processor time so far (`proc(5)`, stat)."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / TICKS


@dataclass(slots=True)
class Lives:
    """All processes of one daemon, one after the other."""

    config: Path
    secrets: Mapping[str, str]
    clock: Clock
    number: int = 0
    memory: int = 0  # bytes, the largest of all
    cpu: float = 0.0  # seconds, of those that ended
    loop_failures: int = 0
    missed_changes: int = 0
    _daemon: Killable | None = None
    _cpu_now: float = 0.0

    def start(self, patience: float = 60.0) -> None:
        """Start a process, and wait until its first look is over where `patience` is not 0."""
        self.number += 1
        self._daemon = Killable(self.config, self.secrets)
        end = self.clock.monotonic() + patience
        while patience and not self._daemon.ready():
            if self.clock.monotonic() > end:
                raise DaemonError(f"the daemon was not ready after {patience:g} s: {self.config.parent}")
            self.sample()

    @property
    def daemon(self) -> Killable:
        if self._daemon is None:
            raise DaemonError("there is no daemon")
        return self._daemon

    def sample(self) -> None:
        """Look at the process; raises DaemonError if it has ended by itself."""
        self.daemon.check()
        self.memory = max(self.memory, self.daemon.peak_memory())
        self._cpu_now = self.daemon.cpu_seconds()

    def kill(self) -> None:
        """End it without warning."""
        self._count()
        self.daemon.kill()
        self._ended("killed")

    def stop(self) -> None:
        """End it as systemd would."""
        if self._daemon is not None:
            self._count()
            self._daemon.stop()
            self._ended("stopped")

    def _count(self) -> None:
        self.sample()
        try:
            counts = self.daemon.counts()
        except DaemonError:
            counts = Counts()  # not listening yet
        self.loop_failures += counts.loop_failures
        self.missed_changes += counts.missed_changes

    def _ended(self, how: str) -> None:
        self.cpu, self._cpu_now = self.cpu + self._cpu_now, 0.0
        log = self.daemon.log
        log.rename(log.with_name(f"daemon-{self.number}-{how}.log"))
        self._daemon = None


class Store:
    """The daemon's store, read from outside while it works."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "kdsync.db"
        self._forms: dict[str, int] = {}

    def events_of(self, places: Sequence[Place]) -> dict[Place, Counter[str]]:
        """The kinds of event that were noticed of these documents."""
        found: dict[Place, Counter[str]] = {}
        with self._open() as database:
            if not self._forms:
                self._forms = dict(database.execute("SELECT form, id FROM forms"))
            for form, number in self._forms.items():
                ids = [doc_id for name, doc_id in places if name == form]
                for start in range(0, len(ids), AT_ONCE):
                    chunk = ids[start : start + AT_ONCE]
                    marks = ",".join("?" * len(chunk))
                    asked = f"SELECT doc_id, kinds FROM events WHERE form_id = ? AND doc_id IN ({marks})"  # noqa: S608
                    for doc_id, kinds in database.execute(asked, (number, *chunk)):
                        found.setdefault((form, doc_id), Counter()).update(kinds.split())
        return found

    def all_events(self) -> dict[Place, Counter[str]]:
        """Everything that was ever noticed."""
        found: dict[Place, Counter[str]] = {}
        with self._open() as database:
            asked = "SELECT form, doc_id, kinds FROM events JOIN forms ON forms.id = form_id"
            for form, doc_id, kinds in database.execute(asked):
                found.setdefault((form, doc_id), Counter()).update(kinds.split())
        return found

    def unsent(self) -> int:
        """Notifications without letters, and letters that wait."""
        with self._open() as database:
            asked = (
                "SELECT (SELECT count(*) FROM outbox WHERE state IN ('waiting', 'leased'))"
                " + (SELECT count(*) FROM notifications WHERE state IN ('gathered', 'matched', 'held'))"
            )
            return int(database.execute(asked).fetchone()[0])

    def dead(self) -> Iterable[Undelivered]:
        """What was given up."""
        with self._open() as database:
            asked = (
                "SELECT target, number, kind, outbox.reason FROM outbox"
                " JOIN notifications ON notifications.id = notification_id WHERE outbox.state = 'dead'"
            )
            return [Undelivered(*row) for row in database.execute(asked)]

    def diverted(self) -> Iterable[Undelivered]:
        """What went to the operators because its recipient was not to be found."""
        with self._open() as database:
            asked = (
                "SELECT target, number, kind, notifications.reason FROM outbox"
                " JOIN notifications ON notifications.id = notification_id WHERE rule <> 'kdsync' AND target = ?"
            )
            return [Undelivered(*row) for row in database.execute(asked, (OPERATOR,))]

    def states(self) -> dict[str, int]:
        """Letters by state."""
        with self._open() as database:
            return dict(database.execute("SELECT state, count(*) FROM outbox GROUP BY state"))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=30)
        try:
            yield database
        finally:
            database.close()
