"""What an intake sees of an approval: what its fields may use, its files, and whether it is about another one."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from kdsync.rules.approvals import TABLE, ApprovalView, Departments, Fields, People, named
from kdsync.rules.intake import CompiledIntake
from kdsync.rules.mistakes import ExpressionError
from kdsync.rules.values import MISSING
from kdsync.services.cabinet import Approval, File

ROOT = ("", "-1")  # departments that are none
REVOKE, MODIFY = "REVOKE", "MODIFY"
HOLDERS = frozenset({"DDAttachment", "DDPhotoField", TABLE})
"""Kinds of fields that hold files."""


def names_of(process: str, approval: Approval, applicant: str, now: datetime) -> dict[str, Any]:
    """The names; `applicant` is what the applicant is called, the zone of `now` is that of Kingdee's dates.

    Where two fields have the same name the first counts.
    """
    zone = now.tzinfo
    assert isinstance(zone, ZoneInfo)  # noqa: S101  # the caller's own
    return {
        "form": Fields({one.name: one for one in reversed(approval.components)}, zone),
        "approval": _view(process, approval, zone),
        "applicant": named(People, applicant, (approval.applicant,)) if approval.applicant else MISSING,
        "now": now,
    }


def _view(process: str, approval: Approval, zone: tzinfo) -> ApprovalView:
    department, name = approval.department, approval.department_name
    return ApprovalView(
        approval.instance_id,
        approval.business_id,
        approval.title,
        process,
        named(Departments, name or department, (department,)) if department not in ROOT else MISSING,
        approval.created_at.astimezone(zone) if approval.created_at else MISSING,
        approval.finished_at.astimezone(zone) if approval.finished_at else MISSING,
    )


def files_of(intake: CompiledIntake, approval: Approval) -> list[File]:
    """The files of the fields that the intake names; ExpressionError where there is no such field, or one without."""
    found: list[File] = []
    for name in intake.attachments:
        fields = [one for one in approval.components if one.name == name]
        if not fields:
            has = ", ".join(one.name for one in approval.components)
            raise ExpressionError(f"the approval has no field {name}; it has {has}")
        if not any(one.kind in HOLDERS for one in fields):
            raise ExpressionError(f"{name} holds no files that could be attached: it is a {fields[0].kind or '?'}")
        found += (file for one in fields for file in one.files)
    return found


def of_another(approval: Approval, number: str, *, again: bool) -> str:
    """Why no document is made of an approval that takes back or changes another one, which was agreed to before and
    may be the document `number`; '' where one shall be made: of a change, once an operator has it tried `again`."""
    undo = f"undo document {number} in Kingdee" if number else "see in Kingdee whether it became a document"
    if approval.action == REVOKE:
        return f"it takes back an approval that was agreed to before: {undo}; nothing is made of this one"
    if approval.action == MODIFY and not again:
        return f"it changes an approval that was agreed to before: {undo}; a retry then makes the new one"
    return ""
