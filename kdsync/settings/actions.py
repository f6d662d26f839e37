"""What actions get wrong that only shows beside rules, directory and other actions: a phrase must mean one thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kdsync.commands.spelling import plain
from kdsync.errors import Problem
from kdsync.settings.crosscheck import (
    entries,
    is_off,
    known_names,
    names_of,
    place,
    recipients,
    repeated_ids,
    unknown_names,
)
from kdsync.settings.places import Where, YamlFile
from kdsync.settings.sources import Sources

MOST_BUTTONS = 5  # config/cards/decision.json


@dataclass(frozen=True, slots=True)
class _Said:
    """One phrase of one action, and where it is written."""

    text: str  # in the spelling that is compared
    within: Where  # the action's place in the file
    action: Any  # its id, if it is one
    form: str
    file: YamlFile
    where: Where


def crosscheck_actions(sources: Sources) -> Iterator[Problem]:
    """Every mistake between actions and the other parts of one configuration."""
    names = names_of(sources)
    for file, at, action in _written(sources, "actions"):
        for where, recipient in recipients(file, (*at, "allow")):
            yield from unknown_names(file, where, recipient, names)
        if "when" in action and action["when"] is None and not file.unreadable((*at, "when")):
            yield file.at((*at, "when"), "is empty", "remove the line to allow it always")
    yield from _codes(sources)
    yield from repeated_ids(sources.rules, "action")
    yield from _phrases(sources)
    yield from _offered(sources)
    yield from _cards(sources)


def _cards(sources: Sources) -> Iterator[Problem]:
    """Buttons that nobody would hear of, or see."""
    where = ("dingtalk", "card_template")
    for file, at, rule in _written(sources, "rules") if sources.main.value(where) else ():
        if len(entries(rule.get("actions"))) > MOST_BUTTONS:
            hint = "let another rule offer the others"
            yield file.at((*at, "actions", MOST_BUTTONS), f"a card has room for {MOST_BUTTONS} buttons", hint)
    if sources.main.value(where) and is_off(sources.main.value(("dingtalk", "stream"))):
        yield sources.main.at(where, "buttons need DingTalk's Stream, which is off", "remove dingtalk.stream: off")


def _written(sources: Sources, section: str) -> Iterator[tuple[YamlFile, Where, Mapping[str, Any]]]:
    for file in sources.rules:
        for index, one in enumerate(entries(file.value((section,)))):
            if isinstance(one, Mapping):
                yield file, (section, index), one


def _offered(sources: Sources) -> Iterator[Problem]:
    """What rules offer: actions that there are, for the rule's own form."""
    forms = {action["id"]: action.get("form") for _, _, action in _written(sources, "actions") if _named(action)}
    unsure = any(file.unread or file.unreadable(("actions",)) for file in sources.rules)
    for file, at, rule in _written(sources, "rules"):
        for index, name in enumerate(entries(rule.get("actions"))):
            where = (*at, "actions", index)
            if isinstance(name, str) and name not in forms and not unsure:
                yield file.at(where, f"{name}: no such action", known_names(name, forms, "the configuration"))
            elif isinstance(name, str) and _differ(forms.get(name), rule.get("form")):
                yield file.at(where, f"{name} is an action for {forms[name]}, not for {rule['form']}")


def _codes(sources: Sources) -> Iterator[Problem]:
    """One-time codes where their secrets could not be kept."""
    store = sources.main.value(("store",))
    unsure = sources.main.unread or sources.main.unreadable(("store", "key"))
    if unsure or (isinstance(store, Mapping) and store.get("key")):
        return
    for file, at, action in _written(sources, "actions"):
        limit = action.get("limit")
        if isinstance(limit, Mapping) and limit.get("above") == "totp":
            hint = "write store: {key: {file: store.key}} there, or above: second-person here"
            yield file.at((*at, "limit", "above"), "totp keeps secrets, which takes store.key in kdsync.yaml", hint)


def _named(action: Mapping[str, Any]) -> bool:
    return isinstance(action.get("id"), str)


def _differ(one: Any, other: Any) -> bool:
    """Whether both are forms, and not the same one; Kingdee takes them in any case."""
    return isinstance(one, str) and isinstance(other, str) and one.lower() != other.lower()


def _phrases(sources: Sources) -> Iterator[Problem]:
    """Phrases that could not be told from a number, or from another action's on the same form."""
    before: list[_Said] = []
    for said in _said(sources):
        if any(one.isdigit() for one in said.text):
            yield said.file.at(said.where, "a phrase has no digits", "they would look like the number of a document")
        elif not any(one.isalpha() for one in said.text):
            yield said.file.at(said.where, "a phrase needs letters")
        else:
            yield from _taken(said, before)
            before.append(said)


def _said(sources: Sources) -> Iterator[_Said]:
    for file, at, action in _written(sources, "actions"):
        form = action.get("form")
        for index, phrase in enumerate(entries(action.get("phrases"))):
            if isinstance(phrase, str) and phrase and isinstance(form, str):
                where = (*at, "phrases", index)
                yield _Said(plain(phrase), at, action.get("id"), form.lower(), file, where)


def _taken(said: _Said, before: list[_Said]) -> Iterator[Problem]:
    for other in before:
        if other.form != said.form or (other.file is said.file and other.within == said.within):
            continue
        where = f"of {other.action}, at {place(other.file, other.where)}"
        if other.text == said.text:
            yield said.file.at(said.where, f"is already a phrase {where}", "one phrase means one action on one form")
        elif said.text.startswith(other.text):
            yield said.file.at(said.where, f"begins with a phrase {where}", "nobody could tell which is meant")
        elif other.text.startswith(said.text):
            yield said.file.at(said.where, f"is the beginning of a phrase {where}", "nobody could tell which is meant")
