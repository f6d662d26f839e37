"""The ways in which a caller may write down the arguments of a service, made into one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import orjson

from kdsync.simulator.kingdee_answers import MsgCode, Refusal

POSITIONS: Mapping[str, tuple[str, ...]] = {
    "ValidateUser": ("acctID", "username", "password", "lcid"),
    "LoginByAppSecret": ("acctID", "username", "appId", "appSecret", "lcid"),
    "LoginBySign": ("acctID", "username", "appId", "timestamp", "sign", "lcid"),
    "LoginBySimplePassport": ("passportForBase64", "lcid"),
    "Logout": (),
    "ExecuteBillQuery": ("data",),
    "BillQuery": ("data",),
    "QueryBusinessInfo": ("data",),
    "WorkflowAudit": ("data",),
    "SwitchOrg": ("data",),
    "AttachmentUpLoad": ("data",),
    "AttachmentUpload": ("data",),
    "AttachmentDownLoad": ("data",),
    "ExecuteOperation": ("formid", "opNumber", "data"),
    "ExcuteOperation": ("formid", "opNumber", "data"),
}
"""The order of the arguments in `parameters`; a service that is not named takes formid and data."""

SUSPICIOUS = re.compile(r"<[A-Za-z/!?]|<(?![=>])[^<]*\(")
"""What the request filter takes for an attack: a tag, or a `<` with a bracket behind it. Its rules are not public."""


class DoublyEncodedError(Exception):
    """The body is a JSON text inside a JSON text."""


def arguments(service: str, content_type: str, body: bytes) -> dict[str, Any]:
    """The named arguments of a request; `data` is parsed if it came as text.

    Raises `Refusal` for what cannot be read and `DoublyEncodedError`.
    """
    named = _form(body) if content_type.startswith("application/x-www-form-urlencoded") else _json(service, body)
    if isinstance(named.get("data"), str):
        named["data"] = _parsed(named["data"])
    if not isinstance(named.get("data", {}), dict):
        raise Refusal(MsgCode.PARAMETER, "传入的参数data不正确")
    return named


def _form(body: bytes) -> dict[str, Any]:
    return {key: values[0] for key, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _json(service: str, body: bytes) -> dict[str, Any]:
    named = _parsed(body) if body.strip() else {}
    if isinstance(named, str):
        raise DoublyEncodedError
    if not isinstance(named, dict):
        raise Refusal(MsgCode.PARAMETER, "传入的参数不正确")
    if "parameters" not in named:
        return named
    return _positional(service, named["parameters"], enveloped="format" in named)


def _positional(service: str, parameters: Any, *, enveloped: bool) -> dict[str, Any]:
    if isinstance(parameters, str):
        if enveloped and not parameters.isascii():
            raise Refusal(MsgCode.PARAMETER, "传入的参数不正确")  # the envelope wants \uXXXX
        parameters = _parsed(parameters)
    names = POSITIONS.get(service, ("formid", "data"))
    if not isinstance(parameters, Sequence) or len(parameters) > len(names):
        raise Refusal(MsgCode.PARAMETER, "传入的参数个数不正确")
    return dict(zip(names, parameters, strict=False))


def _parsed(text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Refusal(MsgCode.PARAMETER, "传入的参数不是有效的JSON") from None


def suspicious(value: Any) -> bool:
    """Whether the request filter lets the arguments not through."""
    return any(SUSPICIOUS.search(text) for text in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
