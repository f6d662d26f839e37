"""The figures at the end, and whether they are what they should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kdsync.demo.process import Counts
from kdsync.demo.script import Said
from kdsync.demo.tally import Delays, Expected, Result

NOTHING = Said()


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole run: what was played and noticed by kind of change, what was told, and what the daemon counted."""

    played: Mapping[str, int]
    noticed: Mapping[str, int]
    told: Result
    counts: Counts
    calls: int  # metered ones, as DingTalk counts them
    plan: int = 0  # how many the plan has a month, where that means anything
    said: Said = NOTHING

    @property
    def good(self) -> bool:
        """What the exit code says."""
        return self.told.good and self.said.good and not self.counts.loop_failures and not self.counts.missed_changes

    @property
    def visible(self) -> int:
        """The steps that a rule's form shows."""
        return sum(count for kind, count in self.played.items() if kind != "unseen")

    def rows(self) -> Iterator[tuple[str, str, bool]]:
        """Label, figure, and whether it is as it should be."""
        told, noticed = self.told, sum(self.noticed.values())
        yield "changes made in Kingdee", f"{self.visible:,}", True
        yield "changes noticed by kdsync", f"{noticed:,}{self._difference()}", noticed == self.visible
        if self.said.answers:
            yield "answers given in DingTalk", f"{self.said.answers:,}", True
            yield "  with the right effect in Kingdee", f"{self.said.right:,}", self.said.good
        yield "messages expected", f"{told.expected:,}", True
        yield "  seen on the right phone", f"{told.seen:,}", told.seen == told.expected
        yield "  missed", f"{told.missed:,}", not told.missed
        yield "  doubled", f"{told.doubled:,}", not told.doubled
        yield "  that nobody asked for", f"{told.unasked:,}", not told.unasked
        if told.explained:
            yield "  that the faults explain", f"{told.explained:,}", True
        if told.delays:
            yield "delay, change to DingTalk", delays(told.delays), True
        if told.waits:
            yield "delay, answer to reply", delays(told.waits), True
        yield "DingTalk calls used", f"{self.calls:,}" + (f" of {self.plan:,} a month" if self.plan else ""), True
        if self.counts.loop_failures:
            yield "errors in the daemon's loops", f"{self.counts.loop_failures:,}", False
        if self.counts.missed_changes:
            yield "found only by reconciling", f"{self.counts.missed_changes:,}", False

    def _difference(self) -> str:
        """Which kinds differ, and by how many."""
        kinds = {kind: self.noticed.get(kind, 0) - count for kind, count in self.played.items() if kind != "unseen"}
        kinds |= {kind: count for kind, count in self.noticed.items() if kind not in self.played}
        differing = ", ".join(f"{kind} {count:+,}" for kind, count in sorted(kinds.items()) if count)
        return f" ({differing})" if differing else ""


def delays(found: Delays) -> str:
    """As one line."""
    return f"median {found.median:.1f} s, p99 {found.p99:.1f} s, worst {found.worst:.1f} s"


def missing(expected: list[Expected], most: int = 10) -> Iterator[str]:
    """What did not arrive, a line each."""
    for one in expected[:most]:
        cause = "said" if one.answers else "changed"
        yield f"missed: {one.who}, {' '.join(one.words)}, {cause} at {one.since.astimezone():%H:%M:%S}"
    if len(expected) > most:
        yield f"… and {len(expected) - most} more"
