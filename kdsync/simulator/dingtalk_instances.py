"""One approval of the simulated DingTalk: as its event tells of it, and as it is read.

Sources: "Approval events" and "Query details of an approval instance" on open.dingtalk.com.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from kdsync.simulator.dingtalk_contacts import ROOT, Company
from kdsync.simulator.dingtalk_envelopes import Json
from kdsync.simulator.dingtalk_forms import ApprovalForm

SHANGHAI = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote below an approval."""

    userid: str
    text: str
    at: datetime


@dataclass(slots=True)
class Instance:
    """One approval; `components` are its `formComponentValues`. `action` is what it does to the approval `main_id`."""

    instance_id: str
    form: ApprovalForm
    applicant: str
    business_id: str
    title: str
    components: list[Json]
    begun: datetime
    status: str = "RUNNING"
    result: str = ""
    ended: datetime | None = None
    action: str = "NONE"
    main_id: str = ""
    comments: list[Comment] = field(default_factory=list)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)


def event_data(instance: Instance, kind: str) -> Json:
    """The data of a bpms_instance_change; `kind` is start, finish, terminate or delete. The form is not in it."""
    data: Json = {
        "processInstanceId": instance.instance_id,
        "processCode": instance.form.process_code,
        "type": kind,
        "businessId": instance.business_id,
        "title": instance.title,
        "staffId": instance.applicant,
        "createTime": millis(instance.begun),
        "bizCategoryId": "",
        "businessType": "",
        "url": f"https://aflow.dingtalk.com/dingtalk/mobile/homepage.htm?procInsId={instance.instance_id}",
    }
    if instance.ended:
        data["finishTime"] = millis(instance.ended)
    if kind == "finish":
        data["result"] = instance.result
    return data


def details(instance: Instance, company: Company, *, with_code: bool) -> Json:
    """The `result` of reading an approval; its process code is not promised by the platform."""
    applicant = company.users.get(instance.applicant)
    dept_ids = applicant.dept_ids if applicant else ()
    unit = company.departments.get(dept_ids[0]) if dept_ids else None
    return {
        **({"processCode": instance.form.process_code} if with_code else {}),
        "title": instance.title,
        "businessId": instance.business_id,
        "status": instance.status,
        "result": instance.result,
        "originatorUserId": instance.applicant,
        "originatorDeptId": str(-1 if not dept_ids or dept_ids[0] == ROOT else dept_ids[0]),
        "originatorDeptName": unit.name if unit else "",
        "createTime": _written(instance.begun),
        "finishTime": _written(instance.ended) if instance.ended else None,
        "approverUserIds": [],
        "ccUserIds": [],
        "bizAction": instance.action,
        "mainProcessInstanceId": instance.main_id or None,
        "attachedProcessInstanceIds": [],
        "operationRecords": _records(instance),
        "tasks": [],
        "formComponentValues": instance.components,
    }


def _records(instance: Instance) -> list[Json]:
    begun = {"userId": instance.applicant, "type": "START_PROCESS_INSTANCE", "result": "NONE"}
    said = [
        {"userId": one.userid, "type": "ADD_REMARK", "result": "NONE", "remark": one.text, "date": _written(one.at)}
        for one in instance.comments
    ]
    return [{**begun, "date": _written(instance.begun)}, *said]


def millis(at: datetime) -> int:
    """Milliseconds since 1970."""
    return int(at.timestamp() * 1000)


def _written(at: datetime) -> str:
    """As real approvals have it: the time of Beijing with a `Z` behind it."""
    return f"{at.astimezone(SHANGHAI):%Y-%m-%dT%H:%MZ}"
