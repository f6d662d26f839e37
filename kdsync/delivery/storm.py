"""What becomes of the messages that one look gathered: told one by one, summed up, or kept back.

A mass approval or a rule that is too wide makes hundreds of messages at once, which nobody reads; a restored backup
makes events of documents that did nothing. Neither can be seen in one page, so what a look's pages gathered is decided
on at its end, all together and from nothing else than the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kdsync.model import Priority

FEW = 10  # documents of a form: so many may be strange at once by chance
SHOWN = 5  # numbers that a summary names


@dataclass(frozen=True, slots=True)
class Gathered:
    """A message that waits for the end of its look; `wanted` as stored: recipient, value and lookup of each."""

    id: str
    rule: str
    doc_id: str
    number: str
    priority: Priority
    wanted: tuple[tuple[str, str, str], ...]
    strange: str = ""
    reason: str = ""  # why the rule failed: its message is about the rule, not about the document


@dataclass(frozen=True, slots=True)
class Storm:
    """More messages of one rule than its limit; about the documents, or about the failures of the rule."""

    rule: str
    limit: int
    members: tuple[Gathered, ...]

    @property
    def error(self) -> str:
        """Why the rule failed, the first time; "" where it did not."""
        return self.members[0].reason

    @property
    def numbers(self) -> list[str]:
        """The first few documents."""
        return list(dict.fromkeys(member.number for member in self.members))[:SHOWN]

    @property
    def wanted(self) -> list[tuple[str, str, str]]:
        """Everybody whom a member would have reached, once."""
        return list(dict.fromkeys(one for member in self.members for one in member.wanted))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Each gathered message is in exactly one of them."""

    told: tuple[Gathered, ...] = ()
    storms: tuple[Storm, ...] = ()
    held: tuple[Gathered, ...] = ()


def decide(gathered: Sequence[Gathered], limit: Callable[[str], int | None]) -> Verdict:
    """Decide about the messages of one form after one look, in order; `limit` of a rule by its id, None: no limit."""
    held = _flood(gathered)
    kept_back = {one.id for one in held}
    by_rule: dict[tuple[str, bool], list[Gathered]] = {}
    for one in gathered:
        if one.id not in kept_back:
            by_rule.setdefault((one.rule, bool(one.reason)), []).append(one)
    storms = tuple(
        Storm(rule, most, tuple(members))
        for (rule, _), members in by_rule.items()
        if (most := limit(rule)) is not None and len(members) > most
    )
    away = kept_back.union(member.id for storm in storms for member in storm.members)
    return Verdict(tuple(one for one in gathered if one.id not in away), storms, held)


def _flood(gathered: Iterable[Gathered]) -> tuple[Gathered, ...]:
    """All strange ones, where they are about more documents than chance explains."""
    strange = tuple(one for one in gathered if one.strange)
    return strange if len({one.doc_id for one in strange}) > FEW else ()
