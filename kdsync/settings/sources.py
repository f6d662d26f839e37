"""Finds and reads the files of one configuration: `kdsync.yaml`, and the rules and the directory that it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from glob import escape, glob, has_magic
from pathlib import Path

from kdsync.errors import Problem
from kdsync.settings.places import YamlFile
from kdsync.settings.schema import MainFile
from kdsync.settings.yamlfile import read_yaml


@dataclass(frozen=True, slots=True)
class Sources:
    """What was read, before anything is checked."""

    main: YamlFile
    directory: YamlFile | None
    rules: tuple[YamlFile, ...]
    files: tuple[Path, ...]  # all that were looked at
    problems: list[Problem]


def read_sources(path: Path) -> Sources:
    """The files of the configuration at `path`; mistakes in `kdsync.yaml` do not keep the others from being read."""
    main, problems = read_yaml(path, str(path))
    files = [path]
    directory = None
    named = main.value(("directory",))
    if isinstance(named, str) and named:
        directory, found = _read_named(main, path.parent / named, ("directory",))
        files.append(path.parent / named)
        problems += found
    rules = []
    for rule_file in _rule_files(main, path.parent, problems):
        file, found = read_yaml(rule_file, str(rule_file))
        rules.append(file)
        files.append(rule_file)
        problems += found
    return Sources(main, directory, tuple(rules), tuple(files), problems)


def _read_named(main: YamlFile, path: Path, where: tuple[str | int, ...]) -> tuple[YamlFile | None, list[Problem]]:
    if "\0" in str(path) or not path.is_file():
        return None, [main.at(where, f"there is no file {path}")]
    return read_yaml(path, str(path))


def _rule_files(main: YamlFile, base: Path, problems: list[Problem]) -> Iterator[Path]:
    """Each file once, in the order of the patterns and then of their names."""
    seen = set()
    patterns = main.value(("rules",))
    default = MainFile.model_fields["rules"].default
    for index, pattern in enumerate(patterns if isinstance(patterns, list) else default):
        if not isinstance(pattern, str) or not pattern:
            continue
        whole = str(Path(escape(str(base)), pattern))
        found = [] if "\0" in pattern else sorted(glob(whole, recursive=True))  # noqa: PTH207  # it may be absolute
        if not found and not has_magic(pattern):
            problems.append(main.at(("rules", index), f"there is no file {base / pattern}"))
        for path in map(Path, found):
            if path.resolve() not in seen and not path.is_dir():
                seen.add(path.resolve())
                yield path
