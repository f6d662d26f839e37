"""Reading an answer: a payload where DingTalk agreed, an `EdgeError` for everything else that bytes can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from kdsync import exact
from kdsync.dingtalk.errors import MEANINGS, failure, is_known

DEEPEST = 100  # lists and mappings within each other; DingTalk's are five deep


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP."""

    status: int
    body: bytes = field(repr=False)


class Shape(BaseModel):
    """The part of a payload that kdsync reads.

    DingTalk's samples write numbers and truth values as text in places, and leave out or null what is not set.
    """

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


def _listed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return orjson.loads(value) if value.startswith("[") else [item for item in value.split(",") if item]


Listed = BeforeValidator(_listed)
"""For lists, which some answers hold as text: `[1,2]` or `1,2`."""

AnyShape = TypeVar("AnyShape", bound=Shape)

REASONS = (  # of 310000, whose cause is only in its words; the advice in them repeats other words, so the order matters
    ("sign", ("sign not match", "签名不匹配")),
    ("timestamp", ("timestamp", "签名过期")),
    ("keyword", ("keyword", "关键词")),
    ("address", ("whitelist", "白名单")),
)


def read(
    answer: Answer, api: str, *, old: bool, writes: bool, now: datetime, hide: Callable[[str], str] = str
) -> dict[str, Any]:
    """The payload of an answer of the old or the new host. Raises EdgeError for any other bytes."""
    payload = _object(answer.body)
    code = _code(answer, payload, old=old)
    if code is None:
        return payload or {}
    raise failure(code, api, _said(payload or {}), writes=writes, now=now, hide=hide)


def shaped(shape: type[AnyShape], data: Any, api: str, *, now: datetime) -> AnyShape:
    """`data` as `shape`; EdgeError where it does not fit."""
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, item["loc"])) for item in error.errors(include_input=False))
    raise failure("malformed", api, f"unexpected: {wrong}", writes=False, now=now)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        payload = exact.loads(body)
    except ValueError:
        return None
    return payload if isinstance(payload, dict) and not exact.deeper_than(payload, DEEPEST) else None


def _code(answer: Answer, payload: Mapping[str, Any] | None, *, old: bool) -> str | None:
    if payload is None:
        return _code_without_json(answer)
    if payload.get("status") == 1111:  # noqa: PLR2004  # what a banned address is told, see "Call limits"
        return "status 1111"
    if "errcode" in payload:
        code = _old_code(payload)
        if code != "0" or answer.status < 300:  # noqa: PLR2004  # HTTP's own line
            return None if code == "0" else code
    if answer.status >= 300:  # noqa: PLR2004  # HTTP's own line
        return _new_code(answer.status, payload.get("code"))
    return "malformed" if old else None


def _new_code(status: int, word: object) -> str:
    by_status = f"http {status}"
    if not isinstance(word, str) or not word.strip():
        return by_status
    # A word nobody knows says less than a 5xx, after which the call may have been carried out.
    return f"{by_status} {word}" if status >= 500 and not is_known(word) else word  # noqa: PLR2004  # HTTP's own line


def _code_without_json(answer: Answer) -> str:
    by_status = f"http {answer.status}"
    if by_status in MEANINGS or answer.status >= 500 or 300 <= answer.status < 400:  # noqa: PLR2004  # HTTP's own lines
        return by_status
    if answer.body.lstrip()[:1] == b"<":
        return "html"
    return by_status if answer.status >= 400 else "malformed"  # noqa: PLR2004  # HTTP's own line


def _old_code(payload: Mapping[str, Any]) -> str:
    errcode = payload["errcode"]
    if isinstance(errcode, bool) or not isinstance(errcode, (int, str)) or not str(errcode).strip():
        return "malformed"
    code = str(errcode).strip()
    sub_code = payload.get("sub_code")
    if isinstance(sub_code, (int, str)) and str(sub_code).strip():
        return f"{code}/{str(sub_code).strip()}" if code != "0" else code
    return f"310000{_reason(_said(payload))}" if code == "310000" else code


def _reason(said: str) -> str:
    for reason, words in REASONS:
        if any(word in said.lower() for word in words):
            return f" {reason}"
    return ""


def _said(payload: Mapping[str, Any]) -> str:
    detail = payload.get("accessdenieddetail")
    scopes = detail.get("requiredScopes") if isinstance(detail, dict) else None
    named = f"required: {', '.join(map(str, scopes))}" if isinstance(scopes, list) else ""
    parts = (payload.get("sub_msg"), payload.get("errmsg"), payload.get("message"), named)
    return "; ".join(dict.fromkeys(part for part in parts if isinstance(part, str) and part))
