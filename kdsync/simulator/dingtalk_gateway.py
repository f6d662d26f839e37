"""The gateway of the simulated DingTalk: finds the API, checks token, permission, rate and quota, keeps the record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from threading import Event
from typing import Protocol
from urllib.parse import parse_qsl

import orjson

from kdsync.clock import Clock
from kdsync.simulator.dingtalk_envelopes import Json, RefusedError, accepted, no_permission, trouble
from kdsync.simulator.dingtalk_faults import BROKEN, DENIED, DONE, SILENT
from kdsync.simulator.dingtalk_http import Answer, HungUpError, Request
from kdsync.simulator.dingtalk_limits import MonthlyAllowance, Window
from kdsync.simulator.faults import Faults

PASSED_ON = frozenset({"flow_control", *SILENT})
_HANG = 60.0  # seconds of real time
_SLOW = 5.0
OK = 200  # HTTP's own number


@dataclass(frozen=True, slots=True)
class Call:
    """A request on its way to its API, and the name of the fault that strikes it."""

    request: Request
    fault: str = ""

    @property
    def api(self) -> str:
        return self.request.path

    @property
    def new_host(self) -> bool:
        return self.api.startswith("/v1.0/")

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    @property
    def token(self) -> str:
        if self.new_host:
            return self.request.headers.get("x-acs-dingtalk-access-token", "")
        return self.query.get("access_token", "")

    @property
    def fields(self) -> Json:
        """The body: a JSON object or, on the old host, a form too."""
        if not self.new_host and "x-www-form-urlencoded" in self.request.headers.get("content-type", ""):
            return dict(parse_qsl(self.request.body.decode("utf-8", "replace"), keep_blank_values=True))
        try:
            fields = orjson.loads(self.request.body or b"{}")
        except orjson.JSONDecodeError:
            fields = None
        if not isinstance(fields, dict):
            raise trouble("bad_body", new_host=self.new_host)
        return fields


@dataclass(frozen=True, slots=True)
class Route:
    """One API: `scope` is the permission it needs; a metered call counts for the month. What is answered as it is, is
    none of the platform's own. A path that ends in a slash stands for all names behind it."""

    method: str
    path: str
    handle: Callable[[Call], Json | Answer]
    scope: str = ""
    metered: bool = True
    token: bool = True


@dataclass(frozen=True, slots=True)
class Recorded:
    """One call as the platform's own log has it: `code` is "0", an error code, or the name of a fault that hid it."""

    at: datetime
    api: str
    code: str
    metered: bool
    fault: str
    request: Request

    @property
    def ok(self) -> bool:
        return self.code == "0"


class TokenCheck(Protocol):
    """What the gateway needs to know of tokens."""

    def is_valid(self, token: str) -> bool: ...

    def void(self) -> None: ...


class Gateway:
    """Carries requests out one after the other; only faults that wait do so outside the lock."""

    def __init__(
        self,
        clock: Clock,
        random: Random,
        lock: AbstractContextManager[bool],
        *,
        tokens: TokenCheck,
        faults: Faults,
        allowance: MonthlyAllowance,
        qps: int,
    ) -> None:
        self._clock = clock
        self._random = random
        self._lock = lock
        self._tokens = tokens
        self._faults = faults
        self._allowance = allowance
        self._qps = qps
        self._routes: dict[tuple[str, str], Route] = {}
        self._windows: dict[tuple[str, str], Window] = {}
        self.revoked: set[str] = set()
        self.record: list[Recorded] = []
        self.stopping = Event()

    def add(self, routes: Iterable[Route]) -> None:
        for route in routes:
            self._routes[route.method, route.path] = route
            self._windows[route.method, route.path] = Window(self._clock, self._qps, 1)

    def respond(self, request: Request) -> Answer:
        """What the platform answers; HungUpError where the connection breaks instead."""
        fault = self._faults.take(api=request.path)
        if fault is None:
            return self._work(Call(request))
        return self._strike(Call(request, fault.name), fault.seconds)

    def _strike(self, call: Call, seconds: float | None) -> Answer:
        match call.fault:
            case "slow":
                self._clock.wait(self.stopping, seconds or _SLOW)
            case "hang":
                self._note(call, call.fault)
                self.stopping.wait(seconds or _HANG)
                raise HungUpError
            case "token_expired":
                self._tokens.void()
            case name if name in DONE:
                return self._done(call)
            case name if name in PASSED_ON:
                pass  # the API's own business
            case _:
                self._note(call, call.fault)
                return self._break(call)
        return self._work(call)

    def _done(self, call: Call) -> Answer:
        """What comes back although the call was carried out."""
        answer = self._work(call)
        match call.fault:
            case "done504":
                return self._refuse(trouble("timeout", new_host=call.new_host))
            case "done500":
                return BROKEN["http500"][1]
            case "truncated_json":
                return replace(answer, body=answer.body[: len(answer.body) // 2])
            case "cut":
                return replace(answer, cut=True)
        raise HungUpError

    def _break(self, call: Call) -> Answer:
        """The answer to a call that is not carried out."""
        name = call.fault
        if name in ("reset", "down"):
            raise HungUpError
        if name in BROKEN:
            return BROKEN[name][1]
        if name in DENIED:
            return self._refuse(DENIED[name].refusal(new_host=call.new_host))
        if name == "permission":
            route = self._route(call)
            return self._refuse(no_permission(route.scope if route else "", new_host=call.new_host))
        return self._refuse(trouble("timeout", new_host=call.new_host))

    def _work(self, call: Call) -> Answer:
        with self._lock:
            metered = False
            try:
                route = self._admit(call)
                metered = route.metered
                result = route.handle(call)
            except RefusedError as refused:
                self._note(call, str(refused.code), metered=metered)
                return self._refuse(refused)
            if isinstance(result, Answer):
                self._note(call, "0" if result.status == OK else f"http {result.status}")
                return result
            self._note(call, "0", metered=metered)
            return accepted(result, self._request_id(), new_host=call.new_host)

    def _admit(self, call: Call) -> Route:
        """The API that is called; RefusedError where the call does not get that far, which is not metered."""
        route = self._route(call)
        if route is None:
            raise trouble("no_route", new_host=call.new_host)
        if route.token:
            self._check_token(call)
        if route.scope in self.revoked:
            raise no_permission(route.scope, new_host=call.new_host)
        if not self._windows[route.method, route.path].take():
            raise trouble("qps", new_host=call.new_host)
        if route.metered and not self._allowance.spend():
            raise trouble("quota", new_host=call.new_host)
        return route

    def _route(self, call: Call) -> Route | None:
        method, path = call.request.method, call.api
        return self._routes.get((method, path)) or self._routes.get((method, path[: path.rfind("/") + 1]))

    def _check_token(self, call: Call) -> None:
        if not call.token:
            raise trouble("no_token", new_host=call.new_host)
        if not self._tokens.is_valid(call.token):
            raise trouble("token_void", new_host=call.new_host)

    def _note(self, call: Call, code: str, *, metered: bool = False) -> None:
        with self._lock:
            self.record.append(Recorded(self._clock.now(), call.api, code, metered, call.fault, call.request))

    def _refuse(self, refused: RefusedError) -> Answer:
        return refused.answer(self._request_id())

    def _request_id(self) -> str:
        return f"{self._random.getrandbits(64):016x}"
