"""Calls to DingTalk: both hosts, one token, paced, each failure named once.

The new host (api.dingtalk.com) takes the token in the header `x-acs-dingtalk-access-token`, the old one
(oapi.dingtalk.com) in the query ("Obtain the access token", open.dingtalk.com). One token serves both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Literal

import orjson

from kdsync.clock import Clock
from kdsync.dingtalk.answers import Shape, read, shaped
from kdsync.dingtalk.errors import failure
from kdsync.dingtalk.pace import Pace
from kdsync.dingtalk.tokens import TokenCache
from kdsync.dingtalk.transport import OK, UNADMITTED, ConnectionTroubleError, Request, Transport
from kdsync.errors import EdgeError, FailureKind
from kdsync.settings.schema import DingTalkSection

ACCESS_TOKEN = "v1.0/oauth2/accessToken"  # noqa: S105  # a path
LIFETIME, SHORTEST, DAY = 7200.0, 60.0, 86_400.0  # seconds
NOT_COUNTED = (FailureKind.RATE_LIMITED, FailureKind.QUOTA)  # "Calls refused for their rate are not counted"
NEVER_SENT = ("address", "certificate", "connect", "proxy", UNADMITTED)
NO_CACHE = {"Cache-Control": "no-cache"}
IN_QUERY = re.compile(r"((?:access_token|session|sign|appsecret|appkey)=)[^&\s\"']+", re.IGNORECASE)


class _Token(Shape):
    accessToken: str  # noqa: N815  # DingTalk's name
    expireIn: float = LIFETIME  # noqa: N815  # DingTalk's name

    @property
    def lifetime(self) -> float:
        """Seconds; what cannot be one is taken for the usual, lest each call fetches a token, or none ever does."""
        return self.expireIn if SHORTEST <= self.expireIn <= DAY else LIFETIME


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `api` is its path without the first slash, and its name in logs and counts.

    `host`: new and old take the token, a webhook has its own. `metered`: it counts against the month's calls.
    `writes`: it changes something, so that a lost answer leaves its outcome unknown. `url`: where it goes, without a
    query, if not to `api` on a host that is configured.
    """

    api: str
    body: bytes = field(default=b"{}", repr=False)
    host: Literal["new", "old", "webhook"] = "old"
    method: str = "POST"
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    metered: bool = True
    writes: bool = False
    url: str = ""
    signed: bool = True  # with the token, where the host takes one

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may show of this call."""
        return (*self.query.values(), *self.headers.values())

    def with_token(self, token: str) -> Call:
        """The same call, signed with `token`."""
        if self.host == "new":
            return replace(self, headers={**self.headers, "x-acs-dingtalk-access-token": token})
        return replace(self, query={**self.query, "access_token": token})


def _hide(secrets: Iterable[str], text: str) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return IN_QUERY.sub(r"\1***", text)


class DingTalkClient:
    """The way to DingTalk for all threads.

    `timeout` is in seconds, for each wait for data; connecting gets at most five of them.
    `on_call(api, metered)` is told of each call that counts or may count: those refused for their rate, and those that
    never got through, do not.
    """

    def __init__(
        self,
        settings: DingTalkSection,
        clock: Clock,
        *,
        timeout: float = 10.0,
        on_call: Callable[[str, bool], None] | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._on_call = on_call or (lambda _api, _metered: None)
        self._transport = Transport(clock, timeout)
        self.server_clock = self._transport.server_clock
        self._pace = Pace(clock)
        self._tokens = TokenCache(self._fetch_token, clock)
        self._secrets = [settings.client_secret.get_secret_value()]
        for robot in settings.groups.values():
            self._secrets += [secret.get_secret_value() for secret in (robot.token, robot.secret) if secret]

    def call(self, call: Call) -> dict[str, Any]:
        """The payload of the answer. A token that DingTalk no longer takes is replaced once. Raises EdgeError."""
        if call.host == "webhook" or not call.signed:
            return self._once(call)
        token = self._tokens.get()
        try:
            return self._once(call.with_token(token))
        except EdgeError as error:
            if error.kind is not FailureKind.SESSION_LOST:
                raise
        self._tokens.drop(token)
        return self._once(call.with_token(self._tokens.get()))

    def ask(self, api: str, question: Mapping[str, Any], *, metered: bool = True) -> dict[str, Any]:
        """Call something on the old host that changes nothing."""
        return self.call(Call(api, orjson.dumps(question), metered=metered))

    def check_token(self) -> None:
        """Get a token, or raise the EdgeError that says why there is none."""
        self._tokens.get()

    def ask_time(self) -> None:
        """Have DingTalk answer something, so that its clock is measured: nothing is signed or counted.

        Raises EdgeError where no answer comes.
        """
        try:
            self._transport.exchange(Request(f"{self.settings.api_url.rstrip('/')}/", b"", "GET", headers=NO_CACHE))
        except ConnectionTroubleError as trouble:
            raise self.failure(trouble.code, "the time", trouble.detail) from None

    def fetch(self, name: str, url: str, most: int) -> bytes:
        """A file of at most `most` bytes from where DingTalk keeps it: no token, and none of the month's calls.

        Its address is as good as a password, so errors say `name` in its place. Raises EdgeError.
        """
        self._pace.take(name)
        try:
            answer = self._transport.fetch(url, most)
        except ConnectionTroubleError as trouble:
            raise self.failure(trouble.code, name, trouble.detail) from None
        if answer.status != OK:
            raise self.failure(f"http {answer.status}", name)
        return answer.body

    def now(self) -> datetime:
        """The time by DingTalk's clock, as far as it is known."""
        return self.server_clock.now()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def failure(self, code: str, api: str, said: str = "", *, writes: bool = False) -> EdgeError:
        """The error for a code of the table."""
        return failure(code, api, said, writes=writes, now=self.now())

    def _once(self, call: Call) -> dict[str, Any]:
        self._pace.take(call.api)
        try:
            payload = self._exchange(call)
        except EdgeError as error:
            if error.kind not in NOT_COUNTED and error.sent:
                self._on_call(call.api, call.metered)
            raise
        self._on_call(call.api, call.metered)
        return payload

    def _exchange(self, call: Call) -> dict[str, Any]:
        base = self.settings.api_url if call.host == "new" else self.settings.oapi_url
        request = Request(
            call.url or f"{base.rstrip('/')}/{call.api}", call.body, call.method, call.query, call.headers
        )
        try:
            answer = self._transport.exchange(request)
        except ConnectionTroubleError as trouble:
            error = self.failure(trouble.code, call.api, trouble.detail, writes=call.writes)
            error.sent = trouble.code not in NEVER_SENT
            raise error from None
        hide = partial(_hide, (*self._secrets, *call.secrets))
        return read(answer, call.api, old=call.host != "new", writes=call.writes, now=self.now(), hide=hide)

    def _fetch_token(self) -> tuple[str, float]:
        secret = self.settings.client_secret.get_secret_value()
        body = orjson.dumps({"appKey": self.settings.client_id, "appSecret": secret})
        answer = self._once(Call(ACCESS_TOKEN, body, host="new", metered=False))
        token = shaped(_Token, answer, ACCESS_TOKEN, now=self.now())
        if not re.fullmatch(r"[!-~]{1,4096}", token.accessToken):  # it goes into a header
            raise self.failure("malformed", ACCESS_TOKEN, "the token is no token")
        return token.accessToken, token.lifetime
