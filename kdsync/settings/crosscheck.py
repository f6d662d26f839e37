"""Mistakes that only show when sections and files are seen together. They are looked for in the data as it was
written, so that they are told along with every other mistake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kdsync.errors import Problem
from kdsync.rules.mistakes import did_you_mean
from kdsync.rules.recipients import Recipient, parse_recipient
from kdsync.settings.places import Where, YamlFile
from kdsync.settings.sources import Sources

NEEDED = {
    "sign": ("app_id", "app_secret"),
    "secret": ("app_id", "app_secret"),
    "headers": ("app_id", "app_secret"),
    "password": ("password",),
}
OF_A_DOCUMENT = frozenset({"creator", "modifier", "approver", "assignee", "field"})


@dataclass(frozen=True, slots=True)
class Names:
    """What recipients may refer to; None where the file that says so could not be read."""

    roles: frozenset[str] | None
    groups: frozenset[str] | None


def crosscheck(sources: Sources) -> Iterator[Problem]:
    """Every mistake between the parts of one configuration."""
    names = Names(_role_names(sources), _keys(sources.main, ("dingtalk", "groups")))
    yield from _login(sources.main)
    yield from _fallback(sources.main, names)
    if sources.directory:
        yield from _roles(sources.directory, names)
    for file in sources.rules:
        yield from _rules(file, names)
    yield from _repeated_ids(sources.rules)


def _login(main: YamlFile) -> Iterator[Problem]:
    kingdee = main.value(("kingdee",))
    if not isinstance(kingdee, Mapping):
        return
    auth = kingdee.get("auth", "sign")
    for key in NEEDED.get(auth if isinstance(auth, str) else "", ()):
        if not kingdee.get(key) and not main.unreadable(("kingdee", key)):
            yield main.missing(("kingdee", key), f"is required for auth: {auth}")


def _fallback(main: YamlFile, names: Names) -> Iterator[Problem]:
    for where, recipient in _recipients(main, ("fallback",)):
        innermost = recipient
        while innermost.kind == "manager_of":
            innermost = innermost.inner
        if innermost.kind in OF_A_DOCUMENT:
            message = f"{recipient} depends on a document"
            yield main.at(where, message, "the fallback must always be there: a user, role, dept or group")
        yield from _unknown_names(main, where, recipient, names)


def _roles(directory: YamlFile, names: Names) -> Iterator[Problem]:
    within: dict[str, list[str]] = {}
    for role in names.roles or ():
        for where, recipient in _recipients(directory, ("roles", role)):
            within.setdefault(role, []).extend([recipient.value] if recipient.kind == "role" else [])
            yield from _unknown_names(directory, where, recipient, names)
    for role in sorted(within):
        if _reaches(role, role, within):
            yield directory.at_key(("roles", role), "holds itself")


def _reaches(role: str, target: str, within: Mapping[str, list[str]]) -> bool:
    seen: set[str] = set()
    todo = list(within.get(role, ()))
    while todo:
        seen.add(one := todo.pop())
        todo += [inner for inner in within.get(one, ()) if inner not in seen]
    return target in seen


def _rules(file: YamlFile, names: Names) -> Iterator[Problem]:
    for index, rule in enumerate(_entries(file.value(("rules",)))):
        at: Where = ("rules", index)
        if not isinstance(rule, Mapping):
            continue
        if "when" in rule and rule["when"] is None and not file.unreadable((*at, "when")):
            yield file.at((*at, "when"), "is empty", "remove the line to tell it always")
        for where, recipient in _recipients(file, (*at, "to")):
            yield from _unknown_names(file, where, recipient, names)


def _recipients(file: YamlFile, where: Where) -> Iterator[tuple[Where, Recipient]]:
    """The recipients in a list, without those that cannot be read."""
    for index, text in enumerate(_entries(file.value(where))):
        try:
            yield (*where, index), parse_recipient(text if isinstance(text, str) else "")
        except ValueError:
            continue  # told by the schema


def _unknown_names(file: YamlFile, where: Where, recipient: Recipient, names: Names) -> Iterator[Problem]:
    known = {"role": names.roles, "group": names.groups}.get(recipient.kind)
    if known is not None and recipient.value not in known:
        hint = _known_names(recipient.value, known, "the directory" if recipient.kind == "role" else "dingtalk.groups")
        yield file.at(where, f"{recipient.value}: no such {recipient.kind}", hint)
    if recipient.kind == "assignee":
        yield file.at(where, "assignee is not supported by this version")
    if recipient.kind == "manager_of" and recipient.inner.kind == "group":
        yield file.at(where, f"{recipient}: a group has no manager")
    elif recipient.kind == "manager_of":
        yield from _unknown_names(file, where, recipient.inner, names)


def _known_names(name: str, known: Iterable[str], place: str) -> str:
    listed = ", ".join(sorted(known))
    return did_you_mean(name, known) or (f"{place} has {listed}" if listed else f"{place} has none")


def _repeated_ids(files: Iterable[YamlFile]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for file in files:
        for index, rule in enumerate(_entries(file.value(("rules",)))):
            name = rule.get("id") if isinstance(rule, Mapping) else None
            if not isinstance(name, str):
                continue
            where: Where = ("rules", index, "id")
            line = file.values[file.nearest(where)][0]
            if name in first:
                yield file.at(where, f"{name} is already the id of the rule at {first[name]}")
            first.setdefault(name, f"{file.name}:{line}")


def _entries(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _role_names(sources: Sources) -> frozenset[str] | None:
    """The roles there are; without a directory there are none."""
    if sources.directory:
        return _keys(sources.directory, ("roles",))
    named = isinstance(sources.main.data, Mapping) and not sources.main.data.get("directory")
    return frozenset() if named else None


def _keys(file: YamlFile, where: Where) -> frozenset[str] | None:
    value = file.value(where)
    if isinstance(value, Mapping):
        return frozenset(value)
    unsure = file.unread or file.unreadable(where) or value is not None
    return None if unsure else frozenset()
