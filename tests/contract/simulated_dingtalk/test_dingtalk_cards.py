"""Interactive cards of the simulated DingTalk: what is refused, who gets one, who sees what, and where clicks go."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

from kdsync.clock import FakeClock
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.dingtalk_http import Request
from kdsync.simulator.dingtalk_pushes import Push

BOTH = "/v1.0/card/instances/createAndDeliver"
CREATE = UPDATE = "/v1.0/card/instances"
DELIVER = "/v1.0/card/instances/deliver"
TEMPLATE = "4d1c-decision.schema"
ROBOT = {"imRobotOpenDeliverModel": {"spaceType": "IM_ROBOT"}}
MADE: dict[str, Any] = {
    "cardTemplateId": TEMPLATE,
    "outTrackId": "track-2",
    "callbackType": "STREAM",
    "cardData": {"cardParamMap": {"title": "FKSQ000123", "status": ""}},
    "imRobotOpenSpaceModel": {"supportForward": False},
}
SENT: dict[str, Any] = {**MADE, "openSpaceId": "dtv1.card//IM_ROBOT.user1", **ROBOT}
BY_KEY = {"updateCardDataByKey": True, "updatePrivateDataByKey": True}
TOPICS = [{"type": "CALLBACK", "topic": "/v1.0/card/instances/callback"}]

New = Callable[..., Any]


def shows(**values: Any) -> dict[str, Any]:
    return {"cardParamMap": values}


@pytest.fixture(autouse=True)
def templates(ding: SimulatedDingTalk) -> None:
    ding.cards.add_template(TEMPLATE)
    ding.cards.add_template("draft.schema", published=False)


@pytest.fixture
def client(ding: SimulatedDingTalk) -> Iterator[ClientConnection]:
    """A Stream client that gets the clicks."""
    fields = {"clientId": "dingsimulatedapp", "clientSecret": "simulated-client-secret", "subscriptions": TOPICS}
    granted = requests.post(f"{ding.url}/v1.0/gateway/connections/open", json=fields, timeout=5).json()
    with connect(f"{granted['endpoint']}?ticket={granted['ticket']}", proxy=None, close_timeout=1) as opened:
        assert ding.wait_for_connections()
        yield opened


def answer(client: ClientConnection, push: Push, response: object, code: int = 200) -> None:
    frame = json.loads(client.recv(timeout=5))
    headers = {"messageId": frame["headers"]["messageId"], "contentType": "application/json"}
    data = json.dumps({"response": response})
    client.send(json.dumps({"code": code, "headers": headers, "message": "OK", "data": data}))
    assert push.answered.wait(5)


def test_a_card_reaches_its_people_and_says_so_one_by_one(ding: SimulatedDingTalk, new: New) -> None:
    spaces = "dtv1.card//IM_ROBOT.user1;IM_ROBOT.hidden;IM_ROBOT.nobody;IM_ROBOT.user2;IM_GROUP.cid1"
    status, told = new(BOTH, **SENT | {"openSpaceId": spaces, "imGroupOpenDeliverModel": {}})
    assert (status, told["success"], told["result"]["outTrackId"]) == (200, True, "track-2")
    results = told["result"]["deliverResults"]
    assert [(each["spaceId"], each["success"], each["errorMsg"]) for each in results] == [
        ("user1", True, ""),
        ("hidden", False, "spaceId is illegal"),
        ("nobody", False, "spaceId is illegal"),
        ("user2", True, ""),
        ("cid1", False, "spaceId is illegal"),
    ]
    assert [(seen.who, seen.channel, seen.title, seen.out_track_id) for seen in ding.seen()] == [
        ("user1", "card", "FKSQ000123", "track-2"),
        ("user2", "card", "FKSQ000123", "track-2"),
    ]
    assert ding.cards.card("track-2").shown_to == ["user1", "user2"]


def test_a_card_may_be_made_first_and_delivered_later(ding: SimulatedDingTalk, new: New) -> None:
    assert new(CREATE, **MADE) == (200, {"success": True, "result": "track-2"})
    assert ding.seen() == []
    status, told = new(DELIVER, outTrackId="track-2", openSpaceId="dtv1.card//IM_ROBOT.user2", **ROBOT)
    assert (status, [each["spaceId"] for each in told["result"]]) == (200, ["user2"])
    assert [seen.who for seen in ding.seen()] == ["user2"]


def test_every_call_is_metered_and_needs_the_permission(ding: SimulatedDingTalk, new: New) -> None:
    new(BOTH, **SENT)
    new(UPDATE, "PUT", outTrackId="track-2", cardData=shows(status="x"))
    assert ding.metered_calls == 2
    ding.revoke("Card.Instance.Write")
    status, told = new(UPDATE, "PUT", outTrackId="track-2", cardData=shows(status="y"))
    assert (status, told["accessdenieddetail"]) == (403, {"requiredScopes": ["Card.Instance.Write"]})
    assert ding.metered_calls == 2


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("param.outTrackIdEmpty", {"outTrackId": ""}),
        ("param.invalid", {"outTrackId": "x" * 65}),
        ("param.cardTemplateIdEmpty", {"cardTemplateId": None}),
        ("param.templateNotExist", {"cardTemplateId": "other.schema"}),
        ("param.templateUnpublished", {"cardTemplateId": "draft.schema"}),
        ("param.invalid", {"callbackType": "stream"}),
        ("param.callbackRouteKeyEmpty", {"callbackType": "HTTP"}),
        ("param.invalid", {"userIdType": 3}),
        ("param.openSpaceModelInvalid", {"imRobotOpenSpaceModel": {}}),
        ("param.cardPublicDataEmpty", {"cardData": None}),
        ("param.invalid", {"cardData": shows(amount=12)}),
        ("param.invalid", {"cardData": shows(open=True)}),
        ("param.invalid", {"cardData": shows(rows=["a"])}),
        ("param.invalid", {"cardData": shows(**{"x" * 101: ""})}),
        ("param.invalid", {"cardData": shows(body="汉" * 342)}),
        ("param.invalid", {"cardData": shows(**{f"key{number}": "x" * 1024 for number in range(100)})}),
        ("param.userIdNotExist", {"privateData": {"nobody": shows(open="false")}}),
        ("param.invalid", {"privateData": {"user1": shows(open=False)}}),
        ("param.openSpaceIdEmpty", {"openSpaceId": ""}),
        ("param.openSpaceIdInvalid", {"openSpaceId": "IM_ROBOT.user1"}),
        ("param.openSpaceIdInvalid", {"openSpaceId": "dtv1.card//IM_ROBOT.user1;"}),
        ("param.openSpaceIdInvalid", {"openSpaceId": "dtv1.card//user1"}),
        ("param.openSpaceIdInvalid", {"openSpaceId": "dtv1.card//" + ";".join(["IM_ROBOT.user1"] * 67)}),
        ("param.openDeliverModelEmpty", {"imRobotOpenDeliverModel": None}),
    ],
)
def test_what_is_wrong_with_a_card_is_refused_whole(
    ding: SimulatedDingTalk, new: New, code: str, wrong: dict[str, Any]
) -> None:
    status, told = new(BOTH, **SENT | wrong)
    assert (status, told["code"]) == (400, code)
    assert ding.seen() == []
    assert new(UPDATE, "PUT", outTrackId="track-2", cardData=shows(status="x"))[1]["code"] == "param.cardNotExist"


def test_an_out_track_id_makes_one_card(ding: SimulatedDingTalk, new: New) -> None:
    assert new(BOTH, **SENT)[0] == 200
    status, told = new(BOTH, **SENT)
    assert (status, told["code"]) == (400, "param.cardAlreadyExist")
    assert len(ding.seen()) == 1


@pytest.mark.parametrize(
    ("missing", "error"),
    [
        ({"imRobotOpenSpaceModel": None}, "imRobotOpenSpaceModel or imRobotOpenDeliverModel.spaceType is missing"),
        ({"imRobotOpenDeliverModel": {}}, "imRobotOpenSpaceModel or imRobotOpenDeliverModel.spaceType is missing"),
        ({"imRobotOpenDeliverModel": {"spaceType": "IM_ROBOT", "robotCode": "other"}}, "robotCode is illegal"),
    ],
)
def test_a_card_without_its_models_is_made_and_reaches_nobody(
    ding: SimulatedDingTalk, new: New, missing: dict[str, Any], error: str
) -> None:
    status, told = new(BOTH, **SENT | missing)
    assert (status, told["success"]) == (200, True)
    assert [(each["success"], each["errorMsg"]) for each in told["result"]["deliverResults"]] == [(False, error)]
    assert ding.seen() == []
    assert ding.cards.card("track-2").shown_to == []


def test_an_update_replaces_everything_unless_it_is_by_key(ding: SimulatedDingTalk, new: New, card: str) -> None:
    options = {"cardUpdateOptions": BY_KEY}
    new(UPDATE, "PUT", outTrackId=card, cardData=shows(status="done"), **options)
    assert ding.cards.card_view(card, "user1") == {"title": "FKSQ000123", "status": "done", "open": "true"}
    new(UPDATE, "PUT", outTrackId=card, cardData=shows(status="gone"))
    assert ding.cards.card_view(card, "user1") == {"status": "gone"}


def test_private_parameters_are_one_persons_and_stand_before_the_public_ones(
    ding: SimulatedDingTalk, new: New, card: str
) -> None:
    private = {"user1": shows(status="for you", open="false")}
    new(UPDATE, "PUT", outTrackId=card, privateData=private)
    new(UPDATE, "PUT", outTrackId=card, cardData=shows(status="for all"), cardUpdateOptions=BY_KEY)
    assert ding.cards.card_view(card, "user1")["status"] == "for you"
    assert ding.cards.card_view(card, "user2")["status"] == "for all"
    new(UPDATE, "PUT", outTrackId=card, privateData={"user1": shows(open="true")})
    assert ding.cards.card_view(card, "user1") == {"title": "FKSQ000123", "status": "for all", "open": "true"}
    assert [seen.text for seen in ding.seen()] == ["for all", "for all"]  # the cards change where they are


def test_an_update_must_change_something(new: New, card: str) -> None:
    status, told = new(UPDATE, "PUT", outTrackId=card, cardData={}, privateData={})
    assert (status, told["code"]) == (400, "param.cardDataAndPrivateDataBothEmpty")


def test_what_a_click_is_answered_with_only_the_one_who_clicked_sees(
    ding: SimulatedDingTalk, new: New, client: ClientConnection, card: str
) -> None:
    push = ding.click("user1", card, "approve", {"reason": "ok"})
    answer(client, push, {"cardData": shows(status="working"), "cardUpdateOptions": BY_KEY})
    assert ding.cards.card_view(card, "user1") == {"title": "FKSQ000123", "status": "working", "open": "true"}
    assert ding.cards.card_view(card, "user2")["status"] == ""
    assert ding.cards.card(card).public["status"] == ""
    assert [seen.text for seen in ding.seen("user1")] == ["working"]
    new(UPDATE, "PUT", outTrackId=card, cardData=shows(status="done"), cardUpdateOptions=BY_KEY)
    assert ding.cards.card_view(card, "user1")["status"] == "done"
    assert ding.cards.card_view(card, "user2")["status"] == "done"


def test_an_answer_that_is_not_by_key_hides_the_rest_of_the_card(
    ding: SimulatedDingTalk, client: ClientConnection, card: str
) -> None:
    answer(client, ding.click("user1", card, "approve"), {"cardData": shows(status="working")})
    assert ding.cards.card_view(card, "user1") == {"title": "", "status": "working", "open": ""}


def test_private_parameters_in_an_answer_stay(
    ding: SimulatedDingTalk, new: New, client: ClientConnection, card: str
) -> None:
    answer(client, ding.click("user1", card, "approve"), {"userPrivateData": shows(open="false")})
    new(UPDATE, "PUT", outTrackId=card, cardData=shows(open="true"), cardUpdateOptions=BY_KEY)
    assert ding.cards.card_view(card, "user1")["open"] == "false"
    assert ding.cards.card_view(card, "user2")["open"] == "true"


def test_a_late_a_bad_and_a_useless_answer_change_nothing(
    ding: SimulatedDingTalk, clock: FakeClock, client: ClientConnection, card: str
) -> None:
    before = ding.cards.card_view(card, "user1")
    late = ding.click("user1", card, "approve")
    clock.advance(2.1)
    answer(client, late, {"cardData": shows(status="late")})
    answer(client, ding.click("user1", card, "approve"), {"cardData": shows(status="bad")}, code=500)
    answer(client, ding.click("user1", card, "approve"), "OK")
    assert ding.cards.card(card).complaints == []
    answer(client, ding.click("user1", card, "approve"), {"cardData": shows(open=False)})
    assert ding.cards.card_view(card, "user1") == before
    assert ding.cards.card(card).complaints == ["param.invalid: cardParamMap.open is no text"]


@pytest.mark.parametrize("callback", [{}, {"callbackType": "HTTP", "callbackRouteKey": "key"}])
def test_a_card_that_was_not_made_for_stream_sends_no_clicks_there(
    ding: SimulatedDingTalk, new: New, client: ClientConnection, callback: dict[str, str]
) -> None:
    assert new(BOTH, **{name: value for name, value in SENT.items() if name != "callbackType"} | callback)[0] == 200
    push = ding.click("user1", "track-2", "approve")
    assert (push.lost, push.attempts) == (True, [])
    assert ding.metered_pushes == 0
    with pytest.raises(TimeoutError):
        client.recv(timeout=0.05)


def test_a_click_names_people_as_the_card_did(ding: SimulatedDingTalk, new: New, client: ClientConnection) -> None:
    people = {"userIdType": 2, "openSpaceId": "dtv1.card//IM_ROBOT.union-user1"}
    new(BOTH, **SENT | people | {"privateData": {"union-user1": shows(status="mine")}})
    assert [(seen.who, seen.text) for seen in ding.seen()] == [("user1", "mine")]
    ding.click("user1", "track-2", "approve")
    data = json.loads(json.loads(client.recv(timeout=5))["data"])
    assert (data["userId"], data["userIdType"]) == ("union-user1", 2)


def test_nobody_clicks_on_a_card_that_does_not_exist(ding: SimulatedDingTalk) -> None:
    with pytest.raises(KeyError):
        ding.click("user1", "nothing", "approve")


def test_a_card_reads_like_the_template_that_is_shipped(ding: SimulatedDingTalk, new: New) -> None:
    face = {
        "title": "付款申请单 FKSQ000123",
        "body": "供应商 **华东物流**<br>第二行",
        "fields": '[{"name":"金额","value":"12,000.00"}]',
        "buttons": '[{"id":"approve","label":"同意"}]',
        "open": "true",
        "decided": "false",
        "locale": "zh",
        "note": "from another template",
    }
    new(BOTH, **SENT | {"cardData": shows(**face)})
    (seen,) = ding.seen()
    assert seen.title == "付款申请单 FKSQ000123"
    assert seen.text.split("\n") == ["供应商 华东物流", "第二行", "金额 12,000.00", "[同意]", "from another template"]
    new(UPDATE, "PUT", outTrackId="track-2", cardData=shows(decided="true", fields="["), cardUpdateOptions=BY_KEY)
    (seen,) = ding.seen()
    assert seen.text.split("\n") == ["供应商 华东物流", "第二行", "from another template"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
MAPS = st.fixed_dictionaries({"cardParamMap": st.dictionaries(st.text(max_size=3), st.text(max_size=3) | JSON)}) | JSON
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "cardTemplateId": st.just(TEMPLATE) | JSON,
        "outTrackId": st.text(min_size=1, max_size=3) | JSON,
        "callbackType": st.just("STREAM") | JSON,
        "userIdType": JSON,
        "cardData": MAPS,
        "privateData": st.dictionaries(st.sampled_from(["user1", "x"]), MAPS) | JSON,
        "cardUpdateOptions": st.just(BY_KEY) | JSON,
        "openSpaceId": st.just("dtv1.card//IM_ROBOT.user1;ONE_BOX.x") | JSON,
        "imRobotOpenSpaceModel": st.just({"supportForward": True}) | JSON,
        "imRobotOpenDeliverModel": st.just(ROBOT["imRobotOpenDeliverModel"]) | JSON,
        "topOpenDeliverModel": JSON,
    },
)
CLOCK = FakeClock(datetime(2026, 11, 23, tzinfo=UTC))


@pytest.fixture(scope="module")
def deaf() -> SimulatedDingTalk:
    """A DingTalk that is not listening: it is asked directly."""
    ding = SimulatedDingTalk(CLOCK, qps=10**9, monthly_calls=10**9)
    ding.add_user("user1", "张三")
    ding.cards.add_template(TEMPLATE)
    return ding


@settings(deadline=None)  # a busy machine is no defect
@given(path=st.sampled_from([BOTH, CREATE, DELIVER]), method=st.sampled_from(["POST", "PUT"]), fields=FIELDS)
def test_any_fields_get_an_answer(deaf: SimulatedDingTalk, path: str, method: str, fields: dict[str, Any]) -> None:
    headers = {"content-type": "application/json", "x-acs-dingtalk-access-token": deaf._tokens._issue()}
    told = deaf._gateway.respond(Request(method, path, {}, headers, orjson.dumps(fields)))
    assert isinstance(orjson.loads(told.body), dict)
    assert told.status in (200, 400, 404)
