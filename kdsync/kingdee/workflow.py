"""Tasks of Kingdee's workflows: who is waited for since when, and their decision.

Pending tasks are rows of the process management form, one for each receiver, which take a permission of their own to
see. Its keys and status codes are those of a public integration; the in-product WebAPI help names only WorkflowAudit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kdsync.errors import TASKS_UNREADABLE, EdgeError, FailureKind, UnknownFieldError
from kdsync.kingdee.answer import unexpected
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.operations import ANGLES, NUMERIC, write
from kdsync.kingdee.outcome import Outcome, decision_of, refused
from kdsync.kingdee.query import literal, pages
from kdsync.model import Facts, Layout, Row, Task

TASKS = "WF_AssignmentBill_ProcManage"
PENDING = "FStatus='0' AND FActivityStatus='0' AND FInstStatus='2'"
"""The receiver has not answered, the node is open, the instance is running."""
KEYS = (
    "FReceiverItem_FRECEIVERITEMID",
    "FAssignId",
    "FObjectTypeId",
    "FBILLNUMBER",
    "FASSIGNNAME",
    "FReceiverId",
    "FReceiverId.FName",
    "FCreateTime",
)
UNREADABLE = frozenset({"permission", "2", "unknown-form", "9", "bad-filter"})
CURE = (
    "grant the Kingdee user view permission on process management (流程管理); until then those whom rules name as "
    "approvers are told instead"
)
PASS, REJECT = 1, 2  # ApprovalType
LONGEST_OPINION = 1000

_NOTHING = dict.fromkeys(
    ("number", "status", "cancel", "close", "created", "modified", "approved", "creator", "modifier", "approver")
)
_LAYOUT = Layout(Facts(TASKS, pk=KEYS[0], **_NOTHING), KEYS)  # type: ignore[arg-type]  # all of them may be None


class Workflow:
    """The tasks of one account set, through one client."""

    def __init__(self, client: KingdeeClient) -> None:
        self._client = client

    def pending(self, forms: Iterable[str]) -> list[Task]:
        """All tasks that wait for somebody on documents of these forms, in the order of their ids.

        EdgeError of kind CONFIGURATION with the code `TASKS_UNREADABLE` where the form may not be read or is another.
        A permission that only hides rows shows as no tasks at all. A task that is missing here counts as decided, so
        the end of the list is made sure of by one more request.
        """
        wanted = sorted({form.upper() for form in forms})
        listed = ",".join(map(literal, wanted))
        return self._tasks(f"FObjectTypeId in ({listed})", sure=True) if wanted else []

    def pending_of(self, form: str, number: str) -> list[Task]:
        """The tasks that wait for somebody on one document."""
        return self._tasks(f"FObjectTypeId={literal(form.upper())} AND FBILLNUMBER={literal(number)}", sure=False)

    def answer(self, form: str, number: str, user_id: str, *, approve: bool, opinion: str) -> Outcome:
        """Decide the task of the document `number` in the name of the Kingdee user `user_id`, whom it must wait for.

        Done means that Kingdee did not object; the document may stay in approval, for others may be asked next.
        """
        data = {
            "FormId": form,
            "Numbers": [number],  # Ids is a text in one official example and a list in another
            "UserId": int(user_id) if NUMERIC.fullmatch(user_id) else user_id,
            "ApprovalType": PASS if approve else REJECT,
            "Disposition": _opinion(opinion),
        }
        try:
            return decision_of(write(self._client, "WorkflowAudit", {"data": data}), number)
        except EdgeError as error:
            return refused(error, "", number)

    def _tasks(self, where: str, *, sure: bool) -> list[Task]:
        tasks: list[Task] = []
        try:
            for page in pages(self._client, _LAYOUT, f"{PENDING} AND {where}", sure=lambda _rows, _now: sure):
                if page.unreadable:
                    raise unexpected("a row of the process management form cannot be read")
                tasks += map(_task, page.rows)
        except EdgeError as error:
            raise _closed(error) if error.code in UNREADABLE else error from None
        return tasks


def _opinion(said: str) -> str:
    """As Kingdee takes it; of one that is longer it shows that something is missing."""
    said = said.translate(ANGLES)
    return said if len(said) <= LONGEST_OPINION else f"{said[: LONGEST_OPINION - 1]}…"


def _closed(error: EdgeError) -> EdgeError:
    known = "" if not isinstance(error, UnknownFieldError) else f" (it has no {error.field})"
    message = f"the tasks of workflows cannot be read{known}: {error.words or error.message}"
    return EdgeError("kingdee", FailureKind.CONFIGURATION, TASKS_UNREADABLE, message, cure=CURE, words=error.words)


def _task(row: Row) -> Task:
    item, task, form, number, node, receiver, name, since = map(_text, row)
    return Task(item, task, form.upper(), number, node, receiver, name, since)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
