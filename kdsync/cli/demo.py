"""`kdsync demo`."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path
from types import FrameType

from kdsync.clock import SystemClock

STOPPED = 130  # 128 + SIGINT, as shells have it


def demo(replay: Path | None, seconds: float, limit: int, speed: float = 1.0) -> int:
    """Play the day or a log; returns the exit code. Everything is stopped and removed, also on Ctrl-C."""
    prepare()
    try:
        if replay is None:
            from kdsync.demo.show import show

            return show(SystemClock(), seconds)
        from kdsync.demo.rerun import rerun

        return rerun(SystemClock(), replay, limit, speed)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return STOPPED


def prepare() -> None:
    """End in order on Ctrl-C, when told to, or when the terminal goes; and let no odd encoding end it half-way."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
