"""What can be known of another clock from whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.clock import FakeClock
from kdsync.kingdee.server_clock import ServerClock, parse_date

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def answer(server: ServerClock, clock: FakeClock, ahead: float, trip: float = 0.1) -> None:
    """One exchange of `trip` seconds with a server whose clock is `ahead`; the answer is given half way."""
    sent = clock.now()
    clock.advance(trip / 2)
    date = (clock.now() + timedelta(seconds=ahead)).replace(microsecond=0)
    clock.advance(trip / 2)
    server.measure(date, sent, clock.now())


def test_nothing_is_known_at_first() -> None:
    server = ServerClock(FakeClock(START))
    assert (server.measured, server.offset(), server.error()) == (False, 0.0, None)
    assert server.now() == START


def test_one_answer_tells_it_to_the_second() -> None:
    clock = FakeClock(START)
    server = ServerClock(clock)
    answer(server, clock, 90.0)
    assert abs(server.offset() - 90.0) <= (server.error() or 0) <= 0.6
    assert server.measured


@given(
    ahead=st.floats(-90_000, 90_000),
    trips=st.lists(st.floats(0.01, 2.0), min_size=1, max_size=30),
    pause=st.floats(0.1, 30.0),
)
def test_the_difference_is_always_within_the_error(ahead: float, trips: list[float], pause: float) -> None:
    clock = FakeClock(START)
    server = ServerClock(clock)
    for trip in trips:
        clock.advance(pause)
        answer(server, clock, ahead, trip)
        error = server.error()
        assert error is not None
        assert abs(server.offset() - ahead) <= error + 1e-4


def test_many_answers_tell_it_better() -> None:
    clock = FakeClock(START)
    server = ServerClock(clock)
    for _ in range(20):
        clock.advance(10.07)
        answer(server, clock, 3.3)
    assert (server.error() or 1) < 0.15


def test_a_clock_that_was_set_is_believed_at_once() -> None:
    clock = FakeClock(START)
    server = ServerClock(clock)
    answer(server, clock, 0.0)
    answer(server, clock, -3600.0)
    assert abs(server.offset() + 3600.0) < 0.6


def test_forgetting_starts_afresh() -> None:
    clock = FakeClock(START)
    server = ServerClock(clock)
    answer(server, clock, 50.0)
    server.forget()
    assert not server.measured


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "yesterday",
        "Mon, 99 Nov 2026 99:00:00 GMT",
        "Mon, 01 Jan 1601 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ],
)
def test_a_date_that_is_nonsense_is_left_alone(header: str | None) -> None:
    assert parse_date(header) is None


def test_a_date_is_read_with_its_zone() -> None:
    assert parse_date(format_datetime(START, usegmt=True)) == START
    assert parse_date("Mon, 23 Nov 2026 09:00:00 +0800") == START
    assert parse_date("Mon, 23 Nov 2026 01:00:00 -0000") == START
