"""The ways in which the simulated DingTalk says no although nothing is wrong with the call, each by name.

Codes are those of "Global error codes", "API call limits", "Asynchronously send work notifications", "Custom robot"
and "Robot sends one-to-one messages in batches" on open.dingtalk.com; the older codes of group robots are what users
report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kdsync.simulator.dingtalk_envelopes import Json, RefusedError
from kdsync.simulator.dingtalk_http import Answer

SEND = "/topapi/message/corpconversation/asyncsend_v2"
GET_USER = "/topapi/v2/user/get"
BY_MOBILE = "/topapi/v2/user/getbymobile"
ROBOT = "/robot/send"
ONE_TO_ONE = "/v1.0/robot/oToMessages/batchSend"
APPROVALS = "/v1.0/workflow/process"
COMMENTS = "/v1.0/workflow/processInstances/comments"
LINKS = "/v1.0/workflow/processInstances/spaces/files/urls/download"
TOKENS = "oken"  # /v1.0/oauth2/accessToken and /gettoken


@dataclass(frozen=True, slots=True)
class Denied:
    """A refusal as each host tells it; nothing was done. `api` is the part of the path that it is about.

    Where only one of the hosts has a code for it, the other one says the same in its own envelope.
    """

    about: str
    errcode: int
    message: str
    code: str = "Forbidden"
    status: int = 403
    sub_code: str = ""
    api: str = ""
    detail: Json = field(default_factory=dict)

    def refusal(self, *, new_host: bool) -> RefusedError:
        """In the envelope of the host."""
        if new_host:
            return RefusedError(self.code, self.message, status=self.status, detail=self.detail)
        return RefusedError(self.errcode, self.message, sub_code=self.sub_code)


_FORBIDDEN = "Forbidden.AccessDenied."
_VOID = "InvalidAuthentication", 400
_ROBOT_FAST = "发送速度太快而限流"

DENIED: Mapping[str, Denied] = {
    # the gateway
    "qps": Denied(
        "too many calls a second of this app",
        90018,
        "服务器调用当前接口的频率过高",
        f"{_FORBIDDEN}QpsLimitForAppkeyAndApi",
    ),
    "qps_api": Denied(
        "too many calls a second of this API by everybody", 90002, "接口总调用频率过高", f"{_FORBIDDEN}QpsLimitForApi"
    ),
    "qpm": Denied("too many calls a minute", 90006, "每分钟调用次数超过限制", f"{_FORBIDDEN}QpmLimitForAppkeyAndApi"),
    "quota": Denied(
        "the month's calls are used up", 90020, "组织API调用量超过当月限额", f"{_FORBIDDEN}ApiCountLimitForOrg"
    ),
    "ip_not_listed": Denied(
        "the caller's address is not in the app's white list",
        60020,
        "访问ip不在白名单之中",
        f"{_FORBIDDEN}IpNotInWhiteList",
    ),
    "not_authorised": Denied("the app is switched off, or not authorised", 43007, "需要授权"),
    "busy88": Denied(
        "errcode 88 without a sub code: the authorisation service timed out", 88, "鉴权异常", "system.busy", 503
    ),
    "system_busy": Denied("errcode -1, or HTTP 503 system.busy on the new host", -1, "系统繁忙", "system.busy", 503),
    "busy_inside": Denied("errcode 34015: busy, try again", 34015, "系统繁忙，请稍后重试", "service.system.busy", 503),
    "no_route": Denied("the API is not known", 22, "不合法的ApiName", "InvalidAction.NotFound", 404),
    "token_missing": Denied("no access token is seen", 41001, "缺少access_token", *_VOID),
    "token_void": Denied("the access token is refused this once, but not void", 40014, "不合法的access_token", *_VOID),
    "token_void_88": Denied("the same as a sub code", 88, "不合法的access_token", *_VOID, sub_code="40014"),
    "token_old": Denied("the same, for its age", 42001, "access_token超时", *_VOID),
    "credentials": Denied(
        "app key or secret are refused", 40089, "不合法的corpid或corpsecret", "invalidClientIdOrSecret", 400, api=TOKENS
    ),
    # work notifications and contacts
    "agent_id": Denied("the agent id is not the app's", 52019, "无效的agent_id", api=SEND),
    "out_of_scope": Denied("nobody is in the app's scope", 50002, "请求的员工userid不在授权范围内", api=SEND),
    "department_out_of_scope": Denied("the department is out of scope", 50004, "请求的部门id不在授权范围内", api=SEND),
    "bad_message": Denied("the message is refused", 34014, "消息参数错误", api=SEND),
    "too_long": Denied("the message is too long", 34016, "消息文本长度超限", api=SEND),
    "bad_parameter": Denied("a parameter is refused", 40035, "不合法的参数", "InvalidParameter", 400),
    "no_user": Denied("there is no such user", 33012, "无效的USERID", api=GET_USER),
    "no_mobile": Denied("nobody has this mobile number", 60121, "找不到该用户", api=BY_MOBILE),
    "bad_mobile": Denied("this is no mobile number", 40104, "不合法的手机号", api=BY_MOBILE),
    # group robots
    "robot_fast": Denied("over 20 messages a minute: ten minutes of silence", 410100, _ROBOT_FAST, api=ROBOT),
    "robot_fast_old": Denied(
        "the same, its older form", 130101, "send too fast, exceed 20 times per minute", api=ROBOT
    ),
    "robot_fast_older": Denied("the same, another form", 302033, "send too fast", api=ROBOT),
    "robot_keyword": Denied("the text lacks the robot's keyword", 310000, "keywords not in content", api=ROBOT),
    "robot_sign": Denied("the signature does not fit", 310000, "sign not match", api=ROBOT),
    "robot_stamp": Denied("the time stamp is over an hour off", 310000, "invalid timestamp", api=ROBOT),
    "robot_ip": Denied("the address is not the robot's", 310000, "ip 198.51.100.7 not in whitelist", api=ROBOT),
    "robot_gone": Denied("the robot's token does not exist", 400101, "token is not exist", api=ROBOT),
    "robot_gone_old": Denied("the same, its older form", 300001, "token is not exist", api=ROBOT),
    "robot_off": Denied("the robot is switched off", 400102, "robot is disabled", api=ROBOT),
    "group_gone": Denied("the group was dissolved", 400013, "群已被解散", api=ROBOT),
    "robot_left": Denied("the robot is not in the group", 400106, "robot not in group", api=ROBOT),
    "robot_type": Denied("the type of message is not supported", 400105, "unsupported msgtype", api=ROBOT),
    "robot_unsafe": Denied("the content is unsafe", 430102, "不合适的文本", api=ROBOT),
    "robot_large": Denied(
        "the message is over 20,000 bytes", 460101, "message too long, exceed 20000 bytes", api=ROBOT
    ),
    "webhook_quota": Denied(
        "the month's webhook calls are used up", 90030, "Webhook&Stream推送量超过当月限额", api=ROBOT
    ),
    # the app's own robot
    "one_to_one_fast": Denied("the robot sends too fast", 0, "发送过快", "send.too.fast", 400, api=ONE_TO_ONE),
    # approvals
    "approval_gone": Denied(
        "there is no such approval", 0, "审批实例不存在", "processInstanceNotExist", 400, api=APPROVALS
    ),
    "approval_closed": Denied(
        "nothing can be done with the approval",
        0,
        "审批状态异常，无法执行",
        "aflowProcessInstCanNotBeExecuted",
        400,
        api=COMMENTS,
    ),
    "approval_system": Denied("the approvals' own server fails", 0, "系统异常", "systemError", 500, api=APPROVALS),
    "file_gone": Denied("there is no such file", 0, "下载审批附件参数错误", "invalidParameter", 400, api=LINKS),
}
"""Refusals by name."""

SILENT: Mapping[str, tuple[int, str]] = {
    "over_the_minute": (143103, "a message is accepted and shown to nobody: too many people a minute"),
    "over_the_day": (143105, "a message is accepted and shown to nobody: 500 a day"),
    "banned_content": (1430002, "a message is accepted and shown to nobody: its content is banned"),
    "protected": (1430004, "a message is accepted and shown to nobody: they are protected"),
}
"""Work notifications that are accepted all the same; only getsendresult tells, by this code."""

_PAGE = "<!DOCTYPE html><html><body><h1>{}</h1></body></html>"
_BAN = b'{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"simulated"}'


def _page(words: str, status: int = 200, **headers: str) -> Answer:
    return Answer(_PAGE.format(words).encode(), status, "text/html", headers)


BROKEN: Mapping[str, tuple[str, Answer]] = {
    "http400": (
        "an HTML page with HTTP 400, as of a proxy",
        _page("The plain HTTP request was sent to HTTPS port", 400),
    ),
    "http401": ("HTTP 401", Answer(b"Unauthorized", 401, "text/plain")),
    "http404": ("a page with HTTP 404: this is no DingTalk", _page("404 Not Found", 404)),
    "http407": ("a proxy wants a password", _page("Proxy Authentication Required", 407)),
    "http413": ("a proxy finds the message too long", _page("Request Entity Too Large", 413)),
    "http429": ("HTTP 429", Answer(b"Too Many Requests", 429, "text/plain")),
    "http500": ("the server answers HTTP 500; nothing was done", Answer(b"Internal Server Error", 500, "text/plain")),
    "http502": ("a proxy answers HTTP 502", _page("502 Bad Gateway", 502)),
    "http503": ("HTTP 503", _page("503 Service Unavailable", 503)),
    "redirect": ("HTTP 302 to a login page", _page("Found", 302, Location="https://login.example.com/")),
    "html_ban": ("an HTML page instead of JSON, as for an address that asked too often", _page("Unusual traffic")),
    "json_ban": ("the same, told in JSON of neither host's envelope", Answer(_BAN)),
    "empty": ("HTTP 200 without a body", Answer(b"")),
    "no_envelope": ("HTTP 200 with JSON of another shape", Answer(b'["ok"]')),
    "garbage": ("HTTP 200 with bytes that are no text", Answer(b"\x1f\x8b\x00\xff\xfe")),
}
"""Answers that are none of DingTalk's own; nothing was done."""

DONE = {
    "lost_reply": "the call is carried out, then the connection is reset instead of an answer",
    "done504": "the gateway gives up on its backend, but that carried the call out",
    "done500": "HTTP 500 although the call was carried out",
    "truncated_json": "the call is carried out, and its answer cut in the middle",
    "cut": "the call is carried out, and the connection ends in the middle of the answer",
}
"""Faults after which something was done."""

PLACES: Mapping[str, str] = {
    "flow_control": ONE_TO_ONE,
    **dict.fromkeys(SILENT, SEND),
    **{name: denied.api for name, denied in DENIED.items() if denied.api},
}
"""The part of the path that a fault is about, where it is not about all."""
