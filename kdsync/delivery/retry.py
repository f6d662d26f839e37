"""Whether and when to send again: a decision kept in the outbox row, not a loop in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp2

from kdsync.errors import FailureKind

STEPS = (2.0, 4.0, 8.0, 20.0, 60.0, 180.0, 600.0, 1800.0)  # seconds; the last one repeats
GIVE_UP_AFTER = 72 * 3600.0  # a long weekend in which others got through
MOST_TRIES = 20  # so many at least, so that nobody who was switched off over a holiday gives up at the first failure
SPREAD = 0.2
OPERATOR = (60.0, 300.0)  # how often to look whether an operator has mended the configuration
USED_UP = 6 * 3600.0
MOST_DOUBLINGS = 30  # some weeks of failures would make more than a float holds


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again after `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Never again."""


def decide(kind: FailureKind, attempt: int, lived: float, jitter: float, retry_after: float | None) -> RetryAt | GiveUp:
    """What to do after the `attempt`-th try (from 1) of a row that waits for `lived` seconds while others got through.

    `jitter` is a number from 0 to 1; `retry_after` is what the other side asked for, in seconds.
    """
    if kind is FailureKind.REFUSED or (lived > GIVE_UP_AFTER and attempt >= MOST_TRIES):
        return GiveUp()
    step = after(STEPS, attempt - 1)
    return RetryAt(max(step, retry_after or 0.0) * (1 + SPREAD * (2 * jitter - 1)))


def pause_of(kind: FailureKind, failures: int, jitter: float, retry_after: float | None) -> float | None:
    """Seconds for which nothing at all is sent on a channel after so many failures in a row, where that is plain.

    None: it may pass at any moment, and a breaker decides.
    """
    if kind is FailureKind.QUOTA:
        return retry_after or USED_UP
    if kind is FailureKind.CONFIGURATION:
        return retry_after or OPERATOR[min(failures, len(OPERATOR)) - 1]
    if kind is FailureKind.RATE_LIMITED:
        return max(retry_after or 1.0, 1.0) * (1 + SPREAD * jitter)
    return None


def after(pauses: Sequence[float], tries: int) -> float:
    """The pause after so many tries before; the last of `pauses` again and again."""
    return pauses[min(tries, len(pauses) - 1)]


def doubling(times: float, longest: float, first: float = 1.0) -> float:
    """The pause `first` after it was doubled so many times, however many they are, in seconds."""
    return min(first * exp2(min(times, MOST_DOUBLINGS)), longest)
