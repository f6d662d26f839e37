"""Who may come in: four ways to log in, signed headers, and sessions that slide for twenty minutes.

The algorithms are those of the official Python SDK 8.2.0 (`core/webapi_client.py`) and of the V6.0 interface manual. A
real server skips the signature of a request whose session is valid; this one checks every one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.cookies import SimpleCookie
from random import Random
from typing import Any
from urllib.parse import quote
from uuid import UUID

from kdsync.clock import Clock
from kdsync.simulator.kingdee_answers import MsgCode, Refusal, session_lost

SESSION_SECONDS = 20 * 60
SIGN_SECONDS = 10 * 60  # the "link valid time" of the third-party login authorisation
WRONG_PASSWORDS = 5
SECRET_LENGTH = 32
XOR_KEY = b"0054f397c6234378b09ca7d3e5debce7"  # the SDK's constant
SID = "kdservice-sessionid"

VERIFY_FAILED = "Fail to VerifyThirtyPassport"
RESTORE_FAILED = "Fail to RestoreSessionByApi"
EXPIRED = "时间戳验证失败，请求链接已失效"
WRONG_PASSWORD = "用户名或密码错误"  # noqa: S105  # a text
LOCKED = "用户已被锁定，请联系管理员"
NO_CENTRE = "数据中心不存在"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the integration was given by the administrator."""

    acct_id: str
    username: str
    app_id: str
    app_secret: str = field(repr=False)
    password: str = field(repr=False)
    sign_algorithm: str = "sha256"

    @property
    def passport(self) -> str:
        """The `passportForBase64` of LoginBySimplePassport."""
        return base64.b64encode(f"{self.acct_id},{self.username},{self.app_id},{self.app_secret}".encode()).decode()


@dataclass(slots=True)
class Session:
    """A session; a hollow one was handed out with a refused signature and is good for nothing."""

    sid: str
    user: int
    used: float
    hollow: bool = False
    org: str = ""  # the number of the organisation that it was switched to


class RefusedLoginError(Exception):
    """The login is answered with `kind` as LoginResultType and a text."""

    def __init__(self, kind: int, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class NotLoggedInError(Exception):
    """The request carries no session at all."""


class ForeignAccountError(Exception):
    """Signed headers name another account set."""


class StaleStampError(Exception):
    """The gateway finds the time stamp of signed headers too old or too new."""


class Gate:
    """Checks logins and the sessions of calls. `find_user` gives the id of an active user by account."""

    def __init__(
        self,
        credentials: Credentials,
        clock: Clock,
        now: Callable[[], datetime],
        find_user: Callable[[str], int | None],
        random: Random,
    ) -> None:
        self.sessions: dict[str, Session] = {}
        self.wrong_passwords: dict[str, int] = {}
        self.organisations: set[str] | None = None  # numbers of those that may be worked in; None: all
        self.checks_stamps = False  # of signed headers, as the gateway of the public cloud does and a server does not
        self.authorised: set[str] | None = None  # accounts that the third-party login authorisation lists; None: all
        self._credentials = credentials
        self._clock = clock
        self._now = now
        self._find_user = find_user
        self._random = random
        self._ways: Mapping[str, Callable[[Mapping[str, Any]], int]] = {
            "ValidateUser": self._by_password,
            "LoginByAppSecret": self._by_secret,
            "LoginBySign": self._by_sign,
            "LoginBySimplePassport": self._by_passport,
        }

    def log_in(self, way: str, arguments: Mapping[str, Any]) -> Session:
        """Raises `RefusedLoginError`."""
        return self.open(self._ways[way](arguments))

    def open(self, user: int, *, hollow: bool = False) -> Session:
        sid = str(UUID(int=self._random.getrandbits(128), version=4))
        self._forget_old()
        self.sessions[sid] = Session(sid, user, self._clock.monotonic(), hollow)
        return self.sessions[sid]

    def _forget_old(self) -> None:
        oldest = self._clock.monotonic() - SESSION_SECONDS
        self.sessions = {sid: session for sid, session in self.sessions.items() if session.used > oldest}

    def enter(self, headers: Mapping[str, str], path: str) -> Session:
        """The session of a call. Raises `Refusal`, or one of this module's errors."""
        sid = session_id(headers)
        if headers.get("X-Kd-Appkey"):
            return self._signed(headers, path, sid)
        if not sid:
            raise NotLoggedInError
        session = self._live(sid)
        if session is None or session.hollow:
            raise session_lost()
        return session

    def switch(self, session: Session, number: str) -> None:
        """Work in another organisation from now on. Raises `Refusal`."""
        if not number:
            raise Refusal(MsgCode.PARAMETER, "参数OrgNumber不能为空")
        if self.organisations is not None and number not in self.organisations:
            raise Refusal(MsgCode.NO_PERMISSION, f"当前用户没有组织“{number}”的权限")
        session.org = number

    def leave(self, headers: Mapping[str, str]) -> bool:
        """Log out; whether there was a session."""
        return self.sessions.pop(session_id(headers), None) is not None

    def _live(self, sid: str) -> Session | None:
        session = self.sessions.get(sid)
        now = self._clock.monotonic()
        if session is None or now - session.used >= SESSION_SECONDS:
            return None
        session.used = now
        return session

    def _user(self, account: Any, acct_id: Any) -> int:
        if acct_id != self._credentials.acct_id:
            raise RefusedLoginError(-1, NO_CENTRE)
        user = self._find_user(str(account)) if self._covers(account) else None
        if user is None:
            raise RefusedLoginError(-1, RESTORE_FAILED)
        return user

    def _covers(self, account: Any) -> bool:
        """Whether the authorisation is for that user; the integration's own is always on its list."""
        return self.authorised is None or account in {self._credentials.username, *self.authorised}

    def _by_password(self, given: Mapping[str, Any]) -> int:
        account = str(given.get("username"))
        if given.get("acctID") != self._credentials.acct_id:
            raise RefusedLoginError(-1, NO_CENTRE)
        if self.wrong_passwords.get(account, 0) >= WRONG_PASSWORDS:
            raise RefusedLoginError(0, LOCKED)
        right = (self._credentials.username, self._credentials.password)
        user = self._find_user(account)
        if user is None or (account, given.get("password")) != right:
            self.wrong_passwords[account] = self.wrong_passwords.get(account, 0) + 1
            raise RefusedLoginError(0, WRONG_PASSWORD)
        self.wrong_passwords.pop(account, None)
        return user

    def _by_secret(self, given: Mapping[str, Any]) -> int:
        user = self._user(given.get("username"), given.get("acctID"))
        if (given.get("appId"), given.get("appSecret")) != (self._credentials.app_id, self._credentials.app_secret):
            raise RefusedLoginError(-1, VERIFY_FAILED)
        return user

    def _by_sign(self, given: Mapping[str, Any]) -> int:
        user = self._user(given.get("username"), given.get("acctID"))
        stamp = str(given.get("timestamp"))
        if not self._is_timely(stamp):
            raise RefusedLoginError(-1, EXPIRED)
        ours = self._credentials
        values = sorted([ours.acct_id, str(given.get("username")), ours.app_id, ours.app_secret, stamp])
        sign = hashlib.new(ours.sign_algorithm, "".join(values).encode()).hexdigest()
        if given.get("appId") != ours.app_id or not hmac.compare_digest(sign, str(given.get("sign"))):
            raise RefusedLoginError(-1, VERIFY_FAILED)
        return user

    def _is_timely(self, stamp: str) -> bool:
        return stamp.isdecimal() and abs(int(stamp) - self._now().timestamp()) <= SIGN_SECONDS

    def _by_passport(self, given: Mapping[str, Any]) -> int:
        if given.get("passportForBase64") != self._credentials.passport:
            raise RefusedLoginError(-1, VERIFY_FAILED)
        return self._user(self._credentials.username, self._credentials.acct_id)

    def _signed(self, headers: Mapping[str, str], path: str, sid: str) -> Session:
        if self.checks_stamps and not self._is_timely(headers.get("X-Api-Timestamp") or ""):
            raise StaleStampError
        data = _appdata(headers)
        if data[:1] != [self._credentials.acct_id]:
            raise ForeignAccountError
        user = self._find_user(data[1]) if data[1:] and self._covers(data[1]) else None
        session = self._live(sid) if sid else None
        if user is None or (session and session.hollow) or not signature_holds(self._credentials, headers, path):
            raise session_lost()
        return session or self.open(user)


def session_id(headers: Mapping[str, str]) -> str:
    """The session that a request names, in a header or a cookie; empty if none."""
    cookie = SimpleCookie(headers.get("Cookie") or "").get(SID)
    return headers.get(SID) or (cookie.value if cookie else "")


def _appdata(headers: Mapping[str, str]) -> list[str]:
    try:
        return base64.b64decode(headers.get("X-Kd-Appdata") or "", validate=True).decode().split(",")
    except ValueError:
        return []


def signature_holds(ours: Credentials, headers: Mapping[str, str], path: str) -> bool:
    """Whether both signatures of the headers fit. `path` is the one that was asked for, with `/K3Cloud/`."""
    stamp, nonce = headers.get("X-Api-Timestamp") or "", headers.get("X-Api-Nonce") or ""
    client_id, _, encoded = ours.app_id.partition("_")
    text = f"POST\n{quote(path).replace('/', '%2F')}\n\nx-api-nonce:{nonce}\nx-api-timestamp:{stamp}\n"
    expected = {
        "X-Kd-Appkey": ours.app_id,
        "X-Api-ClientID": client_id,
        "X-Api-Auth-Version": "2.0",
        "X-Api-SignHeaders": "x-api-timestamp,x-api-nonce",
        "X-Api-Signature": _signature(_client_secret(encoded), text),
        "X-Kd-Signature": _signature(ours.app_secret, ours.app_id + ",".join(_appdata(headers))),
    }
    given = {name: headers.get(name) or "" for name in expected}
    return stamp.isdigit() and bool(nonce) and given == expected


def _client_secret(encoded: str) -> str:
    try:
        plain = base64.b64decode(encoded, validate=True)
    except ValueError:
        return ""
    if len(encoded) != SECRET_LENGTH:
        return ""
    return base64.b64encode(bytes(a ^ b for a, b in zip(plain, XOR_KEY, strict=False))).decode()


def _signature(key: str, text: str) -> str:
    digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return base64.b64encode(digest.encode()).decode()
