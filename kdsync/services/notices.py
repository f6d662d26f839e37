"""What kdsync has to tell its own operators: sent to `fallback` like everything else, once for each cause."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from kdsync import logs
from kdsync.clock import Clock
from kdsync.delivery.words import moment, words
from kdsync.model import Content, Priority
from kdsync.settings.schema import Settings
from kdsync.store import ledger, moments, notifications
from kdsync.store.database import Database
from kdsync.store.notifications import MATCHED, Notification, Wanted
from kdsync.store.outbox import Letter
from kdsync.store.sealing import Seal
from kdsync.sync import identity

log = logs.get("notices")
RULE = "kdsync"  # what stands in place of a rule's id
RAISED = "notice:"
MENTIONED = "mention:"


@dataclass(frozen=True, slots=True)
class Notices:
    """Raises and clears notices. A cause that stays raised is told once."""

    db: Database
    seal: Seal
    clock: Clock
    settings: Callable[[], Settings]
    locales: Callable[[], tuple[str, ...]]

    def raise_(self, cause: str, text: str, *, form: str = "", number: str = "", **params: object) -> None:
        """Tell `fallback` about a cause; `text` names the words, `params` fill them in."""
        with self.db.write() as tx:
            self.raise_within(tx, cause, text, form=form, number=number, to=(), **params)

    def raise_within(
        self,
        tx: Connection,
        cause: str,
        text: str,
        *,
        form: str = "",
        number: str = "",
        to: Sequence[str] = (),
        **params: object,
    ) -> bool:
        """The same in the transaction of what it is about, `to` others than `fallback`; False if it is known."""
        return self._once(tx, RAISED, cause, text, form, number, params, to)

    def tell_within(
        self,
        tx: Connection,
        cause: str,
        text: str,
        *,
        form: str = "",
        number: str = "",
        to: Sequence[str] = (),
        **params: object,
    ) -> None:
        """Tell `fallback`, or `to` others, what is over with that: no alarm stands, and the transaction must be made
        once only."""
        self._tell(tx, cause, text, self.clock.now(), form, number, params, to)
        log.warning("notice.told", cause=cause, form=form, **_loggable(params))

    def mention(self, cause: str, text: str, *, form: str = "", number: str = "", **params: object) -> None:
        """Tell `fallback` what is worth knowing and no alarm, once until it is forgotten."""
        with self.db.write() as tx:
            self.mention_within(tx, cause, text, form=form, number=number, **params)

    def mention_within(
        self, tx: Connection, cause: str, text: str, *, form: str = "", number: str = "", **params: object
    ) -> None:
        """The same in the transaction of what it is about."""
        self._once(tx, MENTIONED, cause, text, form, number, params)

    def is_mentioned(self, tx: Connection, cause: str) -> bool:
        """Whether it was told and not forgotten since."""
        return ledger.fact(tx, MENTIONED + cause) is not None

    def forget(self, *causes: str) -> None:
        """These are over; the next time they are told again."""
        with self.db.read() as tx:
            standing = [cause for cause in causes if self.is_mentioned(tx, cause)]
        if standing:
            with self.db.write() as tx:
                for cause in standing:
                    ledger.forget_fact(tx, MENTIONED + cause)

    def _once(
        self,
        tx: Connection,
        prefix: str,
        cause: str,
        text: str,
        form: str,
        number: str,
        params: Mapping[str, object],
        to: Sequence[str] = (),
    ) -> bool:
        now = self.clock.now()
        if ledger.fact(tx, prefix + cause) is not None:
            return False
        ledger.put_fact(tx, prefix + cause, moments.text(now), now)
        self._tell(tx, cause, text, now, form, number, params, to)
        log.warning("notice.raised", cause=cause, form=form, **_loggable(params))
        return True

    def clear(self, cause: str, text: str = "", *, form: str = "", **params: object) -> None:
        """The cause is gone; with `text`, `fallback` hears of it if it heard of the cause."""
        with self.db.read() as tx:
            if ledger.fact(tx, RAISED + cause) is None:
                return
        with self.db.write() as tx:
            self.clear_within(tx, cause, text, form=form, to=(), **params)

    def clear_within(
        self, tx: Connection, cause: str, text: str = "", *, form: str = "", to: Sequence[str] = (), **params: object
    ) -> bool:
        """The same in a transaction, `to` others than `fallback`; False if nobody was told of the cause."""
        if not ledger.forget_fact(tx, RAISED + cause):
            return False
        if text:
            self._tell(tx, f"{cause} cleared", text, self.clock.now(), form, "", params, to)
        log.info("notice.cleared", cause=cause, form=form)
        return True

    def dead(self, tx: Connection, letter: Letter, reason: str) -> None:
        """A letter is dead: `fallback` gets to know what it said, to whom, and why it could not be delivered.

        In the transaction that buries it, so that nothing dies in silence. A dead notice makes no further one.
        """
        notification = notifications.find(tx, self.seal, letter.notification_id)
        if notification is not None:
            self.lost(tx, notification, letter.target, reason)

    def lost(self, tx: Connection, notification: Notification, target: str, reason: str) -> None:
        """The same of a notification that did not even become a letter; a lost notice makes no further one."""
        if notification.rule == RULE:
            return
        params = {"target": target, "reason": reason, "rule": notification.rule, "title": _title(notification)}
        cause = f"dead {notification.id} {target}"
        self._tell(tx, cause, "dead", self.clock.now(), notification.form, notification.number, params)

    def _tell(
        self,
        tx: Connection,
        cause: str,
        text: str,
        now: datetime,
        form: str,
        number: str,
        params: Mapping[str, object],
        to: Sequence[str] = (),
    ) -> None:
        event = identity.digest("notice", cause, moments.text(now))
        main = self.settings().main
        contents = {}
        for locale in self.locales():
            said = {key: _in_words(value, locale, main.kingdee.timezone) for key, value in params.items()}
            contents[locale] = Content(
                title=words(f"{text}_title", locale, form=form, number=number, **said),
                body=words(f"{text}_body", locale, form=form, number=number, **said),
            )
        notice = Notification(
            id=identity.notification_id(event, RULE),
            event_id=event,
            form=form,
            doc_id="",
            number=number,
            rule=RULE,
            kind=text,
            priority=Priority.HIGH,
            state=MATCHED,
            wanted=tuple(map(Wanted, to or map(str, main.fallback))),
            contents=contents,
            created_at=now,
        )
        notifications.add(tx, self.seal, [notice])


def _in_words(value: object, locale: str, zone: ZoneInfo) -> object:
    return moment(value, locale, zone) if isinstance(value, datetime) else value


def _loggable(params: Mapping[str, object]) -> dict[str, object]:
    return {key: moments.text(value) if isinstance(value, datetime) else value for key, value in params.items()}


def _title(notification: Notification) -> str:
    content = notification.contents.get("zh") or next(iter(notification.contents.values()))
    return content.title
