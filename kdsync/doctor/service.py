"""The user and the variables that the daemon has: an operator's shell has others.

Rights are judged for the user of the systemd unit where there is one. A dynamic user exists only while the service
runs; otherwise it is anybody else to every file.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

UNIT = "kdsync.service"
ASKED = ("LoadState", "User", "DynamicUser", "MainPID", "Environment")
PATIENCE = 5.0  # seconds
BITS = {"r": 4, "w": 2, "x": 1}


@dataclass(frozen=True, slots=True)
class Service:
    """The daemon's unit as far as it can be known; `uid` is None for a user who is nobody in particular."""

    installed: bool = False
    user: str = ""
    uid: int | None = None
    gids: frozenset[int] = frozenset()
    running: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    def may(self, way: str, path: Path) -> bool:
        """Whether the user may read (r), write (w) or enter (x) what is at `path`, by its mode. Raises OSError."""
        if self.uid == os.geteuid():
            return os.access(path, {"r": os.R_OK, "w": os.W_OK, "x": os.X_OK}[way])
        if self.uid == 0:
            return True
        found = path.stat()
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid in self.gids else 0
        return bool(stat.S_IMODE(found.st_mode) >> shift & BITS[way])

    def closed(self, path: Path, ways: str) -> str:
        """Why the user may not do all of `ways` with `path`; "" where they may."""
        try:
            for folder in reversed(path.absolute().parents):
                if not self.may("x", folder):
                    return f"{self.user} may not enter {folder}{_mode(folder)}"
            lacking = [way for way in ways if not self.may(way, path)]
            return f"{self.user} may not {_words(lacking)} {path}{_mode(path)}" if lacking else ""
        except OSError as error:
            return f"{path}: {error.strerror}"


def ourselves() -> Service:
    """Nobody but who asks."""
    uid = os.geteuid()
    return Service(False, _name(uid), uid, frozenset({os.getegid(), *os.getgroups()}), environment=dict(os.environ))


def service_of(unit: str = UNIT) -> Service:
    """The unit as systemd tells; who asks, where there is none."""
    told = _told(unit)
    if told.get("LoadState") != "loaded":
        return ourselves()
    pid = int(told.get("MainPID") or 0)
    environment = dict(item.partition("=")[::2] for item in shlex.split(told.get("Environment", "")))
    return _of_user(told, pid, _environment(pid) or environment)


def _of_user(told: Mapping[str, str], pid: int, environment: Mapping[str, str]) -> Service:
    name, dynamic = told.get("User", ""), told.get("DynamicUser") == "yes"
    if pid:
        try:
            owner = Path(f"/proc/{pid}").stat()
        except OSError:
            pid = 0
        else:
            known = name or _name(owner.st_uid)
            return Service(True, known, owner.st_uid, frozenset({owner.st_gid}), True, environment)
    if dynamic:
        return Service(True, "the service's dynamic user", environment=environment)
    try:
        entry = pwd.getpwnam(name or "root")
    except KeyError:
        return Service(True, name, environment=environment)
    groups = frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return Service(True, entry.pw_name, entry.pw_uid, groups, environment=environment)


def _told(unit: str) -> dict[str, str]:
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        return {}
    command = [systemctl, "show", unit, f"--property={','.join(ASKED)}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603  # a fixed command
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(line.partition("=")[::2] for line in answer.stdout.splitlines())


def _environment(pid: int) -> dict[str, str]:
    """The variables of a process; none where we may not see them."""
    try:
        items = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if pid else []
    except OSError:
        return {}
    return dict(os.fsdecode(item).partition("=")[::2] for item in items if item)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _words(ways: list[str]) -> str:
    return " or ".join({"r": "read", "w": "write", "x": "enter"}[way] for way in ways)


def _mode(path: Path) -> str:
    found = path.stat()
    return f" (owner {_name(found.st_uid)}, mode {stat.S_IMODE(found.st_mode):03o})"
