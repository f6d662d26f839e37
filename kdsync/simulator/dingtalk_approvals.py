"""Approvals of the simulated DingTalk: filled in, decided, told of over Stream, read, listed and commented on.

Files of a form are fetched from an address of their own, which lives for 15 minutes and takes neither a token nor
headers that its signature does not cover; pictures from the address that stands in the form, by anybody. Sources:
"Query details of an approval instance", "Query the list of approval instance IDs", "Add an approval comment",
"Download an approval attachment", "Obtain the form schema" and "Approval events" on open.dingtalk.com, and their tables
of errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from random import Random
from threading import RLock
from typing import Any, Literal

from kdsync.clock import Clock
from kdsync.simulator.dingtalk_contacts import Company
from kdsync.simulator.dingtalk_envelopes import Json, RefusedError
from kdsync.simulator.dingtalk_forms import SPACE, ApprovalForm, Fields, Writer, designed
from kdsync.simulator.dingtalk_gateway import Call, Route
from kdsync.simulator.dingtalk_http import Answer
from kdsync.simulator.dingtalk_instances import SHANGHAI, Comment, Instance, details, event_data, millis
from kdsync.simulator.dingtalk_messages import length
from kdsync.simulator.dingtalk_pushes import Push

BASE = "/v1.0/workflow/processInstances"
IDS = "/v1.0/workflow/processes/instanceIds/query"
FILES, PICTURES = "/approval-files", "/media/"
SCHEMA = "/v1.0/workflow/forms/schemas/processCodes"
READ, WRITE, DESIGN = "Workflow.Instance.Read", "Workflow.Instance.Write", "Workflow.Form.Read"
EVENT = "bpms_instance_change"
LINK = timedelta(minutes=15)
WINDOW, OLDEST = timedelta(days=120), timedelta(days=365)
PAGE, LONGEST_COMMENT = 20, 1024

Result = Literal["agree", "refuse"]
About = tuple[Literal["REVOKE", "MODIFY"], str]


class Approvals:
    """The approvals of the organisation, and their API. `event` pushes something that happened.

    `old_tables`: tables of forms are written as lists of lists. `with_process_code`: an approval that is read names its
    process code, which the platform's page on it does not promise.
    """

    def __init__(
        self,
        clock: Clock,
        random: Random,
        lock: RLock,
        company: Company,
        *,
        event: Callable[[str, Json], Push],
        url: Callable[[], str],
    ) -> None:
        self.old_tables = False
        self.with_process_code = False
        self._clock = clock
        self._random = random
        self._lock = lock
        self._company = company
        self._event = event
        self._url = url
        self._forms: dict[str, ApprovalForm] = {}
        self._instances: dict[str, Instance] = {}
        self._links: dict[str, tuple[datetime, bytes]] = {}
        self._pictures: dict[str, bytes] = {}
        self._numbers = count(327_301)

    def routes(self) -> list[Route]:
        return [
            Route("GET", BASE, self._read, READ),
            Route("POST", IDS, self._list, READ),
            Route("GET", SCHEMA, self._schema, DESIGN),
            Route("POST", f"{BASE}/comments", self._comment, WRITE),
            Route("POST", f"{BASE}/spaces/files/urls/download", self._link, WRITE),
            Route("GET", FILES, self._file, metered=False, token=False),
            Route("GET", PICTURES, self._picture, metered=False, token=False),
        ]

    # --- what people do

    def define(self, process_code: str, fields: Fields, name: str = "审批") -> None:
        """Make or change a form. What stands in a field is given as text, people and departments as lists of ids, files
        and pictures as content by name, a table as a list of rows by label."""
        with self._lock:
            self._forms[process_code] = ApprovalForm(process_code, name, fields)

    def start(self, process_code: str, userid: str, values: Mapping[str, Any], *, about: About | None = None) -> str:
        """Somebody fills a form in; the id of the approval. KeyError for a form that nobody made.

        `about` is what it is to do to an approval that was agreed to: REVOKE or MODIFY, and its id.
        """
        with self._lock:
            form, now = self._forms[process_code], self._clock.now()
            business_id = f"{now.astimezone(SHANGHAI):%Y%m%d%H%M}{next(self._numbers):09d}"
            applicant = self._company.users[userid].name
            instance = Instance(self._name(), form, userid, business_id, f"{applicant}提交的{form.name}", [], now)
            if about:
                instance.action, instance.main_id = about
            keep = partial(self._keep, instance)
            writer = Writer(self._company, keep, self._hang_out, old_tables=self.old_tables)
            instance.components = writer.components(form, values)
            self._instances[instance.instance_id] = instance
        self._tell(instance, "start")
        return instance.instance_id

    def finish(self, instance_id: str, result: Result = "agree") -> Push:
        """The last approver decides. KeyError where there is none of this id."""
        return self._end(instance_id, "COMPLETED", result, "finish")

    def terminate(self, instance_id: str) -> Push:
        """The applicant takes it back."""
        return self._end(instance_id, "TERMINATED", "", "terminate")

    def delete(self, instance_id: str) -> Push:
        """An administrator deletes it; nobody can read it any more."""
        with self._lock:
            instance = self._instances.pop(instance_id)
        return self._tell(instance, "delete")

    def instance(self, instance_id: str) -> Instance:
        """An approval as it stands; KeyError where there is none of this id."""
        with self._lock:
            return self._instances[instance_id]

    def comments(self, instance_id: str) -> list[Comment]:
        """What was written below an approval, in order."""
        with self._lock:
            return list(self._instances[instance_id].comments)

    def _end(self, instance_id: str, status: str, result: str, kind: str) -> Push:
        with self._lock:
            instance = self._instances[instance_id]
            instance.status, instance.result, instance.ended = status, result, self._clock.now()
        return self._tell(instance, kind)

    def _tell(self, instance: Instance, kind: str) -> Push:
        return self._event(EVENT, event_data(instance, kind))

    def _keep(self, instance: Instance, name: str, content: bytes) -> str:
        file_id = str(self._random.randrange(10**10, 10**11))
        instance.files[file_id] = (name, content)
        return file_id

    def _hang_out(self, name: str, content: bytes) -> str:
        """The address of a picture, which ends like its name."""
        key = f"lADP{self._name()}.{name.rpartition('.')[2]}"
        self._pictures[key] = content
        return f"{self._url()}{PICTURES}{key}"

    def _name(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    # --- the API

    def _read(self, call: Call) -> Json:
        instance = self._instances.get(_given(call.query, "processInstanceId", "processInstanceIdError"))
        if instance is None:
            raise _refusal("processInstanceNotExist", "审批实例不存在")
        return {"result": details(instance, self._company, with_code=self.with_process_code), "success": True}

    def _schema(self, call: Call) -> Json:
        form = self._forms.get(_given(call.query, "processCode", "invalidParameter"))
        if form is None:
            raise _refusal("formNotExist", "审批表单模板不存在")
        content = {"title": form.name, "icon": "common", "items": designed(form.fields)}
        return {"result": {"formCode": form.process_code, "name": form.name, "schemaContent": content}}

    def _list(self, call: Call) -> Json:
        fields, now = call.fields, self._clock.now()
        code = _given(fields, "processCode", "invalidProcessCode")
        start = _moment(fields.get("startTime"), "invalidInstanceListIdsStartTime")
        end = _moment(fields.get("endTime", millis(now)), "invalidEndTime")
        token, most = fields.get("nextToken"), fields.get("maxResults")
        if start < now - OLDEST:
            raise _refusal("invalidInstanceListIdsStartTime", "startTime距当前时间不能超过365天")
        if not start <= end <= start + WINDOW:
            raise _refusal("invalidEndTime", "审批实例结束时间不能小于开始时间；且查询时间范围不能超过120天")
        if type(token) is not int or token < 0:
            raise _refusal("invalidNextToken", "分页查询的游标不能为空")
        if type(most) is not int or not 0 < most <= PAGE:
            raise _refusal("invalidMaxResults", "分页参数非法，每页大小，最多传20。")
        statuses = fields.get("statuses") or ()
        found = [
            one.instance_id
            for one in self._instances.values()
            if one.form.process_code == code and start <= one.begun <= end and (not statuses or one.status in statuses)
        ]
        more = {"nextToken": str(token + most)} if token + most < len(found) else {}
        return {"result": {"list": found[token : token + most], **more}, "success": True}

    def _comment(self, call: Call) -> Json:
        fields = call.fields
        instance = self._instances.get(_given(fields, "processInstanceId", "invalidInstanceId"))
        text = _given(fields, "text", "invalidInstanceCommentText")
        userid = _given(fields, "commentUserId", "invalidInstanceCommentUserId")
        if instance is None:
            raise _refusal("aflowProcessInstNotExist", "审批实例不存在")
        if length(text) > LONGEST_COMMENT:
            raise _refusal("invalidParameter", "添加审批评论参数错误")
        if userid not in self._company.users:
            raise _refusal("userNotExist", "用户不存在")
        instance.comments.append(Comment(userid, text, self._clock.now()))
        return {"result": True, "success": True}

    def _link(self, call: Call) -> Json:
        fields = call.fields
        instance = self._instances.get(_given(fields, "processInstanceId", "invalidProcessInstanceId"))
        file_id = _given(fields, "fileId", "invalidFileId")
        if instance is None:
            raise _refusal("processInstNotExist", "审批实例不存在")
        if file_id not in instance.files:
            raise _refusal("invalidParameter", "下载审批附件参数错误")
        content = instance.files[file_id][1]
        if not content:
            raise _refusal(
                "hsfIntegrationErrorCspaceDentryServiceGenerateDownloadPresignedUrl", "产生文件下载的链接失败"
            )
        key, until = self._name(), self._clock.now() + LINK
        self._links[key] = (until, content)
        address = f"{self._url()}{FILES}?Expires={int(until.timestamp())}&Signature={key}%2B%3D"
        return {"result": {"spaceId": SPACE, "fileId": file_id, "downloadUri": address}, "success": True}

    def _file(self, call: Call) -> Answer:
        """What a store of files answers, which is none of DingTalk's own."""
        until, content = self._links.get(call.query.get("Signature", "").removesuffix("+="), (None, b""))
        if until is None or "content-type" in call.request.headers or call.token:
            return _denied("SignatureDoesNotMatch")
        if self._clock.now() > until:
            return _denied("AccessDenied")
        return Answer(content, content_type="application/octet-stream")

    def _picture(self, call: Call) -> Answer:
        content = self._pictures.get(call.api.removeprefix(PICTURES))
        return _denied("NoSuchKey", 404) if content is None else Answer(content, content_type="image/jpeg")


def _given(fields: Mapping[str, Any], key: str, code: str) -> str:
    """A parameter that has to be there."""
    value = fields.get(key)
    if not isinstance(value, str) or not value:
        raise _refusal(code, f"{key}不能为空")
    return value


def _moment(value: Any, code: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(value) / 1000, SHANGHAI)
    except (TypeError, ValueError, OverflowError, OSError):
        raise _refusal(code, "时间不能为空") from None


def _refusal(code: str, message: str) -> RefusedError:
    return RefusedError(code, message, status=400)


def _denied(code: str, status: int = 403) -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code></Error>'
    return Answer(body.encode(), status, "application/xml")
