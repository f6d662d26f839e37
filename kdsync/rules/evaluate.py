"""Whether a rule has something to say about an event; never an exception, so that every rule gets its turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from kdsync.model import Document, Event, Origin
from kdsync.rules.compile import CompiledRule
from kdsync.rules.expressions import Expression, Names
from kdsync.rules.mistakes import ExpressionError
from kdsync.rules.scope import before
from kdsync.rules.triggers import Trigger
from kdsync.rules.values import ENTRIES, Record
from kdsync.rules.wording import explain


@dataclass(frozen=True, slots=True)
class Match:
    """The rule fires."""

    reason: str


@dataclass(frozen=True, slots=True)
class Own:
    """The rule would fire, but kdsync made the change itself, and the rule is about those that are made in Kingdee."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoMatch:
    """The rule does not fire."""

    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The rule could not be asked; `error` says why."""

    error: str


Verdict = Match | Own | NoMatch | Broken


def evaluate(rule: CompiledRule, event: Event, *, now: datetime, zone: ZoneInfo) -> Verdict:
    """Ask a rule about an event of its form; `zone` is the server's, in which its dates are written."""
    triggers = [trigger for trigger in rule.triggers if event.kind in trigger.kinds]
    if not triggers:  # most events end here, before anything is built for them
        return NoMatch(f"'{event.kind}' is not among its triggers")
    try:
        return _asked(rule, triggers, event, now, zone)
    except Exception as error:  # noqa: BLE001  # one rule must not keep the others from their turn
        return Broken(explain(error))


def _asked(rule: CompiledRule, triggers: list[Trigger], event: Event, now: datetime, zone: ZoneInfo) -> Verdict:
    reason = next(filter(None, (_happened(trigger, event, zone) for trigger in triggers)), "")
    expressions = [
        trigger.expression for trigger in triggers if trigger.expression and _may_have_become(trigger, event)
    ]
    if not reason and not expressions:
        return NoMatch("none of the fields that it watches differs")
    names = rule.names(event, now=now, zone=zone)
    reason = reason or _became(expressions, names)
    if not reason:
        return NoMatch("nothing of 'becomes' has become true")
    if rule.when and not _holds("when", rule.when, names):
        return NoMatch("'when' is not true")
    return Own(reason) if event.origin is Origin.DINGTALK and rule.origin != "any" else Match(reason)


def _may_have_become(trigger: Trigger, event: Event) -> bool:
    """Whether anything that the expression looks at differs. What the snapshot did not have yet is no difference,
    whatever else changed in the same moment."""
    return event.old is None or bool(trigger.watched & event.changed)


def _happened(trigger: Trigger, event: Event, zone: ZoneInfo) -> str:
    """What fires a trigger that needs no expression; '' where nothing does."""
    if trigger.expression:
        return ""
    if not trigger.fields:
        return event.kind.value
    if event.old is None or event.new is None:
        return ""
    differ = trigger.fields & event.changed
    keys = [key for key in sorted(trigger.rows) if _have(event.old, key) and _have(event.new, key)]
    if trigger.rows and _rows(event.old, keys, zone) == _rows(event.new, keys, zone):
        differ -= {ENTRIES}  # another rule watches what differs in the rows
    return f"changed: {', '.join(sorted(differ))}" if differ else ""


def _have(document: Document, key: str) -> bool:
    """Whether the rows have the field: those of a snapshot have what rules used when it was taken."""
    return any(key.casefold() == one.casefold() for row in document.entries[:1] for one in row)


def _rows(document: Document, keys: list[str], zone: ZoneInfo) -> list[list[Any]]:
    return [[row.value(key) for key in keys] for row in Record.of(document, zone).entries]


def _became(expressions: list[Expression], names: Names) -> str:
    """The source of what is true now and was not before; '' where nothing is."""
    broken: list[ExpressionError] = []
    for expression in expressions:
        try:
            if _holds("becomes", expression, names) and not (
                names["old"] and _holds("becomes", expression, before(names))
            ):
                return f"becomes: {expression.source}"
        except ExpressionError as error:
            broken.append(error)
    if broken:
        raise broken[0]
    return ""


def _holds(key: str, expression: Expression, names: Names) -> bool:
    try:
        return expression.holds(names)
    except ExpressionError as error:
        raise ExpressionError(f"{key}: {error}") from error
