"""Work notifications: what is sent, and what DingTalk says became of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import responses

from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.work import Receipt, SendResult, Undelivered, WorkNotices
from kdsync.errors import EdgeError, FailureKind

SEND = "https://oapi.dingtalk.com/topapi/message/corpconversation/asyncsend_v2"
RESULT = "https://oapi.dingtalk.com/topapi/message/corpconversation/getsendresult"
BAR = "https://oapi.dingtalk.com/topapi/message/corpconversation/status_bar/update"
MESSAGE = '{"markdown":{"text":"### 甲\\n\\n乙/\\u4e00","title":"甲"},"msgtype":"markdown"}'.encode()


@pytest.fixture
def notices(client: DingTalkClient) -> WorkNotices:
    return WorkNotices(client)


def sent(dingtalk: responses.RequestsMock) -> bytes:
    body = dingtalk.calls[-1].request.body
    assert isinstance(body, bytes)
    return body


def test_the_stored_message_is_sent_byte_by_byte(notices: WorkNotices, dingtalk: responses.RequestsMock) -> None:
    dingtalk.post(SEND, json={"errcode": 0, "task_id": 256271667526, "request_id": "r"})
    assert notices.send_work(["user1", "user2"], [], MESSAGE) == Receipt("256271667526")
    assert MESSAGE in sent(dingtalk)
    assert orjson.loads(sent(dingtalk)) == {
        "agent_id": 4711,
        "to_all_user": False,
        "userid_list": "user1,user2",
        "msg": orjson.loads(MESSAGE),
    }


def test_departments_are_a_list_of_their_own(notices: WorkNotices, dingtalk: responses.RequestsMock) -> None:
    dingtalk.post(SEND, json={"errcode": 0, "task_id": 1})
    notices.send_work([], ["1", "22"], MESSAGE)
    body = orjson.loads(sent(dingtalk))
    assert body["dept_id_list"] == "1,22"
    assert "userid_list" not in body


def test_the_limits_themselves_are_accepted(notices: WorkNotices, dingtalk: responses.RequestsMock) -> None:
    dingtalk.post(SEND, json={"errcode": 0, "task_id": 1})
    notices.send_work([f"u{n}" for n in range(100)], [str(n) for n in range(20)], MESSAGE)
    assert orjson.loads(sent(dingtalk))["userid_list"].count(",") == 99


@pytest.mark.parametrize(
    ("userids", "dept_ids"),
    [([], []), (["u"] * 101, []), ([], ["1"] * 21), (["a,b"], []), ([""], []), (["u"], [""])],
)
def test_recipients_that_dingtalk_cannot_take_are_a_mistake_of_the_caller(
    notices: WorkNotices, dingtalk: responses.RequestsMock, userids: list[str], dept_ids: list[str]
) -> None:
    with pytest.raises(ValueError, match="recipient"):
        notices.send_work(userids, dept_ids, MESSAGE)
    assert not dingtalk.calls


def test_acceptance_without_a_task_is_acceptance(notices: WorkNotices, dingtalk: responses.RequestsMock) -> None:
    dingtalk.post(SEND, json={"errcode": 0})
    assert notices.send_work(["u"], [], MESSAGE) == Receipt("")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"body": b'{"errcode":0,"task'}, FailureKind.UNKNOWN_OUTCOME),
        ({"json": {"errcode": 88, "sub_code": ""}}, FailureKind.UNKNOWN_OUTCOME),
        ({"status": 504}, FailureKind.UNKNOWN_OUTCOME),
        ({"json": {"errcode": 90018}}, FailureKind.RATE_LIMITED),
        ({"json": {"errcode": 90020}}, FailureKind.QUOTA),
        ({"json": {"errcode": 33012}}, FailureKind.REFUSED),
        ({"json": {"errcode": 88, "sub_code": "60011"}}, FailureKind.CONFIGURATION),
    ],
)
def test_a_send_that_failed_says_whether_it_may_have_been_done(
    notices: WorkNotices, dingtalk: responses.RequestsMock, answer: dict[str, Any], kind: FailureKind
) -> None:
    dingtalk.post(SEND, **answer)
    with pytest.raises(EdgeError) as caught:
        notices.send_work(["u"], [], MESSAGE)
    assert caught.value.kind is kind


def test_a_send_after_an_expired_token_carries_the_same_bytes(
    notices: WorkNotices, dingtalk: responses.RequestsMock
) -> None:
    dingtalk.post(SEND, json={"errcode": 42001})
    dingtalk.post(SEND, json={"errcode": 0, "task_id": 5})
    assert notices.send_work(["u"], [], MESSAGE) == Receipt("5")
    bodies = [call.request.body for call in dingtalk.calls if "asyncsend" in str(call.request.url)]
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]


def test_sending_is_metered(
    notices: WorkNotices, dingtalk: responses.RequestsMock, calls: list[tuple[str, bool]]
) -> None:
    dingtalk.post(SEND, json={"errcode": 0, "task_id": 5})
    notices.send_work(["u"], [], MESSAGE)
    assert calls[-1] == ("topapi/message/corpconversation/asyncsend_v2", True)


def test_who_did_not_get_it_and_why(notices: WorkNotices, dingtalk: responses.RequestsMock) -> None:
    result = {
        "read_user_id_list": ["u1"],
        "unread_user_id_list": ["u2"],
        "forbidden_user_id_list": ["u3", "u4"],
        "forbidden_list": [{"code": "143106", "count": 1, "userid": "u3"}, {"code": 143105, "userid": "u5"}],
        "invalid_user_id_list": ["u6"],
        "failed_user_id_list": "u7,u8",
        "invalid_dept_id_list": [99],
    }
    dingtalk.post(RESULT, json={"errcode": 0, "send_result": result})
    answer = notices.send_result("123")
    assert orjson.loads(sent(dingtalk)) == {"agent_id": 4711, "task_id": 123}
    assert answer.delivered == ("u1", "u2")
    assert {(one.recipient, one.reason) for one in answer.undelivered} == {
        ("u3", "the person already got this very message today"),
        ("u4", "DingTalk held it back over a limit"),
        ("u5", "the person already got as many messages as one is shown in a day"),
        ("u6", "there is no such person in the app's scope"),
        ("u7", "DingTalk failed to deliver it"),
        ("u8", "DingTalk failed to deliver it"),
        ("99", "there is no such department in the app's scope"),
    }


@pytest.mark.parametrize(("task", "told"), [("256271667526", 256271667526), ("", "")])
def test_a_status_bar_is_changed_by_one_metered_call(
    notices: WorkNotices, dingtalk: responses.RequestsMock, calls: list[tuple[str, bool]], task: str, told: object
) -> None:
    dingtalk.post(BAR, json={"errcode": 0})
    notices.change_status_bar(task, "已处理", "0xFF78C06E")
    expected = {"agent_id": 4711, "task_id": told, "status_value": "已处理", "status_bg": "0xFF78C06E"}
    assert orjson.loads(sent(dingtalk)) == expected
    assert calls[-1] == ("topapi/message/corpconversation/status_bar/update", True)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(41052, FailureKind.TRANSIENT), (40035, FailureKind.REFUSED), (40056, FailureKind.CONFIGURATION)],
)
def test_why_a_status_bar_is_not_changed(
    notices: WorkNotices, dingtalk: responses.RequestsMock, code: int, kind: FailureKind
) -> None:
    dingtalk.post(BAR, json={"errcode": code})
    with pytest.raises(EdgeError) as caught:
        notices.change_status_bar("5", "已处理", "0xFF78C06E")
    assert caught.value.kind is kind


def test_an_unknown_reason_is_still_told() -> None:
    assert Undelivered("u", "999").reason == "DingTalk held it back"


@pytest.mark.parametrize("result", [{}, None, {"read_user_id_list": None}])
def test_a_send_under_way_has_reached_nobody_yet(
    notices: WorkNotices, dingtalk: responses.RequestsMock, result: object
) -> None:
    dingtalk.post(RESULT, json={"errcode": 0, "send_result": result})
    assert notices.send_result("1") == SendResult((), ())
