"""The ways to log in, and what Kingdee's answer to a login means.

Sources: V6.0 WebAPI manual (AuthService), official Python SDK 8.2.0 (signed headers), captured login answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.account import Account
from kdsync.kingdee.errors import MOST_WORDS, Symptom, failure
from kdsync.kingdee.signing import Algorithm, login_signature
from kdsync.settings.schema import KingdeeSection

AUTH = "Kingdee.BOS.WebApi.ServicesStub.AuthService."
SESSION_COOKIE = "kdservice-sessionid"
IN_A_HEADER = re.compile(r"[!-~]+")
LONGEST_ID = 4096  # characters of a session's id, and of any name
MOST_OF_COOKIES = 8000
"""Characters of all cookies together; IIS takes 16 KB of headers. A firewall may think of new names without end."""
TICKS = re.compile(r"-?[0-9]{1,12}")
"""Of .NET: 100 ns each."""
FARTHEST = timedelta(hours=14)  # from UTC
TOLERABLE = ("-2", "-4", "-5")
"""LoginResultTypes that let the user in: password may be changed, a warning, a form to be seen."""


@dataclass(frozen=True)
class KingdeeSession:
    """A session as Kingdee gave it. The cookies are as good as a password, so the repr hides them."""

    generation: int  # counts logins; the same session may take over new cookies
    cookies: Mapping[str, str] = field(repr=False, default_factory=dict)
    user_id: str = ""  # Context.UserId, which WorkflowAudit asks for
    user_name: str = ""
    account: Account = Account()  # noqa: RUF009  # it cannot be changed
    warning: str = ""  # what Kingdee wants the user to know, such as a password about to expire
    utc_offset: timedelta | None = None  # of the server's dates; None where it does not say

    def with_cookies(self, new: Mapping[str, str]) -> KingdeeSession:
        """The same after an answer that brought cookies; of too many those go that came first."""
        cookies = {name: text for name, text in self.cookies.items() if name not in new} | dict(new)
        for name in [name for name in cookies if name != SESSION_COOKIE]:
            if sum(map(len, cookies)) + sum(map(len, cookies.values())) <= MOST_OF_COOKIES:
                break
            del cookies[name]
        return replace(self, cookies=cookies)

    def another_zone(self, zone: ZoneInfo, now: datetime) -> str:
        """How the server's zone differs from `zone`; "" where it does not. It may tell its offset without summer's."""
        local = now.astimezone(zone)
        ours, summer = local.utcoffset() or timedelta(), local.dst() or timedelta()
        if self.utc_offset in (None, ours, ours - summer):
            return ""
        theirs = timezone(self.utc_offset or timedelta())
        return f"Kingdee's dates are of {theirs}, and those of {zone} of {timezone(ours)}"

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """What carries the session in a call: the cookies and, as the SDK does, the session id once more."""
        if not self.cookies:
            return {}
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if session_id := self.cookies.get(SESSION_COOKIE):
            headers[SESSION_COOKIE] = session_id
        return headers


def login_request(
    settings: KingdeeSection, timestamp: int, algorithm: Algorithm = "sha256"
) -> tuple[str, dict[str, Any]]:
    """The service and the named body that log in by `settings.auth`; `timestamp` in Unix seconds."""
    who = {"acctID": settings.acct_id, "username": settings.username}
    if settings.auth == "password":
        body = {**who, "password": _secret(settings.password, "password"), "lcid": settings.lcid}
        return AUTH + "ValidateUser", body
    secret = _secret(settings.app_secret, "app_secret")
    if settings.auth == "secret":
        return AUTH + "LoginByAppSecret", {
            **who,
            "appId": settings.app_id,
            "appSecret": secret,
            "lcid": settings.lcid,
        }
    parts = (settings.acct_id, settings.username, settings.app_id, secret, str(timestamp))
    return AUTH + "LoginBySign", {
        **who,
        "appId": settings.app_id,
        "timestamp": timestamp,
        "sign": login_signature(parts, algorithm),
        "lcid": settings.lcid,
    }


def _secret(secret: SecretStr | None, key: str) -> str:
    if secret is None:
        raise EdgeError(
            "kingdee", FailureKind.CONFIGURATION, "no-secret", f"kingdee.{key} is not set", cure=f"set kingdee.{key}"
        )
    return secret.get_secret_value()


def app_secret(settings: KingdeeSection) -> str:
    """The application's secret in plain text, or an error that names the missing setting."""
    return _secret(settings.app_secret, "app_secret")


def session_of(answer: Any, cookies: Mapping[str, str], generation: int) -> KingdeeSession:
    """The session that a login answered with, in its body or its cookies; EdgeError where it was refused."""
    if not isinstance(answer, Mapping) or "LoginResultType" not in answer:
        raise failure(Symptom(fault="shape", detail="the login was not answered with LoginResultType"))
    told = _text(answer.get("KDSVCSessionId"))
    in_body = told if IN_A_HEADER.fullmatch(told) else ""
    session_id = in_body or cookies.get(SESSION_COOKIE, "")
    if not _accepted(answer, in_body) or not session_id:
        raise failure(Symptom(text=_words(answer), login=_result_type(answer)))
    context = answer.get("Context")
    context = context if isinstance(context, Mapping) else {}
    return KingdeeSession(
        generation=generation,
        cookies={**cookies, SESSION_COOKIE: session_id},
        user_id=_text(context.get("UserId") or ""),
        user_name=_text(context.get("UserName")),
        account=Account(_text(context.get("DBid")), _text(context.get("DataCenterName"))),
        warning=_warning(answer)[:MOST_WORDS],
        utc_offset=_utc_offset(context.get("STimeZone")),
    )


def _text(value: Any) -> str:
    return str(value).strip()[:LONGEST_ID] if isinstance(value, (str, int)) else ""


def _utc_offset(told: Any) -> timedelta | None:
    ticks = str(told.get("OffsetTicks")) if isinstance(told, Mapping) else ""
    offset = timedelta(microseconds=int(ticks) // 10) if TICKS.fullmatch(ticks) else None
    return offset if offset is not None and abs(offset) <= FARTHEST else None


def _accepted(answer: Mapping[str, Any], in_body: str) -> bool:
    """A licence warning has no session in its body; an expired password hands out cookies and still is a refusal."""
    result = _result_type(answer)
    if result == "-3":
        return False
    return result == "1" or answer.get("IsSuccessByAPI") is True or (result in TOLERABLE and bool(in_body))


def _result_type(answer: Mapping[str, Any]) -> str:
    return str(answer.get("LoginResultType"))


def _words(answer: Mapping[str, Any]) -> str:
    return " ".join(str(part) for part in (answer.get("Message"), answer.get("MessageCode")) if part)


def _warning(answer: Mapping[str, Any]) -> str:
    plain = _result_type(answer) == "1" and answer.get("MessageCode") in (None, "") and not answer.get("FormId")
    return "" if plain else _words(answer) or str(answer.get("FormId"))
