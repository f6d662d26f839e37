"""The real daemon in a process of its own, in a hurry: what takes minutes takes tenths of a second."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from unittest.mock import patch

from kdsync import daemon, listener, wiring
from kdsync.answering import Answering
from kdsync.bridges import KingdeeSource
from kdsync.cli import run as command
from kdsync.delivery import limits
from kdsync.kingdee import limits as login_limits
from kdsync.services import address, dispatch, looks, people
from kdsync.store import database
from tests.crash.fast_clock import SPEED, FastClock
from tests.crash.points import Blow, Stroke, Track, die

PAGE = 3
Work = Callable[[], object]
EVERY = {"receipts": 10.0, "people": 10.0}  # seconds of the fast clock, where the daemon has minutes


@dataclass(frozen=True, slots=True)
class Job:
    """What the process is to do; it is sent to it as it is."""

    folder: Path
    zero: float
    environ: Mapping[str, str]
    blows: tuple[Blow, ...] = ()
    stroke: Stroke = die
    a_minute: int = limits.A_MINUTE
    ahead: float = 0.0


def run(job: Job) -> None:
    """Be the daemon until it ends."""
    output = os.open(job.folder / "kdsync.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    os.environ.update(job.environ)
    hurry(job)
    Track(job.folder / "points", job.blows, job.stroke).surround()
    sys.exit(command.run(job.folder / "kdsync.yaml", "info"))


def hurry(job: Job) -> None:
    """Shorten what is not a matter of the clock."""
    patch.object(command, "SystemClock", partial(FastClock, job.zero, job.ahead)).start()
    patch.object(wiring, "KingdeeSource", partial(KingdeeSource, page_size=PAGE)).start()
    looks.TOGETHER = PAGE
    people.FRESH = timedelta(seconds=5)
    people.MISS_FRESH = timedelta(seconds=5)
    patch.object(address, "PAUSES", (2.0,)).start()
    dispatch.LEASE = timedelta(seconds=5)
    dispatch.MINUTE = timedelta(seconds=8)
    limits.A_MINUTE = job.a_minute
    login_limits.REFUSALS, login_limits.REFUSAL_PAUSE = 100, 2.0
    database.BUSY_MS = 300
    daemon.LONGEST_SLEEP = 0.3
    daemon.FIRST_RECONCILE = 0.0
    listener.AFTER_TROUBLE = 0.1
    _hurry_the_listener(Answering.pause)
    _hurry_the_daemon(daemon.Daemon._every, daemon.Daemon._sleep)


def _hurry_the_listener(pause: Callable[[Answering, float], float]) -> None:
    """It waits in real time."""
    patch.object(Answering, "pause", lambda self, longest: pause(self, longest) / SPEED).start()


def _hurry_the_daemon(every: Callable[..., None], sleep: Callable[..., float]) -> None:
    def sooner(self: daemon.Daemon, seconds: float, work: Work, name: str, start: float, *by: str) -> None:
        seconds = EVERY.get(name, seconds)
        every(self, seconds / SPEED, work, name, min(start, seconds) / SPEED, *by)

    patch.object(daemon.Daemon, "_every", sooner).start()
    patch.object(daemon.Daemon, "_sleep", lambda self: sleep(self) / SPEED).start()
