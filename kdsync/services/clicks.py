"""From the button of a card to one action on one document, or to the reply that says why it counts for nothing.

A card is about what it showed: where the document has changed since, or somebody else has decided, a click is too late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kdsync.rules.actions import CompiledAction
from kdsync.services.desk import Bill, Desk
from kdsync.services.replies import Ending
from kdsync.services.understand import Understood
from kdsync.store import cards
from kdsync.store.cards import Card
from kdsync.store.database import Database
from kdsync.store.inbox import FAILED, REFUSED, Received
from kdsync.store.sealing import Seal
from kdsync.sync.fingerprint import same

LONGEST_ID = 64  # of an action
MOST_NAMED = 3  # fields that a reply names


@dataclass(frozen=True, slots=True)
class Clicks:
    """Reads clicks. Raises EdgeError where Kingdee cannot be asked now."""

    db: Database
    seal: Seal
    desk: Desk
    actions: Callable[[], Sequence[CompiledAction]]

    def understand(self, item: Received) -> tuple[Received, Understood | Ending]:
        """What a click is about, as far as that is known, and what it means."""
        with self.db.read() as tx:
            card = cards.find(tx, self.seal, str(item.content.get("track") or ""))
        if card is None:
            return item, Ending(REFUSED, "reply_card_unknown", "no such card", {}, {})
        about = _about(item, card)
        if card.damaged:
            return about, Ending(FAILED, "reply_card_unknown", card.damaged, {}, {}, alarm=card.damaged)
        return about, self._meant(about, card)

    def _meant(self, item: Received, card: Card) -> Understood | Ending:
        wanted = str(item.content.get("action") or "")
        action = next((one for one in self.actions() if one.id == wanted and _offers(card, one)), None)
        if action is None:
            return Ending(REFUSED, "reply_card_no_action", f"the card has no action {wanted[:LONGEST_ID]}", {}, {})
        bill = self.desk.read(card.form, card.doc_id, sorted({*action.heads, *card.seen}), sorted(action.entries))
        if bill is None:
            return Ending(REFUSED, "reply_no_document", "no such document", {"number": card.number}, action.titles)
        if card.state != cards.OPEN or not self._waits(card):
            return Ending(REFUSED, "reply_card_over", "it was decided before", {}, action.titles, bill.status)
        changed = [key for key, value in card.seen.items() if not same(bill.raw(key), value)]
        if bill.document.number not in ("", card.number):
            changed = list(dict.fromkeys([bill.facts.number or card.number, *changed]))
        if changed:
            return _stale(changed, action, bill)
        return Understood(action, bill, str(item.content.get("reason") or ""), card.item_id)

    def _waits(self, card: Card) -> bool:
        """Whether the task still waits that the card is about."""
        if not card.item_id:
            return True
        return any(task.item_id == card.item_id for task in self.desk.tasks(card.form, card.number))


def _offers(card: Card, action: CompiledAction) -> bool:
    """Whether a card has a button for an action; its form may have become another one since."""
    return action.id in card.actions and action.form.casefold() == card.form.casefold()


def _about(item: Received, card: Card) -> Received:
    return replace(item, form=card.form, doc_id=card.doc_id, number=card.number)


def _stale(changed: Sequence[str], action: CompiledAction, bill: Bill) -> Ending:
    more = len(changed) - MOST_NAMED
    fields = ", ".join([*changed[:MOST_NAMED], *([f"+{more}"] if more > 0 else [])])
    return Ending(
        REFUSED, "reply_card_stale", f"the document moved on: {fields}", {"fields": fields}, action.titles, bill.status
    )
