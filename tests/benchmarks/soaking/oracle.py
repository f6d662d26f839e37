"""What must be noticed and told, held against what kdsync's store and people's phones say. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

KINDS = "created|submitted|approved|rejected|unapproved|voided|closed|deleted|changed"
TITLE = re.compile(rf"(\S+) ({KINDS})")
MENTIONED = re.compile(rf"(\w+) ({KINDS})", re.ASCII)  # a title within other words, which may be Chinese
Tell = tuple[str, str, str]
"""Who, the document's number, the kind of event."""
Place = tuple[str, str]
"""Form and id of a document."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What kdsync gave up, or gave to the operators in place of somebody, and why."""

    who: str
    number: str
    kind: str
    reason: str


@dataclass(slots=True)
class Oracle:
    """Takes what happens in any order. Counted are events (kinds of them), and messages on phones."""

    delays: list[float] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)  # titles that no rule of ours has
    notices: Counter[str] = field(default_factory=Counter)  # to operators, by title
    _operators_know: set[tuple[str, str]] = field(default_factory=set)  # of these documents and kinds of event
    _events: dict[Place, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _noticed: dict[Place, Counter[str]] = field(default_factory=dict)
    _tells: dict[Tell, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    _seen: Counter[Tell] = field(default_factory=Counter)
    _texts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _open: int = 0  # messages that are still to come

    def expect(self, place: Place, kinds: Iterable[str]) -> None:
        """Something happened to a document."""
        self._events[place].update(kinds)

    def expect_tell(self, tell: Tell, since: datetime) -> None:
        """Somebody must hear of it. `since` is when kdsync could see it first."""
        self._tells[tell].append(since)
        self._open += 1

    def notice(self, place: Place, kinds: Counter[str]) -> bool:
        """All that kdsync has noticed of a document; whether that is everything that happened to it."""
        self._noticed[place] = kinds
        return kinds >= self._events[place]

    def tell_operators(self, title: str, text: str) -> None:
        """A message came to an operator."""
        self.notices[title.partition("：")[0]] += 1
        self._operators_know.update((found[1], found[2]) for found in MENTIONED.finditer(f"{title}\n{text}"))

    def arrive(self, who: str, title: str, text: str, at: datetime) -> None:
        """A message came to a phone or a group."""
        found = TITLE.fullmatch(title)
        if found is None:
            self.strangers.append(f"{who}: {title}")
            return
        tell = who, found[1], found[2]
        place = self._seen[tell]
        self._seen[tell] += 1
        self._texts[who, text] += 1
        since = self._tells.get(tell, [])
        if place < len(since):
            self.delays.append((at - since[place]).total_seconds())
            self._open -= 1

    @property
    def open(self) -> int:
        """How many messages are still to come."""
        return self._open

    def unnoticed(self) -> dict[Place, Counter[str]]:
        """Events that kdsync has not noticed."""
        return dict(self._differences(self._events, self._noticed))

    def imagined(self) -> dict[Place, Counter[str]]:
        """Events that never were."""
        return dict(self._differences(self._noticed, self._events))

    @staticmethod
    def _differences(
        these: Mapping[Place, Counter[str]], those: Mapping[Place, Counter[str]]
    ) -> Iterator[tuple[Place, Counter[str]]]:
        for place, kinds in these.items():
            left = kinds - those.get(place, Counter())
            if left:
                yield place, left

    @property
    def events(self) -> int:
        return sum(kinds.total() for kinds in self._events.values())

    @property
    def expected(self) -> int:
        """How many messages there should be."""
        return sum(map(len, self._tells.values()))

    @property
    def seen(self) -> int:
        """Of those expected."""
        return sum(min(count, len(self._tells.get(tell, ()))) for tell, count in self._seen.items())

    def unseen(self) -> Counter[Tell]:
        """Messages that did not come."""
        return +Counter({tell: len(since) - self._seen[tell] for tell, since in self._tells.items()})

    def missed(
        self, dead: Iterable[Undelivered], diverted: Iterable[Undelivered], ghosts: Container[str]
    ) -> Counter[Tell]:
        """Messages that did not come although nothing excuses it.

        One to a ghost dies, and one for somebody who is not to be found goes to the operators; of both they must know.
        """
        excused = Counter((one.who, one.number, one.kind) for one in dead if one.who in ghosts and self._is_known(one))
        instead = Counter((one.number, one.kind) for one in diverted if self._is_known(one))
        left: Counter[Tell] = Counter()
        for tell, count in (self.unseen() - excused).items():
            told = min(count, instead[tell[1:]])
            instead[tell[1:]] -= told
            left[tell] = count - told
        return +left

    def _is_known(self, one: Undelivered) -> bool:
        return (one.number, one.kind) in self._operators_know

    def doubled(self) -> Counter[Tell]:
        """Messages that came more often than they should have, or word for word twice."""
        more = Counter(
            {tell: count - len(self._tells[tell]) for tell, count in self._seen.items() if tell in self._tells}
        )
        again = Counter({(who, text, "again"): count - 1 for (who, text), count in self._texts.items()})
        return +more + +again

    def unasked(self) -> Counter[Tell]:
        """Messages that nothing asked for."""
        return Counter({tell: count for tell, count in self._seen.items() if tell not in self._tells})


def percentile(ordered: list[float], share: float) -> float:
    """By nearest rank; 0 of nothing."""
    return ordered[max(ceil(share * len(ordered)), 1) - 1] if ordered else 0.0
