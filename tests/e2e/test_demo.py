"""`kdsync demo` and `kdsync simulate` as somebody types them: the real daemon, the simulated systems, nothing left."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from rich.cells import cell_len

from kdsync.demo import replay

pytestmark = pytest.mark.e2e
SAMPLE = Path(replay.__file__).with_name("sample.csv")
WIDTH = 80
STOPPED = 130


class Typed:
    """A kdsync command in a pipe of 80 columns, its temporary files in `folder`."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        here = {**os.environ, "TMPDIR": str(folder), "COLUMNS": str(WIDTH), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kdsync", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env=here,
        )

    def wait_for(self, text: str) -> str:
        """Read until a line has the text; everything up to it."""
        assert self.process.stdout
        read = ""
        for line in self.process.stdout:
            read += line
            if text in line:
                return read
        pytest.fail(f"{text!r} was not printed, but:\n{read}")

    def rest(self) -> str:
        return self.process.communicate(timeout=60)[0]

    def leaves_nothing(self) -> bool:
        """No file and no process."""
        return not list(self.folder.iterdir()) and not any(
            str(self.folder) in _command(process) for process in Path("/proc").glob("[0-9]*")
        )


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_text()
    except OSError:
        return ""  # it has ended


def figure(printed: str, label: str) -> str:
    found = re.search(rf"^ *{label} {{2,}}(.*)$", printed, re.MULTILINE)
    assert found, printed
    return found[1]


@pytest.mark.long
def test_the_day_is_told_once_to_everybody(tmp_path: Path) -> None:
    demo = Typed(tmp_path, "demo", "--seconds", "12")
    printed = demo.rest()
    assert demo.process.returncode == 0, printed
    assert figure(printed, "changes made in Kingdee") == figure(printed, "changes noticed by kdsync") == "48"
    assert figure(printed, "messages expected") == figure(printed, "seen on the right phone") == "49"
    assert figure(printed, "answers given in DingTalk") == figure(printed, "with the right effect in Kingdee") == "5"
    assert "王五 writes: 确认付款 FKD000006" in printed
    assert "王五: FKD000006：确认付款 已完成" in printed
    assert "= Kingdee: 付款单 FKD000006 Approved" in printed
    assert "陈七: FKD000006：您无权执行 确认付款" in printed
    assert "财务群: 付款单 FKD000005 被修改" in printed
    assert "Nguyễn Văn An: Đề nghị thanh toán FYBX000006 của bạn bị trả lại" in printed
    assert max(cell_len(line) for line in printed.splitlines()) <= WIDTH
    assert demo.leaves_nothing()


@pytest.mark.long
def test_a_log_is_replayed_and_every_decision_seen_once(tmp_path: Path) -> None:
    demo = Typed(tmp_path, "demo", "--replay", str(SAMPLE), "--limit", "12")
    printed = demo.rest()
    assert demo.process.returncode == 0, printed
    made = replay.plan(replay.read(SAMPLE, 12), ["somebody"], "zhoujie")
    assert figure(printed, "messages expected") == figure(printed, "seen on the right phone") == str(made.tells)
    assert figure(printed, "rows") == str(made.rows)
    assert demo.leaves_nothing()


@pytest.mark.skipif("KDSYNC_REPLAY_FILE" not in os.environ, reason="KDSYNC_REPLAY_FILE names no log to replay")
def test_the_beginning_of_a_real_log_is_replayed(tmp_path: Path) -> None:
    demo = Typed(tmp_path, "demo", "--replay", os.environ["KDSYNC_REPLAY_FILE"], "--limit", "40")
    printed = demo.process.communicate(timeout=180)[0]
    assert demo.process.returncode == 0, printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_the_middle_of_the_day(tmp_path: Path, number: signal.Signals) -> None:
    demo = Typed(tmp_path, "demo")
    demo.wait_for("creates")
    demo.process.send_signal(number)
    assert "Stopped." in demo.rest()
    assert demo.process.returncode == STOPPED
    assert demo.leaves_nothing()


def test_a_replay_of_a_file_that_is_no_log(tmp_path: Path) -> None:
    demo = Typed(tmp_path, "demo", "--replay", str(tmp_path / "none.csv"))
    printed = demo.rest()
    assert demo.process.returncode == 1
    assert re.fullmatch(r"kdsync: cannot read .*none\.csv.*\n", printed)


def test_simulate_says_how_to_reach_it_and_works_until_it_is_stopped(tmp_path: Path) -> None:
    simulation = Typed(tmp_path, "simulate")
    printed = simulation.wait_for("creates 费用报销单 Expense claim")
    url = re.search(r"^  url: (http://127\.0\.0\.1:\d+/K3Cloud/)$", printed, re.MULTILINE)
    assert url
    assert requests.get(url[1], timeout=5).ok
    assert "export KDSYNC_KINGDEE_APP_SECRET=" in printed
    simulation.process.send_signal(signal.SIGINT)
    simulation.rest()
    assert simulation.process.returncode == 0
    assert simulation.leaves_nothing()


def test_simulate_a_bad_day_and_say_what_strikes(tmp_path: Path) -> None:
    simulation = Typed(tmp_path, "simulate", "--faults", "dingtalk.http429@gettoken=1", "--seed", "1")
    printed = simulation.wait_for("creates")
    assert "dingtalk.http429@gettoken: once" in printed
    url = re.search(r"^  oapi_url: (\S+)$", printed, re.MULTILINE)
    assert url
    assert [requests.get(f"{url[1]}/gettoken", timeout=5).status_code for _ in range(2)] == [429, 200]
    simulation.wait_for("fault dingtalk.http429 at gettoken")
    simulation.process.send_signal(signal.SIGINT)
    simulation.rest()
    assert simulation.leaves_nothing()


def test_simulate_on_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        simulation = Typed(tmp_path, "simulate", "--kingdee-port", str(taken.getsockname()[1]))
        printed = simulation.rest()
    assert simulation.process.returncode == 1
    assert "cannot listen on the ports asked for" in printed
