"""Group robots by webhook, and the app's own robot, of the simulated DingTalk."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests

from kdsync.clock import FakeClock
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.dingtalk_groups import signature

BATCH_SEND = "/v1.0/robot/oToMessages/batchSend"
SECRET = "SECabc"

Call = Callable[..., Any]


def text(content: str) -> dict[str, Any]:
    return {"msgtype": "text", "text": {"content": content}}


@pytest.fixture
def post(ding: SimulatedDingTalk, session: requests.Session) -> Call:
    """Post to the robot with token `t`: post(message, **query) -> decoded answer."""

    def call(message: object, **query: str) -> Any:
        params = {"access_token": "t"} | query
        answer = session.post(f"{ding.url}/robot/send", params=params, json=message, timeout=5)
        assert answer.status_code == 200
        return answer.json()

    return call


def test_a_message_reaches_the_group(ding: SimulatedDingTalk, post: Call) -> None:
    ding.add_group_robot("finance", "t")
    assert post(text("paid"))["errcode"] == 0
    assert [(seen.who, seen.channel, seen.text) for seen in ding.seen("finance")] == [("finance", "group", "paid")]
    assert (ding.metered_calls, ding.metered_pushes) == (0, 1)


def test_an_unknown_token(post: Call) -> None:
    assert post(text("paid"))["errcode"] == 400101


def test_the_signature_of_the_public_example() -> None:
    assert signature("this is a secret", "1577262236757") == "DJrE6qdyVGCQz9z5r2MDuNcNAhwYnuAkyj13cx169CA="


@pytest.mark.parametrize(
    ("age", "secret", "errcode", "errmsg"),
    [
        (0, SECRET, 0, "ok"),
        (3599, SECRET, 0, "ok"),
        (-3599, SECRET, 0, "ok"),
        (3601, SECRET, 310000, "invalid timestamp"),
        (-3601, SECRET, 310000, "invalid timestamp"),
        (0, "another", 310000, "sign not match"),
    ],
)
def test_a_signed_call(
    ding: SimulatedDingTalk, clock: FakeClock, post: Call, age: int, secret: str, errcode: int, errmsg: str
) -> None:
    ding.add_group_robot("finance", "t", secret=SECRET)
    timestamp = str(int((clock.now() - timedelta(seconds=age)).timestamp() * 1000))
    answer = post(text("paid"), timestamp=timestamp, sign=signature(secret, timestamp))
    assert (answer["errcode"], answer["errmsg"]) == (errcode, errmsg)


def test_an_unsigned_call_to_a_robot_that_wants_a_signature(ding: SimulatedDingTalk, post: Call) -> None:
    ding.add_group_robot("finance", "t", secret=SECRET)
    assert post(text("paid"))["errcode"] == 310000


def test_one_of_the_keywords_must_be_in_the_message(ding: SimulatedDingTalk, post: Call) -> None:
    ding.add_group_robot("finance", "t", keywords=("付款", "ERP"))
    assert post(text("paid"))["errmsg"] == "keywords not in content"
    assert post({"msgtype": "markdown", "markdown": {"title": "ERP", "text": "paid"}})["errcode"] == 0


def test_the_21st_message_of_a_minute_throttles_for_ten(ding: SimulatedDingTalk, clock: FakeClock, post: Call) -> None:
    ding.add_group_robot("finance", "t")
    for number in range(20):
        assert post(text(f"{number}"))["errcode"] == 0
        clock.advance(1)
    assert post(text("21"))["errcode"] == 410100
    clock.advance(599)
    assert post(text("22"))["errcode"] == 410100
    clock.advance(1)
    assert post(text("23"))["errcode"] == 0


def test_the_same_uuid_is_delivered_once(ding: SimulatedDingTalk, post: Call) -> None:
    ding.add_group_robot("finance", "t")
    for uuid in ("a", "a", "b"):
        assert post(text("paid") | {"msgUuid": uuid})["errcode"] == 0
    assert len(ding.seen("finance")) == 2


@pytest.mark.parametrize(
    ("message", "errcode"),
    [
        ({"msgtype": "action_card", "action_card": {}}, 400105),
        ({}, 400105),
        ({"msgtype": "markdown", "markdown": {"text": "x"}}, 40035),
        (text("x" * 20_000), 460101),
        (text("x") | {"at": {"atUserIds": [str(number) for number in range(51)]}}, 40035),
        ({"msgtype": "feedCard", "feedCard": {"links": [{"title": "a", "messageURL": "u"}]}}, 0),
        ({"msgtype": "actionCard", "actionCard": {"title": "t", "text": "x", "singleTitle": "a"}}, 0),
        ({"msgtype": "link", "link": {"title": "t", "text": "x", "messageUrl": "u"}}, 0),
    ],
)
def test_the_shape_of_a_message(ding: SimulatedDingTalk, post: Call, message: dict[str, Any], errcode: int) -> None:
    ding.add_group_robot("finance", "t")
    assert post(message)["errcode"] == errcode
    assert len(ding.seen("finance")) == (errcode == 0)


def test_a_body_that_does_not_say_it_is_json(ding: SimulatedDingTalk) -> None:
    ding.add_group_robot("finance", "t")
    answer = requests.post(f"{ding.url}/robot/send", params={"access_token": "t"}, data=b"{}", timeout=5)
    assert answer.json()["errcode"] == 43004


def test_the_months_webhook_messages_are_used_up(clock: FakeClock) -> None:
    with SimulatedDingTalk(clock, monthly_pushes=1) as ding:
        ding.add_group_robot("finance", "t")
        url, query = f"{ding.url}/robot/send", {"access_token": "t"}
        codes = [requests.post(url, params=query, json=text(word), timeout=5).json()["errcode"] for word in "ab"]
    assert codes == [0, 90030]


def test_an_answer_by_session_webhook_for_ninety_minutes(ding: SimulatedDingTalk, clock: FakeClock) -> None:
    webhook = ding.say("user1", "hello").data["sessionWebhook"]
    clock.advance(5400)
    assert requests.post(webhook, json=text("yes?"), timeout=5).json()["errcode"] == 0
    assert [(seen.channel, seen.text) for seen in ding.seen("user1")] == [("session", "yes?")]
    clock.advance(1)
    assert requests.post(webhook, json=text("yes??"), timeout=5).json()["errcode"] == 300001


def test_an_answer_in_the_group_where_the_robot_was_mentioned(ding: SimulatedDingTalk) -> None:
    webhook = ding.say("user1", "hello", group="finance").data["sessionWebhook"]
    requests.post(webhook, json=text("yes?"), timeout=5)
    assert [seen.text for seen in ding.seen("finance")] == ["yes?"]


def one_to_one(userids: list[str], key: str = "sampleText", param: object = None, **fields: Any) -> dict[str, Any]:
    text_of_param = json.dumps(param or {"content": "hi"})
    return {"robotCode": "dingsimulatedapp", "userIds": userids, "msgKey": key, "msgParam": text_of_param, **fields}


def test_one_to_one_names_who_got_nothing_in_a_good_answer(ding: SimulatedDingTalk, new: Call) -> None:
    status, answer = new(BATCH_SEND, **one_to_one(["user1", "hidden", "nobody"]))
    assert status == 200
    assert answer["invalidStaffIdList"] == ["hidden", "nobody"]
    assert answer["flowControlledStaffIdList"] == []
    assert [(seen.who, seen.channel, seen.text) for seen in ding.seen()] == [("user1", "robot", "hi")]
    assert ding.metered_calls == 1


def test_one_to_one_held_back_by_flow_control(ding: SimulatedDingTalk, new: Call) -> None:
    ding.fault("flow_control")
    status, answer = new(BATCH_SEND, **one_to_one(["user1", "user2"]))
    assert (status, answer["flowControlledStaffIdList"]) == (200, ["user1", "user2"])
    assert ding.seen() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"robotCode": "another"}, "robot.oto.notExist"),
        ({"userIds": []}, "invalidParameter.userIds.empty"),
        ({"userIds": ["u"] * 21}, "too.many.people"),
        ({"userIds": ["nobody"]}, "staffId.notExisted"),
        ({"msgKey": "text"}, "invalidParameter.msgKey.invalid"),
        ({"msgParam": {"content": "hi"}}, "invalidParameter.msgParam.invalid"),
        ({"msgParam": "{}"}, "invalidParameter.msgParam.invalid"),
        ({"msgParam": "x" * 15_001}, "invalidParameter.msgParam.tooLong"),
    ],
)
def test_a_one_to_one_message_that_is_refused(new: Call, changes: dict[str, Any], code: str) -> None:
    status, answer = new(BATCH_SEND, **one_to_one(["user1"]) | changes)
    assert (status, answer["code"]) == (400, code)


def test_every_sample_reads_on_the_phone(ding: SimulatedDingTalk, new: Call) -> None:
    new(BATCH_SEND, **one_to_one(["user1"], "sampleMarkdown", {"title": "t", "text": "**x**"}))
    param = {"title": "t", "text": "x", "actionTitle1": "A", "actionURL1": "u", "actionTitle2": "B", "actionURL2": "u"}
    new(BATCH_SEND, **one_to_one(["user1"], "sampleActionCard2", param))
    assert [(seen.title, seen.text) for seen in ding.seen("user1")] == [("t", "x"), ("t", "x\n[A]\n[B]")]
