"""The rule language as an operator writes it: what one entry of `rules:` may hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from kdsync.model import Priority
from kdsync.rules.recipients import Recipient, parse_recipient


def _recipient(value: Any) -> Recipient:
    if not isinstance(value, str):
        raise ValueError("a recipient is text, such as role:cashier")  # noqa: TRY004  # pydantic wants ValueError
    return parse_recipient(value)


RecipientText = Annotated[Recipient, BeforeValidator(_recipient)]


class Section(BaseModel):
    """A mapping in a YAML file: unknown keys are errors, nothing is guessed from another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class MessageSection(Section):
    """What is sent. Each template is one text, or one text a locale."""

    title: str | Mapping[Literal["zh", "en", "vi"], str]
    body: str | Mapping[Literal["zh", "en", "vi"], str] = ""
    link: str = ""  # a template too: makes the message a card with one button
    fields: Mapping[str, str] = {}  # label: template; makes the message a form of up to six rows


class RuleSection(Section):
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    form: str
    on: tuple[str | Mapping[str, Any], ...] = Field(min_length=1)  # triggers; see kdsync/rules/triggers.py
    when: str | None = None
    to: tuple[RecipientText, ...] = Field(min_length=1)
    priority: Priority = Priority.NORMAL
    message: MessageSection
    mode: Literal["live", "shadow"] = "live"
