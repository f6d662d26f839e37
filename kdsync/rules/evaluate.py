"""Whether a rule has something to say about an event; never an exception, so that every rule gets its turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from kdsync.model import Event
from kdsync.rules.compile import CompiledRule
from kdsync.rules.expressions import Expression, Names
from kdsync.rules.mistakes import ExpressionError
from kdsync.rules.scope import before
from kdsync.rules.triggers import Trigger
from kdsync.rules.wording import explain


@dataclass(frozen=True, slots=True)
class Match:
    """The rule fires."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoMatch:
    """The rule does not fire."""

    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The rule could not be asked; `error` says why."""

    error: str


Verdict = Match | NoMatch | Broken


def evaluate(rule: CompiledRule, event: Event, *, now: datetime, zone: ZoneInfo) -> Verdict:
    """Ask a rule about an event of its form; `zone` is the server's, in which its dates are written."""
    triggers = [trigger for trigger in rule.triggers if event.kind in trigger.kinds]
    if not triggers:  # most events end here, before anything is built for them
        return NoMatch(f"'{event.kind}' is not among its triggers")
    try:
        return _asked(rule, triggers, event, lambda: rule.names(event, now=now, zone=zone))
    except Exception as error:  # noqa: BLE001  # one rule must not keep the others from their turn
        return Broken(explain(error))


def _asked(rule: CompiledRule, triggers: list[Trigger], event: Event, look: Callable[[], Names]) -> Verdict:
    reason = _happened(triggers, event)
    expressions = [trigger.expression for trigger in triggers if trigger.expression]
    if not reason and not expressions:
        return NoMatch("none of the fields of 'changed' differs")
    names = look()
    reason = reason or _became(expressions, names)
    if not reason:
        return NoMatch("nothing of 'becomes' has become true")
    if rule.when and not _holds("when", rule.when, names):
        return NoMatch("'when' is not true")
    return Match(reason)


def _happened(triggers: list[Trigger], event: Event) -> str:
    """What fires a trigger that needs no expression; '' where none does."""
    for trigger in triggers:
        if trigger.fields and event.old and event.new and (differ := trigger.fields & event.changed):
            return f"changed: {', '.join(sorted(differ))}"
        if not trigger.fields and not trigger.expression:
            return event.kind.value
    return ""


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
