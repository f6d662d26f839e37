"""Sessions of single Kingdee users, so that a change carries the name of who asked for it.

A third-party login authorisation that covers all users, or lists them, lets the same application id and secret open a
session as any of them (V6.0 WebAPI manual, LoginBySign and LoginByAppSecret: `username`). Each costs the server memory
and perhaps a licence, so few are kept, and only as long as they are used.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kdsync import logs
from kdsync.clock import Clock
from kdsync.kingdee.account import AccountBook
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.operations import Operations
from kdsync.kingdee.transport import Call
from kdsync.kingdee.workflow import Workflow
from kdsync.settings.schema import KingdeeSection

log = logs.get("kingdee")
MOST = 20  # persons at once
IDLE = 600.0  # seconds; Kingdee itself ends a session after twice that


@dataclass(frozen=True, slots=True)
class Hands:
    """What writes in one session; `account` is the Kingdee user, "" for the integration's own."""

    operations: Operations
    workflow: Workflow
    account: str = ""

    @classmethod
    def of(cls, client: KingdeeClient, account: str = "") -> Hands:
        """Those of one client."""
        return cls(Operations(client), Workflow(client), account)


@dataclass(slots=True)
class _Kept:
    client: KingdeeClient
    hands: Hands
    used: float  # monotonic


class Persons:
    """Keeps a client for each person who lately wrote. `settings` are those of the integration."""

    def __init__(
        self, settings: KingdeeSection, clock: Clock, book: AccountBook, on_call: Callable[[Call], None] | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._book = book
        self._on_call = on_call
        self._kept: dict[str, _Kept] = {}  # by account, the one used last at the end
        self._lock = threading.Lock()

    def hands(self, account: str) -> Hands:
        """Those of one Kingdee user, logged in. EdgeError where Kingdee does not let them in.

        A refused login is not repeated at once: what is kept of it knows when the next one may be tried.
        """
        return self._logged_in(account).hands

    def client(self, account: str) -> KingdeeClient:
        """The same to ask with. With signed headers only an answer shows whether Kingdee lets them in."""
        return self._logged_in(account).client

    def _logged_in(self, account: str) -> _Kept:
        with self._lock:
            self._end_idle()
            kept = self._kept.pop(account, None) or self._new(account)
            kept.used = self._clock.monotonic()
            self._kept[account] = kept
            kept.client.log_in()
            return kept

    def close(self) -> None:
        """Let go of everybody."""
        with self._lock:
            self._end(list(self._kept))

    def _new(self, account: str) -> _Kept:
        """Another one; the one used longest ago goes where that would be too many."""
        if len(self._kept) >= MOST:
            self._end([next(iter(self._kept))])
        own = self._settings.model_copy(update={"username": account})
        client = KingdeeClient(own, self._clock, book=self._book, on_call=self._on_call)
        return _Kept(client, Hands.of(client, account), 0.0)

    def _end_idle(self) -> None:
        oldest = self._clock.monotonic() - IDLE
        self._end([account for account, kept in self._kept.items() if kept.used < oldest])

    def _end(self, accounts: Sequence[str]) -> None:
        """Let go of some; a Kingdee that does not answer is not asked once more for each."""
        is_there = True
        for account in accounts:
            client = self._kept.pop(account).client
            is_there = is_there and client.log_out()
            client.close()
            log.info("person.session_ended", account=account)
