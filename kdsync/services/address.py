"""From a notification to letters: who the recipients are, in which language, and what exactly they will read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from kdsync import logs
from kdsync.clock import Clock
from kdsync.delivery.howto import how_to_reply
from kdsync.delivery.quiet import not_before
from kdsync.delivery.retry import after
from kdsync.delivery.words import footer, words
from kdsync.errors import EdgeError, FailureKind, HeldBackError
from kdsync.model import Content, Priority, Transition
from kdsync.rules.recipients import Recipient, parse_recipient
from kdsync.services.notices import Notices
from kdsync.services.offers import on_cards
from kdsync.services.patience import STORES_OWN
from kdsync.services.people import People, Resolution
from kdsync.services.ports import Courier
from kdsync.settings.schema import Settings
from kdsync.store import bars, cards, notifications, outbox
from kdsync.store.cards import Card
from kdsync.store.database import Database
from kdsync.store.notifications import ADDRESSED, BROKEN, Notification
from kdsync.store.outbox import GROUP, WORK, Letter
from kdsync.store.sealing import Seal
from kdsync.sync import identity

log = logs.get("address")
URGENCY = {Priority.URGENT: 0, Priority.HIGH: 1, Priority.NORMAL: 2, Priority.LOW: 3}
MOST_REASONS = 5  # that one message names
HELD_BACK = 60.0
PAUSES = (5.0, 15.0, 60.0, 300.0)
MOST_WITH_BAR = 5  # people who get one message with a status bar: DingTalk takes no more in a call
MOST_MISTAKES = 5  # tries of a notification that kdsync itself stumbles over
FOR_AN_OPERATOR = (FailureKind.REFUSED, FailureKind.CONFIGURATION)
UNTRIED = timedelta(minutes=5)  # after a card that was not taken: each would cost a call to find out
PERSISTENT = 3  # lookups refused in a row: a server that restarts says strange things for a moment


@dataclass(frozen=True, slots=True)
class Address:
    """Finds the people of notifications and writes their letters to the outbox."""

    db: Database
    seal: Seal
    people: People
    courier: Courier
    clock: Clock
    settings: Callable[[], Settings]
    notices: Notices

    def step(self) -> int:
        """Address what is due; returns how many notifications were handled."""
        with self.db.read() as tx:
            due = notifications.due(tx, self.seal, self.clock.now())
        behind: set[tuple[str, str]] = set()  # documents of which an earlier notification could not be addressed now
        held: list[str] = []
        for notification in due:
            document = (notification.form, notification.doc_id)
            if document not in behind and not self._tried(notification, held) and notification.doc_id:
                behind.add(document)
        if held:
            self._hold_back(held)
        return len(due)

    def _tried(self, notification: Notification, held: list[str]) -> bool:
        """Address it; False if that is put off. Those of whom nobody can be asked now are added to `held`."""
        try:
            self._address(notification)
        except HeldBackError:
            held.append(notification.id)
        except EdgeError as error:
            at_least = 0.0 if error.kind in FOR_AN_OPERATOR else error.retry_after or 0.0
            self._postpone(notification, str(error), at_least)
        except STORES_OWN:
            raise
        except Exception as error:  # one that trips over a mistake of ours must not hold up the others
            log.exception("address.broke", notification_id=notification.id)
            self._stumbled(notification, error)
        else:
            return True
        return False

    def _hold_back(self, idents: list[str]) -> None:
        """All at once, and for a while: they are woken when those who know the people are back."""
        with self.db.write() as tx:
            until = self.clock.now() + timedelta(seconds=HELD_BACK)
            notifications.hold_back(tx, idents, until, "nobody can be asked now who the people are")
        log.info("notifications.held_back", count=len(idents), seconds=HELD_BACK)

    def _stumbled(self, notification: Notification, error: Exception) -> None:
        """Try again, some times; then give it up where people can see it."""
        reason = f"kdsync could not address it ({type(error).__name__})"
        if notification.attempts + 1 < MOST_MISTAKES:
            self._postpone(notification, reason)
        else:
            self._give_up(notification, reason)

    def _give_up(self, notification: Notification, reason: str) -> None:
        targets = ", ".join(wanted.recipient for wanted in notification.wanted)
        with self.db.write() as tx:
            notifications.settle(tx, notification.id, BROKEN, reason)
            self.notices.lost(tx, notification, targets or "its recipients", reason)
        log.error("notification.lost", notification_id=notification.id, rule=notification.rule, reason=reason)

    def _address(self, notification: Notification) -> None:
        if notification.damaged:
            self._give_up(notification, notification.damaged)
            return
        whole = Resolution()
        last = notification.attempts + 1 >= PERSISTENT
        for wanted in notification.wanted:
            whole.join(self._resolve(parse_recipient(wanted.recipient), wanted.value, wanted.lookup, last=last))
        if not (whole.userids or whole.groups or whole.missing):
            whole.missing.append("it names no recipient")
        reason = _reason(whole.missing)
        # The fallback first: who belongs to both learns who else could not be reached.
        letters = list(self._letters(notification, self._fallback(), reason)) if reason else []
        item_id = self._task(notification) if len(whole.userids) <= MOST_WITH_BAR else ""
        told = {letter.id for letter in letters}
        mine = [one for one in self._letters(notification, whole, "", bar=bool(item_id)) if one.id not in told]
        mine, faces = self._offered(notification, mine)
        self._commit(notification, letters + mine, faces, reason, item_id)

    def _task(self, notification: Notification) -> str:
        """The task that waits and is told about, by its item id; "" for other notifications."""
        if notification.kind != Transition.ASSIGNED:
            return ""
        with self.db.read() as tx:
            return bars.task_of(tx, self.settings().main.kingdee.acct_id, notification)

    def _resolve(self, recipient: Recipient, value: str = "", lookup: str = "", *, last: bool = True) -> Resolution:
        """Whom a recipient stands for; on the `last` try also nobody, for a reason that only an operator can mend."""
        try:
            return self.people.resolve(recipient, value, lookup)
        except EdgeError as error:
            if error.kind in FOR_AN_OPERATOR and last:
                return Resolution(missing=[f"{recipient} cannot be looked up: {error.message}"])
            raise

    def _fallback(self) -> Resolution:
        whole = Resolution()
        for recipient in self.settings().main.fallback:
            whole.join(self._resolve(recipient))
        return whole

    def _offered(self, notification: Notification, letters: list[Letter]) -> tuple[list[Letter], list[Card]]:
        """What offers something to do goes out with buttons, where the organisation has a template for them."""
        if notification.offer is None or not self.courier.has_cards:
            return letters, []
        with self.db.read() as tx:
            if cards.were_not_taken(tx, self.clock.now() - UNTRIED):
                return letters, []
        offered = notification.offer.actions
        return on_cards(
            notification,
            letters,
            self.settings().directory.locale_of,
            lambda locale: self.courier.compose_card(_in_locale(notification.contents, locale), offered, locale),
        )

    def _letters(
        self, notification: Notification, people: Resolution, reason: str, *, bar: bool = False
    ) -> Iterable[Letter]:
        settings = self.settings()
        made: dict[tuple[str, str], bytes] = {}
        targets = [(WORK, userid) for userid in people.userids] + [(f"{GROUP}:{name}", name) for name in people.groups]
        for channel, target in targets:
            locale = settings.directory.locale_of(target)
            if (channel, locale) not in made:
                made[channel, locale] = self._compose(notification, channel, locale, reason, bar=bar)
            content = made[channel, locale]
            yield Letter(
                id=identity.outbox_id(notification.id, channel, target),
                notification_id=notification.id,
                channel=channel,
                target=target,
                content=content,
                content_id=identity.digest("content", channel, content.hex()),
                urgency=URGENCY[notification.priority],
                created_at=notification.created_at,
                next_attempt_at=self._when(notification),
                thread=f"{notification.form} {notification.doc_id}" if notification.doc_id else None,
            )

    def _compose(self, notification: Notification, channel: str, locale: str, reason: str, *, bar: bool) -> bytes:
        content = _in_locale(notification.contents, locale)
        if notification.offer:
            said = how_to_reply(notification.offer.actions, notification.number, locale)
            content = replace(content, below=said)
        if reason:
            told = words("undeliverable", locale, reason=reason)
            content = replace(content, body=f"{told}\n\n{content.body}")
        zone = self.settings().main.kingdee.timezone
        last = footer(notification.event_id, notification.created_at, locale, zone)
        status = words("bar_waiting", locale) if bar else ""
        button = words("open", locale)
        return self.courier.compose(channel, content, last, priority=notification.priority, button=button, bar=status)

    def _when(self, notification: Notification) -> datetime:
        main = self.settings().main
        zone: ZoneInfo = main.kingdee.timezone
        return not_before(self.clock.now(), notification.priority, main.calendar.quiet, zone)

    def _commit(
        self, notification: Notification, letters: list[Letter], faces: list[Card], reason: str, item_id: str
    ) -> None:
        ids = {"notification_id": notification.id, "rule": notification.rule, "bill_no": notification.number}
        with self.db.write() as tx:
            outbox.add(tx, self.seal, letters)
            cards.add(tx, self.seal, faces)
            if item_id and any(self.courier.shows_bar(letter.content) for letter in letters):
                bars.owe(tx, item_id, self.clock.now())
            notifications.settle(tx, notification.id, ADDRESSED if letters else BROKEN, reason or notification.reason)
        if reason:
            log.warning("notification.undeliverable", reason=reason, fallback=bool(letters), **ids)
        log.info("notification.addressed", recipients=len({letter.target for letter in letters}), **ids)

    def _postpone(self, notification: Notification, reason: str, at_least: float = 0.0) -> None:
        pause = max(after(PAUSES, notification.attempts), at_least)
        with self.db.write() as tx:
            until = self.clock.now() + timedelta(seconds=pause)
            notifications.postpone(tx, notification.id, until, reason)
        log.warning("notification.postponed", notification_id=notification.id, error=reason, seconds=pause)


def _reason(missing: Iterable[str]) -> str:
    """Who cannot be reached and why; of many the first few, so that it does not crowd out what it is about."""
    several = list(dict.fromkeys(missing))
    more = len(several) - MOST_REASONS
    return "; ".join([*several[:MOST_REASONS], *([f"{more} more"] if more > 0 else [])])


def _in_locale(contents: Mapping[str, Content], locale: str) -> Content:
    return contents.get(locale) or contents.get("zh") or next(iter(contents.values()))
