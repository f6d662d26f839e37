"""Work notifications of the simulated DingTalk: what it refuses, and what it accepts without delivering."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from kdsync.clock import FakeClock
from kdsync.simulator.dingtalk import SimulatedDingTalk

BASE = "/topapi/message/corpconversation/"
AGENT = 123456789
OA = {
    "message_url": "https://erp.example.com",
    "head": {"bgcolor": "FFF65E5E", "text": "ERP"},
    "body": {"title": "Payment", "form": [{"key": "Amount", "value": "7"}]},
}

AROUND_TEXT = len('{"msgtype":"text","text":{"content":""}}')

Call = Callable[..., Any]


def text(content: str) -> dict[str, Any]:
    return {"msgtype": "text", "text": {"content": content}}


def card(**changes: Any) -> dict[str, Any]:
    body = {"title": "t", "markdown": "m", "single_title": "Open", "single_url": "https://erp.example.com"}
    return {"msgtype": "action_card", "action_card": body | changes}


def oa(**changes: Any) -> dict[str, Any]:
    return {"msgtype": "oa", "oa": OA | changes}


def test_a_notification_reaches_those_it_names(ding: SimulatedDingTalk, clock: FakeClock, send: Call) -> None:
    answer = send("user1,user2", "Payment approved")
    assert answer["errcode"] == 0
    assert [(seen.who, seen.channel, seen.text) for seen in ding.seen()] == [
        ("user1", "work", "Payment approved"),
        ("user2", "work", "Payment approved"),
    ]
    assert ding.seen("user1")[0].time == clock.now()
    assert ding.seen("user1")[0].task_id == answer["task_id"]
    assert ding.metered_calls == 1


def test_the_live_display_is_told_of_each_message(ding: SimulatedDingTalk, send: Call) -> None:
    shown: list[str] = []
    ding.on_seen = lambda seen: shown.append(seen.who)
    send("user1,user2")
    assert shown == ["user1", "user2"]


def test_a_form_body_with_the_message_as_text(ding: SimulatedDingTalk, token: str) -> None:
    form = {"agent_id": AGENT, "userid_list": "user1", "msg": json.dumps(text("你好"))}
    answer = requests.post(f"{ding.url}{BASE}asyncsend_v2", params={"access_token": token}, data=form, timeout=5)
    assert answer.json()["errcode"] == 0
    assert ding.seen("user1")[0].text == "你好"


@pytest.mark.parametrize(
    ("agent_id", "errcode"), [("dingsimulatedapp", 400002), (None, 400002), (987654321, 52019), ("123456789", 0)]
)
def test_the_agent_id(send: Call, agent_id: object, errcode: int) -> None:
    assert send("user1", agent_id=agent_id)["errcode"] == errcode


@pytest.mark.parametrize(
    ("fields", "errcode"),
    [
        ({"userid_list": ["user1"]}, 40035),
        ({"userid_list": ",".join(f"u{number}" for number in range(101))}, 40035),
        ({"userid_list": ""}, 40035),
        ({"userid_list": "nobody"}, 33012),
        ({"userid_list": "user1, nobody"}, 0),
        ({"userid_list": "hidden"}, 50002),
        ({"userid_list": "", "dept_id_list": ",".join(map(str, range(1, 22)))}, 40035),
        ({"userid_list": "", "dept_id_list": "99"}, 50004),
    ],
)
def test_the_recipients(send: Call, fields: dict[str, Any], errcode: int) -> None:
    assert send("", **fields)["errcode"] == errcode


def test_a_hundred_people_in_one_call(ding: SimulatedDingTalk, send: Call) -> None:
    for number in range(100):
        ding.add_user(f"u{number}", "x")
    assert send(",".join(f"u{number}" for number in range(100)))["errcode"] == 0
    assert len(ding.seen()) == 100


def test_a_department_with_those_below_it(ding: SimulatedDingTalk, send: Call) -> None:
    assert send("user1", dept_id_list="2")["errcode"] == 0
    assert sorted(seen.who for seen in ding.seen()) == ["user1", "user2"]


def test_everybody_three_times_a_day_once_a_minute(ding: SimulatedDingTalk, clock: FakeClock, send: Call) -> None:
    assert send("", "one", to_all_user=True)["errcode"] == 0
    assert sorted(seen.who for seen in ding.seen()) == ["boss", "user1", "user2"]
    assert send("", "two", to_all_user=True)["errcode"] == 41046
    clock.advance(60)
    assert send("", "two", to_all_user=True)["errcode"] == 0
    clock.advance(60)
    assert send("", "three", to_all_user=True)["errcode"] == 0
    clock.advance(60)
    assert send("", "four", to_all_user=True)["errcode"] == 41045


@pytest.mark.parametrize(
    "message",
    [
        text("x"),
        {"msgtype": "image", "image": {"media_id": "@lADO"}},
        {"msgtype": "voice", "voice": {"media_id": "@lADO", "duration": "59"}},
        {"msgtype": "file", "file": {"media_id": "@lADO"}},
        {"msgtype": "link", "link": {"messageUrl": "https://x", "picUrl": "@lADO", "title": "t", "text": "x"}},
        {"msgtype": "markdown", "markdown": {"title": "t", "text": "x"}},
        card(),
        card(
            single_title=None, single_url=None, btn_orientation="1", btn_json_list=[{"title": "a", "action_url": "u"}]
        ),
        oa(),
    ],
    ids=lambda message: str(message["msgtype"]),
)
def test_every_type_of_message(ding: SimulatedDingTalk, send: Call, message: dict[str, Any]) -> None:
    assert send("user1", message)["errcode"] == 0
    assert len(ding.seen("user1")) == 1


@pytest.mark.parametrize(
    ("message", "errcode"),
    [
        ({}, 34014),
        ({"msgtype": "actionCard", "actionCard": {}}, 34014),
        ({"msgtype": "text"}, 34014),
        (text(""), 34014),
        ({"msgtype": "text", "text": {"content": 7}}, 34014),
        ({"msgtype": "voice", "voice": {"media_id": "@lADO", "duration": "60"}}, 34014),
        ({"msgtype": "link", "link": {"messageUrl": "https://x", "title": "t", "text": "x"}}, 34014),
        ({"msgtype": "markdown", "markdown": {"title": "", "text": "x"}}, 34014),
        ({"msgtype": "markdown", "markdown": {"title": "t" * 65, "text": "x"}}, 34016),
        ({"msgtype": "markdown", "markdown": {"title": "😀" * 32, "text": "x"}}, 0),
        ({"msgtype": "markdown", "markdown": {"title": "😀" * 33, "text": "x"}}, 34016),
        (card(single_url=None), 34014),
        (card(single_title="t" * 21), 34016),
        (card(single_url="u" * 501), 34016),
        (card(btn_orientation="1", btn_json_list=[{"title": "a", "action_url": "u" * 480}] * 2), 34016),
        (oa(head={"bgcolor": "0xFFF65E5E", "text": "ERP"}), 34014),
        (oa(body={"title": "t" * 51}), 34016),
        (oa(head={"bgcolor": "FFF65E5E", "text": "t" * 11}), 34016),
        (oa(message_url=""), 34014),
        (text("x" * (2048 - AROUND_TEXT)), 0),
        (text("x" * (2049 - AROUND_TEXT)), 34016),
        (text("审" * 670), 34016),
    ],
)
def test_the_shape_and_length_of_a_message(send: Call, message: dict[str, Any], errcode: int) -> None:
    assert send("user1", message)["errcode"] == errcode


def test_the_same_content_on_the_same_day_is_dropped_in_silence(
    ding: SimulatedDingTalk, clock: FakeClock, old: Call, send: Call
) -> None:
    send("user1", {"msgtype": "markdown", "markdown": {"title": "t", "text": "x"}})
    answer = send("user1,user2", {"markdown": {"text": "x", "title": "t"}, "msgtype": "markdown"})
    assert answer["errcode"] == 0
    assert (len(ding.seen("user1")), len(ding.seen("user2"))) == (1, 1)
    clock.advance(1)
    result = old(f"{BASE}getsendresult", agent_id=AGENT, task_id=answer["task_id"])["send_result"]
    assert result["forbidden_user_id_list"] == ["user1"]
    assert result["forbidden_list"] == [{"code": "143106", "count": 1, "userid": "user1"}]
    assert result["unread_user_id_list"] == ["user2"]


def test_the_same_content_on_the_next_day_in_shanghai(
    ding: SimulatedDingTalk, later: Callable[[float], None], send: Call
) -> None:
    send("user1")
    later(13 * 3600 + 3599)
    send("user1")
    assert len(ding.seen("user1")) == 1
    later(1)
    send("user1")
    assert len(ding.seen("user1")) == 2


def test_the_501st_message_of_a_day(clock: FakeClock) -> None:
    with SimulatedDingTalk(clock, qps=10_000) as ding, requests.Session() as session:
        ding.add_user("user1", "张三")
        app = {"appKey": "dingsimulatedapp", "appSecret": "simulated-client-secret"}
        token = session.post(f"{ding.url}/v1.0/oauth2/accessToken", json=app, timeout=5).json()["accessToken"]
        for number in range(501):
            fields = {"agent_id": AGENT, "userid_list": "user1", "msg": text(f"{number}")}
            sent = session.post(f"{ding.url}{BASE}asyncsend_v2", params={"access_token": token}, json=fields, timeout=5)
        assert len(ding.seen("user1")) == 500
        clock.advance(1)
        asked = {"agent_id": AGENT, "task_id": sent.json()["task_id"]}
        result = session.post(f"{ding.url}{BASE}getsendresult", params={"access_token": token}, json=asked, timeout=5)
        assert result.json()["send_result"]["forbidden_list"][0]["code"] == "143105"


def test_the_5001st_recipient_of_a_minute(ding: SimulatedDingTalk, clock: FakeClock, send: Call) -> None:
    for number in range(5001):
        ding.add_user(f"u{number}", "x", dept_ids=(3,))
    assert send("", dept_id_list="3")["errcode"] == 0
    assert len(ding.seen()) == 5000
    send("boss")
    assert ding.seen("boss") == []
    clock.advance(60)
    send("boss")
    assert len(ding.seen("boss")) == 1


def test_a_result_is_there_only_when_the_task_is_finished(
    ding: SimulatedDingTalk, clock: FakeClock, old: Call, send: Call
) -> None:
    asked = {"agent_id": AGENT, "task_id": send("user1,nobody,hidden")["task_id"]}
    assert old(f"{BASE}getsendprogress", **asked)["progress"]["status"] == 1
    assert old(f"{BASE}getsendresult", **asked)["send_result"]["invalid_user_id_list"] == []
    clock.advance(1)
    assert old(f"{BASE}getsendprogress", **asked)["progress"] == {"progress_in_percent": 100, "status": 2}
    assert old(f"{BASE}getsendresult", **asked)["send_result"]["invalid_user_id_list"] == ["nobody", "hidden"]
    assert ding.metered_calls == 5


def test_a_result_is_gone_after_a_day(later: Callable[[float], None], old: Call, send: Call) -> None:
    asked = {"agent_id": AGENT, "task_id": send("user1")["task_id"]}
    later(86400)
    assert old(f"{BASE}getsendresult", **asked)["errcode"] == 0
    later(1)
    assert old(f"{BASE}getsendresult", **asked)["errcode"] == 40035


def test_the_result_of_a_send_to_more_than_a_hundred_times_out(ding: SimulatedDingTalk, old: Call, send: Call) -> None:
    for number in range(101):
        ding.add_user(f"u{number}", "x", dept_ids=(3,))
    task_id = send("", dept_id_list="3")["task_id"]
    assert old(f"{BASE}getsendresult", agent_id=AGENT, task_id=task_id)["errcode"] == 15


def test_a_recall(ding: SimulatedDingTalk, old: Call, send: Call) -> None:
    task_id = send("user1")["task_id"]
    assert old(f"{BASE}recall", agent_id=AGENT, msg_task_id=7)["errcode"] == 400002
    assert old(f"{BASE}recall", agent_id=AGENT, msg_task_id=task_id)["errcode"] == 0
    assert ding.seen("user1")[0].recalled


def test_a_status_bar_and_its_update(ding: SimulatedDingTalk, clock: FakeClock, old: Call, send: Call) -> None:
    task_id = send("user1", oa(status_bar={"status_value": "待审批", "status_bg": "0xFFFF9D46"}))["task_id"]
    assert (ding.seen("user1")[0].status, ding.seen("user1")[0].status_bg) == ("待审批", "0xFFFF9D46")
    change = {"agent_id": AGENT, "task_id": task_id, "status_value": "已同意", "status_bg": "0xFF78C06E"}
    assert old(f"{BASE}status_bar/update", **change)["errcode"] == 41052
    clock.advance(1)
    assert old(f"{BASE}status_bar/update", **change | {"agent_id": 1})["errcode"] == 40056
    assert old(f"{BASE}status_bar/update", **change | {"task_id": 1})["errcode"] == 40035
    assert old(f"{BASE}status_bar/update", **change)["errcode"] == 0
    assert (ding.seen("user1")[0].status, ding.seen("user1")[0].status_bg) == ("已同意", "0xFF78C06E")


def test_a_status_bar_needs_few_recipients_by_name(ding: SimulatedDingTalk, send: Call) -> None:
    with_bar = oa(status_bar={"status_value": "待审批"})
    for number in range(6):
        ding.add_user(f"u{number}", "x")
    assert send("u0,u1,u2,u3,u4,u5", with_bar)["errcode"] == 41052
    assert send("u0", with_bar, dept_id_list="2")["errcode"] == 41052
    assert send("u0,u1,u2,u3,u4", with_bar)["errcode"] == 0
