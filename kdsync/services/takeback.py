"""Taking back what was confirmed and waits for its time to be over (`undo` of an action)."""

from __future__ import annotations

import unicodedata

WORDS = frozenset({"撤销", "撤回", "undo", "hủy", "huỷ"})
MOST_WORDS = 2  # the word, and a number


def asked(text: str) -> str | None:
    """The number of what somebody takes back, '' for whatever it was last; None where nothing is taken back."""
    words = unicodedata.normalize("NFKC", text).split()
    if not words or len(words) > MOST_WORDS or unicodedata.normalize("NFC", words[0]).casefold() not in WORDS:
        return None
    return words[1] if len(words) == MOST_WORDS else ""
