"""The one Kingdee session that all threads share: logged in when needed, dropped when Kingdee lost it.

Logging in before each call would fill the server's memory (V6.0 WebAPI manual), so a session lives until an answer says
that it is gone. Signed headers need no login; their session id only saves the server work.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from kdsync import logs
from kdsync.clock import Clock
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.account import AccountBook, admit
from kdsync.kingdee.auth import KingdeeSession, app_secret, login_request, session_of
from kdsync.kingdee.errors import answered, for_an_operator
from kdsync.kingdee.limits import LoginLedger, LoginLimits
from kdsync.kingdee.signing import Algorithm, signed_headers
from kdsync.kingdee.transport import Transport
from kdsync.server_clock import ServerClock
from kdsync.settings.schema import KingdeeSection

SERVICE = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService."
ANOTHER_REASON = re.compile(r"(?i)时间戳|用户|密码|user|password|RestoreSession|许可|licen[cs]e|锁定|gateway")
"""Texts of refused logins that another digest would not cure."""


class Sessions:
    """Hands out the session to call with, and replaces it."""

    def __init__(
        self,
        settings: KingdeeSection,
        clock: Clock,
        transport: Transport,
        server_clock: ServerClock,
        ledger: LoginLedger,
        book: AccountBook,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._server_clock = server_clock
        self._limits = LoginLimits(clock, ledger, by_password=settings.auth == "password")
        self._book = book
        self._lock = threading.Lock()
        self._current: KingdeeSession | None = None
        self._generation = 0
        self._algorithm: Algorithm = "sha256"
        self._sha1_tried = False
        self._path = urlsplit(transport.base).path

    @property
    def signs_each_call(self) -> bool:
        """Whether there is no login at all."""
        return self._settings.auth == "headers"

    @property
    def is_open(self) -> bool:
        """Whether there is a session."""
        return self._current is not None

    def current(self) -> KingdeeSession:
        """The session to call with, after a login where there is none; EdgeError where that fails."""
        session = self._current
        if session is not None:
            return session
        with self._lock:
            if self._current is None:
                self._current = self._open()
            return self._current

    def lost(self, session: KingdeeSession) -> None:
        """`session` does not work any more; whoever comes with an older one changes nothing."""
        with self._lock:
            if self._current is not None and self._current.generation == session.generation:
                self._current = None

    def leave(self) -> KingdeeSession | None:
        """The session that was in use, which is not used any more."""
        with self._lock:
            left, self._current = self._current, None
            return left

    def keep(self, session: KingdeeSession, cookies: Mapping[str, str]) -> None:
        """Take over cookies that a good answer brought: a load balancer's, or a session id that was given anew."""
        with self._lock:
            current = self._current
            if current is None or current.generation != session.generation:
                return
            if not cookies.items() <= current.cookies.items():
                self._current = current.with_cookies(cookies)

    def headers(self, session: KingdeeSession, service: str) -> Mapping[str, str]:
        """What a call to `service` carries: the session, and in signed mode a fresh signature."""
        if not self.signs_each_call:
            return session.headers
        settings, now = self._settings, int(self._server_clock.now().timestamp())
        signed = signed_headers(
            path=f"{self._path}{service}.common.kdsvc",
            app_id=settings.app_id,
            app_secret=app_secret(settings),
            app_data=f"{settings.acct_id},{settings.username},{settings.lcid},{settings.org or 0}",
            timestamp=now,
            nonce=str(now),
        )
        return {**session.headers, **signed}

    def _open(self) -> KingdeeSession:
        if not self._server_clock.measured and self._settings.auth in ("sign", "headers"):
            self._transport.probe()
        self._generation += 1
        if self.signs_each_call:
            return KingdeeSession(self._generation)
        self._limits.check()
        session = self._log_in()
        self._admit(session)
        self._enter_organisation(session)
        self._limits.succeeded()
        logs.get("kingdee").info("kingdee.logged_in", user_name=session.user_name)
        if session.warning:
            logs.get("kingdee").warning("kingdee.login_warning", text=session.warning)
        if another := session.another_zone(self._settings.timezone, self._server_clock.now()):
            logs.get("kingdee").warning("kingdee.another_zone", text=another)
        return session

    def _admit(self, session: KingdeeSession) -> None:
        """Nothing is read from another account set; the next login waits as after a refusal."""
        try:
            admit(self._book, session.account)
        except EdgeError as error:
            self._limits.refused(error)
            raise

    def _log_in(self) -> KingdeeSession:
        """One login, and at most one more where the reason for the refusal may be cured from here."""
        try:
            return self._try()
        except EdgeError as error:
            again = self._cure(error)
            if again == "no":
                raise
            try:
                session = self._try()
            except EdgeError:
                if again == "sha1":
                    self._algorithm = "sha256"
                    raise error from None  # the first refusal is the one to explain
                raise
            return session

    def _cure(self, error: EdgeError) -> Literal["no", "clock", "sha1"]:
        """Change what may have been wrong with the login, and tell what that was."""
        if self._settings.auth != "sign" or not answered(error):
            return "no"
        if error.code == "time-stamp":
            self._server_clock.forget()
            self._transport.probe()
            return "clock"
        if self._algorithm == "sha1":
            self._algorithm = "sha256"  # the server was brought up to date
            return "no"
        if self._sha1_tried or not _may_be_the_digest(error):
            return "no"
        self._sha1_tried, self._algorithm = True, "sha1"  # servers before 8.0.0.202205
        return "sha1"

    def _try(self) -> KingdeeSession:
        timestamp = int(self._server_clock.now().timestamp())
        service, body = login_request(self._settings, timestamp, self._algorithm)
        try:
            reply = self._transport.post(service, json.dumps(body).encode(), {}, read=True)
            return session_of(reply.value, reply.cookies, self._generation)
        except EdgeError as error:
            told = _without_a_further_login(error)
            if answered(told):
                self._limits.refused(told)
            raise told from None

    def _enter_organisation(self, session: KingdeeSession) -> None:
        """Where that fails, the login was for nothing: the next one waits as after a refusal."""
        if not self._settings.org:
            return
        body = json.dumps({"data": {"OrgNumber": self._settings.org}}).encode()
        try:
            self._transport.post(SERVICE + "SwitchOrg", body, session.headers, read=True)
        except EdgeError as error:
            told = _without_a_further_login(error)
            self._limits.refused(told)
            raise told from None


def _without_a_further_login(error: EdgeError) -> EdgeError:
    """A session that is lost while it is opened is not opened once more."""
    return for_an_operator(error) if error.kind is FailureKind.SESSION_LOST else error


def _may_be_the_digest(error: EdgeError) -> bool:
    """The login was refused for nothing that is known to have another reason than its signature."""
    suspect = error.code in ("third-party", "sign", "login-0") or error.code.startswith("unmapped-login")
    return suspect and not ANOTHER_REASON.search(error.message.partition(": ")[2])
