"""The one final answer that everybody gets who asked for something, in their language, in the outbox like the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from kdsync import logs
from kdsync.clock import Clock
from kdsync.delivery.words import status as status_words
from kdsync.delivery.words import words
from kdsync.model import Content, Priority
from kdsync.services import heard
from kdsync.services.notices import Notices
from kdsync.settings.schema import Settings
from kdsync.store import inbox, notifications
from kdsync.store.database import Database
from kdsync.store.inbox import Received
from kdsync.store.notifications import MATCHED, ON_CARD, Notification, Wanted
from kdsync.store.sealing import Seal
from kdsync.sync import identity

log = logs.get("inbound")
ANSWER = "answer"  # what stands in place of a rule's id
HELD = "held answer"


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended: the inbox state, the words of the reply (`reply_…`), and what fills them in.

    `titles` are the action's names by locale; `status` is the document's letter. `alarm` tells `fallback` as well.
    """

    state: str
    reply: str
    reason: str
    params: Mapping[str, object]
    titles: Mapping[str, str]
    status: str = ""
    alarm: str = ""
    item: Received | None = None  # what is known by now of the answer that ends
    takes_back: Sequence[Received] = ()  # what was held, or half said, and is not done now
    within: Callable[[Connection], None] = lambda _tx: None  # what else is committed with it


Show = Callable[[Connection, Received, Ending, str], bool]
"""Lets cards show how an answer ended, within its transaction; whether nobody needs the reply with that id then."""


@dataclass(frozen=True, slots=True)
class Replies:
    """Ends what was received: state, reply and alarm in one transaction, so that there is never a second reply."""

    db: Database
    seal: Seal
    clock: Clock
    settings: Callable[[], Settings]
    locales: Callable[[], tuple[str, ...]]
    notices: Notices
    show: Show = lambda _tx, _item, _ending, _reply: False

    def end(self, item: Received, ending: Ending) -> None:
        """Commit how it ended."""
        with self.db.write() as tx:
            self.end_within(tx, item, ending)
        level = log.error if ending.alarm else log.info
        level(
            "answer.ended",
            inbox_id=item.id,
            user=item.sender,
            action=item.action,
            form=item.form,
            bill_no=item.number,
            outcome=ending.state,
            reason=ending.reason,
        )

    def end_within(self, tx: Connection, item: Received, ending: Ending) -> None:
        """The same in the caller's transaction."""
        now = self.clock.now()
        if ending.state in (inbox.HALF, inbox.ASKED) or not {heard.CODE, heard.SESSION}.isdisjoint(item.content):
            # a second person, or a code, is measured by what it says; secrets are not needed any more
            inbox.understood(tx, self.seal, heard.forgotten(item))
        inbox.finish(tx, item, ending.state, ending.reason, now)
        ending.within(tx)
        for one in ending.takes_back:
            inbox.take_back(tx, one, now)
        if item.sender and ending.state != inbox.IGNORED:
            reply = self._reply(item, ending, ANSWER)
            on_card = self.show(tx, item, ending, reply.id)
            notifications.add(tx, self.seal, [replace(reply, state=ON_CARD) if on_card else reply])
        if ending.alarm:
            self.notices.tell_within(
                tx,
                f"answer {item.id}",
                "answer_failed",
                form=item.form,
                number=item.number,
                sender=item.sender or "?",
                action=item.action,
                error=ending.alarm,
            )

    def hold(self, item: Received, ending: Ending, until: datetime) -> None:
        """Nothing is done before `until`: say so, and how to take it back."""
        with self.db.write() as tx:
            ending.within(tx)
            inbox.hold(tx, self.seal, item, until)
            notifications.add(tx, self.seal, [self._reply(item, ending, HELD)])
        log.info("answer.held", inbox_id=item.id, user=item.sender, form=item.form, bill_no=item.number)

    def _reply(self, item: Received, ending: Ending, kind: str) -> Notification:
        event = identity.digest(kind, item.id)
        return Notification(
            id=identity.notification_id(event, ANSWER),
            event_id=event,
            form=item.form,
            doc_id="",
            number=item.number,
            rule=ANSWER,
            kind=ending.state,
            priority=Priority.URGENT,  # somebody waits for it
            state=MATCHED,
            wanted=(Wanted(f"user:{item.sender}"),),
            contents={locale: _content(item, ending, locale) for locale in self.locales()},
            created_at=self.clock.now(),
        )


def _content(item: Received, ending: Ending, locale: str) -> Content:
    said = {
        "number": item.number,
        "action": ending.titles.get(locale) or ending.titles.get("zh") or item.action or "?",
        "status": status_words(ending.status, locale) or "?",
        **ending.params,
    }
    return Content(
        title=words(f"{ending.reply}_title", locale, **said), body=words(f"{ending.reply}_body", locale, **said)
    )
