"""When a login may be tried, told by a clock that stands still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kdsync.clock import FakeClock
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.errors import Symptom, failure
from kdsync.kingdee.limits import LOGINS, LoginLimits, MemoryLedger

WRONG = EdgeError("kingdee", FailureKind.CONFIGURATION, "login-0", "user or password is wrong", cure="correct it")
BUSY = EdgeError("kingdee", FailureKind.TRANSIENT, "6", "the database failed")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 23, 1, 0, tzinfo=UTC))


def by_password(clock: FakeClock, ledger: MemoryLedger | None = None) -> LoginLimits:
    return LoginLimits(clock, ledger or MemoryLedger(), by_password=True)


def held(limits: LoginLimits) -> EdgeError:
    with pytest.raises(EdgeError) as caught:
        limits.check()
    return caught.value


LOCKED = EdgeError("kingdee", FailureKind.CONFIGURATION, "account-locked", "the account is locked", cure="unlock it")


@pytest.mark.parametrize(
    ("refusal", "hours", "tries"), [(WRONG, 1, 2), (WRONG, 2, 4), (WRONG, 24 * 7, 4), (LOCKED, 1, 2), (LOCKED, 10, 20)]
)
def test_a_password_is_refused_twice_an_hour_and_never_so_often_that_the_account_locks(
    clock: FakeClock, refusal: EdgeError, hours: int, tries: int
) -> None:
    limits, tried = by_password(clock), 0
    for _ in range(hours * 60):
        try:
            limits.check()
        except EdgeError:
            pass
        else:
            tried += 1
            limits.refused(refusal)
        clock.advance(60)
    assert tried == tries


def test_a_login_that_is_refused_for_a_week_waits_for_the_longest_pause(clock: FakeClock) -> None:
    limits = by_password(clock)
    for _ in range(7 * 24 * 12):
        limits.refused(BUSY)
        clock.advance(300)
    limits.refused(BUSY)
    assert (held(limits).code, held(limits).retry_after) == (BUSY.code, 300.0)


def test_a_password_that_was_refused_four_times_is_not_tried_until_another_process_may_have_another(
    clock: FakeClock,
) -> None:
    limits = by_password(clock)
    for _ in range(4):
        limits.refused(WRONG)
    clock.advance(86_400)
    error = held(limits)
    assert (error.kind, error.code) == (FailureKind.CONFIGURATION, "login-0")
    assert "refused 4 times" in error.message
    assert "restart kdsync" in failure(Symptom(login="0")).cure
    limits.succeeded()
    limits.check()


def test_what_looks_like_a_wrong_password_where_none_is_sent_locks_nothing(clock: FakeClock) -> None:
    limits = LoginLimits(clock, MemoryLedger(), by_password=False)
    for _ in range(4):
        limits.refused(WRONG)
    clock.advance(86_400)
    limits.check()


def test_a_restart_does_not_forget_wrong_passwords(clock: FakeClock) -> None:
    ledger = MemoryLedger()
    by_password(clock, ledger).refused(WRONG)
    by_password(clock, ledger).check()
    by_password(clock, ledger).refused(WRONG)
    error = held(by_password(clock, ledger))
    assert (error.kind, error.code, error.retry_after) == (FailureKind.CONFIGURATION, "login-0", 600.0)
    clock.advance(3601)
    by_password(clock, ledger).check()


def test_a_held_login_tells_the_reason_of_the_last_refusal(clock: FakeClock) -> None:
    limits = by_password(clock)
    limits.refused(WRONG)
    error = held(limits)
    assert "user or password is wrong" in error.message
    assert (error.kind, error.code, error.cure) == (WRONG.kind, "login-0", "correct it")
    assert error.retry_after == 600.0


def test_other_refusals_wait_longer_each_time_but_not_for_ever(clock: FakeClock) -> None:
    limits, pauses = by_password(clock), []
    for _ in range(9):
        limits.refused(BUSY)
        pauses.append(held(limits).retry_after)
        clock.advance(pauses[-1] or 0)
        limits.check()
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_success_ends_the_waiting(clock: FakeClock) -> None:
    limits = by_password(clock)
    limits.refused(BUSY)
    clock.advance(5)
    limits.succeeded()
    limits.check()


def test_a_session_that_is_lost_again_and_again_does_not_log_in_without_end(clock: FakeClock) -> None:
    limits = by_password(clock)
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
