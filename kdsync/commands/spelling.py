"""One spelling for what people type: full-width or not, capitals or not, with or without emoji."""

from __future__ import annotations

import unicodedata

BLANK = " "
_UNSEEN = frozenset({"Cf", "Cc", "Cs", "Co", "Cn", "So", "Sk", "Mn", "Me"})
"""Unicode categories of what is left out: zero-width and control characters, emoji and their modifiers.

Marks (Mn) are left out after composition, so that the accents of Vietnamese, which compose, are kept."""


def plain(text: str) -> str:
    """The text as it is compared: composed, lower case, without emoji, with single blanks between words."""
    return BLANK.join("".join(map(plain_character, composed(text))).split())


def composed(text: str) -> str:
    """The text with full-width forms made half-width and accents put onto their letters; case is kept."""
    return unicodedata.normalize("NFKC", text)


def plain_character(one: str) -> str:
    """What stands for one character of a composed text in a comparison; '' for what nobody sees."""
    if one.isspace():
        return BLANK
    return "" if unicodedata.category(one) in _UNSEEN else one.casefold()
