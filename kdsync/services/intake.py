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
from sqlalchemy.exc import SQLAlchemyError

from kdsync import logs
from kdsync.clock import Clock
from kdsync.delivery.retry import after
from kdsync.errors import EdgeError, FailureKind, StoreUnusableError
from kdsync.rules.actions import CompiledAction
from kdsync.rules.intake import CompiledIntake
from kdsync.rules.mistakes import ExpressionError
from kdsync.services.approval_names import REVOKE, files_of, names_of, of_another
from kdsync.services.attaching import Attaching
from kdsync.services.cabinet import Approval, Approvals, File
from kdsync.services.carry import Carry, NotYetError, Stopped
from kdsync.services.filing import Filed, Filing
from kdsync.services.intake_words import IntakeWords
from kdsync.services.numbers import Numbers, UnresolvedError
from kdsync.services.ports import Meter
from kdsync.store import inbox, ledger
from kdsync.store import intake as store
from kdsync.store.database import Database
from kdsync.store.inbox import DONE, FAILED, IGNORED, REFUSED, Received
from kdsync.store.sealing import Seal

log = logs.get("intake")
PATIENCE = timedelta(days=3)  # so long is tried what fails in passing: a weekend without Kingdee loses nothing
PAUSES = (2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)  # seconds between tries, the last again and again
MOST_MISTAKES = 5  # tries of an approval that kdsync itself stumbles over
HOPELESS = (FailureKind.CONFIGURATION, FailureKind.REFUSED)
REMEMBERED = 50  # approvals that need not be fetched again, which costs a call of the month's
SAID = {
    "kingdee": "Kingdee:",
    "file": "a file cannot be attached:",
    "file-unknown": "whether this file hangs on the document cannot be told:",
    "many": "several documents have its business id:",
    "elsewhere": "it is in Kingdee, or may be, as the intake was before:",
    "another": "an answer was lost, and Kingdee gives numbers of its own: look whether there is another one beside",
    "unnumbered": "Kingdee did not answer, and it gives numbers of its own: look whether the document is there;",
    "gone": "the document is not there any more",
    "unknown": "whether Kingdee did it cannot be told",
    "workflow": "a workflow decides on it, and kdsync does not bypass it",
}
"""Why filing or carrying stopped, in words."""
SINCE = "intake:"
"""Facts by process: since when its approvals become documents."""
UNSURE = frozenset({"unknown", "file-unknown", "many", "gone", "elsewhere", "another", "unnumbered"})
"""Why it stopped where somebody has to look what is in Kingdee."""


@dataclass(frozen=True, slots=True)
class End:
    """How it ends: the inbox state, what is told (of `delivery.intakes`), and why in English."""

    state: str
    told: str
    reason: str


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

    def step(self) -> int:
        """Work on what is due; returns how many there were."""
        with self.db.read() as tx:
            due = store.due(tx, self.seal, self.clock.now())
        for item in due:
            self._surely(item)
        return len(due)

    def _surely(self, item: Received) -> None:
        try:
            self._work(item)
        except NotYetError as error:
            self._later(item, str(error))
        except EdgeError as error:
            self._failed(item, error)
        except (StoreUnusableError, SQLAlchemyError):  # the store's trouble is not this approval's
            raise
        except Exception as error:
            log.exception("intake.broke", inbox_id=item.id)
            self._stumbled(item, f"kdsync stumbled over it ({type(error).__name__})")

    def _work(self, item: Received) -> None:
        intake = self.of_process(str(item.content.get("process")))
        if item.content.get("refusal"):
            self._tell(item)
        elif item.damaged or intake is None:
            self._refuse(item, End(FAILED, "intake_failed", item.damaged or "no intake is for its process any more"))
        else:
            approval = self._approval(item)
            reason = self._unwanted(item, approval)
            if reason or approval is None:
                self._pass_over(item, reason)
            else:
                self._take_in(self._known(item, intake, approval), intake, approval)

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
            raise NotYetError("DingTalk says that it is still running")
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
        return at is None or at < datetime.fromisoformat(began).replace(second=0, microsecond=0)

    def _known(self, item: Received, intake: CompiledIntake, approval: Approval) -> Received:
        """With all that the approval tells."""
        content = {**item.content, "business_id": approval.business_id, "title": approval.title}
        known = replace(
            item,
            content=content,
            sender=approval.applicant or item.sender,
            action=intake.id,
            form=intake.form,
            number=item.number if item.doc_id else approval.business_id,
        )
        if known != item:
            with self.db.write() as tx:
                store.keep(tx, self.seal, known)
        return known

    def _take_in(self, item: Received, intake: CompiledIntake, approval: Approval) -> None:
        if not approval.business_id:
            self._refuse(item, End(FAILED, "intake_failed", "DingTalk tells no business id of it"))
            return
        if reason := of_another(approval, self._number_of(approval.main_id), again="again" in item.content):
            self._refuse(item, End(FAILED, "intake_unknown", reason))
            return
        try:
            files = files_of(intake, approval)
            filed = self.filing.document(item, intake, approval.business_id, lambda: self._model(intake, approval))
            if isinstance(filed, Filed) and not filed.before:
                self._complete(filed.item, intake, files)
            elif isinstance(filed, Filed):
                self.words.done(filed.item, intake, filed.bill, "intake_already")
                self._count(DONE)
            else:
                self._stopped(item, filed)
        except (ExpressionError, UnresolvedError) as error:
            self._refuse(item, End(REFUSED, "intake_refused", str(error)))

    def _number_of(self, instance: str) -> str:
        """The number of the document that another approval became, as far as it is known here."""
        with self.db.read() as tx:
            found = inbox.find(tx, self.seal, store.row_id(instance))
        return found.number if found and found.doc_id else ""

    def _complete(self, item: Received, intake: CompiledIntake, files: Sequence[File]) -> None:
        stopped = self.attaching.files(item, files) if item.step == 0 else None
        if stopped:
            self._stopped(item, stopped)
            return
        outcome = self.carry.run(item, _steps(intake))
        if isinstance(outcome, Stopped):
            self._stopped(item, outcome)
        elif outcome.bill is None:
            self._stopped(item, Stopped("gone"))
        else:
            self.words.done(item, intake, outcome.bill, "intake_done")
            self._count(DONE)

    def _model(self, intake: CompiledIntake, approval: Approval) -> Mapping[str, Any]:
        applicant = self.words.name(approval.applicant)
        names = names_of(intake.process, approval, applicant, self.clock.now().astimezone(self.zone()))
        return self.numbers.in_model(intake.model(names))

    def _stopped(self, item: Received, stopped: Stopped) -> None:
        """It cannot be made as it should be: where nobody can tell what is there it is an operator's business."""
        state, told = (FAILED, "intake_unknown") if stopped.reason in UNSURE else (REFUSED, "intake_refused")
        self._refuse(item, End(state, told, f"{SAID.get(stopped.reason, stopped.reason)} {stopped.text}".strip()))

    def _refuse(self, item: Received, end: End) -> None:
        """Note that it is over before anybody is told, so that it is not tried again while telling takes long."""
        refusal = {"state": end.state, "told": end.told, "reason": end.reason}
        with self.db.write() as tx:
            latest = inbox.find(tx, self.seal, item.id) or item
            over = replace(latest, content={**latest.content, "refusal": refusal})
            store.keep(tx, self.seal, over)
        log.error("intake.refused", inbox_id=over.id, bill_no=over.number, reason=end.reason, outcome=end.state)
        self._tell(over)

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

    def _failed(self, item: Received, error: EdgeError) -> None:
        if error.kind in HOPELESS and not item.content.get("refusal"):
            self._refuse(item, End(FAILED, "intake_failed", f"{error} {error.cure}".strip()))
        else:
            self._later(item, str(error), error.retry_after or 0.0)

    def _stumbled(self, item: Received, reason: str) -> None:
        if item.attempts + 1 < MOST_MISTAKES or item.content.get("refusal"):
            self._later(item, reason)
        else:
            self._refuse(item, End(FAILED, "intake_failed", reason))

    def _later(self, item: Received, reason: str, at_least: float = 0.0) -> None:
        now, since = self.clock.now(), item.content.get("since")
        began = datetime.fromisoformat(str(since)) if since else item.received_at
        if now - began >= PATIENCE and not item.content.get("refusal"):
            self._refuse(item, End(FAILED, "intake_failed", f"tried for three days: {reason}"))
            return
        pause = max(after(PAUSES, item.attempts), min(at_least, PAUSES[-1]))
        with self.db.write() as tx:
            inbox.again(tx, item.id, now + timedelta(seconds=pause), reason)
        log.warning("intake.put_off", inbox_id=item.id, seconds=pause, reason=reason)


def _is_after(tx: Connection, item: Received) -> bool:
    """Whether an event tells that it was finished since its intake is there."""
    began, finished = ledger.fact(tx, SINCE + str(item.content.get("process"))), item.content.get("finished_at")
    return bool(began and finished and str(finished) >= began)


def _steps(intake: CompiledIntake) -> CompiledAction:
    """What is done to the document once it is there, in the shape that is carried out."""
    titles = {"zh": intake.id}
    return CompiledAction(intake.id, intake.form, titles, (), (), None, None, intake.do)
