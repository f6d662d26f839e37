"""Each fault of the simulated DingTalk by name, and what kdsync's own client makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kdsync.clock import FakeClock
from kdsync.dingtalk.approvals import Approvals
from kdsync.dingtalk.client import Call, DingTalkClient
from kdsync.dingtalk.groups import GroupRobots
from kdsync.dingtalk.work import WorkNotices
from kdsync.errors import EdgeError, FailureKind
from kdsync.settings.schema import DingTalkSection
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.faults import DINGTALK

MESSAGE = b'{"msgtype":"text","text":{"content":"hello"}}'
T, L, Q, R = FailureKind.TRANSIENT, FailureKind.RATE_LIMITED, FailureKind.QUOTA, FailureKind.REFUSED
C, U = FailureKind.CONFIGURATION, FailureKind.UNKNOWN_OUTCOME
COPES = None  # the client repeats or renews by itself
Seen = tuple[FailureKind | None, float | None]
"""The kind, and the seconds that DingTalk asks for."""

SEND: dict[str, Seen] = {
    "qps": (L, 1),
    "qps_api": (L, 1),
    "qpm": (L, 1),
    "http429": (L, 1),
    "html_ban": (L, 300),
    "json_ban": (L, 300),
    "quota": (Q, None),
    "ip_not_listed": (C, None),
    "not_authorised": (C, None),
    "permission": (C, None),
    "agent_id": (C, None),
    "http404": (C, None),
    "http407": (C, None),
    "busy88": (U, None),
    "busy_inside": (T, None),
    "system_busy": (T, None),
    "http400": (T, None),
    "http503": (T, None),
    "redirect": (T, None),
    "http500": (U, None),
    "http502": (U, None),
    "http504": (U, None),
    "empty": (U, None),
    "garbage": (U, None),
    "no_envelope": (U, None),
    "reset": (U, None),
    "down": (U, None),
    "hang": (U, None),
    "lost_reply": (U, None),
    "done504": (U, None),
    "done500": (U, None),
    "truncated_json": (U, None),
    "cut": (U, None),
    "no_route": (C, None),
    "out_of_scope": (R, None),
    "department_out_of_scope": (R, None),
    "bad_message": (R, None),
    "too_long": (R, None),
    "bad_parameter": (R, None),
    "http413": (R, None),
    "slow": (COPES, None),
    "token_missing": (COPES, None),
    "token_void": (COPES, None),
    "token_void_88": (COPES, None),
    "token_old": (COPES, None),
    "token_expired": (COPES, None),
    "http401": (COPES, None),
    "over_the_minute": (COPES, None),
    "over_the_day": (COPES, None),
    "banned_content": (COPES, None),
    "protected": (COPES, None),
}
GROUP: dict[str, Seen] = {
    "robot_fast": (L, 600),
    "robot_fast_old": (L, 600),
    "robot_fast_older": (L, 600),
    "redirect": (L, 600),
    "webhook_quota": (Q, None),
    "robot_keyword": (C, None),
    "robot_sign": (C, None),
    "robot_stamp": (C, None),
    "robot_ip": (C, None),
    "robot_gone": (C, None),
    "robot_gone_old": (C, None),
    "robot_off": (C, None),
    "group_gone": (C, None),
    "robot_left": (C, None),
    "robot_type": (R, None),
    "robot_unsafe": (R, None),
    "robot_large": (R, None),
    "lost_reply": (U, None),
    "http500": (U, None),
    "done500": (U, None),
}
PERSON: dict[str, Seen] = {
    "no_user": (R, None),
    "permission": (C, None),
    "http500": (T, None),
    "lost_reply": (T, None),
    "busy88": (T, None),
    "http504": (T, None),
}
MOBILE: dict[str, Seen] = {"no_mobile": (R, None), "bad_mobile": (R, None)}
TOKEN: dict[str, Seen] = {"credentials": (C, None), "http500": (T, None), "html_ban": (L, 300)}
ROBOT: dict[str, Seen] = {
    "no_route": (C, None),
    "bad_parameter": (R, None),
    "one_to_one_fast": (L, 1),
    "flow_control": (COPES, None),
    "qps": (L, 1),
    "qps_api": (L, 1),
    "qpm": (L, 60),
    "quota": (Q, None),
    "permission": (C, None),
    "ip_not_listed": (C, None),
    "system_busy": (T, None),
    "busy_inside": (T, None),
    "http504": (U, None),
    "token_void": (COPES, None),
    "token_expired": (COPES, None),
}
APPROVAL: dict[str, Seen] = {
    "approval_gone": (R, None),
    "approval_closed": (R, None),
    "approval_system": (U, None),
    "permission": (C, None),
    "quota": (Q, None),
    "lost_reply": (U, None),
    "token_void": (COPES, None),
}
FILE: dict[str, Seen] = {
    "file_gone": (R, None),
    "approval_system": (T, None),
    "lost_reply": (T, None),
    "permission": (C, None),
    "http404": (C, None),
}
STORE: dict[str, Seen] = {
    "http401": (T, None),
    "http404": (R, None),
    "http500": (T, None),
    "redirect": (T, None),
    "reset": (T, None),
    "cut": (T, None),
    "hang": (T, None),
}
SHOWN = (
    "lost_reply",
    "done504",
    "done500",
    "truncated_json",
    "cut",
    *(name for name, seen in SEND.items() if not seen[0]),
)


@pytest.fixture
def client(ding: SimulatedDingTalk, clock: FakeClock) -> Iterator[DingTalkClient]:
    ding.add_group_robot("finance", "robot-token", "SECrobot")
    section = DingTalkSection.model_validate(
        {
            "api_url": ding.url,
            "oapi_url": ding.url,
            "client_id": "dingsimulatedapp",
            "client_secret": "simulated-client-secret",
            "agent_id": 123456789,
            "groups": {"finance": {"token": "robot-token", "secret": "SECrobot"}},
        },
        context={"secrets": str},
    )
    opened = DingTalkClient(section, clock, timeout=0.5)
    yield opened
    opened.close()


def send_work(client: DingTalkClient) -> object:
    return WorkNotices(client).send_work(["user1"], [], MESSAGE)


def send_group(client: DingTalkClient) -> object:
    return GroupRobots(client).send_group("finance", MESSAGE, "uuid")


def ask_person(client: DingTalkClient) -> object:
    return client.ask("topapi/v2/user/get", {"userid": "user1"}, metered=False)


def ask_mobile(client: DingTalkClient) -> object:
    return client.ask("topapi/v2/user/getbymobile", {"mobile": "13800000001"}, metered=False)


def send_robot(client: DingTalkClient) -> object:
    body = b"""{"robotCode": "dingsimulatedapp", "userIds": ["user1"], "msgKey": "sampleText",
        "msgParam": "{\\"content\\": \\"hello\\"}"}"""
    return client.call(Call("v1.0/robot/oToMessages/batchSend", body, host="new", writes=True))


def failure_of(work: Callable[[DingTalkClient], object], client: DingTalkClient) -> Seen:
    try:
        work(client)
    except EdgeError as error:
        return error.kind, error.retry_after
    return COPES, None


def test_every_fault_is_here() -> None:
    assert {*SEND, *GROUP, *PERSON, *MOBILE, *TOKEN, *ROBOT, *APPROVAL, *FILE, *STORE} == {*DINGTALK}


@pytest.mark.parametrize("name", SEND)
def test_a_fault_of_a_work_notification(ding: SimulatedDingTalk, client: DingTalkClient, name: str) -> None:
    client.check_token()
    ding.fault(name, api="asyncsend_v2")
    assert failure_of(send_work, client) == SEND[name]
    silent = name in ("over_the_minute", "over_the_day", "banned_content", "protected")
    assert len(ding.seen("user1")) == (name in SHOWN and not silent)


@pytest.mark.parametrize("name", GROUP)
def test_a_fault_of_a_group_robot(ding: SimulatedDingTalk, client: DingTalkClient, name: str) -> None:
    ding.fault(name, api="robot/send")
    assert failure_of(send_group, client) == GROUP[name]
    assert len(ding.seen("finance")) == (name in ("lost_reply", "done500"))


@pytest.mark.parametrize(
    ("work", "name", "seen"),
    [
        *((ask_person, name, seen) for name, seen in PERSON.items()),
        *((ask_mobile, name, seen) for name, seen in MOBILE.items()),
        *((send_robot, name, seen) for name, seen in ROBOT.items()),
    ],
)
def test_a_fault_of_a_lookup_and_of_the_apps_own_robot(
    ding: SimulatedDingTalk, client: DingTalkClient, work: Callable[[DingTalkClient], object], name: str, seen: Seen
) -> None:
    client.check_token()
    ding.fault(name)
    assert failure_of(work, client) == seen


@pytest.mark.parametrize(
    ("api", "name", "seen"),
    [
        *(("comments", name, seen) for name, seen in APPROVAL.items()),
        *(("urls/download", name, seen) for name, seen in FILE.items()),
        *(("approval-files", name, seen) for name, seen in STORE.items()),
    ],
)
def test_a_fault_of_an_approval(
    ding: SimulatedDingTalk, client: DingTalkClient, api: str, name: str, seen: Seen
) -> None:
    client.check_token()
    ding.approvals.define("PROC-1", {"附件": "DDAttachment"})
    instance_id = ding.approvals.start("PROC-1", "user1", {"附件": {"a.pdf": b"hello"}})
    (file_id,) = ding.approvals.instance(instance_id).files
    ding.fault(name, api=api)
    if api == "comments":
        assert failure_of(lambda one: Approvals(one).comment(instance_id, "user1", "x"), client) == seen
        assert len(ding.approvals.comments(instance_id)) == (name == "lost_reply" or not seen[0])
    else:
        assert failure_of(lambda one: Approvals(one).download(instance_id, file_id, 10), client) == seen


@pytest.mark.parametrize("name", TOKEN)
def test_a_fault_of_the_token(ding: SimulatedDingTalk, client: DingTalkClient, name: str) -> None:
    ding.fault(name)
    assert failure_of(send_work, client) == TOKEN[name]
    assert ding.seen() == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("over_the_minute", "143103"),
        ("over_the_day", "143105"),
        ("banned_content", "1430002"),
        ("protected", "1430004"),
    ],
)
def test_only_the_result_tells_that_nobody_was_shown_a_message(
    ding: SimulatedDingTalk, client: DingTalkClient, clock: FakeClock, name: str, code: str
) -> None:
    ding.fault(name)
    task: Any = send_work(client)
    clock.advance(2)
    result = WorkNotices(client).send_result(task.task_id)
    assert [(one.recipient, one.code) for one in result.undelivered] == [("user1", code)]
    assert ding.seen() == []


def test_no_fault_leaves_the_client_unable_to_send(
    ding: SimulatedDingTalk, client: DingTalkClient, clock: FakeClock
) -> None:
    for number, name in enumerate(SEND):
        clock.advance(1)
        ding.fault(name, api="asyncsend_v2", seconds=0.01)
        failure_of(send_work, client)
        ding.clear_faults()
        clock.advance(1)
        WorkNotices(client).send_work(["user2"], [], MESSAGE.replace(b"hello", b"%d" % number))
    assert len(ding.seen("user2")) == len(SEND)
