"""Keeps what comes from Kingdee from being read as markup: a supplier's name must not become a link or a heading.

DingTalk's markdown is described in its open platform documents under "消息类型与数据格式" (markdown).
"""

from __future__ import annotations

import re
from urllib.parse import quote

LONGEST_VALUE = 500  # characters of one printed value
_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROL = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
_CLEAN: dict[int, str | None] = {
    **dict.fromkeys(_CONTROL, " "),
    **dict.fromkeys(_BIDI, None),
    **dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}"),  # halves of characters, which nothing can send
}
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_APART = "@\N{ZERO WIDTH SPACE}"
_ANYWHERE = re.compile(r"[\\*`\[\]]|<(?=[A-Za-z/!?])|&(?=#?\w+;)|~(?=~)|(?<=~)~")
_LINE_START = re.compile(r"[#>=~|]|([-+])(?=\1|\s|$)")
_NUMBERED = re.compile(r"(\d+)([.)])(?=\s|$)")
_URL_SAFE = ":/?#@!$&+,;=%~-._"


def plain(text: str) -> str:
    """One line without control characters, tricks of direction, mentions or overlong values."""
    line = text.replace("\r\n", " ").translate(_CLEAN).strip()
    if len(line) > LONGEST_VALUE:
        line = line[: LONGEST_VALUE - 1].rstrip() + "…"
    return _MENTION.sub(_APART, line)


def markdown(text: str) -> str:
    """The same, every character of it shown as it is by DingTalk's markdown."""
    line = within_line(plain(text))
    if _LINE_START.match(line):
        return "\\" + line
    return _NUMBERED.sub(r"\1\\\2", line, count=1) if _NUMBERED.match(line) else line


def within_line(text: str) -> str:
    """Text of one line for a place where only what can stand anywhere in a line is markup, as in a heading."""
    return re.sub(r"_+", _underscores, _ANYWHERE.sub(r"\\\g<0>", text))


def part_of_url(text: str) -> str:
    """A value inside a URL, whatever it holds."""
    return quote(plain(text), safe="")


def url(text: str) -> str:
    """A whole URL, so that it can stand in brackets."""
    return quote(plain(text), safe=_URL_SAFE)


def _underscores(found: re.Match[str]) -> str:
    """`_` opens emphasis except between two letters or digits."""
    before, after = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    return found[0] if before.isalnum() and after.isalnum() else found[0].replace("_", r"\_")
