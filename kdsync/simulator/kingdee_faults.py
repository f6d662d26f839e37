"""The ways in which the simulated Kingdee says no although nothing is wrong with the request, each by name.

Texts and shapes are those of the MsgCode table and the error articles of the official WebAPI help, of LoginResultType
in the V6.0 interface manual, of answers that integrators captured, and of what stands before a server: IIS, proxies,
the gateway of api.kingdee.com.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from kdsync.simulator.kingdee_answers import MsgCode, Refusal, bad_filter, error, refused, result, status, unknown_form
from kdsync.simulator.kingdee_replies import Reply, page, text

NULL_REFERENCE = "response_error:未将对象引用设置到对象的实例。"
NOT_LOGGED_IN = "403 Forbidden ByRspRetStatusCode -- N001: Unexpectable request."
EXPIRED = "401 Forbidden ByRspRetStatusCode -- N001: Unexpectable request."
FILTERED = orjson.dumps(
    [
        {
            "actionname": "showConfirm",
            "params": [
                {"msg": "请求参数存在可疑数据,当前请求已经被拦截规则[caller_in_less_Point_Bracket]阻止!"},
            ],
        }
    ]
)
LOCKED = "“user”使用业务单据：“{0}”业务操作-“[{0}-No-修改]”冲突，请稍候再使用。"
LARGE = 200 * 1024 * 1024

Answer = Callable[[str, str], Reply]
"""From service and form to what goes back."""


@dataclass(frozen=True, slots=True)
class Told:
    """A fault that is the whole answer; nothing was done. `scope` is the kind of request that it strikes."""

    about: str
    answer: Answer
    scope: str = ""


def _http(about: str, status_code: int, words: str, **headers: str) -> Told:
    return Told(
        about, lambda _op, _form: page(words, status_code, {k.replace("_", "-"): v for k, v in headers.items()})
    )


def _said(about: str, words: str, scope: str = "service", status_code: int = 200) -> Told:
    return Told(about, lambda _op, _form: text(words, status_code), scope)


def _code(about: str, code: MsgCode, words: str, scope: str = "service") -> Told:
    """A ResponseStatus, in the shape in which the service refuses; {0} stands for the form."""
    return Told(about, lambda op, form: _json(refused(op, Refusal(code, words.format(form)))), scope)


def _login(about: str, kind: int, words: str, message_code: str | None = None) -> Told:
    body = {"LoginResultType": kind, "Message": words, "MessageCode": message_code, "Context": None}
    return Told(about, lambda _op, _form: _json({**body, "KDSVCSessionId": None, "IsSuccessByAPI": False}), "login")


def _gateway(about: str, code: int, words: str, chinese: str) -> Told:
    body = orjson.dumps({"errcode": code, "description": words, "description_cn": chinese})
    return Told(about, lambda _op, _form: Reply(body, 519, headers={"X-Api-Requestid": "simulated"}))


def _reply(about: str, make: Callable[[], Reply], scope: str = "") -> Told:
    return Told(about, lambda _op, _form: make(), scope)


def _json(answer: Any) -> Reply:
    return Reply(orjson.dumps(answer))


def _lost_at_the_top() -> Reply:
    lost = status([error("会话信息已丢失，请重新登录")], code=MsgCode.SESSION_LOST)
    return _json({"ResponseStatus": lost})


def _nested_too_deep(op: str, _form: str) -> Reply:
    answer = result(status([error("数据库操作失败")], code=MsgCode.DATABASE))
    return _json([[[answer]]] if op == "ExecuteBillQuery" else [answer])


def _alone(_op: str, _form: str) -> Reply:
    """A query's error without the rows around it."""
    return _json(result(status([error("数据库操作失败")], code=MsgCode.DATABASE)))


def _in_words(_op: str, _form: str) -> Reply:
    """What is true or false elsewhere is text here, as the help pages print it."""
    told = status([error("数据库操作失败")], code=MsgCode.DATABASE)
    return _json(result({**told, "IsSuccess": "false", "ErrorCode": "500", "MsgCode": "6"}))


def _chinese_page() -> Reply:
    words = "<html><head><title>运行时错误</title></head><body>“/K3Cloud”应用程序中的服务器错误。</body></html>"
    return Reply(words.encode("gbk"), 500, "text/html; charset=gb2312")


TOLD: Mapping[str, Told] = {
    # the way there
    "http403": _http("a firewall answers HTTP 403", 403, "403 - 禁止访问: 访问被拒绝。"),
    "http404": _http("HTTP 404: there is no such path", 404, "404 - 找不到文件或目录。"),
    "http407": _http("a proxy wants a login: HTTP 407", 407, "Proxy Authentication Required"),
    "http408": _http("HTTP 408: the server gave up waiting for the request", 408, "Request Timeout"),
    "http413": _http("HTTP 413: the request is too large", 413, "413 - 请求实体太大"),
    "http429": _http("HTTP 429 with Retry-After: 2", 429, "Too Many Requests", Retry_After="2"),
    "http500": _http("the server answers HTTP 500; nothing was done", 500, "500 - Internal server error."),
    "http502": _http("a proxy answers HTTP 502; nothing was done", 502, "502 Bad Gateway"),
    "http503": _http("the application pool is stopped: HTTP 503", 503, "Service Unavailable"),
    "http504": _http("a proxy gives up on the server: HTTP 504", 504, "504 Gateway Time-out"),
    "redirect": _http("HTTP 302 to a login page", 302, "Object moved", Location="/K3Cloud/html5/index.aspx"),
    "chinese_page": _reply("an error page in GBK with HTTP 500", _chinese_page),
    "html": _reply("HTTP 200 with a page of HTML: maintenance", partial(page, "系统正在维护")),
    "login_page": _reply("HTTP 200 with a login page, as of a proxy", partial(page, "<form>用户名 密码</form>")),
    "empty": _reply("HTTP 200 without a body", Reply),
    "garbage": _reply("HTTP 200 with bytes that are no text", partial(Reply, b"\x1f\x8b\x00\xff\xfe")),
    "number": _reply("HTTP 200 with JSON that is a number", partial(Reply, b"17"), "service"),
    "huge": _reply("an answer of 200 MB is announced", partial(Reply, announced=LARGE, cut="length")),
    "gateway_app_id": _gateway("the gateway misses the APP_ID", 4002, "APP_ID is empty", "APP_ID不能为空"),
    "gateway_stamp": _gateway("the gateway finds the time stamp expired", 4006, "TimeStamp expired", "时间戳已过期"),
    "gateway_api": _gateway("the gateway does not know the API", 5001, "API not found", "API不存在"),
    "forced_gateway": _said(
        "the server takes calls through the gateway only", "The request is not from API GateWay", ""
    ),
    # sessions and logins
    "n001": _said("the session is not seen: text `403 Forbidden … N001`", NOT_LOGGED_IN, ""),
    "n001_expired": _said("an expired password: text `401 Forbidden … N001`", EXPIRED),
    "session_lost_top": _reply("a lost session, told without `Result`", _lost_at_the_top, "service"),
    "session_not_restored": _said("no session for this user", "Fail to RestoreSessionByApi", "service", 500),
    "wrong_password": _login("the login is refused: user or password", 0, "用户名或密码错误，您还可以尝试4次"),
    "account_locked": _login("the login is refused: the account is locked", 0, "用户已被锁定，请联系管理员"),
    "password_expired": _login(
        "the login is refused: the password is too old", -3, "密码已过期", "CheckPasswordPolicy"
    ),
    "password_policy": _login(
        "the login is refused by the password policy", -1, "密码不符合策略", "CheckPasswordPolicy"
    ),
    "authorisation_lost": _login("the third-party authorisation is gone", -1, "Fail to VerifyThirtyPassport"),
    "user_without_rights": _login("the user may not log in so", -1, "Fail to RestoreSessionByApi"),
    "stamp_expired": _login("the time stamp of the login is refused", -1, "时间戳验证失败，请求链接已失效"),
    "centre_stopped": _login("the data centre is stopped", -1, "数据中心已停用，请联系管理员"),
    "cloud_unbound": _login("the cloud account is not bound", -6, "云账号未绑定"),
    "not_activated": _login("the product is not activated", -7, "产品未激活"),
    # the services
    "response_error": _said("HTTP 200 with the text `response_error:` instead of JSON", NULL_REFERENCE, ""),
    "request_filter": _reply("the request filter refuses the request", partial(Reply, FILTERED)),
    "permission": _code("the user lacks the right for the form", MsgCode.NO_PERMISSION, "当前用户没有“{0}”的权限"),
    "database": _code("the database failed", MsgCode.DATABASE, "数据库操作失败：事务死锁"),
    "database_top": Told("the same, told without the rows of a query", _alone, "service"),
    "database_deep": Told("the same, one list deeper", _nested_too_deep, "service"),
    "database_text": Told("the same, with `false` as text", _in_words, "service"),
    "exception": _code("an exception in the server", MsgCode.EXCEPTION, "服务器发生异常"),
    "licence": _code("no licence is free", MsgCode.LICENCE, "许可数已满，请联系系统管理员"),
    "parameter": _code("a parameter is refused", MsgCode.PARAMETER, "传入的参数不正确"),
    "unknown_form": Told("the form does not exist", lambda op, form: _json(refused(op, unknown_form(form))), "service"),
    "bad_filter": Told(
        "the filter cannot be read", lambda op, _form: _json(refused(op, bad_filter("附近有语法错误"))), "query"
    ),
    "not_operable": _code("the document cannot be operated on", MsgCode.NOT_OPERABLE, "单据当前不可操作", "write"),
    "edit_lock": _code("somebody has the document open", MsgCode.DEFAULT, LOCKED, "write"),
    "edit_lock_code": _code("the same, with a code of its own", MsgCode.LOCKED, "网络控制冲突", "write"),
    "in_workflow": _code("the document is in a workflow", MsgCode.INVALID, "单据已关联工作流实例，不允许操作", "write"),
    "not_assignee": _code("the task is somebody else's", MsgCode.INVALID, "当前用户不是待办任务的处理人", "write"),
    "call_limit": _code("too many calls", MsgCode.CALL_LIMIT, "调用次数超过限制"),
    "administrator": _code("administrators may not call", MsgCode.ADMINISTRATOR, "禁止管理员登录"),
}
"""By name. None of them changes anything."""
