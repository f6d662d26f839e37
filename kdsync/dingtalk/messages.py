"""Content as DingTalk's messages: the same content and footer always give the same bytes, and always bytes that fit.

The bytes are stored and sent as they are; that DingTalk drops what a person already got today makes a repeat harmless.
Sources: "Message types and data formats", "Update the status bar of a work notification" and "Custom robot" on
open.dingtalk.com.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson

from kdsync.delivery.escaping import within_line
from kdsync.dingtalk.shortening import largest, shortened, shortened_markdown
from kdsync.model import Content, Priority, Status

WORK_BYTES = 2048  # of the whole msg
GROUP_BYTES = 19_000  # of 20,000 for the body, which also takes the uuid
TITLE = 64
FORM_TITLE = 50
HEADING = 120
BUTTON = 20
LINK_BYTES = 500
MOST_READ = 100_000  # characters of a text; what follows could not be shown anyway
HEAD = 10
ROWS, LINES = 6, 3  # of a form and of the text below it; more are not shown
COLUMNS = 60  # of a line, which nothing tells; a Chinese character takes two
FOOTER = 120  # characters; what kdsync writes is a fraction of it
HOME = "https://www.dingtalk.com/"  # a form must lead somewhere
UNTITLED = "Kingdee"

COLOURS = {  # alpha, red, green, blue
    Priority.LOW: "FF858E99",
    Priority.NORMAL: "FF3296FA",
    Priority.HIGH: "FFFF9D46",
    Priority.URGENT: "FFF65E5E",
}
MOST_WITH_BAR = 5  # people of one call whose message has a status bar
BAR_WAITING, BAR_OVER = "0xFFFF9D46", "0xFF858E99"
BARS = {Status.APPROVED: "0xFF78C06E", Status.SENT_BACK: "0xFFF65E5E"}
MARKS = {Priority.LOW: "", Priority.NORMAL: "", Priority.HIGH: " ❗", Priority.URGENT: " ‼️"}

NEWLINES = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")
BLANK_LINES = re.compile(r"\n(?:[ ]*\n)+")
BLOCK = re.compile(r" {0,3}(#{1,6} |>|[-*+] |\d+\. )")
LINK = re.compile(r"(?:https?|dingtalk)://[^\s\"<>\\]+", re.IGNORECASE)
HOST = re.compile(r"://([\w.:-]+)")
ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
MARKDOWN_LINK = re.compile(r"(?<!\\)!?\[((?:[^\[\]\\]|\\.)*)\]\([^()\s]*\)")


def work_message(content: Content, footer: str, *, priority: Priority, button: str, bar: str = "") -> bytes:
    """The JSON of `msg` for a work notification, at most 2048 bytes.

    A form (`oa`) for content with fields, where it shows everything; else a card with one button for content with a
    link, else markdown. A link that DingTalk would not take is left out. Only a form shows `bar`, its status while
    somebody has to decide; DingTalk takes that for MOST_WITH_BAR people by userid.
    """
    content, footer = _tidy(content), _footer(footer)
    form = _form(content, footer, priority, bar) if 0 < len(content.fields) <= ROWS else b""
    if form:
        return form
    content, title = _with_rows_as_lines(content), shortened(content.title, TITLE)
    if not content.link:
        return _fitted(content, footer, priority, WORK_BYTES, lambda text: _markdown(title, text))
    card = {"title": title, "single_title": shortened(one_line(button), BUTTON) or "→", "single_url": content.link}
    return _fitted(
        content,
        footer,
        priority,
        WORK_BYTES,
        lambda text: {"msgtype": "action_card", "action_card": {**card, "markdown": text}},
    )


def shows_bar(message: bytes) -> bool:
    """Whether a message has a status bar."""
    try:
        decoded = orjson.loads(message)
    except orjson.JSONDecodeError:
        return False
    return isinstance(decoded, dict) and "status_bar" in decoded.get("oa", ())


def group_message(content: Content, footer: str, *, priority: Priority) -> bytes:
    """The JSON of a group robot's message, at most 19,000 bytes: markdown, with fields as lines and the link below."""
    content = _with_rows_as_lines(_tidy(content))
    below = "\n\n".join(filter(None, (_anchor(content.link), _footer(footer))))
    title = shortened(content.title, TITLE)
    return _fitted(content, below, priority, GROUP_BYTES, lambda text: _markdown(title, text))


def _markdown(title: str, text: str) -> dict[str, Any]:
    return {"msgtype": "markdown", "markdown": {"title": title, "text": text}}


def _fitted(
    content: Content, footer: str, priority: Priority, limit: int, message: Callable[[str], dict[str, Any]]
) -> bytes:
    heading = f"### {within_line(shortened(content.title, HEADING))}{MARKS[priority]}"  # a title is plain text

    def build(most: int, most_below: int = limit) -> bytes:
        texts = (shortened_markdown(content.body, most), shortened_markdown(content.below, most_below))
        return _json(message("\n\n".join(filter(None, (heading, *map(with_line_breaks, texts), footer)))))

    if len(build(0)) > limit:
        return largest(lambda most: build(0, most), min(len(content.below), limit), limit)
    return largest(build, min(len(content.body), limit), limit)


def _with_rows_as_lines(content: Content) -> Content:
    rows = [f"**{name}**: {value}" for name, value in content.fields]
    return replace(content, body="\n".join([*rows, *filter(None, [content.body])]))


def _text_of_form(content: Content) -> str:
    """What stands below its rows, without blank lines."""
    lines = f"{plain(content.body)}\n{plain(content.below)}".split("\n")
    return "\n".join(line for line in lines if line.strip())


def _lines(text: str) -> int:
    """How many lines a text takes; about, where it takes many."""
    return sum(-(-_columns(line[: LINES * COLUMNS + 1]) // COLUMNS) for line in text.split("\n")[: LINES + 1])


def _columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in line)


def _form(content: Content, footer: str, priority: Priority, bar: str) -> bytes:
    """Its values are cut where they are too long for all of it; b"" where its text is."""
    text = _text_of_form(content)
    if _lines(text) > LINES:
        return b""
    title = shortened(content.title, FORM_TITLE)
    rows = [(plain(name), plain(value)) for name, value in content.fields]
    status = {"status_bar": {"status_value": bar, "status_bg": BAR_WAITING}} if bar else {}

    def build(most: int) -> bytes:
        form = [{"key": shortened(name, most), "value": shortened(value, most)} for name, value in rows]
        body = {"title": title, "form": form, "content": text, "author": footer}
        shown = {
            "message_url": content.link or HOME,
            "head": {"bgcolor": COLOURS[priority], "text": shortened(title, HEAD)},
            "body": {name: value for name, value in body.items() if value},
            **status,
        }
        return _json({"msgtype": "oa", "oa": shown})

    form = largest(build, WORK_BYTES, WORK_BYTES)
    return form if len(form) <= WORK_BYTES else b""


def with_line_breaks(body: str) -> str:
    """`body` with breaks where it has newlines: DingTalk swallows a single one unless two blanks stand on both sides.

    Within lists and quotes the blanks go before it only, since a blank after it would nest the next item.
    """
    lines = BLANK_LINES.sub("\n\n", body).split("\n")
    return lines[0] + "".join(_break(before, line) + line for before, line in pairwise(lines))


def _break(before: str, line: str) -> str:
    kinds = [found[1].strip()[:1] if found else "" for found in (BLOCK.match(before), BLOCK.match(line))]
    if not before or not line:
        return "\n"
    if kinds == ["", ""]:
        return "  \n  "
    same = kinds[0] == kinds[1] or (kinds[0].isdigit() and kinds[1].isdigit())
    return "  \n" if same else "\n\n"


def _tidy(content: Content) -> Content:
    body, below = clean(content.body).strip(), clean(content.below).strip()
    title = one_line(content.title) or one_line(body.partition("\n")[0]) or UNTITLED
    fields = tuple((one_line(name), one_line(value)) for name, value in content.fields)
    return replace(content, title=title, body=body, below=below, link=usable_link(content.link), fields=fields)


def usable_link(link: str) -> str:
    """`link`, or nothing where DingTalk would not take it."""
    link = link.strip()
    usable = LINK.fullmatch(link) and clean(link) == link and len(link.encode()) <= LINK_BYTES
    return link if usable else ""


def _anchor(link: str) -> str:
    host = HOST.search(link)
    address = link.replace("(", "%28").replace(")", "%29")
    return f"[{host[1] if host else '→'}]({address})" if link else ""


def _footer(footer: str) -> str:
    """`footer` as it is; one that cannot stay so is marked, so that two footers never become one."""
    shown = shortened(clean(footer).replace("\n", " "), FOOTER)
    if shown == footer:
        return footer
    return f"{shown} {hashlib.sha256(footer.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def clean(text: str) -> str:
    """`text` in characters that survive UTF-8, newlines its only controls."""
    return CONTROLS.sub(" ", NEWLINES.sub("\n", text[:MOST_READ].encode("utf-8", "replace").decode()))


def one_line(text: str) -> str:
    """The same on one line."""
    return re.sub(r" *\n *", " ", clean(text)).strip()


def plain(text: str) -> str:
    """`text` without markdown, for where DingTalk would show its signs."""
    text = MARKDOWN_LINK.sub(r"\1", text)
    text = re.sub(r"(?m)^ {0,3}(?:#{1,6} |> )", "", text)
    return ESCAPE.sub(r"\1", re.sub(r"(?<!\\)\*\*", "", text))


def _json(message: dict[str, Any]) -> bytes:
    return orjson.dumps(message, option=orjson.OPT_SORT_KEYS)
