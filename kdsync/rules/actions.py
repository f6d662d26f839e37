"""What people may answer: one entry of `actions:` in a file of rules, and what is made of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from kdsync.model import Do, Document, Offered
from kdsync.rules.compile import ONE_TEXT, recipient_fields
from kdsync.rules.durations import Seconds, between
from kdsync.rules.expressions import Expression, TextError, compile_expression
from kdsync.rules.mistakes import Mistake, RuleError
from kdsync.rules.recipients import Recipient
from kdsync.rules.schema import FORM, ID, RecipientText, Section, Texts, written_kind
from kdsync.rules.values import Record

Above = Literal["second-person", "totp"]
FIELD = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$"
BY_WORKFLOW, BY_STATUS = frozenset({"approve", "reject"}), frozenset({"submit", "audit"})
STATUS_FIELDS = frozenset({"fdocumentstatus", "fcancelstatus", "fclosestatus"})
SEEN = frozenset({"doc", "now"})  # nothing has happened when somebody asks for an action
Path = tuple[str | int, ...]


def _number(value: Any) -> Any:
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _exact(value: Any) -> Decimal:
    if not isinstance(value, Decimal) or not value.is_finite() or value < 0:
        raise ValueError("is not an amount; write a number such as 50000")
    return value


Amount = Annotated[
    Any, BeforeValidator(_exact), BeforeValidator(_number), WithJsonSchema({"type": "number", "minimum": 0})
]


Wait = Annotated[Seconds, AfterValidator(between("1s", "10m"))]


class LimitSection(Section):
    """Up to which amount one person alone may do it."""

    field: Annotated[str, Field(pattern=FIELD, examples=["FREALPAYAMOUNTFOR"])]
    """The field of the document that holds the amount."""
    max: Annotated[Amount, Field(examples=[50000])]
    """The largest amount that needs nothing more."""
    above: Above
    """What is needed above it: a second person with the right, or a one-time code (totp)."""


class PushSection(Section):
    """A document that is made from this one; `rule`, `to` or both."""

    rule: Annotated[str, Field(min_length=1, examples=["CN_PAYAPPLYTOPAYBILL"])] | None = None
    """The id of Kingdee's conversion rule; unset: the default rule for the form in `to`."""
    to: Annotated[str, Field(pattern=FORM, examples=["AP_PAYBILL"])] | None = None
    """The form of the document that is made."""


class StepSection(Section):
    """A step that needs to know more than its name; one of these."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    save: Annotated[Mapping[str, Any], Field(min_length=1, examples=[{"FREMARK": "OK"}])] | None = None
    """Values by field key, as Kingdee's Save takes them: `{FREMARK: text, FSUPPLIERID: {FNumber: V001}}`."""
    push: PushSection | None = None
    """Makes the following document."""
    operation: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,80}$", examples=["BillClose"])] | None = None
    """The number of an operation of the form."""


Step = Annotated[
    Annotated[Literal["submit", "audit", "approve", "reject"], Tag("[text]")] | Annotated[StepSection, Tag("[by key]")],
    Discriminator(written_kind),
]


class ActionSection(Section):
    """One action: what somebody may write, who may, and what then happens in Kingdee."""

    id: Annotated[str, Field(pattern=ID, examples=["confirm-payment"])]
    """Its name in rules, logs and commands: small letters, digits, `.`, `_` and `-`, the same for ever."""
    title: Annotated[Texts, Field(examples=["确认付款"])]
    """What a button says; a text, or one for each of zh, en and vi."""
    phrases: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=64)], ...],
        Field(min_length=1, examples=[["确认付款", "confirm payment"]]),
    ]
    """What people write before or after the number of the document; in any language, capitals or not."""
    form: Annotated[str, Field(pattern=FORM, examples=["AP_PAYBILL"])]
    """The id of the Kingdee form."""
    allow: Annotated[tuple[RecipientText, ...], Field(min_length=1, examples=[["role:cashier"], ["assignee"]])]
    """Who may: the same words as in `to` of a rule, but no group; `assignee` is whom the workflow waits for."""
    when: Annotated[str | None, Field(examples=["doc.FDocumentStatus in ('A', 'B', 'D')"])] = None
    """An expression about `doc`, the document as it is then, that must be true as well."""
    limit: LimitSection | None = None
    """Up to which amount one person alone may do it."""
    own: bool = True
    """false: nobody may do it to a document that he or she made."""
    undo: Annotated[Wait | None, Field(examples=["30s"])] = None
    """Waits so long before anything is done, so that a reply can take it back."""
    do: Annotated[tuple[Step, ...], Field(min_length=1, examples=[["submit", "audit"], ["approve"]])]
    """The steps, in order: submit, audit, approve, reject, save, push or operation.

    approve and reject decide the workflow task that waits for the sender; audit is for documents without a workflow.
    """


@dataclass(frozen=True, slots=True)
class Limit:
    """What more than `max` in `field` needs."""

    field: str
    max: Decimal
    above: Above


@dataclass(frozen=True, slots=True)
class CompiledAction:
    """An action without mistakes. `heads` and `entries` are the field keys that are read before it is done."""

    id: str
    form: str
    titles: Mapping[str, str]  # by locale
    phrases: tuple[str, ...]  # as they were written
    allow: tuple[Recipient, ...]
    when: Expression | None
    limit: Limit | None
    do: tuple[Do, ...]
    own: bool = True  # also for the document's own creator
    undo: float | None = None  # seconds
    heads: frozenset[str] = frozenset()
    entries: frozenset[str] = frozenset()

    @property
    def takes_code(self) -> bool:
        """Whether a one-time code may have to come with it."""
        return self.limit is not None and self.limit.above == "totp"

    def title(self, locale: str) -> str:
        """What a button says to a reader of that language."""
        return self.titles.get(locale) or self.titles.get(ONE_TEXT) or next(iter(self.titles.values()))

    def suits(self, document: Document, *, now: datetime, zone: ZoneInfo) -> bool:
        """Whether `when` holds for the document; ExpressionError where its values do not go together."""
        return self.when is None or self.when.holds({"doc": Record.of(document, zone), "now": now.astimezone(zone)})


def offered_of(action: CompiledAction) -> Offered:
    """The action as a message offers it."""
    with_reason = any(do.kind in BY_WORKFLOW for do in action.do)
    return Offered(action.id, dict(action.titles), action.phrases, with_reason)


def compile_action(spec: ActionSection) -> CompiledAction:
    """Compile one action; RuleError tells all mistakes at once."""
    mistakes: list[Mistake] = []
    titles = {ONE_TEXT: spec.title} if isinstance(spec.title, str) else {**spec.title}
    mistakes += (Mistake(("title",), "an action needs a title") for title in titles.values() if not title.strip())
    mistakes += _allow(spec.allow)
    when = _when(spec.when, mistakes)
    do = tuple(step for place, written in enumerate(spec.do) if (step := _step(written, ("do", place), mistakes)))
    mistakes += _order(spec.do)
    if mistakes:
        raise RuleError(spec.id, mistakes)
    limit = Limit(spec.limit.field, spec.limit.max, spec.limit.above) if spec.limit else None
    heads = {key for step in do for key in (*step.read_back, *step.fields)} | recipient_fields(spec.allow)
    heads |= (when.heads if when else set()) | ({limit.field} if limit else set())
    return CompiledAction(
        spec.id,
        spec.form,
        {locale: title.strip() for locale, title in titles.items()},
        spec.phrases,
        spec.allow,
        when,
        limit,
        do,
        spec.own,
        spec.undo,
        frozenset(heads),
        when.entries if when else frozenset(),
    )


def _allow(recipients: tuple[Recipient, ...]) -> Iterator[Mistake]:
    for place, recipient in enumerate(recipients):
        innermost = recipient
        while innermost.kind == "manager_of":
            innermost = innermost.inner
        if innermost.kind == "group":
            yield Mistake(("allow", place), f"{recipient}: a group cannot be asked who is in it", "name a role instead")


def _when(source: str | None, mistakes: list[Mistake]) -> Expression | None:
    if source is None:
        return None
    try:
        expression = compile_expression(source)
    except TextError as error:
        mistakes += (Mistake(("when",), *mistake) for mistake in error.mistakes)
        return None
    hint = "only doc and now are known when somebody asks for an action"
    mistakes += (Mistake(("when",), f"'{name}' is not known here", hint) for name in sorted(expression.names - SEEN))
    return expression


def _step(written: str | StepSection, path: Path, mistakes: list[Mistake]) -> Do | None:
    if isinstance(written, str):
        return Do(written)
    named = {key: value for key, value in written if value is not None}
    if len(named) != 1:
        mistakes.append(Mistake(path, "a step is one of save, push and operation", "write each as a step of its own"))
        return None
    ((kind, value),) = named.items()
    return _STEPS[kind](value, (*path, kind), mistakes)


def _save(fields: Mapping[str, Any], path: Path, mistakes: list[Mistake]) -> Do:
    for key, value in fields.items():
        if not re.fullmatch(FIELD, key) or "." in key:
            mistakes.append(Mistake((*path, key), f"'{key}' is not the key of a field", "such as FREMARK"))
        elif key.lower() in STATUS_FIELDS:
            mistakes.append(Mistake((*path, key), f"{key} is not saved", "steps such as submit and audit move it"))
        elif not _saves(value):
            hint = "text, a number, true, false, or {FNumber: CODE} for what has a number"
            mistakes.append(Mistake((*path, key), f"{key} cannot be saved like this", hint))
    return Do("save", fields=dict(fields))


def _saves(value: Any) -> bool:
    if isinstance(value, Mapping):
        return len(value) == 1 and all(isinstance(inner, str | int) for inner in value.values())
    return isinstance(value, str | int | float)


def _push(section: PushSection, path: Path, mistakes: list[Mistake]) -> Do:
    options = {key: value for key, value in section if value is not None}
    if not options:
        mistakes.append(Mistake(path, "a push needs a rule or a form", "write push: {to: AP_PAYBILL}"))
    return Do("push", options=options)


_STEPS: dict[str, Callable[[Any, Path, list[Mistake]], Do]] = {
    "save": _save,
    "push": _push,
    "operation": lambda name, _path, _mistakes: Do("operation", name=name),
}


def _order(steps: tuple[str | StepSection, ...]) -> Iterator[Mistake]:
    """What does not go together in one action."""
    words = [step for step in steps if isinstance(step, str)]
    for place, step in enumerate(steps):
        if isinstance(step, str) and step in steps[:place]:
            yield Mistake(("do", place), f"{step} is there already")
    if {"approve", "reject"} <= set(words):
        yield Mistake(("do",), "one answer cannot approve and reject", "write two actions")
    if BY_WORKFLOW & set(words) and BY_STATUS & set(words):
        hint = "approve and reject decide a task of the workflow, submit and audit are for documents without one"
        yield Mistake(("do",), "approve or reject do not go together with submit or audit", hint)
    if "audit" in words and "submit" in words and words.index("audit") < words.index("submit"):
        yield Mistake(("do",), "audit stands before submit", "write [submit, audit]")
