"""`kdsync simulate`."""

from __future__ import annotations

from kdsync.cli.demo import LIST, asked, prepare, show_faults
from kdsync.clock import SystemClock
from kdsync.demo import endless
from kdsync.errors import KdsyncError


def simulate(kingdee_port: int, dingtalk_port: int, faults: str | None = None, seed: int | None = None) -> int:
    """Run the simulated systems until Ctrl-C; returns the exit code."""
    if faults == LIST:
        return show_faults()
    asks = asked(faults)
    prepare()
    try:
        endless.simulate(SystemClock(), kingdee_port, dingtalk_port, asks, seed)
    except KeyboardInterrupt:
        print("\nStopped.")
    except OSError as error:
        raise KdsyncError(f"cannot listen on the ports asked for: {error}") from error
    return 0
