"""The house keeps its shape: imports run downwards, never sideways, and nothing is a circle."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "kdsync"
LAYERS = (
    ("lines",),
    ("model", "errors", "clock", "logs", "exact", "interpreter"),
    ("server_clock", "exchange"),
    ("sync", "rules", "delivery", "commands"),
    ("settings",),
    ("kingdee", "dingtalk", "store", "simulator"),
    ("services", "metrics", "health", "schedule"),
    ("bridges", "courier", "desk", "hearing", "acting"),
    ("intaking",),
    ("answering",),
    ("wiring", "probes"),
    ("doctor", "listener"),
    ("daemon",),
    ("demo",),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
LONGEST_MODULE = 300
LONGEST_FUNCTION = 60


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if "migrations" not in parts:
            yield ".".join(part for part in parts if part != "__init__"), path


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = dict(modules())


@cache
def parsed(name: str) -> ast.Module:
    """One of ours; only when a test is run, as everybody who collects tests would pay for all of them."""
    return ast.parse(MODULES[name].read_text())


@cache
def ours(name: str) -> set[str]:
    """What it imports of ours."""
    return {target.removeprefix("kdsync.") for target in imported(parsed(name)) if target.startswith("kdsync.")} & {
        *MODULES
    }


@pytest.mark.parametrize("name", [name for name in MODULES if name])
def test_imports_run_downwards_only(name: str) -> None:
    package = name.split(".", maxsplit=1)[0]
    for target in ours(name):
        other = target.split(".")[0]
        if other and other != package:
            assert LEVEL[other] < LEVEL[package], f"{name} imports {target}"


def test_no_module_imports_itself_in_a_circle() -> None:
    waiting: dict[str, set[str]] = {name: ours(name) - {name} for name in MODULES}
    while free := {name for name, targets in waiting.items() if not targets}:
        waiting = {name: targets - free for name, targets in waiting.items() if name not in free}
    assert not waiting, f"imports run in a circle among {sorted(waiting)}"


def test_the_core_reads_no_clock_and_opens_nothing() -> None:
    forbidden = {"time", "socket", "requests", "sqlite3", "sqlalchemy", "threading", "random", "subprocess", "os"}
    found = defaultdict(set)
    for name in MODULES:
        if name.split(".")[0] in ("sync", "rules", "delivery", "commands"):
            found[name] = {target.split(".")[0] for target in imported(parsed(name))} & forbidden
    assert {name: names for name, names in found.items() if names} == {}


def test_what_is_imported_is_asked_for_when_kdsync_is_installed() -> None:
    """Else the versions that others happen to ask for decide: an urllib3 before 2.6 unpacks without bounds."""
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
    asked = {re.match(r"[a-z0-9]+", line)[0] for line in project["dependencies"]}  # type: ignore[index]  # all do
    texts = (path.read_text() for path in MODULES.values())
    names = {name for text in texts for name in re.findall(r"^(?:import|from) ([a-z0-9]+)", text, re.MULTILINE)}
    assert names - {*sys.stdlib_module_names, "kdsync", "yaml"} - asked == set()
    assert {"pyyaml", "urllib3"} <= asked


@pytest.mark.parametrize("name", list(MODULES))
def test_modules_and_functions_stay_short(name: str) -> None:
    tree = parsed(name)
    assert max((node.end_lineno or 0 for node in tree.body), default=0) <= LONGEST_MODULE
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name
