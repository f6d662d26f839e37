"""The card APIs of the simulated DingTalk: they create, deliver and change cards, and clicks begin here.

Groups are no place for cards here. Sources: "Create and deliver cards", "Update a card" and "Event callback" on
open.dingtalk.com, and their tables of errors.
"""

from __future__ import annotations

import copy
from itertools import count
from threading import RLock

from kdsync.simulator.dingtalk_card import (
    UNIONID,
    Card,
    Params,
    id_type_of,
    params_of,
    refusal,
    spaces_of,
    takes_robot_chats,
    track_of,
    updates_by_key,
)
from kdsync.simulator.dingtalk_contacts import Company, User
from kdsync.simulator.dingtalk_envelopes import Json, RefusedError
from kdsync.simulator.dingtalk_gateway import Call, Route
from kdsync.simulator.dingtalk_phones import Phones
from kdsync.simulator.dingtalk_pushes import Ack, Push
from kdsync.simulator.phone import read_card

_BASE = "/v1.0/card/instances"
_SCOPE = "Card.Instance.Write"


class Cards:
    """The card APIs, and what became of each card. Templates must be registered before cards are made of them."""

    def __init__(self, company: Company, phones: Phones, lock: RLock, robot_code: str) -> None:
        self._company = company
        self._phones = phones
        self._lock = lock
        self._robot_code = robot_code
        self._templates: dict[str, bool] = {}
        self._cards: dict[str, Card] = {}
        self._carriers = count(1)

    def routes(self) -> list[Route]:
        return [
            Route("POST", _BASE, self._create, _SCOPE),
            Route("POST", f"{_BASE}/deliver", self._deliver, _SCOPE),
            Route("POST", f"{_BASE}/createAndDeliver", self._create_and_deliver, _SCOPE),
            Route("PUT", _BASE, self._update, _SCOPE),
        ]

    # --- for those who look at it from outside

    def add_template(self, template_id: str, *, published: bool = True) -> None:
        """Bind a template, such as `<uuid>.schema`, to the app; or publish one that was a draft."""
        with self._lock:
            self._templates[template_id] = published

    def card(self, out_track_id: str) -> Card:
        """A copy of a card as it is now; KeyError where there is none."""
        with self._lock:
            return copy.deepcopy(self._cards[out_track_id])

    def card_view(self, out_track_id: str, userid: str) -> Params:
        """The parameters of a card as one person sees them; KeyError where there is no such card."""
        return self.card(out_track_id).view(userid)

    def clicked(self, userid: str, push: Push) -> bool:
        """Address a click to the card's app and tell whether it is pushed: cards without callbackType STREAM are deaf.

        KeyError where there is no such card.
        """
        card = self._cards[push.data["outTrackId"]]
        user = self._company.users.get(userid)
        push.data["userIdType"] = card.id_type
        if card.id_type == UNIONID and user:
            push.data["userId"] = user.unionid
        push.on_ack = lambda ack: self._acknowledged(card, userid, ack)
        push.lost = card.callback_type != "STREAM"
        return not push.lost

    # --- the API

    def _create(self, call: Call) -> Json:
        card = self._new_card(call.fields)
        self._cards[card.out_track_id] = card
        return {"success": True, "result": card.out_track_id}

    def _deliver(self, call: Call) -> Json:
        fields = call.fields
        card, spaces = self._known_card(fields), spaces_of(fields)
        return {"success": True, "result": self._show(card, spaces, fields)}

    def _create_and_deliver(self, call: Call) -> Json:
        fields = call.fields
        card, spaces = self._new_card(fields), spaces_of(fields)
        self._cards[card.out_track_id] = card
        results = self._show(card, spaces, fields)
        return {"success": True, "result": {"outTrackId": card.out_track_id, "deliverResults": results}}

    def _update(self, call: Call) -> Json:
        fields = call.fields
        card = self._known_card(fields)
        if not fields.get("cardData") and not fields.get("privateData"):
            raise refusal("param.cardDataAndPrivateDataBothEmpty")
        public = params_of(fields["cardData"]) if fields.get("cardData") else None
        private = self._private(fields)
        if public is not None:
            card.change_public(public, by_key=updates_by_key(fields, "updateCardDataByKey"))
        for userid, params in private.items():
            card.change_private(userid, params, by_key=updates_by_key(fields, "updatePrivateDataByKey"))
        card.updates += 1
        self._redraw(card)
        return {"success": True, "result": True}

    def _new_card(self, fields: Json) -> Card:
        """The card that is asked for, checked and not yet kept."""
        track = track_of(fields)
        template = self._template(fields)
        callback = fields.get("callbackType") or ""
        if callback not in ("", "STREAM", "HTTP"):
            raise refusal("param.invalid", "callbackType is STREAM or HTTP")
        if callback == "HTTP" and not fields.get("callbackRouteKey"):
            raise refusal("param.callbackRouteKeyEmpty")
        in_robot_chats = takes_robot_chats(fields)
        public = params_of(fields.get("cardData"), missing="param.cardPublicDataEmpty")
        private = self._private(fields)
        if track in self._cards:
            raise refusal("param.cardAlreadyExist")
        return Card(track, template, callback, id_type_of(fields), in_robot_chats, public, private)

    def _template(self, fields: Json) -> str:
        template = fields.get("cardTemplateId")
        if not isinstance(template, str) or not template:
            raise refusal("param.cardTemplateIdEmpty")
        if template not in self._templates:
            raise refusal("param.templateNotExist")
        if not self._templates[template]:
            raise refusal("param.templateUnpublished")
        return template

    def _known_card(self, fields: Json) -> Card:
        card = self._cards.get(track_of(fields))
        if card is None:
            raise refusal("param.cardNotExist")
        return card

    def _private(self, fields: Json) -> dict[str, Params]:
        given = fields.get("privateData") or {}
        if not isinstance(given, dict):
            raise refusal("param.invalid", "privateData is an object")
        private = {}
        for name, data in given.items():
            user = self._user(name, id_type_of(fields))
            if user is None:
                raise refusal("param.userIdNotExist", name)
            private[user.userid] = params_of(data)
        return private

    def _user(self, name: str, id_type: int) -> User | None:
        """A person that the app may see."""
        users = self._company.users
        found = users.get(name)
        if id_type == UNIONID:
            found = next((user for user in users.values() if user.unionid == name), None)
        return found if found and found.in_scope else None

    def _show(self, card: Card, spaces: list[tuple[str, str]], fields: Json) -> list[Json]:
        """Deliver to each space. One that cannot be reached is named in an answer that is HTTP 200 all the same."""
        results = []
        for kind, name in spaces:
            user = self._user(name, id_type_of(fields)) if kind == "IM_ROBOT" else None
            error = self._obstacle(card, fields) if kind == "IM_ROBOT" else "spaceId is illegal"
            error = error or ("" if user else "spaceId is illegal")
            if user and not error:
                self._arrive(card, user.userid)
            carrier = "" if error else f"carrier-{next(self._carriers)}"
            result = {"spaceType": kind, "spaceId": name, "success": not error, "carrierId": carrier, "errorMsg": error}
            results.append(result)
        return results

    def _obstacle(self, card: Card, fields: Json) -> str:
        model = fields["imRobotOpenDeliverModel"]
        if not card.in_robot_chats or model.get("spaceType") != "IM_ROBOT":
            return "imRobotOpenSpaceModel or imRobotOpenDeliverModel.spaceType is missing"
        return "" if model.get("robotCode", self._robot_code) == self._robot_code else "robotCode is illegal"

    def _arrive(self, card: Card, userid: str) -> None:
        params = card.view(userid)
        if userid not in card.shown_to:
            card.shown_to.append(userid)
        self._phones.show(userid, "card", read_card(params), params, out_track_id=card.out_track_id)

    def _redraw(self, card: Card) -> None:
        for userid in card.shown_to:
            params = card.view(userid)
            self._phones.redraw(userid, card.out_track_id, read_card(params), params)

    def _acknowledged(self, card: Card, userid: str, ack: Ack) -> None:
        """Late and bad answers show the person an error and change nothing."""
        response = ack.data.get("response")
        if not ack.in_time or ack.code != 200 or not isinstance(response, dict):  # noqa: PLR2004  # as in HTTP
            return
        try:
            card.answer_click(userid, response)
        except RefusedError as refused:
            card.complaints.append(str(refused))
        self._redraw(card)
