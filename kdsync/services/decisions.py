"""What an answer leaves on cards: those that it concerns show how it ended, in the transaction that ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from kdsync.commands.plan import is_over
from kdsync.delivery.words import words
from kdsync.rules.actions import BY_WORKFLOW, CompiledAction
from kdsync.services.replies import Ending
from kdsync.store import cards, writes
from kdsync.store.cards import OPEN, OVER, Card, Line
from kdsync.store.inbox import CLICK, DONE, HALF, Received, is_again
from kdsync.store.sealing import Seal

AFTER_CLICK = timedelta(seconds=1)  # so long DingTalk may still be busy with the answer to the click itself


def on_cards(
    tx: Connection,
    seal: Seal,
    item: Received,
    ending: Ending,
    reply_id: str,
    actions: Sequence[CompiledAction],
    now: datetime,
) -> bool:
    """Let the cards show how an answer ended; whether that is all the answer that who clicked needs."""
    if ending.takes_back:
        for one in ending.takes_back:
            _freed(tx, seal, one, now)
        return False
    done = _Done(item, ending, actions, writes.tasks_of(tx, item.id), now)
    mine = _of_click(tx, seal, item)
    on_card = mine is not None and item.source == CLICK and (done.is_done or is_again(item))
    if mine:
        mine = replace(mine, private={item.sender: None, **mine.private})
        after = done.on(mine)
        if on_card:
            after = replace(after, answers=f"{mine.answers} {reply_id}".strip())
        if after != mine:
            cards.show(tx, seal, after, now + AFTER_CLICK)
    if done.is_done or done.is_half:
        for other in cards.of_document(tx, seal, item.form, item.doc_id):
            if not (mine and other.track == mine.track) and done.concerns(other, mine):
                cards.show(tx, seal, done.on(other), now)
    return on_card


def _of_click(tx: Connection, seal: Seal, item: Received) -> Card | None:
    """The card that somebody clicked, also where this is the code that came after the click."""
    card = cards.find(tx, seal, str(item.content.get("track") or "")) if item.content.get("track") else None
    return card if card and not card.damaged and card.state in (OPEN, OVER) else None


def _freed(tx: Connection, seal: Seal, item: Received, now: datetime) -> None:
    """A click was taken back: who clicked sees the card like everybody else, and nobody sees that it was half done."""
    card = _of_click(tx, seal, item)
    if card:
        is_half = card.line is not None and (card.line.words, card.line.by) == ("card_half", item.sender)
        line, private = None if is_half else card.line, {**card.private, item.sender: None}
        cards.show(tx, seal, replace(card, line=line, private=private), now)


@dataclass(frozen=True, slots=True)
class _Done:
    """How an answer ended, as cards show it. `decided` are the tasks that it answered."""

    item: Received
    ending: Ending
    actions: Sequence[CompiledAction]
    decided: set[str]
    now: datetime

    @property
    def is_done(self) -> bool:
        return self.ending.state == DONE and bool(self.item.doc_id)

    @property
    def is_half(self) -> bool:
        return self.ending.state == HALF and bool(self.item.doc_id)

    def on(self, card: Card) -> Card:
        """The card afterwards."""
        if self.is_done:
            state = OVER if self._leaves_nothing(card) else card.state
            return replace(card, state=state, line=self._line(card), private=dict.fromkeys(card.private))
        private = dict(card.private)
        if self.item.sender in private:
            private[self.item.sender] = None if self.is_half else self._own(card)
        if self.is_half:
            half = Line("card_half", self.now, self.item.sender, self._params(card))
            return replace(card, line=half, private=private)
        return replace(card, private=private)

    def concerns(self, card: Card, clicked: Card | None) -> bool:
        """Whether another card has to show it: the one that was clicked, in another language; one on which the second
        person may confirm; or one that nothing is left to be done on."""
        if clicked and clicked.notification_id == card.notification_id:
            return True
        return self.item.action in card.actions if self.is_half else self._leaves_nothing(card)

    def _own(self, card: Card) -> Line | None:
        """What only who asked for it is told."""
        return None if card.state == OVER else Line("card_said", self.now, params={"title": self._title(card)})

    def _line(self, card: Card) -> Line:
        if self.ending.reply != "reply_already":
            return Line("card_done", self.now, self.item.sender, self._params(card))
        known = card.line  # it was not done by who asks for it now
        if known and known.words == "card_done" and known.params.get("action") == self._params(card)["action"]:
            return known
        return Line("card_elsewhere", self.now, params=self._params(card))

    def _leaves_nothing(self, card: Card) -> bool:
        if card.item_id in self.decided:
            return True
        offered = (action for action in self.actions if action.id in card.actions)
        return all(self._was_done(one) or is_over(one.do, self.ending.status, decided=False) for one in offered)

    def _was_done(self, action: CompiledAction) -> bool:
        """Whether nobody has to do it again; of a workflow, others may have tasks."""
        return action.id == self.item.action and not any(do.kind in BY_WORKFLOW for do in action.do)

    def _params(self, card: Card) -> dict[str, str]:
        titles = self.ending.titles
        action = titles.get(card.locale) or titles.get("zh") or self.item.action or "?"
        return {"action": action, "status": self.ending.status}

    def _title(self, card: Card) -> str:
        said = {"number": card.number, **self._params(card), **self.ending.params}
        return words(f"{self.ending.reply}_title", card.locale, **said)
