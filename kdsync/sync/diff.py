"""What happened between a snapshot and a document: the heart of noticing.

A snapshot may have been taken with other columns than today's (rules were reloaded). Keys that it does not have are
adopted in silence: nobody can say that they changed. So are those that no rule watched then: a field that is only in a
message is as old as the last look that had another reason to read the document.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from kdsync.model import Facts, Layout, Row, Transition
from kdsync.sync.cursor import DATE
from kdsync.sync.fingerprint import differing, same
from kdsync.sync.layout import ENTRIES
from kdsync.sync.strange import REPLACED, REWOUND, replaced, returned_as_another, rewound
from kdsync.sync.transitions import flag_passed, status_passed


class Snapshot(NamedTuple):
    """What was last seen of one document, in the columns of `layout`; `is_gone` if it was deleted since.

    `stored` is the row as the store has it, for the event that replaces it.
    """

    version: int
    layout: Layout
    row: Row
    is_open: bool = False
    is_gone: bool = False
    number: str = ""
    stored: bytes = b""


class Change(NamedTuple):
    """One step from a snapshot (None: never seen) to a document (None: gone).

    `kinds` are the transitions passed, in order, CHANGED last; `changed` are the watched keys whose content differs.
    `strange` says why it may be none (see strange.py), "" where it is an ordinary one. `ours` are the kinds that are
    kdsync's own doing, each with the row of its write (see origin.py).
    """

    version: int
    kinds: tuple[Transition, ...]
    changed: frozenset[str]
    old: Snapshot | None
    layout: Layout
    row: Row | None
    strange: str = ""
    ours: Mapping[Transition, int] = MappingProxyType({})


UNREADABLE = Layout(Facts(""), ())
"""The layout of a snapshot that cannot be read any more: nothing is known of the document but that it was seen."""

VOIDED, CLOSED, CHANGED = Transition.VOIDED, Transition.CLOSED, Transition.CHANGED
"""By name of the class each would take longer to look up than two rows to compare (CPython 3.11)."""

State = tuple[Any, ...]
"""Status, the two flags and the approve date."""


def compare(old: Snapshot | None, row: Row, layout: Layout, horizon: str = "") -> Change | None:
    """The change that leads from `old` to `row`, or None if nothing happened that a rule could ask about.

    A document that comes back after it was gone goes on from where it was, because Kingdee gives no id twice; only a
    restored backup does, and then it is another document. `horizon`: see `strange.rewound`.
    """
    if old is None:
        return _new(1, row, layout)
    if old.is_gone and returned_as_another(old.row, old.layout, row, layout):
        return _new(old.version + 1, row, layout)
    if old.layout is layout and layout.telling(old.row) == layout.telling(row):
        return None
    if replaced(old.row, old.layout, row, layout):
        return _new(old.version + 1, row, layout, REPLACED)
    kinds, changed = _kinds(old, row, layout), changed_keys(old, row, layout)
    if changed:
        kinds = (*kinds, CHANGED)
    if not kinds:
        return None
    strange = REWOUND if rewound(old.row, old.layout, row, layout, horizon) else ""
    return Change(old.version + 1, kinds, changed, old, layout, row, strange)


def _new(version: int, row: Row, layout: Layout, strange: str = "") -> Change:
    return Change(version, _kinds(None, row, layout), frozenset(), None, layout, row, strange)


def gone(old: Snapshot) -> Change:
    """The change of a document that is no longer there."""
    return Change(old.version + 1, (Transition.DELETED,), frozenset(), old, old.layout, None)


def changed_keys(old: Snapshot, row: Row, layout: Layout) -> frozenset[str]:
    """The keys (or `entries`) that were watched and are, and whose content differs."""
    watched = layout.watched if old.layout is layout else layout.watched & old.layout.watched
    if not watched:
        return frozenset()
    before, after = old.layout.places, layout.places
    places = [(key, before[key], after[key]) for key in watched if key in before and key in after]
    keys = frozenset(key for key, was, now in places if not same(old.row[was], row[now]))
    return keys | (_changed_in_entries(old, row, layout) & watched) if layout.entries else keys


def differing_heads(old: Snapshot, row: Row, layout: Layout) -> frozenset[str]:
    """The head keys that both sides have and whose content differs."""
    heads = layout.heads
    if old.layout.heads == heads:
        return frozenset(heads[at] for at in differing(old.row[: len(heads)], row[: len(heads)]))
    places = _common(old.layout.heads, heads)
    return frozenset(heads[at] for was, at in places if not same(old.row[was], row[at]))


def differs(old: Snapshot | None, row: Row, layout: Layout) -> bool:
    """Whether a row with fewer columns differs from the snapshot; True for a document never seen or deleted."""
    if old is None or old.is_gone or old.layout is UNREADABLE:
        return True
    return bool(differing_heads(old, row, layout) or changed_keys(old, row, layout))


def agree(row: Row, layout: Layout, other: Row, other_layout: Layout) -> bool:
    """Whether two rows of one document, read with different columns, say the same where both say something."""
    return not differing_heads(Snapshot(0, layout, row), other, other_layout)


@lru_cache(maxsize=256)
def _common(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    place = {key: at for at, key in enumerate(old)}
    return tuple((place[key], at) for at, key in enumerate(new) if key in place)


def _changed_in_entries(old: Snapshot, row: Row, layout: Layout) -> frozenset[str]:
    """The keys of the rows that differ, and `entries`; of rows that have no key in common nothing can be said."""
    keys = layout.entries
    common = _common(old.layout.entries, keys)
    if not common:
        return frozenset()
    before, after = old.row[-1], row[-1]
    if len(before) != len(after):
        return frozenset({ENTRIES, *keys})
    pairs = list(zip(before, after, strict=True))
    if old.layout.entries == keys:
        places = {at for one, other in pairs for at in differing(one, other)}
    else:
        places = {at for one, other in pairs for was, at in common if not same(one[was], other[at])}
    return frozenset({ENTRIES, *(keys[at] for at in places)}) if places else frozenset()


def _kinds(old: Snapshot | None, row: Row, layout: Layout) -> tuple[Transition, ...]:
    now = _state(row, layout)
    if old is None:
        was: State = (None, None, None, None)
        kinds = status_passed(None, str(now[0]), approved_later=False)
    else:
        was = _before(old, now)
        if was == now:
            return ()
        kinds = _passed(was, now) if layout.facts.status else ()
    voided = flag_passed(was[1], now[1], VOIDED)
    closed = flag_passed(was[2], now[2], CLOSED)
    return (*kinds, *voided, *closed)


def _state(row: Row, layout: Layout) -> State:
    facts, places = layout.facts, layout.places
    found = [places.get(key) for key in (facts.status, facts.cancel, facts.close, facts.approved)]
    return tuple([None if place is None else row[place] for place in found])


def _before(old: Snapshot, now: State) -> State:
    """What a snapshot says of the state; a part that it does not have is adopted as it is `now`."""
    facts, places = old.layout.facts, old.layout.places
    found = [places.get(key) for key in (facts.status, facts.cancel, facts.close, facts.approved)]
    return tuple([part if place is None else old.row[place] for place, part in zip(found, now, strict=True)])


def _passed(was: State, now: State) -> tuple[Transition, ...]:
    again = was[0] == now[0] == "C" and _later(was[3], now[3])
    return status_passed(str(was[0]), str(now[0]), approved_later=again)


def _later(before: Any, after: Any) -> bool:
    """Whether one moment is after another; the year 1 that some servers print for no date is none."""
    return isinstance(before, str) and isinstance(after, str) and bool(DATE.fullmatch(before)) and after > before
