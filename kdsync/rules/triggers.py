"""When a rule is looked at: the items of its `on`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdsync.model import Transition
from kdsync.rules.expressions import Expression, TextError, compile_expression
from kdsync.rules.mistakes import Mistake, RuleError, did_you_mean
from kdsync.rules.recipients import KEY
from kdsync.rules.values import ENTRIES

NAMES = tuple(kind.value for kind in Transition if kind is not Transition.CHANGED)
WITH_VALUE = ("changed", "becomes")
LATER = ("stuck", "due", "calendar")  # of the contract, not of this version


@dataclass(frozen=True, slots=True)
class Trigger:
    """One item of `on`: which kinds of event it listens to, and what else it asks for.

    `fields` are the watched keys of `changed` (`entries` for the entry rows); `rows` says which fields of a row then
    count (none: all); `expression` is that of `becomes`; `heads` and `entries` are the field keys that it needs.
    """

    kinds: frozenset[Transition]
    fields: frozenset[str] = frozenset()
    rows: frozenset[str] = frozenset()
    expression: Expression | None = None
    heads: frozenset[str] = frozenset()
    entries: frozenset[str] = frozenset()

    @property
    def watched(self) -> frozenset[str]:
        """The keys whose difference makes the event that it listens to."""
        if self.expression is None:
            return self.fields
        return self.expression.heads | ({ENTRIES} if self.expression.entries else frozenset())


def parse_trigger(item: str | Mapping[str, Any], path: tuple[str | int, ...]) -> Trigger:
    """Read one item of `on`, found at `path`; RuleError (of no rule) tells what is wrong with it."""
    if isinstance(item, str):
        return _transition(item, path)
    known = [key for key in item if key in (*WITH_VALUE, *LATER)]
    if len(known) == 1 and known[0] in LATER:
        raise _error(path, f"'{known[0]}' is not supported by this version")
    if len(item) != 1:
        raise _error(path, "a trigger is one name, or one mapping such as {changed: [FKEY]}")
    ((name, value),) = item.items()
    if name == "changed":
        return _changed(value, (*path, name))
    if name == "becomes":
        return _becomes(value, (*path, name))
    raise _unknown(str(name), path)


def _transition(name: str, path: tuple[str | int, ...]) -> Trigger:
    if name in NAMES:
        return Trigger(frozenset({Transition(name)}))
    if name in LATER:
        raise _error(path, f"'{name}' is not supported by this version")
    if name in WITH_VALUE:
        example = {"changed": "{changed: [FKEY]}", "becomes": "{becomes: doc.FKEY > 100}"}[name]
        raise _error(path, f"'{name}' needs a value", f"write {example}")
    raise _unknown(name, path)


def _changed(value: Any, path: tuple[str | int, ...]) -> Trigger:
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, list | tuple) or not keys:
        raise _error(path, "'changed' needs the keys of fields", "write {changed: [FKEY]}")
    wrong = [key for key in keys if not isinstance(key, str) or not re.fullmatch(KEY, key)]
    if wrong:
        raise RuleError("", [Mistake(path, f"'{key}' is not the key of a field", "such as FBillNo") for key in wrong])
    entries = frozenset(key.partition(".")[2] for key in keys if key.startswith(f"{ENTRIES}."))
    heads = frozenset(key for key in keys if key.partition(".")[0] != ENTRIES)
    fields = heads if len(heads) == len(set(keys)) else heads | {ENTRIES}
    rows = frozenset() if ENTRIES in keys else entries
    return Trigger(frozenset({Transition.CHANGED}), fields, rows, heads=heads, entries=entries)


def _becomes(value: Any, path: tuple[str | int, ...]) -> Trigger:
    if not isinstance(value, str):
        raise _error(path, "'becomes' needs an expression", "write it in quotes: {becomes: 'doc.FKEY > 100'}")
    try:
        expression = compile_expression(value)
    except TextError as error:
        raise RuleError("", [Mistake(path, *mistake) for mistake in error.mistakes]) from error
    if not expression.heads and not expression.entries:
        hint = "name one, such as {becomes: doc.FQty < 10}"
        raise _error(path, "'becomes' looks at no field, and only what changes in a document can make it true", hint)
    return Trigger(
        frozenset({Transition.CHANGED, Transition.CREATED}),
        expression=expression,
        heads=expression.heads,
        entries=expression.entries,
    )


def _unknown(name: str, path: tuple[str | int, ...]) -> RuleError:
    hint = did_you_mean(name, (*NAMES, *WITH_VALUE)) or f"known are {', '.join((*NAMES, *WITH_VALUE))}"
    return _error(path, f"'{name}' is not a trigger", hint)


def _error(path: tuple[str | int, ...], message: str, hint: str = "") -> RuleError:
    return RuleError("", [Mistake(path, message, hint)])
