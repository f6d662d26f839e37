"""`kdsync doctor`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kdsync import logs
from kdsync.cli.opened import print_json
from kdsync.clock import SystemClock
from kdsync.doctor import FAILED, OK, SKIPPED, WARNING, Finding, examine
from kdsync.settings.load import load

STYLES = {OK: "green", WARNING: "yellow", FAILED: "bold red", SKIPPED: "dim"}
WIDTH = 26


def doctor(config: Path, *, json_output: bool) -> int:
    """Examine and print; 0 if nothing failed."""
    loaded = load(config, os.environ)
    redactor = logs.Redactor(loaded.secrets)
    findings, console = [], Console(highlight=False)
    for finding in examine(loaded, SystemClock()):
        clean = Finding(finding.what, finding.result, redactor.text(finding.detail), redactor.text(finding.cure))
        findings.append(clean)
        if not json_output:
            _print(console, clean)
    failed = [finding for finding in findings if finding.result == FAILED]
    if json_output:
        print_json([asdict(finding) for finding in findings])
    else:
        console.print(f"\n{len(findings)} checks, {len(failed)} failed", style="bold")
    return 1 if failed else 0


def _print(console: Console, finding: Finding) -> None:
    detail = Text(finding.detail)
    if finding.cure and finding.result in (FAILED, WARNING):
        detail.append(f"\n→ {finding.cure}", style="bold")
    line = Table.grid(padding=(0, 1))
    line.add_column(width=max(map(len, STYLES)))
    line.add_column(width=WIDTH)
    line.add_column(ratio=1)
    line.add_row(Text(finding.result, style=STYLES[finding.result]), Text(finding.what), detail)
    console.print(line)
