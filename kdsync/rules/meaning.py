"""What an expression may stand for, as far as it leads to fields of Kingdee."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from kdsync.rules import vocabulary


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a document: a field's key, or the whole document or entry row where `key` is ''."""

    in_entries: bool
    key: str = ""


class Shape(Enum):
    """What else an expression may give that leads to fields."""

    ROWS = auto()  # a list of entry rows
    GROUPS = auto()  # what groupby gives
    GROUP = auto()
    EVENT = auto()
    RULE = auto()
    LOOP = auto()
    TASK = auto()
    APPROVAL = auto()


PARTS_OF = {
    Shape.EVENT: vocabulary.EVENT,
    Shape.RULE: vocabulary.RULE,
    Shape.LOOP: vocabulary.LOOP,
    Shape.TASK: vocabulary.TASK,
    Shape.APPROVAL: vocabulary.APPROVAL,
}
"""What hangs on the things that are no documents."""

Meaning = frozenset[Place | Shape]
"""What an expression may stand for; more than one thing where it chooses."""

NOTHING: Meaning = frozenset()


OF_EVENTS: Mapping[str, Meaning] = {
    "doc": frozenset({Place(in_entries=False)}),
    "old": frozenset({Place(in_entries=False)}),
    "event": frozenset({Shape.EVENT}),
    "rule": frozenset({Shape.RULE}),
    "now": NOTHING,
}
"""The names that conditions and messages see."""
OF_TASKS: Mapping[str, Meaning] = {**OF_EVENTS, vocabulary.OF_TASKS: frozenset({Shape.TASK})}
OF_APPROVALS: Mapping[str, Meaning] = {
    "form": NOTHING,
    "approval": frozenset({Shape.APPROVAL}),
    "applicant": NOTHING,
    "now": NOTHING,
}
"""The names of what fills in a new document."""
OF_ROWS: Mapping[str, Meaning] = {vocabulary.OF_ROWS: NOTHING, **OF_APPROVALS}


def members(meaning: Meaning, index: object = None) -> Meaning:
    """What a loop over it gives, or its member at `index`."""
    found: set[Place | Shape] = set()
    if Shape.ROWS in meaning:
        found.add(Place(in_entries=True))
    if Shape.GROUPS in meaning:
        found.add(Shape.GROUP)
    if Shape.GROUP in meaning and index == 1:
        found.add(Shape.ROWS)
    return frozenset(found)


def filtered(name: str, base: Meaning) -> Meaning:
    """What a filter gives of it."""
    if name in vocabulary.SAME_ROWS:
        return base & {Shape.ROWS, Shape.GROUPS}
    if name in vocabulary.ONE_ROW:
        return members(base)
    return frozenset({Shape.GROUPS}) if name == "groupby" and Shape.ROWS in base else NOTHING


def in_whole(one: Place | Shape) -> str:
    """What has to be taken apart before anything can be done with it, in words."""
    if isinstance(one, Place):
        return "" if one.key else "a whole document"
    return f"a whole '{one.name.lower()}'" if one in PARTS_OF else "a list of rows"
