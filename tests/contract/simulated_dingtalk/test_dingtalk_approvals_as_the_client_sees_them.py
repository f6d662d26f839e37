"""Approvals of the simulated DingTalk, read by kdsync's own client and heard of over its own Stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from threading import Event, Thread
from typing import Any

import pytest

from kdsync.clock import FakeClock, SystemClock
from kdsync.dingtalk.approval_forms import form_of
from kdsync.dingtalk.approvals import Approvals
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.frames import Happened, Message
from kdsync.dingtalk.stream import ALL_TOPICS, StreamClient
from kdsync.errors import EdgeError, FailureKind, StoreUnusableError
from kdsync.settings.schema import DingTalkSection
from kdsync.simulator.dingtalk import SimulatedDingTalk

FIELDS: dict[str, Any] = {
    "事由": "TextField",
    "经办人": "InnerContactField",
    "部门": "DepartmentField",
    "附件": "DDAttachment",
    "照片": "DDPhotoField",
    "明细": {"项目": "TextField", "金额": "MoneyField", "票据": "DDAttachment", "同行": "InnerContactField"},
}
VALUES: dict[str, Any] = {
    "事由": "差旅",
    "经办人": ["user1", "user2"],
    "部门": [2],
    "附件": {"发票.pdf": b"%PDF"},
    "照片": {"票.jpg": b"jpg"},
    "明细": [{"项目": "机票", "金额": "1200.50", "同行": ["boss"], "票据": {"机票.jpg": b"jpg"}}, {"项目": "酒店"}],
}


@pytest.fixture
def client(ding: SimulatedDingTalk, clock: FakeClock) -> Iterator[DingTalkClient]:
    ding.approvals.define("PROC-1", FIELDS, "费用报销")
    section = {"client_id": "dingsimulatedapp", "client_secret": "simulated-client-secret", "agent_id": 123456789}
    urls = {"api_url": ding.url, "oapi_url": ding.url}
    client = DingTalkClient(DingTalkSection.model_validate({**section, **urls}, context={"secrets": str}), clock)
    yield client
    client.close()


@pytest.fixture
def approvals(client: DingTalkClient) -> Approvals:
    return Approvals(client)


@pytest.mark.parametrize("old_tables", [False, True])
def test_an_approval_from_the_form_to_the_file(
    ding: SimulatedDingTalk, approvals: Approvals, clock: FakeClock, old_tables: bool
) -> None:
    ding.approvals.old_tables = old_tables
    begun = ding.approvals.start("PROC-1", "user1", VALUES)
    clock.advance(60)
    ding.approvals.finish(begun)
    approval = approvals.instance(begun)
    assert approval is not None
    assert approval.is_agreed
    assert (approval.applicant, approval.finished_at, approval.action) == ("user1", clock.now(), "")
    assert (approval.department, approval.department_name) == ("2", "财务部")
    found = {component.name: component for component in approval.components}
    assert found["事由"].text == "差旅"
    assert (found["经办人"].people, found["经办人"].text) == (("user1", "user2"), "张三,李四")
    assert (found["部门"].departments, found["部门"].text) == (("2",), "财务部")
    assert [file.name for file in found["附件"].files] == ["发票.pdf"]
    (picture,) = found["照片"].files
    assert (picture.kind, approvals.download(begun, picture.file_id, 3)) == ("jpg", b"jpg")
    rows = found["明细"].rows
    assert [(row["项目"], row["金额"]) for row in rows] == [("机票", "1200.50"), ("酒店", "")]
    (file,) = found["附件"].files
    assert approvals.download(begun, file.file_id, file.size) == b"%PDF"
    if not old_tables:  # which tell of a cell its label and value, and nothing else
        assert found["明细"].cells[0]["同行"].people == ("boss",)
        assert [approvals.download(begun, one.file_id, 9) for one in found["明细"].files] == [b"jpg"]


def test_a_file_that_is_too_large_is_not_read(ding: SimulatedDingTalk, approvals: Approvals) -> None:
    begun = ding.approvals.start("PROC-1", "user1", VALUES)
    (file_id, *_) = ding.approvals.instance(begun).files
    with pytest.raises(EdgeError, match="larger") as caught:
        approvals.download(begun, file_id, 3)
    assert caught.value.kind is FailureKind.REFUSED


def test_an_empty_file_is_not_asked_for(ding: SimulatedDingTalk, approvals: Approvals) -> None:
    begun = ding.approvals.start("PROC-1", "user1", {"附件": {"empty.txt": b""}})
    approval, calls = approvals.instance(begun), ding.metered_calls
    assert approval is not None
    (file,) = next(one for one in approval.components if one.name == "附件").files
    assert (approvals.download(begun, file.file_id, 9), ding.metered_calls) == (b"", calls)


def test_what_ended_is_listed_page_by_page_and_window_by_window(
    ding: SimulatedDingTalk, approvals: Approvals, clock: FakeClock
) -> None:
    first = clock.now()
    ended = []
    for _ in range(5):
        for _ in range(9):
            ended.append(ding.approvals.start("PROC-1", "user1", {}))
            ding.approvals.finish(ended[-1], "refuse" if len(ended) % 2 else "agree")
        ding.approvals.start("PROC-1", "user1", {})
        clock.advance(timedelta(days=60).total_seconds())
    assert list(approvals.finished("PROC-1", first, clock.now())) == ended
    assert list(approvals.finished("PROC-1", first - timedelta(days=999), clock.now() + timedelta(days=9))) == ended
    assert list(approvals.finished("PROC-2", first, clock.now())) == []


def test_the_form_is_told_as_it_was_made(ding: SimulatedDingTalk, client: DingTalkClient) -> None:
    ding.approvals.define("PROC-2", {'["从","到"]': "DDDateRangeField", **FIELDS})
    form = form_of(client, "PROC-2").fields
    assert list(form) == ['["从","到"]', "从", "到", *FIELDS]
    assert (form["照片"].kind, form["明细"].columns) == ("DDPhotoField", FIELDS["明细"])
    begun = ding.approvals.start("PROC-2", "user1", {'["从","到"]': ["2026-11-01", "2026-11-03"]})
    approval = Approvals(client).instance(begun)
    assert approval is not None
    assert [one.name for one in approval.components] == list(form)
    with pytest.raises(EdgeError, match="no such process"):
        form_of(client, "PROC-3")


def test_a_comment_reaches_the_approval(ding: SimulatedDingTalk, approvals: Approvals) -> None:
    begun = ding.approvals.start("PROC-1", "user1", VALUES)
    approvals.comment(begun, "user1", "字" * 5000)
    assert [len(comment.text) for comment in ding.approvals.comments(begun)] == [1024]
    with pytest.raises(EdgeError) as caught:
        approvals.comment(begun, "nobody", "x")
    assert caught.value.kind is FailureKind.REFUSED


def test_an_approval_that_was_deleted_is_none(ding: SimulatedDingTalk, approvals: Approvals) -> None:
    begun = ding.approvals.start("PROC-1", "user1", VALUES)
    ding.approvals.delete(begun)
    assert approvals.instance(begun) is None


@contextmanager
def listening(client: DingTalkClient, take: Callable[[Message], Mapping[str, Any]]) -> Iterator[None]:
    """kdsync's own Stream with the topic of events."""
    stop = Event()
    stream = StreamClient(client, SystemClock(), Random(1), take, topics=ALL_TOPICS)
    thread = Thread(target=stream.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        stream.close()
        thread.join(10)


def test_the_end_of_an_approval_is_heard_of_and_pushed_again_until_it_is_kept(
    ding: SimulatedDingTalk, client: DingTalkClient, clock: FakeClock
) -> None:
    heard: list[Message] = []
    kept, again = Event(), Event()

    def take(message: Message) -> Mapping[str, Any]:
        heard.append(message)
        if len(heard) == 1:
            raise StoreUnusableError("the disk is full")
        kept.set()
        return {}

    with listening(client, take):
        assert ding.wait_for_connections()
        begun = ding.approvals.start("PROC-1", "user1", VALUES)  # nobody keeps its beginning
        begin = ding._stream.pushed[-1]
        assert begin.answered.wait(5)
        assert [(ack.code, ack.data["status"]) for ack in begin.acks] == [(200, "LATER")]
        begin.on_ack = lambda _ack: again.set()
        end = ding.approvals.finish(begun)
        assert end.answered.wait(5)
        assert [(ack.code, ack.data["status"]) for ack in end.acks] == [(200, "SUCCESS")]
        clock.advance(10)
        assert again.wait(5)
        assert kept.is_set()
        assert begin.settled
    happened = [message for message in heard if isinstance(message, Happened)]
    assert [one.data["type"] for one in happened] == ["start", "finish", "start"]
    assert happened[0].event_id == happened[2].event_id
    assert (happened[1].kind, happened[1].data["result"]) == ("bpms_instance_change", "agree")
