"""How a message reads on somebody's phone, whatever type it was sent as."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_LINE_BREAK = re.compile(r"\n[ \t]*\n\s*|  \n  |\n(?=#{1,6} |> ?|- |\d+\. )")
_SWALLOWED = re.compile(r" *\n *")
_MARKS = (
    (re.compile(r"^#{1,6} +", re.MULTILINE), ""),
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"[\1]"),
    (re.compile(r"(?<!\\)\[([^\]]*)\]\(([^)]*)\)"), r"\1 <\2>"),
    (re.compile(r"(?<!\\)\*\*(.+?)(?<!\\)\*\*"), r"\1"),
    (re.compile(r"(?<![\\*])\*([^*\n]+)(?<!\\)\*"), r"\1"),
    (re.compile(r"\\([!-/:-@\[-`{-~])"), r"\1"),
)
_HEADING = re.compile(r"^#{1,6} .*$", re.MULTILINE)
_CARD = frozenset(
    ("title", "body", "fields", "buttons", "status", "open", "decided", "with_reason", "reason_hint", "link", "locale")
)
_OA_ROWS = 6
_OA_LINES = 3


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read: the title as in the list of conversations, and the text below it."""

    title: str
    text: str


def read(message: Mapping[str, Any]) -> Reading:
    """How a message with a `msgtype` reads: a work notification's or a group robot's."""
    kind = message["msgtype"]
    return _READERS[kind](message[kind])


def read_sample(key: str, param: Mapping[str, Any]) -> Reading:
    """How an app robot's message reads, from `msgKey` and the decoded `msgParam`."""
    if key.startswith("sampleActionCard"):
        buttons = [str(value) for name, value in param.items() if re.search(r"Title\d?$", name)]
        return Reading(param["title"], _lines(markdown(param["text"]), *(f"[{button}]" for button in buttons)))
    return _SAMPLES[key](param)


def read_card(params: Mapping[str, str]) -> Reading:
    """How the card of `config/cards/decision.json` reads; parameters that it does not know are shown below it."""
    rows = [f"{row.get('name', '')} {row.get('value', '')}".strip() for row in _objects(params.get("fields", ""))]
    buttons = [f"[{button.get('label', '')}]" for button in _objects(params.get("buttons", ""))]
    clickable = params.get("open") == "true" != params.get("decided")
    others = [value for name, value in params.items() if name not in _CARD]
    body = markdown(params.get("body", "").replace("<br>", "\n\n"))
    lines = [body, *rows, params.get("status", ""), *(buttons if clickable else []), *others]
    return Reading(params.get("title", ""), "\n".join(filter(None, lines)))


def markdown(text: str) -> str:
    """DingTalk's markdown as plain lines.

    A line ends at a blank line or at a newline with two blanks on each side; any other newline is swallowed
    ("Message types and data formats" on open.dingtalk.com). Links keep their address.
    """
    spaced = _HEADING.sub(lambda heading: f"\n\n{heading[0]}\n\n", text.replace("\r\n", "\n"))
    lines = [_SWALLOWED.sub("", line).strip() for line in _LINE_BREAK.split(spaced)]
    return "\n".join(_plain(line) for line in lines if line)


def _objects(text: str) -> list[dict[str, Any]]:
    try:
        items = orjson.loads(text or "[]")
    except orjson.JSONDecodeError:
        return []
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _plain(line: str) -> str:
    for mark, plain in _MARKS:
        line = mark.sub(plain, line)
    return line


def _lines(*lines: str) -> str:
    return "\n".join(line for line in lines if line)


def _text(body: Mapping[str, Any]) -> Reading:
    content = str(body["content"])
    return Reading(content.partition("\n")[0], content)


def _markdown(body: Mapping[str, Any]) -> Reading:
    return Reading(body["title"], markdown(body["text"]))


def _link(body: Mapping[str, Any]) -> Reading:
    return Reading(body["title"], str(body["text"]))


def _work_card(body: Mapping[str, Any]) -> Reading:
    buttons = body.get("btn_json_list") or [{"title": body.get("single_title", "")}]
    return Reading(body["title"], _lines(markdown(body["markdown"]), *(f"[{button['title']}]" for button in buttons)))


def _robot_card(body: Mapping[str, Any]) -> Reading:
    buttons = body.get("btns") or [{"title": body.get("singleTitle", "")}]
    return Reading(body["title"], _lines(markdown(body["text"]), *(f"[{button['title']}]" for button in buttons)))


def _feed_card(body: Mapping[str, Any]) -> Reading:
    titles = [str(link["title"]) for link in body["links"]]
    return Reading(titles[0], _lines(*titles))


def _oa(body: Mapping[str, Any]) -> Reading:
    """Six rows and three lines of content are shown; the head shows the app's own name instead of `head.text`."""
    inner = body["body"]
    rows = [f"{row.get('key', '')} {row.get('value', '')}".strip() for row in (inner.get("form") or [])[:_OA_ROWS]]
    rich = inner.get("rich") or {}
    number = f"{rich.get('num', '')} {rich.get('unit', '')}".strip()
    content = str(inner.get("content") or "").split("\n")[:_OA_LINES]
    return Reading(inner.get("title") or "", _lines(*rows, number, *content, inner.get("author") or ""))


def _attachment(kind: str) -> Callable[[Mapping[str, Any]], Reading]:
    return lambda body: Reading(f"[{kind}]", str(body.get("fileName") or ""))


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Reading]] = {
    "text": _text,
    "markdown": _markdown,
    "link": _link,
    "action_card": _work_card,
    "actionCard": _robot_card,
    "feedCard": _feed_card,
    "oa": _oa,
    "image": _attachment("image"),
    "voice": _attachment("voice"),
    "file": _attachment("file"),
}

_SAMPLES: Mapping[str, Callable[[Mapping[str, Any]], Reading]] = {
    "sampleText": _text,
    "sampleMarkdown": _markdown,
    "sampleLink": _link,
    "sampleImageMsg": _attachment("image"),
    "sampleAudio": _attachment("voice"),
    "sampleFile": _attachment("file"),
    "sampleVideo": _attachment("video"),
}
