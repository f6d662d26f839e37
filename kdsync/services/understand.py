"""From the words of a message to one action on one document, or to the reply that says what is unclear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kdsync.commands.parse import Phrase, Unclear, parse
from kdsync.rules.actions import CompiledAction
from kdsync.services.desk import Bill, Desk
from kdsync.services.heard import clipped
from kdsync.services.replies import Ending
from kdsync.store.inbox import REFUSED

MOST_EXAMPLES = 6
REPLY = {
    "empty": "reply_not_understood",
    "no-phrase": "reply_not_understood",
    "no-number": "reply_no_number",
    "two-commands": "reply_two_commands",
    "too-long": "reply_too_long",
}


@dataclass(frozen=True, slots=True)
class Understood:
    """What somebody wants done to which document, and what they wrote besides."""

    action: CompiledAction
    bill: Bill
    opinion: str
    task: str = ""  # the item id of the task that it is about, where that is said


def understand(text: str, actions: Sequence[CompiledAction], desk: Desk) -> Understood | Ending:
    """Read a message; the document is looked for in Kingdee. Raises EdgeError where that cannot be asked now."""
    phrases = [Phrase(phrase, action.id, action.form) for action in actions for phrase in action.phrases]
    command = parse(text, phrases)
    if isinstance(command, Unclear):
        return _unclear(text, command, actions)
    meant = [action for action in actions if action.id in command.actions]
    for number in command.numbers:
        found = list(_found(number, meant, desk))
        if len(found) == 1:
            return Understood(*found[0], command.opinion_for(number))
        if found:
            return _many(number, found)
    return Ending(REFUSED, "reply_no_document", "no such document", {"number": command.numbers[0]}, {})


def _found(number: str, actions: Iterable[CompiledAction], desk: Desk) -> Iterable[tuple[CompiledAction, Bill]]:
    for action in actions:
        for bill in desk.find(action.form, number, sorted(action.heads), sorted(action.entries)):
            yield action, bill


def _many(number: str, found: Sequence[tuple[CompiledAction, Bill]]) -> Ending:
    where = ", ".join(dict.fromkeys(f"{bill.document.form} {bill.document.doc_id}" for _, bill in found))
    params = {"number": number, "count": len(found), "where": where}
    return Ending(REFUSED, "reply_many_documents", "the number fits several documents", params, {})


def _unclear(text: str, unclear: Unclear, actions: Sequence[CompiledAction]) -> Ending:
    examples = unclear.nearest or [action.phrases[0] for action in actions]
    params = {"said": clipped(text), "examples": " / ".join(f"{one} FKD000123" for one in examples[:MOST_EXAMPLES])}
    return Ending(REFUSED, REPLY[str(unclear.reason)], str(unclear.reason), {**params, "most": unclear.most}, {})
