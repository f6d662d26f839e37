"""From what somebody said in DingTalk to one change in Kingdee and one answer.

Kept first and acknowledged, worked on afterwards: parse, find the document, authorise, carry out, answer. One at a
time, so that two people who press the same button in the same second are asked one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from kdsync import logs
from kdsync.clock import Clock
from kdsync.commands.authorize import Denied, NeedsCode, Reason
from kdsync.errors import TASKS_UNREADABLE, EdgeError
from kdsync.model import Document, Task
from kdsync.rules.actions import CompiledAction
from kdsync.rules.mistakes import ExpressionError
from kdsync.services import endings, heard, takeback
from kdsync.services.carry import Carry, NotYetError, Stopped, fingerprint, is_unsure
from kdsync.services.clicks import Clicks
from kdsync.services.codes import Codes, Note, is_coded
from kdsync.services.desk import Bill, Desk
from kdsync.services.outsiders import STRANGER, Outsiders
from kdsync.services.patience import STORES_OWN, Enough, Patience, is_mistake
from kdsync.services.permit import Permit
from kdsync.services.ports import Meter
from kdsync.services.replies import Ending, Replies
from kdsync.services.understand import Understood, understand
from kdsync.store import inbox, writes
from kdsync.store.database import Database
from kdsync.store.inbox import Received
from kdsync.store.sealing import Seal

log = logs.get("inbound")
PATIENCE = timedelta(hours=1)  # so long after it was asked for is something begun; who asked is waiting
TRIES = Patience(PATIENCE, (2.0, 5.0, 10.0, 20.0, 30.0), sure=3)
SECOND_WITHIN = timedelta(days=1)  # so long a first confirmation waits for a second person
TOO_LATE = "kdsync was not running when it was asked for, and it is too long ago"


@dataclass(frozen=True, slots=True)
class Inbound:
    """Takes what people say and works on it."""

    db: Database
    seal: Seal
    clock: Clock
    desk: Desk
    permit: Permit
    replies: Replies
    meter: Meter
    actions: Callable[[], Sequence[CompiledAction]]
    outsiders: Outsiders | None = None  # None: they are not answered

    def take(self, item: Received) -> bool:
        """Keep it; False where it came before. Whoever pushed it may be told that it arrived."""
        add = inbox.add_click if item.source == inbox.CLICK else inbox.add
        if any(action.takes_code for action in self.actions()):
            item = heard.apart(item)
        with self.db.write() as tx:
            new = add(tx, self.seal, item)
        self.meter.count("received", labels={"source": item.source, "new": "yes" if new else "no"})
        if new:
            log.info("answer.received", inbox_id=item.id, user=item.sender, source=item.source)
        return new

    def resume(self) -> None:
        """What was held when an earlier process ended is held for as long again: nobody heard who wanted it back."""
        with self.db.read() as tx:
            held = [(item, self._held_for(item)) for item in inbox.every_held(tx, self.seal)]
        for item, action in held:
            if action and action.undo:
                with self.db.write() as tx:
                    inbox.hold(tx, self.seal, item, self.clock.now() + timedelta(seconds=action.undo))

    def step(self) -> int:
        """Work on what is due; returns how many there were."""
        with self.db.read() as tx:
            due = inbox.due(tx, self.seal, self.clock.now())
        for item in due:
            if not self._is_over(item):
                self._surely(item)
        return len(due)

    def _is_over(self, item: Received) -> bool:
        """Whether one that had its turn before this has ended it: what was taken back is not done."""
        with self.db.read() as tx:
            now = inbox.find(tx, self.seal, item.id)
        return now is None or now.state != inbox.WAITING

    def _surely(self, item: Received) -> None:
        try:
            ending = self._work(item)
        except STORES_OWN:
            raise
        except Exception as error:
            if is_mistake(error):
                log.exception("answer.broke", inbox_id=item.id)
            self._failed(item, error)
        else:
            if ending:
                self._end(item, ending)

    def _work(self, item: Received) -> Ending | None:
        """How it ends; None where it is held for a while, so that it can be taken back."""
        if item.damaged:
            return endings.failed(item.damaged, alarm=item.damaged)
        if item.content.get("group") and not item.content.get("mentioned"):
            return Ending(inbox.IGNORED, "", "said in a group without a mention", {}, {})
        if not item.sender:
            return self.outsiders.answer(item) if self.outsiders else Ending(inbox.IGNORED, "", STRANGER, {}, {})
        if item.action:
            return self._known(item)
        self._make_sure_it_is_in_time(item)
        return self._taken_back(item) or self._new(item)

    def _make_sure_it_is_in_time(self, item: Received) -> None:
        """Nothing is begun of what was asked for so long ago: who asked did not hear of it, and has acted since."""
        if self.clock.now() >= item.received_at + PATIENCE:
            raise NotYetError(item.reason or TOO_LATE)

    def _new(self, item: Received) -> Ending | None:
        """What was not understood yet."""
        asked = self._codes().request(item)
        if isinstance(asked, Ending):
            return asked
        item, found = self._codes().read(asked, self._meant)
        return self._understood(item, found) if isinstance(found, Understood) else replace(found, item=item)

    def _meant(self, item: Received) -> tuple[Received, Understood | Ending]:
        if heard.is_click(item):
            return Clicks(self.db, self.seal, self.desk, self.actions).understand(item)
        return item, understand(heard.text(item), self.actions(), self.desk)

    def _codes(self) -> Codes:
        return Codes(self.db, self.seal, self.clock, self.replies.notices, self.replies.settings)

    def _taken_back(self, item: Received) -> Ending | None:
        numbers = takeback.asked(heard.text(heard.whole(item)))
        if numbers is None:
            return None
        since = self.clock.now() - SECOND_WITHIN
        with self.db.read() as tx:
            found = (inbox.to_take_back(tx, self.seal, item, number, since) for number in numbers)
            meant = next((some for some in found if some), [])
        if not meant:
            phrases = (phrase for action in self.actions() for phrase in action.phrases)
            return None if any(map(takeback.asked, phrases)) else endings.nothing_held()
        about = replace(item, form=meant[0].form, doc_id=meant[0].doc_id, number=meant[0].number)
        return endings.taken_back(meant, about, self._action(meant[0]) or self._held_for(meant[0]))

    def _held_for(self, item: Received) -> CompiledAction | None:
        return next((one for one in self.actions() if one.id == item.content.get("held")), None)

    def _known(self, item: Received) -> Ending | None:
        """One that was allowed before: once it has begun it goes on, whatever the document has become by its steps."""
        action = self._action(item)
        if action is None:
            return self._over(item, "the action is not there any more")
        if item.content.get("do", "") not in ("", fingerprint(action)):
            return self._over(item, "the action has other steps now")
        with self.db.read() as tx:
            has_begun = writes.may_have_changed(tx, item.id)
        if has_begun:
            return self._carried(item, action)
        self._make_sure_it_is_in_time(item)
        return self._new(replace(item, action=""))  # others may have changed the document since it was allowed

    def _understood(self, item: Received, found: Understood) -> Ending | None:
        action, bill = found.action, found.bill
        document = bill.document
        known = replace(
            item,
            action=action.id,
            form=document.form,
            doc_id=document.doc_id,
            number=document.number,
            content={
                **item.content,
                "opinion": found.opinion,
                "do": fingerprint(action),
                "amount": str(self.permit.amount(action, bill)),
                "task": found.task,
            },
        )
        judged = self._judged(known, action, bill)
        if isinstance(judged, Ending):
            return replace(judged, item=known)
        known, note = judged
        if action.undo and not item.content.get("held"):
            held = replace(known, action="", content={**known.content, "held": action.id})
            until = self.clock.now() + timedelta(seconds=action.undo)
            self.replies.hold(held, replace(endings.held(action), within=note), until)
            return None
        with self.db.write() as tx:
            note(tx)
            inbox.understood(tx, self.seal, known)
        return self._carried(known, action)

    def _judged(self, item: Received, action: CompiledAction, bill: Bill) -> tuple[Received, Note] | Ending:
        """Why it may not be done; or the item as it is done, and what is committed with that."""
        now, document = self.clock.now(), bill.document
        tasks, unread = self._tasks(action, document)
        with self.db.read() as tx:
            before = inbox.halves(tx, self.seal, item, now - SECOND_WITHIN)
        try:
            verdict = self.permit.verdict(item.sender, action, bill, tasks, now, before, coded=is_coded(item))
        except ExpressionError as error:
            return endings.failed(str(error), alarm=str(error), action=action)
        if unread and verdict == Denied(Reason.NOT_ALLOWED):
            return endings.failed(str(unread), alarm=str(unread), action=action, reply=endings.reply_of(unread))
        if isinstance(verdict, NeedsCode):
            return self._codes().judge(item, action, bill)
        refused = endings.of_verdict(verdict, action, bill)
        return refused or (heard.forgotten(item), lambda tx: inbox.coded(tx, item))

    def _tasks(self, action: CompiledAction, document: Document) -> tuple[Sequence[Task], EdgeError | None]:
        """What waits, where somebody may do it whom it waits for; or why that cannot be told: others may do it too."""
        if all(one.innermost.kind != "assignee" for one in action.allow):
            return (), None
        try:
            return self.desk.tasks(document.form, document.number), None
        except EdgeError as error:
            if error.code != TASKS_UNREADABLE:
                raise
            return (), error

    def _carried(self, item: Received, action: CompiledAction) -> Ending:
        carry = Carry(self.db, self.desk, self.clock, self.permit.is_receiver, self.seal)
        outcome = carry.run(item, action, until=item.received_at + PATIENCE)
        if isinstance(outcome, Stopped):
            return replace(endings.stopped(outcome, action), item=item)
        return replace(endings.done(outcome, action), item=item)

    def _failed(self, item: Received, error: Exception) -> None:
        """What may pass is tried again for a while; the rest is over at once."""
        now = self.clock.now()
        judged = TRIES.judge(error, item.attempts, now - item.received_at)
        if isinstance(judged, Enough):
            reply = endings.reply_of(error) if isinstance(error, EdgeError) else "reply_failed"
            self._give_up(item, judged.reason, reply)
            return
        with self.db.write() as tx:
            inbox.again(tx, item.id, now + timedelta(seconds=judged.seconds), judged.reason)
        log.warning("answer.put_off", inbox_id=item.id, seconds=judged.seconds, reason=judged.reason)

    def _give_up(self, item: Received, reason: str, reply: str = "reply_failed") -> None:
        with self.db.read() as tx:
            latest = inbox.find(tx, self.seal, item.id) or item
        if self.outsiders and not latest.sender:
            self._end(latest, self.outsiders.unanswered(latest, reason))
        else:
            self._end(latest, self._over(latest, reason, alarm=reason, reply=reply))

    def _over(self, item: Received, reason: str, alarm: str = "", reply: str = "reply_failed") -> Ending:
        """It goes no further; what may have been done all the same is not called impossible."""
        with self.db.read() as tx:
            unsure = is_unsure(writes.of_step(tx, item.id, item.step))
        action = self._action(item) or self._held_for(item)
        if unsure:
            return endings.unknown(reason, action)
        if not item.number:
            return endings.not_reached(reason, heard.quoted(item), alarm=alarm)
        return endings.failed(reason, alarm=alarm, action=action, reply=reply)

    def _action(self, item: Received) -> CompiledAction | None:
        return next((one for one in self.actions() if one.id == item.action), None)

    def _end(self, item: Received, ending: Ending) -> None:
        self.replies.end(ending.item or item, ending)
        self.meter.count("answers", labels={"outcome": ending.state})
