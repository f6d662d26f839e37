"""What happened between a snapshot and a document: the heart of noticing.

A snapshot may have been taken with other columns than today's (rules were reloaded). Keys that it does not have are
adopted in silence: nobody can say that they changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kdsync.model import Layout, Row, Transition
from kdsync.sync.fingerprint import differing, same
from kdsync.sync.layout import ENTRIES
from kdsync.sync.transitions import flag_passed, status_passed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was last seen of one document, in the columns of `layout`; `is_gone` if it was deleted since."""

    version: int
    layout: Layout
    row: Row
    is_open: bool = False
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One step from a snapshot (None: never seen) to a document (None: gone).

    `kinds` are the transitions passed, in order, CHANGED last; `changed` are the watched keys whose content differs.
    """

    version: int
    kinds: tuple[Transition, ...]
    changed: frozenset[str]
    old: Snapshot | None
    layout: Layout
    row: Row | None


def compare(old: Snapshot | None, row: Row, layout: Layout) -> Change | None:
    """The change that leads from `old` to `row`, or None if nothing happened that a rule could ask about."""
    if old is None or old.is_gone:
        version = old.version + 1 if old else 1
        return Change(version, _kinds(None, row, layout), frozenset(), None, layout, row)
    if old.row == row and old.layout is layout:
        return None
    kinds, changed = _kinds(old, row, layout), changed_keys(old, row, layout)
    if changed:
        kinds = (*kinds, Transition.CHANGED)
    return Change(old.version + 1, kinds, changed, old, layout, row) if kinds else None


def gone(old: Snapshot) -> Change:
    """The change of a document that is no longer there."""
    return Change(old.version + 1, (Transition.DELETED,), frozenset(), old, old.layout, None)


def changed_keys(old: Snapshot, row: Row, layout: Layout) -> frozenset[str]:
    """The watched keys (or `entries`) that both sides have and whose content differs."""
    if not layout.watched:
        return frozenset()
    keys = differing_heads(old, row, layout) & layout.watched
    return keys | (_changed_in_entries(old, row, layout) & layout.watched)


def differing_heads(old: Snapshot, row: Row, layout: Layout) -> frozenset[str]:
    """The head keys that both sides have and whose content differs."""
    heads = layout.heads
    if old.layout.heads == heads:
        return frozenset(heads[at] for at in differing(old.row[: len(heads)], row[: len(heads)]))
    places = _common(old.layout.heads, heads)
    return frozenset(heads[at] for was, at in places if not same(old.row[was], row[at]))


@lru_cache(maxsize=256)
def _common(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    place = {key: at for at, key in enumerate(old)}
    return tuple((place[key], at) for at, key in enumerate(new) if key in place)


def _changed_in_entries(old: Snapshot, row: Row, layout: Layout) -> frozenset[str]:
    if not layout.entries or old.layout.entries != layout.entries:
        return frozenset()
    before, after = old.row[-1], row[-1]
    if len(before) != len(after):
        return frozenset({ENTRIES, *layout.entries})
    places = {at for one, other in zip(before, after, strict=True) for at in differing(one, other)}
    return frozenset({ENTRIES, *(layout.entries[at] for at in places)}) if places else frozenset()


def _kinds(old: Snapshot | None, row: Row, layout: Layout) -> tuple[Transition, ...]:
    facts = layout.facts

    def before(key: str | None) -> Any:
        return value(old.row, old.layout, key) if old else None

    def after(key: str | None) -> Any:
        return value(row, layout, key)

    was, now = before(facts.status), after(facts.status)
    if old is None or facts.status is None:
        kinds = status_passed(None, str(now), approved_later=False) if old is None else ()
    else:
        again = was == now == "C" and _later(before(facts.approved), after(facts.approved))
        kinds = status_passed(str(was), str(now), approved_later=again)
    voided = flag_passed(before(facts.cancel), after(facts.cancel), Transition.VOIDED)
    closed = flag_passed(before(facts.close), after(facts.close), Transition.CLOSED)
    return (*kinds, *voided, *closed)


def _later(before: Any, after: Any) -> bool:
    return isinstance(before, str) and isinstance(after, str) and before.strip() != "" and after > before


def value(row: Row, layout: Layout, key: str | None) -> Any:
    """The raw value of a head key; None where the layout does not have it."""
    return row[layout.heads.index(key)] if key in layout.heads else None
