"""Ids that are the same whenever the same thing is noticed or told again, so that doing it again changes nothing."""

from __future__ import annotations

from hashlib import blake2b


def digest(*parts: str) -> str:
    """24 hexadecimal digits that stand for the parts; no two lists of parts share their joined form."""
    joined = "\x1f".join(parts)
    return blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def event_id(account_set: str, form: str, doc_id: str, version: int, kind: str) -> str:
    """The id of one event: account set, form, document, version of its snapshot, and what happened.

    An id made of the contents would swallow the second approval of approved, un-approved, approved.
    """
    return digest("event", account_set, form, doc_id, str(version), kind)


def task_event_id(account_set: str, item_id: str, receiver: str = "") -> str:
    """The id of the event that a task waits for somebody; `receiver` is whom it was handed on to."""
    return digest("task", account_set, item_id, *([receiver] if receiver else []))


def notification_id(event: str, rule: str) -> str:
    """The id of what one rule tells about one event."""
    return digest("notification", event, rule)


def outbox_id(notification: str, channel: str, target: str) -> str:
    """The id of what one recipient is told by one notification."""
    return digest("outbox", notification, channel, target)


def card_id(notification: str, content: str) -> str:
    """The `outTrackId` of a card, always the same for what it carries: DingTalk makes one of each, however often asked.

    31 characters.
    """
    return f"kdsync-{digest('card', notification, content)}"
