"""Approvals that people make and decide in DingTalk: what is in them, which are finished, a word to the applicant.

Each call is one of the month's, but for the fetching of a file, which is asked from where files are kept, without a
token. Sources: "Query details of an approval instance", "Query the list of approval instance IDs", "Add an approval
comment" and "Download an approval attachment" on open.dingtalk.com.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson

from kdsync.dingtalk.answers import Shape, shaped
from kdsync.dingtalk.client import Call, DingTalkClient
from kdsync.dingtalk.components import Attachment, Component, components_of, plain
from kdsync.dingtalk.errors import NO_APPROVAL
from kdsync.dingtalk.shortening import shortened
from kdsync.errors import EdgeError

__all__ = ["Approval", "Approvals", "Attachment", "Component"]

INSTANCES = "v1.0/workflow/processInstances"
IDS = "v1.0/workflow/processes/instanceIds/query"
COMMENTS = "v1.0/workflow/processInstances/comments"
LINKS = "v1.0/workflow/processInstances/spaces/files/urls/download"
FILE = "approval file"
"""What the fetching of a file is called in errors: the address of a file is a secret."""
COMPLETED, AGREE, NO_ACTION = "COMPLETED", "agree", "NONE"
WINDOW, OLDEST = timedelta(days=120), timedelta(days=365)
BEIJING = timedelta(hours=8)
MARGIN = timedelta(minutes=5)  # by which a clock may be wrong, and a call take
PAGE, MOST_PAGES = 20, 501  # at most 10,000 ids are ever told
LONGEST_COMMENT = 1024  # characters
LAST = frozenset({"", "0"})  # page tokens that lead nowhere
PICTURE_HOSTS = re.compile(r"(?:[a-z0-9-]+\.)+(?:dingtalk\.com|alicdn\.com|aliyuncs\.com)", re.IGNORECASE)
ADDRESS = re.compile(r"https?://[!-~]{1,4000}")


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval as it stands. `status` is RUNNING, TERMINATED or COMPLETED, `result` agree, refuse or "".

    `applicant` is a userid; `process_code` is "" where DingTalk leaves it out, which it may: the event has it, too.
    Its times are None where DingTalk tells none that can be read. Who takes back or changes an approval that was agreed
    to makes a new one of the same process with the same form: its `action` is REVOKE or MODIFY then, and `main_id` is
    the old one.
    """

    instance_id: str
    process_code: str
    business_id: str
    title: str
    status: str
    result: str
    applicant: str
    department: str
    created_at: datetime | None
    finished_at: datetime | None
    components: tuple[Component, ...]
    department_name: str = ""
    action: str = ""
    main_id: str = ""

    @property
    def is_agreed(self) -> bool:
        """Whether it is over, and the answer was yes."""
        return self.status == COMPLETED and self.result.lower() == AGREE


class _Details(Shape):
    businessId: str = ""  # noqa: N815  # DingTalk's names
    title: str = ""
    status: str
    result: str = ""
    processCode: str = ""  # noqa: N815
    originatorUserId: str = ""  # noqa: N815
    originatorDeptId: str = ""  # noqa: N815
    originatorDeptName: str = ""  # noqa: N815
    bizAction: str = ""  # noqa: N815
    mainProcessInstanceId: str = ""  # noqa: N815
    createTime: str = ""  # noqa: N815
    finishTime: str = ""  # noqa: N815
    formComponentValues: Any = None  # noqa: N815


class _Ids(Shape):
    list: tuple[str, ...] = ()
    nextToken: str = ""  # noqa: N815


class _Link(Shape):
    downloadUri: str  # noqa: N815


class Approvals:
    """Reads approvals, and comments on them. Every method raises EdgeError."""

    def __init__(self, client: DingTalkClient) -> None:
        self._client = client

    def instance(self, instance_id: str) -> Approval | None:
        """The approval, None where there is none of this id (any more)."""
        call = Call(INSTANCES, b"", host="new", method="GET", query={"processInstanceId": instance_id})
        try:
            answer = self._client.call(call)
        except EdgeError as error:
            if error.code in NO_APPROVAL:
                return None
            raise
        details = shaped(_Details, answer.get("result"), INSTANCES, now=self._client.now())
        return _approval(instance_id, details)

    def finished(self, process_code: str, since: datetime, until: datetime) -> Iterator[str]:
        """The ids of approvals that are over, however they ended: of those that were *begun* between two moments.

        When an approval ended cannot be asked for, so `since` has to lie as far back as approvals take. DingTalk
        reaches back a year, and tells 10,000 ids at most. One call for each 120 days, and for each 20 ids.
        """
        now = self._client.now()
        start, end = max(since, now - OLDEST + MARGIN), min(until, now)
        seen: set[str] = set()
        while start < end:
            stop = min(start + WINDOW, end)
            found = [one for one in self._begun(process_code, start, stop) if one not in seen]
            seen.update(found)
            yield from found
            start = stop

    def comment(self, instance_id: str, userid: str, text: str) -> None:
        """Put a comment below an approval in somebody's name, which the applicant is told of. What is long is cut."""
        clipped = shortened(text, LONGEST_COMMENT)
        body = {"processInstanceId": instance_id, "text": clipped, "commentUserId": userid}
        answer = self._client.call(Call(COMMENTS, orjson.dumps(body), host="new", writes=True))
        if any(str(answer.get(key)).lower() == "false" for key in ("result", "success")):
            raise self._client.failure("not done", COMMENTS)

    def download(self, instance_id: str, file_id: str, most: int) -> bytes:
        """The content of a file of an approval's form, by `Attachment.file_id`; REFUSED above `most` bytes."""
        if not file_id:
            return b""
        if file_id.startswith(("http://", "https://")):
            return self._client.fetch(FILE, self._of_picture(file_id), most)
        body = orjson.dumps({"processInstanceId": instance_id, "fileId": file_id})
        answer = self._client.call(Call(LINKS, body, host="new"))
        link = shaped(_Link, answer.get("result"), LINKS, now=self._client.now())
        named = link.downloadUri.replace("#", "%23")  # of a file that was chosen by hand the name begins with it
        return self._client.fetch(FILE, self._safe(named), most)

    def _begun(self, process_code: str, start: datetime, stop: datetime) -> Iterator[str]:
        token, used = "0", {"0"}
        for _ in range(MOST_PAGES):
            page = self._page(process_code, start, stop, token)
            yield from page.list
            token = page.nextToken.strip()
            if token in LAST:
                return
            if token in used or not (token.isascii() and token.isdigit() and len(token) < 19):  # noqa: PLR2004  # a Long
                break
            used.add(token)
        raise self._client.failure("malformed", IDS, "the pages do not end")

    def _page(self, process_code: str, start: datetime, stop: datetime, token: str) -> _Ids:
        question = {
            "processCode": process_code,
            "startTime": _millis(start),
            "endTime": _millis(stop),
            "nextToken": int(token),
            "maxResults": PAGE,
            "statuses": [COMPLETED],
        }
        answer = self._client.call(Call(IDS, orjson.dumps(question), host="new"))
        return shaped(_Ids, answer.get("result"), IDS, now=self._client.now())

    def _of_picture(self, address: str) -> str:
        """Where a picture is; its address stands in a form, which anybody may have filled in."""
        safe = self._safe(address)
        parts = urlsplit(safe)
        if parts.netloc != urlsplit(self._client.settings.api_url).netloc and not (
            PICTURE_HOSTS.fullmatch(parts.netloc)
        ):
            raise self._client.failure("not dingtalk's", FILE)
        return safe

    def _safe(self, address: str) -> str:
        """The address, encrypted: DingTalk's own sample begins with http, and what answers there speaks both."""
        api = self._client.settings.api_url
        try:
            host = urlsplit(address).hostname if ADDRESS.fullmatch(address) else ""
        except ValueError:
            host = ""
        if not host:
            raise self._client.failure("malformed", LINKS, "the address of the file is none")
        if address.startswith("http://") and not api.startswith("http://"):
            return re.sub(r"http://([^/?#]*?)(?::80)?(?=[/?#]|$)", r"https://\1", address, count=1)
        return address


def _approval(instance_id: str, details: _Details) -> Approval:
    ahead = _ahead(details)
    return Approval(
        instance_id=instance_id,
        process_code=details.processCode,
        business_id=details.businessId,
        title=details.title,
        status=details.status,
        result=details.result,
        applicant=details.originatorUserId,
        department=details.originatorDeptId,
        created_at=_moment(details.createTime, ahead),
        finished_at=_moment(details.finishTime, ahead),
        components=components_of(details.formComponentValues),
        department_name=details.originatorDeptName.strip(),
        action="" if details.bizAction.upper() == NO_ACTION else details.bizAction.upper(),
        main_id=details.mainProcessInstanceId,
    )


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _ahead(details: _Details) -> timedelta:
    """By how much its times are ahead of what they say, which is UTC.

    DingTalk has been seen to write a `Z` behind the time of Beijing; a business id begins with that minute.
    """
    try:
        begun = datetime.strptime(details.businessId[:12], "%Y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        return timedelta()
    told = _moment(details.createTime)
    return BEIJING if told is not None and abs(told - begun) < BEIJING / 2 else timedelta()


def _moment(text: str, ahead: timedelta = timedelta()) -> datetime | None:
    """A time such as `2022-08-31T11:52Z` or `2021-07-26T02:18:33.000+00:00`."""
    try:
        moment = datetime.fromisoformat(plain(text))
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)) - ahead
    except (ValueError, OverflowError):
        return None
