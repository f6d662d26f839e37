"""What becomes of cards once they are out: everybody who looks at one sees what was decided, by whomever and where.

An answer changes its cards itself (`decisions`); what is decided in Kingdee is found in the snapshots and tasks that
looks have stored. DingTalk is told afterwards, again and again until it shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from kdsync import logs
from kdsync.clock import Clock
from kdsync.commands.plan import is_over
from kdsync.delivery.retry import after
from kdsync.delivery.words import moment, words
from kdsync.delivery.words import status as status_words
from kdsync.errors import EdgeError, FailureKind, HeldBackError
from kdsync.model import Status
from kdsync.rules.actions import CompiledAction
from kdsync.services.desk import Bill, Desk
from kdsync.services.dispatch import own_mistake
from kdsync.services.patience import STORES_OWN
from kdsync.services.ports import Courier, Meter
from kdsync.store import cards, moments, notifications
from kdsync.store.cards import OVER, Card, Line, Outdated
from kdsync.store.database import Database
from kdsync.store.sealing import Seal

log = logs.get("cards")
PAUSES = (2.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)  # seconds between tries of one card, the last again and again
RESTS = PAUSES[:4]  # and for all of them while none gets through: messages do not wait for one after the other to fail
MOST_TRIES = 30  # more than a day
IN_WORDS = 4  # tries, half a minute: then who clicked is answered in words
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
    _resting: dict[str, float] = field(default_factory=dict)  # until when a document is not asked for, by its card
    _tell_at: float = 0.0
    _failures: int = 0  # of calls to DingTalk in a row

    def step(self) -> int:
        """Look at one card that may be outdated, and tell DingTalk of one change; returns how many there were."""
        return self._close_outdated() + self._tell()

    def next_due(self) -> datetime | None:
        """When there will be something to tell."""
        with self.db.read() as tx:
            found = cards.next_due(tx)
        rest = timedelta(seconds=max(self._tell_at - self.clock.monotonic(), 0.0))
        return max(moments.parse(found), self.clock.now() + rest) if found else None

    # --- what was decided in Kingdee

    def _close_outdated(self) -> int:
        now = self.clock.monotonic()
        if now < self._look_at:
            return 0
        self._resting = {track: until for track, until in self._resting.items() if until > now}
        with self.db.read() as tx:
            found = cards.outdated(tx, self.seal, besides=self._resting)
        if found is None:
            self._look_at = now + OFTEN
            return 0
        self._resting[found.card.track] = now + OFTEN
        self._surely_look(found)
        return 1

    def _surely_look(self, found: Outdated) -> None:
        """One that cannot be looked at keeps no other from its turn, unless Kingdee is down."""
        try:
            self._look(found)
        except HeldBackError:
            self._look_at = self.clock.monotonic() + LATER
        except EdgeError as error:
            self._rest(found.card, str(error))
        except STORES_OWN:
            raise
        except Exception as error:
            log.exception("card.broke", track=found.card.track)
            self._rest(found.card, f"kdsync stumbled over it ({type(error).__name__})")

    def _rest(self, card: Card, error: str) -> None:
        self._resting[card.track] = self.clock.monotonic() + LATER
        log.warning("card.not_looked_at", track=card.track, form=card.form, bill_no=card.number, error=error)

    def _look(self, found: Outdated) -> None:
        """The document moved on: is there anything left to press a button for?"""
        card = found.card
        if card.damaged:
            self._give_up(card, card.damaged)
            return
        bill = self.desk.read(card.form, card.doc_id, ()) if card.doc_id else None
        over, now = found.task_gone or self._is_over(card, bill), self.clock.now()
        is_gone = bill is None and card.doc_id
        status = {"status": bill.status if bill else ""}
        with self.db.write() as tx:
            found_again = cards.outdated(tx, self.seal, track=card.track)
            if found_again is None:
                return  # while Kingdee was asked, an answer came that says itself what became of it
            cards.looked_at(tx, card.track, max(found_again.version, card.version))
            if over:
                line = Line("card_gone", now) if is_gone else Line("card_elsewhere", now, params=status)
                closed = replace(
                    found_again.card, state=OVER, line=line, private=dict.fromkeys(found_again.card.private)
                )
                cards.show(tx, self.seal, closed, now)
        if over:
            log.info("card.closed", track=card.track, form=card.form, bill_no=card.number, by="kingdee")

    def _is_over(self, card: Card, bill: Bill | None) -> bool:
        """Whether no button does anything any more; one that was taken out of the rules says so when it is pressed."""
        if bill is None:
            return True
        offered = [action for action in self.actions() if action.id in card.actions]
        if not offered:
            return bill.status == Status.APPROVED
        return all(is_over(action.do, bill.status, decided=False) for action in offered)

    # --- what DingTalk is told

    def _tell(self) -> int:
        if self.clock.monotonic() < self._tell_at:
            return 0
        with self.db.read() as tx:
            card = cards.due(tx, self.seal, self.clock.now())
        if card is None:
            return 0
        try:
            self._update(card)
        except EdgeError as error:
            self._failed(card, error)
        except STORES_OWN:
            raise
        except Exception as error:  # a card that trips over a mistake of ours must not hold up the others
            log.exception("card.broke", track=card.track)
            self._failed(card, own_mistake(error, card.attempts + 1))
        return 1

    def _update(self, card: Card) -> None:
        if card.damaged:
            raise EdgeError("kdsync", FailureKind.REFUSED, "damaged", card.damaged)
        line = self._said(card.line, card.locale)
        private = {userid: self._said(own, card.locale) or line for userid, own in card.private.items()}
        self.courier.update_card(card.track, card.face, line, is_open=card.state != OVER, private=private)
        self._failures = 0
        with self.db.write() as tx:
            cards.updated(tx, card)
        self.meter.count("card_updates")
        ids = {"track": card.track, "form": card.form, "bill_no": card.number, "notification_id": card.notification_id}
        log.info("card.updated", state=card.state, **ids)

    def _failed(self, card: Card, error: EdgeError) -> None:
        if error.kind is FailureKind.REFUSED or card.attempts + 1 >= MOST_TRIES:
            self._give_up(card, str(error), cure=error.cure)
            return
        if error.system == "dingtalk":
            self._failures += 1
            rest = max(after(RESTS, self._failures - 1), error.retry_after or 0.0)
            self._tell_at = self.clock.monotonic() + rest
        pause = max(after(PAUSES, card.attempts), error.retry_after or 0.0)
        with self.db.write() as tx:
            latest = cards.find(tx, self.seal, card.track)
            if latest is None or latest.dirty != card.dirty:
                return  # there is more to tell by now
            cards.again(tx, card.track, self.clock.now() + timedelta(seconds=pause), str(error))
            if card.attempts + 1 >= IN_WORDS:
                self._in_words(tx, latest)
        log.warning("card.put_off", track=card.track, bill_no=card.number, seconds=pause, error=str(error))

    def _give_up(self, card: Card, reason: str, cure: str = "") -> None:
        """Unless there is more to tell by now: that may be taken."""
        with self.db.write() as tx:
            latest = cards.find(tx, self.seal, card.track)
            if latest is None or latest.dirty != card.dirty:
                return
            cards.give_up(tx, latest, reason)
            self._in_words(tx, latest)
        log.error("card.lost", track=card.track, bill_no=card.number, error=reason, cure=cure)

    def _in_words(self, tx: Connection, card: Card) -> None:
        """Who clicked is to hear of it all the same."""
        for reply in card.answers.split():
            notifications.settle(tx, reply, notifications.MATCHED, "the card could not be changed")
        cards.answered(tx, card.track)

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
