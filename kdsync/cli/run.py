"""`kdsync run`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from random import SystemRandom

from kdsync import logs
from kdsync.clock import SystemClock
from kdsync.daemon import Daemon
from kdsync.errors import ConfigurationError, KdsyncError
from kdsync.settings.load import Loaded, load
from kdsync.wiring import Wired

CONFIGURATION_ERROR = 78
log = logs.get("run")


def run(config: Path, level: str) -> int:
    """Run the daemon until it is told to stop; returns the exit code."""
    asked = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: asked.set())  # by default it ends whoever is still starting
    redactor = logs.Redactor()
    logs.configure(redactor, level=level)

    def read() -> Loaded:
        loaded = load(config, os.environ)
        redactor.add(loaded.secrets)
        return loaded

    try:
        wired = Wired(read(), SystemClock(), SystemRandom())
    except Exception as error:  # noqa: BLE001  # it is said, as a line like any other
        return _not_started(error)
    daemon = Daemon(wired, read)
    signal.signal(signal.SIGHUP, lambda *_: daemon.request_reload())
    if asked.is_set():
        daemon.request_reload()
    try:
        return daemon.run()
    except Exception as error:  # noqa: BLE001  # the same
        wired.close()
        return _not_started(error)


def _not_started(error: Exception) -> int:
    """Say why, if need be where no log goes; the exit code."""
    code = _logged(error)
    if logs.trouble():
        print(f"kdsync: {error}", file=sys.stderr)
    return code


def _logged(error: Exception) -> int:
    if isinstance(error, ConfigurationError):
        for problem in error.problems:
            log.error(
                "configuration.refused", file=problem.file, line=problem.line, key=problem.key, error=str(problem)
            )
        return CONFIGURATION_ERROR
    log.error("start.failed", error=str(error), exc_info=None if isinstance(error, KdsyncError) else error)
    return 1
