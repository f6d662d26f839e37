"""What is done every so many seconds, on a machine whose clock may be set."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a job that still runs when it is due again is no news
LOOKS, HOUSE = "default", "house"


class Every(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Every `seconds`. What was missed is run once.

    APScheduler's own trigger counts every run that was missed: after a step from 1970 to today, for hours.
    """

    def __init__(self, seconds: float) -> None:
        self._interval = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The next moment after `previous`, and after `now` if that is past."""
        due = (previous or now) + self._interval
        return due if due > now else now + self._interval


class Schedule:
    """Jobs by name, run by `threads` threads, and those of the house by one of their own, which nobody keeps waiting.

    Moments are the machine's, as APScheduler reads them.
    """

    def __init__(self, threads: int) -> None:
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={LOOKS: ThreadPoolExecutor(threads), HOUSE: ThreadPoolExecutor(1)},
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def every(self, seconds: float, name: str, work: Callable[[], object], first: float, by: str = LOOKS) -> None:
        """Run `work` in `first` seconds, and then every `seconds`; `by` HOUSE what asks neither system for anything."""
        at = datetime.now(UTC) + timedelta(seconds=first)
        self._scheduler.add_job(work, Every(seconds), id=name, name=name, next_run_time=at, executor=by)

    def clear(self) -> None:
        """Forget all jobs; what runs ends by itself."""
        self._scheduler.remove_all_jobs()

    def move(self, seconds: float) -> None:
        """The machine's clock was set by so much: every job comes as soon as it would have."""
        for job in self._scheduler.get_jobs() if seconds < 0 else ():  # after a step forward all have come at once
            job.modify(next_run_time=job.next_run_time + timedelta(seconds=seconds))

    def close(self) -> None:
        """End when what runs has ended."""
        self._scheduler.shutdown()
