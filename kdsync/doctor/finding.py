"""One line of the doctor, and how the failures of the two systems become one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from kdsync.errors import EdgeError, FailureKind

OK, WARNING, FAILED, SKIPPED = "ok", "warning", "failed", "skipped"

CURES = {
    FailureKind.TRANSIENT: "this may pass by itself: run the doctor again in some minutes",
    FailureKind.RATE_LIMITED: "wait some minutes, and run the doctor again",
}
REPORT = "please report this line"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was tried, how it went, and what to do about it."""

    what: str
    result: str
    detail: str = ""
    cure: str = ""


Walk = Generator[Finding, None, bool]
"""Findings as they are made; in the end whether what builds on them can be tried."""


def failed(what: str, error: EdgeError, where: str = "") -> Finding:
    """A failure of Kingdee or DingTalk; there always is something to do."""
    cure = error.cure or CURES.get(error.kind, REPORT)
    if error.kind is FailureKind.RATE_LIMITED and error.retry_after:
        cure = f"{cure} ({error.retry_after:.0f} s)"
    return Finding(what, FAILED, f"{where}{error.message} [{error.code}]", cure)


def attempt(what: str, ask: Callable[[], str]) -> Finding:
    """Ask once; `ask` tells what was found, or raises EdgeError."""
    try:
        return Finding(what, OK, ask())
    except EdgeError as error:
        return failed(what, error)
