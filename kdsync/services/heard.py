"""What somebody said, with the six digits at its end apart that may be a one-time code: these are forgotten first."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from kdsync.commands.onetime import digits, split
from kdsync.store.inbox import Received

CODE = "code"
LONGEST_QUOTE = 40  # characters
SESSION = "session"  # the address of the conversation, for those whom nothing else reaches
POSTING = "posting"  # whether an answer may be on its way there
SAID_AT = "said_at"  # when it was said, by DingTalk's clock
LATE, EARLY = timedelta(minutes=5), timedelta(minutes=1)  # so far from when it came may that be


def apart(item: Received) -> Received:
    """As it is kept; whether the digits are a code is told once it is understood."""
    key = _key(item)
    head, tail = split(str(item.content.get(key) or ""))
    return replace(item, content={**item.content, key: head, CODE: tail}) if tail else item


def whole(item: Received) -> Received:
    """As it was said: the digits are no code."""
    key, tail = _key(item), str(item.content.get(CODE) or "")
    if not tail:
        return item
    return replace(item, content={**item.content, key: f"{item.content.get(key) or ''}{tail}", CODE: ""})


def forgotten(item: Received) -> Received:
    """Without the digits, and without the address of the conversation."""
    content = {key: value for key, value in item.content.items() if key != SESSION}
    return replace(item, content=content | ({CODE: ""} if content.get(CODE) else {}))


def text(item: Received) -> str:
    """What was written, as far as it is no code."""
    return str(item.content.get("text") or "")


def clipped(said: str) -> str:
    """As much of it as a reply quotes, on one line."""
    said = " ".join(said.split())
    return said if len(said) <= LONGEST_QUOTE else said[:LONGEST_QUOTE] + "…"


def quoted(item: Received) -> str:
    """What was said or pressed, as a reply quotes it."""
    return clipped(text(item)) or str(item.content.get("action") or "?")


def code(item: Received) -> str:
    """The six digits, as an app shows them; '' where none came."""
    return digits(str(item.content.get(CODE) or ""))


def moments(item: Received) -> tuple[datetime, ...]:
    """When it came, and when it was said where that is told: a message may be pushed late, or again."""
    try:
        said = datetime.fromisoformat(str(item.content.get(SAID_AT)))
    except ValueError:
        return (item.received_at,)
    is_near = said.tzinfo is not None and -EARLY <= item.received_at - said <= LATE
    return (item.received_at, said) if is_near else (item.received_at,)


def is_click(item: Received) -> bool:
    """Whether it is about a card: a click, or the code that came after one."""
    return "track" in item.content


def _key(item: Received) -> str:
    return "reason" if is_click(item) else "text"
