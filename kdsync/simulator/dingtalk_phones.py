"""Everything that reached somebody in the simulated DingTalk: what tests assert on and a live display shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from kdsync.clock import Clock
from kdsync.simulator.phone import Reading

Channel = Literal["work", "group", "robot", "session", "card"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One message on one phone, or in one group.

    `who` is a userid or the name of a group; `message` is what was sent, decoded; `task_id`, `status` and
    `status_bg` (of the status bar) belong to work notifications. A card changes where it is: `message` is what it now
    shows.
    """

    who: str
    channel: Channel
    title: str
    text: str
    time: datetime
    message: Mapping[str, Any]
    task_id: int = 0
    status: str = ""
    status_bg: str = ""
    recalled: bool = False
    out_track_id: str = ""


class Phones:
    """The messages in the order in which they arrived."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: list[Seen] = []
        self.on_seen: Callable[[Seen], None] | None = None

    def show(
        self,
        who: str,
        channel: Channel,
        reading: Reading,
        message: Mapping[str, Any],
        *,
        task_id: int = 0,
        bar: tuple[str, str] = ("", ""),
        out_track_id: str = "",
    ) -> None:
        now = self._clock.now()
        shown = (who, channel, reading.title, reading.text, now, message)
        seen = Seen(*shown, task_id, *bar, out_track_id=out_track_id)
        self._seen.append(seen)
        if self.on_seen:
            self.on_seen(seen)

    def change(self, task_id: int, **changes: Any) -> None:
        """Alter the messages of a work notification where they are, as a recall or a new status does."""
        self._seen = [replace(seen, **changes) if seen.task_id == task_id else seen for seen in self._seen]

    def redraw(self, who: str, out_track_id: str, reading: Reading, message: Mapping[str, Any]) -> None:
        """Let somebody's card show something else, where it is."""
        for place, seen in enumerate(self._seen):
            if (seen.out_track_id, seen.who) == (out_track_id, who):
                self._seen[place] = replace(seen, title=reading.title, text=reading.text, message=message)

    def seen(self, who: str | None = None) -> list[Seen]:
        return [seen for seen in self._seen if who in (None, seen.who)]
