"""A simulated DingTalk with four people, and the plainest ways to call its two hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from kdsync.clock import FakeClock
from kdsync.dingtalk.client import DingTalkClient
from kdsync.settings.schema import DingTalkSection
from kdsync.simulator.dingtalk import SimulatedDingTalk

CARD: dict[str, Any] = {
    "cardTemplateId": "4d1c-decision.schema",
    "outTrackId": "track-1",
    "callbackType": "STREAM",
    "cardData": {"cardParamMap": {"title": "FKSQ000123", "status": "", "open": "true"}},
    "openSpaceId": "dtv1.card//IM_ROBOT.user1;IM_ROBOT.user2",
    "imRobotOpenSpaceModel": {"supportForward": False},
    "imRobotOpenDeliverModel": {"spaceType": "IM_ROBOT"},
}
APP = {"appKey": "dingsimulatedapp", "appSecret": "simulated-client-secret"}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 23, 2, 0, tzinfo=UTC))  # ten in the morning in Shanghai


@pytest.fixture
def ding(clock: FakeClock) -> Iterator[SimulatedDingTalk]:
    with SimulatedDingTalk(clock) as simulated:
        simulated.add_department(2, "财务部")
        simulated.add_department(3, "出纳组", parent=2)
        simulated.add_user("boss", "王总", "13800000009", leads=(1,))
        simulated.add_user("user1", "张三", "13800000001", "E001", "boss", dept_ids=(2,))
        simulated.add_user("user2", "李四", "13800000002", "E002", dept_ids=(3,))
        simulated.add_user("hidden", "外人", "13800000008", in_scope=False)
        yield simulated


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


@pytest.fixture
def token(ding: SimulatedDingTalk, session: requests.Session) -> str:
    answer = session.post(f"{ding.url}/v1.0/oauth2/accessToken", json=APP, timeout=5).json()
    return str(answer["accessToken"])


@pytest.fixture
def later(ding: SimulatedDingTalk, clock: FakeClock, session: requests.Session) -> Callable[[float], None]:
    """Let seconds pass while the token stays alive, as asking for it again does."""

    def call(seconds: float) -> None:
        while seconds > 0:
            clock.advance(min(seconds, 7000))
            seconds -= 7000
            session.post(f"{ding.url}/v1.0/oauth2/accessToken", json=APP, timeout=5)

    return call


@pytest.fixture
def old(ding: SimulatedDingTalk, session: requests.Session, token: str) -> Callable[..., Any]:
    """Call the old host with a good token: old(path, **fields) -> decoded answer, which is always HTTP 200."""

    def call(path: str, **fields: Any) -> Any:
        answer = session.post(f"{ding.url}{path}", params={"access_token": token}, json=fields, timeout=5)
        assert answer.status_code == 200
        return answer.json()

    return call


@pytest.fixture
def new(ding: SimulatedDingTalk, session: requests.Session, token: str) -> Callable[..., Any]:
    """Call the new host with a good token: new(path, **fields) -> (status, decoded answer)."""

    def call(path: str, method: str = "POST", **fields: Any) -> Any:
        headers = {"x-acs-dingtalk-access-token": token}
        answer = session.request(method, f"{ding.url}{path}", headers=headers, json=fields, timeout=5)
        return answer.status_code, answer.json()

    return call


@pytest.fixture
def client(ding: SimulatedDingTalk, clock: FakeClock) -> Iterator[DingTalkClient]:
    """kdsync's own."""
    section = {"client_id": "dingsimulatedapp", "client_secret": "simulated-client-secret", "agent_id": 123456789}
    urls = {"api_url": ding.url, "oapi_url": f"{ding.url}/"}
    client = DingTalkClient(DingTalkSection.model_validate({**section, **urls}, context={"secrets": str}), clock)
    yield client
    client.close()


@pytest.fixture
def card(ding: SimulatedDingTalk, new: Callable[..., Any]) -> str:
    """The outTrackId of a card that user1 and user2 got; its clicks come over Stream."""
    ding.cards.add_template(CARD["cardTemplateId"])
    status, answer = new("/v1.0/card/instances/createAndDeliver", **CARD)
    assert (status, answer["success"]) == (200, True)
    return str(CARD["outTrackId"])


@pytest.fixture
def send(old: Callable[..., Any]) -> Callable[..., Any]:
    """Send a work notification: send(userids, msg or text, **fields) -> decoded answer."""

    def call(userids: str, message: Any = "hello", **fields: Any) -> Any:
        msg = {"msgtype": "text", "text": {"content": message}} if isinstance(message, str) else message
        path = "/topapi/message/corpconversation/asyncsend_v2"
        return old(path, **{"agent_id": 123456789, "userid_list": userids, "msg": msg, **fields})

    return call
