"""How often the simulated DingTalk may be called: 20 calls a second for each API, and so many a month.

Sources: "API call limits", "Which API calls are metered" and "Webhook & Stream metering" on open.dingtalk.com.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from zoneinfo import ZoneInfo

from kdsync.clock import Clock

SHANGHAI = ZoneInfo("Asia/Shanghai")


def today(clock: Clock) -> date:
    """DingTalk's calendar day."""
    return clock.now().astimezone(SHANGHAI).date()


def month(clock: Clock) -> str:
    return f"{today(clock):%Y-%m}"


class MonthlyAllowance:
    """A count that starts anew with each calendar month in Shanghai."""

    def __init__(self, clock: Clock, size: int) -> None:
        self._clock = clock
        self._size = size
        self._spent: Counter[str] = Counter()

    @property
    def spent(self) -> int:
        return self._spent[month(self._clock)]

    def spend(self) -> bool:
        """Use one; False when none is left."""
        if self.spent >= self._size:
            return False
        self._spent[month(self._clock)] += 1
        return True

    def use_up(self) -> None:
        """Nothing is left this month."""
        self._spent[month(self._clock)] = self._size


class Window:
    """At most `size` in one bucket of `seconds`; buckets begin at whole multiples, as DingTalk counts them."""

    def __init__(self, clock: Clock, size: int, seconds: int) -> None:
        self._clock = clock
        self._size = size
        self._seconds = seconds
        self._bucket = -1
        self._used = 0

    def take(self) -> bool:
        """Use one; False when the bucket is full."""
        bucket = int(self._clock.now().timestamp()) // self._seconds
        if bucket != self._bucket:
            self._bucket, self._used = bucket, 0
        if self._used >= self._size:
            return False
        self._used += 1
        return True
