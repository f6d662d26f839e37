"""`kdsync simulate`."""

from __future__ import annotations

from kdsync.cli.demo import prepare
from kdsync.clock import SystemClock
from kdsync.demo import endless
from kdsync.errors import KdsyncError


def simulate(kingdee_port: int, dingtalk_port: int) -> int:
    """Run the simulated systems until Ctrl-C; returns the exit code."""
    prepare()
    try:
        endless.simulate(SystemClock(), kingdee_port, dingtalk_port)
    except KeyboardInterrupt:
        print("\nStopped.")
    except OSError as error:
        raise KdsyncError(f"cannot listen on the ports asked for: {error}") from error
    return 0
