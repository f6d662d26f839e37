"""Which columns of a form to ask for: what noticing needs, and what some rule uses. Nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from kdsync.model import Facts, Layout

ENTRIES = "entries"  # stands for all entry rows where keys are watched


def full_layout(
    facts: Facts,
    used: Iterable[str],
    rows: Iterable[str],
    watched: Iterable[str],
    entry_of: Callable[[str], str | None],
) -> Layout:
    """The columns of the date look: `used` head keys, `rows` entry keys and `watched` keys are the rules' needs.

    A rule may name an entry key like a head key (`changed: [FQty]`); `entry_of` tells (None: a head key).
    """
    standard = [facts.pk, facts.number, facts.status, facts.cancel, facts.close, *facts.dates]
    own = {key.casefold(): key for key in standard if key}
    # Sorted, because the needs of rules are sets: another order would be another layout, and a look at everything.
    wanted = dict.fromkeys(sorted([*used, *(key for key in watched if key != ENTRIES)]))
    in_entries = [key for key in wanted if key.casefold() not in own and entry_of(key)]
    heads = {**own, **{key.casefold(): key for key in wanted if key.casefold() not in own and key not in in_entries}}
    entries = {key.casefold(): key for key in (*rows, *in_entries)}
    known = {**entries, **heads, ENTRIES: ENTRIES}
    return Layout(
        facts=facts,
        heads=tuple(heads.values()),
        entries=tuple(sorted(entries.values())) if facts.entry else (),
        watched=frozenset(known[key.casefold()] for key in watched),
    )


def light_layout(layout: Layout) -> Layout:
    """The columns of the open look: identity, status, flags, and the watched head and entry keys."""
    facts = layout.facts
    keep = {facts.pk, facts.number, facts.status, facts.cancel, facts.close, facts.approved} | layout.watched
    entries = layout.entries if layout.watched & {ENTRIES, *layout.entries} else ()
    return Layout(facts, tuple(key for key in layout.heads if key in keep), entries, layout.watched)


def key_layout(layout: Layout) -> Layout:
    """The columns of the key look: identity, status, flags and dates."""
    facts = layout.facts
    keep = {facts.pk, facts.status, facts.cancel, facts.close, *facts.dates}
    return Layout(facts, tuple(key for key in layout.heads if key in keep))


def respelled(old: Layout, new: Layout) -> Layout:
    """An earlier layout of the same form, its keys spelled as in a newer one: Kingdee takes them in any case."""
    spelled = {key.casefold(): key for key in (*new.heads, *new.entries)}

    def now(key: str) -> str:
        return spelled.get(key.casefold(), key)

    return replace(
        old,
        heads=tuple(map(now, old.heads)),
        entries=tuple(map(now, old.entries)),
        watched=frozenset(map(now, old.watched)),
    )
