"""DingTalk's two ways of answering: `errcode` in HTTP 200 on the old host, status and `code` on the new one.

Sources: "Server-side API overview", "Global error codes" and "API call limits" on open.dingtalk.com.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from kdsync.simulator.dingtalk_http import Answer

Json = dict[str, Any]


class RefusedError(Exception):
    """The platform says no. A number as `code` is the old host's way, a text the new host's."""

    def __init__(
        self, code: int | str, message: str, *, status: int = 400, sub_code: str = "", detail: Json | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.sub_code = sub_code
        self.detail = detail

    def answer(self, request_id: str) -> Answer:
        if isinstance(self.code, str):
            body: Json = {"code": self.code, "requestid": request_id, "message": self.message}
            if self.detail:
                body["accessdenieddetail"] = self.detail
            return Answer(orjson.dumps(body), self.status)
        body = {"errcode": self.code, "errmsg": self.message, "request_id": request_id}
        if self.sub_code:
            body |= {"sub_code": self.sub_code, "sub_msg": self.message}
        return Answer(orjson.dumps(body))


def accepted(result: Json, request_id: str, *, new_host: bool) -> Answer:
    envelope = {} if new_host else {"errcode": 0, "errmsg": "ok", "request_id": request_id}
    return Answer(orjson.dumps(result | envelope))


@dataclass(frozen=True, slots=True)
class _Trouble:
    """One failure of the gateway, as each host tells it."""

    errcode: int
    status: int
    code: str
    message: str
    sub_code: str = ""


TROUBLES: Mapping[str, _Trouble] = {
    "no_route": _Trouble(22, 404, "InvalidAction.NotFound", "不合法的ApiName: Specified api is not found"),
    "bad_body": _Trouble(40035, 400, "InvalidParameter", "不合法的参数: the body is not what was promised"),
    "no_token": _Trouble(41001, 400, "InvalidAuthentication", "缺少access_token"),
    "token_void": _Trouble(40014, 400, "InvalidAuthentication", "不合法的access_token"),
    "qps": _Trouble(
        90018, 403, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", "服务器调用当前接口的频率过高，请求被暂时禁用了"
    ),
    "quota": _Trouble(90020, 403, "Forbidden.AccessDenied.ApiCountLimitForOrg", "组织API调用量超过当月限额"),
    "timeout": _Trouble(15, 504, "GatewayTimeout", "Remote service error", "isp.top-remote-connection-timeout"),
}


def trouble(name: str, *, new_host: bool) -> RefusedError:
    """One of the failures that any call may meet, in the envelope of its host."""
    known = TROUBLES[name]
    if new_host:
        return RefusedError(known.code, known.message, status=known.status)
    return RefusedError(known.errcode, known.message, sub_code=known.sub_code)


def no_permission(scope: str, *, new_host: bool) -> RefusedError:
    """The app was not granted `scope`."""
    message = f"应用尚未开通所需的权限：[{scope}]，点击链接申请并开通即可：https://open-dev.dingtalk.com/appscope/apply"
    if new_host:
        code = "Forbidden.AccessDenied.AccessTokenPermissionDenied"
        return RefusedError(code, message, status=403, detail={"requiredScopes": [scope]})
    return RefusedError(88, message, sub_code="60011")
