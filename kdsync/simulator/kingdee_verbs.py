"""What people do in the simulated Kingdee to a document as a whole: the steps of its life, and its workflow."""

from __future__ import annotations

from collections.abc import Sequence

from kdsync.simulator.kingdee_steps import (
    AUDIT,
    CANCEL,
    CANCEL_ASSIGN,
    CLOSE,
    DELETE,
    REJECT,
    SUBMIT,
    UNAUDIT,
    UNCANCEL,
    UNCLOSE,
    Step,
)
from kdsync.simulator.kingdee_tables import Tables
from kdsync.simulator.kingdee_workflow import Node, Person, Verdict, Workflow

Id = int | str


class Verbs:
    """Part of `SimulatedKingdee`: verbs raise KeyError for a document that is not there and `Refusal` for a step that
    its status does not allow. `by` is the id of the user who does it, the integration's user by default."""

    user: Id
    _tables: Tables
    workflow: Workflow

    def submit(self, form: str, doc_id: Id, by: int | None = None) -> None:
        self._step(form, doc_id, SUBMIT, by)

    def audit(self, form: str, doc_id: Id, by: int | None = None) -> None:
        self._step(form, doc_id, AUDIT, by)

    def unaudit(self, form: str, doc_id: Id, by: int | None = None) -> None:
        self._step(form, doc_id, UNAUDIT, by)

    def reject(self, form: str, doc_id: Id, by: int | None = None, to: str = "D") -> None:
        """Send back a submitted document, to D or as the workflow has it to A or Z."""
        self._step(form, doc_id, REJECT, by, **{self._tables.form(form).status: to})

    def cancel(self, form: str, doc_id: Id, by: int | None = None) -> None:
        """Void."""
        self._step(form, doc_id, CANCEL, by)

    def uncancel(self, form: str, doc_id: Id, by: int | None = None) -> None:
        self._step(form, doc_id, UNCANCEL, by)

    def close(self, form: str, doc_id: Id, by: int | None = None) -> None:
        """Close an approved document."""
        self._step(form, doc_id, CLOSE, by)

    def unclose(self, form: str, doc_id: Id, by: int | None = None) -> None:
        self._step(form, doc_id, UNCLOSE, by)

    def delete(self, form: str, doc_id: Id, by: int | None = None) -> None:
        self._step(form, doc_id, DELETE, by)

    def withdraw(self, form: str, doc_id: Id, by: int | None = None) -> None:
        """Take a submitted document back before it is decided."""
        self._step(form, doc_id, CANCEL_ASSIGN, by)

    def start_workflow(
        self, form: str, doc_id: Id, *receivers: Person, node: str = "审批", then: Sequence[Node] = ()
    ) -> None:
        """Put a bill into approval, submitting it first where needed. `receivers` are accounts or ids of users; all of
        them must pass, then the next node of `then`, then the bill is approved.

        ValueError where the bill is in a workflow already or a receiver does not exist.
        """
        self.workflow.start(self._tables.form(form), doc_id, (receivers, *then), node, int(self.user))

    def answer_task(self, form: str, doc_id: Id, account: Person, approve: bool, opinion: str = "") -> None:
        """Somebody decides in Kingdee itself; `Refusal` where no task of the bill waits for them."""
        verdict = Verdict.PASS if approve else Verdict.REJECT
        self.workflow.answer(self._tables.form(form), doc_id, account, verdict, opinion)

    def _step(self, form: str, doc_id: Id, step: Step, by: int | None, **columns: str) -> None:
        self.workflow.step(self._tables.form(form), doc_id, step, int(by or self.user), columns=columns)
