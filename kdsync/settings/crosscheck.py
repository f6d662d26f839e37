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
OFF = frozenset({"off", "no", "false"})
OF_A_DOCUMENT = frozenset({"creator", "modifier", "approver", "assignee", "field"})


@dataclass(frozen=True, slots=True)
class Names:
    """What recipients may refer to; None where the file that says so could not be read."""

    roles: frozenset[str] | None
    groups: frozenset[str] | None


def crosscheck(sources: Sources) -> Iterator[Problem]:
    """Every mistake between the parts of one configuration."""
    names = names_of(sources)
    yield from _login(sources.main)
    yield from _fallback(sources.main, names)
    if sources.directory:
        yield from _roles(sources.directory, names)
    for file in sources.rules:
        yield from _rules(file, names)
    yield from repeated_ids(sources.rules, "rule")


def names_of(sources: Sources) -> Names:
    """What recipients may refer to in this configuration."""
    return Names(_role_names(sources), _keys(sources.main, ("dingtalk", "groups")))


def _login(main: YamlFile) -> Iterator[Problem]:
    kingdee = main.value(("kingdee",))
    if not isinstance(kingdee, Mapping):
        return
    auth = kingdee.get("auth", "sign")
    for key in NEEDED.get(auth if isinstance(auth, str) else "", ()):
        if not kingdee.get(key) and not main.unreadable(("kingdee", key)):
            yield main.missing(("kingdee", key), f"is required for auth: {auth}")
    if kingdee.get("act_as") == "person" and auth == "password":
        hint = "write auth: sign, or act_as: integration"
        yield main.at(("kingdee", "act_as"), "a password logs in as one user only", hint)


def _fallback(main: YamlFile, names: Names) -> Iterator[Problem]:
    for where, recipient in recipients(main, ("fallback",)):
        innermost = recipient
        while innermost.kind == "manager_of":
            innermost = innermost.inner
        if innermost.kind in OF_A_DOCUMENT:
            message = f"{recipient} depends on a document"
            yield main.at(where, message, "the fallback must always be there: a user, role, dept or group")
        yield from unknown_names(main, where, recipient, names)


def _roles(directory: YamlFile, names: Names) -> Iterator[Problem]:
    within: dict[str, list[str]] = {}
    for role in names.roles or ():
        for where, recipient in recipients(directory, ("roles", role)):
            within.setdefault(role, []).extend([recipient.value] if recipient.kind == "role" else [])
            yield from unknown_names(directory, where, recipient, names)
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
    for index, rule in enumerate(entries(file.value(("rules",)))):
        at: Where = ("rules", index)
        if not isinstance(rule, Mapping):
            continue
        if "when" in rule and rule["when"] is None and not file.unreadable((*at, "when")):
            yield file.at((*at, "when"), "is empty", "remove the line to tell it always")
        for key in ("to", "approvers"):
            for where, recipient in recipients(file, (*at, key)):
                yield from unknown_names(file, where, recipient, names)


def recipients(file: YamlFile, where: Where) -> Iterator[tuple[Where, Recipient]]:
    """The recipients in a list, without those that cannot be read."""
    for index, text in enumerate(entries(file.value(where))):
        try:
            yield (*where, index), parse_recipient(text if isinstance(text, str) else "")
        except ValueError:
            continue  # told by the schema


def unknown_names(file: YamlFile, where: Where, recipient: Recipient, names: Names) -> Iterator[Problem]:
    """The roles and groups that there are not, departments by another name than their number, a group's manager."""
    known = {"role": names.roles, "group": names.groups}.get(recipient.kind)
    if known is not None and recipient.value not in known:
        hint = known_names(recipient.value, known, "the directory" if recipient.kind == "role" else "dingtalk.groups")
        yield file.at(where, f"{recipient.value}: no such {recipient.kind}", hint)
    if recipient.kind == "dept" and not (recipient.value.isascii() and recipient.value.isdecimal()):
        yield file.at(where, f"{recipient}: a department is named by its number", "as in dept:7")
    if recipient.kind == "manager_of" and recipient.inner.kind == "group":
        yield file.at(where, f"{recipient}: a group has no manager")
    elif recipient.kind == "manager_of":
        yield from unknown_names(file, where, recipient.inner, names)


def known_names(name: str, known: Iterable[str], holder: str) -> str:
    """A hint for a name that is not among those that `holder` has."""
    listed = ", ".join(sorted(known))
    return did_you_mean(name, known) or (f"{holder} has {listed}" if listed else f"{holder} has none")


def repeated_ids(files: Iterable[YamlFile], noun: str, section: str = "") -> Iterator[Problem]:
    """Ids that two rules have, or two actions: `noun` says which."""
    return repeated(files, section or f"{noun}s", "id", "{} is already the id of the " + noun + " at {}")


def repeated(files: Iterable[YamlFile], section: str, key: str, message: str, hint: str = "") -> Iterator[Problem]:
    """Values of a key that two entries of a section have; `message` takes the value, and where it was before."""
    first: dict[str, str] = {}
    for file in files:
        for index, one in enumerate(entries(file.value((section,)))):
            value = one.get(key) if isinstance(one, Mapping) else None
            if type(value) not in (str, int):
                continue
            name, where = str(value), (section, index, key)
            if name in first:
                yield file.at(where, message.format(name, first[name]), hint)
            first.setdefault(name, place(file, where))


def is_off(flag: Any) -> bool:
    """Whether a flag is written as one that is off, in any case."""
    return str(flag).lower() in OFF


def place(file: YamlFile, where: Where) -> str:
    """`rules/a.yaml:3`"""
    return f"{file.name}:{file.values[file.nearest(where)][0]}"


def entries(value: Any) -> list[Any]:
    """The value if it is a list; what else it may be is told by the schema."""
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
