"""Whether a person may do what they asked for: gathers the facts, and lets the core decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from kdsync.commands.authorize import Facts, Verdict, authorize
from kdsync.model import Task
from kdsync.rules.actions import CompiledAction
from kdsync.rules.recipients import Recipient
from kdsync.rules.values import Record
from kdsync.services.desk import Bill
from kdsync.services.people import People

USERS = "SEC_User"


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
        confirmed_by: str,
        *,
        coded: bool = False,
    ) -> Verdict:
        """What `userid` may do about the document. `confirmed_by` asked for the same before; '' if nobody did.

        `coded` tells that a right one-time code came for it.
        """
        facts = Facts(
            person=userid,
            granted=frozenset(str(one) for one in action.allow if self._holds(one, userid, bill, tasks)),
            is_own=not action.own and bool(bill.creator) and self.is_user(bill.creator, userid),
            when_holds=action.suits(bill.document, now=now, zone=self.zone()),
            amount=self.amount(action, bill),
            confirmed_by=confirmed_by,
            totp_ok=coded,
        )
        limit = action.limit
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

    def _holds(self, recipient: Recipient, userid: str, bill: Bill, tasks: Sequence[Task]) -> bool:
        if recipient.kind == "assignee":
            return any(self.is_receiver(task, userid) for task in tasks)
        keys = {"creator": bill.facts.creator, "modifier": bill.facts.modifier, "approver": bill.facts.approver}
        inner = recipient
        while inner.kind == "manager_of":
            inner = inner.inner
        key = inner.value if inner.kind == "field" else keys.get(inner.kind)
        raw = str(bill.raw(key) or "").strip() if key else ""
        lookup = USERS if inner.kind in keys else ""
        return userid in self.people.resolve(recipient, raw, lookup).userids

    def amount(self, action: CompiledAction, bill: Bill) -> Decimal | None:
        """What the limit is about; None where there is no limit, or no amount."""
        if action.limit is None:
            return None
        value = Record.of(bill.document, self.zone()).value(action.limit.field)
        return Decimal(value) if isinstance(value, Decimal | int) else None
