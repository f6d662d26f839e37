"""The lines below a message that say what its reader may answer, and with which words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from kdsync.delivery.words import words

CHINESE = re.compile(r"[\u3400-\u9fff]")


class Answerable(Protocol):
    """What of an action its reader is told."""

    @property
    def phrases(self) -> Sequence[str]: ...
    def title(self, locale: str) -> str: ...


def how_to_reply(actions: Iterable[Answerable], number: str, locale: str) -> str:
    """Markdown, a paragraph for each action; "" where there is none."""
    lines = (
        words("how_to_reply_body", locale, action=one.title(locale), phrase=f"{_phrase(one.phrases, locale)} {number}")
        for one in actions
    )
    return "\n\n".join(lines)


def _phrase(phrases: Sequence[str], locale: str) -> str:
    """The first phrase in the reader's language, or else the first of all."""
    return next((phrase for phrase in phrases if _language(phrase) == locale), phrases[0])


def _language(phrase: str) -> str:
    if CHINESE.search(phrase):
        return "zh"
    return "en" if phrase.isascii() else "vi"
