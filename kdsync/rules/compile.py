"""From a rule as an operator wrote it to a rule that can be asked; every mistake in it is found in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from kdsync.model import Event, Priority, Transition
from kdsync.rules.expressions import Expression, Text, TextError, compile_expression, compile_text, opening
from kdsync.rules.mistakes import Mistake, RuleError
from kdsync.rules.recipients import Recipient
from kdsync.rules.schema import STORM, MessageSection, RuleSection
from kdsync.rules.scope import RuleView, scope
from kdsync.rules.triggers import Trigger, parse_trigger
from kdsync.rules.values import ENTRIES

MOST_FIELDS = 6  # rows that a DingTalk form message shows
SCHEMES = ("https://", "http://", "dingtalk://")
ONE_TEXT = "zh"  # the locale that a text without locales stands for
Path = tuple[str | int, ...]
Locale = Literal["zh", "en", "vi"]
Compiled = TypeVar("Compiled")
ReadText = Callable[[str], Text]


@dataclass(frozen=True, slots=True)
class Needs:
    """The field keys that Kingdee is asked for, and those whose difference is a change (`entries`: of any row)."""

    heads: frozenset[str] = frozenset()
    entries: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()

    def include(self, key: str) -> bool:
        """Whether a field is among them, however it is spelled."""
        return key.casefold() in {name.casefold() for name in self.heads | self.entries | self.watched}

    def __or__(self, other: Needs) -> Needs:
        return Needs(self.heads | other.heads, self.entries | other.entries, self.watched | other.watched)


@dataclass(frozen=True, slots=True)
class Message:
    """The templates of a message: title and body by locale, fields in order with their labels."""

    title: Mapping[str, Text]
    body: Mapping[str, Text]
    link: Text | None
    fields: tuple[tuple[str, Text], ...]

    @property
    def texts(self) -> tuple[Text, ...]:
        """All its templates."""
        labelled = (text for _, text in self.fields)
        return (*self.title.values(), *self.body.values(), *labelled, *((self.link,) if self.link else ()))


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule without mistakes."""

    id: str
    form: str
    priority: Priority
    mode: Literal["live", "shadow"]
    to: tuple[Recipient, ...]
    triggers: tuple[Trigger, ...]
    when: Expression | None
    message: Message
    needs: Needs
    storm: int | None = STORM  # more notifications than this after one look are summed up; None: never
    actions: tuple[str, ...] = ()  # ids of what its reader may answer, in the order of the rule
    origin: Literal["kingdee", "any"] = "kingdee"  # any: what kdsync itself did because somebody asked for it, too
    approvers: tuple[Recipient, ...] = ()  # told in place of the assignee while tasks cannot be read

    @property
    def stand_ins(self) -> tuple[Recipient, ...]:
        """Who is told of a document in approval whose tasks cannot be read."""
        known = [one for one in self.to if one.innermost.kind != "assignee"]
        return tuple(dict.fromkeys((*known, *self.approvers)))

    @property
    def everybody(self) -> tuple[Recipient, ...]:
        """All whom it may tell."""
        return (*self.to, *self.approvers)

    @property
    def read(self) -> frozenset[str]:
        """The fields of `doc` that it looks at; what is only in `changed` may be of the rows as well."""
        expressions = [one for one in (self.when, *(trigger.expression for trigger in self.triggers)) if one]
        heads = (*(one.heads for one in expressions), *(text.heads for text in self.message.texts))
        return recipient_fields(self.everybody).union(*heads)

    def listens(self, kind: Transition) -> bool:
        """Whether an event of that kind can concern it at all."""
        return any(kind in trigger.kinds for trigger in self.triggers)

    def names(self, event: Event, *, now: datetime, zone: ZoneInfo, form_title: str = "") -> dict[str, Any]:
        """What its expressions and templates can see of an event."""
        view = RuleView(self.id, self.form, self.priority.value)
        return scope(view, event, now=now, zone=zone, form_title=form_title)


def compile_rule(spec: RuleSection) -> CompiledRule:
    """Compile one rule; RuleError tells all mistakes at once."""
    mistakes: list[Mistake] = []
    triggers = _triggers(spec, mistakes)
    unread = len(triggers) < len(spec.on)  # which may be meant to be 'assigned'
    task = unread or any(Transition.ASSIGNED in trigger.kinds for trigger in triggers)
    condition, text = partial(compile_expression, task=task), partial(compile_text, task=task)
    when = _attempt(mistakes, ("when",), condition, spec.when) if spec.when is not None else None
    message = _message(spec.message, text, mistakes)
    needs = _needs(spec, triggers, when, message)
    if any(ENTRIES in trigger.fields for trigger in triggers) and not needs.entries:
        mistakes.append(Mistake(("on",), f"'{ENTRIES}' needs a field of the rows", f"write {ENTRIES}.FQty"))
    mistakes += _approvers(spec, is_about_tasks=task)
    if mistakes:
        raise RuleError(spec.id, mistakes)
    return CompiledRule(
        id=spec.id,
        form=spec.form,
        priority=spec.priority,
        mode=spec.mode,
        to=spec.to,
        triggers=triggers,
        when=when,
        message=message,
        needs=needs,
        storm=spec.storm,
        actions=spec.actions,
        approvers=spec.approvers,
        origin=spec.origin or "kingdee",
    )


def _approvers(spec: RuleSection, *, is_about_tasks: bool) -> Iterator[Mistake]:
    if spec.approvers and not is_about_tasks:
        yield Mistake(("approvers",), "'approvers' belong to a rule with the trigger 'assigned'", "name them in 'to'")
    for place, recipient in enumerate(spec.approvers):
        if recipient.innermost.kind == "assignee":
            message = f"{recipient} is not known where tasks cannot be read"
            yield Mistake(
                ("approvers", place), message, "name a user, role, department or group, or manager_of:creator"
            )


def _triggers(spec: RuleSection, mistakes: list[Mistake]) -> tuple[Trigger, ...]:
    triggers = []
    for place, item in enumerate(spec.on):
        try:
            triggers.append(parse_trigger(item, ("on", place)))
        except RuleError as error:
            mistakes += error.mistakes
    return tuple(triggers)


def _message(section: MessageSection, read: ReadText, mistakes: list[Mistake]) -> Message:
    title = _texts(mistakes, "title", section.title, read)
    body = _texts(mistakes, "body", section.body, read)
    link = _attempt(mistakes, ("message", "link"), read, section.link) if section.link else None
    if link and not opening(link.source).startswith(SCHEMES):
        mistakes.append(Mistake(("message", "link"), "a link begins with https://, written out"))
    return Message(title, body, link, _fields(mistakes, section.fields, read))


def _texts(mistakes: list[Mistake], key: str, written: str | Mapping[Locale, str], read: ReadText) -> dict[str, Text]:
    if isinstance(written, str):
        sources: Iterable[tuple[str, str, Path]] = [(ONE_TEXT, written, ("message", key))]
    else:
        sources = [(locale, source, ("message", key, locale)) for locale, source in written.items()]
    texts = {}
    for locale, source, path in sources:
        if key == "title" and not source.strip():
            mistakes.append(Mistake(path, "a message needs a title"))
        text = _attempt(mistakes, path, read, source)
        if text:
            texts[locale] = text
    if key == "title" and not written:
        mistakes.append(Mistake(("message", key), "a message needs a title"))
    return texts


def _fields(mistakes: list[Mistake], written: Mapping[str, str], read: ReadText) -> tuple[tuple[str, Text], ...]:
    if len(written) > MOST_FIELDS:
        mistakes.append(Mistake(("message", "fields"), f"a message shows at most {MOST_FIELDS} fields"))
    texts = ((label, _attempt(mistakes, ("message", "fields", label), read, written[label])) for label in written)
    return tuple((label, text) for label, text in texts if text)


def _attempt(mistakes: list[Mistake], path: Path, read: Callable[[str], Compiled], source: str) -> Compiled | None:
    try:
        return read(source)
    except TextError as error:
        mistakes += (Mistake(path, *mistake) for mistake in error.mistakes)
        return None


def _needs(spec: RuleSection, triggers: tuple[Trigger, ...], when: Expression | None, message: Message) -> Needs:
    users: list[Trigger | Expression | Text] = [*triggers, *message.texts, *((when,) if when else ())]
    return Needs(
        frozenset().union(*(user.heads for user in users), recipient_fields((*spec.to, *spec.approvers))),
        frozenset().union(*(user.entries for user in users)),
        frozenset().union(*(trigger.watched for trigger in triggers)),
    )


def recipient_fields(recipients: Iterable[Recipient]) -> frozenset[str]:
    """The fields that hold those whom `field:FKEY` names."""
    keys = set()
    for named in recipients:
        recipient = named
        while recipient.kind == "manager_of":
            recipient = recipient.inner
        if recipient.kind == "field":
            keys.add(recipient.value)
    return frozenset(keys)
