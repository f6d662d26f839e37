"""Loads a configuration whole: either everything checked and resolved, or every mistake in every file at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from kdsync.errors import ConfigurationError, Problem
from kdsync.rules.actions import ActionSection, CompiledAction, compile_action
from kdsync.rules.compile import compile_rule
from kdsync.rules.intake import CompiledIntake, IntakeSection, compile_intake
from kdsync.rules.mistakes import RuleError
from kdsync.rules.ruleset import Ruleset
from kdsync.rules.schema import RuleSection, Section
from kdsync.settings.actions import crosscheck_actions
from kdsync.settings.complaints import MARKS, complaints
from kdsync.settings.crosscheck import crosscheck
from kdsync.settings.intake import crosscheck_intake
from kdsync.settings.places import Where, YamlFile
from kdsync.settings.schema import Directory, MainFile, RuleFile, Settings
from kdsync.settings.secrets import SecretReader
from kdsync.settings.sources import read_sources
from kdsync.settings.values import listen_address

Model = TypeVar("Model", bound=Section)
Spec = TypeVar("Spec", bound=Section)
Compiled = TypeVar("Compiled")
DEEPEST_MENDING = 3  # message.title.en


@dataclass(frozen=True, slots=True)
class _Kind(Generic[Spec, Compiled]):
    """What a file of rules has many of. `stand_ins` take the place of a part that is wrong, so that the rest of the
    rule or action can be checked in the same go."""

    section: str
    spec: type[Spec]
    compile: Callable[[Spec], Compiled]
    stand_ins: Mapping[str, Any]


RULES = _Kind(
    "rules",
    RuleSection,
    compile_rule,
    {"id": "unnamed", "form": "UNKNOWN", "on": "created", "to": ["creator"], "message": {"title": "-"}},
)
ACTIONS = _Kind(
    "actions",
    ActionSection,
    compile_action,
    {"id": "unnamed", "form": "UNKNOWN", "title": "-", "phrases": ["-"], "allow": ["creator"], "do": ["submit"]},
)
INTAKE = _Kind(
    "intake",
    IntakeSection,
    compile_intake,
    {"id": "unnamed", "process": "-", "form": "UNKNOWN", "fields": {"F": "-"}, "as": "save"},
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used."""

    settings: Settings
    ruleset: Ruleset
    secrets: tuple[str, ...]  # every secret value, for the logs to leave out
    files: tuple[Path, ...]
    actions: tuple[CompiledAction, ...] = ()
    intakes: tuple[CompiledIntake, ...] = ()


def load(path: Path, environ: Mapping[str, str]) -> Loaded:
    """The configuration whose `kdsync.yaml` is at `path`; ConfigurationError holds every mistake of all its files."""
    base = path.absolute().parent
    sources = read_sources(path)
    secrets = SecretReader(base, environ)
    problems = [*sources.problems, *crosscheck(sources), *crosscheck_actions(sources), *crosscheck_intake(sources)]
    context = {"base": base, "secrets": secrets}
    main = None if sources.main.unread else _validated(sources.main, MainFile, problems, context)
    directory = _validated(sources.directory, Directory, problems) if sources.directory else Directory()
    for file in sources.rules:
        _validated(file, RuleFile, problems)
    compiled = [rule for file in sources.rules for rule in _usable(file, RULES, problems)]
    actions = tuple(action for file in sources.rules for _, action in _usable(file, ACTIONS, problems))
    intakes = tuple(intake for file in sources.rules for _, intake in _usable(file, INTAKE, problems))
    if problems or main is None or directory is None:
        by_name = {file.name: file for file in sources.rules}
        told = (_with_name(by_name.get(problem.file), problem) for problem in problems)
        raise ConfigurationError(list(dict.fromkeys(told)))
    specs = tuple(spec for spec, _ in compiled)
    settings = Settings(main=main, directory=directory, rules=specs, base=base, listen=listen_address(main.listen))
    ruleset = Ruleset(tuple(rule for _, rule in compiled))
    return Loaded(settings, ruleset, tuple(secrets.known), sources.files, actions, intakes)


def _validated(file: YamlFile, model: type[Model], problems: list[Problem], context: Any = None) -> Model | None:
    """The file as `model`; None where something is wrong with it."""
    data = {} if file.data is None else file.data
    if isinstance(data, dict):  # a section whose every line is a comment is as good as none
        data = {key: value for key, value in data.items() if value is not None or key not in model.model_fields}
    try:
        return model.model_validate_json(json.dumps(data), context=context)
    except ValidationError as error:
        problems += complaints(file, model, error)
    return None


def _usable(file: YamlFile, kind: _Kind[Spec, Compiled], problems: list[Problem]) -> list[tuple[Spec, Compiled]]:
    """The rules of one file that can be used, or the actions, or the intakes."""
    written = file.value((kind.section,))
    found = []
    for index, one in enumerate(written if isinstance(written, list) else ()):
        spec, wrong = _mended(one, kind)
        if spec is None:
            continue
        try:
            found.append((spec, kind.compile(spec)))
        except RuleError as error:
            problems += _mistakes(file, (kind.section, index), error, wrong)
    return found


def _mended(one: Any, kind: _Kind[Spec, Any]) -> tuple[Spec | None, set[Where]]:
    """The rule or action without as little of it as has to go, stand-ins in its place, and the ways to what went."""
    if not isinstance(one, dict):
        return None, set()
    try:
        return kind.spec.model_validate_json(json.dumps(one)), set()
    except ValidationError as error:
        ways = [_way(details["loc"], one) for details in error.errors(include_url=False, include_context=False)]
    for deep in (DEEPEST_MENDING, 2):  # less may not do: of two languages one can go, of one it leaves an empty title
        wrong = {way[:deep] for way in ways}
        with suppress(ValidationError):
            return kind.spec.model_validate_json(json.dumps(_without(one, wrong, kind.stand_ins))), wrong
    wrong = {way[:1] for way in ways}
    return kind.spec.model_validate_json(json.dumps(_without(one, wrong, kind.stand_ins))), wrong


def _way(location: Where, one: Any) -> Where:
    """The way to a wrong part, as far as mappings lead: a wrong entry makes the whole list wrong."""
    way: Where = ()
    for step in location:
        if not isinstance(one, dict):
            break
        if step not in MARKS:
            way, one = (*way, step), one.get(step)
    return way


def _without(one: Mapping[str, Any], wrong: set[Where], stand_ins: Mapping[str, Any]) -> dict[str, Any]:
    mended = {key: stand_ins[key] for key in stand_ins if (key,) in wrong}
    for key, value in one.items():
        inner = {way[1:] for way in wrong if way[0] == key}
        inside = stand_ins.get(key)
        if () not in inner:
            mended[key] = _without(value, inner, inside if isinstance(inside, Mapping) else {}) if inner else value
    return mended


def _mistakes(file: YamlFile, at: Where, error: RuleError, wrong: set[Where]) -> list[Problem]:
    """The mistakes that compiling found in what the rule or action really holds."""
    found = []
    for mistake in error.mistakes:
        where: Where = (*at, *mistake.path)
        stands_in = any(mistake.path[: len(way)] == way for way in wrong)
        if mistake.path and not stands_in and not file.unreadable(where):
            found.append(file.at(where, mistake.message, mistake.hint))
    return found


def _with_name(file: YamlFile | None, problem: Problem) -> Problem:
    """A problem in a rule, action or intake says in which; nobody searches for a position in a list."""
    index = re.match(r"(rules|actions|intake)\[(\d+)\]", problem.key)
    name = file.value((index[1], int(index[2]), "id")) if file and index else None
    if not index or not isinstance(name, str):
        return problem
    return replace(problem, message=f"{index[1].removesuffix('s')} {name}: {problem.message}")
