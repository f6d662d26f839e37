"""Calls Kingdee's services: keeps the session, repeats what may be repeated, and knows the server's clock."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from random import Random, SystemRandom
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from kdsync import logs
from kdsync.clock import Clock
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.account import AccountBook, MemoryBook
from kdsync.kingdee.auth import AUTH, KingdeeSession
from kdsync.kingdee.errors import answered, for_an_operator
from kdsync.kingdee.limits import LoginLedger, MemoryLedger
from kdsync.kingdee.session import SERVICE, Sessions
from kdsync.kingdee.transport import Call, Reply, Transport
from kdsync.server_clock import ServerClock
from kdsync.settings.schema import KingdeeSection

LOG_OUT = AUTH + "Logout"
TRIES = 3
STAMP_REFUSED = "gateway-4006"
BLIPS = frozenset({"cut", "refused", "http-502", "http-503", "http-504", STAMP_REFUSED})
"""Failures of reads that are often over in a moment; a time-out is not, and has taken long enough."""
PAUSE = (0.2, 0.8)
"""Seconds before the second try, at random in this span; twice that before the third."""


class KingdeeClient:
    """One user's way into one account set. Threads may share it; close it in the end."""

    def __init__(
        self,
        settings: KingdeeSection,
        clock: Clock,
        *,
        random: Random | None = None,
        on_call: Callable[[Call], None] | None = None,
        ledger: LoginLedger | None = None,
        book: AccountBook | None = None,
    ) -> None:
        self.settings = settings
        self.on_call = on_call
        self._clock = clock
        self._random = random or SystemRandom()
        self.server_clock = ServerClock(clock)
        self._transport = Transport(settings, clock, self.server_clock, on_call)
        self._sessions = Sessions(
            settings, clock, self._transport, self.server_clock, ledger or MemoryLedger(), book or MemoryBook()
        )
        self._blips = Retrying(
            stop=stop_after_attempt(TRIES),
            retry=retry_if_exception(_is_blip),
            wait=self._pause,
            sleep=self._wait,
            reraise=True,
        )

    def call(self, service: str, payload: Mapping[str, Any], *, read: bool) -> Any:
        """What `service` answers to `payload` (the whole body, such as `{"data": {…}}`), as parsed JSON.

        A bare name such as `Save` is one of DynamicFormService. EdgeError where Kingdee says no; a write is sent once
        at most, and where its outcome is not known the error says so.
        """
        return self.ask(service, payload, read=read).value

    def ask(self, service: str, payload: Mapping[str, Any], *, read: bool) -> Reply:
        """Like `call`, with the server's time of the answer."""
        name = service if "." in service else SERVICE + service
        body = json.dumps(payload).encode()  # ASCII only: some servers misread anything else
        session = self._sessions.current()
        try:
            return self._send(name, body, session, read)
        except EdgeError as error:
            if error.kind is not FailureKind.SESSION_LOST:
                raise
            self._sessions.lost(session)
            if self._sessions.signs_each_call:
                raise for_an_operator(error, "the signed headers") from None
            if not read:
                raise
        return self._again(name, body)

    def _again(self, name: str, body: bytes) -> Reply:
        session = self._sessions.current()
        try:
            return self._send(name, body, session, read=True)
        except EdgeError as error:
            if error.kind is not FailureKind.SESSION_LOST:
                raise
            self._sessions.lost(session)
            raise for_an_operator(error) from None

    def log_in(self) -> KingdeeSession:
        """The session in use, after a login where there is none: who kdsync is to Kingdee, and its warnings."""
        return self._sessions.current()

    @property
    def has_session(self) -> bool:
        """Whether somebody is logged in."""
        return self._sessions.is_open

    def log_out(self) -> bool:
        """End the session, if there is one, so that it holds no memory or licence; False where Kingdee did not answer.

        Then it ends by itself, 20 minutes after the last call.
        """
        session = self._sessions.leave()
        if session is not None:
            try:
                self._transport.post(LOG_OUT, b"{}", session.headers, read=True)
            except EdgeError as error:
                logs.get("kingdee").info("kingdee.not_logged_out", reason=str(error))
                return answered(error)
        return True

    def close(self) -> None:
        """Close all connections. The session ends by itself, 20 minutes after the last call."""
        self._transport.close()

    def _send(self, name: str, body: bytes, session: KingdeeSession, read: bool) -> Reply:
        reply = self._blips(self._once, name, body, session) if read else self._once(name, body, session, read=False)
        if reply.cookies:
            self._sessions.keep(session, reply.cookies)
        return reply

    def _once(self, name: str, body: bytes, session: KingdeeSession, read: bool = True) -> Reply:
        try:
            return self._transport.post(name, body, self._sessions.headers(session, name), read=read)
        except EdgeError as error:
            if error.code == STAMP_REFUSED:
                self.server_clock.yield_()
            raise

    def _pause(self, state: RetryCallState) -> float:
        return float(self._random.uniform(*PAUSE) * state.attempt_number)

    def _wait(self, seconds: float) -> None:
        self._clock.wait(threading.Event(), seconds)


def _is_blip(error: BaseException) -> bool:
    return isinstance(error, EdgeError) and error.kind is FailureKind.TRANSIENT and error.code in BLIPS
