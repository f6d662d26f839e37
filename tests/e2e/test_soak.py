"""A short soak: the real daemon, killed once, while things go wrong. `tests.benchmarks.soak` makes a long one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
BRIEF = (  # faults that are over in seconds
    "reset=0.02,lost_reply=0.03,cut=0.02,truncated_json=0.02,slow=1,http502=0.02,short_page=0.05,session_lost=2,"
    "token_expired=2,done504=0.03,busy88=0.02,qps=2"
)


def soak(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "tests.benchmarks.soak", "--json", "--patience", "150", *options]
    here = {"PATH": "/usr/bin:/bin", "TMPDIR": str(folder), "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False, env=here)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.long
def test_a_bad_quarter_of_a_minute_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    code, told = soak(
        tmp_path, "--minutes", "0.17", "--rate", "30", "--faults", BRIEF, "--restarts", "1", "--reloads", "1"
    )
    assert code == 0, told
    assert told["events"] > 250
    assert told["seen"] + sum(told["dead"].values()) == told["expected"] > 15
    assert told["lives"] == 2
    assert sum(told["struck"].values()) > 5
    assert not list(tmp_path.iterdir())


def test_faults_that_do_not_exist(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.soak", "--faults", "sunny-day"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "sunny-day" in done.stderr
    assert not list(tmp_path.iterdir())
