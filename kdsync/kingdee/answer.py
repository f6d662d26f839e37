"""Reads what Kingdee answered: JSON with exact amounts, or the error that hides in it.

An error may come as a row of a query (`[[{"Result":…}]]`), as a plain mapping, as text with HTTP 200, or as a web page.
Whatever the bytes are, the outcome is a value or an `EdgeError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kdsync import exact
from kdsync.errors import EdgeError
from kdsync.kingdee.errors import MOST_WORDS, Symptom, failure
from kdsync.kingdee.results import refusals

DEEPEST_ANSWER = 100
DEEPEST = 3
"""Lists that have been seen around an error; one more than the official samples show."""

_WEB_PAGE = re.compile(r"\s*<(!doctype|html|head|body|\?xml)", re.IGNORECASE)


def read_answer(status: int, body: bytes, *, read: bool, retry_after: float | None = None) -> Any:
    """The value that Kingdee answered; EdgeError where it answered with a failure of any shape.

    A batch that succeeded in part is a value: the caller tells its documents apart by `DIndex`.
    """
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    http = "" if status in (200, 206) else str(status)
    try:
        value = exact.loads(body)
    except ValueError:
        raise failure(_not_json(body, http), read=read, retry_after=retry_after) from None
    symptom = symptom_of(value)
    if symptom is None and not http:
        return value
    raise failure(replace(symptom or _of_server(value), http=http), read=read, retry_after=retry_after)


def symptom_of(value: Any) -> Symptom | None:
    """The failure in an answer that is JSON, or None."""
    if isinstance(value, str):  # no service answers with a text
        return Symptom(text=value, fault="shape")
    for _ in range(DEEPEST):
        if not isinstance(value, list) or not value:
            break
        value = value[0]
    if not isinstance(value, Mapping):
        return None
    if exact.deeper_than(value, DEEPEST_ANSWER):
        return Symptom(fault="shape", detail="the answer is nested too deeply")
    if "actionname" in value:
        return _of_dialogue(value)
    if "errcode" in value:
        return _of_gateway(value)
    return _of_status(value)


def _of_server(value: Any) -> Symptom:
    """What .NET says where a service could not even be called, beside the status of HTTP."""
    words = value.get("Message") if isinstance(value, Mapping) else None
    return Symptom(text=words) if isinstance(words, str) else Symptom()


def _of_dialogue(value: Mapping[str, Any]) -> Symptom:
    """What the server would have a browser show."""
    params = value.get("params")
    first = params[0] if isinstance(params, list) and params else None
    words = first.get("msg") if isinstance(first, Mapping) else None
    if isinstance(words, str):
        return Symptom(text=f"{value['actionname']}: {words}")
    return Symptom(text=json.dumps(value, ensure_ascii=False, default=str))


def _of_gateway(value: Mapping[str, Any]) -> Symptom | None:
    if str(value["errcode"]) == "0":
        return None
    words = value.get("description_cn") or value.get("description") or ""
    return Symptom(text=str(words), gateway=str(value["errcode"]))


def _of_status(value: Mapping[str, Any]) -> Symptom | None:
    result = value.get("Result")
    holder = result if isinstance(result, Mapping) else value
    status = holder.get("ResponseStatus")
    if not isinstance(status, Mapping):
        failed = isinstance(result, Mapping) and _said_no(result.get("IsSuccess"))
        return Symptom(text=_words(holder), fault="" if _words(holder) else "shape") if failed else None
    if not _failed(status) or status.get("SuccessEntitys"):
        return None
    msgcode = status.get("MsgCode")
    words = _words(status) or "; ".join(refusals(holder.get("OperationResults")))
    return Symptom(text=words, msgcode="0" if msgcode in (None, "") else str(msgcode))


def _failed(status: Mapping[str, Any]) -> bool:
    if status.get("IsSuccess") in (None, ""):
        return bool(status.get("Errors")) or str(status.get("MsgCode") or "0") != "0"
    return _said_no(status["IsSuccess"])


def _said_no(answer: Any) -> bool:
    return answer is False or str(answer).casefold() == "false"


def _words(status: Mapping[str, Any]) -> str:
    errors = status.get("Errors")
    texts = [
        error.get("Message") if isinstance(error, Mapping) else error
        for error in (errors if isinstance(errors, list) else [])
    ]
    return "; ".join(str(text).strip() for text in texts if text) or str(status.get("Message") or "")


def _not_json(body: bytes, http: str) -> Symptom:
    text = body[: 8 * MOST_WORDS].decode(errors="replace")
    if not body:
        return Symptom(fault="empty", http=http)
    if _WEB_PAGE.match(text):
        return Symptom(fault="html", http=http)
    cut_off = body[:1] in (b"[", b"{", b'"')
    if cut_off:
        return Symptom(fault="not-json", http=http)
    return Symptom(text=text, fault="not-json", http=http)


def unexpected(what: str, *, read: bool = True) -> EdgeError:
    """The error for JSON that is not what the service answers with; `what` says how it differs."""
    return failure(Symptom(fault="shape", detail=what), read=read)


def expect_list(value: Any, what: str) -> list[Any]:
    """`value` if it is a list, else the error that says `what` should have been one."""
    if isinstance(value, list):
        return value
    raise unexpected(f"{what} should be a list")
