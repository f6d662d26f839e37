"""The real daemon as a process of its own, and what can be asked of it from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from kdsync.errors import KdsyncError
from kdsync.store import schema
from kdsync.store.database import Database

READY = 60.0  # seconds that the first look may take
STOP = 15.0
KIBIBYTE = 1024


class DaemonError(KdsyncError):
    """The daemon did not start, or ended by itself."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the daemon counted: loop failures and missed changes are 0 when all is well."""

    loop_failures: int = 0
    missed_changes: int = 0
    metered_calls: int = 0
    kingdee_calls: int = 0


class RunningDaemon:
    """`kdsync run` on a configuration; its log goes to `log`, a file of JSON lines."""

    def __init__(self, config: Path, secrets: Mapping[str, str]) -> None:
        self.log = config.parent / "daemon.log"
        self._store = config.parent / "kdsync.db"
        self._listening = 0
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment cannot reach loopback
        here = {**os.environ, **secrets, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C reaches only us, and we end it in order.
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                [sys.executable, "-m", "kdsync", "run", "-c", str(config)],
                env=here,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raises DaemonError if it has ended."""
        code = self._process.poll()
        if code is not None:
            raise DaemonError(f"the daemon ended by itself with exit code {code}: {self._last_words()}")

    def ready(self) -> bool:
        """Whether the first look at every form is over. Raises DaemonError if it has ended."""
        self.check()
        port = self._port()
        return bool(port) and self._get(port, "/health/ready").status_code == requests.codes.ok

    def counts(self) -> Counts:
        """From its /metrics."""
        sums: Counter[str] = Counter()
        for family in text_string_to_metric_families(self._get(self._port(), "/metrics").text):
            for sample in family.samples:
                sums[sample.name + ("/metered" if sample.labels.get("metered") == "yes" else "")] += int(sample.value)
        return Counts(
            sums["kdsync_loop_failures_total"],
            sums["kdsync_missed_changes_total"],
            sums["kdsync_dingtalk_calls_total/metered"],
            sums["kdsync_kingdee_calls_total"],
        )

    def noticed(self) -> Counter[str]:
        """How often it noticed each kind of change, from its store."""
        database = Database(f"sqlite:///{self._store}")
        try:
            with database.read() as tx:
                return Counter(kind for (kinds,) in tx.execute(select(schema.events.c.kinds)) for kind in kinds.split())
        finally:
            database.close()

    def peak_memory(self) -> int:
        """The most memory that it has used, in bytes; 0 where the system does not tell (`proc(5)`, VmHWM)."""
        try:
            lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) * KIBIBYTE for line in lines if line.startswith("VmHWM")), 0)

    def stop(self) -> None:
        """End it as systemd would."""
        self._session.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def _get(self, port: int, path: str) -> requests.Response:
        try:
            return self._session.get(f"http://127.0.0.1:{port}{path}", timeout=5)
        except requests.RequestException as error:
            self.check()
            raise DaemonError(f"the daemon does not answer on {path}: {error}") from error

    def _port(self) -> int:
        """0 until it listens."""
        if not self._listening:
            started = (line for line in self._lines() if line.get("event") == "started")
            self._listening = next((int(line["port"]) for line in started), 0)
        return self._listening

    def _last_words(self) -> str:
        errors = [line for line in self._lines() if line.get("level") in ("error", "critical")]
        return str(errors[-1].get("error") or errors[-1].get("event")) if errors else "it left no error in its log"

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue  # a line of the interpreter, or one that is being written
