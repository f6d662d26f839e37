"""One interactive card of the simulated DingTalk, and what its API takes: every limit, with the code of its refusal.

Sources: "Create and deliver cards", "Update a card", "Event callback" and "Variable types" on open.dingtalk.com.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from kdsync.simulator.dingtalk_envelopes import Json, RefusedError

_TRACK = 64  # characters; one page says 100
_SPACE = 1000
_KEY, _VALUE, _WHOLE = 100, 1024, 100 * 1024  # bytes
_SPACES = "dtv1.card//"
_DELIVER_MODELS = {
    "IM_ROBOT": "imRobotOpenDeliverModel",
    "IM_GROUP": "imGroupOpenDeliverModel",
    "ONE_BOX": "topOpenDeliverModel",
}
USERID, UNIONID = 1, 2

Params = dict[str, str]


@dataclass(slots=True)
class Card:
    """One card. `answers` are the parameters that only the person who clicked sees, by userid.

    `complaints` are answers to clicks that the platform could not use.
    """

    out_track_id: str
    template_id: str
    callback_type: str
    id_type: int
    in_robot_chats: bool
    public: Params
    private: dict[str, Params]
    answers: dict[str, Params] = field(default_factory=dict)
    shown_to: list[str] = field(default_factory=list)
    updates: int = 0
    complaints: list[str] = field(default_factory=list)

    def view(self, userid: str) -> Params:
        """The parameters as one person sees them."""
        return {**self.public, **self.private.get(userid, {}), **self.answers.get(userid, {})}

    def change_public(self, params: Params, *, by_key: bool) -> None:
        """For everybody; what a click had shown instead of these parameters is gone."""
        self.public = {**self.public, **params} if by_key else params
        for answer in self.answers.values():
            _forget(answer, params if by_key else list(answer))

    def change_private(self, userid: str, params: Params, *, by_key: bool) -> None:
        self.private[userid] = {**self.private.get(userid, {}), **params} if by_key else params
        _forget(self.answers.get(userid, {}), params)

    def answer_click(self, userid: str, response: Json) -> None:
        """What a client answered to a click of `userid`: all of it is for this person only."""
        public = params_of(response["cardData"]) if response.get("cardData") else None
        private = params_of(response["userPrivateData"]) if response.get("userPrivateData") else None
        if public is not None:
            hidden = {} if updates_by_key(response, "updateCardDataByKey") else dict.fromkeys(self.public, "")
            self.answers[userid] = {**self.answers.get(userid, {}), **hidden, **public}
        if private is not None:
            self.change_private(userid, private, by_key=updates_by_key(response, "updatePrivateDataByKey"))


def refusal(code: str, message: str = "") -> RefusedError:
    return RefusedError(code, message or code)


def track_of(fields: Json) -> str:
    track = fields.get("outTrackId")
    if not isinstance(track, str) or not track:
        raise refusal("param.outTrackIdEmpty")
    if len(track) > _TRACK:
        raise refusal("param.invalid", f"outTrackId is longer than {_TRACK}")
    return track


def id_type_of(fields: Json) -> int:
    id_type = fields.get("userIdType", USERID)
    if id_type not in (USERID, UNIONID) or isinstance(id_type, bool):
        raise refusal("param.invalid", "userIdType is 1 or 2")
    return int(id_type)


def takes_robot_chats(fields: Json) -> bool:
    """Whether the card may stand in conversations with the app's robot."""
    model = fields.get("imRobotOpenSpaceModel")
    if model is None:
        return False
    if not isinstance(model, dict) or not isinstance(model.get("supportForward"), bool):
        raise refusal("param.openSpaceModelInvalid", "imRobotOpenSpaceModel.supportForward is needed")
    return True


def spaces_of(fields: Json) -> list[tuple[str, str]]:
    """`dtv1.card//TYPE.id;TYPE.id` as pairs, each with its deliver model in the request."""
    given = fields.get("openSpaceId")
    if not given:
        raise refusal("param.openSpaceIdEmpty")
    if not isinstance(given, str) or len(given) > _SPACE or not given.startswith(_SPACES):
        raise refusal("param.openSpaceIdInvalid")
    spaces = []
    for item in given.removeprefix(_SPACES).split(";"):
        kind, _, name = item.partition(".")
        if kind not in _DELIVER_MODELS or not name:
            raise refusal("param.openSpaceIdInvalid", item)
        if not isinstance(fields.get(_DELIVER_MODELS[kind]), dict):
            raise refusal("param.openDeliverModelEmpty", _DELIVER_MODELS[kind])
        spaces.append((kind, name))
    return spaces


def params_of(data: Any, missing: str = "param.invalid") -> Params:
    """A `cardParamMap`: text only."""
    params = data.get("cardParamMap") if isinstance(data, dict) else None
    if not isinstance(params, dict):
        raise refusal(missing, "cardParamMap is an object")
    for name, value in params.items():
        if not isinstance(value, str):
            raise refusal("param.invalid", f"cardParamMap.{name} is no text")
        if len(name.encode()) > _KEY or len(value.encode()) > _VALUE:
            raise refusal("param.invalid", f"cardParamMap.{name} is longer than {_KEY} or {_VALUE} bytes")
    if len(orjson.dumps(params)) > _WHOLE:
        raise refusal("param.invalid", f"cardParamMap is larger than {_WHOLE} bytes")
    return params


def updates_by_key(fields: Json, option: str) -> bool:
    options = fields.get("cardUpdateOptions")
    return isinstance(options, dict) and options.get(option) is True


def _forget(answer: Params, names: Mapping[str, str] | list[str]) -> None:
    for name in names:
        answer.pop(name, None)
