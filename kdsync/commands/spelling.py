"""One spelling for what people type: full-width or not, capitals or not, with or without emoji."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

BLANK, LINE = " ", "\n"
_NOTHING = frozenset({"Cf", "Cc", "Cs", "Mn", "Me"})  # zero-width, control and half characters, marks without a letter
_GAP = frozenset({"So", "Sk", "Co", "Cn"})  # emoji, their modifiers and what no font has: they part words as blanks do


@dataclass(frozen=True, slots=True)
class Spelt:
    """A message as it is compared. `cased` and `flat` have the same length; `origin` leads back to `text`."""

    text: str
    cased: str  # composed, half-width, without what nobody sees
    flat: str  # the same in small letters
    origin: tuple[int, ...]  # for each character of `flat`, the place in `text` that it comes from

    def rest(self, at: int) -> str:
        """The text as it was typed, from the character of `flat` at `at`."""
        return self.text[self.origin[at] :] if at < len(self.origin) else ""


def spelt(text: str) -> Spelt:
    """The message, in the spelling that is compared."""
    seen = [(one, start) for composed, start in _composed(text) for raw in composed if (one := _shown(raw))]
    cased = "".join(one for one, _ in seen)
    return Spelt(text, cased, "".join(map(_small, cased)), tuple(start for _, start in seen))


def plain(text: str) -> str:
    """The text as it is compared, with single blanks between words."""
    return BLANK.join(spelt(text).flat.split())


def _composed(text: str) -> Iterator[tuple[str, int]]:
    """Each character with the accents that follow it, in one piece where there is one, and where it stands."""
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        yield unicodedata.normalize("NFKC", text[start:end]), start
        start = end


def _shown(one: str) -> str:
    """The character, a blank for a gap, '' for what nobody sees."""
    if one in "\n\r\u2028\u2029":
        return LINE
    category = unicodedata.category(one)
    if one.isspace() or category in _GAP:
        return BLANK
    return "" if category in _NOTHING else one


def _small(one: str) -> str:
    folded = one.casefold()
    return folded if len(folded) == 1 else one
