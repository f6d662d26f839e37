"""Minds three clocks: this machine's, Kingdee's and DingTalk's; and keeps kdsync's own.

kdsync's time is kept by the seconds that pass, so that a machine's clock that is set, or wrong from the start, moves
nothing by itself. It follows the machine's clock as long as DingTalk's agrees within minutes, else DingTalk's: quiet
hours, the limits of a day and the calls of a month are about people's and DingTalk's days. After a jump, and where
Kingdee's clock is far off, DingTalk is asked. Where kdsync's clock is set, what waits in the store is moved with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kdsync import logs
from kdsync.clock import KeptClock
from kdsync.delivery.limits import APART, SHANGHAI
from kdsync.delivery.quiet import not_before
from kdsync.delivery.retry import doubling
from kdsync.errors import EdgeError
from kdsync.server_clock import ServerClock
from kdsync.services.address import URGENCY
from kdsync.services.notices import Notices
from kdsync.services.ports import Meter
from kdsync.services.watcher import Watcher
from kdsync.settings.schema import Settings
from kdsync.store import shifted
from kdsync.store.database import Database

log = logs.get("clocks")
NOTICED = 2.0  # seconds; less is jitter
TRUSTED = APART.total_seconds()  # seconds that this machine's clock may be off DingTalk's
TRUSTED_AGAIN = 60.0  # once it was not, it must come so near
WARN = 60.0
STRAGGLERS = 600.0  # a look that read the clock before it was set has long ended then
PATIENCE = 600.0  # so long DingTalk may keep silent after a jump before the machine is believed
LONGEST_PAUSE = 60.0  # between two questions to DingTalk


def first_time(machine: datetime, sign: tuple[datetime, datetime] | None) -> datetime:
    """What time it is at the start.

    `sign` is the last sign of life in the store, by kdsync's time and by the machine's. Time does not run backwards
    over a restart, and what was wrong with the machine's clock may still be wrong with it.
    """
    if sign is None:
        return machine
    kept, then = sign
    possible = [moment for moment in (machine, machine + (kept - then)) if moment >= kept - timedelta(seconds=NOTICED)]
    return min(possible, default=kept)


@dataclass
class Timekeeper:
    """`step` belongs to the thread that sends: nothing else writes down when to try again.

    `clocks` are those of "kingdee" and "dingtalk"; `ask` has DingTalk answer something, for its `Date`.
    """

    db: Database
    clock: KeptClock
    meter: Meter
    notices: Notices
    settings: Callable[[], Settings]
    watchers: Callable[[], Mapping[str, Watcher]]
    clocks: Mapping[str, ServerClock]
    ask: Callable[[], None]
    _behind: float = field(init=False)  # of the machine's clock, at the last step
    _began: datetime = field(init=False)
    _set_at: float = field(init=False)  # this and what follows: monotonic
    _doubted_until: float = 0.0  # the machine's clock, unless DingTalk knows better
    _ask_at: float = 0.0
    _asked: int = 0
    _overruled: bool = False  # the machine's clock, by DingTalk's
    _told: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._behind, self._began, self._set_at = self.clock.behind(), self.clock.now(), self.clock.monotonic()
        if abs(self._behind) > NOTICED:
            self._doubted_until = math.inf  # until it is set, or DingTalk says that it is right
            log.warning("clock.doubted", machine_ahead=round(self._behind, 1))

    def step(self) -> float:
        """Set kdsync's clock where that is due; returns the seconds that the machine's clock has jumped by."""
        behind = self.clock.behind()
        jump = behind - self._behind if abs(behind - self._behind) > NOTICED else 0.0
        if jump:
            self._jumped(jump)
        self._ask()
        wrong = self._wrong(behind)
        if abs(wrong) > NOTICED:
            self._set(wrong)
        self._behind = self.clock.behind()
        self._recall()
        return jump

    def report(self) -> None:
        """Set the gauges, log where a clock has moved, warn once a day where one is far off."""
        for system, clock in self.clocks.items():
            error = clock.error()
            if error is not None:
                self._report(system, clock.offset() - self.clock.behind(), error)

    def _jumped(self, seconds: float) -> None:
        """Somebody set the machine's clock, or it stood still with the whole machine: DingTalk knows which."""
        log.warning("clock.jumped", seconds=round(seconds, 3))
        self.clocks["dingtalk"].forget()
        self._doubted_until = self.clock.monotonic() + PATIENCE
        self._ask_at, self._asked = 0.0, 0

    def _ask(self) -> None:
        now, kingdee = self.clock.monotonic(), self.clocks["kingdee"]
        wanted = now < self._doubted_until or abs(kingdee.offset()) > TRUSTED
        if self.clocks["dingtalk"].sure or not wanted or now < self._ask_at:
            return
        self._asked += 1
        try:
            self.ask()
        except EdgeError as error:
            log.info("clock.unknown", error=str(error))
        self._ask_at = self.clock.monotonic() + doubling(self._asked / 2, LONGEST_PAUSE)

    def _wrong(self, behind: float) -> float:
        """Seconds that kdsync's clock ought to be ahead of what it says; `behind`: those by the machine's clock."""
        dingtalk = self.clocks["dingtalk"]
        if not dingtalk.sure:
            return 0.0 if self.clock.monotonic() < self._doubted_until else behind
        self._doubted_until = 0.0
        offset, error = dingtalk.offset(), dingtalk.error() or 0.0
        overruled = abs(behind - offset) > (TRUSTED_AGAIN if self._overruled else TRUSTED) + error
        if overruled != self._overruled:
            self._overruled = overruled
            log.warning("clock.overruled" if overruled else "clock.trusted", machine_ahead=round(behind - offset, 1))
        return offset if overruled else behind

    def _set(self, seconds: float) -> None:
        was, by = self.clock.now(), timedelta(seconds=seconds)
        with self.db.write() as tx:
            count = shifted.shift(tx, by, was=was, began=self._began)
            main, now = self.settings().main, was + by
            for priority, urgency in URGENCY.items():
                at = not_before(now, priority, main.calendar.quiet, main.kingdee.timezone)
                shifted.set_untried(tx, urgency, after=now, at=at)
        self.clock.move(seconds)
        self._began, self._set_at = self.clock.now(), self.clock.monotonic()
        for watcher in self.watchers().values():
            watcher.condition.move(by)
        log.warning("clock.set", seconds=round(seconds, 3), moments=count)

    def _recall(self) -> None:
        if self.clock.monotonic() - self._set_at > STRAGGLERS:
            return
        now = self.clock.now()
        latest = now + timedelta(seconds=NOTICED)
        with self.db.read() as tx:
            if not shifted.is_ahead(tx, latest):
                return
        with self.db.write() as tx:
            count = shifted.recall(tx, now, latest)
        log.warning("clock.recalled", notifications=count)

    def _report(self, system: str, offset: float, error: float) -> None:
        labels = {"system": system}
        self.meter.gauge("clock_offset_seconds", offset, labels)
        self.meter.gauge("clock_offset_error_seconds", error, labels)
        told = self._told.get(system, 0.0)
        if abs(offset - told) > NOTICED:
            self._told[system] = offset
            log.info("clock.moved", **labels, **{"from": round(told, 1), "to": round(offset, 1)}, error=round(error, 1))
        if abs(offset) > WARN + error:
            day = self.clock.now().astimezone(SHANGHAI).date().isoformat()
            self.notices.raise_(f"clock {system} {day}", "clock", system=NAMES[system], seconds=round(offset))


NAMES = {"kingdee": "Kingdee", "dingtalk": "DingTalk"}
