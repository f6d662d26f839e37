"""What the simulated Kingdee's web server can be told to send, the broken answers included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from kdsync.simulator.kingdee_login import Session

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
PAGE = "<!DOCTYPE html><html><head><title>金蝶云星空</title></head><body>{}</body></html>"


@dataclass(slots=True)
class Reply:
    """What goes back; with `dropped` the connection is reset instead, after `hang` seconds at most if given.

    `cut` breaks the connection in the middle of the body: of one whose length was announced, or between two chunks.
    `announced` is a length that is announced in place of the body's own.
    """

    body: bytes = b""
    status: int = 200
    content_type: str = JSON
    session: Session | None = None
    rows: int = 0
    dropped: bool = False
    hang: float | None = None
    slow: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: Literal["", "length", "chunks"] = ""
    announced: int | None = None


def text(body: str, status: int = 200, content_type: str = TEXT, headers: Mapping[str, str] | None = None) -> Reply:
    """A plain text."""
    return Reply(body.encode(), status, content_type, headers=headers or {})


def page(words: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A web page."""
    return text(PAGE.format(words), status, HTML, headers)
