"""Which account set answers: remembered at the first login, compared at every further one.

An address can come to serve another account set under the same id: a copy made for tests, the wrong backup. Its
documents would look like changes of ours. Signed headers have no login; there only the documents can tell.
Source: `Context` of a captured login answer of version 9.0.553.10 (`DBid`, `DataCenterName`).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from kdsync import logs
from kdsync.errors import ANOTHER_ACCOUNT, EdgeError, FailureKind


class Account(NamedTuple):
    """An account set as a login answer names it; "" where it does not."""

    id: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name or 'without a name'} ({self.id or 'without an id'})"


class AccountBook(Protocol):
    """Remembers the account set across restarts."""

    def known(self) -> Account | None:
        """The account set of earlier logins; None before the first, and after an operator accepted another."""

    def remember(self, account: Account) -> None:
        """This is the account set."""


class MemoryBook:
    """A book that forgets when the process ends."""

    def __init__(self) -> None:
        self._known: Account | None = None

    def known(self) -> Account | None:
        return self._known

    def remember(self, account: Account) -> None:
        self._known = account


def admit(book: AccountBook, told: Account) -> None:
    """Let the account set in that was there before; EdgeError where it is another one."""
    known = book.known()
    if known is not None and not _same(known, told):
        logs.get("kingdee").error("account.another", known=str(known), told=str(told))
        raise EdgeError(
            "kingdee",
            FailureKind.CONFIGURATION,
            ANOTHER_ACCOUNT,
            f"another account set answers: {told}, where it was {known}",
            cure="bring the right account set back, or run `kdsync accept account` if the change is intended",
        )
    learned = Account(told.id or (known.id if known else ""), told.name or (known.name if known else ""))
    if any(learned) and learned != known:
        logs.get("kingdee").info("account.known", account=str(learned))
        book.remember(learned)


def _same(known: Account, told: Account) -> bool:
    """By id where both have one, because a data centre may be renamed; what is missing is no evidence."""
    if known.id and told.id:
        return known.id.casefold() == told.id.casefold()
    return not (known.name and told.name) or known.name == told.name
