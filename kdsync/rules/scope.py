"""What an expression can see of an event: `doc old event rule now`, and `task` where one waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from kdsync.model import Event, Task
from kdsync.rules.values import MISSING, Record, value_of


@dataclass(frozen=True, slots=True)
class EventView:
    """`event` in expressions; `kind` is the name of the trigger, `noticed_at` in the server's zone.

    `origin` is dingtalk for what kdsync did because somebody asked for it there, kingdee for the rest.
    """

    id: str
    kind: str
    form: str
    form_title: str
    number: str
    version: int
    changed: tuple[str, ...]
    noticed_at: datetime
    origin: str


@dataclass(frozen=True, slots=True)
class RuleView:
    """`rule` in expressions."""

    id: str
    form: str
    priority: str


@dataclass(frozen=True, slots=True)
class TaskView:
    """`task` in expressions; `since` in the server's zone, missing where Kingdee does not tell."""

    node: str
    receiver_name: str
    since: Any
    number: str
    form: str


def scope(rule: RuleView, event: Event, *, now: datetime, zone: ZoneInfo, form_title: str = "") -> dict[str, Any]:
    """The names of an expression.

    `doc` is the last state of a deleted document, `old` missing for a new one, `task` for what is no task.
    """
    return {
        "doc": Record.of(event.document, zone),
        "old": Record.of(event.old, zone) if event.old else MISSING,
        "event": _event(event, zone, form_title),
        "rule": rule,
        "now": now.astimezone(zone),
        "task": _task(event.task, event.form, zone) if event.task else MISSING,
    }


def before(names: Mapping[str, Any]) -> dict[str, Any]:
    """The same names as they stood before the event."""
    return {**names, "doc": names["old"], "old": MISSING}


def _task(task: Task, form: str, zone: ZoneInfo) -> TaskView:
    since = value_of(task.since, zone)
    return TaskView(task.node, task.receiver_name, since if isinstance(since, datetime) else MISSING, task.number, form)


def _event(event: Event, zone: ZoneInfo, form_title: str) -> EventView:
    return EventView(
        event.event_id,
        event.kind.value,
        event.form,
        form_title or event.form,
        event.number,
        event.version,
        tuple(sorted(event.changed)),
        event.noticed_at.astimezone(zone),
        event.origin.value,
    )
