"""What had to arrive held against what arrived: pure, so that the demo's verdict can be tested.

Counted are messages on phones; one that goes to three people is three. What an answer in DingTalk is told is a message
like the others, but its delay is another figure: nobody has to look at Kingdee before it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import ceil
from statistics import median
from typing import NamedTuple


class Verdict(StrEnum):
    """What an arrival is."""

    SEEN = "seen"
    DOUBLED = "doubled"  # expected, but had arrived before
    EXPLAINED = "explained"  # it follows from what was made to go wrong
    UNASKED = "unasked"  # nothing of the kind was expected


@dataclass(frozen=True, slots=True)
class Expected:
    """A message that must arrive after `since`, its title with all the words. `answers` names the step in the script
    that a reply is to; "" for what Kingdee is the cause of."""

    who: str
    words: tuple[str, ...]
    since: datetime
    answers: str = ""

    def fits(self, title: str, at: datetime) -> bool:
        return at >= self.since and all(_contains(title, word) for word in self.words)


@dataclass(frozen=True, slots=True)
class Notice:
    """What may be told from `since` on, on the phones of `who`, its title as the pattern has it."""

    who: frozenset[str]
    title: re.Pattern[str]
    since: datetime

    def fits(self, arrival: Arrival) -> bool:
        return arrival.who in self.who and arrival.at >= self.since and bool(self.title.fullmatch(arrival.title))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that arrived. Two notices of the same title differ in their text."""

    who: str
    title: str
    at: datetime
    text: str = ""


class Judged(NamedTuple):
    """What an arrival is, how many seconds after its cause it came, and which step it answers, if it is a reply."""

    verdict: Verdict
    delay: float
    answers: str = ""


@dataclass(slots=True)
class Tally:
    """Takes expectations and arrivals as they happen; an arrival fulfils the oldest expectation that it fits."""

    delays: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # of those who answered, for their replies
    doubled: list[Arrival] = field(default_factory=list)
    unasked: list[Arrival] = field(default_factory=list)
    explained: list[Arrival] = field(default_factory=list)
    _open: dict[str, list[Expected]] = field(default_factory=lambda: defaultdict(list))
    _met: dict[str, list[Expected]] = field(default_factory=lambda: defaultdict(list))
    _may: dict[re.Pattern[str], Notice] = field(default_factory=dict)

    def expect(self, expected: Expected) -> None:
        self._open[expected.who].append(expected)

    def may_arrive(self, notice: Notice) -> None:
        """From now on; safe in any thread."""
        self._may.setdefault(notice.title, notice)

    def arrive(self, arrival: Arrival) -> Judged:
        """What it is; an arrival counts once."""
        waiting = self._open[arrival.who]
        found = _first(waiting, arrival)
        if found:
            waiting.remove(found)
            self._met[arrival.who].append(found)
            delay = (arrival.at - found.since).total_seconds()
            (self.waits if found.answers else self.delays).append(delay)
            return Judged(Verdict.SEEN, delay, found.answers)
        before = _first(self._met[arrival.who], arrival)
        if before:
            self.doubled.append(arrival)
            return Judged(Verdict.DOUBLED, (arrival.at - before.since).total_seconds())
        return Judged(self._beside(arrival), 0.0)

    def _beside(self, arrival: Arrival) -> Verdict:
        """What it is that nobody has to get."""
        if not any(notice.fits(arrival) for notice in tuple(self._may.values())):
            self.unasked.append(arrival)
            return Verdict.UNASKED
        again = any(
            (one.who, one.title, one.text) == (arrival.who, arrival.title, arrival.text) for one in self.explained
        )
        (self.doubled if again else self.explained).append(arrival)
        return Verdict.DOUBLED if again else Verdict.EXPLAINED

    @property
    def missing(self) -> list[Expected]:
        """What did not arrive (yet)."""
        return [expected for waiting in self._open.values() for expected in waiting]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not any(self._open.values())

    def result(self) -> Result:
        """The figures so far."""
        seen, missed = len(self.delays) + len(self.waits), len(self.missing)
        surplus = len(self.doubled), len(self.unasked)
        delays, waits = Delays.of(self.delays), Delays.of(self.waits)
        return Result(seen + missed, seen, missed, *surplus, delays, waits, len(self.explained))


@dataclass(frozen=True, slots=True)
class Delays:
    """In seconds, from the change in Kingdee, or from the answer, to DingTalk's acceptance."""

    median: float
    p99: float
    worst: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Delays | None:
        """None where nothing arrived. The 99th percentile is by nearest rank: a delay that really was."""
        if not seconds:
            return None
        ordered = sorted(seconds)
        return cls(median(ordered), ordered[ceil(0.99 * len(ordered)) - 1], ordered[-1])


@dataclass(frozen=True, slots=True)
class Result:
    """`expected` is `seen` and `missed`; `doubled`, `unasked` and `explained` came on top."""

    expected: int
    seen: int
    missed: int
    doubled: int
    unasked: int
    delays: Delays | None
    waits: Delays | None = None
    explained: int = 0

    @property
    def good(self) -> bool:
        return not (self.missed or self.doubled or self.unasked)


def _first(among: Sequence[Expected], arrival: Arrival) -> Expected | None:
    return next((expected for expected in among if expected.fits(arrival.title, arrival.at)), None)


def _contains(title: str, word: str) -> bool:
    """Whether a title has the word; a number that goes on is another number."""
    if word not in title:
        return False
    return bool(re.search(rf"(?<![0-9A-Za-z]){re.escape(word)}(?![0-9A-Za-z])", title))
