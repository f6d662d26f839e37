"""What comes over DingTalk's Stream, frame by frame: bytes in, values out, and the words of an acknowledgement.

Sources: the Stream protocol page of open-dingtalk/developerpedia; "Robot receives messages", "Card callbacks" and
"Event subscription overview" on open.dingtalk.com. Samples there write the headers of an event as `header`, and numbers
in headers as text or as numbers, so both are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from kdsync import exact
from kdsync.dingtalk.answers import DEEPEST
from kdsync.dingtalk.errors import failure
from kdsync.errors import EdgeError

OPEN = "v1.0/gateway/connections/open"
BOT_TOPIC = "/v1.0/im/bot/messages/get"
CARD_TOPIC = "/v1.0/card/instances/callback"
SYSTEM, EVENT, CALLBACK = "SYSTEM", "EVENT", "CALLBACK"
LARGEST = 1024 * 1024  # characters of a frame
WITHOUT_CONTENT = "20001"  # the month's pushes are used up: frames come without what they are about
OK, BAD, NOT_FOUND = 200, 400, 404
GROUP = "2"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MOMENT = 253_402_300_799_000  # milliseconds; no later date can be told


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `kind` is SYSTEM, EVENT or CALLBACK, or whatever else it says."""

    kind: str
    topic: str
    message_id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_without_content(self) -> bool:
        """Whether the month's pushes are used up."""
        return str(self.data.get("errorCode") or self.headers.get("errorCode") or "") == WITHOUT_CONTENT


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody wrote to the robot. `sender` is a userid, '' for somebody from outside; `text` is '' for pictures.

    `message_id` is DingTalk's, which another push of the same message need not have. `kind` is text, richText, audio,
    picture, video or file; what was spoken is told as text. `sender_mark` tells senders from outside apart, and nothing
    more: it is not the same everywhere.

    The session address is good for a reply in the same conversation until it expires; it is a secret.
    """

    message_id: str
    conversation_id: str
    group: bool
    mentioned: bool
    sender: str
    sender_nick: str
    kind: str
    text: str
    created_at: datetime
    session_webhook: str = field(default="", repr=False)
    session_expires_at: datetime = EPOCH
    sender_mark: str = ""


@dataclass(frozen=True, slots=True)
class Clicked:
    """Somebody pressed a button of a card; `params` are the fields of the card that they filled in.

    `sender` is a userid where the card was made with `userIdType` 1. `message_id` is of the push, and the same when it
    is pushed again.
    """

    out_track_id: str
    sender: str
    action_ids: tuple[str, ...]
    params: Mapping[str, Any]
    message_id: str = field(default="", compare=False)

    @property
    def button(self) -> str:
        """The id of the button: the template says it as a parameter, for a row of a list has no id of its own."""
        return _text(self.params.get("action")) or next(iter(self.action_ids), "")


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of the organisation; `kind` is its type, such as `bpms_instance_change` for a finished approval."""

    event_id: str
    kind: str
    data: Mapping[str, Any]
    born_at: datetime


Message = Said | Clicked | Happened


def read_frame(text: str | bytes) -> Frame:
    """One frame; EdgeError for any other bytes."""
    if len(text) > LARGEST:
        raise _malformed("a frame is too large")
    frame = _mapping(_loads(text), "a frame")
    headers = frame.get("headers") or frame.get("header") or {}
    told = {key: str(value) for key, value in _mapping(headers, "the headers").items() if _is_plain(value)}
    kind = _text(frame.get("type"))
    if kind != SYSTEM and not told.get("messageId"):
        raise _malformed("it has no messageId, so that it cannot be acknowledged")
    return Frame(kind, told.get("topic", ""), told.get("messageId", ""), told, _data(kind, frame.get("data")))


def _data(kind: str, data: object) -> Mapping[str, Any]:
    """The decoded data, which is text that holds JSON. What the system says of itself may be any words."""
    try:
        return _mapping(_loads(data) if isinstance(data, str) and data.strip() else data or {}, "the data")
    except EdgeError:
        if kind == SYSTEM:
            return {}
        raise


def ack(frame: Frame, data: Mapping[str, Any], code: int = OK, message: str = "OK") -> str:
    """The acknowledgement of a frame, as text."""
    headers = {"messageId": frame.message_id, "contentType": "application/json"}
    answer = {"code": code, "headers": headers, "message": message, "data": exact.dumps(data).decode()}
    return exact.dumps(answer).decode()


def read_message(frame: Frame) -> Message | None:
    """What a frame is about; None where it is nothing that anybody answers. EdgeError where it cannot be read."""
    if frame.kind == EVENT:
        return _happened(frame)
    if frame.kind == CALLBACK and frame.topic == BOT_TOPIC:
        return _said(frame.data)
    if frame.kind == CALLBACK and frame.topic == CARD_TOPIC:
        return replace(_clicked(frame.data), message_id=frame.message_id)
    return None


def dedupe_key(message: Message) -> str:
    """The same for what is pushed again under the same id: an event's, a message's, or what was pressed by whom."""
    return f"message {message.message_id}" if isinstance(message, Said) else twin_key(message)


def twin_key(message: Message) -> str:
    """The same for everything that is the same thing pushed again, even under another id of DingTalk's."""
    if isinstance(message, Happened):
        return f"event {message.event_id}"
    if isinstance(message, Clicked):
        return f"click\n{message.out_track_id}\n{message.sender}\n{message.button}"
    if message.created_at == EPOCH:  # nothing tells it apart but its id
        return dedupe_key(message)
    sender = message.sender or message.sender_mark or message.sender_nick
    said_at = message.created_at.isoformat()
    return f"message\n{message.conversation_id}\n{sender}\n{said_at}\n{message.text}"


def _happened(frame: Frame) -> Happened:
    """The page of an event shows its data in an envelope of what else is in the headers; frames come without one."""
    inner = frame.data.get("data") if "eventType" in frame.data else None
    told = {**frame.data, **frame.headers}
    data = inner if isinstance(inner, Mapping) else frame.data
    ident, kind = _text(told.get("eventId")) or frame.message_id, _text(told.get("eventType"))
    return Happened(ident, kind, data, _moment(told.get("eventBornTime")))


def _said(data: Mapping[str, Any]) -> Said:
    group = _text(data.get("conversationType")) == GROUP
    return Said(
        message_id=_known(data.get("msgId"), "msgId"),
        conversation_id=_text(data.get("conversationId")),
        group=group,
        mentioned=not group or data.get("isInAtList") not in (False, "false"),
        sender=_text(data.get("senderStaffId")),
        sender_nick=_text(data.get("senderNick")),
        kind=_text(data.get("msgtype")),
        text=_words(data).strip(),
        created_at=_moment(data.get("createAt")),
        session_webhook=_text(data.get("sessionWebhook")),
        session_expires_at=_moment(data.get("sessionWebhookExpiredTime")),
        sender_mark=_text(data.get("senderId")),
    )


def _words(data: Mapping[str, Any]) -> str:
    """What was written, or what DingTalk made of what was spoken."""
    text, content = data.get("text"), data.get("content")
    if isinstance(text, Mapping):
        return _text(text.get("content"))
    if not isinstance(content, Mapping):
        return ""
    parts = content.get("richText")
    if isinstance(parts, Sequence) and not isinstance(parts, str):
        return " ".join(_text(part.get("text")) for part in parts if isinstance(part, Mapping)).strip()
    return _text(content.get("recognition"))


def _clicked(data: Mapping[str, Any]) -> Clicked:
    """The content is text that holds JSON; pages name it `content` or `value` and put `params` in two places."""
    written = data.get("content") or data.get("value") or {}
    content = _mapping(_loads(written) if isinstance(written, str) else written, "the content of a click")
    private = content.get("cardPrivateData")
    private = private if isinstance(private, Mapping) else {}
    ids, params = private.get("actionIds"), private.get("params") or content.get("params")
    return Clicked(
        out_track_id=_known(data.get("outTrackId"), "outTrackId"),
        sender=_known(data.get("userId"), "userId"),
        action_ids=tuple(map(_text, ids)) if isinstance(ids, list) else (),
        params=params if isinstance(params, Mapping) else {},
    )


def _loads(text: str | bytes) -> Any:
    try:
        value = exact.loads(text.encode("utf-8", "replace") if isinstance(text, str) else text)
    except ValueError:
        raise _malformed("it is no JSON") from None
    if exact.deeper_than(value, DEEPEST):
        raise _malformed("it is nested too deeply")
    return value


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise _malformed(f"{what} should be a mapping")


def _malformed(said: str) -> EdgeError:
    return failure("frame", "stream", said, writes=False, now=EPOCH)


def _known(value: object, name: str) -> str:
    """An id without which a message is none."""
    if text := _text(value):
        return text
    raise _malformed(f"it has no {name}")


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _moment(value: object) -> datetime:
    """Milliseconds since 1970 as a number or as text; 1970 itself for anything else."""
    digits = _text(value)
    if not (digits.isascii() and digits.isdigit()) or int(digits[:20]) > LAST_MOMENT:
        return EPOCH
    return datetime.fromtimestamp(int(digits) / 1000, UTC)
