"""The command as a shell sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def kdsync(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kdsync", *args],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "80", **environ},
        check=False,
    )


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    done = kdsync("--help")
    assert done.returncode == 0
    for command in ("run", "check", "doctor", "status", "trace", "accept", "outbox", "schema", "demo", "simulate"):
        assert f"\n  {command} " in done.stdout
    heavy = {"sqlalchemy", "requests", "jinja2", "pydantic"}
    code = f"import sys, kdsync.cli.main; print(sorted({heavy} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("args", ["--version", "schema rules", "demo --help"])
@pytest.mark.parametrize(("output", "told"), [("/dev/full", "No space left on device"), ("a pipe", "")])
def test_what_cannot_be_printed_is_one_line_at_the_most(args: str, output: str, told: str) -> None:
    """Whoever reads the pipe is gone before anything comes."""
    reader, target = os.pipe() if output == "a pipe" else (-1, os.open(output, os.O_WRONLY))
    if reader >= 0:
        os.close(reader)
    command = [sys.executable, "-m", "kdsync", *args.split()]
    done = subprocess.run(command, stdout=target, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(target)
    assert done.returncode == 1
    assert done.stderr.splitlines() == (
        [f"kdsync: nothing more can be written: {told} (make room, also where the output goes)"] if told else []
    )


def test_why_the_daemon_does_not_start_is_said_though_its_log_cannot_be_written(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kdsync", "run", "-c", str(tmp_path / "nothing.yaml")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 78
    assert "nothing.yaml" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("args", [("frobnicate",), ("check", "--nonsense"), ("trace",)])
def test_wrong_usage_is_two(args: tuple[str, ...]) -> None:
    assert kdsync(*args).returncode == 2


@pytest.mark.parametrize("command", ["check", "run", "doctor", "status"])
def test_a_broken_configuration_is_78(command: str, tmp_path: Path) -> None:
    (tmp_path / "kdsync.yaml").write_text("kingdee: [")
    done = kdsync(command, "-c", str(tmp_path / "kdsync.yaml"))
    assert done.returncode == 78
    assert "kdsync.yaml" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_the_configuration_may_come_from_the_environment(tmp_path: Path) -> None:
    done = kdsync("check", KDSYNC_CONFIG=str(tmp_path / "elsewhere.yaml"))
    assert done.returncode == 78
    assert "elsewhere.yaml" in done.stderr


def test_the_version_and_a_schema() -> None:
    assert kdsync("--version").stdout.startswith("kdsync 0.")
    assert '"properties"' in kdsync("schema", "rules").stdout
    assert kdsync("schema", "nothing").returncode == 2


@pytest.mark.parametrize("command", ["simulate", "demo"])
def test_faults_are_listed_and_nonsense_is_refused_with_advice(command: str) -> None:
    listed = kdsync(command, "--faults", "list")
    assert listed.returncode == 0
    lines = listed.stdout.splitlines()
    assert {"bad-day", "session_lost", "robot_keyword"} <= {line.split()[0] for line in lines if line.strip()}
    assert max(map(len, lines)) <= 80
    refused = kdsync(command, "--faults", "bad-dya")
    assert refused.returncode == 2
    assert "bad-dya" in refused.stderr
    assert "bad-day" in refused.stderr


def test_a_terminal_without_chinese_letters_ends_nothing_half_way(tmp_path: Path) -> None:
    (tmp_path / "kdsync.yaml").write_text("付款: 1", encoding="utf-8")
    done = kdsync("check", "--json", "-c", str(tmp_path / "kdsync.yaml"), PYTHONIOENCODING="ascii")
    assert done.returncode == 78
    assert "付款" in {problem["key"] for problem in json.loads(done.stdout)["problems"]}


def test_a_replay_is_played_without_faults(tmp_path: Path) -> None:
    assert kdsync("demo", "--faults", "bad-day", "--replay", str(tmp_path)).returncode == 2
