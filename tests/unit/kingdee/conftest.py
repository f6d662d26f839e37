"""A server of canned answers, settings and a clock for the tests of the Kingdee edge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
import responses

from kdsync.clock import FakeClock
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.limits import LoginLedger
from kdsync.kingdee.transport import Call
from kdsync.settings.schema import KingdeeSection
from kdsync.simulator.kingdee import SimulatedKingdee

SETTINGS = {
    "url": "https://erp.example.com/K3Cloud/",
    "acct_id": "65a1b2c3d4e5f6",
    "username": "kdsync",
    "app_id": "224551_abcdefghijklmnopqrstuvwxyz012345",
    "app_secret": "0123456789abcdef0123456789abcdef",
    "password": "correct horse",
    "timeout": "5s",
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 23, 1, 0, tzinfo=UTC))


@pytest.fixture
def make_settings() -> Callable[..., KingdeeSection]:
    def make(**changes: Any) -> KingdeeSection:
        return KingdeeSection.model_validate({**SETTINGS, **changes}, context={"secrets": lambda value: value})

    return make


@pytest.fixture
def server() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def calls() -> list[Call]:
    return []


@pytest.fixture
def make_client(
    make_settings: Callable[..., KingdeeSection], clock: FakeClock, calls: list[Call]
) -> Iterator[Callable[..., KingdeeClient]]:
    made: list[KingdeeClient] = []

    def make(ledger: LoginLedger | None = None, **changes: Any) -> KingdeeClient:
        made.append(KingdeeClient(make_settings(**changes), clock, on_call=calls.append, ledger=ledger))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def erp(clock: FakeClock) -> Iterator[SimulatedKingdee]:
    with SimulatedKingdee(clock, random=Random(1)) as server:
        yield server


@pytest.fixture
def patience() -> str:
    """How long an answer is waited for, in real time: long, as a busy machine answers late."""
    return "10s"


@pytest.fixture
def at_erp(erp: SimulatedKingdee, make_client: Callable[..., KingdeeClient], patience: str) -> KingdeeClient:
    """A client of the simulated Kingdee."""
    ours = erp.credentials
    login = {"acct_id": ours.acct_id, "username": ours.username, "app_id": ours.app_id, "app_secret": ours.app_secret}
    return make_client(url=erp.url, timeout=patience, **login)
