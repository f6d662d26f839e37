"""Finds the phrases of actions, and numbers of documents, in a message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from kdsync.commands.spelling import Spelt, plain

LONGEST_NUMBER = 80  # characters; Kingdee's bill numbers have at most as many
MOST_PIECES = 4  # that one number may be typed in
_CJK = r"\u1100-\u11ff\u2e80-\U0010ffff"
_LETTER = rf"[^\W_{_CJK}]"  # of an alphabet, or a digit
_CHINESE = re.compile(rf"[{_CJK}]")
_MARKS = r"[-_./]"
TOKEN = re.compile(rf"{_LETTER}+(?:{_MARKS}+{_LETTER}+)*")
"""What a number may be made of; `2026-001`, `HD/2024/7`."""

_NEXT = re.compile(rf" +({TOKEN.pattern})")
_WHOLE = re.compile(rf"[^\W_]+(?:{_MARKS}+[^\W_]+)*")  # a number with Chinese in it
_LONG_MENTION = r"@\S+"
_SHORT_MENTION = r"@[a-z0-9_.-]+(?=[^\sa-z0-9_.-])|@\S+"  # one that the next word follows without a blank
_EMOTICON = r"\[[^\W\d_]{1,8}\]"  # as DingTalk writes its own emoji
_NUMBER_WORD = re.compile(r"(?:(?:单据)?(?:编号|单号|号)|单据|(?:no|nr|number|số|bill)\b)(?:[\W_])*")
_FILL = re.compile(rf"(?:{_LONG_MENTION}|{_EMOTICON}|[\W_])*")
_LEAD = (re.compile(rf"(?:{_SHORT_MENTION}|{_EMOTICON}|[\W_])*"), _FILL)


@dataclass(frozen=True)
class Phrase:
    """One way to ask for an action on documents of one form."""

    text: str
    action: str
    form: str


@dataclass(frozen=True, slots=True)
class Said:
    """A phrase in a message, from `start` to `end`, and all actions that it may mean."""

    actions: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Numbered:
    """What may be the number of a document, and where it ends."""

    number: str
    end: int


class Lexicon:
    """All phrases; where several begin at one place, the longest is meant."""

    def __init__(self, phrases: tuple[Phrase, ...]) -> None:
        actions: dict[str, dict[str, None]] = {}
        for phrase in phrases:
            if text := plain(phrase.text):
                actions.setdefault(text, {})[phrase.action] = None
        texts = sorted(actions, key=len, reverse=True)
        self._actions = [tuple(actions[text]) for text in texts]
        self._pattern = re.compile("|".join(f"({_spaced(text)})" for text in texts) or r"(?!)")

    def at(self, spelt: Spelt, place: int) -> Said | None:
        """The phrase that begins there."""
        found = self._pattern.match(spelt.flat, place)
        return self._said(found) if found else None

    def after(self, spelt: Spelt, place: int) -> Iterator[Said]:
        """Every phrase from there on."""
        yield from map(self._said, self._pattern.finditer(spelt.flat, place))

    def _said(self, found: re.Match[str]) -> Said:
        return Said(self._actions[(found.lastindex or 1) - 1], found.start(), found.end())


@lru_cache(maxsize=8)
def lexicon(phrases: tuple[Phrase, ...]) -> Lexicon:
    """The lexicon of these phrases, made once."""
    return Lexicon(phrases)


def _spaced(text: str) -> str:
    """A pattern for one phrase: blanks may stand between Chinese characters; an alphabet's words end where they end."""
    parts = [re.escape(text[0])]
    for before, one in pairwise(text):
        if one != " ":
            gap = r"\s*" if _CHINESE.match(one) or _CHINESE.match(before) else ""
            parts.append((r"\s+" if before == " " else gap) + re.escape(one))
    before = "" if _CHINESE.match(text[0]) else rf"(?<!{_LETTER})"
    after = "" if _CHINESE.match(text[-1]) else rf"(?!{_MARKS}*{_LETTER})"
    return before + "".join(parts) + after


def leads(spelt: Spelt) -> Iterator[int]:
    """Where a message may begin, after those that it mentions, emoji and punctuation."""
    yield from dict.fromkeys(_end(lead.match(spelt.flat)) for lead in _LEAD)


def skip(spelt: Spelt, place: int) -> int:
    """The next word after blanks, punctuation, emoji and mentions."""
    return _end(_FILL.match(spelt.flat, place))


def numbers_after(spelt: Spelt, place: int, *, glued: bool) -> Iterator[Numbered]:
    """What may be the number after a phrase that ends there, or after a word such as `单号` that follows it."""
    start = skip(spelt, place)
    word, first = _NUMBER_WORD.match(spelt.flat, start), TOKEN.match(spelt.flat, start)
    after = word.end() if word else start
    if first and has_digit(first[0]):  # `NO.7` and `BILL-7` are numbers, but the first may be meant as 7
        yield from numbers(spelt, start, glued=glued)
        if not (word and word[0] == "no."):
            return
    yield from numbers(spelt, after, glued=glued and after == start)


def _end(found: re.Match[str] | None) -> int:
    return found.end() if found else 0


def numbers(spelt: Spelt, place: int, *, glued: bool) -> Iterator[Numbered]:
    """What may be the number that begins there, the likeliest first; `glued` to the word before it.

    A number that was typed in pieces is put together where its first piece has no digit, or where it ends the message:
    elsewhere a second piece is rather a remark, and joining it could hit another document.
    """
    end_of_words = len(spelt.flat.rstrip())
    begun = False
    for one in pieces(spelt, place):
        if has_digit(one.number) and (not begun or one.end >= end_of_words):
            yield one
        begun = has_digit(one.number)
    whole = _WHOLE.match(spelt.flat, place)
    if whole and not glued and has_digit(whole[0]) and _CHINESE.search(whole[0]) and len(whole[0]) <= LONGEST_NUMBER:
        yield Numbered(spelt.cased[whole.start() : whole.end()], whole.end())


def pieces(spelt: Spelt, place: int) -> Iterator[Numbered]:
    """The word that begins there, then together with each that follows after blanks; all but the first have digits."""
    joined, found = "", TOKEN.match(spelt.flat, place)
    for _ in range(MOST_PIECES):
        if not found or (joined and not has_digit(found[0])):
            return
        joined += spelt.cased[found.start() : found.end()].lstrip()
        if len(joined) > LONGEST_NUMBER:
            return
        yield Numbered(joined, found.end())
        found = _NEXT.match(spelt.flat, found.end())


def has_digit(text: str) -> bool:
    return any(one.isdigit() for one in text)
