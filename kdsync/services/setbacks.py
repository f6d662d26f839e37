"""The looks at one form that fail: each pauses by itself, and operators hear of what does not pass by itself.

One kind of look may fail for good while the others go well, as where the form's `open` filter is wrong, or where
reading all keys takes longer than a request may.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from kdsync.delivery.retry import doubling
from kdsync.errors import ANOTHER_ACCOUNT, EdgeError, FailureKind
from kdsync.services.notices import Notices

INTERVAL, SWEEP, RECONCILE = "interval", "sweep", "reconcile"


class Pace(NamedTuple):
    """Seconds of the pauses after failures, each twice the one before; `patience`: how many failures in a row that may
    pass by themselves are borne before operators hear of them."""

    first: float
    longest: float
    patience: int


LONGEST_PAUSE = 60.0
OPERATOR_PAUSE = 300.0  # for failures that only an operator can mend
PERSISTENT = 3  # of those in a row: a server that restarts says strange things for a moment
LASTING = 10  # failures in a row, over some minutes: it does not pass by itself
PACES = {
    INTERVAL: Pace(1.0, LONGEST_PAUSE, LASTING),
    SWEEP: Pace(1.0, LONGEST_PAUSE, LASTING),
    RECONCILE: Pace(60.0, 3600.0, 5),  # it reads much
}
WORDS = {INTERVAL: "form", SWEEP: "sweep", RECONCILE: "reconcile"}


@dataclass(slots=True)
class Setback:
    """One look's: failures in a row, when the pause after the last one ends (monotonic), and what it said."""

    failures: int = 0
    until: float = 0.0
    error: str = ""


@dataclass(slots=True)
class Setbacks:
    """`well` are the looks that went well in this process: what is told of others may be of an earlier one."""

    form: str
    notices: Notices
    given_up: bool = False  # an operator must act
    _by_look: dict[str, Setback] = field(default_factory=dict)
    _well: set[str] = field(default_factory=set)

    @property
    def error(self) -> str:
        """What the look said that has failed for longest; "" where all go well."""
        return next((one.error for one in self._by_look.values()), "")

    @property
    def failures(self) -> int:
        """Failures in a row, of the look that has most."""
        return max((one.failures for one in self._by_look.values()), default=0)

    def pauses(self, look: str) -> bool:
        """Whether it is too early for that look."""
        found = self._by_look.get(look)
        return found is not None and self.notices.clock.monotonic() < found.until

    def forgive(self) -> None:
        """No look pauses any more."""
        for one in self._by_look.values():
            one.until = 0.0

    def succeeded(self, look: str) -> None:
        """A look went well."""
        if self._by_look.pop(look, None) or look not in self._well:
            self._well.add(look)
            self.notices.clear(_cause(self.form, look), f"{WORDS[look]}_back", form=self.form)
            self.notices.clear("account", "account_over")
        self.given_up = False

    def failed(self, look: str, error: EdgeError) -> float:
        """A look failed; returns the seconds that it pauses for."""
        setback, pace = self._by_look.setdefault(look, Setback()), PACES[look]
        for_operator = error.kind in (FailureKind.CONFIGURATION, FailureKind.REFUSED)
        longest = max(pace.longest, OPERATOR_PAUSE) if for_operator else pace.longest
        setback.failures, setback.error = setback.failures + 1, str(error)
        seconds = max(doubling(setback.failures - 1, longest, pace.first), error.retry_after or 0.0)
        setback.until = self.notices.clock.monotonic() + seconds
        lasts = setback.failures >= (PERSISTENT if for_operator else pace.patience)
        self.given_up = self.given_up or (lasts and for_operator)
        if error.code == ANOTHER_ACCOUNT:  # of all forms, so that it is told once
            self.notices.raise_("account", "account", error=error.message, cure=error.cure)
        elif lasts and (look == INTERVAL or INTERVAL not in self._by_look):  # which says all
            cause, text = _cause(self.form, look), f"{WORDS[look]}_failed"
            self.notices.raise_(cause, text, form=self.form, error=error.message, cure=error.cure)
        return seconds


def _cause(form: str, look: str) -> str:
    return f"form {form}" if look == INTERVAL else f"form {form} {look}"
