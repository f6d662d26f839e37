"""When each step of a log is played: its calendar squeezed into minutes, but no faster than everybody can follow."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kdsync.demo.replay import Beat
from kdsync.demo.script import Step

BUSY = 0.9  # how far the squeezed time goes by what is to be told, and not by the calendar


@dataclass(frozen=True, slots=True)
class Pace:
    """`gap`: seconds between two beats of one declaration, so that a look falls between them; `tells` and `beats`:
    how many a second at the most."""

    gap: float
    tells: float
    beats: float = 100.0


def squeezed(beats: Sequence[Beat], pace: Pace) -> list[tuple[float, Beat]]:
    """The beats with their seconds after the start, in order.

    The log's times are scaled to about the shortest span that the pace allows. A beat that would come too early is put
    off, and with it the later ones of its declaration: within a declaration the order is the log's, and among
    declarations as far as the gap leaves it.
    """
    later: defaultdict[str, deque[tuple[float, Beat]]] = defaultdict(deque)
    for at, beat in _scaled(beats, pace):
        later[beat.declaration].append((at, beat))
    return list(_in_turn(later, pace))


def _in_turn(later: Mapping[str, deque[tuple[float, Beat]]], pace: Pace) -> Iterator[tuple[float, Beat]]:
    ready = [(queue[0][0], place, name) for place, (name, queue) in enumerate(later.items())]
    heapq.heapify(ready)
    telling: deque[tuple[int, str]] = deque()  # wait for their turn to tell, first come first served
    free = free_to_tell = 0.0
    while ready or telling:
        if telling and (not ready or free_to_tell <= ready[0][0]):
            at, (place, name) = free_to_tell, telling.popleft()
        else:
            at, place, name = heapq.heappop(ready)
            if later[name][0][1].tells and (telling or free_to_tell > at):
                telling.append((place, name))
                continue
        at, beat = max(at, free), later[name].popleft()[1]
        free = at + 1 / pace.beats
        if beat.tells:
            free_to_tell = at + beat.tells / pace.tells
        yield at, beat
        if later[name]:
            heapq.heappush(ready, (max(later[name][0][0], at + pace.gap), place, name))


def _scaled(beats: Sequence[Beat], pace: Pace) -> Iterator[tuple[float, Beat]]:
    """A moment lies between where the calendar has it and how much of the telling is done by then, so that quiet months
    pass quicker than busy ones."""
    if not beats:
        return
    first, span = beats[0].time, (beats[-1].time - beats[0].time).total_seconds() or 1.0
    all_told = sum(beat.tells for beat in beats)
    seconds, told = max(all_told / pace.tells, len(beats) / pace.beats), 0
    for beat in beats:
        calendar = (beat.time - first).total_seconds() / span
        yield seconds * ((1 - BUSY) * calendar + BUSY * told / max(all_told, 1)), beat
        told += beat.tells


def steps(timed: Iterable[tuple[float, Beat]]) -> Iterator[Step]:
    """The script."""
    for at, beat in timed:
        yield from (replace(step, at=at) for step in beat.steps)
