"""What the fields of an intake see of an approval."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from kdsync.rules.approvals import ApprovalView, Departments, Fields, People, named
from kdsync.rules.values import MISSING
from kdsync.services.cabinet import Approval

ROOT = ("", "-1")  # departments that are none


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
    department = approval.department
    return ApprovalView(
        approval.instance_id,
        approval.business_id,
        approval.title,
        process,
        named(Departments, department, (department,)) if department not in ROOT else MISSING,
        approval.created_at.astimezone(zone) if approval.created_at else MISSING,
        approval.finished_at.astimezone(zone) if approval.finished_at else MISSING,
    )
