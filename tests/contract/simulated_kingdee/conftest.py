"""A simulated Kingdee on a turned clock, and a caller that is logged in to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
import requests

from kdsync.clock import FakeClock
from kdsync.simulator.kingdee import SimulatedKingdee

START = datetime(2026, 11, 23, 1, 0, 0, tzinfo=UTC)  # nine in the morning in Shanghai


class Caller:
    """Posts to the services of one server, with cookies as a browser keeps them."""

    def __init__(self, erp: SimulatedKingdee) -> None:
        self.erp = erp
        self.http = requests.Session()
        self.http.trust_env = False

    def post(self, service: str, body: Any, **more: Any) -> requests.Response:
        area = "AuthService" if service.startswith(("Login", "Logout", "Validate")) else "DynamicFormService"
        url = f"{self.erp.url}Kingdee.BOS.WebApi.ServicesStub.{area}.{service}.common.kdsvc"
        return self.http.post(url, json=body, timeout=10, **more)

    def log_in(self) -> dict[str, Any]:
        ours = self.erp.credentials
        body = {"acctID": ours.acct_id, "username": ours.username, "password": ours.password, "lcid": 2052}
        answer: dict[str, Any] = self.post("ValidateUser", body).json()
        return answer

    def query(self, form: str, keys: str, where: str = "", order: str = "FID ASC", **more: Any) -> Any:
        data = {"FormId": form, "FieldKeys": keys, "FilterString": where, "OrderString": order, **more}
        return self.post("ExecuteBillQuery", {"data": data}).json()

    def call(self, service: str, form: str, **data: Any) -> Any:
        return self.post(service, {"formid": form, "data": data}).json()

    def operate(self, form: str, operation: str, **data: Any) -> Any:
        body = {"formid": form, "opNumber": operation, "data": data}
        return self.post("ExcuteOperation", body).json()


def status_of(answer: Any) -> dict[str, Any]:
    """The ResponseStatus of an answer, wherever it stands."""
    while isinstance(answer, list):
        answer = answer[0]
    status: dict[str, Any] = answer["Result"]["ResponseStatus"]
    return status


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def erp(clock: FakeClock) -> Iterator[SimulatedKingdee]:
    with SimulatedKingdee(clock, random=Random(1)) as server:
        yield server


@pytest.fixture
def stranger(erp: SimulatedKingdee) -> Iterator[Caller]:
    caller = Caller(erp)
    yield caller
    caller.http.close()


@pytest.fixture
def caller(stranger: Caller) -> Caller:
    stranger.log_in()
    stranger.erp.requests.clear()
    return stranger


@pytest.fixture
def refusal() -> Callable[[Any], dict[str, Any]]:
    """Takes an answer apart that must be a refusal: its code and its texts."""

    def take(answer: Any) -> dict[str, Any]:
        status = status_of(answer)
        assert status["IsSuccess"] is False
        assert status["ErrorCode"] == 500
        return {"code": status["MsgCode"], "texts": [error["Message"] for error in status["Errors"]]}

    return take
