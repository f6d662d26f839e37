"""How an approval can end that becomes no document, or not as it should: the state, the words, and why."""

from __future__ import annotations

from dataclasses import dataclass

from kdsync.services.carry import Stopped
from kdsync.services.patience import Enough
from kdsync.store.inbox import FAILED, REFUSED

UNSURE = {
    "unknown": "whether Kingdee did it cannot be told",
    "file-unknown": "whether this file hangs on the document cannot be told:",
    "many": "several documents have its business id:",
    "gone": "the document is not there any more; if it was deleted on purpose, enter it by hand",
    "elsewhere": "it is in Kingdee, or may be, as the intake was before:",
    "another": "an answer was lost, and Kingdee gives numbers of its own: look whether there is another one beside",
    "unnumbered": "Kingdee did not answer, and it gives numbers of its own: look whether the document is there;",
}
"""Why filing or carrying stopped where somebody has to look what is in Kingdee, in words."""
REFUSALS = {
    "kingdee": "Kingdee:",
    "file": "a file cannot be attached:",
    "workflow": "a workflow decides on it, and kdsync does not bypass it",
}
"""The same where it is plain."""


@dataclass(frozen=True, slots=True)
class End:
    """How it ends: the inbox state, what is told (of `delivery.intakes`), and why in English."""

    state: str
    told: str
    reason: str


def failed(reason: str) -> End:
    """It cannot be worked on."""
    return End(FAILED, "intake_failed", reason)


def refused(reason: str) -> End:
    """What the approval says is no document."""
    return End(REFUSED, "intake_refused", reason)


def unsure(reason: str) -> End:
    """Somebody has to look what is in Kingdee."""
    return End(FAILED, "intake_unknown", reason)


def stopped(stop: Stopped) -> End:
    """It cannot be made as it should be."""
    if stop.reason in UNSURE:
        return unsure(f"{UNSURE[stop.reason]} {stop.text}".strip())
    return refused(f"{REFUSALS.get(stop.reason, stop.reason)} {stop.text}".strip())


def given_up(enough: Enough, error: Exception) -> End:
    """It was tried in vain."""
    reason = f"tried for days: {enough.reason}" if enough.late else enough.reason
    return failed(f"{reason} {getattr(error, 'cure', '')}".strip())
