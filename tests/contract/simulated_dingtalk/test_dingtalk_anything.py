"""Whatever is posted to the simulated DingTalk, it answers, and in the envelope of the host that was asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdsync.clock import FakeClock
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.dingtalk_approvals import FILES, PICTURES
from kdsync.simulator.dingtalk_http import Request

SCALARS = st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=5)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
TEXT = st.text(min_size=1, max_size=5)
HEAD = {"bgcolor": "FFF65E5E", "text": ""}
FEED = [{"title": "t", "messageURL": "u"}]
ROWS = st.lists(st.fixed_dictionaries({}, optional={"key": TEXT, "value": TEXT | JSON}), max_size=8)
INNER = st.fixed_dictionaries({}, optional={"title": TEXT, "form": ROWS, "content": TEXT, "rich": JSON})
GOOD = {
    **dict.fromkeys(["title", "text", "content", "markdown", "message_url", "messageUrl", "picUrl", "media_id"], TEXT),
    **dict.fromkeys(["single_title", "single_url", "singleTitle", "singleURL"], TEXT),
    "head": st.just(HEAD),
    "body": INNER | JSON,
    "links": st.just(FEED),
}
PARTS = st.fixed_dictionaries(GOOD) | st.fixed_dictionaries(
    {}, optional={key: good | JSON for key, good in GOOD.items()}
)
TYPES = ["text", "markdown", "link", "oa", "action_card", "actionCard", "feedCard", "image", "file"]
SAMPLES = ["sampleText", "sampleMarkdown", "sampleLink", "sampleActionCard"]
MESSAGES = st.sampled_from(TYPES).flatmap(
    lambda kind: st.fixed_dictionaries({"msgtype": st.just(kind), kind: PARTS}, optional={"at": JSON})
)
KEYS = ["userid", "mobile", "dept_id", "cursor", "size", "to_all_user", "dept_id_list", "task_id"]
FIELDS = st.fixed_dictionaries(
    {"agent_id": st.just(1) | JSON, "userid_list": st.just("user1") | JSON},
    optional={
        "msg": MESSAGES | MESSAGES.map(lambda message: orjson.dumps(message).decode()) | JSON,
        "robotCode": st.just("dingsimulatedapp"),
        "userIds": st.just(["user1"]) | JSON,
        "msgKey": st.sampled_from(SAMPLES) | JSON,
        "msgParam": PARTS.map(lambda part: orjson.dumps(part).decode()) | JSON,
        "clientId": st.just("dingsimulatedapp"),
        "clientSecret": st.just("simulated-client-secret"),
        "subscriptions": JSON,
        "access_token": JSON,
        **dict.fromkeys(KEYS, JSON),
    },
)
BODIES = st.binary(max_size=20) | (FIELDS | MESSAGES | JSON).map(orjson.dumps)


CLOCK = FakeClock(datetime(2026, 11, 23, tzinfo=UTC))
APP = {"appKey": "dingsimulatedapp", "appSecret": "simulated-client-secret"}


@pytest.fixture(scope="module")
def deaf() -> SimulatedDingTalk:
    """A DingTalk that is not listening: it is asked directly."""
    ding = SimulatedDingTalk(CLOCK, agent_id=1, qps=10**9, monthly_calls=10**9)
    ding.add_user("user1", "张三")
    ding.add_group_robot("finance", "t")
    return ding


def ask(ding: SimulatedDingTalk, method: str, path: str, query: Any, headers: Any, body: bytes) -> Any:
    return orjson.loads(ding._gateway.respond(Request(method, path, query, headers, body)).body)


@settings(deadline=None)  # a busy machine is no defect
@given(body=BODIES, content_type=st.sampled_from(["application/json", "application/x-www-form-urlencoded", ""]))
def test_any_body_gets_an_answer_from_every_api(deaf: SimulatedDingTalk, body: bytes, content_type: str) -> None:
    CLOCK.advance(60)
    for method, path in deaf._gateway._routes:
        if path in (FILES, PICTURES):  # a store of files has no envelope
            continue
        token = ask(deaf, "POST", "/v1.0/oauth2/accessToken", {}, {}, orjson.dumps(APP))["accessToken"]
        query = {"access_token": "t" if path == "/robot/send" else token}
        headers = {"content-type": content_type, "x-acs-dingtalk-access-token": token}
        answer = ask(deaf, method, path, query, headers, body)
        assert path.startswith("/v1.0/") or isinstance(answer["errcode"], int)
