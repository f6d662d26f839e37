"""The shapes in which Kingdee refuses: `ResponseStatus` with a MsgCode, as the official operation pages list them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any


class MsgCode(IntEnum):
    """The codes of the official table."""

    DEFAULT = 0
    SESSION_LOST = 1
    NO_PERMISSION = 2
    NO_OPERATION = 3
    EXCEPTION = 4
    NO_FORM = 5
    DATABASE = 6
    LICENCE = 7
    PARAMETER = 8
    NO_FIELD = 9
    NO_DATA = 10
    INVALID = 11
    NOT_OPERABLE = 12
    LOCKED = 13
    CALL_LIMIT = 14
    ADMINISTRATOR = 15


class Refusal(Exception):  # noqa: N818  # it is what Kingdee answers, not what went wrong with the simulator
    """The request is answered with an error."""

    def __init__(self, code: MsgCode, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


def session_lost() -> Refusal:
    return Refusal(MsgCode.SESSION_LOST, "会话信息已丢失，请重新登录")


def unknown_form(form: str) -> Refusal:
    return Refusal(MsgCode.EXCEPTION, f"标识为“{form}”的业务对象不存在，或者被删除")


def unknown_field(key: str) -> Refusal:
    return Refusal(MsgCode.NO_FIELD, f"元数据中标识为{key}的字段不存在", key)


def bad_filter(detail: str) -> Refusal:
    return Refusal(MsgCode.EXCEPTION, f"GetRealExpress error: {detail}")


def no_permission(form: str) -> Refusal:
    return Refusal(MsgCode.NO_PERMISSION, f"当前用户没有“{form}”的权限")


def error(message: str, index: int = 0, field: str | None = None) -> dict[str, Any]:
    """One item of `Errors`; `index` is the position of the document in the request."""
    return {"FieldName": field, "Message": message, "DIndex": index}


def status(
    errors: Sequence[Mapping[str, Any]] = (),
    done: Sequence[Mapping[str, Any]] = (),
    code: MsgCode = MsgCode.DEFAULT,
) -> dict[str, Any]:
    """A `ResponseStatus`; a partly successful call has both `errors` and `done`."""
    return {
        **({"ErrorCode": 500} if errors else {}),
        "IsSuccess": not errors,
        "Errors": list(errors),
        "SuccessEntitys": list(done),
        "SuccessMessages": [],
        "MsgCode": int(code),
    }


def result(response_status: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"Result": {"ResponseStatus": response_status, **more}}


def refused(service: str, refusal: Refusal) -> Any:
    """The whole answer to a refused request: rows hold it in ExecuteBillQuery, elsewhere it stands alone."""
    answer = result(status([error(refusal.message, field=refusal.field)], code=refusal.code))
    return [[answer]] if service == "ExecuteBillQuery" else answer
