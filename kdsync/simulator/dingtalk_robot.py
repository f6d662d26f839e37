"""The app's own robot in the simulated DingTalk: one-to-one messages, accepted even where somebody gets nothing.

Sources: "Robot sends one-to-one messages in batches" and "Robot message types" on open.dingtalk.com.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

import orjson

from kdsync.simulator.dingtalk_contacts import Company
from kdsync.simulator.dingtalk_envelopes import Json, RefusedError
from kdsync.simulator.dingtalk_gateway import Call, Route
from kdsync.simulator.dingtalk_phones import Phones
from kdsync.simulator.phone import read_sample

_USERS = 20
_PARAM = 15_000  # bytes
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "sampleText": ("content",),
    "sampleMarkdown": ("title", "text"),
    "sampleImageMsg": ("photoURL",),
    "sampleLink": ("title", "text", "messageUrl"),
    "sampleActionCard": ("title", "text", "singleTitle", "singleURL"),
    "sampleActionCard6": ("title", "text", "buttonTitle1", "buttonUrl1", "buttonTitle2", "buttonUrl2"),
    "sampleAudio": ("mediaId", "duration"),
    "sampleFile": ("mediaId", "fileName", "fileType"),
    "sampleVideo": ("duration", "videoMediaId", "videoType", "picMediaId"),
} | {
    f"sampleActionCard{buttons}": (
        "title",
        "text",
        *(f"action{part}{number}" for number in range(1, buttons + 1) for part in ("Title", "URL")),
    )
    for buttons in range(2, 6)
}


class AppRobot:
    """oToMessages/batchSend. Who is out of scope is named in the answer, which is HTTP 200 all the same."""

    def __init__(self, company: Company, phones: Phones, robot_code: str) -> None:
        self._company = company
        self._phones = phones
        self._robot_code = robot_code
        self._keys = count(1)

    def routes(self) -> list[Route]:
        return [Route("POST", "/v1.0/robot/oToMessages/batchSend", self._send, "qyapi_robot_sendmsg")]

    def _send(self, call: Call) -> Json:
        fields = call.fields
        if fields.get("robotCode") != self._robot_code:
            raise RefusedError("robot.oto.notExist", "机器人不存在")
        userids = fields.get("userIds")
        if not isinstance(userids, list) or not userids:
            raise RefusedError("invalidParameter.userIds.empty", "userIds is missing")
        if len(userids) > _USERS:
            raise RefusedError("too.many.people", f"more than {_USERS} userIds")
        param = _param(fields)
        reachable = [who for who in map(str, userids) if (user := self._company.users.get(who)) and user.in_scope]
        if not reachable:
            raise RefusedError("staffId.notExisted", "员工不存在")
        held_back = reachable if call.fault == "flow_control" else []
        for userid in reachable if not held_back else []:
            self._phones.show(userid, "robot", read_sample(fields["msgKey"], param), param)
        return {
            "processQueryKey": f"query-{next(self._keys)}",
            "invalidStaffIdList": [userid for userid in userids if userid not in reachable],
            "flowControlledStaffIdList": held_back,
        }


def _param(fields: Json) -> Json:
    """The decoded `msgParam`: a text that holds a JSON object."""
    key, text = fields.get("msgKey"), fields.get("msgParam")
    if not isinstance(key, str) or key not in _REQUIRED:
        raise RefusedError("invalidParameter.msgKey.invalid", f"unknown msgKey {key!r}")
    if not isinstance(text, str):
        raise RefusedError("invalidParameter.msgParam.invalid", "msgParam is text that holds JSON")
    if len(text.encode()) > _PARAM:
        raise RefusedError("invalidParameter.msgParam.tooLong", f"msgParam is longer than {_PARAM} bytes")
    try:
        param = orjson.loads(text)
    except orjson.JSONDecodeError:
        param = None
    if not isinstance(param, dict) or not all(_is_filled(param.get(name)) for name in _REQUIRED[key]):
        raise RefusedError("invalidParameter.msgParam.invalid", f"{key} needs {', '.join(_REQUIRED[key])}")
    return param


def _is_filled(value: object) -> bool:
    return isinstance(value, str) and value != ""
