"""Cards and replies, sent by kdsync's own client to the simulated DingTalk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.clock import FakeClock
from kdsync.dingtalk.cards import CardResult, Cards, Face, NotShown, card_params
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.session import SessionReplies
from kdsync.errors import EdgeError, FailureKind
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.dingtalk_card import params_of
from kdsync.sync.identity import card_id

TEMPLATE = "4d1c-decision.schema"
FACE = Face("FKSQ000123", "**Acme**", buttons=(("approve", "同意"), ("reject", "驳回")))
DECIDED = Face("FKSQ000123", "**Acme**", status="王总 已同意", open=False)


@pytest.fixture
def cards(ding: SimulatedDingTalk, client: DingTalkClient) -> Cards:
    ding.cards.add_template(TEMPLATE)
    return Cards(client, TEMPLATE)


def test_a_card_from_first_sight_to_decision(ding: SimulatedDingTalk, cards: Cards) -> None:
    track = card_id("n1", "approvers")
    english = Face("Payment FKSQ000123", buttons=(("approve", "Approve"),), locale="en")
    result = cards.deliver(track, ["boss", "user1", "hidden"], FACE, {"user1": english})
    assert result == CardResult(("boss", "user1"), (NotShown("hidden", "spaceId is illegal"),))
    assert ding.seen("boss")[0].text == "Acme\n[同意]\n[驳回]"
    assert ding.seen("user1")[0].text == "[Approve]"
    cards.update(track, DECIDED)
    assert ding.seen("boss")[0].text == "Acme\n王总 已同意"
    assert ding.seen("user1")[0].text == ""  # a face of one's own has no buttons either, once it is decided
    assert cards.deliver(track, ["boss", "user1"], FACE, {}).already
    assert len(ding.seen()) == 2
    assert ding.metered_calls == 3


def test_a_delivery_whose_answer_was_lost_is_not_repeated(ding: SimulatedDingTalk, cards: Cards) -> None:
    ding.fault("lost_reply", times=1, api="createAndDeliver")
    with pytest.raises(EdgeError) as caught:
        cards.deliver("track-9", ["boss"], FACE, {})
    assert caught.value.kind is FailureKind.UNKNOWN_OUTCOME
    assert cards.deliver("track-9", ["boss"], FACE, {}) == CardResult(("boss",), already=True)
    assert len(ding.seen("boss")) == 1


def test_one_who_left_keeps_nobody_from_the_card_or_from_its_end(ding: SimulatedDingTalk, cards: Cards) -> None:
    own = {"user1": Face("for you"), "gone": Face("for nobody")}
    assert cards.deliver("track-9", ["user1", "gone"], FACE, own).delivered == ("user1",)
    assert ding.seen("user1")[0].title == "FKSQ000123"
    cards.update("track-9", DECIDED, {"user1": {"status": "x"}, "gone": {"status": "y"}})
    assert ding.seen("user1")[0].text == "Acme\nx", "what was private stays with those who are there"
    assert [call.code for call in ding.calls[1:]] == ["param.userIdNotExist", "0"] * 2 + ["0", "param.userIdNotExist"]
    cards.update("track-9", DECIDED, {"gone": {"status": "y"}})
    assert [call.code for call in ding.calls[7:]] == ["param.userIdNotExist", "0"]


def test_a_template_that_nobody_published_is_for_the_operator(ding: SimulatedDingTalk, cards: Cards) -> None:
    ding.cards.add_template(TEMPLATE, published=False)
    with pytest.raises(EdgeError) as caught:
        cards.deliver("track-9", ["boss"], FACE, {})
    assert (caught.value.kind, caught.value.code) == (FailureKind.CONFIGURATION, "param.templateUnpublished")
    assert "publish" in caught.value.cure


def test_an_update_of_a_card_that_was_never_sent(cards: Cards) -> None:
    with pytest.raises(EdgeError) as caught:
        cards.update("track-9", DECIDED)
    assert caught.value.kind is FailureKind.REFUSED


texts = st.text(max_size=40) | st.text(alphabet='汉"\\*\n[]<>', max_size=2000)


@given(
    st.builds(
        Face, texts, texts, fields=st.lists(st.tuples(texts, texts), max_size=12).map(tuple), status=texts, link=texts
    )
)
def test_no_face_is_refused_for_its_parameters(face: Face) -> None:
    assert params_of({"cardParamMap": card_params(face)})


def test_a_reply_arrives_in_the_conversation_it_belongs_to(ding: SimulatedDingTalk, client: DingTalkClient) -> None:
    webhook = ding.say("user1", "确认付款").data["sessionWebhook"]
    SessionReplies(client).reply(webhook, "FKSQ000123：已完成", "当前状态：**已审核**。")
    (seen,) = ding.seen("user1")
    assert (seen.channel, seen.title) == ("session", "FKSQ000123：已完成")
    assert seen.text == "FKSQ000123：已完成\n当前状态：已审核。"
    assert ding.metered_calls == 0


def test_after_an_hour_and_a_half_nobody_can_be_answered_so(
    ding: SimulatedDingTalk, client: DingTalkClient, clock: FakeClock
) -> None:
    webhook = ding.say("user1", "确认付款").data["sessionWebhook"]
    clock.advance(5401)
    with pytest.raises(EdgeError) as caught:
        SessionReplies(client).reply(webhook, "t", "x")
    assert (caught.value.kind, caught.value.code) == (FailureKind.REFUSED, "300001")
    assert "not valid any more" in caught.value.message
    assert webhook.partition("session=")[2] not in str(caught.value)
