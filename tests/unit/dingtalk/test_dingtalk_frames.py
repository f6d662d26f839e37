"""Frames of the Stream: as the pages show them, as they come, and as anything else."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.dingtalk.frames import (
    BOT_TOPIC,
    CARD_TOPIC,
    EPOCH,
    Clicked,
    Frame,
    Happened,
    Said,
    ack,
    dedupe_key,
    read_frame,
    read_message,
    twin_key,
)
from kdsync.errors import EdgeError

MESSAGE = {
    "conversationId": "cid1",
    "conversationType": "1",
    "msgId": "msg1",
    "msgtype": "text",
    "text": {"content": " 同意 EXP1 "},
    "senderStaffId": "user1",
    "senderNick": "张三",
    "createAt": 1764000000123,
    "sessionWebhook": "https://oapi.dingtalk.com/robot/sendBySession?session=x",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def frame(data: Any, topic: str = BOT_TOPIC, kind: str = "CALLBACK", key: str = "headers", **headers: Any) -> str:
    told = {"topic": topic, "messageId": "m1", "time": 1764000000123, **headers}
    return json.dumps({"specVersion": "1.0", "type": kind, key: told, "data": json.dumps(data)})


def said(**changes: Any) -> Said:
    found = read_message(read_frame(frame({**MESSAGE, **changes})))
    assert isinstance(found, Said)
    return found


def test_what_somebody_wrote() -> None:
    found = said()
    assert (found.sender, found.text, found.group, found.mentioned) == ("user1", "同意 EXP1", False, True)
    assert found.created_at.isoformat() == "2025-11-24T16:00:00.123000+00:00"


def test_who_is_from_outside_has_no_id() -> None:
    assert said(senderStaffId=None).sender == ""


def test_a_group_without_a_mention() -> None:
    assert not said(conversationType="2", isInAtList=False).mentioned
    assert said(conversationType="2", isInAtList="true").mentioned
    assert said(conversationType="2", isInAtList=None).mentioned, "groups are heard only where the robot is mentioned"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"recognition": "同意 EXP1"}, "同意 EXP1"),
        ({"richText": [{"text": "同意"}, {"pictureDownloadCode": "x"}, {"text": "EXP1"}]}, "同意  EXP1"),
        ({"downloadCode": "x"}, ""),
    ],
)
def test_what_was_spoken_or_set_in_several_parts(content: dict[str, Any], text: str) -> None:
    assert said(text=None, msgtype="audio", content=content).text == text


def test_the_same_thing_under_another_id_is_its_twin() -> None:
    assert twin_key(said()) == twin_key(said(msgId="msg2"))
    assert twin_key(said()) != twin_key(said(createAt=1764000000124))
    assert twin_key(said(createAt=None)) != twin_key(said(createAt=None, msgId="msg2"))


@pytest.mark.parametrize("key", ["content", "value"])
@pytest.mark.parametrize("inside", [True, False])
def test_a_click_in_each_of_its_spellings(key: str, inside: bool) -> None:
    private: dict[str, Any] = {"actionIds": ["approve"]}
    whole: dict[str, Any] = {"cardPrivateData": private}
    (private if inside else whole)["params"] = {"reason": "好"}
    click = {"outTrackId": "card1", "userId": "user1", key: json.dumps(whole)}
    found = read_message(read_frame(frame(click, CARD_TOPIC)))
    assert found == Clicked("card1", "user1", ("approve",), {"reason": "好"})


def test_an_event_whose_headers_are_called_header() -> None:
    text = frame(
        {"a": 1}, "*", "EVENT", key="header", eventType="bpms_instance_change", eventId="e1", eventBornTime="9"
    )
    found = read_message(read_frame(text))
    assert isinstance(found, Happened)
    assert (found.event_id, found.kind, found.data) == ("e1", "bpms_instance_change", {"a": 1})


def test_a_frame_without_content_is_known() -> None:
    assert read_frame(frame({"errorCode": 20001, "errMsg": "quota"})).is_without_content


def test_a_topic_that_nobody_knows_is_no_message() -> None:
    assert read_message(read_frame(frame({}, "/v1.0/other"))) is None


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"headers": [1]}', '{"data": "x"}', "x" * (1024 * 1024 + 1)])
def test_what_is_no_frame_says_so(text: str) -> None:
    with pytest.raises(EdgeError):
        read_frame(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_an_error_of_ours(data: bytes) -> None:
    _read(data)


@given(JSON, st.sampled_from((BOT_TOPIC, CARD_TOPIC)), st.sampled_from(("CALLBACK", "EVENT", "SYSTEM")))
def test_any_content_is_a_message_or_an_error_of_ours(data: Any, topic: str, kind: str) -> None:
    _read(frame(data, topic, kind))


@given(st.dictionaries(st.sampled_from((*MESSAGE, "content", "isInAtList")), JSON))
def test_any_message_is_read_and_has_a_twin_key(data: dict[str, Any]) -> None:
    _read(frame(data))


def _read(text: str | bytes) -> None:
    try:
        found = read_message(read_frame(text))
    except EdgeError:
        return
    if found is not None:
        assert twin_key(found)
        assert dedupe_key(found)
    if isinstance(found, Said):
        assert found.created_at >= EPOCH


def test_an_acknowledgement_as_the_page_shows_it() -> None:
    answer = json.loads(ack(read_frame(frame({}, CARD_TOPIC)), {"response": {"a": Decimal("1.10")}}))
    headers = {"messageId": "m1", "contentType": "application/json"}
    assert answer == {"code": 200, "headers": headers, "message": "OK", "data": '{"response":{"a":1.10}}'}


def test_headers_are_text_whatever_they_were() -> None:
    found = read_frame(frame({}, time=1764000000123, appId=None, odd=[1]))
    assert found.headers == {"topic": BOT_TOPIC, "messageId": "m1", "time": "1764000000123"}


@pytest.mark.parametrize("data", ["", "connected", "[1]", "null", None, 7])
def test_the_system_may_say_of_itself_what_it_likes(data: Any) -> None:
    text = json.dumps({"type": "SYSTEM", "headers": {"topic": "CONNECTED"}, "data": data})
    assert read_frame(text) == Frame("SYSTEM", "CONNECTED", "", {"topic": "CONNECTED"}, {})


def test_what_cannot_be_acknowledged_is_no_frame() -> None:
    with pytest.raises(EdgeError, match="messageId"):
        read_frame(json.dumps({"type": "CALLBACK", "headers": {"topic": BOT_TOPIC}, "data": "{}"}))


def test_half_a_character_does_not_lose_a_message() -> None:
    text = frame(MESSAGE).replace("EXP1", "\\\\ud83d EXP1")
    found = read_message(read_frame(text))
    assert isinstance(found, Said)
    assert found.text == "同意 \ufffd EXP1"


@pytest.mark.parametrize(
    ("data", "topic", "missing"),
    [
        ({**MESSAGE, "msgId": ""}, BOT_TOPIC, "msgId"),
        ({"userId": "user1"}, CARD_TOPIC, "outTrackId"),
        ({"outTrackId": "card1"}, CARD_TOPIC, "userId"),
    ],
)
def test_what_has_no_id_is_no_message(data: dict[str, Any], topic: str, missing: str) -> None:
    with pytest.raises(EdgeError, match=missing):
        read_message(read_frame(frame(data, topic)))


def test_keys_tell_apart_what_is_not_the_same() -> None:
    click = {"outTrackId": "card1", "userId": "user1", "content": '{"cardPrivateData": {"actionIds": ["a"]}}'}
    others = [{**click, "outTrackId": "card2"}, {**click, "userId": "user2"}, {**click, "content": "{}"}]
    found = [read_message(read_frame(frame(data, CARD_TOPIC))) for data in (click, *others)]
    found += [read_message(read_frame(frame({}, "*", "EVENT", eventId=ident))) for ident in ("e1", "e2")]
    found += [said(), said(text={"content": "no"}), said(senderStaffId="user2"), said(conversationId="cid2")]
    outsiders = [said(senderStaffId=None, senderId=mark) for mark in ("x", "y")]
    assert len({twin_key(one) for one in [*found, *outsiders] if one}) == 12
    assert dedupe_key(said()) == dedupe_key(said(text={"content": "no"})) != dedupe_key(said(msgId="msg2"))


def test_an_event_in_an_envelope_is_the_same_event() -> None:
    inner = {"processInstanceId": "p", "type": "finish"}
    envelope = {"eventType": "bpms_instance_change", "eventId": "e1", "eventBornTime": 9, "data": inner}
    found = read_message(read_frame(frame(envelope, "*", "EVENT")))
    assert isinstance(found, Happened)
    assert (found.event_id, found.kind, found.data) == ("e1", "bpms_instance_change", inner)
    assert found.born_at.microsecond == 9000
    odd = read_message(read_frame(frame({"data": inner, "a": 1}, "*", "EVENT", eventType="x")))
    assert isinstance(odd, Happened)
    assert odd.data == {"data": inner, "a": 1}


def test_an_event_without_an_id_has_that_of_its_frame() -> None:
    found = read_message(read_frame(frame({}, "*", "EVENT")))
    assert isinstance(found, Happened)
    assert found.event_id == "m1"


def test_secrets_are_not_in_what_is_printed() -> None:
    found = read_frame(frame(MESSAGE))
    assert "session=x" not in f"{found!r} {read_message(found)!r}"
