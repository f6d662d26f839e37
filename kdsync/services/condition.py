"""How one form is doing: what its watcher notes, and health, metrics and the heartbeat read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(slots=True)
class Condition:
    """Moments by kdsync's clock, `pause_until` in monotonic seconds."""

    last_ok: datetime | None = None
    last_end: datetime | None = None
    error: str = ""
    failures: int = 0
    pause_until: float = 0.0
    baselined: bool = False
    given_up: bool = False  # an operator must act: the form does not hold up readiness
    progress: int = 0

    def move(self, by: timedelta) -> None:
        """The clock was set."""
        self.last_ok = self.last_ok + by if self.last_ok else None
        self.last_end = self.last_end + by if self.last_end else None
