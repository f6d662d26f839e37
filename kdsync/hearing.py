"""What DingTalk pushes, in the shape that the inbox keeps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kdsync.dingtalk.frames import Clicked, Happened, Said, twin_key
from kdsync.services import heard
from kdsync.store.inbox import CLICK, MESSAGE, Received
from kdsync.sync import identity

LONGEST, LONGEST_NAME = 4000, 100  # characters that are kept; nothing so long is a command


def received(message: Said | Clicked | Happened, now: datetime) -> Received | None:
    """None for what nobody answers with. The id is the same when DingTalk pushes the same thing under another one."""
    if isinstance(message, Clicked):
        return _clicked(message, now)
    if not isinstance(message, Said):
        return None
    content: dict[str, Any] = {
        "text": message.text[:LONGEST],
        "kind": message.kind,
        "group": message.group,
        "mentioned": message.mentioned,
        "conversation": message.conversation_id,
        "nick": message.sender_nick[:LONGEST_NAME],
        heard.SAID_AT: message.created_at.isoformat(),
    }
    if not message.sender and message.mentioned:
        content[heard.SESSION] = message.session_webhook  # a secret, kept for nobody who can be reached without it
    ident = identity.digest("said", twin_key(message))
    return Received(id=ident, source=MESSAGE, sender=message.sender, content=content, received_at=now)


def _clicked(message: Clicked, now: datetime) -> Received:
    content = {
        "track": message.out_track_id,
        "action": message.button,
        "reason": str(message.params.get("reason") or "")[:LONGEST],
        "message_id": message.message_id,
    }
    return Received(identity.digest("clicked", twin_key(message)), CLICK, message.sender, content, now)
