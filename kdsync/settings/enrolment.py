"""Whether those who need a one-time code can have one: an action whose codes nobody has is one that nobody can do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kdsync.rules.actions import CompiledAction
from kdsync.rules.recipients import Recipient


@dataclass(frozen=True, slots=True)
class Coverage:
    """One action above whose limit a code has to come. `named` are those of whom the configuration alone tells that
    they may; `open_ended` says that others may, too, of whom a document or a department tells."""

    action: CompiledAction
    named: tuple[str, ...]
    open_ended: bool
    enrolled: frozenset[str]

    @property
    def without(self) -> tuple[str, ...]:
        """Those who may and have no codes."""
        return tuple(userid for userid in self.named if userid not in self.enrolled)

    @property
    def lack(self) -> str:
        """Why nobody can do it above its limit; "" where somebody may be able to."""
        if self.enrolled and (self.open_ended or len(self.without) < len(self.named)):
            return ""
        most = format(self.action.limit.max, "f") if self.action.limit else ""
        whom = "nobody is enrolled" if not self.enrolled else f"none of those who may is ({', '.join(self.named)})"
        return f"action {self.action.id} takes a one-time code above {most}, and {whom}"

    @property
    def cure(self) -> str:
        """What to do about that."""
        return f"kdsync totp enrol {next(iter(self.named), 'USERID')}"


def coverage(
    actions: Sequence[CompiledAction], roles: Mapping[str, Sequence[Recipient]], enrolled: Collection[str]
) -> Iterator[Coverage]:
    """Of each action that takes codes, given who is enrolled."""
    for action in actions:
        if action.takes_code:
            whom = list(_flat(action.allow, roles))
            named = dict.fromkeys(one.value for one in whom if one.kind == "user")
            yield Coverage(action, tuple(named), any(one.kind != "user" for one in whom), frozenset(enrolled))


def _flat(recipients: Sequence[Recipient], roles: Mapping[str, Sequence[Recipient]]) -> Iterator[Recipient]:
    """With the members of roles in their place."""
    for one in recipients:
        if one.kind == "role":
            yield from _flat(roles.get(one.value, ()), roles)
        else:
            yield one


def alone(actions: Sequence[CompiledAction], roles: Mapping[str, Sequence[Recipient]]) -> Iterator[str]:
    """Actions above whose limit a second person has to ask for the same, where there is none."""
    for action in actions:
        whom = {*_flat(action.allow, roles)}
        if action.limit and action.limit.above == "second-person" and len(whom) < 2 and _is_one(whom):  # noqa: PLR2004
            most = format(action.limit.max, "f")
            who = ", ".join(map(str, whom)) or "nobody"
            yield f"action {action.id} takes a second person above {most}, and only {who} may: there is no second"


def _is_one(recipients: Collection[Recipient]) -> bool:
    """Whether these are no more than one person, whatever the document; a task may wait for several."""
    return all(one.kind not in ("dept", "assignee") for one in recipients)
