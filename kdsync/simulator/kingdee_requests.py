"""From a request to its answer: read the arguments, let a fault strike, check the session, call the service."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from kdsync.simulator.faults import Fault, Faults
from kdsync.simulator.kingdee_answers import MsgCode, Refusal, refused, result, session_lost, status
from kdsync.simulator.kingdee_bodies import DoublyEncodedError, arguments, suspicious
from kdsync.simulator.kingdee_faults import FILTERED, NOT_LOGGED_IN, NULL_REFERENCE, TOLD
from kdsync.simulator.kingdee_login import (
    ForeignAccountError,
    Gate,
    NotLoggedInError,
    RefusedLoginError,
    Session,
    StaleStampError,
    session_id,
)
from kdsync.simulator.kingdee_replies import Reply, text
from kdsync.simulator.kingdee_services import QUERIES, READS, WRITES, Call, Services

PATH = re.compile(r"/k3cloud/kingdee\.bos\.webapi\.servicesstub\.(\w+)\.(\w+)\.common\.kdsvc", re.IGNORECASE)
SWITCH = "SwitchOrg"
LOGINS = frozenset({"ValidateUser", "LoginByAppSecret", "LoginBySign", "LoginBySimplePassport"})
SERVICES = {
    **dict.fromkeys([*LOGINS, "Logout"], "AuthService"),
    **dict.fromkeys([*QUERIES, *READS, *WRITES, SWITCH], "DynamicFormService"),
}

SCOPES = {
    "session_lost": "service",
    "truncated_json": "service",
    "cut": "service",
    "cut_chunks": "service",
    "short_page": "query",
    "no_rows": "query",
    "wider_rows": "query",
    **{name: told.scope for name, told in TOLD.items() if told.scope},
}
"""The faults that strike only requests of a kind; `place` gives the words."""

MOST_REQUESTS = 100_000  # remembered; a server may run for weeks
HOURS = 3600.0
SLOW = 5.0


def place(op: str) -> str:
    """The words by which faults find requests of a kind."""
    if op in LOGINS:
        return "login"
    return "service query" if op in QUERIES else "service write" if op in WRITES else "service"


def form_of(named: Mapping[str, Any]) -> str:
    """The form that a request is about; "" where it names none."""
    return str((named.get("data") or {}).get("FormId") or named.get("formid") or "")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A POST as it came; `headers` is looked up without regard to case."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """What a test may want to know of a request that was answered."""

    op: str
    form: str
    rows: int
    fault: str
    data: Mapping[str, Any] = field(repr=False)
    user: int = 0  # whose session it came in; 0 where in none


class Desk:
    """Answers requests. A service in `missing` does not exist on this server."""

    def __init__(self, gate: Gate, services: Services, faults: Faults, welcome: Callable[[Session], Any]) -> None:
        self.missing: set[str] = set()
        self.requests: list[Request] = []
        self.logins = 0
        self.answered = 0
        self._gate = gate
        self._services = services
        self._faults = faults
        self._welcome = welcome

    def answer(self, incoming: Incoming) -> Reply:
        found = PATH.fullmatch(incoming.path.partition("?")[0])
        if found is None:
            return TOLD["http404"].answer("", "")
        op = found[2]
        if SERVICES.get(op) != found[1] or op in self.missing:
            return text(NULL_REFERENCE)
        try:
            named = arguments(op, incoming.headers.get("Content-Type") or "", incoming.body)
        except DoublyEncodedError:
            return TOLD["http502"].answer(op, "")
        except Refusal as refusal:
            return _json(refused(op, refusal))
        return self._recorded(op, named, incoming)

    def _recorded(self, op: str, named: Mapping[str, Any], incoming: Incoming) -> Reply:
        data, form = named.get("data") or {}, form_of(named)
        fault = self._faults.take(op=f"/{op}/", form=f"/{form}/", kind=place(op))
        self.logins += op in LOGINS
        self.answered += 1
        reply = self._struck(op, named, incoming, fault)
        self.requests.append(Request(op, form, reply.rows, fault.name if fault else "", data, _user(reply)))
        if len(self.requests) > MOST_REQUESTS:
            del self.requests[: MOST_REQUESTS // 2]
        return reply

    def _struck(self, op: str, named: Mapping[str, Any], incoming: Incoming, fault: Fault | None) -> Reply:
        name = fault.name if fault else ""
        if name in TOLD:
            return TOLD[name].answer(op, form_of(named))
        if name in ("reset", "down"):
            return Reply(dropped=True)
        if fault and name == "hang":
            return Reply(dropped=True, hang=fault.seconds or HOURS)
        reply = self._survived(op, named, incoming, name)
        if fault and name == "slow":
            reply.slow = fault.seconds or SLOW
        reply.dropped = name == "lost_reply"
        if name == "truncated_json":
            reply.body = reply.body[: len(reply.body) // 2]
        if name == "wider_rows":
            reply.body = orjson.dumps([[*row, None] for row in orjson.loads(reply.body)])
        if name in ("cut", "cut_chunks"):
            reply.cut = "length" if name == "cut" else "chunks"
        return reply

    def _survived(self, op: str, named: Mapping[str, Any], incoming: Incoming, fault: str) -> Reply:
        """An exception in the server is a text, as the official SDK expects it."""
        try:
            return self._checked(op, named, incoming, fault)
        except (TypeError, ValueError, LookupError, AttributeError, sqlite3.Error) as problem:
            return text(f"response_error:{type(problem).__name__}: {problem}")

    def _checked(self, op: str, named: Mapping[str, Any], incoming: Incoming, fault: str) -> Reply:
        if suspicious(named):
            return Reply(FILTERED)
        if op in LOGINS:
            return self._log_in(op, named)
        if op == "Logout":
            return _json(self._gate.leave(incoming.headers))
        return self._guarded(op, named, incoming, fault)

    def _guarded(self, op: str, named: Mapping[str, Any], incoming: Incoming, fault: str) -> Reply:
        try:
            return self._called(op, named, incoming, fault)
        except Refusal as refusal:
            return _json(refused(op, refusal), self._hollow(incoming, refusal))
        except NotLoggedInError:
            return _json({}) if op == "View" else text(NOT_LOGGED_IN)
        except StaleStampError:
            return TOLD["gateway_stamp"].answer(op, "")
        except ForeignAccountError:
            return text("Fail to verify thirty passport", 500)

    def _called(self, op: str, named: Mapping[str, Any], incoming: Incoming, fault: str) -> Reply:
        if fault == "session_lost":
            self._gate.sessions.pop(session_id(incoming.headers), None)
            raise session_lost()
        session = self._gate.enter(incoming.headers, incoming.path)
        if op == SWITCH:
            self._gate.switch(session, str((named.get("data") or {}).get("OrgNumber") or ""))
            return _json(result(status()), session)
        form, operation = (str(named.get(key) or "") for key in ("formid", "opNumber"))
        call = Call(op, form, operation, named.get("data") or {}, session.user, fault)
        body, rows = self._services.answer(call)
        return Reply(body, session=session, rows=rows)

    def _hollow(self, incoming: Incoming, refusal: Refusal) -> Session | None:
        """A refused signature hands out a session all the same."""
        if refusal.code is not MsgCode.SESSION_LOST or not incoming.headers.get("X-Kd-Appkey"):
            return None
        return self._gate.open(0, hollow=True)

    def _log_in(self, op: str, named: Mapping[str, Any]) -> Reply:
        try:
            session = self._gate.log_in(op, named)
        except RefusedLoginError as refusal:
            refusing = {"LoginResultType": refusal.kind, "Message": str(refusal), "Context": None}
            return _json({**refusing, "MessageCode": None, "KDSVCSessionId": None, "IsSuccessByAPI": False})
        return _json(self._welcome(session), session)


def _user(reply: Reply) -> int:
    return reply.session.user if reply.session else 0


def _json(answer: Any, session: Session | None = None) -> Reply:
    return Reply(orjson.dumps(answer), session=session)
