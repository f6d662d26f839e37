"""From the outbox to DingTalk: claim, send, and note what came of it.

A claim commits before the call, so a crash in between leaves a lease that runs out: then the same bytes go out again,
and DingTalk drops what a person already got today. "Same content, same employee, once a day": official page on work
notifications (asynchronous sending).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Connection

from kdsync import logs
from kdsync.clock import Clock
from kdsync.delivery.limits import A_DAY, A_MINUTE, day_began, day_ends, had_enough, too_many
from kdsync.delivery.quiet import not_before
from kdsync.delivery.retry import RetryAt, decide
from kdsync.errors import EdgeError, FailureKind
from kdsync.services.address import URGENCY
from kdsync.services.channels import Channels
from kdsync.services.notices import Notices
from kdsync.services.outages import Outages
from kdsync.services.patience import STORES_OWN
from kdsync.services.ports import Courier, Meter
from kdsync.store import cards, claims, moments, outbox
from kdsync.store.database import Database
from kdsync.store.outbox import ASKED_FOR, CARD, WORK, Letter
from kdsync.store.sealing import Seal
from kdsync.store.shown import reached, shown_counts

log = logs.get("dispatch")
PEOPLE_A_CALL = 100
LEASE = timedelta(seconds=60)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
PRIORITY = {urgency: priority for priority, urgency in URGENCY.items()}
NO_CARDS = "cards"  # of the notice that they are not taken
MOST_MISTAKES = 5  # tries of a letter that kdsync itself stumbles over


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Sends letters, one call at a time."""

    db: Database
    seal: Seal
    courier: Courier
    clock: Clock
    random: Random
    meter: Meter
    notices: Notices

    @property
    def channels(self) -> Channels:
        """What is known of the channels' condition."""
        return Channels(self.random, Outages(self.notices))

    def step(self) -> int:
        """Make one call; returns how many recipients it was for, 0 if nothing is due."""
        now = self.clock.now()
        with self.db.write() as tx:
            channels = self.channels.now(tx, now)
            letters = claims.claim(
                tx,
                self.seal,
                now=now,
                lease_until=now + LEASE,
                held=channels.shut,
                trying=channels.trying,
                most=PEOPLE_A_CALL,
            )
        if not letters:
            return 0
        letters = self._within_limits(self._by_day(self._readable(letters, now), now), now)
        if not letters:
            return 1
        try:
            task, missed = self._send(letters)
        except EdgeError as error:
            self._failed(letters, error)
        except STORES_OWN:
            raise
        except Exception as error:  # a letter that trips over a mistake of ours must not hold up the others
            log.exception("send.broke", letter=letters[0].id)
            self._failed(letters, own_mistake(error, letters[0].attempts + 1))
        else:
            self._accepted([letter for letter in letters if letter.target not in missed], task)
            for letter in letters:
                if letter.target in missed:
                    self._as_text([letter], missed[letter.target])
        return len(letters)

    def next_due(self) -> datetime | None:
        """When there will be something to send."""
        now = self.clock.now()
        with self.db.read() as tx:
            channels = self.channels.now(tx, now)
            found = claims.next_due(tx, channels.shut, now)
        soonest = [moments.parse(found) if found else None, channels.reopens]
        return min((moment for moment in soonest if moment), default=None)

    def _readable(self, letters: list[Letter], now: datetime) -> list[Letter]:
        """Those of a claim whose content is whole; the others are dead."""
        for letter in letters:
            if letter.damaged:
                self._bury(letter, EdgeError("kdsync", FailureKind.REFUSED, "damaged", letter.damaged), now)
        return [letter for letter in letters if not letter.damaged]

    def _by_day(self, letters: list[Letter], now: datetime) -> list[Letter]:
        """Those of a claim that need not wait for the end of quiet hours; what was held up until then has to as well.

        An operator who asks for one does not want to wait.
        """
        main = self.notices.settings().main
        if not letters or main.calendar.quiet is None:
            return letters
        until = not_before(now, PRIORITY[letters[0].urgency], main.calendar.quiet, main.kingdee.timezone)
        late = [letter.id for letter in letters if letter.reason != ASKED_FOR] if until > now else []
        if late:
            self._wait(late, now, until, "quiet hours")
        return [letter for letter in letters if letter.id not in late]

    def _within_limits(self, letters: list[Letter], now: datetime) -> list[Letter]:
        """Those of a claim that DingTalk would show to somebody; the others wait."""
        if not letters or letters[0].channel != WORK:
            return letters
        with self.db.read() as tx:
            sending = [letter.id for letter in letters]
            full = had_enough(shown_counts(tx, [letter.target for letter in letters], day_began(now), sending))
            recent = reached(tx, now - MINUTE, sending)
        late = [letter.id for letter in letters if letter.target in full]
        if late:
            self._wait(late, now, day_ends(now), f"{A_DAY} messages a day are shown to one person, not more")
        letters = [letter for letter in letters if letter.target not in full]
        if not too_many(recent, len(letters)):
            return letters
        self._wait([letter.id for letter in letters], now, now + MINUTE / 4, f"{A_MINUTE} people a minute, not more")
        return []

    def _wait(self, ids: list[str], now: datetime, until: datetime, reason: str) -> None:
        log.warning("send.postponed", recipients=len(ids), until=moments.text(until), reason=reason)
        with self.db.write() as tx:
            outbox.put_off(tx, ids, now=now, until=until, reason=reason)

    def _send(self, letters: list[Letter]) -> tuple[str, Mapping[str, str]]:
        """The task's id, and who did not get it and why."""
        first, targets = letters[0], [letter.target for letter in letters]
        if first.channel == WORK:
            return self.courier.send_work(targets, first.content), {}
        if first.channel != CARD:
            return self.courier.send_group(first.target, first.content, first.id), {}
        with self.db.read() as tx:
            card = cards.find(tx, self.seal, cards.of_content(tx, first.notification_id, first.content_id))
        if card is None or card.damaged or not self.courier.has_cards:
            raise EdgeError(
                "kdsync", FailureKind.REFUSED, "no-card", card.damaged if card else "there are no cards now"
            )
        return card.track, self.courier.send_card(card.track, targets, card.face)

    def _accepted(self, letters: list[Letter], task: str, *, before: bool = False) -> None:
        """`before`: by an earlier call, while this one was refused."""
        if not letters:
            return
        now, channel = self.clock.now(), letters[0].channel
        with self.db.write() as tx:
            outbox.accept(tx, [letter.id for letter in letters], now, task)
            self.channels.works(tx, channel)
            if channel == CARD and not before:
                cards.taken(tx)
                self.notices.clear_within(tx, NO_CARDS, "cards_work")
        self.meter.count("notifications_accepted", len(letters))
        for letter in letters:
            self.meter.observe("delivery_seconds", (now - letter.created_at).total_seconds())
            self._say("notification.accepted", letter, to=letter.target, attempt=letter.attempts + 1, task_id=task)

    def _failed(self, letters: list[Letter], error: EdgeError) -> None:
        first, now = letters[0], self.clock.now()
        self.meter.count("send_failures", labels={"kind": error.kind})
        if first.channel == CARD and error.kind in (FailureKind.REFUSED, FailureKind.CONFIGURATION):
            card = self._made_before(letters)
            if card:
                self._accepted(letters, card, before=True)
                return
            if card is not None:
                self._as_text(letters, str(error), error)
                return
        with self.db.write() as tx:
            held = self._means(tx, first, error, now)
            lived = self.channels.lived(tx, first.channel, first.created_at, now)
        decision = decide(error.kind, first.attempts + 1, lived, self.random.random(), error.retry_after)
        if held:
            self._again(letters, error, now, now + SECOND)  # whatever comes first: a channel rests for longer
        elif isinstance(decision, RetryAt):
            self._again(letters, error, now, now + timedelta(seconds=decision.seconds))
        elif len(letters) > 1 and first.channel != CARD:
            # One of many may be the reason: each is tried by itself, so that the others get theirs.
            self._again(letters, error, now, now, alone=True)
        else:
            for letter in letters:
                self._bury(letter, error, now)

    def _made_before(self, letters: list[Letter]) -> str | None:
        """The card that an earlier try made, "" where none did; None where that cannot be told now."""
        first = letters[0]
        with self.db.read() as tx:
            card = cards.find(tx, self.seal, cards.of_content(tx, first.notification_id, first.content_id))
            unsure = outbox.may_be_sent(tx, first.id)
        if card is None or not unsure:
            return ""
        if card.private:
            return card.track  # somebody clicked it
        try:
            return card.track if self.courier.has_card(card.track, card.face) else ""
        except EdgeError as error:
            log.warning("card.not_found_out", track=card.track, error=str(error))
            return None

    def _as_text(self, letters: list[Letter], reason: str, error: EdgeError | None = None) -> None:
        """A card that is not taken, or not by everybody, goes out as text: it says what to reply."""
        first = letters[0]
        with self.db.write() as tx:
            outbox.as_text(tx, [letter.id for letter in letters], self.clock.now(), "no card", reason)
            if error is None or (error.system == "dingtalk" and error.sent):
                self.channels.works(tx, CARD)  # it answered
            if error:
                cards.unsent(tx, cards.of_content(tx, first.notification_id, first.content_id), reason)
            if error and error.kind is FailureKind.CONFIGURATION:
                cards.not_taken(tx, self.clock.now())
                said = {"error": error.message, "cure": error.cure or "-"}
                self.notices.raise_within(tx, NO_CARDS, "cards_refused", **said)
        self._say("card.refused", first, level="warning", error=reason, recipients=len(letters))

    def _means(self, tx: Connection, letter: Letter, error: EdgeError, now: datetime) -> bool:
        """What a failure means for the channel; True if nothing more is sent there for now."""
        if error.system != "dingtalk":
            return False
        if error.kind is FailureKind.REFUSED:
            self.channels.works(tx, letter.channel)
            return False
        alone = letter.attempts > 0 and outbox.others_got_through(tx, letter.id, letter.channel)
        return self.channels.failed(tx, letter.channel, error, now, alone=alone)

    def _again(
        self, letters: list[Letter], error: EdgeError, now: datetime, at: datetime, *, alone: bool = False
    ) -> None:
        with self.db.write() as tx:
            ids = [letter.id for letter in letters]
            outbox.again(tx, ids, now=now, at=at, outcome=error.kind, reason=str(error), alone=alone)
        self._say("send.failed", letters[0], error=str(error), kind=error.kind, cure=error.cure, again=moments.text(at))

    def _bury(self, letter: Letter, error: EdgeError, now: datetime) -> None:
        with self.db.write() as tx:
            outbox.bury(tx, [letter.id], now, error.kind, str(error))
            self.notices.dead(tx, letter, error.message)
        self.meter.count("notifications_dead")
        self._say("notification.dead", letter, error=str(error), cure=error.cure, level="error")

    def _say(self, event: str, letter: Letter, *, level: str = "info", **more: object) -> None:
        getattr(log, level)(event, notification_id=letter.notification_id, letter=letter.id, **more)


def own_mistake(error: Exception, tries: int) -> EdgeError:
    """A mistake of ours as a failed send: what became of it is unknown, and after some tries it is given up."""
    kind = FailureKind.REFUSED if tries >= MOST_MISTAKES else FailureKind.UNKNOWN_OUTCOME
    what = f"kdsync could not send it ({type(error).__name__})"
    return EdgeError("kdsync", kind, "broke", what, cure="please report the traceback in the log")
