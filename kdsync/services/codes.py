"""One-time codes with what people ask for: whether one is right, which request it belongs to, and when it counts.

A code is used up in the transaction that allows what it came with: a crash, or the same message pushed again, neither
loses it nor lets it count twice. It is compared with the times when its message was said and came, however late it was
pushed, and however long Kingdee is down then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from kdsync import logs
from kdsync.clock import Clock
from kdsync.commands.onetime import steps
from kdsync.errors import StoreError, StoreUnusableError
from kdsync.rules.actions import CompiledAction
from kdsync.services import endings, heard
from kdsync.services.carry import NotYetError
from kdsync.services.desk import Bill
from kdsync.services.notices import Notices
from kdsync.services.replies import Ending
from kdsync.services.understand import Understood
from kdsync.settings.schema import Settings
from kdsync.store import codes, inbox
from kdsync.store.codes import Enrolled
from kdsync.store.database import Database
from kdsync.store.inbox import ASKED, REFUSED, Received
from kdsync.store.sealing import Seal
from kdsync.sync import identity

log = logs.get("inbound")
WITHIN = timedelta(minutes=5)  # so long a request waits for its code
MOST_WRONG = 5
LOCKED_FOR = timedelta(hours=1)

Meant = Callable[[Received], tuple[Received, Understood | Ending]]
Note = Callable[[Connection], None]
"""What is committed together with the leave to do it."""


def mark(item: Received) -> str:
    """What a code was given for: the steps of one action on one document about one amount."""
    about = (str(item.content.get("amount")), str(item.content.get("do")))
    return identity.digest("coded", item.action, item.form, item.doc_id, *about)


def is_coded(item: Received) -> bool:
    """Whether a right code came for just that."""
    return item.content.get("coded") == mark(item)


@dataclass(frozen=True, slots=True)
class Codes:
    """Reads what came with a code, and judges the code."""

    db: Database
    seal: Seal
    clock: Clock
    notices: Notices
    settings: Callable[[], Settings]

    def request(self, item: Received) -> Received | Ending:
        """What a message of nothing but a code asks for: the request that waits for it. Other messages as they are."""
        if not heard.code(item) or heard.text(item) or heard.is_click(item):
            return item
        waiting = self._waiting(item)
        if not waiting:
            return Ending(REFUSED, "reply_code_not_asked", "nothing waits for a one-time code", _minutes(), {})
        if len(waiting) > 1:
            several = ", ".join(dict.fromkeys(one.number for one in waiting))
            return Ending(
                REFUSED, "reply_code_several", f"several wait for a code: {several}", {"several": several}, {}
            )
        asked = waiting[0]
        request = {**asked.content, "held": "", "asked": asked.id, "asked_for": mark(asked)}
        own = {heard.CODE: item.content[heard.CODE], heard.SAID_AT: item.content.get(heard.SAID_AT)}
        return replace(item, content={**request, **own})

    def read(self, item: Received, meant: Meant) -> tuple[Received, Understood | Ending]:
        """What a message means, and whether the digits at its end are a code or part of what was said."""
        about, found = meant(item)
        if not heard.code(item) or "asked" in item.content:
            return about, found
        if isinstance(found, Understood) and found.action.takes_code:
            return about, found
        about_whole, again = meant(heard.whole(item))
        if isinstance(found, Understood) or isinstance(again, Understood):
            return about_whole, again
        missed = (found.reply, again.reply) == ("reply_no_number", "reply_no_document")
        return (about_whole, again) if missed and not self._waiting(item) else (about, found)

    def judge(self, item: Received, action: CompiledAction, bill: Bill) -> tuple[Received, Note] | Ending:
        """What becomes of something that a code has to come with."""
        with self.db.read() as tx:
            enrolled = codes.find(tx, item.sender)
        if enrolled is None:
            return self._unknown(item, action, bill)
        if enrolled.locked_until and enrolled.locked_until > self.clock.now():
            return self._locked(enrolled.locked_until, action, bill)
        if item.content.get("asked_for", mark(item)) != mark(item):
            reason = "the code was asked for about another amount, or other steps"
            return Ending(REFUSED, "reply_code_stale", reason, _most(action), action.titles, bill.status)
        if not heard.code(item):
            reason = "a one-time code has to come with it"
            return Ending(ASKED, "reply_code", reason, _most(action), action.titles, bill.status)
        try:
            found = self._steps(item)
        except StoreUnusableError:
            raise
        except StoreError as error:
            return endings.failed(str(error), alarm=str(error), action=action)
        return self._compared(found, enrolled, item, action, bill)

    def _waiting(self, item: Received) -> list[Received]:
        with self.db.read() as tx:
            return inbox.asked(tx, self.seal, item.sender, min(heard.moments(item)) - WITHIN)

    def _steps(self, item: Received) -> list[int]:
        with self.db.read() as tx:
            secret = codes.secret(tx, self.seal, item.sender)
        code = heard.code(item)
        return sorted({step for at in heard.moments(item) for step in steps(secret, code, at.timestamp())})

    def _compared(
        self, found: list[int], enrolled: Enrolled, item: Received, action: CompiledAction, bill: Bill
    ) -> tuple[Received, Note] | Ending:
        if not found:
            return self._wrong(enrolled, item, action, bill)
        fresh = [step for step in found if step > enrolled.last_step]
        if not fresh:
            reason = "that one-time code, or a later one, was used before"
            return self._again(Ending(ASKED, "reply_code_used", reason, _minutes(), action.titles, bill.status), item)
        coded = heard.forgotten(replace(item, content={**item.content, "coded": mark(item)}))
        return coded, lambda tx: self._spend(tx, coded, fresh[0])

    def _spend(self, tx: Connection, item: Received, step: int) -> None:
        if not codes.spend(tx, item.sender, step):
            raise NotYetError("the enrolment of the sender changed meanwhile")
        inbox.coded(tx, item)

    def _wrong(self, enrolled: Enrolled, item: Received, action: CompiledAction, bill: Bill) -> Ending:
        wrong, until = enrolled.wrong + 1, self.clock.now() + LOCKED_FOR
        if wrong >= MOST_WRONG:
            return replace(self._locked(until, action, bill), within=lambda tx: self._lock(tx, item, until))
        params = {"left": MOST_WRONG - wrong, **_minutes()}
        reason = f"wrong one-time code ({wrong} of {MOST_WRONG})"
        ending = Ending(ASKED, "reply_code_wrong", reason, params, action.titles, bill.status)
        return replace(self._again(ending, item), within=lambda tx: codes.count_wrong(tx, item.sender, wrong))

    def _again(self, ending: Ending, item: Received) -> Ending:
        """The request waits for another code: itself, or the one that the code was sent for."""
        return replace(ending, state=REFUSED) if "asked" in item.content else ending

    def _lock(self, tx: Connection, item: Received, until: datetime) -> None:
        codes.lock(tx, item.sender, until)
        about = {"form": item.form, "number": item.number}
        self.notices.tell_within(tx, f"code {item.id}", "code_locked", **about, sender=item.sender, until=until)

    def _locked(self, until: datetime, action: CompiledAction, bill: Bill) -> Ending:
        at = f"{until.astimezone(self.settings().main.kingdee.timezone):%H:%M}"
        reason = f"too many wrong one-time codes, locked until {at}"
        return Ending(REFUSED, "reply_code_locked", reason, {"until": at}, action.titles, bill.status)

    def _unknown(self, item: Received, action: CompiledAction, bill: Bill) -> Ending:
        whom = ", ".join(map(str, self.settings().main.fallback))
        params = {"whom": whom, "userid": item.sender, **_most(action)}
        return Ending(REFUSED, "reply_code_unknown", "no one-time code is enrolled", params, action.titles, bill.status)


def _minutes() -> dict[str, object]:
    return {"minutes": round(WITHIN.total_seconds() / 60)}


def _most(action: CompiledAction) -> dict[str, object]:
    return {"most": format(action.limit.max, "f") if action.limit else "", **_minutes()}
