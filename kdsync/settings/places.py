"""Where things stand in a YAML file: every key and every value by the way that leads to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kdsync.errors import Problem

Where = tuple[str | int, ...]
"""The way to a value: keys and positions in lists, from the top of the file."""


@dataclass(frozen=True, slots=True)
class YamlFile:
    """One file: its `data` (None where it is empty), and the line and column, from 1, of each key and each value."""

    name: str  # as the operator would type it
    data: Any
    keys: dict[Where, tuple[int, int]] = field(default_factory=dict)
    values: dict[Where, tuple[int, int]] = field(default_factory=dict)
    written: dict[Where, str] = field(default_factory=dict)  # bare numbers, true, false and null as they were typed
    unread: bool = False  # nothing of it could be read; a problem says why
    spoiled: frozenset[Where] = frozenset()  # values that could not be read; a problem says so already

    def at(self, where: Where, message: str, hint: str = "") -> Problem:
        """A mistake in the value at `where`, or in the nearest above it that was written."""
        near = self.nearest(where)
        return self._problem(self.values.get(near), near, message, hint)

    def at_key(self, where: Where, message: str, hint: str = "") -> Problem:
        """A mistake in the key itself."""
        near = self.nearest(where)
        return self._problem(self.keys.get(near) or self.values.get(near), near, message, hint)

    def missing(self, where: Where, message: str) -> Problem:
        """A key that should be there; shown at what it belongs into."""
        above = self.nearest(where[:-1])
        return self._problem(self.keys.get(above) or self.values.get(above), (*above, where[-1]), message, "")

    def nearest(self, where: Where) -> Where:
        """`where` as far as the file goes; a list of one may be written without its brackets, so 0 may be left out."""
        near: Where = ()
        for step in where:
            if (*near, step) in self.values:
                near = (*near, step)
            elif step != 0:
                break
        return near

    def unreadable(self, where: Where) -> bool:
        """Whether the value at `where`, or one that holds it, could not be read."""
        return any(where[:length] in self.spoiled for length in range(len(where) + 1))

    def value(self, where: Where) -> Any:
        """The data at `where`; None where there is none."""
        data = self.data
        for step in where:
            try:
                data = data[step]
            except (KeyError, IndexError, TypeError):
                return None
        return data

    def _problem(self, place: tuple[int, int] | None, where: Where, message: str, hint: str) -> Problem:
        return Problem(self.name, *(place or (1, 1)), dotted(where), message, hint)


def dotted(where: Where) -> str:
    """`rules[0].on`"""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    return text.removeprefix(".")
