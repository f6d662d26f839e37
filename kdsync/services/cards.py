"""What becomes of cards once they are out: everybody who looks at one sees what was decided, by whomever and where.

An answer changes its card in the transaction that ends it; what is decided in Kingdee is found in the snapshots and
tasks that looks have stored. DingTalk is told afterwards, again and again until it shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from kdsync import logs
from kdsync.clock import Clock
from kdsync.commands.plan import is_over
from kdsync.delivery.retry import after
from kdsync.delivery.words import moment, words
from kdsync.delivery.words import status as status_words
from kdsync.errors import EdgeError, FailureKind
from kdsync.rules.actions import CompiledAction
from kdsync.services.desk import Desk
from kdsync.services.ports import Courier, Meter
from kdsync.services.replies import Ending
from kdsync.store import cards, moments, notifications, writes
from kdsync.store.cards import OPEN, OVER, Card, Line
from kdsync.store.database import Database
from kdsync.store.inbox import CLICK, DONE, HALF, Received, is_again
from kdsync.store.sealing import Seal

log = logs.get("cards")
PAUSES = (2.0, 5.0, 15.0, 60.0, 300.0)  # seconds between tries to tell DingTalk, the last again and again
MOST_TRIES = 30
HOPELESS = (FailureKind.REFUSED, FailureKind.CONFIGURATION)
AFTER_CLICK = timedelta(seconds=1)  # so long DingTalk may still be busy with the answer to the click itself
OFTEN = 1.0  # seconds between two looks for what was decided elsewhere
LATER = 30.0  # seconds until Kingdee is asked again about a document that it could not show


@dataclass(slots=True)
class Cards:
    """Keeps cards true. `actions` are those that can be answered with now."""

    db: Database
    seal: Seal
    clock: Clock
    courier: Courier
    name: Callable[[str], str]  # what others call the person with a userid; raises EdgeError
    desk: Desk
    meter: Meter
    actions: Callable[[], Sequence[CompiledAction]]
    zone: Callable[[], ZoneInfo]
    _look_at: float = 0.0  # monotonic

    def step(self) -> int:
        """Close what was decided elsewhere, and tell DingTalk of one change; returns how many calls it made."""
        if not self.courier.has_cards:
            return 0
        self._close_outdated()
        with self.db.read() as tx:
            card = cards.due(tx, self.seal, self.clock.now())
        if card is None:
            return 0
        self._update(card)
        return 1

    def next_due(self) -> datetime | None:
        """When there will be something to tell."""
        with self.db.read() as tx:
            found = cards.next_due(tx) if self.courier.has_cards else None
        return moments.parse(found) if found else None

    # --- what was decided in Kingdee

    def _close_outdated(self) -> None:
        now = self.clock.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + OFTEN
        with self.db.read() as tx:
            outdated = cards.outdated(tx, self.seal)
        for card, version, task_gone in outdated:
            try:
                self._look(card, version, decided=task_gone)
            except EdgeError as error:
                log.warning("card.not_looked_at", track=card.track, bill_no=card.number, error=str(error))
                self._look_at = now + LATER
                return

    def _look(self, card: Card, version: int, *, decided: bool) -> None:
        """The document moved on: is there anything left to press a button for?"""
        bill = self.desk.read(card.form, card.doc_id, ())
        offered = [action for action in self.actions() if action.id in card.actions]
        over = bill is None or all(is_over(action.do, bill.status, decided=decided) for action in offered)
        now = self.clock.now()
        with self.db.write() as tx:
            cards.looked_at(tx, card.track, max(version, card.version))
            if over:
                line = Line("card_elsewhere", now, params={"status": bill.status}) if bill else Line("card_gone", now)
                cards.show(
                    tx, self.seal, replace(card, state=OVER, line=line, private=dict.fromkeys(card.private)), now
                )
        if over:
            log.info("card.closed", track=card.track, form=card.form, bill_no=card.number, by="kingdee")

    # --- what DingTalk is told

    def _update(self, card: Card) -> None:
        ids = {"track": card.track, "form": card.form, "bill_no": card.number, "notification_id": card.notification_id}
        try:
            line = self._said(card.line, card.locale)
            private = {userid: self._said(own, card.locale) or line for userid, own in card.private.items()}
            self.courier.update_card(card.track, card.face, line, is_open=card.state != OVER, private=private)
        except EdgeError as error:
            self._failed(card, error)
            return
        with self.db.write() as tx:
            cards.updated(tx, card)
        self.meter.count("card_updates")
        log.info("card.updated", state=card.state, **ids)

    def _failed(self, card: Card, error: EdgeError) -> None:
        if error.kind in HOPELESS or card.attempts + 1 >= MOST_TRIES:
            with self.db.write() as tx:
                cards.give_up(tx, card.track, str(error))
                for reply in card.answers.split():  # who clicked is to hear of it all the same
                    notifications.settle(tx, reply, notifications.MATCHED, "the card could not be changed")
            log.error("card.lost", track=card.track, bill_no=card.number, error=str(error), cure=error.cure)
            return
        pause = max(after(PAUSES, card.attempts), error.retry_after or 0.0)
        with self.db.write() as tx:
            cards.again(tx, card.track, self.clock.now() + timedelta(seconds=pause), str(error))
        log.warning("card.put_off", track=card.track, seconds=pause, error=str(error))

    def _said(self, line: Line | None, locale: str) -> str:
        if line is None:
            return ""
        letter = line.params.get("status", "")
        said = {
            **line.params,
            "by": self._name(line.by),
            "at": moment(line.at, locale, self.zone()),
            "status": status_words(letter, locale) or "-",
        }
        return words(line.words, locale, **said)

    def _name(self, userid: str) -> str:
        """What others call somebody; a name that cannot be looked up now is no reason to wait."""
        try:
            return (self.name(userid) if userid else "") or userid
        except EdgeError:
            return userid


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
        _freed(tx, seal, ending.takes_back, now)
        return False
    done = _Done(item, ending, actions, writes.tasks_of(tx, item.id), now)
    mine = _of_click(tx, seal, item)
    on_card = mine is not None and item.source == CLICK and (done.is_done or is_again(item))
    if mine:
        answers = f"{mine.answers} {reply_id}".strip() if on_card else mine.answers
        cards.show(tx, seal, replace(done.on(mine), answers=answers), now + AFTER_CLICK)
    if done.is_done:
        for other in cards.of_document(tx, seal, item.form, item.doc_id):
            if (mine is None or other.track != mine.track) and done.concerns(other):
                cards.show(tx, seal, done.on(other), now)
    return on_card


def _of_click(tx: Connection, seal: Seal, item: Received) -> Card | None:
    """The card that somebody clicked, also where this is the code that came after the click."""
    card = cards.find(tx, seal, str(item.content.get("track") or "")) if item.content.get("track") else None
    return card if card and not card.damaged and card.state in (OPEN, OVER) else None


def _freed(tx: Connection, seal: Seal, item: Received, now: datetime) -> None:
    """A click was taken back: who clicked sees the card like everybody else."""
    card = _of_click(tx, seal, item)
    if card:
        cards.show(tx, seal, replace(card, private={**card.private, item.sender: None}), now)


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

    def on(self, card: Card) -> Card:
        """The card afterwards."""
        if self.is_done:
            state = OVER if self._leaves_nothing(card) else card.state
            return replace(card, state=state, line=self._line(card), private=dict.fromkeys(card.private))
        if self.ending.state == HALF:
            half = Line("card_half", self.now, self.item.sender, self._params(card))
            return replace(card, line=half, private={**card.private, self.item.sender: None})
        own = None if card.state == OVER else Line("card_said", self.now, params={"title": self._title(card)})
        return replace(card, private={**card.private, self.item.sender: own})

    def concerns(self, card: Card) -> bool:
        """Whether a card is about what was just done: the same task, or a document that leaves it nothing to do."""
        return card.item_id in self.decided if card.item_id else self._leaves_nothing(card)

    def _line(self, card: Card) -> Line:
        if self.ending.reply == "reply_already":  # not by who asked for it
            return Line("card_elsewhere", self.now, params=self._params(card))
        return Line("card_done", self.now, self.item.sender, self._params(card))

    def _leaves_nothing(self, card: Card) -> bool:
        offered = (action for action in self.actions if action.id in card.actions and action.id != self.item.action)
        decided = card.item_id in self.decided
        return all(is_over(action.do, self.ending.status, decided=decided) for action in offered)

    def _params(self, card: Card) -> dict[str, str]:
        titles = self.ending.titles
        action = titles.get(card.locale) or titles.get("zh") or self.item.action or "?"
        return {"action": action, "status": self.ending.status}

    def _title(self, card: Card) -> str:
        said = {"number": card.number, **self._params(card), **self.ending.params}
        return words(f"{self.ending.reply}_title", card.locale, **said)
