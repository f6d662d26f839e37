"""A log is squeezed, but never so that a look could not keep up or DingTalk would refuse."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kdsync.demo.pace import Pace, squeezed, steps
from kdsync.demo.replay import Beat
from kdsync.demo.script import Step, Tell

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
PACE = Pace(gap=3.0, tells=12.0, beats=100.0)
CLOSE = 1e-6


def beat(declaration: str, seconds: float, *, telling: bool = True) -> Beat:
    tells = (Tell("user1"),) if telling else ()
    return Beat(declaration, START + timedelta(seconds=seconds), (Step(0, "a", "submit", declaration, tells=tells),))


beats = st.lists(
    st.builds(beat, st.sampled_from("abcdefgh"), st.floats(0, 1e6), telling=st.booleans()), max_size=60
).map(lambda found: sorted(found, key=lambda one: one.time))


@given(beats)
def test_every_beat_is_played_and_in_order_within_a_declaration(given_beats: list[Beat]) -> None:
    played = squeezed(given_beats, PACE)
    assert [at for at, _ in played] == sorted(at for at, _ in played)
    of: defaultdict[str, list[tuple[float, Beat]]] = defaultdict(list)
    for at, one in played:
        of[one.declaration].append((at, one))
    for name, mine in of.items():
        assert [one for _, one in mine] == [one for one in given_beats if one.declaration == name]
        assert all(later - at >= PACE.gap - CLOSE for (at, _), (later, _) in pairwise(mine))
    assert len(played) == len(given_beats)


@given(beats)
def test_what_is_told_is_told_at_the_rate_at_most(given_beats: list[Beat]) -> None:
    told = [at for at, one in squeezed(given_beats, PACE) if one.tells]
    assert all(later - at >= 1 / PACE.tells - CLOSE for at, later in pairwise(told))


def test_a_busy_hour_is_told_in_the_order_of_the_log() -> None:
    busy = [beat(f"bill {number}", 0) for number in range(50)]
    assert [one.declaration for _, one in squeezed(busy, PACE)] == [one.declaration for one in busy]


def test_a_quiet_year_before_a_busy_day_passes_quickly() -> None:
    day = [beat(f"bill {number}", 3e7 + number) for number in range(600)]
    played = squeezed([beat("early", 0), *day], PACE)
    assert played[1][0] < 10
    assert played[-1][0] < 601 / PACE.tells * 1.2


def test_the_steps_get_the_times_of_their_beats() -> None:
    assert [step.at for step in steps(squeezed([beat("a", 0), beat("a", 60)], PACE))] == [0.0, 3.0]


def test_a_log_without_beats() -> None:
    assert squeezed([], PACE) == []
