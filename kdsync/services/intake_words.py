"""Tells what became of an approval: the applicant and, where nothing did, `fallback` too.

A refusal stands below the approval as a comment, once: it is noted before it is written and never written twice. Where
it could not be written, that cannot be told, or it stands there in the applicant's own name, of which DingTalk tells
nobody, the applicant gets a message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from kdsync import logs
from kdsync.clock import Clock
from kdsync.delivery.words import status, words
from kdsync.errors import EdgeError, FailureKind
from kdsync.model import Content, Priority
from kdsync.rules.intake import CompiledIntake
from kdsync.services.cabinet import Approvals
from kdsync.services.desk import Bill
from kdsync.services.notices import Notices
from kdsync.settings.schema import Settings
from kdsync.store import inbox, notifications, writes
from kdsync.store.database import Database
from kdsync.store.inbox import DONE, Received
from kdsync.store.notifications import MATCHED, Notification, Wanted
from kdsync.store.sealing import Seal
from kdsync.store.writes import Write
from kdsync.sync import identity

log = logs.get("intake")
RULE = "intake"  # what stands in place of a rule's id
COMMENT = -1_000  # the step of the first comment; one more below for each time that it is tried again
PASSES = (FailureKind.TRANSIENT, FailureKind.RATE_LIMITED, FailureKind.SESSION_LOST)
MOST_COMMENTS = 5  # tries that reached nobody


@dataclass(frozen=True, slots=True)
class IntakeWords:
    """Ends an approval: state, message and alarm in one transaction, so that nothing is told twice."""

    db: Database
    seal: Seal
    clock: Clock
    approvals: Approvals
    notices: Notices
    settings: Callable[[], Settings]
    locales: Callable[[], tuple[str, ...]]
    name_of: Callable[[str], str]

    def name(self, userid: str) -> str:
        """What the applicant is called; the userid where DingTalk does not say."""
        try:
            return self.name_of(userid) or userid
        except EdgeError:
            return userid

    def done(self, item: Received, intake: CompiledIntake, bill: Bill, told: str) -> None:
        """It is a document now; its applicant is told."""
        params: dict[str, object] = {"status": bill.status, "titles": bill.facts.title}
        with self.db.write() as tx:
            reason = "" if told == "intake_done" else "the document was there already"
            inbox.finish(tx, item, DONE, reason, self.clock.now())
            self._message(tx, item, told, params)
        log.info("intake.done", inbox_id=item.id, intake=intake.id, form=item.form, bill_no=item.number)

    def refused(self, item: Received) -> None:
        """It is none. Raises EdgeError where DingTalk cannot be told just now."""
        refusal = item.content["refusal"]
        told = self._comment(item, str(refusal["told"]), str(refusal["reason"])) and self._speaker(item) != item.sender
        with self.db.write() as tx:
            inbox.finish(tx, item, refusal["state"], refusal["reason"], self.clock.now())
            if not told:
                self._message(tx, item, refusal["told"], {"error": refusal["reason"]})
            self.notices.tell_within(
                tx,
                f"intake {item.id} {item.content.get('again', 0)}",
                "intake_alarm",
                form=item.form,
                number=item.number,
                intake=item.action,
                title=item.content.get("title") or "?",
                sender=item.sender or "?",
                error=refusal["reason"],
                id=item.id[:10],
            )

    def _comment(self, item: Received, told: str, reason: str) -> bool:
        """Whether it surely stands below the approval."""
        step = COMMENT - int(item.content.get("again") or 0)
        with self.db.read() as tx:
            before = writes.of_step(tx, item.id, step)
        if before and (before[-1].outcome != writes.UNSENT or len(before) >= MOST_COMMENTS):
            return before[-1].outcome == writes.ACCEPTED
        if not item.sender or not item.content.get("instance"):
            return False
        locale = self.settings().directory.locale_of(item.sender)
        text = words(f"{told}_comment", locale, error=reason)
        with self.db.write() as tx:
            row = writes.intend(tx, self._write(item, step))
        try:
            self.approvals.comment(str(item.content["instance"]), self._speaker(item), text)
        except EdgeError as error:
            return self._unsaid(row, error)
        return self._said(row)

    def _said(self, row: int) -> bool:
        with self.db.write() as tx:
            writes.note(tx, row, writes.ACCEPTED)
        return True

    def _unsaid(self, row: int, error: EdgeError) -> bool:
        unknown = error.kind is FailureKind.UNKNOWN_OUTCOME
        outcome = writes.UNKNOWN if unknown else writes.UNSENT if error.kind in PASSES else writes.REFUSED
        with self.db.write() as tx:
            writes.note(tx, row, outcome, str(error))
        log.warning("intake.not_commented", error=str(error))
        if error.kind in PASSES:
            raise error
        return False

    def _speaker(self, item: Received) -> str:
        """In whose name: somebody of `fallback`, who is there to help; the applicant's where there is no other."""
        people = (one.value for one in self.settings().main.fallback if one.kind == "user")
        return next((userid for userid in people if userid != item.sender), item.sender)

    def _write(self, item: Received, step: int) -> Write:
        known = {"inbox_id": item.id, "form": item.form, "doc_id": item.doc_id, "number": item.number}
        return Write(**known, step=step, operation="comment", user=item.sender, at=self.clock.now())

    def _message(self, tx: Connection, item: Received, told: str, params: dict[str, object]) -> None:
        if not item.sender:
            return
        event = identity.digest("intake", item.id, str(item.content.get("again") or 0))
        notice = Notification(
            id=identity.notification_id(event, RULE),
            event_id=event,
            form=item.form,
            doc_id="",
            number=item.number,
            rule=RULE,
            kind=told,
            priority=Priority.NORMAL if told == "intake_done" else Priority.HIGH,
            state=MATCHED,
            wanted=(Wanted(f"user:{item.sender}"),),
            contents={locale: _content(item, told, params, locale) for locale in self.locales()},
            created_at=self.clock.now(),
        )
        notifications.add(tx, self.seal, [notice])


def _content(item: Received, told: str, params: dict[str, object], locale: str) -> Content:
    titles, letter = params.get("titles"), str(params.get("status") or "")
    form = (titles.get(locale) or titles.get("zh") if isinstance(titles, Mapping) else "") or item.form
    said = {
        "number": item.number,
        "approval": str(item.content.get("title") or item.content.get("business_id") or "?"),
        "form": form,
        "status": status(letter, locale) or "?",
        "error": params.get("error") or "",
    }
    return Content(words(f"{told}_title", locale, **said), words(f"{told}_body", locale, **said))
