"""Which parts of a change are kdsync's own doing: told by what its writes did, by field and value, by no timer. Pure.

A write explains each transition that it makes once. One that was answered is known by what Kingdee showed afterwards;
one that is still under way, or whose answer was lost, by what it is meant to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kdsync.model import Facts, Transition
from kdsync.sync.diff import CHANGED, CLOSED, VOIDED, Change
from kdsync.sync.fingerprint import same
from kdsync.sync.transitions import flag_passed, status_passed

T = Transition
SAVE, CREATE = "save", "create"

MAKES: dict[str, T] = {
    CREATE: T.CREATED,
    "submit": T.SUBMITTED,
    "audit": T.APPROVED,
    "approve": T.APPROVED,
    "reject": T.REJECTED,
    SAVE: T.CHANGED,
}
"""What each operation is for, also called by its number (`Audit`). What another one did only Kingdee can show."""

OTHERS = frozenset({T.SUBMITTED, T.APPROVED, T.REJECTED})
"""What no other one is taken to have done: until it is read back, people may have decided."""

LEAVES: dict[str, str] = {"submit": "BC", "audit": "C", "approve": "C", "reject": "ZAD"}
"""The status after one that did it: an approval that another node follows leaves B, and approves nothing yet."""


class Standing(NamedTuple):
    """How a document stood when it was read; "" where its form has no such field."""

    status: str = ""
    cancel: str = ""
    close: str = ""
    approved: str = ""  # FApproveDate, as Kingdee prints it


@dataclass(frozen=True, slots=True)
class OwnWrite:
    """One step that kdsync carried out, or is about to, and that no change was explained by so far.

    `ident` is its row; `after` is None until Kingdee has shown that it was done. `fields` are those of a save, by the
    keys of a query: as Kingdee showed them or, before, as they were sent. What is created may have a number only.
    `is_followed`: somebody was asked for another decision since, so the one that this made left it in approval.
    """

    ident: int
    operation: str
    doc_id: str
    number: str = ""
    before: Standing | None = None
    after: Standing | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    is_followed: bool = False

    def is_about(self, doc_id: str, number: str) -> bool:
        """Whether it was done to that document."""
        return self.doc_id == doc_id if self.doc_id else self.operation == CREATE and self.number == number != ""

    @property
    def makes(self) -> frozenset[T]:
        """The transitions that it made or, while nothing was shown, is meant to make."""
        name = self.operation.casefold()
        if name not in MAKES:
            return frozenset(_between(self.before, self.after)) - OTHERS if self.before and self.after else frozenset()
        did = self.after is None or self.after.status in LEAVES.get(name, self.after.status)
        return frozenset({MAKES[name]}) if did and not self.is_followed else frozenset()


class Explained(NamedTuple):
    """The transitions that are ours, each with the row of the write that made it; the rows that the change meets.

    `met` holds more than `ours` tells: what was overtaken by a later state cannot explain anything any more.
    """

    ours: Mapping[T, int]
    met: frozenset[int]


def explain(change: Change, own: Sequence[OwnWrite]) -> Explained:
    """What of a change the writes to its document explain; `own` in the order in which they were made."""
    if change.strange or change.row is None or not own:
        return Explained({}, frozenset())
    now = standing(change.layout.facts, _values(change).get)
    made = {kind: one for kind in change.kinds if (one := _maker(kind, own, now))}
    ours = {kind: one.ident for kind, one in made.items()}
    saved, unexplained = _saved(change, own, made)
    if CHANGED in change.kinds and not unexplained:
        ours[CHANGED] = max([one.ident for one in saved] or ours.values())
    over = [one.ident for one in own if _is_over(one, now) or _is_overtaken(one, saved) or _is_overwritten(one, change)]
    return Explained(ours, frozenset([*ours.values(), *(one.ident for one in saved), *over]))


def standing(facts: Facts, value_of: Callable[[str], Any]) -> Standing:
    """How a document stands, by the value of each key (in small letters)."""
    keys = (facts.status, facts.cancel, facts.close, facts.approved)
    return Standing(*(str((value_of(key.casefold()) if key else None) or "").strip() for key in keys))


def _maker(kind: T, own: Iterable[OwnWrite], now: Standing) -> OwnWrite | None:
    return next((one for one in own if kind is not CHANGED and kind in one.makes and _fits(one, kind, now)), None)


def _fits(one: OwnWrite, kind: T, now: Standing) -> bool:
    """An approval is ours only where the document still bears its date: somebody may have approved it again."""
    if kind is not T.APPROVED or one.after is None or not (one.after.approved and now.approved):
        return True
    return one.after.approved == now.approved


def _is_over(one: OwnWrite, now: Standing) -> bool:
    """Whether the document was approved again since it was approved by this."""
    return T.APPROVED in one.makes and one.after is not None and "" < one.after.approved < now.approved


def _is_overtaken(one: OwnWrite, saved: Sequence[OwnWrite]) -> bool:
    """Whether a later save of ours wrote the same fields, so that what this one wrote was never seen."""
    later = {key for other in saved if other.ident > one.ident for key in other.fields}
    return bool(one.fields) and one.fields.keys() <= later


def _is_overwritten(one: OwnWrite, change: Change) -> bool:
    """Whether another value stands by now where this one's was shown: who writes it again is somebody else."""
    was_shown, values = one.operation == SAVE and one.after is not None, _values(change)
    return was_shown and any(_pairs(one, key, values) and not _shows(one, key, values) for key in change.changed)


def _saved(change: Change, own: Sequence[OwnWrite], made: Mapping[T, OwnWrite]) -> tuple[list[OwnWrite], set[str]]:
    """The saves whose values the change shows, and the changed keys that nothing of ours explains."""
    values, saves = _values(change), [one for one in own if one.operation == SAVE]
    by_key = {key: [one for one in saves if _shows(one, key, values)] for key in change.changed}
    saved = list({one.ident: one for found in by_key.values() for one in found}.values())
    along = _comes_along(change, made, saved)
    return saved, {key for key, found in by_key.items() if not found and key.casefold() not in along}


def _comes_along(change: Change, made: Mapping[T, OwnWrite], saved: Sequence[OwnWrite]) -> set[str]:
    """The keys that Kingdee itself sets with what is ours."""
    facts, moved = change.layout.facts, [kind for kind in change.kinds if kind is not CHANGED]
    keys: list[str | None] = [facts.modified, facts.modifier] if made or saved else []
    if moved and all(kind in made for kind in moved):
        keys += [facts.status, facts.cancel, facts.close, facts.approved, facts.approver]
    return {key.casefold() for key in keys if key}


def _shows(one: OwnWrite, key: str, values: Mapping[str, Any]) -> bool:
    """Whether the document shows what was saved under a key."""
    pairs = _pairs(one, key, values)
    return bool(pairs) and all(same(shown, written) for shown, written in pairs)


def _pairs(one: OwnWrite, key: str, values: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """What is shown and what was written under a key; base data may be watched by another part (`FName`)."""
    of_key = [(name.casefold(), value) for name, value in one.fields.items() if _base(name) == _base(key)]
    return [(values[name], value) for name, value in of_key if name in values]


def _base(key: str) -> str:
    return key.casefold().partition(".")[0]


def _values(change: Change) -> dict[str, Any]:
    """The head values of the document now, by key in small letters."""
    return {key.casefold(): value for key, value in zip(change.layout.heads, change.row or (), strict=False)}


def _between(before: Standing, after: Standing) -> tuple[T, ...]:
    again = before.status == after.status == "C" and "" < before.approved < after.approved
    status = status_passed(before.status, after.status, approved_later=again)
    flags = (*flag_passed(before.cancel, after.cancel, VOIDED), *flag_passed(before.close, after.close, CLOSED))
    return (*status, *flags)
