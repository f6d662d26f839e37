"""Interactive cards: the template's parameters within their limits, the calls, and who got a card."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from kdsync.clock import FakeClock
from kdsync.dingtalk.cards import (
    MOST_BUTTONS,
    MOST_FIELDS,
    VALUE_BYTES,
    CardResult,
    Cards,
    Face,
    NotShown,
    callback_response,
    card_params,
)
from kdsync.dingtalk.client import DingTalkClient
from kdsync.errors import EdgeError, FailureKind
from kdsync.settings.schema import DingTalkSection

SEND = "https://api.dingtalk.com/v1.0/card/instances/createAndDeliver"
UPDATE = "https://api.dingtalk.com/v1.0/card/instances"
TEMPLATE = "4d1c-decision.schema"
SHIPPED = json.loads((Path(__file__).parents[3] / "config/cards/decision.json").read_text())
FACE = Face(
    "付款申请单 FKSQ000123 待审批",
    "供应商 **华东物流**\n请今天处理",
    fields=(("金额", "¥12,000.00"), ("部门", r"财务\*部")),
    buttons=(("approve", "同意"), ("reject", "驳回")),
    with_reason=True,
)
DECIDED = Face(FACE.title, FACE.body, FACE.fields, FACE.buttons, with_reason=True, status="王总 已同意", open=False)


@pytest.fixture
def cards(client: DingTalkClient) -> Cards:
    return Cards(client, TEMPLATE)


def sent(dingtalk: responses.RequestsMock) -> Any:
    return orjson.loads(dingtalk.calls[-1].request.body or "")


def reached(*people: tuple[str, bool, str]) -> dict[str, Any]:
    results = [
        {"spaceType": "IM_ROBOT", "spaceId": name, "success": success, "carrierId": "c", "errorMsg": said}
        for name, success, said in people
    ]
    return {"success": True, "result": {"outTrackId": "t", "deliverResults": results}}


# --- parameters


def test_a_face_as_parameters() -> None:
    assert card_params(FACE) == {
        "title": "付款申请单 FKSQ000123 待审批",
        "body": "供应商 **华东物流**<br>请今天处理",
        "fields": '[{"name":"金额","value":"¥12,000.00"},{"name":"部门","value":"财务*部"}]',
        "status": "",
        "buttons": '[{"id":"approve","label":"同意"},{"id":"reject","label":"驳回"}]',
        "open": "true",
        "decided": "false",
        "with_reason": "true",
        "reason_hint": "意见（可不填）",
        "link": "",
        "locale": "zh",
    }


def test_a_decided_card_has_no_buttons_and_asks_for_no_reason() -> None:
    params = card_params(DECIDED)
    assert (params["buttons"], params["open"], params["decided"], params["with_reason"]) == (
        "[]",
        "false",
        "true",
        "false",
    )
    assert params["status"] == "王总 已同意"


def test_the_shipped_template_has_the_parameters_that_are_sent() -> None:
    assert [variable["name"] for variable in SHIPPED["variables"] if not variable["private"]] == ["decided"]
    assert {variable["name"] for variable in SHIPPED["variables"]} == set(card_params(FACE))
    for variable in SHIPPED["variables"]:
        value = card_params(FACE)[variable["name"]]
        match variable["type"]:
            case "boolean":
                assert value in ("true", "false")
            case "array of objects":
                assert all(list(item) == variable["properties"] for item in json.loads(value))
            case other:
                assert other in ("string", "markdown")


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("one\ntwo", "one<br>two"),
        ("one\n\ntwo", "one\n\ntwo"),
        ("- one\n- two", "- one  \n- two"),
        ("one\n- two", "one\n\n- two"),
        (r"1 \* 2", r"1 \* 2"),
    ],
)
def test_lines_end_as_cards_want_it(body: str, shown: str) -> None:
    assert card_params(Face("t", body))["body"] == shown


def test_rows_beyond_the_tenth_become_lines_of_the_body() -> None:
    params = card_params(Face("t", "text", fields=tuple((f"n{number}", f"v{number}") for number in range(12))))
    assert len(json.loads(params["fields"])) == MOST_FIELDS
    assert params["body"] == "n10: v10<br>n11: v11<br>text"


def test_the_first_five_buttons_are_shown() -> None:
    params = card_params(Face("t", buttons=tuple((f"a{number}", "x" * 50) for number in range(7))))
    buttons = json.loads(params["buttons"])
    assert [button["id"] for button in buttons] == ["a0", "a1", "a2", "a3", "a4"]
    assert {len(button["label"]) for button in buttons} == {20}


@pytest.mark.parametrize("action_id", ["", "x" * 65, "审批", 'a"b'])
def test_the_id_of_a_button_is_never_cut_or_bent(action_id: str) -> None:
    with pytest.raises(ValueError, match="button"):
        card_params(Face("t", buttons=((action_id, "label"),)))


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://erp.example.com/x", "https://erp.example.com/x"),
        ("javascript:alert(1)", ""),
        ("https://x/" + "y" * 600, ""),
    ],
)
def test_a_link_is_whole_or_left_out(link: str, shown: str) -> None:
    assert card_params(Face("t", link=link))["link"] == shown


def test_a_language_without_words_of_its_own_is_asked_in_english() -> None:
    assert card_params(Face("t", locale="de"))["reason_hint"] == "Reason (optional)"


texts = st.text(max_size=40) | st.text(alphabet='汉字"\\*\n[]<>\ud800\x00👩‍👩‍👧é', max_size=2000)
ids = st.from_regex(r"\A[a-z0-9][a-z0-9_.-]{0,63}\Z")
faces = st.builds(
    Face,
    texts,
    texts,
    fields=st.lists(st.tuples(texts, texts), max_size=14).map(tuple),
    buttons=st.lists(st.tuples(ids, texts), max_size=7).map(tuple),
    with_reason=st.booleans(),
    status=texts,
    open=st.booleans(),
    locale=st.sampled_from(["zh", "en", "vi"]) | texts,
    link=texts,
)


@given(faces)
def test_whatever_a_face_holds_its_parameters_are_texts_within_the_limits(face: Face) -> None:
    params = card_params(face)
    assert set(params) == set(card_params(FACE))
    for name, value in params.items():
        assert isinstance(value, str)
        assert len(value.encode()) <= VALUE_BYTES, name
    assert len(json.loads(params["fields"])) == min(len(face.fields), MOST_FIELDS)
    shown = [button["id"] for button in json.loads(params["buttons"])]
    assert shown == [action_id for action_id, _ in face.buttons[:MOST_BUTTONS]] * face.open


@given(st.dictionaries(st.text(alphabet="abc_", max_size=100), texts, max_size=5))
def test_whatever_a_click_is_answered_with_it_is_texts_within_the_limits(private: dict[str, str]) -> None:
    response = callback_response(private)
    orjson.dumps(response)
    params = response["userPrivateData"]["cardParamMap"]
    assert set(params) == set(private)
    assert all(len(value.encode()) <= VALUE_BYTES for value in params.values())


def test_the_answer_to_a_click_changes_what_it_names_for_the_one_who_clicked() -> None:
    assert callback_response({"status": "处理中", "open": "false"}) == {
        "userPrivateData": {"cardParamMap": {"status": "处理中", "open": "false"}},
        "cardUpdateOptions": {"updateCardDataByKey": True, "updatePrivateDataByKey": True},
    }


def test_a_parameter_with_an_endless_name_is_no_parameter() -> None:
    with pytest.raises(ValueError, match="100 bytes"):
        callback_response({"汉" * 34: "x"})


# --- calls


def test_one_call_makes_the_card_and_brings_it_to_everybody(
    cards: Cards, dingtalk: responses.RequestsMock, calls: list[tuple[str, bool]]
) -> None:
    dingtalk.post(SEND, json=reached(("u1", True, ""), ("u2", True, "")))
    english = Face("Payment FKSQ000123", locale="en")
    result = cards.deliver("track-1", ["u1", "u2"], FACE, {"u1": english, "u2": {"open": "false", "decided": "true"}})
    assert result == CardResult(("u1", "u2"))
    body = sent(dingtalk)
    assert (body["cardTemplateId"], body["outTrackId"]) == (TEMPLATE, "track-1")
    assert (body["callbackType"], body["userIdType"]) == ("STREAM", 1)
    assert body["openSpaceId"] == "dtv1.card//IM_ROBOT.u1;IM_ROBOT.u2"
    assert body["imRobotOpenDeliverModel"] == {"spaceType": "IM_ROBOT", "robotCode": "dingtestkey"}
    assert body["imRobotOpenSpaceModel"]["supportForward"] is False
    assert body["cardData"]["cardParamMap"] == card_params(FACE)
    own = {name: value for name, value in card_params(english).items() if name != "decided"}
    assert body["privateData"] == {"u1": {"cardParamMap": own}, "u2": {"cardParamMap": {"open": "false"}}}
    assert calls[-1] == ("v1.0/card/instances/createAndDeliver", True)
    assert dingtalk.calls[-1].request.headers["x-acs-dingtalk-access-token"] == "first-token"


def test_who_did_not_get_the_card_is_told_person_by_person(cards: Cards, dingtalk: responses.RequestsMock) -> None:
    dingtalk.post(SEND, json=reached(("u1", True, ""), ("u2", False, "spaceId is illegal"), ("u3", False, "")))
    assert cards.deliver("track-1", ["u1", "u2", "u3"], FACE, {}) == CardResult(
        ("u1",), (NotShown("u2", "spaceId is illegal"), NotShown("u3", "DingTalk does not say why"))
    )


def test_results_that_name_people_in_another_way_come_in_their_order(
    cards: Cards, dingtalk: responses.RequestsMock
) -> None:
    dingtalk.post(SEND, json=reached(("cid1", True, ""), ("cid2", False, "no")))
    assert cards.deliver("track-1", ["u1", "u2"], FACE, {}) == CardResult(("u1",), (NotShown("u2", "no"),))


def test_a_card_that_exists_was_delivered_before(cards: Cards, dingtalk: responses.RequestsMock) -> None:
    dingtalk.post(SEND, status=400, json={"code": "param.cardAlreadyExist", "message": "param.cardAlreadyExist"})
    assert cards.deliver("track-1", ["u1", "u2"], FACE, {}) == CardResult(("u1", "u2"), already=True)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"code": "param.templateNotExist"}, FailureKind.CONFIGURATION),
        (400, {"code": "param.templateUnpublished"}, FailureKind.CONFIGURATION),
        (400, {"code": "param.contentUnsafe"}, FailureKind.REFUSED),
        (400, {"code": "param.userIdNotExist"}, FailureKind.REFUSED),
        (400, {"code": "param.openSpaceIdInvalid"}, FailureKind.REFUSED),
        (400, {"code": "param.invalid"}, FailureKind.REFUSED),
        (500, {"code": "system.busy"}, FailureKind.TRANSIENT),
        (500, {"code": "what"}, FailureKind.UNKNOWN_OUTCOME),
        (504, {}, FailureKind.UNKNOWN_OUTCOME),
        (403, {"code": "Forbidden.AccessDenied.AccessTokenPermissionDenied"}, FailureKind.CONFIGURATION),
        (403, {"code": "Forbidden.AccessDenied.ApiCountLimitForOrg"}, FailureKind.QUOTA),
        (200, {"success": False}, FailureKind.UNKNOWN_OUTCOME),
        (200, {"success": True, "result": "odd"}, FailureKind.TRANSIENT),
    ],
)
def test_what_a_refused_card_means(
    cards: Cards, dingtalk: responses.RequestsMock, status: int, body: dict[str, Any], kind: FailureKind
) -> None:
    dingtalk.post(SEND, status=status, json=body)
    with pytest.raises(EdgeError) as caught:
        cards.deliver("track-1", ["u1"], FACE, {})
    assert caught.value.kind is kind
    assert "unmapped" not in caught.value.message or body == {"code": "what"}


@pytest.mark.parametrize("userids", [[], [""], ["a;b"], ["u" * 100] * 10])
def test_people_who_cannot_be_addressed_in_one_call(
    cards: Cards, dingtalk: responses.RequestsMock, userids: list[str]
) -> None:
    with pytest.raises(ValueError, match="recipient"):
        cards.deliver("track-1", userids, FACE, {})
    assert not dingtalk.calls


@pytest.mark.parametrize("track", ["", "x" * 65])
def test_a_track_id_that_dingtalk_would_refuse(cards: Cards, dingtalk: responses.RequestsMock, track: str) -> None:
    with pytest.raises(ValueError, match="outTrackId"):
        cards.deliver(track, ["u1"], FACE, {})
    assert not dingtalk.calls


def test_an_update_changes_only_what_it_names(
    cards: Cards, dingtalk: responses.RequestsMock, calls: list[tuple[str, bool]]
) -> None:
    dingtalk.put(UPDATE, json={"success": True, "result": True})
    cards.update("track-1", DECIDED, {"u1": {"status": "您已同意"}})
    assert sent(dingtalk) == {
        "outTrackId": "track-1",
        "userIdType": 1,
        "cardData": {"cardParamMap": card_params(DECIDED)},
        "privateData": {"u1": {"cardParamMap": {"status": "您已同意"}}},
        "cardUpdateOptions": {"updateCardDataByKey": True, "updatePrivateDataByKey": True},
    }
    assert calls[-1] == ("v1.0/card/instances", True)
    cards.update("track-1", DECIDED)
    assert "privateData" not in sent(dingtalk)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"code": "param.cardNotExist"}, FailureKind.REFUSED),
        (200, {"success": False}, FailureKind.TRANSIENT),
        (504, {}, FailureKind.TRANSIENT),  # an update can be repeated, whatever became of it
    ],
)
def test_what_a_refused_update_means(
    cards: Cards, dingtalk: responses.RequestsMock, status: int, body: dict[str, Any], kind: FailureKind
) -> None:
    dingtalk.put(UPDATE, status=status, json=body)
    with pytest.raises(EdgeError) as caught:
        cards.update("track-1", DECIDED)
    assert caught.value.kind is kind


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
ITEMS = st.fixed_dictionaries({}, optional={"spaceId": st.just("u1") | JSON, "success": JSON, "errorMsg": JSON}) | JSON
RESULTS = st.fixed_dictionaries({}, optional={"deliverResults": st.lists(ITEMS, max_size=3) | JSON})
ANSWERS = st.fixed_dictionaries({}, optional={"success": JSON, "result": RESULTS | JSON, "code": JSON}) | JSON


@given(
    body=ANSWERS.map(json.dumps).map(str.encode) | st.binary(max_size=20),
    status=st.sampled_from([200, 204, 302, 400, 403, 500]),
)
def test_whatever_is_answered_everybody_is_named_or_it_failed(body: bytes, status: int) -> None:
    section = DingTalkSection.model_validate(
        {"client_id": "c", "client_secret": "s3cr3t", "agent_id": 1}, context={"secrets": str}
    )
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.post("https://api.dingtalk.com/v1.0/oauth2/accessToken", json={"accessToken": "t", "expireIn": 7200})
        mock.post(SEND, status=status, body=body)
        mock.put(UPDATE, status=status, body=body)
        cards = Cards(DingTalkClient(section, FakeClock(datetime(2026, 11, 23, tzinfo=UTC))), TEMPLATE)
        try:
            result = cards.deliver("track-1", ["u1", "u2"], FACE, {})
        except EdgeError:
            pass
        else:
            assert sorted([*result.delivered, *(missed.userid for missed in result.not_shown)]) == ["u1", "u2"]
        with suppress(EdgeError):
            cards.update("track-1", FACE)
