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


def day_began(now: datetime) -> datetime:
    """Midnight in Shanghai, in the zone of `now`."""
    local = now.astimezone(SHANGHAI)
    return datetime.combine(local.date(), time(), tzinfo=SHANGHAI).astimezone(now.tzinfo)


def day_ends(now: datetime) -> datetime:
    """The next midnight in Shanghai."""
    local = now.astimezone(SHANGHAI)
    return datetime.combine(local.date() + timedelta(days=1), time(), tzinfo=SHANGHAI).astimezone(now.tzinfo)


def had_enough(counts: Mapping[str, int]) -> frozenset[str]:
    """The people who can be shown no further message today; `counts` is what each has got."""
    return frozenset(target for target, count in counts.items() if count >= A_DAY)


def too_many(recent: int, more: int) -> bool:
    """Whether so many more people would be over the limit of a minute in which `recent` were reached."""
    return recent > 0 and recent + more > A_MINUTE
