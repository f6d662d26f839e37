"""What somebody asks for in a chat: one phrase and one number, in either order, and a remark.

A change in Kingdee follows from it, so what is not plainly a command is none: a phrase counts at the start of a message
or directly after the number, not within a sentence, not negated, not in a question.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rapidfuzz import fuzz, process

from kdsync.commands.lexicon import (
    TOKEN,
    Lexicon,
    Numbered,
    Phrase,
    Said,
    has_digit,
    leads,
    lexicon,
    numbers_after,
    pieces,
    skip,
)
from kdsync.commands.spelling import Spelt, plain, spelt

__all__ = ["MOST", "Command", "Phrase", "Reason", "Unclear", "parse"]

MOST = 2000  # characters; a longer message is no command
NEAR, MOST_NEAR = 50.0, 3
_QUESTION = re.compile(r"[\W_]*(?:[了过好]{0,2}(?P<word>吗|么|没有?|不|không|chưa)[\W_]*)?")
_ONLY_MENTIONS = re.compile(r"(?:[@＠]\S*\s+)+")
_BEFORE_REMARK = re.compile(r"[\s:：,，;；.。、|—!！)）\]】」』”’-]+")
_AFTER_WORDS = " \n?!.。~"
_NEGATIONS = frozenset({"not", "dont", "never", "không", "chưa"})
_AND = re.compile(r"(?:以及|[和与及到至或]|(?:and|or|to|và|hoặc|đến)\b)?\s*")
_NOT_NOW = frozenset(
    {
        *(
            "不",
            "不要",
            "先不要",
            "先不",
            "别",
            "先别",
            "不行",
            "不可以",
            "不能",
            "暂不",
            "暂缓",
            "取消",
            "撤销",
            "撤回",
            "算了",
        ),
        *("等等", "先等等", "等一下", "等下", "稍等", "稍后", "再说", "明天", "晚点"),
        *("no", "not", "notyet", "notnow", "dont", "donot", "cancel", "stop", "wait", "hold", "holdon", "later"),
        *("tomorrow", "nevermind", "undo"),
        *("không", "chưa", "chưađược", "đừng", "khoan", "khoanđã", "chờđã", "hủy", "huỷ", "đểsau", "thôi", "đượckhông"),
    }
)
"""Remarks, without blanks, that take back what stands before them."""
_LETTERS = re.compile(r"[^\W\d_]*")


class Reason(StrEnum):
    """Why a message is no command."""

    EMPTY = "empty"
    NO_PHRASE = "no-phrase"
    NO_NUMBER = "no-number"
    TWO_COMMANDS = "two-commands"
    TOO_LONG = "too-long"


@dataclass(frozen=True, slots=True)
class Command:
    """One phrase, and what may be the number, the likeliest first. Numbers are half-width, in the case as typed."""

    actions: tuple[str, ...]  # all that the phrase may mean; the form of the document tells which
    numbers: tuple[str, ...]
    opinions: tuple[str, ...]  # the remark for each of the numbers, as typed; "" where there is none

    @property
    def number(self) -> str:
        return self.numbers[0]

    @property
    def opinion(self) -> str:
        return self.opinions[0]

    def opinion_for(self, number: str) -> str:
        """The remark where that one of `numbers` turned out to be the document's."""
        return self.opinions[self.numbers.index(number)]


@dataclass(frozen=True, slots=True)
class Unclear:
    """No command. `nearest` are phrases that may have been meant, `most` is how long a message may be."""

    reason: Reason
    nearest: tuple[str, ...] = ()
    most: int = MOST


def parse(text: str, phrases: Sequence[Phrase]) -> Command | Unclear:
    """What a message asks for."""
    if len(text) > MOST:
        return Unclear(Reason.TOO_LONG)
    message, words = spelt(text), lexicon(tuple(phrases))
    starts = list(leads(message))
    if starts[-1] >= len(message.flat):
        return Unclear(Reason.EMPTY)
    for start in starts:
        found = _phrase_first(message, words, start) or _number_first(message, words, start)
        if found:
            return found
    return Unclear(Reason.NO_PHRASE, _nearest(message, phrases))


def _phrase_first(message: Spelt, words: Lexicon, start: int) -> Command | Unclear | None:
    said = words.at(message, start)
    if said is None:
        return None
    found = list(numbers_after(message, said.end, glued=_goes_on(message, said.end)))
    if not found:
        another = any(_numbered(message, words, said.end))
        return Unclear(Reason.TWO_COMMANDS if another else Reason.NO_NUMBER)
    return _whole(message, words, said, found)


def _number_first(message: Spelt, words: Lexicon, start: int) -> Command | Unclear | None:
    for number in pieces(message, start):
        if number.number.casefold() in _NEGATIONS:
            return None
        said = words.at(message, skip(message, number.end))
        if said and has_digit(number.number) and not _goes_on(message, said.end):
            return _whole(message, words, said, [Numbered(number.number, said.end)])
    return None


def _goes_on(message: Spelt, end: int) -> bool:
    """Whether the word does not end there: `确认付款了吗` is not `确认付款`."""
    return message.flat[end : end + 1].isalnum()


def _whole(message: Spelt, words: Lexicon, said: Said, found: list[Numbered]) -> Command | Unclear:
    """The command, if nothing else in the message stands against it."""
    first = found[0]
    if _asks(message, first.end):
        return Unclear(Reason.NO_PHRASE)
    if _another(message, words, said, first):
        return Unclear(Reason.TWO_COMMANDS)
    by_number = {one.number: _opinion(message, one.end) for one in reversed(found)}
    names = tuple(dict.fromkeys(one.number for one in found))
    return Command(said.actions, names, tuple(by_number[name] for name in names))


def _asks(message: Spelt, end: int) -> bool:
    """`同意 EXP1 了吗？` asks, and decides nothing; neither does `同意 EXP1，先不要`."""
    found = _QUESTION.fullmatch(message.flat, end)
    said = message.flat[end:].rstrip(_AFTER_WORDS)
    is_question = said.endswith("吗") or bool(found and (found["word"] or "?" in found[0]))
    return is_question or "".join(filter(str.isalnum, said)) in _NOT_NOW


def _another(message: Spelt, words: Lexicon, said: Said, first: Numbered) -> bool:
    """Whether the rest holds a second command, a second number of the same kind, or another phrase for the same."""
    place = skip(message, first.end)
    also = words.at(message, place)
    if also and also.actions != said.actions and not _goes_on(message, also.end):
        return True
    after = _AND.match(message.flat, place)
    number = TOKEN.match(message.flat, after.end() if after else place)
    if number and _alike(number[0], first.number):
        return True
    return any(
        one.actions != said.actions or number.casefold() != first.number.casefold()
        for one, number in _numbered(message, words, first.end)
    )


def _alike(one: str, other: str) -> bool:
    """Whether two numbers look like those of two documents of one form."""
    one, other = one.casefold(), other.casefold()
    prefix = _prefix(other)
    same = has_digit(one) and _prefix(one) == prefix and one != other
    return same and (bool(prefix) or len(one) == len(other))


def _prefix(number: str) -> str:
    found = _LETTERS.match(number)
    return found[0] if found else ""


def _numbered(message: Spelt, words: Lexicon, place: int) -> Iterator[tuple[Said, str]]:
    """Every phrase from there on that has a number after it or before it."""
    tokens = [token for token in TOKEN.finditer(message.flat, place) if has_digit(token[0])]
    for said in words.after(message, place):
        after = next(numbers_after(message, said.end, glued=True), None)
        if after:
            yield said, after.number
        while len(tokens) > 1 and tokens[1].end() <= said.start:
            tokens.pop(0)
        if tokens and tokens[0].end() <= said.start and skip(message, tokens[0].end()) == said.start:
            yield said, tokens[0][0]


def _opinion(message: Spelt, end: int) -> str:
    """What else was typed; '' where it is only punctuation or a mention."""
    rest = message.rest(end)
    rest = rest[found.end() :] if (found := _BEFORE_REMARK.match(rest)) else rest
    rest = "".join(one for one in rest if one in "\n\t" or unicodedata.category(one) not in ("Cc", "Cs")).strip()
    says = any(one.isalnum() or unicodedata.category(one) == "So" for one in rest)
    return rest if says and not _ONLY_MENTIONS.fullmatch(f"{rest} ") else ""


def _nearest(message: Spelt, phrases: Sequence[Phrase]) -> tuple[str, ...]:
    """Phrases that look like the words of the message."""
    said = " ".join(word for word in message.flat[:80].split() if not has_digit(word))
    written = {plain(phrase.text): phrase.text for phrase in phrases}
    found = process.extract(said, list(written), scorer=fuzz.WRatio, limit=MOST_NEAR, score_cutoff=NEAR)
    return tuple(written[text] for text, _, _ in found)
