"""The doctor's page on a narrow terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from kdsync.cli import doctor as command
from kdsync.doctor.finding import FAILED, OK, SKIPPED, WARNING, Finding

LONG = "the certificate is of an authority this machine does not know; it is for erp.example.com, by Our Company"
CURE = "put the certificate of your company's authority into a PEM file, and set kingdee.ca_file to it"
FINDINGS = [
    Finding("disk", OK, "900 MiB free"),
    Finding("kingdee tls", FAILED, LONG, CURE),
    Finding("kingdee login", SKIPPED, "Kingdee is not reached"),
    Finding("dingtalk clock", WARNING, "+300 s; the secret is hush\x1b[31m", "NTP"),
]


@pytest.fixture(autouse=True)
def examined(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    found = list(FINDINGS)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(command, "load", lambda *_: SimpleNamespace(secrets=("the secret is hush",)))

    def examine(*_: object) -> Iterator[Finding]:
        yield from found

    monkeypatch.setattr(command, "examine", examine)
    return found


def test_a_page_of_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.doctor(Path("kdsync.yaml"), json_output=False) == 1
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line and not line.startswith(" ")][:3] == ["This machine", "Kingdee", "DingTalk"]
    page = " ".join(" ".join(lines).split())
    assert CURE in page
    assert "failed tls the certificate" in page
    assert lines[-1] == "4 checks: 1 failed, 1 warning, 1 skipped"


def test_no_secret_and_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    command.doctor(Path("kdsync.yaml"), json_output=False)
    page = capsys.readouterr().out
    assert "hush" not in page
    assert "\x1b" not in page


def test_json_for_machines(capsys: pytest.CaptureFixture[str], examined: list[Finding]) -> None:
    assert command.doctor(Path("kdsync.yaml"), json_output=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert told[1] == {"what": "kingdee tls", "result": "failed", "detail": LONG, "cure": CURE}
    examined[1:2] = []
    assert command.doctor(Path("kdsync.yaml"), json_output=True) == 0
