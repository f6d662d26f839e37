"""Making a message fit: DingTalk's limits are in characters and in bytes, and a person should not see where we cut."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

ELLIPSIS = "…"
JOINER = "\u200d"
MARKS = ("Mn", "Mc", "Me")  # accents and tones; variation selectors are among them
OPEN_LINK = re.compile(r"(?<!\\)!?\[[^\[\]]*(\]\([^()]*|\])?$")
BOLD = re.compile(r"(?<!\\)\*\*")


def shortened(text: str, most: int) -> str:
    """`text` in at most `most` characters, the last an ellipsis if it was cut; never half of what reads as one.

    Nothing says how DingTalk counts; as Java does, an emoji counts as two.
    """
    if len(text) <= most and _units(text) <= most:
        return text
    return text[: _boundary(text, _within(text, most - 1))].rstrip() + ELLIPSIS if most > 0 else ""


def shortened_markdown(text: str, most: int) -> str:
    """The same in about `most` characters, cut between two lines where that costs no more than half.

    A link that is cut open is left out, bold that is cut open is closed.
    """
    if len(text) <= most or most <= 0:
        return text[: max(most, 0)]
    head = text[: _boundary(text, most - 1)]
    line = head.rfind("\n")
    if line > 0 and line * 2 >= most:
        return head[:line].rstrip() + "\n" + ELLIPSIS
    head = OPEN_LINK.sub("", head).rstrip()
    return head + ELLIPSIS + ("**" if len(BOLD.findall(head)) % 2 else "")


def largest(build: Callable[[int], bytes], longest: int, limit: int) -> bytes:
    """`build(n)` for about the largest n up to `longest` that gives no more than `limit` bytes; `build(0)` must fit."""
    whole = build(longest)
    if len(whole) <= limit:
        return whole
    fits, low, high = build(0), 0, longest
    while high - low > 1:
        middle = (low + high) // 2
        tried = build(middle)
        if len(tried) <= limit:
            fits, low = tried, middle
        else:
            high = middle
    return fits


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _within(text: str, units: int) -> int:
    """How many characters of a text fit into so many units of UTF-16."""
    head = text[:units]
    while (over := _units(head) - units) > 0:
        head = head[: len(head) - (over + 1) // 2]
    return len(head)


def _boundary(text: str, end: int) -> int:
    """The last place at or before `end` that is not inside a character."""
    while end > 0 and _joined(text[end - 1], text[end]):
        end -= 1
    return end


def _joined(before: str, after: str) -> bool:
    if before in (JOINER, "\\") or after == JOINER:  # a backslash and what it escapes are one
        return True
    if unicodedata.category(after) in MARKS or "\U0001f3fb" <= after <= "\U0001f3ff":  # the latter are skin tones
        return True
    return _is_flag_half(before) and _is_flag_half(after)


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
