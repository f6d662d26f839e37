"""Reads a YAML file. Any bytes at all give either data with its places or problems; size, depth and the number of
values are bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import Node

from kdsync.errors import Problem
from kdsync.settings.nodes import DEEPEST, MOST_VALUES, Builder, UnusableError, problem_at
from kdsync.settings.places import YamlFile

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

LARGEST = 1 << 20  # bytes

HINTS = (
    ("cannot start any token", "put text that begins with a special character in quotes"),
    ("mapping values are not allowed", "put text that holds a colon in quotes, and check the indentation"),
    ("tab character", "indent with blanks, not with tabs"),
    ("could not find expected ':'", "is the colon after a key missing, or the blank after the colon?"),
    ("did not find expected key", "check the indentation and the quotes of the lines above"),
    ("did not find expected '-' indicator", "check the indentation of the list"),
    ("found unexpected end of stream", "a quote is not closed"),
    ("did not find expected ',' or", "a bracket is not closed"),
    ("found undefined alias", "the anchor (&name) must come before it is used (*name)"),
    ("expected a single document", "one file holds one document: remove the ---"),
)


def read_yaml(path: Path, name: str, missing: str = "") -> tuple[YamlFile, list[Problem]]:
    """The file at `path`, which messages call `name`; what could not be read is left out and told as a problem.

    `missing` is what to do where there is no such file.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        hint = missing if isinstance(error, FileNotFoundError) else cure(error)
        return YamlFile(name, None, unread=True), [Problem(name, 1, 1, "", f"cannot be read: {reason}", hint)]
    return parse_yaml(content, name)


def cure(error: Exception) -> str:
    """What to do about a file or folder that cannot be read."""
    return "let the user that kdsync runs as read it" if isinstance(error, PermissionError) else ""


def parse_yaml(content: bytes, name: str) -> tuple[YamlFile, list[Problem]]:
    """Data and places of one file's bytes."""
    builder = Builder(name)
    try:
        text = _decoded(content, name)
        node = _composed(text, name)
        file = builder.build(node) if node else YamlFile(name, None)
    except UnusableError as error:
        return YamlFile(name, None, unread=True), [*builder.problems, error.problem]
    return file, builder.problems


def _composed(text: str, name: str) -> Node | None:
    """The file's only document; its depth is looked at first, because composing recurses, and its size as well."""
    try:
        depth = 0
        for count, event in enumerate(yaml.parse(text, Loader)):
            if count > 2 * MOST_VALUES:  # a value has one event, a list or mapping two
                raise UnusableError(problem_at(event.start_mark, name, f"holds more than {MOST_VALUES:,} values"))
            opens = isinstance(event, yaml.CollectionStartEvent)
            depth += opens - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                message = f"is nested more than {DEEPEST} levels deep"
                raise UnusableError(problem_at(event.start_mark, name, message))
        node: Node | None = yaml.compose(text, Loader)
    except yaml.MarkedYAMLError as error:
        raise UnusableError(_syntax_problem(error, text, name)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise UnusableError(Problem(name, 1, 1, "", f"is not YAML: {error}")) from None
    return node


def _decoded(content: bytes, name: str) -> str:
    if len(content) > LARGEST:
        raise UnusableError(Problem(name, 1, 1, "", "is larger than 1 MiB", "split it into several files"))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(errors="replace")
        raise UnusableError(Problem(name, *_end_of(before), "", "is not UTF-8 text", "save it as UTF-8")) from None
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if found:
        message = f"holds a character that text cannot have (U+{ord(found[0]):04X})"
        raise UnusableError(Problem(name, *_end_of(text[: found.start()]), "", message))
    return text


def _end_of(text: str) -> tuple[int, int]:
    """The line and column that follow `text`."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, name: str) -> Problem:
    context = error.context or ""
    said = context if context.startswith("expected a single document") else error.problem or context
    hint = next((hint for part, hint in HINTS if part in said), "")
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Problem(name, 1, 1, "", f"is not YAML: {said}", hint)
    if "cannot start any token" in said and text[mark.index : mark.index + 1] == "\t":
        hint = "indent with blanks, not with tabs"
    return problem_at(mark, name, f"is not YAML: {said}", hint)
