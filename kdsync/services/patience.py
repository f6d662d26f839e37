"""Whether what failed is tried again: what may pass is, as long as makes sense; what no other try would mend is not.

Answers and approvals differ in how long they are waited for, and in what is said in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from kdsync.delivery.retry import after
from kdsync.errors import EdgeError, FailureKind, StoreUnusableError
from kdsync.services.carry import NotYetError

STORES_OWN = (StoreUnusableError, SQLAlchemyError)
"""The store's trouble is that of nothing that is worked on: it is no try."""
HOPELESS = (FailureKind.CONFIGURATION, FailureKind.REFUSED)
MOST_MISTAKES = 5  # tries of what kdsync itself stumbles over


@dataclass(frozen=True, slots=True)
class Again:
    """Try once more after `seconds`."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Enough:
    """It is given up; `late` tells that it was tried for as long as makes sense."""

    reason: str
    late: bool = False


@dataclass(frozen=True, slots=True)
class Patience:
    """`lasts` since it began, and `least` tries; `pauses` are the seconds between tries, the last again and again.

    What looks hopeless is believed at the `sure`-th try: a server that restarts says strange things for a moment.
    """

    lasts: timedelta
    pauses: Sequence[float]
    least: int = 0
    sure: int = 1

    def judge(self, error: Exception, tries: int, waited: timedelta) -> Again | Enough:
        """What to do after so many tries before the one that failed with `error`."""
        if isinstance(error, EdgeError) and error.kind in HOPELESS and tries + 1 >= self.sure:
            return Enough(reason_of(error))
        if is_mistake(error) and tries + 1 >= MOST_MISTAKES:
            return Enough(reason_of(error))
        if waited >= self.lasts and tries + 1 >= self.least:
            return Enough(reason_of(error), late=True)
        return self.again(error, tries)

    def again(self, error: Exception, tries: int) -> Again:
        """The pause before the next try; no longer than the longest, whatever the other side asks for."""
        asked = (error.retry_after or 0.0) if isinstance(error, EdgeError) else 0.0
        return Again(max(after(self.pauses, tries), min(asked, self.pauses[-1])), reason_of(error))


def is_mistake(error: Exception) -> bool:
    """Whether kdsync stumbled, and neither system did anything."""
    return not isinstance(error, EdgeError | NotYetError)


def reason_of(error: Exception) -> str:
    """Why it failed; of a mistake its kind only, for its text may hold anything."""
    return f"kdsync stumbled over it ({type(error).__name__})" if is_mistake(error) else str(error)
