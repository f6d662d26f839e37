"""From an approval that was agreed to in DingTalk to one document in Kingdee and one word about it.

Kept first and acknowledged, worked on afterwards: fetch it, work out the document, look for it, make it, hang its files
on it, submit and audit it as the intake says. What cannot be done is said below the approval, and to `fallback`; an
operator has it tried again with `kdsync inbox retry`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from kdsync import logs
from kdsync.clock import Clock
from kdsync.errors import EdgeError, FailureKind
from kdsync.rules.actions import CompiledAction
from kdsync.rules.intake import CompiledIntake
from kdsync.rules.mistakes import ExpressionError
from kdsync.services import intake_ends
from kdsync.services.approval_names import REVOKE, files_of, names_of, of_another
from kdsync.services.attaching import Attaching
from kdsync.services.cabinet import Approval, Approvals
from kdsync.services.carry import Carry, Stopped
from kdsync.services.filing import Filed, Filing
from kdsync.services.intake_ends import End
from kdsync.services.intake_words import IntakeWords
from kdsync.services.numbers import Numbers, UnresolvedError
from kdsync.services.patience import STORES_OWN, Enough, Patience, is_mistake
from kdsync.services.ports import Meter
from kdsync.store import inbox, ledger
from kdsync.store import intake as store
from kdsync.store.database import Database
from kdsync.store.inbox import DONE, IGNORED, Received
from kdsync.store.sealing import Seal

log = logs.get("intake")
PATIENCE = Patience(timedelta(days=3), (2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0), least=20, sure=3)
"""A weekend without Kingdee loses nothing."""
COSTLY = replace(PATIENCE, pauses=(*PATIENCE.pauses, 900.0, 1800.0))
"""Where DingTalk is asked, for each call is one of the month's."""
NEXT_MONTH = replace(COSTLY, lasts=timedelta(days=33))
"""Where they are used up, which DingTalk says until the next one begins."""
REMEMBERED = 50  # approvals that need not be fetched again, which costs a call
SINCE = "intake:"
"""Facts by process: since when its approvals become documents."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes approvals and works on them; `zone` is that of Kingdee's dates."""

    db: Database
    seal: Seal
    clock: Clock
    approvals: Approvals
    numbers: Numbers
    filing: Filing
    attaching: Attaching
    carry: Carry
    words: IntakeWords
    meter: Meter
    intakes: Callable[[], Sequence[CompiledIntake]]
    zone: Callable[[], ZoneInfo]
    _fetched: OrderedDict[str, Approval] = field(default_factory=OrderedDict)

    def take(self, item: Received) -> bool:
        """Keep it; False where it came before. Whoever pushed it may be told that it arrived."""
        with self.db.write() as tx:
            new = inbox.add(tx, self.seal, item)
            if not new and _is_after(tx, item):
                new = store.take_after_all(tx, self.seal, item, self.clock.now())
        self.meter.count("received", labels={"source": item.source, "new": "yes" if new else "no"})
        if new:
            log.info("intake.received", inbox_id=item.id, intake=item.action, approval=item.number)
        return new

    def of_process(self, process: str) -> CompiledIntake | None:
        """What becomes of approvals of a process."""
        return next((one for one in self.intakes() if one.process == process), None)

    def step(self, limit: int = 20) -> int:
        """Work on what is due; returns how many there were."""
        with self.db.read() as tx:
            due = store.due(tx, self.seal, self.clock.now(), limit)
        for item in due:
            self._surely(item)
        return len(due)

    def _surely(self, item: Received) -> None:
        try:
            self._work(item)
        except STORES_OWN:
            raise
        except Exception as error:
            if is_mistake(error):
                log.exception("intake.broke", inbox_id=item.id)
            self._failed(item, error)

    def _work(self, item: Received) -> None:
        intake = self.of_process(str(item.content.get("process")))
        if item.content.get("refusal"):
            self._tell(item)
        elif item.damaged or intake is None:
            self._refuse(item, intake_ends.failed(item.damaged or "no intake is for its process any more"))
        elif item.content.get("agreed"):
            self._take_in(replace(item, action=intake.id, form=item.form if item.doc_id else intake.form), intake)
        else:
            self._begin(item, intake)

    def _begin(self, item: Received, intake: CompiledIntake) -> None:
        """See what DingTalk says of it, once: while Kingdee is down nobody asks again, which would cost calls."""
        approval = self._approval(item)
        reason = self._unwanted(item, approval)
        if reason or approval is None:
            self._pass_over(item, reason)
        elif not approval.business_id:
            self._refuse(item, intake_ends.failed("DingTalk tells no business id of it"))
        elif reason := of_another(approval, self._number_of(approval.main_id), again="again" in item.content):
            self._refuse(item, intake_ends.unsure(reason))
        else:
            self._take_in(self._known(item, intake, approval), intake)

    def _approval(self, item: Received) -> Approval | None:
        instance = str(item.content["instance"])
        if instance not in self._fetched:
            found = self.approvals.instance(instance)
            if found is None or found.status == "RUNNING":
                return found
            self._fetched[instance] = found
            while len(self._fetched) > REMEMBERED:
                self._fetched.popitem(last=False)
        return self._fetched[instance]

    def _unwanted(self, item: Received, approval: Approval | None) -> str:
        """Why nothing becomes of it, though nothing is wrong; '' where a document shall be made."""
        if approval is None:
            return "DingTalk does not have it any more"
        if approval.status == "RUNNING":
            raise EdgeError("dingtalk", FailureKind.TRANSIENT, "running", "the approval is still running there")
        if not approval.is_agreed:
            return f"not agreed to ({approval.status} {approval.result})".replace(" )", ")")
        if approval.action == REVOKE and item.content.get("again"):
            return "it took back another approval, and an operator knows"
        return store.BEFORE if self._is_too_early(item, approval) else ""

    def _is_too_early(self, item: Received, approval: Approval) -> bool:
        """Whether it was finished before its intake was there; an event tells when, an approval only the minute."""
        with self.db.read() as tx:
            began = ledger.fact(tx, SINCE + str(item.content["process"]))
        if began is None:
            return False
        if item.content.get("finished_at"):
            return str(item.content["finished_at"]) < began
        at = approval.finished_at or approval.created_at
        if at is None:
            return not item.content.get("event")  # DingTalk tells of what was finished just now
        return at < datetime.fromisoformat(began).replace(second=0, microsecond=0)

    def _known(self, item: Received, intake: CompiledIntake, approval: Approval) -> Received:
        """With all that the approval tells."""
        told = {"business_id": approval.business_id, "title": approval.title, "agreed": True}
        known = replace(
            item,
            content={**item.content, **told},
            sender=approval.applicant or item.sender,
            action=intake.id,
            form=intake.form,
            number=item.number if item.doc_id else approval.business_id,
        )
        with self.db.write() as tx:
            store.keep(tx, self.seal, known)
        return known

    def _take_in(self, item: Received, intake: CompiledIntake) -> None:
        value = str(item.content["business_id"])
        try:
            filed = self.filing.document(item, intake, value, lambda: self._model(item, intake))
            if isinstance(filed, Filed) and not filed.before:
                self._complete(filed.item, intake)
            elif isinstance(filed, Filed):
                self.words.done(filed.item, intake, filed.bill, "intake_already")
                self._count(DONE)
            else:
                self._refuse(item, intake_ends.stopped(filed))
        except (ExpressionError, UnresolvedError) as error:
            self._refuse(item, intake_ends.refused(str(error)))

    def _whole(self, item: Received) -> Approval:
        """The approval, where what was noted of it is not enough."""
        found = self._approval(item)
        if found is None:
            raise EdgeError("dingtalk", FailureKind.REFUSED, "gone", "it does not have the approval any more")
        return found

    def _number_of(self, instance: str) -> str:
        """The number of the document that another approval became, as far as it is known here."""
        with self.db.read() as tx:
            found = inbox.find(tx, self.seal, store.row_id(instance))
        return found.number if found and found.doc_id else ""

    def _complete(self, item: Received, intake: CompiledIntake) -> None:
        if item.step == 0 and intake.attachments:
            stopped = self.attaching.files(item, files_of(intake, self._whole(item)))
            if stopped:
                self._refuse(item, intake_ends.stopped(stopped))
                return
        outcome = self.carry.run(item, _steps(intake))
        if isinstance(outcome, Stopped):
            self._refuse(item, intake_ends.stopped(outcome))
        elif outcome.bill is None:
            self._refuse(item, intake_ends.stopped(Stopped("gone")))
        else:
            self.words.done(item, intake, outcome.bill, "intake_done")
            self._count(DONE)

    def _model(self, item: Received, intake: CompiledIntake) -> Mapping[str, Any]:
        approval = self._whole(item)
        files_of(intake, approval)  # what is wrong with its files is told before anything is written
        applicant = self.words.name(approval.applicant)
        names = names_of(intake.process, approval, applicant, self.clock.now().astimezone(self.zone()))
        return self.numbers.in_model(intake.model(names))

    def _refuse(self, item: Received, end: End) -> None:
        """Note that it is over before anybody is told, so that it is not tried again while telling takes long."""
        refusal = {"state": end.state, "told": end.told, "reason": end.reason}
        with self.db.write() as tx:
            latest = inbox.find(tx, self.seal, item.id) or item
            over = replace(latest, attempts=0, content={**latest.content, "refusal": refusal})
            store.refuse(tx, self.seal, over)
        log.error("intake.refused", inbox_id=over.id, bill_no=over.number, reason=end.reason, outcome=end.state)
        self._surely(over)

    def _tell(self, item: Received) -> None:
        self.words.refused(item)
        self._count(str(item.content["refusal"]["state"]))

    def _pass_over(self, item: Received, reason: str) -> None:
        with self.db.write() as tx:
            inbox.finish(tx, item, IGNORED, reason, self.clock.now())
        log.info("intake.ignored", inbox_id=item.id, reason=reason)
        self._count(IGNORED)

    def _count(self, state: str) -> None:
        self.meter.count("intakes", labels={"outcome": state})

    def _failed(self, item: Received, error: Exception) -> None:
        """What may pass is tried again for days; what somebody has to mend, or kdsync stumbles over, is told."""
        now = self.clock.now()
        patience = _patience(error)
        judged = patience.judge(error, item.attempts, now - _began(item))
        if item.content.get("refusal"):
            judged = patience.again(error, item.attempts)  # it is only to be told any more
        if isinstance(judged, Enough):
            self._refuse(item, intake_ends.given_up(judged, error))
            return
        with self.db.write() as tx:
            inbox.again(tx, item.id, now + timedelta(seconds=judged.seconds), judged.reason)
        log.warning("intake.put_off", inbox_id=item.id, seconds=judged.seconds, reason=judged.reason)


def _patience(error: Exception) -> Patience:
    if not isinstance(error, EdgeError) or error.system != "dingtalk":
        return PATIENCE
    return NEXT_MONTH if error.kind is FailureKind.QUOTA else COSTLY


def _began(item: Received) -> datetime:
    """Since when it is tried: since it came, or an operator last had it tried again."""
    since = item.content.get("since")
    return datetime.fromisoformat(str(since)) if since else item.received_at


def _is_after(tx: Connection, item: Received) -> bool:
    """Whether an event tells that it was finished since its intake is there."""
    began, finished = ledger.fact(tx, SINCE + str(item.content.get("process"))), item.content.get("finished_at")
    return bool(began and finished and str(finished) >= began)


def _steps(intake: CompiledIntake) -> CompiledAction:
    """What is done to the document once it is there, in the shape that is carried out."""
    titles = {"zh": intake.id}
    return CompiledAction(intake.id, intake.form, titles, (), (), None, None, intake.do)
