"""DingTalk's limits on work notifications beyond which it still answers "ok" and shows nothing.

500 messages a day (by Shanghai's calendar) for each person, 5,000 people reached a minute for each application:
official page "Asynchronous sending of enterprise work notifications". kdsync stays under them by itself, because only
a second call, which counts against the month, would tell that a message was dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
A_DAY = 500
A_MINUTE = 5_000
APART = timedelta(minutes=5)
"""So far kdsync's clock may be from DingTalk's, whose midnight it is that counts."""


def day_began(now: datetime) -> datetime:
    """Since when messages may be of the day that it is for DingTalk, in the zone of `now`."""
    return (_midnight(now) - APART).astimezone(now.tzinfo)


def day_ends(now: datetime) -> datetime:
    """When that day is surely over for DingTalk."""
    return (_midnight(now) + timedelta(days=1) + APART).astimezone(now.tzinfo)


def month_ends(now: datetime) -> datetime:
    """When the month that it is for DingTalk is surely over, and its count of calls begins anew."""
    in_the_next = _midnight(now).replace(day=1) + timedelta(days=32)
    return (in_the_next.replace(day=1) + APART).astimezone(now.tzinfo)


def _midnight(now: datetime) -> datetime:
    """The last one in Shanghai that is surely over for DingTalk."""
    local = (now - APART).astimezone(SHANGHAI)
    return datetime.combine(local.date(), time(), tzinfo=SHANGHAI)


def had_enough(counts: Mapping[str, int]) -> frozenset[str]:
    """The people who can be shown no further message today; `counts` is what each has got."""
    return frozenset(target for target, count in counts.items() if count >= A_DAY)


def too_many(recent: int, more: int) -> bool:
    """Whether so many more people would be over the limit of a minute in which `recent` were reached."""
    return recent > 0 and recent + more > A_MINUTE
