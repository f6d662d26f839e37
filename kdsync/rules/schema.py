"""The rule language as an operator writes it: what one entry of `rules:` may hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from kdsync.model import Priority
from kdsync.rules.recipients import WITH_VALUE, WITHOUT_VALUE, Recipient, parse_recipient


def _recipient(value: Any) -> Recipient:
    if isinstance(value, Recipient):
        return value
    if not isinstance(value, str):
        raise ValueError("is not a recipient; write text such as role:cashier")  # noqa: TRY004  # pydantic wants ValueError
    return parse_recipient(value)


def _listed(value: Any) -> Any:
    """One trigger may be written without a list around it."""
    return (value,) if isinstance(value, (str, Mapping)) else tuple(value) if isinstance(value, list) else value


def _limit(value: Any) -> int | None:
    if value == "off":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("is neither a number from 1 nor off")
    return value


def written_kind(value: Any) -> str:
    """The tag of a value that may be text or a mapping."""
    return "[by key]" if isinstance(value, Mapping) else "[text]"


RECIPIENT_SCHEMA = {
    "type": "string",
    "pattern": f"^({'|'.join(WITHOUT_VALUE)}|({'|'.join(WITH_VALUE)}):.+)$",
    "examples": ["creator", "role:cashier", "user:user7", "group:finance", "manager_of:creator"],
}
RecipientText = Annotated[Recipient, BeforeValidator(_recipient), WithJsonSchema(RECIPIENT_SCHEMA)]

STORM = 200  # so many messages of one rule after one look are more than anybody reads
StormLimit = Annotated[
    int | None,
    BeforeValidator(_limit),
    WithJsonSchema({"oneOf": [{"type": "integer", "minimum": 1}, {"const": "off"}]}),
]

ID = r"^[a-z0-9][a-z0-9_.-]{0,63}$"
FORM = r"^[A-Za-z][A-Za-z0-9_]{0,79}$"

Texts = Annotated[
    Annotated[str, Tag("[text]")]
    | Annotated[Mapping[Literal["zh", "en", "vi"], str], Field(min_length=1), Tag("[by key]")],
    Discriminator(written_kind),
]
"""A template, or one a locale."""

Trigger = Annotated[
    Annotated[str, Tag("[text]")] | Annotated[Mapping[str, Any], Tag("[by key]")],
    Discriminator(written_kind),
]

_TRIGGERS = ["created", "submitted", "approved", "rejected", "unapproved", "voided", "closed", "deleted", "assigned"]
_TRIGGER_SCHEMA: dict[str, Any] = {
    "oneOf": [
        {"enum": _TRIGGERS},
        {
            "type": "object",
            "properties": {"changed": {"type": ["array", "string"], "items": {"type": "string"}}},
            "required": ["changed"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"becomes": {"type": "string"}},
            "required": ["becomes"],
            "additionalProperties": False,
        },
    ]
}
TRIGGERS_SCHEMA = {"oneOf": [_TRIGGER_SCHEMA, {"type": "array", "items": _TRIGGER_SCHEMA, "minItems": 1}]}


class Section(BaseModel):
    """A mapping in a YAML file: unknown keys are errors, nothing is guessed from another type."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True, use_attribute_docstrings=True
    )


class MessageSection(Section):
    """What is sent. Each template is one text, or one text a language."""

    title: Annotated[Texts, Field(examples=["{{ doc.FBillNo }} 已审核"])]
    """The first line, at most 64 characters of it; a template, or one for each of zh, en and vi."""
    body: Texts = ""
    """DingTalk markdown; a template, or one for each of zh, en and vi."""
    link: str = ""
    """A template for a web address; the message becomes a card with one button."""
    fields: Annotated[Mapping[str, str], Field(examples=[{"金额": "{{ doc.FREALPAYAMOUNTFOR | money }}"}])] = {}
    """Label and template of up to six rows; the message becomes a form."""


class RuleSection(Section):
    """One rule: what happened, to whom it is told, and how."""

    id: Annotated[str, Field(pattern=ID, examples=["payment-approved"])]
    """Its name in logs and commands: small letters, digits, `.`, `_` and `-`, the same for ever."""
    form: Annotated[str, Field(pattern=FORM, examples=["AP_PAYBILL"])]
    """The id of the Kingdee form."""
    on: Annotated[tuple[Trigger, ...], Field(min_length=1), BeforeValidator(_listed), WithJsonSchema(TRIGGERS_SCHEMA)]
    """What must have happened: one trigger, or a list of which any will do."""
    when: Annotated[str | None, Field(examples=["doc.FREALPAYAMOUNTFOR >= 10000"])] = None
    """An expression that must be true as well."""
    to: Annotated[tuple[RecipientText, ...], Field(min_length=1)]
    """Who is told."""
    approvers: Annotated[tuple[RecipientText, ...], Field(examples=[["role:finance"]])] = ()
    """With `on: assigned`: who is told in place of the assignee that a document came into approval, where Kingdee's
    workflow tasks cannot be read."""
    priority: Priority = Priority.NORMAL
    """low and normal wait through the quiet hours, high and urgent do not; what is more urgent is sent first."""
    message: MessageSection
    """What is sent."""
    mode: Literal["live", "shadow"] = "live"
    """A rule in shadow is evaluated and logged, never sent."""
    origin: Annotated[Literal["kingdee", "any"] | None, Field(examples=["any"])] = None
    """Whose changes are told: those made in Kingdee (unless written), or any, also what people did by answering in
    DingTalk."""
    storm: Annotated[StormLimit, Field(examples=[1000, "off"])] = STORM
    """More messages than this after one look are summed up in one, which says how to see and send them; or off."""
    actions: Annotated[tuple[str, ...], Field(examples=[["confirm-payment"]])] = ()
    """The ids of the actions that its message offers."""
