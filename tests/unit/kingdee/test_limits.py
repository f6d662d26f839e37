"""When a login may be tried, told by a clock that stands still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kdsync.clock import FakeClock
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.limits import LOGINS, LoginLimits, MemoryLedger

WRONG = EdgeError("kingdee", FailureKind.CONFIGURATION, "login-0", "user or password is wrong", cure="correct it")
BUSY = EdgeError("kingdee", FailureKind.TRANSIENT, "6", "the database failed")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 23, 1, 0, tzinfo=UTC))


def held(limits: LoginLimits) -> EdgeError:
    with pytest.raises(EdgeError) as caught:
        limits.check()
    return caught.value


def test_two_wrong_passwords_an_hour_and_no_more(clock: FakeClock) -> None:
    limits, tries = LoginLimits(clock, MemoryLedger()), 0
    for _ in range(360):
        try:
            limits.check()
        except EdgeError:
            pass
        else:
            tries += 1
            limits.refused(WRONG, password=True)
        clock.advance(10)
    assert tries == 2


def test_a_restart_does_not_forget_wrong_passwords(clock: FakeClock) -> None:
    ledger = MemoryLedger()
    LoginLimits(clock, ledger).refused(WRONG, password=True)
    LoginLimits(clock, ledger).check()
    LoginLimits(clock, ledger).refused(WRONG, password=True)
    error = held(LoginLimits(clock, ledger))
    assert (error.kind, error.code, error.retry_after) == (FailureKind.CONFIGURATION, "login-0", 3600.0)
    clock.advance(3601)
    LoginLimits(clock, ledger).check()


def test_a_held_login_tells_the_reason_of_the_last_refusal(clock: FakeClock) -> None:
    limits = LoginLimits(clock, MemoryLedger())
    limits.refused(WRONG, password=True)
    error = held(limits)
    assert "user or password is wrong" in error.message
    assert (error.kind, error.code, error.cure) == (WRONG.kind, "login-0", "correct it")
    assert error.retry_after == 600.0


def test_other_refusals_wait_longer_each_time_but_not_for_ever(clock: FakeClock) -> None:
    limits, pauses = LoginLimits(clock, MemoryLedger()), []
    for _ in range(9):
        limits.refused(BUSY, password=False)
        pauses.append(held(limits).retry_after)
        clock.advance(pauses[-1] or 0)
        limits.check()
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_success_ends_the_waiting(clock: FakeClock) -> None:
    limits = LoginLimits(clock, MemoryLedger())
    limits.refused(BUSY, password=False)
    clock.advance(5)
    limits.succeeded()
    limits.check()


def test_a_session_that_is_lost_again_and_again_does_not_log_in_without_end(clock: FakeClock) -> None:
    limits = LoginLimits(clock, MemoryLedger())
    for _ in range(LOGINS):
        limits.check()
        limits.succeeded()
        clock.advance(1)
    error = held(limits)
    assert error.kind is FailureKind.RATE_LIMITED
    clock.advance(error.retry_after or 0)
    limits.check()


def test_the_ledger_counts_from_a_moment(clock: FakeClock) -> None:
    ledger = MemoryLedger()
    ledger.record(clock.now())
    assert ledger.failures(clock.now()) == 1
    assert ledger.failures(clock.now() + timedelta(seconds=1)) == 0
