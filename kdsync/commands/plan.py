"""What is left to do of one step, told by the state of the document alone: read, decide, write, read again.

A write whose outcome is unknown is never repeated on a guess: the state says whether it happened. `sent` means that
this step's write was recorded as sent and may have been done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from kdsync.model import Do, Status

NUMBER = re.compile(r"-?(0|[1-9]\d{0,39})(\.\d{1,40})?", re.ASCII)
MOMENT = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)(?:[T ](?P<time>\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?", re.ASCII)
OPEN = frozenset({Status.DRAFT, Status.CREATED, Status.SENT_BACK})  # may be submitted


class Reason(StrEnum):
    """Why a step cannot be done."""

    GONE = "gone"  # the document was deleted
    NOT_SUBMITTED = "not-submitted"
    WORKFLOW = "workflow"  # its approvers decide, not an audit past them
    NO_TASK = "no-task"  # no task of the sender waits
    APPROVED = "approved"  # nothing is written into what is approved
    NO_STATUS = "no-status"  # the document does not say where it stands


@dataclass(frozen=True, slots=True)
class State:
    """A document as it was read a moment ago."""

    status: str  # FDocumentStatus; "" unknown
    mine: bool = False  # a task of the sender waits on it
    running: bool = False  # a task of anybody does
    fields: Mapping[str, Any] = field(default_factory=dict)  # raw values by the keys of `Do.read_back`, in any case
    gone: bool = False
    decided: bool = False  # the task that the sender's write was about waits no more


@dataclass(frozen=True, slots=True)
class Write:
    """Send it, once."""


@dataclass(frozen=True, slots=True)
class Done:
    """The document is as the step wants it."""


@dataclass(frozen=True, slots=True)
class Verify:
    """It was sent, and the document's own state cannot tell whether it happened: look for what it makes."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """It cannot be done, and trying again does not help."""

    reason: Reason


Decision = Write | Done | Verify | Refuse


def next_step(do: Do, state: State, sent: bool) -> Decision:
    """What to do now about one step; ValueError where there is no such step."""
    if do.kind not in _DECIDE:
        raise ValueError(f"{do.kind} is no step")
    return Refuse(Reason.GONE) if state.gone else _DECIDE[do.kind](do, state, sent)


def is_over(steps: Sequence[Do], status: str, *, decided: bool) -> bool:
    """Whether nobody need press a button for these steps any more: all are done, or none can be as it stands.

    `decided` tells that the task waits no more that the button is about.
    """
    kinds = {do.kind for do in steps}
    if kinds & {"approve", "reject"}:
        return decided or status in (Status.APPROVED, Status.DRAFT, Status.SENT_BACK)
    if status == Status.APPROVED:
        return not kinds & {"push", "operation"}
    if "submit" in kinds:
        return status == Status.IN_APPROVAL and "audit" not in kinds
    return "audit" in kinds and status in (Status.DRAFT, Status.SENT_BACK)


def _submit(_do: Do, state: State, _sent: bool) -> Decision:
    if state.status in OPEN:
        return Write()
    return Done() if state.status else Refuse(Reason.NO_STATUS)


def _audit(_do: Do, state: State, _sent: bool) -> Decision:
    if state.status == Status.APPROVED:
        return Done()
    if state.running:
        return Refuse(Reason.WORKFLOW)
    if state.status == Status.IN_APPROVAL:
        return Write()
    return Refuse(Reason.NOT_SUBMITTED if state.status else Reason.NO_STATUS)


def _decide(_do: Do, state: State, sent: bool) -> Decision:
    if state.decided and sent:
        return Done()
    if state.mine:
        return Write()
    return Done() if sent else Refuse(Reason.NO_TASK)


def _save(do: Do, state: State, _sent: bool) -> Decision:
    now = {key.casefold(): value for key, value in state.fields.items()}
    missing = object()
    if all(_same(wanted, now.get(key.casefold(), missing)) for key, wanted in do.read_back.items()):
        return Done()
    return Refuse(Reason.APPROVED) if state.status == Status.APPROVED else Write()


def _once(_do: Do, _state: State, sent: bool) -> Decision:
    return Verify() if sent else Write()


_DECIDE: dict[str, Callable[[Do, State, bool], Decision]] = {
    "submit": _submit,
    "audit": _audit,
    "approve": _decide,
    "reject": _decide,
    "save": _save,
    "push": _once,
    "operation": _once,
}


def _same(wanted: Any, now: Any) -> bool:
    """Whether two raw values are the same content: `1` is "1.00", nothing is one blank, and a day begins at midnight,
    but "007" is not 7."""
    return bool(wanted == now) or _content(wanted) == _content(now)


def _content(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(repr(value))
    text = value.rstrip() if isinstance(value, str) else value
    if isinstance(text, str) and NUMBER.fullmatch(text):
        return Decimal(text)
    if isinstance(text, str) and (moment := MOMENT.fullmatch(text)):
        return moment["day"], (moment["time"] or "").rstrip("0:.")
    return None if text == "" else text
