"""What the simulated DingTalk accepts as a work notification's `msg` and as a group robot's message.

Shapes and lengths: "Work notification message types", "Robot message types" and error 34016 of "Global error codes"
on open.dingtalk.com. Lengths count characters as Java does, an emoji as two, except that of a whole `msg`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from kdsync.simulator.dingtalk_envelopes import Json, RefusedError

_BUTTONS = 1000
_MENTIONS = 50

Filled = Annotated[str, Field(min_length=1)]


def length(text: str) -> int:
    """In characters as Java counts them."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _at_most(characters: int) -> AfterValidator:
    def check(text: str) -> str:
        if length(text) > characters:
            raise PydanticCustomError("string_too_long", "at most {most} characters", {"most": characters})
        return text

    return AfterValidator(check)


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class _Text(_Part):
    content: Annotated[Filled, _at_most(5000)]


class _Media(_Part):
    media_id: Filled


class _Voice(_Media):
    duration: Annotated[str, Field(pattern=r"^[1-5]?\d$")]


class _Link(_Part):
    messageUrl: Filled  # noqa: N815  # DingTalk's name
    picUrl: Filled  # noqa: N815  # DingTalk's name
    title: Annotated[Filled, _at_most(100)]
    text: Annotated[Filled, _at_most(500)]


class _Markdown(_Part):
    title: Annotated[Filled, _at_most(64)]
    text: Annotated[Filled, _at_most(5000)]


class _Button(_Part):
    title: Annotated[Filled, _at_most(20)]
    action_url: Annotated[Filled, _at_most(700)]


class _ActionCard(_Part):
    title: Annotated[Filled, _at_most(64)]
    markdown: Annotated[Filled, _at_most(5000)]
    single_title: Annotated[Filled, _at_most(20)] | None = None
    single_url: Annotated[Filled, _at_most(500)] | None = None
    btn_orientation: Annotated[str, Field(pattern="^[01]$")] | None = None
    btn_json_list: Annotated[list[_Button], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_kind_of_button(self) -> _ActionCard:
        single = self.single_title and self.single_url
        several = self.btn_orientation and self.btn_json_list
        if not single and not several:
            raise ValueError("an action_card needs single_title and single_url, or btn_orientation and btn_json_list")
        return self


class _Head(_Part):
    bgcolor: Annotated[str, Field(pattern="^[0-9A-Fa-f]{8}$")]
    text: Annotated[str, _at_most(10)]  # the app's name is shown in its place


class StatusBar(_Part):
    status_value: Filled
    status_bg: str = ""


class _Row(_Part):
    key: str = ""
    value: str = ""


class _Rich(_Part):
    num: str = ""
    unit: str = ""


class _OaBody(_Part):
    title: Annotated[str, _at_most(50)] = ""
    form: list[_Row] = []
    rich: _Rich | None = None
    content: str = ""
    image: str = ""
    file_count: str | int = ""
    author: str = ""


class _Oa(_Part):
    message_url: Filled
    pc_message_url: str = ""
    head: _Head
    body: _OaBody
    status_bar: StatusBar | None = None


class _RobotLink(_Part):
    title: Filled
    text: Filled
    messageUrl: Filled  # noqa: N815  # DingTalk's name


class _RobotMarkdown(_Part):
    title: Filled
    text: Filled


class _RobotButton(_Part):
    title: Filled
    actionURL: Filled  # noqa: N815  # DingTalk's name


class _RobotCard(_RobotMarkdown):
    singleTitle: str = ""  # noqa: N815  # DingTalk's name
    singleURL: str = ""  # noqa: N815  # DingTalk's name
    btns: list[_RobotButton] = []


class _FeedLink(_Part):
    title: Filled
    messageURL: Filled  # noqa: N815  # DingTalk's name


class _FeedCard(_Part):
    links: Annotated[list[_FeedLink], Field(min_length=1)]


class _Mentions(_Part):
    atMobiles: list[str] = []  # noqa: N815  # DingTalk's name
    atUserIds: list[str] = []  # noqa: N815  # DingTalk's name


_TYPES: Mapping[str, type[_Part]] = {
    "text": _Text,
    "image": _Media,
    "voice": _Voice,
    "file": _Media,
    "link": _Link,
    "markdown": _Markdown,
    "action_card": _ActionCard,
    "oa": _Oa,
}

_ROBOT_TYPES: Mapping[str, type[_Part]] = {
    "text": _Text,
    "link": _RobotLink,
    "markdown": _RobotMarkdown,
    "actionCard": _RobotCard,
    "feedCard": _FeedCard,
}


def work_message(raw: Any, longest: int) -> Json:
    """The decoded `msg`, which may come as text; RefusedError 34014 for its shape, 34016 for a length.

    `longest` is in bytes of compact UTF-8 JSON.
    """
    message = _decoded(raw)
    if len(orjson.dumps(message)) > longest:
        raise RefusedError(34016, f"消息内容长度超过限制: msg is longer than {longest} bytes")
    kind = message.get("msgtype")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise RefusedError(34014, f"会话消息的json结构无效: msgtype {kind!r}")
    try:
        _TYPES[kind].model_validate(message.get(kind))
    except ValidationError as invalid:
        raise _refusal(kind, invalid) from None
    _check_buttons(message[kind])
    return message


def robot_message(message: Json) -> Json:
    """A group robot's message as it is; RefusedError 400105 for its type, 40035 for its shape."""
    kind = message.get("msgtype")
    if not isinstance(kind, str) or kind not in _ROBOT_TYPES:
        raise RefusedError(400105, f"unsupported msgtype {kind!r}")
    try:
        _ROBOT_TYPES[kind].model_validate(message.get(kind))
        mentions = _Mentions.model_validate(message.get("at") or {})
    except ValidationError as invalid:
        raise RefusedError(40035, f"不合法的参数 {kind}: {invalid.errors()[0]['msg']}") from None
    if len(mentions.atMobiles) + len(mentions.atUserIds) > _MENTIONS:
        raise RefusedError(40035, f"不合法的参数 at: more than {_MENTIONS} people")
    return message


def _decoded(raw: Any) -> Json:
    try:
        message = orjson.loads(raw) if isinstance(raw, str) else raw
    except orjson.JSONDecodeError:
        message = None
    if not isinstance(message, dict):
        raise RefusedError(34014, "会话消息的json结构无效: msg is missing or no object")
    return message


def _check_buttons(body: Json) -> None:
    if len(orjson.dumps(body.get("btn_json_list") or []).decode()) > _BUTTONS:
        raise RefusedError(34016, f"消息内容长度超过限制: btn_json_list is longer than {_BUTTONS}")


def _refusal(kind: str, invalid: ValidationError) -> RefusedError:
    error = invalid.errors()[0]
    where = ".".join(map(str, (kind, *error["loc"])))
    if error["type"] == "string_too_long":
        return RefusedError(34016, f"消息内容长度超过限制: {where}: {error['msg']}")
    return RefusedError(34014, f"会话消息的json结构无效: {where}: {error['msg']}")
