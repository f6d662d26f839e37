"""Somebody without a userid is told once, where they wrote; what cannot be told is told to the operators instead."""

from __future__ import annotations

from typing import Any

import pytest

from kdsync.errors import EdgeError, FailureKind
from kdsync.services import heard
from kdsync.services.outsiders import Outsiders, language
from kdsync.store import inbox, notifications
from kdsync.store.inbox import Received
from tests.unit.services.test_codes import standing_alarms
from tests.unit.services.test_inbound import Office
from tests.unit.services.world import World

ADDRESS = "https://oapi.dingtalk.com/robot/sendBySession?session=secret"


class Conversation:
    """What was posted; `trouble` meets the next posts, in order, before or after they are there."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, str]] = []
        self.trouble: list[FailureKind] = []

    def __call__(self, address: str, title: str, text: str) -> None:
        assert address == ADDRESS
        assert text
        kind = self.trouble.pop(0) if self.trouble else None
        if kind in (None, FailureKind.UNKNOWN_OUTCOME):
            self.posts.append((address, title))
        if kind:
            raise EdgeError("dingtalk", kind, "-1", "it is so")


@pytest.fixture
def conversation() -> Conversation:
    return Conversation()


@pytest.fixture
def office(world: World, conversation: Conversation) -> Office:
    office = Office(world)
    outsiders = Outsiders(world.db, world.seal, world.clock, world.notices, conversation)
    inbound = office.inbound
    office.inbound = type(inbound)(
        inbound.db,
        inbound.seal,
        inbound.clock,
        inbound.desk,
        inbound.permit,
        inbound.replies,
        inbound.meter,
        inbound.actions,
        outsiders,
    )
    return office


def told(office: Office) -> list[str]:
    """The notices to the operators."""
    with office.world.db.read() as tx:
        due = notifications.due(tx, office.world.seal, office.world.clock.now())
    return [one.contents["en"].body for one in due if one.kind == "unanswered"]


def say(office: Office, text: str = "确认付款 FKD1", **content: Any) -> Received:
    return office.say("", text, session=ADDRESS, mentioned=True, **content)


def test_they_are_told_once_and_the_address_is_forgotten(office: Office, conversation: Conversation) -> None:
    row = say(office)
    office.wait(60)
    assert (row.state, row.reason) == (inbox.IGNORED, "somebody from outside the organisation, who was told so")
    assert conversation.posts == [(ADDRESS, "kdsync 不认识您")]
    assert heard.SESSION not in row.content
    assert told(office) == []


def test_nobody_is_told_of_what_is_said_in_a_group_without_a_mention(
    office: Office, conversation: Conversation
) -> None:
    row = office.say("", "确认付款 FKD1", group=True, mentioned=False, session=ADDRESS)
    assert (row.reason, heard.SESSION in row.content) == ("said in a group without a mention", False)
    assert not conversation.posts


@pytest.mark.parametrize("kind", [FailureKind.TRANSIENT, FailureKind.RATE_LIMITED, FailureKind.SESSION_LOST])
def test_what_was_not_posted_is_tried_again(office: Office, conversation: Conversation, kind: FailureKind) -> None:
    conversation.trouble = [kind, kind]
    row = say(office)
    assert row.state == inbox.WAITING
    office.wait(60, step=5)
    assert office.row(row.id).state == inbox.IGNORED
    assert len(conversation.posts) == 1
    assert told(office) == []


@pytest.mark.parametrize("kind", [FailureKind.UNKNOWN_OUTCOME, FailureKind.REFUSED, FailureKind.CONFIGURATION])
def test_what_may_be_posted_or_never_will_be_is_not_tried_again(
    office: Office, conversation: Conversation, kind: FailureKind
) -> None:
    conversation.trouble = [kind]
    row = say(office)
    office.wait(600)
    assert row.state == inbox.IGNORED
    assert "without an answer: dingtalk: it is so" in row.reason
    assert len(conversation.posts) == (kind is FailureKind.UNKNOWN_OUTCOME)
    assert len(told(office)) == 1
    assert heard.SESSION not in row.content


def test_while_dingtalk_is_down_it_is_tried_as_long_as_the_address_lives(
    office: Office, conversation: Conversation
) -> None:
    conversation.trouble = [FailureKind.TRANSIENT] * 1000
    row = say(office)
    office.wait(2 * 3600)
    row = office.row(row.id)
    assert (row.state, heard.SESSION in row.content) == (inbox.IGNORED, False)
    assert len(told(office)) == 1


def test_cut_off_in_the_middle_it_is_not_posted_again(office: Office, conversation: Conversation) -> None:
    key = office.hear("", "你好", session=ADDRESS, mentioned=True, posting=True)
    office.inbound.step()
    row = office.row(key)
    assert (row.state, heard.SESSION in row.content) == (inbox.IGNORED, False)
    assert not conversation.posts
    assert "cut off" in told(office)[0]


def test_a_message_without_an_address_cannot_be_answered(office: Office, conversation: Conversation) -> None:
    office.say("", "你好")
    assert not conversation.posts
    assert "no address" in told(office)[0]


def test_many_who_cannot_be_answered_are_told_of_once_a_day(office: Office) -> None:
    for number in range(3):
        office.say("", f"你好 {number}")
    assert len(told(office)) == 1
    office.world.clock.advance(86_400)
    office.say("", "你好")
    assert len(told(office)) == 2
    assert standing_alarms(office.world) == {}, "nothing lasts of it"


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("确认付款 FKD1", "zh"),
        ("confirm payment FKD1", "en"),
        ("xác nhận thanh toán FKD1", "vi"),
        ("Xin chào đồng nghiệp", "vi"),
        ("FKD000001", "zh"),
        ("", "zh"),
        ("ok 同意", "zh"),
        ("???", "zh"),
    ],
)
def test_they_are_answered_in_the_language_that_they_wrote(text: str, locale: str) -> None:
    assert language(text) == locale
