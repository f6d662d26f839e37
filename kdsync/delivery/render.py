"""From a rule that fired to what a recipient reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from kdsync.delivery.style import Place, Style
from kdsync.errors import KdsyncError
from kdsync.model import Content, Event


class RenderError(KdsyncError):
    """A message could not be written; `path` is the template's, such as `message.body`."""

    def __init__(self, rule: str, path: str, what: str) -> None:
        super().__init__(f"rule {rule}: {path}: {what}")
        self.rule = rule
        self.path = path
        self.what = what


class Template(Protocol):
    """A compiled template; KdsyncError where it cannot be filled in."""

    def render(self, names: Mapping[str, Any], style: Style) -> str: ...


class Templates(Protocol):
    """Title and body by locale, the link, and the fields with their labels."""

    @property
    def title(self) -> Mapping[str, Template]: ...
    @property
    def body(self) -> Mapping[str, Template]: ...
    @property
    def link(self) -> Template | None: ...
    @property
    def fields(self) -> tuple[tuple[str, Template], ...]: ...


class Rule(Protocol):
    """What of a compiled rule a message is made of."""

    @property
    def id(self) -> str: ...
    @property
    def message(self) -> Templates: ...
    def names(self, event: Event, *, now: datetime, zone: ZoneInfo, form_title: str) -> Mapping[str, Any]: ...


def render(rule: Rule, event: Event, *, locale: str, now: datetime, zone: ZoneInfo, form_title: str) -> Content:
    """The message of a rule about an event, in one language; the same input always gives the same text.

    Dates are in `zone`, the server's. A title that comes out empty is the form's name and the document's number.
    RenderError where a template and the values do not go together.
    """
    names = rule.names(event, now=now, zone=zone, form_title=form_title)
    message = rule.message

    def text(path: str, template: Template | None, place: Place) -> str:
        try:
            return template.render(names, Style(locale, place)).strip() if template else ""
        except KdsyncError as error:
            raise RenderError(rule.id, f"message.{path}", str(error)) from error

    return Content(
        title=" ".join(text("title", _of(message.title, locale), Place.TITLE).split())
        or f"{form_title} {event.number}",
        body=text("body", _of(message.body, locale), Place.BODY),
        link=text("link", message.link, Place.LINK),
        fields=tuple((label, text(f"fields.{label}", value, Place.BODY)) for label, value in message.fields),
    )


def _of(templates: Mapping[str, Template], locale: str) -> Template | None:
    return templates.get(locale) or templates.get("zh") or next(iter(templates.values()), None)
