"""What must be told, by a model of its own: the ways through Kingdee's statuses, and rules as plain functions.

Nothing of kdsync's own comparison is used here; only its tables are read, by plain SQL.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.property.office import STOCK
from tests.unit.services.world import FORM

Values = Mapping[str, Any]
NOWHERE = ""
PATHS: dict[str, dict[str, str]] = {
    NOWHERE: {"Z": "created", "A": "created"},
    "Z": {"A": "", "B": "submitted"},
    "A": {"B": "submitted"},
    "B": {"C": "approved", "D": "rejected", "A": "rejected", "Z": "rejected"},
    "C": {"D": "unapproved", "A": "unapproved", "Z": "unapproved"},
    "D": {"B": "submitted"},
}
"""What people can do to a document of each status, and what that is called ("": it has no name)."""


@dataclass(frozen=True, eq=False)
class Telling:
    """One rule: as an operator writes it, and what it means."""

    written: dict[str, Any]
    kinds: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()  # it listens to a difference in these
    becomes: Callable[[Values], bool] | None = None
    when: Callable[[Values], bool] = lambda _values: True

    @property
    def name(self) -> str:
        return str(self.written["id"])

    @property
    def form(self) -> str:
        return str(self.written.get("form", FORM))

    @property
    def watched(self) -> frozenset[str]:
        return self.keys | ({"FAmount"} if self.becomes else set())

    @property
    def people(self) -> list[str]:
        return [str(one).partition(":")[2] for one in self.written["to"]]


def _told(name: str, on: Any, *to: str, form: str = FORM, **asks: Any) -> dict[str, Any]:
    body = "{{ doc.FAmount }}" if form == FORM else "{{ doc.FBaseQty }}"
    message = {"title": f"{name} {{{{ event.number }}}}", "body": body}
    return {"id": name, "form": form, "on": on, "to": list(to), "message": message, **asks}


def _kinds(name: str, kinds: str, *to: str, form: str = FORM) -> Telling:
    return Telling(_told(name, kinds.split(), *to, form=form), frozenset(kinds.split()))


TELLINGS = (
    _kinds("approved", "approved", "user:u1", "user:u2"),
    _kinds("sent", "submitted rejected", "user:u1"),
    _kinds("gone", "deleted voided closed unapproved", "user:u1", "group:g"),
    Telling(_told("amount", [{"changed": ["FAmount"]}], "user:u2", storm=2), keys=frozenset({"FAmount"})),
    Telling(_told("rows", [{"changed": ["entries.FQty"]}], "user:u3"), keys=frozenset({"entries"})),
    Telling(
        _told("large", [{"becomes": "doc.FAmount >= 5"}], "user:u3"),
        becomes=lambda values: amount(values) >= Decimal(5),
    ),
    Telling(
        _told("noted", ["created", {"changed": ["FNote"]}], "user:u2", when="doc.FAmount > 3"),
        frozenset({"created"}),
        frozenset({"FNote"}),
        when=lambda values: amount(values) > Decimal(3),
    ),
    Telling(
        _told("stock", ["created", "deleted", {"changed": ["FBaseQty"]}], "user:u1", form=STOCK, storm=1),
        frozenset({"created", "deleted"}),
        frozenset({"FBaseQty"}),
    ),
)


def amount(values: Values) -> Decimal:
    """The amount of a bill."""
    return Decimal(str(values["FAmount"]))


def content(value: Any) -> Any:
    """What a value says, however it is written."""
    if isinstance(value, list):
        return [content(item) for item in value]
    if isinstance(value, Mapping):
        return {key: content(item) for key, item in value.items()}
    try:
        return Decimal(str(value)).normalize() if value is not None else None
    except InvalidOperation:
        return str(value).strip() or None


def agree(one: Values | None, other: Values | None, keys: Sequence[str]) -> bool:
    """Whether two states say the same in some keys; None: it is not there."""
    if one is None or other is None:
        return one is other
    return all(content(one[key]) == content(other[key]) for key in keys if key in one and key in other)


def way(old: str, new: str) -> list[str]:
    """What must have been done between two statuses: the shortest way there is."""
    waiting: deque[tuple[str, list[str]]] = deque([(old, [])])
    seen = {old}
    while waiting:
        status, done = waiting.popleft()
        if status == new:
            return [step for step in done if step]
        for there, step in PATHS[status].items():
            if there not in seen:
                seen.add(there)
                waiting.append((there, [*done, step]))
    raise AssertionError(f"there is no way from {old} to {new}")


@dataclass
class Expected:
    """What one step of one document amounts to."""

    kinds: list[str] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    told: Counter[tuple[str, str]] = field(default_factory=Counter)  # of (rule, kind)


def expected(old: Values | None, new: Values | None, rules: Sequence[Telling], before: frozenset[str]) -> Expected:
    """What one step from what was last seen (None: nothing) to what is there (None: gone) has to be noticed as.

    `before` are the keys that rules watched when it was last seen: of others nobody promised to see a difference.
    """
    found = Expected(_passed(old, new))
    if old is not None and new is not None:
        watched = {key for key in watched_by(rules) & before if key in old and key in new}
        found.changed = {key for key in watched if not agree(old, new, [key])}
        found.kinds += ["changed"] if found.changed else []
    for kind in found.kinds:
        found.told.update((rule.name, kind) for rule in rules if _fires(rule, kind, old, new, found.changed))
    return found


def watched_by(rules: Sequence[Telling]) -> frozenset[str]:
    """The keys whose difference some rule listens to."""
    return frozenset(key for rule in rules for key in rule.watched)


def _passed(old: Values | None, new: Values | None) -> list[str]:
    if new is None:
        return ["deleted"]
    if old is None:
        return [*way(NOWHERE, new.get("FDocumentStatus", "A")), *_flags({}, new)]
    if "FDocumentStatus" not in new:
        return []
    was, now = old["FDocumentStatus"], new["FDocumentStatus"]
    again = was == now == "C" and (old["FApproveDate"] or "9") < (new["FApproveDate"] or "")
    steps = ["unapproved", "submitted", "approved"] if again else way(was, now)
    return [*steps, *_flags(old, new)]


def _flags(old: Values, new: Values) -> list[str]:
    flags = {"FCancelStatus": "voided", "FCloseStatus": "closed"}
    return [name for key, name in flags.items() if new.get(key) == "B" != old.get(key)]


def _fires(rule: Telling, kind: str, old: Values | None, new: Values | None, changed: set[str]) -> bool:
    happened = kind in rule.kinds or (kind == "changed" and bool(rule.keys & changed))
    if rule.becomes and (kind == "created" or (kind == "changed" and rule.watched & changed)) and new is not None:
        happened = happened or (rule.becomes(new) and not (old is not None and rule.becomes(old)))
    return happened and rule.when(new if new is not None else old or {})
