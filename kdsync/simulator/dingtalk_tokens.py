"""Access tokens of the simulated DingTalk: two ways to get the same one, void after two hours.

Sources: "Obtain the accessToken of an internal app" and the older "gettoken" on open.dingtalk.com.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from kdsync.clock import Clock
from kdsync.simulator.dingtalk_envelopes import Json, RefusedError
from kdsync.simulator.dingtalk_gateway import Call, Route

LIFETIME = timedelta(seconds=7200)


class Tokens:
    """Asking again while a token is valid gives the same token and a new two hours."""

    def __init__(self, clock: Clock, random: Random, client_id: str, client_secret: str) -> None:
        self._clock = clock
        self._random = random
        self._credentials = (client_id, client_secret)
        self._token = ""
        self._until = datetime.min.replace(tzinfo=clock.now().tzinfo)

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/v1.0/oauth2/accessToken", self._new, metered=False, token=False),
            Route("GET", "/gettoken", self._old, metered=False, token=False),
        ]

    def is_valid(self, token: str) -> bool:
        return token == self._token != "" and self._clock.now() < self._until

    def void(self) -> None:
        """Forget the token that is out; the next one differs."""
        self._token = ""

    def _new(self, call: Call) -> Json:
        fields = call.fields
        if (fields.get("appKey"), fields.get("appSecret")) != self._credentials:
            raise RefusedError("invalidClientIdOrSecret", "无效的clientId或者clientSecret", status=400)
        return {"accessToken": self._issue(), "expireIn": int(LIFETIME.total_seconds())}

    def _old(self, call: Call) -> Json:
        if (call.query.get("appkey"), call.query.get("appsecret")) != self._credentials:
            raise RefusedError(40089, "不合法的corpid或corpsecret")
        return {"access_token": self._issue(), "expires_in": int(LIFETIME.total_seconds())}

    def _issue(self) -> str:
        if not self.is_valid(self._token):
            self._token = f"{self._random.getrandbits(128):032x}"
        self._until = self._clock.now() + LIFETIME
        return self._token
