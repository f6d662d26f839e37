"""The ways things fail. Edges classify a failure once; everything above reads only its kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureKind(StrEnum):
    """What a failure means for the one who wants to try again."""

    TRANSIENT = "transient"  # nothing was done; try again soon
    RATE_LIMITED = "rate_limited"  # nothing was done; try again after a pause
    SESSION_LOST = "session_lost"  # token or session is void; get a new one, then try once more
    QUOTA = "quota"  # the month's calls are used up
    REFUSED = "refused"  # this request will never be accepted
    CONFIGURATION = "configuration"  # nothing works until an operator acts
    UNKNOWN_OUTCOME = "unknown_outcome"  # it may have been done


ANOTHER_ACCOUNT = "another-account"
"""The code of an EdgeError: the account set behind the address is not the one that it was."""

TASKS_UNREADABLE = "tasks-unreadable"
"""The code of an EdgeError of kind CONFIGURATION: what Kingdee's workflows wait for may not be read."""


class KdsyncError(Exception):
    """Base of every error that kdsync raises on purpose."""


class EdgeError(KdsyncError):
    """Kingdee or DingTalk did not do what was asked.

    `system` is "kingdee" or "dingtalk"; `code` is the other side's own code, or the name of what happened to the
    connection; `retry_after` is in seconds; `cure` tells an operator what to do. None of them holds a secret. Where
    nothing reached the other side at all, `sent` is False. `words` are the other side's own, clipped; "" where it said
    nothing.
    """

    def __init__(
        self,
        system: str,
        kind: FailureKind,
        code: str,
        message: str,
        *,
        cure: str = "",
        retry_after: float | None = None,
        sent: bool = True,
        words: str = "",
    ) -> None:
        super().__init__(f"{system}: {message} [{code}]")
        self.system = system
        self.kind = kind
        self.code = code
        self.message = message
        self.cure = cure
        self.retry_after = retry_after
        self.sent = sent
        self.words = words


class HeldBackError(EdgeError):
    """Not even tried: the other side is down, and a probe has to find out when it is back."""

    def __init__(self, system: str, reason: str, retry_after: float) -> None:
        message = f"not tried, because it is down: {reason}" if reason else "not tried, because it is down"
        super().__init__(system, FailureKind.TRANSIENT, "held", message, retry_after=retry_after, sent=False)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in one file an operator owns; lines and columns count from 1."""

    file: str
    line: int
    column: int
    key: str  # dotted path of the offending key, such as `rules[2].on`
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}"
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {self.key}: {self.message}{hint}" if self.key else f"{place}: {self.message}{hint}"


class ConfigurationError(KdsyncError):
    """The configuration cannot be used; `problems` holds every mistake that was found, in reading order."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


class StoreError(KdsyncError):
    """The database cannot be used; the text says why and what to do."""


class StoreUnusableError(StoreError):
    """The database cannot be read or written now: its disk, its file or another program is the reason."""


class UnknownFieldError(EdgeError):
    """Kingdee does not know one of the keys of a query; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__("kingdee", FailureKind.REFUSED, "9", message)
        self.field = field
