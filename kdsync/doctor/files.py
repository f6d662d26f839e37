"""Files: the configuration that must be read, and the secrets that nobody else may read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kdsync.doctor.finding import FAILED, OK, WARNING, Finding
from kdsync.doctor.service import Service, ourselves
from kdsync.settings.load import Loaded
from kdsync.settings.sources import read_sources

OTHERS_READ, OTHERS_WRITE = stat.S_IROTH, stat.S_IWOTH


def examine(loaded: Loaded, service: Service) -> Iterator[Finding]:
    """Who runs what, the configuration's files and the secrets'."""
    yield _user(service)
    yield from _configuration(loaded, service)
    yield from _secrets(loaded, service)


def _user(service: Service) -> Finding:
    me = ourselves().user
    if not service.installed:
        return Finding("user", OK, f"the doctor runs as {me}; no kdsync.service is known here: rights are {me}'s")
    state = "runs" if service.running else "does not run"
    return Finding("user", OK, f"the doctor runs as {me}; kdsync.service {state}: rights are those of {service.user}")


def _configuration(loaded: Loaded, service: Service) -> Iterator[Finding]:
    ca_file = loaded.settings.main.kingdee.ca_file
    files = [*loaded.files, *([ca_file] if ca_file else [])]
    closed = list(dict.fromkeys(filter(None, (service.closed(path, "r") for path in files))))
    for reason in closed:
        cure = "chmod a+rx the folder, a+r the file; the configuration holds no secrets"
        yield Finding("configuration", FAILED, reason, cure)
    for path in _open(files, OTHERS_WRITE):
        cure = f"chmod o-w {path}"
        yield Finding("configuration", WARNING, f"anybody on this machine can change {path}", cure)
    if not closed:
        yield Finding("configuration", OK, f"{len(files)} files can be read")


def _secrets(loaded: Loaded, service: Service) -> Iterator[Finding]:
    named, given = _secret_files(loaded)
    closed = list(filter(None, (service.closed(path, "r") for path in named)))
    for reason in closed:
        cure = "give the file to the service's user and group, or use {credential: NAME} with LoadCredential="
        yield Finding("secrets", FAILED, reason, cure)
    wide = list(_open([*named, *given], OTHERS_READ | OTHERS_WRITE))
    for path in wide:
        yield Finding("secrets", WARNING, f"anybody on this machine can read {path}", f"chmod 600 {path}")
    if not closed and not wide:
        count = len(named) + len(given)
        detail = f"{count} in files that are closed to others" if count else "none of them is in a file"
        yield Finding("secrets", OK, detail)


def _secret_files(loaded: Loaded) -> tuple[list[Path], list[Path]]:
    """The files that the service reads, and those that systemd hands to it."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    named, given = [], []
    for way, name in _ways(read_sources(loaded.files[0]).main.data):
        if way == "file":
            named.append(Path(loaded.settings.base, name))
        elif folder:
            given.append(Path(folder, name))
    return named, given


def _ways(data: Any) -> Iterator[tuple[str, str]]:
    """Every {file: PATH} and {credential: NAME}, wherever it stands."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        if key in ("file", "credential") and isinstance(value, str) and len(data) == 1:
            yield key, value
        else:
            yield from _ways(value)


def _open(paths: Iterable[Path], bits: int) -> Iterator[Path]:
    """Those of the files that anybody may read or write; a closed folder above closes them all."""
    nobody = Service(user="others")
    for path in paths:
        try:
            entered = all(nobody.may("x", folder) for folder in path.absolute().parents)
            if entered and path.stat().st_mode & bits:
                yield path
        except OSError:
            continue  # told elsewhere
