"""Whatever DingTalk answers, on either host, what comes out is what was asked for or an `EdgeError`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.clock import FakeClock
from kdsync.dingtalk.answers import Answer
from kdsync.dingtalk.cards import Cards, Face
from kdsync.dingtalk.client import ACCESS_TOKEN, DingTalkClient
from kdsync.dingtalk.contacts import Contacts
from kdsync.dingtalk.groups import GroupRobots
from kdsync.dingtalk.session import SessionReplies
from kdsync.dingtalk.transport import Request
from kdsync.dingtalk.work import WorkNotices
from kdsync.errors import EdgeError, FailureKind
from kdsync.settings.schema import DingTalkSection
from tests.property.foreign import mutated, noise, thorough

SECTION = DingTalkSection.model_validate(
    {"client_id": "c", "client_secret": "s3cr3t", "agent_id": 1, "groups": {"g": {"token": "t0k3n", "secret": "SEC1"}}},
    context={"secrets": str},
)
TOKEN = {"accessToken": "first-token", "expireIn": 7200}
OK = {"errcode": 0, "errmsg": "ok", "request_id": "x"}
SENT = {**OK, "task_id": 4711}
RESULT = {
    **OK,
    "send_result": {
        "invalid_user_id_list": ["u1"],
        "forbidden_user_id_list": "u2,u3",
        "read_user_id_list": [],
        "unread_user_id_list": '["u4"]',
        "forbidden_list": [{"code": "143106", "count": 1, "userid": "u5"}],
    },
}
USER = {
    "userid": "u1",
    "name": "张三",
    "mobile": "13800000001",
    "job_number": "7",
    "manager_userid": "u9",
    "dept_id_list": [1, 2],
    "leader_in_dept": [{"dept_id": 1, "leader": "true"}],
    "active": True,
}
REFUSED_OLD = {
    "errcode": 88,
    "sub_code": "50002",
    "errmsg": "x",
    "sub_msg": "y",
    "accessdenieddetail": {"requiredScopes": ["a", "b"]},
}
REFUSED_NEW = {"code": "InvalidAuthentication", "message": "x", "requestid": "y"}
PEOPLE = {**OK, "result": {"has_more": False, "next_cursor": 100, "list": [USER]}}
CARD = {"success": True, "result": {"deliverResults": [{"spaceId": "u1", "success": False, "errorMsg": "x"}]}}
SCOPE = {**OK, "auth_org_scopes": {"authed_dept": [1, "2"], "authed_user": ["u1", None]}}
DEPARTMENTS = {**OK, "result": [{"dept_id": 2, "name": "a", "parent_id": 1}]}
statuses = st.sampled_from([200, 204, 302, 400, 401, 403, 404, 413, 429, 500, 503])


class Wire:
    """Stands for the network: the token is given, then come these answers, then good ones."""

    def __init__(self, *answers: Answer, then: dict[str, Any] | None = None, token: Answer | None = None) -> None:
        self._answers = list(answers)
        self._then = Answer(200, as_json(then or OK))
        self._token = token or Answer(200, as_json(TOKEN))
        self.asked = 0

    def exchange(self, request: Request) -> Answer:
        self.asked += 1
        assert self.asked < 50_000
        if request.url.endswith(ACCESS_TOKEN):
            return self._token
        return self._answers.pop(0) if self._answers else self._then

    def close(self) -> None:
        """Nothing is open."""


def as_json(value: Any) -> bytes:

    return json.dumps(value).encode()


def client_of(wire: Wire) -> DingTalkClient:
    client = DingTalkClient(SECTION, FakeClock(datetime(2026, 11, 23, tzinfo=UTC)))
    wire.server_clock = client._transport.server_clock  # type: ignore[attr-defined]
    client._transport = wire  # type: ignore[assignment]
    return client


def in_bounds(error: EdgeError) -> None:
    assert len(str(error)) < 1_000
    assert len(error.code) <= 80
    assert not {"s3cr3t", "t0k3n", "s3ss10n", "SEC1", "first-token"} & set(str(error).split())


ASKED: dict[str, Callable[[DingTalkClient], object]] = {
    "send": lambda client: WorkNotices(client).send_work(["u1"], [], b'{"msgtype":"text"}'),
    "result": lambda client: WorkNotices(client).send_result("4711"),
    "group": lambda client: GroupRobots(client).send_group("g", b'{"msgtype":"text"}', "uuid"),
    "card": lambda client: Cards(client, "x.schema").deliver("track", ["u1"], Face("t"), {}),
    "card's update": lambda client: Cards(client, "x.schema").update("track", Face("t")),
    "reply": lambda client: SessionReplies(client).reply("https://oapi.dingtalk.com/r?session=s3ss10n", "t", "x"),
    "mobile": lambda client: Contacts(client).by_mobile("13800000001"),
    "user": lambda client: Contacts(client).user("u1"),
    "members": lambda client: list(Contacts(client).department_members(1)),
    "departments": lambda client: list(Contacts(client).departments()),
    "manager": lambda client: Contacts(client).manager_of("u1"),
    "scope": lambda client: Contacts(client)._people_of_scope(),
}
bodies = st.one_of(
    *(
        mutated(good)
        for good in (SENT, RESULT, CARD, PEOPLE, DEPARTMENTS, SCOPE, {**OK, "result": USER}, REFUSED_OLD, REFUSED_NEW)
    ),
    noise,
)


@pytest.mark.parametrize("what", ASKED)
@thorough
@given(bodies, statuses)
def test_whatever_is_answered_is_an_answer_or_a_failure(what: str, body: bytes, status: int) -> None:
    try:
        ASKED[what](client_of(Wire(Answer(status, body))))
    except EdgeError as error:
        in_bounds(error)


@thorough
@given(mutated(TOKEN) | noise, statuses)
def test_a_token_can_be_sent_and_is_fetched_again_in_good_time(body: bytes, status: int) -> None:
    wire = Wire(token=Answer(status, body))
    client = client_of(wire)
    try:
        client.check_token()
    except EdgeError as error:
        in_bounds(error)
        return
    asked = wire.asked
    client.check_token()
    assert wire.asked == asked
    client.clock.advance(90_000)  # type: ignore[attr-defined]
    client.check_token()
    assert wire.asked == asked + 1


@pytest.mark.parametrize(
    ("task", "shown"),
    [(None, ""), ({}, ""), ([[[]]], ""), (10**40, ""), ("x" * 1_000_000, "x" * 40), (4711, "4711"), ("4711", "4711")],
)
def test_an_accepted_message_is_accepted_whatever_its_task_is_called(task: Any, shown: str) -> None:
    client = client_of(Wire(Answer(200, as_json({**OK, "task_id": task}))))
    assert WorkNotices(client).send_work(["u1"], [], b"{}").task_id == shown


@pytest.mark.parametrize(
    "lifetime", [b"-5", b"0", b"1e300", b"1e999", b'"NaN"', b"NaN", b'"inf"', b"59", b"86401", b"null"]
)
def test_a_token_whose_lifetime_is_absurd_lives_as_long_as_usual(lifetime: bytes) -> None:
    wire = Wire(token=Answer(200, b'{"accessToken":"t","expireIn":%b}' % lifetime))
    client = client_of(wire)
    for seconds in (0.0, 6_000.0, 1_200.0):
        client.clock.advance(seconds)  # type: ignore[attr-defined]
        client.check_token()
    assert wire.asked == 2


def test_a_refusal_that_is_nested_deeply() -> None:
    deep = b'{"errcode":88,"accessdenieddetail":{"requiredScopes":[' + b"[" * 1015 + b"]" * 1015 + b"]}}"
    with pytest.raises(EdgeError) as caught:
        ASKED["user"](client_of(Wire(Answer(200, deep))))
    assert caught.value.kind is FailureKind.TRANSIENT


class Endless(Wire):
    """Always promises more."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def exchange(self, request: Request) -> Answer:
        if request.url.endswith(ACCESS_TOKEN):
            return self._token
        self.count += 1
        assert self.count < 50_000
        if "listsub" in request.url:
            more = [{"dept_id": self.count * 100 + n} for n in range(100)]
            return Answer(200, as_json({**OK, "result": more}))
        page = {"has_more": True, "next_cursor": self.count * 100, "list": [USER]}
        return Answer(200, as_json({**OK, "result": page}))


@pytest.mark.parametrize("what", ["members", "departments"])
def test_a_list_that_never_ends_is_given_up(what: str) -> None:
    wire = Endless()
    with pytest.raises(EdgeError, match="more than"):
        ASKED[what](client_of(wire))
    assert wire.count <= 2_000


def test_half_a_character_in_a_name_hides_nobody() -> None:
    body = rb'{"errcode":0,"result":{"userid":"u1","name":"\ud83d"}}'
    found = Contacts(client_of(Wire(Answer(200, body)))).user("u1")
    assert found is not None
    assert found.name == "�"
