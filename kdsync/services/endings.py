"""How an answer can end, each way in the words of its reply. A table, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from kdsync.commands.authorize import Allowed, Denied, NeedsSecond
from kdsync.errors import TASKS_UNREADABLE, EdgeError
from kdsync.rules.actions import CompiledAction
from kdsync.services import heard
from kdsync.services.carry import Carried, Stopped
from kdsync.services.desk import Bill
from kdsync.services.replies import Ending
from kdsync.store.inbox import DONE, FAILED, HALF, REFUSED, WAITING, Received

STOPPED = {
    "gone": "reply_no_document",
    "not-submitted": "reply_not_now",
    "workflow": "reply_workflow",
    "no-task": "reply_no_task",
    "shared-number": "reply_shared_number",
    "approved": "reply_not_now",
    "no-status": "reply_not_now",
    "kingdee": "reply_kingdee_refused",
    "no-account": "reply_no_account",
    "no-session": "reply_no_session",
}
AN_OPERATORS = frozenset({"no-account", "no-session"})
"""Whoever runs kdsync or Kingdee has to do something, or it will be so the next time."""
NAME_THEM = "name the creator's account in directory.yaml under users:"
DENIED = {
    "not-allowed": "reply_not_allowed",
    "own-document": "reply_own_document",
    "when": "reply_not_now",
    "no-amount": "reply_no_amount",
    "maker-unknown": "reply_maker_unknown",
}


def done(carried: Carried, action: CompiledAction) -> Ending:
    """Everything is as the action wants it, by its own writes or before."""
    reply = "reply_done" if carried.wrote else "reply_already"
    status = carried.bill.status if carried.bill else ""
    return Ending(DONE, reply, "" if carried.wrote else "there was nothing left to do", {}, action.titles, status)


def stopped(outcome: Stopped, action: CompiledAction) -> Ending:
    """A step could not be done; what cannot be told whether it was done is an operator's business too."""
    if outcome.reason == "unknown":
        return unknown(outcome.text, action, outcome.status)
    reason = f"{outcome.reason}: {outcome.text}" if outcome.text else outcome.reason
    reply = STOPPED.get(outcome.reason, "reply_not_now")
    params = {"error": outcome.text or "no answer"}
    alarm = outcome.text if outcome.reason in AN_OPERATORS else ""
    return Ending(REFUSED, reply, reason, params, action.titles, outcome.status, alarm=alarm)


def unknown(error: str, action: CompiledAction | None, status: str = "") -> Ending:
    """A write may have been done, and nothing tells."""
    alarm = "Kingdee did not answer, and whether it was done cannot be told"
    reason = f"unknown: {error}" if error else "unknown"
    params = {"error": error or "no answer"}
    return Ending(FAILED, "reply_unknown", reason, params, action.titles if action else {}, status, alarm=alarm)


def of_verdict(verdict: Allowed | Denied | NeedsSecond, action: CompiledAction, bill: Bill) -> Ending | None:
    """Why somebody may not do it; None where they may."""
    limit = action.limit
    params = {
        "allow": ", ".join(map(str, action.allow)),
        "most": format(limit.max, "f") if limit else "",
        "field": limit.field if limit else "",
    }
    if isinstance(verdict, Allowed):
        return None
    if isinstance(verdict, NeedsSecond):
        return Ending(HALF, "reply_second", "a second person has to ask for it", params, action.titles, bill.status)
    assert isinstance(verdict, Denied)  # noqa: S101  # the last of them
    reply = DENIED.get(str(verdict.reason), "reply_not_allowed")
    alarm = f"{action.id} has own: false, and {verdict.detail}; {NAME_THEM}" if verdict.detail else ""
    return Ending(REFUSED, reply, str(verdict.reason), params, action.titles, bill.status, alarm=alarm)


def failed(error: str, *, alarm: str = "", action: CompiledAction | None = None, reply: str = "reply_failed") -> Ending:
    """It was tried for as long as makes sense, or cannot be tried at all."""
    return Ending(FAILED, reply, error, {"error": error}, action.titles if action else {}, alarm=alarm)


def not_reached(error: str, said: str, *, alarm: str = "") -> Ending:
    """It was given up before it was known which document it is about."""
    return Ending(FAILED, "reply_not_reached", error, {"error": error, "said": said}, {}, alarm=alarm)


def reply_of(error: EdgeError) -> str:
    """The words for a failure that no other try would mend."""
    return "reply_tasks_unread" if error.code == TASKS_UNREADABLE else "reply_failed"


def held(action: CompiledAction) -> Ending:
    """It waits, so that it can be taken back: no end yet, but what is said of it."""
    return Ending(WAITING, "reply_held", "", {"seconds": round(action.undo or 0)}, action.titles)


def nothing_held() -> Ending:
    """Somebody takes back what is done by now, or never was."""
    return Ending(REFUSED, "reply_not_held", "nothing waits that could be taken back", {}, {})


def taken_back(items: Sequence[Received], by: Received, action: CompiledAction | None) -> Ending:
    """Nothing is done of what was held, or half said; `by` is the answer that says so."""
    params = {} if items[0].number else {"number": heard.quoted(items[0]), "action": ""}
    titles = action.titles if action else {}
    return Ending(DONE, "reply_taken_back", "", params, titles, item=by, takes_back=items)
