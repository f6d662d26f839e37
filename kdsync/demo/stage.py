"""The stage: both simulated systems in this process, the real daemon in another, and nothing left behind."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from random import Random

from kdsync.clock import Clock
from kdsync.demo.process import READY, DaemonError, RunningDaemon
from kdsync.demo.setting import (
    AGENT_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    ROBOT_SECRET,
    ROBOT_TOKEN,
    SIMULATED,
    Setting,
    connection,
    secrets,
    write,
)
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.dingtalk_phones import Seen
from kdsync.simulator.kingdee import SimulatedKingdee


@dataclass(frozen=True, slots=True)
class Stage:
    """The two systems, and what appears on phones as it appears."""

    kingdee: SimulatedKingdee
    dingtalk: SimulatedDingTalk
    phones: SimpleQueue[Seen]
    clock: Clock


@contextmanager
def stage(
    clock: Clock,
    *,
    kingdee_port: int = 0,
    dingtalk_port: int = 0,
    monthly_calls: int = 5000,
    seed: int | None = None,
) -> Iterator[Stage]:
    """The simulated systems, listening. `seed` makes their chances repeatable."""
    kingdee = SimulatedKingdee(clock, port=kingdee_port, random=Random(seed))  # noqa: S311  # no secret is drawn
    dingtalk = SimulatedDingTalk(
        clock,
        port=dingtalk_port,
        client_id=CLIENT_ID,
        client_secret=SIMULATED[CLIENT_SECRET],
        agent_id=AGENT_ID,
        monthly_calls=monthly_calls,
        random=Random(seed),  # noqa: S311  # the same
    )
    dingtalk.add_group_robot("finance", SIMULATED[ROBOT_TOKEN], SIMULATED[ROBOT_SECRET])
    phones: SimpleQueue[Seen] = SimpleQueue()
    dingtalk.on_seen = phones.put
    with kingdee, dingtalk:
        yield Stage(kingdee, dingtalk, phones, clock)


@contextmanager
def workplace() -> Iterator[tuple[Path, Callable[[], Path]]]:
    """A folder that is removed at the end, and a function that keeps it instead and says where its log is.

    It is kept too where the daemon failed.
    """
    folder = Path(tempfile.mkdtemp(prefix="kdsync-demo-"))
    kept: list[Path] = []

    def keep() -> Path:
        kept.append(folder)
        return folder / "daemon.log"

    try:
        yield folder, keep
    except DaemonError as error:
        raise DaemonError(f"{error}\nIts log: {keep()}") from error
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def watching(on: Stage, folder: Path, setting: Setting) -> Iterator[RunningDaemon]:
    """The daemon, looking at the stage; it has seen everything that was there. Raises DaemonError."""
    config = write(folder, setting, connection(on.kingdee, on.dingtalk))
    daemon = RunningDaemon(config, secrets(on.kingdee))
    try:
        _await(daemon, on.clock)
        yield daemon
    finally:
        daemon.stop()


def _await(daemon: RunningDaemon, clock: Clock) -> None:
    never, end = threading.Event(), clock.monotonic() + READY
    while not daemon.ready():
        if clock.monotonic() > end:
            raise DaemonError(f"the daemon was not ready after {READY:g} s")
        clock.wait(never, 0.1)
