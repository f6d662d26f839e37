"""Whether and when to send again: a decision kept in the outbox row, not a loop in memory."""

from __future__ import annotations

from dataclasses import dataclass

from kdsync.errors import FailureKind

STEPS = (2.0, 4.0, 8.0, 20.0, 60.0, 180.0, 600.0, 1800.0)  # seconds; the last one repeats
GIVE_UP_AFTER = 72 * 3600.0  # a long weekend
SPREAD = 0.2
OPERATOR = 300.0  # how often to look whether an operator has mended the configuration


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again after `seconds`; `hold` tells that nothing at all should be sent on the channel until then."""

    seconds: float
    hold: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Never again."""


def decide(kind: FailureKind, attempt: int, age: float, jitter: float, retry_after: float | None) -> RetryAt | GiveUp:
    """What to do after the `attempt`-th try (from 1) of a row that is `age` seconds old.

    `jitter` is a number from 0 to 1; `retry_after` is what the other side asked for, in seconds.
    """
    if kind is FailureKind.REFUSED:
        return GiveUp()
    if kind is FailureKind.QUOTA:
        return RetryAt(retry_after or 6 * 3600.0, hold=True)
    if kind is FailureKind.CONFIGURATION:
        return RetryAt(retry_after or OPERATOR, hold=True)
    if kind is FailureKind.RATE_LIMITED:
        return RetryAt(max(retry_after or 1.0, 1.0) * (1 + SPREAD * jitter), hold=True)
    if age > GIVE_UP_AFTER:
        return GiveUp()
    step = STEPS[min(attempt, len(STEPS)) - 1]
    return RetryAt(max(step, retry_after or 0.0) * (1 + SPREAD * (2 * jitter - 1)))
