"""`kdsync check`: every mistake in the configuration, or a summary of what was found in it."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kdsync.errors import ConfigurationError, EdgeError, FailureKind, Problem
from kdsync.rules.mistakes import did_you_mean
from kdsync.settings.advice import of_approvers, of_files, of_origins, of_time
from kdsync.settings.enrolment import alone, coverage
from kdsync.settings.load import Loaded, load

SOUND, FAILED, EX_CONFIG = 0, 1, 78


@dataclass(frozen=True, slots=True)
class Finding:
    """What asking Kingdee or DingTalk showed: `about` names the rule, form or person."""

    about: str
    message: str
    hint: str = ""
    misconfigured: bool = True  # False: it could not be asked


Probe = Callable[[Loaded], Iterable[Finding]]
"""Asks a system about a sound configuration; may raise EdgeError."""


def check(
    config: Path,
    live: bool,
    json_output: bool,
    *,
    environ: Mapping[str, str] = os.environ,
    probes: Sequence[Probe] = (),
    known_forms: Sequence[str] = (),
) -> int:
    """Print what is wrong with the configuration (to stderr) or what is in it; the exit code of the command."""
    try:
        loaded = load(config, environ)
    except ConfigurationError as error:
        _print_problems(error.problems, json_output)
        return EX_CONFIG
    findings = list(_ask(loaded, probes)) if live else []
    summary = summarise(loaded, known_forms)
    if json_output:
        _print_json({**summary, "problems": [], "findings": [asdict(one) for one in findings]})
    else:
        _print_summary(summary)
        _print_findings(findings, live)
    return _exit_code(findings)


def summarise(loaded: Loaded, known_forms: Sequence[str] = ()) -> dict[str, Any]:
    """What a sound configuration holds, as JSON values."""
    main, rules = loaded.settings.main, loaded.settings.rules
    return {
        "files": [str(path) for path in loaded.files],
        "kingdee": {
            "url": main.kingdee.url,
            "username": main.kingdee.username,
            "auth": main.kingdee.auth,
            "act_as": main.kingdee.act_as,
        },
        "dingtalk": {"agent_id": main.dingtalk.agent_id, "monthly_calls": main.dingtalk.monthly_calls},
        "store": main.store.url.removeprefix("sqlite:///"),
        "rules": {mode: sum(rule.mode == mode for rule in rules) for mode in ("live", "shadow")},
        "forms": {form: len(loaded.ruleset.of(form)) for form in sorted(loaded.ruleset.forms)},
        "actions": {action.id: action.form for action in loaded.actions},
        "intake": {intake.id: intake.form for intake in loaded.intakes},
        "unknown_forms": _unknown_forms(loaded, known_forms),
        "advice": list(_advice(loaded)),
        "recipients": dict(sorted(Counter(one.kind for rule in rules for one in (*rule.to, *rule.approvers)).items())),
        "roles": {role: [str(one) for one in who] for role, who in sorted(loaded.settings.directory.roles.items())},
        "groups": sorted(main.dingtalk.groups),
        "fallback": [str(one) for one in main.fallback],
    }


def _unknown_forms(loaded: Loaded, known: Sequence[str]) -> dict[str, str]:
    """Forms that kdsync does not know by heart, and what may have been meant; a form of one's own is no mistake."""
    own = {form.lower() for form in known}
    written = {*(action.form for action in loaded.actions), *(intake.form for intake in loaded.intakes)}
    forms = {*loaded.ruleset.forms, *loaded.settings.main.forms, *written}
    return {form: did_you_mean(form, known) for form in sorted(forms) if known and form.lower() not in own}


def _advice(loaded: Loaded) -> Iterator[str]:
    """What is no mistake and may surprise all the same."""
    settings = loaded.settings
    yield from of_files(settings.main.rules, settings.base, settings.rules, loaded.actions, loaded.intakes)
    yield from of_approvers(loaded.ruleset.rules)
    yield from of_time(loaded.ruleset.rules)
    yield from of_origins(loaded.settings.rules, loaded.ruleset.rules, loaded.actions, loaded.intakes)
    yield from alone(loaded.actions, loaded.settings.directory.roles)
    yield from _unenrolled(loaded)


def _unenrolled(loaded: Loaded) -> Iterator[str]:
    """Codes that nobody has, as far as the store can be read here."""
    if not any(action.takes_code for action in loaded.actions):
        return
    from kdsync.doctor.store import path_of  # it is large, and the store is seldom needed
    from kdsync.store import codes

    enrolled = codes.peek(path_of(loaded))
    if enrolled is not None:
        found = coverage(loaded.actions, loaded.settings.directory.roles, enrolled)
        yield from (f"{one.lack}: {one.cure}" for one in found if one.lack)


def _ask(loaded: Loaded, probes: Sequence[Probe]) -> Iterator[Finding]:
    for probe in probes:
        try:
            yield from probe(loaded)
        except EdgeError as error:
            yield Finding(error.system, error.message, error.cure, error.kind is FailureKind.CONFIGURATION)


def _exit_code(findings: Sequence[Finding]) -> int:
    if any(finding.misconfigured for finding in findings):
        return EX_CONFIG
    return FAILED if findings else SOUND


def _print_json(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer, ensure_ascii=False))


def _print_problems(problems: Sequence[Problem], json_output: bool) -> None:
    if json_output:
        _print_json({"problems": [asdict(problem) for problem in problems]})
        return
    console = Console(stderr=True, highlight=False)
    for _, of_file in groupby(problems, key=lambda problem: problem.file):
        for problem in of_file:
            _print_problem(console, problem)
        console.print()
    files = len({problem.file for problem in problems})
    console.print(f"{_count(len(problems), 'problem')} in {_count(files, 'file')}.", style="bold")


def _print_problem(console: Console, problem: Problem) -> None:
    place = Text(f"{problem.file}:{problem.line}:{problem.column}", style="bold")
    console.print(place.append(f"  {problem.key}" if problem.key else "", style="cyan"), soft_wrap=True)
    _print_indented(console, problem.message, problem.hint)


def _print_indented(console: Console, message: str, hint: str) -> None:
    for text in (Text(message, style="red"), Text(hint)) if hint else (Text(message, style="red"),):
        for line in text.wrap(console, console.width - 4):
            console.print(Text("    ") + line, soft_wrap=True)


def _print_summary(summary: Mapping[str, Any]) -> None:
    console = Console(file=sys.stdout, highlight=False)
    console.print("The configuration is sound.", style="bold green")
    table = Table.grid(padding=(0, 2))
    for label, text in _lines(summary):
        table.add_row(Text(f"  {label}", style="cyan"), Text(text))
    console.print(table)


def _lines(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kingdee, rules = summary["kingdee"], summary["rules"]
    acts = ", changed as whoever asks" if kingdee["act_as"] == "person" else ""
    yield "Kingdee", f"{kingdee['url']} as {kingdee['username']} ({kingdee['auth']}){acts}"
    dingtalk = summary["dingtalk"]
    yield "DingTalk", f"agent {dingtalk['agent_id']}, {dingtalk['monthly_calls']:,} calls a month"
    yield "Store", summary["store"]
    yield "Files", ", ".join(summary["files"])
    yield "Rules", f"{rules['live']} live, {rules['shadow']} in shadow"
    yield "Actions", ", ".join(f"{action} ({form})" for action, form in summary["actions"].items()) or "none"
    if summary["intake"]:
        yield "Intake", ", ".join(f"{intake} ({form})" for intake, form in summary["intake"].items())
    yield "Forms", _counted(summary["forms"])
    for form, hint in summary["unknown_forms"].items():
        yield "", f"{form} is no form that kdsync knows by heart{f'; {hint}' if hint else ''}"
    for place, advice in enumerate(summary["advice"]):
        yield "" if place else "Advice", advice
    yield "Recipients", _counted(summary["recipients"])
    yield "Roles", "; ".join(f"{role}: {', '.join(who)}" for role, who in summary["roles"].items()) or "none"
    yield "Groups", ", ".join(summary["groups"]) or "none"
    yield "Fallback", ", ".join(summary["fallback"])


def _counted(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({number})" for name, number in numbers.items()) or "none"


def _print_findings(findings: Sequence[Finding], live: bool) -> None:
    console = Console(stderr=True, highlight=False)
    for finding in findings:
        console.print(Text(finding.about, style="bold"), soft_wrap=True)
        _print_indented(console, finding.message, finding.hint)
    if live and not findings:
        Console(file=sys.stdout, highlight=False).print("Kingdee and DingTalk agree.", style="bold green")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
