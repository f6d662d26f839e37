"""When to send again."""

from __future__ import annotations

import pytest

from kdsync.delivery.retry import GIVE_UP_AFTER, OPERATOR, GiveUp, RetryAt, decide
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
def test_what_is_older_than_a_long_weekend_is_given_up(kind: Kind) -> None:
    assert isinstance(decide(kind, 9, GIVE_UP_AFTER, MIDDLE, None), RetryAt)
    assert decide(kind, 9, GIVE_UP_AFTER + 1, MIDDLE, None) == GiveUp()


@pytest.mark.parametrize(
    ("kind", "asked", "seconds"),
    [(Kind.QUOTA, None, 6 * 3600), (Kind.CONFIGURATION, None, OPERATOR), (Kind.RATE_LIMITED, 300.0, 300)],
)
def test_some_failures_hold_the_whole_channel_however_old_the_row(
    kind: Kind, asked: float | None, seconds: float
) -> None:
    assert decide(kind, 1, GIVE_UP_AFTER * 9, 0.0, asked) == RetryAt(seconds, hold=True)


def test_a_pause_that_was_asked_for_is_kept() -> None:
    assert decide(Kind.TRANSIENT, 1, 0, MIDDLE, 30) == RetryAt(30)
