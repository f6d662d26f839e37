"""Quiet hours: what can wait is held back until they end."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from kdsync.model import Priority

WAITS = (Priority.LOW, Priority.NORMAL)


def not_before(moment: datetime, priority: Priority, quiet: tuple[int, int] | None, zone: ZoneInfo) -> datetime:
    """When a message may be sent. `quiet` is a span in minutes after midnight; it may run overnight."""
    if quiet is None or priority not in WAITS:
        return moment
    begin, end = quiet
    local = moment.astimezone(zone)
    minute = local.hour * 60 + local.minute
    inside = begin <= minute < end if begin <= end else minute >= begin or minute < end
    if not inside:
        return moment
    day = local.date() + timedelta(days=1 if minute >= end else 0)
    return datetime.combine(day, time(end // 60, end % 60), tzinfo=zone).astimezone(moment.tzinfo)
