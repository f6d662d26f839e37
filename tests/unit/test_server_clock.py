"""What can be known of another clock from whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kdsync.clock import FakeClock
from kdsync.server_clock import CONVINCING, DRIFT, ServerClock, date_of, parse_date

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
TRIPS = st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 5.0), st.floats(0.0, 1.0)), min_size=1, max_size=30)
"""Pause before an exchange, its seconds, and the share of them after which the answer was given."""
STEPS = st.floats(5.0, 1e9) | st.floats(-5e8, -5.0)
ODD = [
    None,
    "",
    "yesterday",
    "Mon, 99 Nov 2026 99:00:00 GMT",
    "Mon, 23 Nov 2026 01:00:00 +9999",
    "Mon, 23 Nov 99999999999999999999 01:00:00 GMT",
    "Mon, 01 Jan 1601 00:00:00 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Thu, 31 Dec 2099 23:59:59 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
]


def answer(server: ServerClock, clock: FakeClock, ahead: float, trip: float = 0.1, share: float = 0.5) -> None:
    """One exchange of `trip` seconds with a server whose clock is `ahead` of the first moment of ours."""
    sent = clock.monotonic()
    clock.advance(trip * share)
    date = (START + timedelta(seconds=clock.monotonic() + ahead)).replace(microsecond=0)
    clock.advance(trip * (1 - share))
    server.measure(date, sent, clock.monotonic())


def known(ahead: float = 0.0) -> tuple[ServerClock, FakeClock]:
    """A server whose clock is well known."""
    clock = FakeClock(START)
    server = ServerClock(clock)
    for _ in range(10):
        answer(server, clock, ahead)
        clock.advance(10.07)
    return server, clock


def test_nothing_is_known_at_first() -> None:
    server = ServerClock(FakeClock(START))
    assert (server.measured, server.sure, server.offset(), server.error()) == (False, False, 0.0, None)
    assert server.now() == START


def test_one_answer_tells_it_to_the_second() -> None:
    clock = FakeClock(START)
    server = ServerClock(clock)
    answer(server, clock, 90.0)
    assert abs(server.offset() - 90.0) <= (server.error() or 0) <= 0.6
    assert server.measured
    assert not server.sure


@given(ahead=st.floats(-8e8, 2e9), trips=TRIPS, drift=st.floats(-DRIFT, DRIFT))
def test_the_difference_is_always_within_the_error(
    ahead: float, trips: list[tuple[float, float, float]], drift: float
) -> None:
    clock = FakeClock(START)
    server = ServerClock(clock)
    for pause, trip, share in trips:
        clock.advance(pause)
        answer(server, clock, ahead + drift * clock.monotonic(), trip, share)
        error = server.error()
        assert error is not None
        assert abs(server.offset() - ahead - drift * clock.monotonic()) <= error + 2 * trip * DRIFT + 1e-4


def test_many_answers_tell_it_better() -> None:
    server, _ = known(3.3)
    assert (server.error() or 1) < 0.15
    assert server.sure


@given(step=STEPS, trips=st.lists(st.floats(0.01, 2.0), min_size=CONVINCING, max_size=CONVINCING))
def test_a_clock_that_was_set_is_followed_within_three_answers(step: float, trips: list[float]) -> None:
    server, clock = known()
    assume(abs(step) > 2 * max(trips) + 2)
    for trip in trips:
        assert abs(server.offset()) < 1
        answer(server, clock, step, trip)
        clock.advance(10.0)
    assert abs(server.offset() - step) <= (server.error() or 0) + 1e-3


@given(odd=STEPS, before=st.integers(0, 5), quick=st.booleans())
def test_one_odd_answer_never_moves_it(odd: float, before: int, quick: bool) -> None:
    server, clock = known()
    for _ in range(before):
        answer(server, clock, 0.0)
        clock.advance(0.1 if quick else 10.0)
    told = server.offset()
    answer(server, clock, odd)
    assert abs(server.offset() - told) < 0.001
    clock.advance(0.1 if quick else 10.0)
    answer(server, clock, 0.0)
    assert abs(server.offset()) <= (server.error() or 0) + 1e-3


def test_odd_answers_now_and_then_never_add_up() -> None:
    server, clock = known()
    for _ in range(10):
        answer(server, clock, 5000.0)
        answer(server, clock, 0.0)
    assert abs(server.offset()) < 0.5


def test_a_cached_date_convinces_nobody() -> None:
    server, clock = known()
    cached = START - timedelta(hours=3)
    for _ in range(50):
        server.measure(cached, clock.monotonic(), clock.monotonic() + 0.1)
        clock.advance(0.05)
    for _ in range(50):
        server.measure(cached, clock.monotonic(), clock.monotonic() + 0.1)
        clock.advance(10.0)
    assert abs(server.offset()) < 0.5


def test_a_wrong_first_answer_is_outvoted() -> None:
    clock = FakeClock(START)
    server = ServerClock(clock)
    answer(server, clock, 80_000.0)
    for _ in range(CONVINCING):
        clock.advance(1.5)
        answer(server, clock, 2.0)
    assert abs(server.offset() - 2.0) <= 0.6


def test_two_servers_behind_one_address_do_not_make_it_flicker() -> None:
    server, clock = known()
    for turn in range(20):
        answer(server, clock, 7.0 * (turn % 2))
        clock.advance(10.0)
        assert abs(server.offset()) < 0.5


def test_a_step_of_the_local_clock_needs_no_answer() -> None:
    server, clock = known(90.0)
    theirs = server.now()
    clock.jump(-3600.0)
    assert server.now() == theirs
    assert abs(server.offset() - 3690.0) < 0.5


def test_a_server_that_refuses_our_time_is_believed_at_once() -> None:
    server, clock = known()
    answer(server, clock, 7200.0)
    server.yield_()
    assert abs(server.offset() - 7200.0) < 0.6
    server.yield_()
    assert abs(server.offset() - 7200.0) < 0.6


def test_after_a_long_silence_less_is_known() -> None:
    server, clock = known()
    clock.advance(3 * 86_400)
    assert (server.error() or 0) > 10
    answer(server, clock, 20.0)
    assert abs(server.offset() - 20.0) < 0.6


def test_forgetting_starts_afresh() -> None:
    server, _ = known(50.0)
    server.forget()
    assert not server.measured


@pytest.mark.parametrize("header", ODD)
def test_a_date_that_is_nonsense_is_left_alone(header: str | None) -> None:
    assert parse_date(header) is None
    server, _ = known()
    server.hear({"Date": header} if header is not None else {}, 0.0)
    assert abs(server.offset()) < 0.5


def test_a_date_is_read_with_its_zone() -> None:
    assert parse_date(format_datetime(START, usegmt=True)) == START
    assert parse_date("Mon, 23 Nov 2026 09:00:00 +0800") == START
    assert parse_date("Mon, 23 Nov 2026 01:00:00 -0000") == START


@pytest.mark.parametrize(("age", "fresh"), [("0", True), ("7", False), ("-7", False), ("soon", False), ("", False)])
def test_an_answer_from_a_cache_tells_no_time(age: str, fresh: bool) -> None:
    headers = {"Date": format_datetime(START, usegmt=True), "Age": age}
    assert date_of(headers) == (START if fresh else None)
