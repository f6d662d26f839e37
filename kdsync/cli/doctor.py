"""`kdsync doctor`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kdsync import logs
from kdsync.cli.opened import print_json
from kdsync.clock import SystemClock
from kdsync.doctor import examine
from kdsync.doctor.finding import FAILED, OK, SKIPPED, WARNING, Finding
from kdsync.settings.load import load

STYLES = {OK: "green", WARNING: "yellow", FAILED: "bold red", SKIPPED: "dim"}
WIDTH = 20
SECTIONS = {"kingdee": "Kingdee", "dingtalk": "DingTalk", "": "This machine"}


def doctor(config: Path, *, json_output: bool) -> int:
    """Examine and print; 0 if nothing failed."""
    loaded = load(config, os.environ)
    redactor = logs.Redactor(loaded.secrets)
    findings, page = [], None if json_output else _Page()
    with logs.silent():
        for finding in examine(loaded, SystemClock()):
            clean = replace(finding, detail=_clean(redactor, finding.detail), cure=_clean(redactor, finding.cure))
            findings.append(clean)
            if page:
                page.add(clean)
    if page:
        page.end(findings)
    else:
        print_json([asdict(finding) for finding in findings])
    return 1 if any(finding.result == FAILED for finding in findings) else 0


def _clean(redactor: logs.Redactor, text: str) -> str:
    """Without secrets, and without what a terminal would obey: some of it are another system's bytes."""
    return "".join(letter if letter.isprintable() else " " for letter in redactor.text(text))


class _Page:
    """What an operator sees: sections, a line for each finding, the cure below it."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._section: str | None = None

    def add(self, finding: Finding) -> None:
        """One more line."""
        first, _, rest = finding.what.partition(" ")
        section, what = (first, rest or first) if first in SECTIONS else ("", finding.what)
        if section != self._section:
            self._console.print(("" if self._section is None else "\n") + SECTIONS[section], style="bold")
            self._section = section
        line = Table.grid(padding=(0, 1))
        line.add_column(width=max(map(len, STYLES)))
        line.add_column(width=WIDTH, overflow="fold")
        line.add_column(ratio=1, overflow="fold")
        line.add_row(Text(finding.result, style=STYLES[finding.result]), Text(what), Text(finding.detail))
        self._console.print(Padding(line, (0, 0, 0, 2)))
        if finding.cure and finding.result in (FAILED, WARNING):
            self._cure(finding.cure)

    def end(self, findings: Iterable[Finding]) -> None:
        """The line that sums up."""
        counts = Counter(finding.result for finding in findings)
        parts = [f"{counts[FAILED]} failed", f"{counts[WARNING]} warning{'' if counts[WARNING] == 1 else 's'}"]
        parts += [f"{counts[SKIPPED]} skipped"] if counts[SKIPPED] else []
        style = STYLES[FAILED] if counts[FAILED] else STYLES[WARNING] if counts[WARNING] else STYLES[OK]
        self._console.print(f"\n{counts.total()} checks: {', '.join(parts)}", style=style)

    def _cure(self, cure: str) -> None:
        line = Table.grid(padding=(0, 1))
        line.add_column(width=1)
        line.add_column(ratio=1, overflow="fold")
        line.add_row("→", Text(cure, style="bold"))
        self._console.print(Padding(line, (0, 0, 0, 10)))
