"""When to send again."""

from __future__ import annotations

import pytest

from kdsync.delivery.retry import GIVE_UP_AFTER, MOST_TRIES, GiveUp, RetryAt, decide, doubling, pause_of
from kdsync.errors import FailureKind as Kind

MIDDLE = 0.5  # of the jitter: no spread


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 2), (2, 4), (3, 8), (4, 20), (5, 60), (8, 1800), (99, 1800)])
@pytest.mark.parametrize("kind", [Kind.TRANSIENT, Kind.UNKNOWN_OUTCOME, Kind.SESSION_LOST])
def test_ever_longer_pauses(kind: Kind, attempt: int, seconds: float) -> None:
    assert decide(kind, attempt, 0, MIDDLE, None) == RetryAt(seconds)


def test_pauses_are_spread_by_a_fifth() -> None:
    spread = [decide(Kind.TRANSIENT, 5, 0, jitter, None) for jitter in (0.0, 1.0)]
    assert spread == [RetryAt(48), RetryAt(72)]


def test_what_was_refused_is_never_tried_again() -> None:
    assert decide(Kind.REFUSED, 1, 0, MIDDLE, 60) == GiveUp()


@pytest.mark.parametrize("kind", [Kind.TRANSIENT, Kind.UNKNOWN_OUTCOME])
def test_what_waits_longer_than_a_long_weekend_while_others_get_through_is_given_up(kind: Kind) -> None:
    assert isinstance(decide(kind, MOST_TRIES, GIVE_UP_AFTER, MIDDLE, None), RetryAt)
    assert decide(kind, MOST_TRIES, GIVE_UP_AFTER + 1, MIDDLE, None) == GiveUp()


def test_a_daemon_that_was_off_over_a_holiday_does_not_give_up_at_the_first_failure() -> None:
    assert isinstance(decide(Kind.TRANSIENT, MOST_TRIES - 1, GIVE_UP_AFTER * 9, MIDDLE, None), RetryAt)


@pytest.mark.parametrize(
    ("kind", "failures", "asked", "seconds"),
    [
        (Kind.QUOTA, 1, None, 6 * 3600),
        (Kind.CONFIGURATION, 1, None, 60),
        (Kind.CONFIGURATION, 2, None, 300),
        (Kind.CONFIGURATION, 99, None, 300),
        (Kind.RATE_LIMITED, 1, 300.0, 300),
        (Kind.RATE_LIMITED, 1, None, 1),
    ],
)
def test_some_failures_hold_the_whole_channel(kind: Kind, failures: int, asked: float | None, seconds: float) -> None:
    assert pause_of(kind, failures, 0.0, asked) == seconds


@pytest.mark.parametrize("kind", [Kind.TRANSIENT, Kind.UNKNOWN_OUTCOME, Kind.SESSION_LOST])
def test_what_may_pass_at_any_moment_is_left_to_the_breaker(kind: Kind) -> None:
    assert pause_of(kind, 1, MIDDLE, None) is None


def test_a_pause_that_was_asked_for_is_kept() -> None:
    assert decide(Kind.TRANSIENT, 1, 0, MIDDLE, 30) == RetryAt(30)


def test_what_fails_for_days_is_still_tried_now_and_then() -> None:
    assert [doubling(failures - 1, 60.0) for failures in (1, 2, 3, 7, 5_000)] == [1.0, 2.0, 4.0, 60.0, 60.0]
    assert [doubling(times, 300.0, 5.0) for times in (0, 1, 5_000)] == [5.0, 10.0, 300.0]
