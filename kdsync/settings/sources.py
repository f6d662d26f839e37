"""Finds and reads the files of one configuration: `kdsync.yaml`, and the rules and the directory that it names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from glob import escape, glob, has_magic
from itertools import takewhile
from pathlib import Path

from kdsync.errors import Problem
from kdsync.settings.places import YamlFile
from kdsync.settings.schema import MainFile
from kdsync.settings.yamlfile import cure, read_yaml


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
    main, problems = read_yaml(path, str(path), "-c FILE or the variable KDSYNC_CONFIG says where it is")
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
        wrong = [_no_file(path, pattern) for path in map(Path, found)] if found else [_nothing(pattern, base)]
        problems += (main.at(("rules", index), *told) for told in wrong if told)
        for path in map(Path, found):
            real = os.path.realpath(path)
            if real not in seen and not _is_odd(path):
                seen.add(real)
                yield path


def _is_odd(path: Path) -> bool:
    """A folder, or what might never end, such as a pipe; what is not there is told when it is read."""
    return path.exists() and not path.is_file()


def _no_file(path: Path, pattern: str) -> tuple[str, str] | None:
    """What is wrong with what was found, and a hint; a folder is as long as nobody named it alone."""
    if not _is_odd(path) or (path.is_dir() and has_magic(pattern)):
        return None
    return (f"{path} is a folder", f"write {pattern}/*.yaml") if path.is_dir() else (f"{path} is no ordinary file", "")


def _nothing(pattern: str, base: Path) -> tuple[str, str] | None:
    """Why nothing was found, and a hint: a folder that cannot be read looks like one without files."""
    if "\0" not in pattern:
        folder = Path(base, *takewhile(lambda part: not has_magic(part), Path(pattern).parts[:-1]))
        try:
            os.scandir(folder).close()
        except FileNotFoundError:
            pass
        except OSError as error:
            return f"{folder} cannot be read: {error.strerror}", cure(error)
    return None if has_magic(pattern) else (f"there is no file {base / pattern}", "")
