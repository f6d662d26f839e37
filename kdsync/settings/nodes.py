"""Turns the nodes of a YAML document into plain data and notes where each of them stood.

Values are those of YAML 1.2: only `true` and `false` are booleans, so `on:` stays the word it is, and dates stay text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from kdsync.errors import Problem
from kdsync.settings.places import Where, YamlFile, dotted

MOST_VALUES = 100_000
DEEPEST = 50
MOST_PROBLEMS = 200

WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
FRACTION = re.compile(r"[-+]?[0-9]{1,300}\.[0-9]*([eE][-+]?[0-9]{1,2})?")

TAGS = "tag:yaml.org,2002:"
TEXT, MERGE = TAGS + "str", TAGS + "merge"
KNOWN_TAGS = frozenset(
    TAGS + name for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "map", "seq")
)

Pair = tuple[ScalarNode, Node]


class UnusableError(Exception):
    """Nothing of the file can be used."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def problem_at(mark: Any, name: str, message: str, hint: str = "", key: str = "") -> Problem:
    """A problem at one of PyYAML's marks, which count from 0."""
    return Problem(name, mark.line + 1, mark.column + 1, key, message, hint)


def plain_value(text: str) -> Any:
    """What a value without quotes means in YAML 1.2; octal and hexadecimal numbers, dates and `yes` are text."""
    if text in WORDS:
        return WORDS[text]
    if WHOLE.fullmatch(text):
        return int(text)
    return float(text) if FRACTION.fullmatch(text) else text


class Builder:
    """Builds one file; what is wrong with a node becomes a problem and is left out."""

    def __init__(self, name: str) -> None:
        self.problems: list[Problem] = []
        self._name = name
        self._keys: dict[Where, tuple[int, int]] = {}
        self._values: dict[Where, tuple[int, int]] = {}
        self._written: dict[Where, str] = {}
        self._spoiled: set[Where] = set()
        self._open: list[Node] = []  # to notice an alias inside its own anchor
        self._count = 0

    def build(self, node: Node) -> YamlFile:
        """The file whose document is `node`; UnusableError where it is out of bounds."""
        data = self._value(node, ())
        return YamlFile(self._name, data, self._keys, self._values, self._written, spoiled=frozenset(self._spoiled))

    def _value(self, node: Node, where: Where) -> Any:
        self._one_more(node)
        self._values[where] = (node.start_mark.line + 1, node.start_mark.column + 1)
        if node.tag not in KNOWN_TAGS:
            return self._spoil(node, where, f"the tag {node.tag.replace(TAGS, '!!')} is not supported")
        if isinstance(node, ScalarNode):
            return self._scalar(node, where)
        if any(node is above for above in self._open):
            return self._spoil(node, where, "holds itself")
        return self._collection(node, where)

    def _one_more(self, node: Node) -> None:
        """Aliases cost nothing to write; so both the number and the depth of what they stand for are bounded."""
        self._count += 1
        if self._count > MOST_VALUES:
            raise UnusableError(problem_at(node.start_mark, self._name, f"holds more than {MOST_VALUES:,} values"))
        if len(self._open) > DEEPEST:
            raise UnusableError(problem_at(node.start_mark, self._name, f"is nested more than {DEEPEST} levels deep"))

    def _collection(self, node: Node, where: Where) -> Any:
        self._open.append(node)
        try:
            if isinstance(node, SequenceNode):
                return [self._value(item, (*where, index)) for index, item in enumerate(node.value)]
            return {key.value: self._under(key, value, where) for key, value in self._pairs(node, where)}
        finally:
            self._open.pop()

    def _under(self, key: ScalarNode, value: Node, where: Where) -> Any:
        at = (*where, key.value)
        self._keys[at] = (key.start_mark.line + 1, key.start_mark.column + 1)
        return self._value(value, at)

    def _scalar(self, node: ScalarNode, where: Where) -> Any:
        text: str = node.value
        value = text if node.style or node.tag == TEXT else plain_value(text)
        if not isinstance(value, str):
            self._written[where] = text
        return value

    def _pairs(self, node: Node, where: Where) -> Iterator[Pair]:
        """The pairs of a mapping without those that are wrong; merged ones (`<<`) unless they are overruled."""
        own: dict[str, Pair] = {}
        merged: dict[str, Pair] = {}
        for key, value in node.value:
            self._one_more(key)
            if not isinstance(key, ScalarNode):
                braces = isinstance(key, MappingNode)
                hint = "put text that begins with {{ in quotes" if braces else ""
                self._spoil(key, where, "a key must be one word", hint)
            elif key.tag == MERGE:
                merged = {pair[0].value: pair for pair in self._merged(value, where)} | merged
            elif key.value in own:
                first = own[key.value][0].start_mark.line + 1
                self._complain(key, (*where, key.value), f"is there twice; the first is in line {first}")
            else:
                own[key.value] = (key, value)
        yield from (merged | own).values()

    def _merged(self, node: Node, where: Where) -> Iterator[Pair]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        for source in reversed(sources):  # the first one wins
            if not isinstance(source, MappingNode) or any(source is above for above in self._open):
                self._complain(source, where, "<< takes another mapping, such as *name")
                continue
            self._open.append(source)
            yield from self._pairs(source, where)
            self._open.pop()

    def _spoil(self, node: Node, where: Where, message: str, hint: str = "") -> None:
        self._spoiled.add(where)
        self._complain(node, where, message, hint)

    def _complain(self, node: Node, where: Where, message: str, hint: str = "") -> None:
        problem = problem_at(node.start_mark, self._name, message, hint, dotted(where))
        if len(self.problems) >= MOST_PROBLEMS:
            raise UnusableError(problem)
        self.problems.append(problem)
