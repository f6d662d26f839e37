"""Loads a configuration whole: either everything checked and resolved, or every mistake in every file at once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from kdsync.errors import ConfigurationError, Problem
from kdsync.rules.compile import CompiledRule, compile_rule
from kdsync.rules.mistakes import RuleError
from kdsync.rules.ruleset import Ruleset
from kdsync.rules.schema import RuleSection, Section
from kdsync.settings.complaints import complaints
from kdsync.settings.crosscheck import crosscheck
from kdsync.settings.places import Where, YamlFile
from kdsync.settings.schema import Directory, MainFile, RuleFile, Settings
from kdsync.settings.secrets import SecretReader
from kdsync.settings.sources import read_sources
from kdsync.settings.values import listen_address

STAND_INS: dict[str, Any] = {
    "id": "unnamed",
    "form": "UNKNOWN",
    "on": "created",
    "to": ["creator"],
    "message": {"title": "-"},
}
"""What takes the place of a part that is wrong, so that the rest of the rule can be checked in the same go."""

Model = TypeVar("Model", bound=Section)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used."""

    settings: Settings
    ruleset: Ruleset
    secrets: tuple[str, ...]  # every secret value, for the logs to leave out
    files: tuple[Path, ...]


def load(path: Path, environ: Mapping[str, str]) -> Loaded:
    """The configuration whose `kdsync.yaml` is at `path`; ConfigurationError holds every mistake of all its files."""
    base = path.absolute().parent
    sources = read_sources(path)
    secrets = SecretReader(base, environ)
    problems = [*sources.problems, *crosscheck(sources)]
    context = {"base": base, "secrets": secrets}
    main = None if sources.main.unread else _validated(sources.main, MainFile, problems, context)
    directory = _validated(sources.directory, Directory, problems) if sources.directory else Directory()
    compiled = [rule for file in sources.rules for rule in _rules(file, problems)]
    if problems or main is None or directory is None:
        by_name = {file.name: file for file in sources.rules}
        told = (_with_rule(by_name.get(problem.file), problem) for problem in problems)
        raise ConfigurationError(list(dict.fromkeys(told)))
    specs = tuple(spec for spec, _ in compiled)
    settings = Settings(main=main, directory=directory, rules=specs, base=base, listen=listen_address(main.listen))
    return Loaded(settings, Ruleset(tuple(rule for _, rule in compiled)), tuple(secrets.known), sources.files)


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


def _rules(file: YamlFile, problems: list[Problem]) -> list[tuple[RuleSection, CompiledRule]]:
    """The rules of one file that can be used."""
    _validated(file, RuleFile, problems)
    written = file.value(("rules",))
    found = []
    for index, rule in enumerate(written if isinstance(written, list) else ()):
        spec, wrong = _usable(rule)
        if spec is None:
            continue
        try:
            found.append((spec, compile_rule(spec)))
        except RuleError as error:
            problems += _mistakes(file, index, error, wrong)
    return found


def _usable(rule: Any) -> tuple[RuleSection | None, set[str]]:
    """The rule with stand-ins for what is wrong, and the keys that are."""
    if not isinstance(rule, dict):
        return None, set()
    try:
        return RuleSection.model_validate_json(json.dumps(rule)), set()
    except ValidationError as error:
        wrong = {str(details["loc"][0]) for details in error.errors(include_url=False, include_context=False)}
    mended = {key: value for key, value in rule.items() if key not in wrong}
    mended |= {key: STAND_INS[key] for key in wrong if key in STAND_INS}
    return RuleSection.model_validate_json(json.dumps(mended)), wrong


def _mistakes(file: YamlFile, index: int, error: RuleError, wrong: set[str]) -> list[Problem]:
    """The mistakes that compiling found in what the rule really holds."""
    found = []
    for mistake in error.mistakes:
        where: Where = ("rules", index, *mistake.path)
        if mistake.path and mistake.path[0] not in wrong and not file.unreadable(where):
            found.append(file.at(where, mistake.message, mistake.hint))
    return found


def _with_rule(file: YamlFile | None, problem: Problem) -> Problem:
    """A problem in a rule says which rule it is; nobody searches for a position in a list."""
    index = re.match(r"rules\[(\d+)\]", problem.key)
    name = file.value(("rules", int(index[1]), "id")) if file and index else None
    return replace(problem, message=f"rule {name}: {problem.message}") if isinstance(name, str) else problem
