"""How one form is doing: what its watcher notes, and health, metrics and the heartbeat read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from kdsync.services.setbacks import Setbacks


@dataclass(slots=True)
class Condition:
    """Moments by kdsync's clock."""

    setbacks: Setbacks
    last_ok: datetime | None = None
    last_end: datetime | None = None
    baselined: bool = False
    progress: int = 0

    @property
    def error(self) -> str:
        """Why it is not looked at as it should be; "" where it is."""
        return self.setbacks.error

    @property
    def given_up(self) -> bool:
        """An operator must act: the form does not hold up readiness."""
        return self.setbacks.given_up

    def move(self, by: timedelta) -> None:
        """The clock was set."""
        self.last_ok = self.last_ok + by if self.last_ok else None
        self.last_end = self.last_end + by if self.last_end else None
