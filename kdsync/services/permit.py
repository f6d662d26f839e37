"""Whether a person may do what they asked for: gathers the facts, and lets the core decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from kdsync.commands.authorize import Facts, Verdict, authorize
from kdsync.errors import EdgeError
from kdsync.model import Task
from kdsync.rules.actions import CompiledAction
from kdsync.rules.recipients import Recipient
from kdsync.rules.values import Record
from kdsync.services.desk import Bill
from kdsync.services.people import People
from kdsync.services.watch import person_key
from kdsync.store import makers

USERS = "SEC_User"
NEARBY = frozenset({"user", "role"})  # most of these are known without asking anybody


@dataclass(frozen=True, slots=True)
class Permit:
    """Asks who somebody is. Raises EdgeError where that cannot be asked now, ExpressionError where `when` fails."""

    people: People
    zone: Callable[[], ZoneInfo]

    def verdict(
        self,
        userid: str,
        action: CompiledAction,
        bill: Bill,
        tasks: Sequence[Task],
        now: datetime,
        before: Sequence[str],
        *,
        coded: bool = False,
    ) -> Verdict:
        """What `userid` may do about the document. `before` are others who asked for the same; they count as long as
        they may do it themselves.

        `coded` tells that a right one-time code came for it. Of who may not, nothing else is asked.
        """
        limit = action.limit
        facts = Facts(userid, granted=False, is_own=False, when_holds=False, amount=None)
        if self._is_granted(userid, action, bill, tasks):
            made_by, unknown = (frozenset(), "") if action.own else self._makers(bill)
            others = (one for one in before if one not in made_by and self._is_granted(one, action, bill, tasks))
            facts = Facts(
                person=userid,
                granted=True,
                is_own=userid in made_by,
                when_holds=action.suits(bill.document, now=now, zone=self.zone()),
                amount=self.amount(action, bill),
                confirmed_by=next(others, ""),
                totp_ok=coded,
                maker_unknown=unknown,
            )
        return authorize(
            own_allowed=action.own,
            limit_max=limit.max if limit else None,
            above=limit.above if limit else "",
            facts=facts,
        )

    def is_receiver(self, task: Task, userid: str) -> bool:
        """Whether a task waits for that person."""
        return self.is_user(task.receiver, userid)

    def is_user(self, kingdee_id: str, userid: str) -> bool:
        """Whether a Kingdee user is that person in DingTalk."""
        return kingdee_id not in ("", "0") and self.people.find(kingdee_id, USERS).userid == userid

    def amount(self, action: CompiledAction, bill: Bill) -> Decimal | None:
        """What the limit is about; None where there is no limit, or no amount."""
        if action.limit is None:
            return None
        value = Record.of(bill.document, self.zone()).value(action.limit.field)
        return Decimal(value) if isinstance(value, Decimal | int) and not isinstance(value, bool) else None

    def _is_granted(self, userid: str, action: CompiledAction, bill: Bill, tasks: Sequence[Task]) -> bool:
        """One entry of `allow` is enough: who it is that another stands for need not be known then."""
        trouble: EdgeError | None = None
        for one in sorted(action.allow, key=lambda recipient: recipient.kind not in NEARBY):
            try:
                if self._holds(one, userid, bill, tasks):
                    return True
            except EdgeError as error:
                trouble = trouble or error
        if trouble:
            raise trouble
        return False

    def _holds(self, recipient: Recipient, userid: str, bill: Bill, tasks: Sequence[Task]) -> bool:
        if recipient.innermost.kind == "assignee":
            return any(userid in self.people.resolve(recipient, task.receiver, USERS).userids for task in tasks)
        key = person_key(recipient, bill.facts)
        raw = str(bill.raw(key) or "").strip()
        of_user = key in (bill.facts.creator, bill.facts.modifier, bill.facts.approver)
        lookup = "" if key is None else USERS if of_user else bill.lookup_of(key)
        return userid in self.people.resolve(recipient, raw, lookup).userids

    def _makers(self, bill: Bill) -> tuple[frozenset[str], str]:
        """Who made the document, in Kingdee or by having kdsync make it; or why that cannot be told.

        Who cannot be told from its creator may be the creator: a phone number that Kingdee lacks is no second person.
        """
        document = bill.document
        with self.people.db.read() as tx:
            asked = makers.of(tx, document.form, document.doc_id, document.number)
        if bill.creator in ("", "0"):
            return asked, "" if asked else "the document names no creator"
        found = self.people.find(bill.creator, USERS)
        if found.userid:
            return asked | {found.userid}, ""
        return asked, "" if asked else f"its creator is {found.via}"
