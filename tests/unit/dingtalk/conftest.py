"""A client of a DingTalk that `responses` plays, on a clock that the test turns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import responses

from kdsync.clock import FakeClock
from kdsync.dingtalk.client import DingTalkClient
from kdsync.settings.schema import DingTalkSection

TOKEN_URL = "https://api.dingtalk.com/v1.0/oauth2/accessToken"
SECTION = {
    "client_id": "dingtestkey",
    "client_secret": "app-secret-value",
    "agent_id": 4711,
    "groups": {
        "finance": {"token": "robot-token-value", "secret": "this is a secret"},
        "plain": {"token": "other-robot-token"},
    },
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 23, 4, 0, 20, tzinfo=UTC))


@pytest.fixture
def section() -> DingTalkSection:
    return DingTalkSection.model_validate(SECTION, context={"secrets": str})


@pytest.fixture
def dingtalk() -> Iterator[responses.RequestsMock]:
    """Answers for both hosts; the token call is answered, and need not be made."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.post(TOKEN_URL, json={"accessToken": "first-token", "expireIn": 7200})
        yield mock


@pytest.fixture
def calls() -> list[tuple[str, bool]]:
    """What the client reported to be counted."""
    return []


@pytest.fixture
def client(section: DingTalkSection, clock: FakeClock, calls: list[tuple[str, bool]]) -> Iterator[DingTalkClient]:
    client = DingTalkClient(section, clock, on_call=lambda api, metered: calls.append((api, metered)))
    yield client
    client.close()
