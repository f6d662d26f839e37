"""`kdsync demo`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import typer

from kdsync.clock import SystemClock
from kdsync.simulator.profiles import Ask, BadFaultsError, listing, parse

LIST = "list"
STOPPED = 130  # 128 + SIGINT, as shells have it


def demo(
    replay: Path | None,
    seconds: float,
    limit: int,
    speed: float = 1.0,
    faults: str | None = None,
    seed: int | None = None,
) -> int:
    """Play the day or a log; returns the exit code. Everything is stopped and removed, also on Ctrl-C."""
    if faults == LIST:
        return show_faults()
    if faults and replay:
        raise typer.BadParameter("a replay is played without faults", param_hint="--faults")
    asks = asked(faults)
    prepare()
    try:
        if replay is None:
            from kdsync.demo.show import show

            return show(SystemClock(), seconds, asks, seed)
        from kdsync.demo.rerun import rerun

        return rerun(SystemClock(), replay, limit, speed)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return STOPPED


def asked(faults: str | None) -> Sequence[Ask]:
    """What `--faults` asks for; wrong usage where that makes no sense."""
    try:
        return parse(faults) if faults else ()
    except BadFaultsError as error:
        raise typer.BadParameter(str(error), param_hint="--faults") from None


def show_faults() -> int:
    """Print every profile and fault within the width of the terminal; the exit code."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, emoji=False)
    for heading, known in listing():
        table = Table(
            title=heading, title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=False
        )
        table.add_column(no_wrap=True)
        table.add_column()
        for name, about in known.items():
            table.add_row(f"  {name}", about)
        console.print(table, "")
    return 0


def prepare() -> None:
    """End in order on Ctrl-C, when told to, or when the terminal goes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
