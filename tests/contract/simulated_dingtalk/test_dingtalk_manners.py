"""Where DingTalk's pages do not agree, kdsync's client gets along with either."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from kdsync.clock import FakeClock
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.frames import Clicked, Happened, Message, Said, dedupe_key, read_frame, read_message, twin_key
from kdsync.dingtalk.groups import GroupRobots
from kdsync.dingtalk.work import WorkNotices
from kdsync.errors import EdgeError, FailureKind
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.dingtalk_pushes import Push

FORM: Any = (
    b'{"msgtype":"oa","oa":{"message_url":"u","head":{"bgcolor":"FFF65E5E","text":""},'
    b'"body":{"title":"t"},"status_bar":{"status_value":"waits"}}}'
)


def text(content: str) -> bytes:
    return b'{"msgtype":"text","text":{"content":"%s"}}' % content.encode()


def read(push: Push, clock: FakeClock) -> Message | None:
    return read_message(read_frame(push.frame(f"frame-{len(push.attempts)}", "connection", clock.now())))


@pytest.fixture
def grouped(ding: SimulatedDingTalk, client: DingTalkClient) -> Iterator[DingTalkClient]:
    """The client, with a group's robot that asks for signatures."""
    ding.add_group_robot("finance", "robot-token", "SECrobot")
    groups = {"finance": {"token": "robot-token", "secret": "SECrobot"}}
    told = {**client.settings.model_dump(), "client_secret": "simulated-client-secret", "groups": groups}
    opened = DingTalkClient(type(client.settings).model_validate(told, context={"secrets": str}), client.clock)
    yield opened
    opened.close()


@pytest.mark.parametrize("key", ["headers", "header"])
def test_the_headers_of_an_event_have_two_names(ding: SimulatedDingTalk, clock: FakeClock, key: str) -> None:
    ding.manners.event_headers = key
    event = read(ding.event("user_leave_org", {"userId": ["user1"]}), clock)
    assert isinstance(event, Happened)
    assert (event.kind, event.data, event.born_at) == ("user_leave_org", {"userId": ["user1"]}, clock.now())


@pytest.mark.parametrize("content", ["content", "value"])
@pytest.mark.parametrize("beside", [False, True])
def test_the_content_of_a_click_has_two_names_and_two_shapes(
    ding: SimulatedDingTalk, clock: FakeClock, card: str, content: str, beside: bool
) -> None:
    ding.manners.click_content, ding.manners.params_beside = content, beside
    click = read(ding.click("user1", card, "approve", {"reason": "ok"}), clock)
    assert click == Clicked(card, "user1", ("approve",), {"reason": "ok"})


@pytest.mark.parametrize("new_ids", [False, True])
def test_what_is_pushed_again_is_known_again_under_another_id(
    ding: SimulatedDingTalk, clock: FakeClock, new_ids: bool
) -> None:
    ding.manners.new_ids = new_ids
    push = ding.say("user1", "同意 FKD1")
    first = read(push, clock)
    clock.advance(60)
    ding.redeliver(push)
    second = read(push, clock)
    assert isinstance(first, Said)
    assert isinstance(second, Said)
    assert (dedupe_key(first) != dedupe_key(second)) == new_ids
    assert twin_key(first) == twin_key(second)


def test_answers_without_a_date_leave_the_time_to_this_machine(
    ding: SimulatedDingTalk, grouped: DingTalkClient, clock: FakeClock
) -> None:
    ding.manners.dates = False
    GroupRobots(grouped).send_group("finance", text("hello"), "1")
    assert len(ding.seen("finance")) == 1
    assert not grouped.server_clock.measured
    assert grouped.now() == clock.now()
    ding.fault("robot_stamp", times=None, probability=1.0)
    with pytest.raises(EdgeError, match="timestamp") as caught:
        GroupRobots(grouped).send_group("finance", text("again"), "2")
    assert caught.value.kind is FailureKind.CONFIGURATION


def test_a_platform_that_shows_fifty_messages_a_day_tells_so_in_the_result(
    ding: SimulatedDingTalk, client: DingTalkClient, clock: FakeClock
) -> None:
    ding.manners.messages_a_day = 2
    notices = WorkNotices(client)
    tasks = [notices.send_work(["user1"], (), text(f"{n}")).task_id for n in range(3)]
    clock.advance(2)
    assert [notices.send_result(task).delivered for task in tasks] == [("user1",), ("user1",), ()]
    (undelivered,) = notices.send_result(tasks[2]).undelivered
    assert undelivered.reason == "the person already got as many messages as one is shown in a day"


def test_a_status_bar_that_is_too_old_to_be_changed_is_refused(
    ding: SimulatedDingTalk, client: DingTalkClient, clock: FakeClock
) -> None:
    ding.manners.bar_days = 1
    notices = WorkNotices(client)
    task = notices.send_work(["user1"], (), FORM).task_id
    clock.advance(timedelta(days=1).total_seconds() + 1)
    with pytest.raises(EdgeError) as caught:
        notices.change_status_bar(task, "done", "0xFF78C06E")
    assert caught.value.kind is FailureKind.REFUSED


def test_a_platform_that_takes_longer_messages(ding: SimulatedDingTalk, client: DingTalkClient) -> None:
    long = text("x" * 3000)
    with pytest.raises(EdgeError, match="too long"):
        WorkNotices(client).send_work(["user1"], (), long)
    ding.manners.longest_message = 10_000
    WorkNotices(client).send_work(["user1"], (), long)
    assert len(ding.seen("user1")) == 1
