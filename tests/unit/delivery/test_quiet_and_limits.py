"""Quiet hours, and DingTalk's days and minutes."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from kdsync.delivery.limits import A_DAY, day_began, day_ends, had_enough, month_ends, too_many
from kdsync.delivery.quiet import not_before
from kdsync.model import Priority

ZONE = ZoneInfo("Asia/Shanghai")
NIGHT = (21 * 60, 8 * 60)
NOON = (12 * 60, 13 * 60 + 30)


def at(hour: int, minute: int = 0, day: int = 23) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("moment", "quiet", "expected"),
    [
        (at(20, 59), NIGHT, at(20, 59)),
        (at(21), NIGHT, at(8, day=24)),
        (at(23, 59), NIGHT, at(8, day=24)),
        (at(0), NIGHT, at(8)),
        (at(7, 59), NIGHT, at(8)),
        (at(8), NIGHT, at(8)),
        (at(12, 10), NOON, at(13, 30)),
        (at(13, 30), NOON, at(13, 30)),
        (at(3), None, at(3)),
    ],
)
def test_what_can_wait_waits_until_the_quiet_hours_end(
    moment: datetime, quiet: tuple[int, int] | None, expected: datetime
) -> None:
    assert not_before(moment.astimezone(UTC), Priority.NORMAL, quiet, ZONE) == expected


@pytest.mark.parametrize("priority", [Priority.HIGH, Priority.URGENT])
def test_what_cannot_wait_does_not(priority: Priority) -> None:
    assert not_before(at(23), priority, NIGHT, ZONE) == at(23)


@pytest.mark.parametrize(
    ("moment", "began", "ends"),
    [
        (at(0, 30), at(23, 55, day=22), at(0, 5, day=24)),
        (at(23, 59), at(23, 55, day=22), at(0, 5, day=24)),
        (at(0, 4), at(23, 55, day=21), at(0, 5)),  # where DingTalk's clock is behind it is still the day before
        (at(0, 5), at(23, 55, day=22), at(0, 5, day=24)),
    ],
)
def test_dingtalks_day_is_shanghais_by_a_clock_that_is_not_ours(
    moment: datetime, began: datetime, ends: datetime
) -> None:
    assert (day_began(moment.astimezone(UTC)), day_ends(moment.astimezone(UTC))) == (began, ends)


@pytest.mark.parametrize(
    ("moment", "ends"),
    [
        ("2026-11-30T23:59", "2026-12-01T00:05"),
        ("2026-12-01T00:04", "2026-12-01T00:05"),
        ("2026-12-01T00:05", "2027-01-01T00:05"),
        ("2027-01-31T12:00", "2027-02-01T00:05"),
    ],
)
def test_dingtalks_month_too(moment: str, ends: str) -> None:
    at_that = datetime.fromisoformat(f"{moment}+08:00").astimezone(UTC)
    assert month_ends(at_that) == datetime.fromisoformat(f"{ends}+08:00")


def test_who_has_had_enough() -> None:
    assert had_enough({"u1": A_DAY - 1, "u2": A_DAY, "u3": A_DAY + 1}) == {"u2", "u3"}


def test_a_minute_holds_five_thousand_people_but_always_one_call() -> None:
    assert not too_many(4900, 100)
    assert too_many(4901, 100)
    assert not too_many(0, 6000)
