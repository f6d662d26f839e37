"""Interactive cards: what a card shows, as the parameters of the organisation's template, and the calls that send it.

`config/cards/decision.json` describes the template. Sources: "Create and deliver cards", "Update a card", "Event
callback", "Variable types" and "Markdown variables" on open.dingtalk.com.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from kdsync.dingtalk.answers import Shape, shaped
from kdsync.dingtalk.client import Call, DingTalkClient
from kdsync.dingtalk.messages import clean, one_line, plain, usable_link, with_line_breaks
from kdsync.dingtalk.shortening import largest, shortened, shortened_markdown
from kdsync.errors import EdgeError

CREATE_AND_DELIVER = "v1.0/card/instances/createAndDeliver"
UPDATE = "v1.0/card/instances"
ALREADY_EXISTS, NO_SUCH_USER = "param.cardAlreadyExist", "param.userIdNotExist"
NO_SUCH_CARD = "param.cardNotExist"

VALUE_BYTES = 1000  # of 1 KB for one value; another page knows only 100 KB for all of them
KEY_BYTES = 100
TRACK = 64  # characters
SPACE = 1000  # characters
SPACES = "dtv1.card//"
TITLE = 120
LABEL = 20
ALERT = 60
MOST_FIELDS = 10  # more become lines of the body
MOST_BUTTONS = 5  # the template has room for no more
ACTION_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
REASON_HINT = {"zh": "意见（可不填）", "en": "Reason (optional)", "vi": "Ý kiến (không bắt buộc)"}
BY_KEY = {"updateCardDataByKey": True, "updatePrivateDataByKey": True}  # DingTalk would drop what is not named


@dataclass(frozen=True, slots=True)
class Face:
    """What a card shows.

    `body`, and the names and values of `fields`, are the markdown of messages; `title`, `status` and the labels of
    `buttons` (action id, label) are plain text. The first five buttons are shown, and only while the card is `open`.
    """

    title: str
    body: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    buttons: tuple[tuple[str, str], ...] = ()
    with_reason: bool = False
    status: str = ""
    open: bool = True
    locale: str = "zh"
    link: str = ""


Private = Mapping[str, Face | Mapping[str, str]]
"""By userid, what a person sees instead of what everybody sees: another face, or some parameters."""


@dataclass(frozen=True, slots=True)
class NotShown:
    """Somebody who did not get the card, and DingTalk's words why."""

    userid: str
    said: str


@dataclass(frozen=True, slots=True)
class CardResult:
    """Who got a card. `already`: it had been sent before, and who got it then is not told again."""

    delivered: tuple[str, ...]
    not_shown: tuple[NotShown, ...] = ()
    already: bool = False


class _Delivery(Shape):
    spaceId: str = ""  # noqa: N815  # DingTalk's name
    success: bool = True
    errorMsg: str = ""  # noqa: N815  # DingTalk's name


class _Deliveries(Shape):
    deliverResults: tuple[_Delivery, ...] = ()  # noqa: N815  # DingTalk's name


class _Updated(Shape):
    success: bool = True


class _Delivered(_Updated):
    result: _Deliveries = _Deliveries()


def card_params(face: Face) -> dict[str, str]:
    """The template's parameters: text only, each within 1000 bytes, and always all of them.

    Truth values are `true` and `false`; `fields` and `buttons` are lists of objects, as JSON. ValueError where the id
    of a button is not of letters, digits, `_`, `.` and `-`, or longer than 64.
    """
    rows = [(plain(one_line(name)), plain(one_line(value))) for name, value in face.fields]
    more = "\n".join(f"{one_line(name)}: {one_line(value)}" for name, value in face.fields[MOST_FIELDS:])
    return {
        "title": _text(shortened(one_line(face.title), TITLE)),
        "body": _markdown("\n".join(filter(None, (more, clean(face.body).strip())))),
        "fields": _rows(rows[:MOST_FIELDS]),
        "status": _text(one_line(face.status)),
        "buttons": _buttons(face.buttons if face.open else ()),
        "open": _truth(face.open),
        "decided": _truth(not face.open),
        "with_reason": _truth(face.with_reason and face.open),
        "reason_hint": REASON_HINT.get(face.locale, REASON_HINT["en"]),
        "link": usable_link(face.link),
        "locale": _text(one_line(face.locale)),
    }


def callback_response(private: Mapping[str, str]) -> dict[str, Any]:
    """What `response` holds in the answer to a click: parameters that only the person who clicked sees at once.

    They stay until they are given anew, by key, in the `private` of an update.
    """
    return {"userPrivateData": {"cardParamMap": _own(private)}, "cardUpdateOptions": BY_KEY}


class Cards:
    """Sends and changes cards of one template; clicks come over this app's Stream connection."""

    def __init__(self, client: DingTalkClient, template_id: str) -> None:
        self._client = client
        self._template_id = template_id

    def deliver(self, out_track_id: str, userids: Sequence[str], face: Face, private: Private) -> CardResult:
        """Send one card to everybody in `userids`, in their conversations with the robot. One metered call.

        The same `out_track_id` is sent once, so a repeat after an unknown outcome is harmless. Raises EdgeError, and
        ValueError for nobody, for an id that cannot be addressed, and where the ids fill more than 1000 characters.
        Who is not reached is in the result; the card exists all the same. Where DingTalk does not know somebody of
        `private`, everybody gets `face`, at the cost of a second call.
        """
        body = {
            **self._creation(out_track_id, face),
            "openSpaceId": _space(userids),
            "imRobotOpenDeliverModel": {"spaceType": "IM_ROBOT", "robotCode": self._robot_code()},
        }
        try:
            answer, _ = self._call(Call(CREATE_AND_DELIVER, host="new", writes=True), body, private)
        except EdgeError as error:
            if error.code != ALREADY_EXISTS:
                raise
            return CardResult(tuple(userids), already=True)
        delivered = shaped(_Delivered, answer, CREATE_AND_DELIVER, now=self._client.now())
        if not delivered.success:
            raise self._client.failure("malformed", CREATE_AND_DELIVER, "success is false", writes=True)
        return _result(userids, delivered.result.deliverResults)

    def update(self, out_track_id: str, face: Face, private: Private | None = None) -> None:
        """Let the card show `face` to everybody from now on; doing so again changes nothing. One metered call.

        Who was ever shown something of their own goes on seeing that, unless `private` replaces it; but a face that
        is not open takes the buttons from everybody. Where DingTalk does not know somebody of `private` any more, the
        others of it are told one by one, at the cost of a call each. Raises EdgeError.
        """
        private, shown = private or {}, {"cardData": {"cardParamMap": card_params(face)}}
        if self._put(out_track_id, shown, private) or len(private) == 1:
            return
        for userid, own in private.items():
            self._put(out_track_id, {}, {userid: own})

    def _put(self, out_track_id: str, shown: Mapping[str, Any], private: Private) -> bool:
        """Whether what is private was taken; where it is not, DingTalk does not know somebody of it."""
        body = {"outTrackId": out_track_id, "userIdType": 1, **shown, "cardUpdateOptions": BY_KEY}
        answer, taken = self._call(Call(UPDATE, host="new", method="PUT"), body, private)
        if not shaped(_Updated, answer, UPDATE, now=self._client.now()).success:
            raise self._client.failure("malformed", UPDATE, "success is false")
        return taken

    def _call(self, call: Call, body: Mapping[str, Any], private: Private) -> tuple[dict[str, Any], bool]:
        """The answer, and whether what is private was taken: somebody of it who left keeps no others from the rest."""
        own = {userid: {"cardParamMap": _own(seen)} for userid, seen in private.items()}
        try:
            whole = {**body, "privateData": own} if own else body
            return self._client.call(replace(call, body=orjson.dumps(whole))), True
        except EdgeError as error:
            if error.code != NO_SUCH_USER or not own:
                raise
        if "cardData" not in body:
            return {}, False
        return self._client.call(replace(call, body=orjson.dumps(body))), False

    def _creation(self, out_track_id: str, face: Face) -> dict[str, Any]:
        """What the card is; forwarding is off, because whoever sees a card may click it."""
        if not out_track_id or len(out_track_id) > TRACK:
            raise ValueError(f"an outTrackId has 1 to {TRACK} characters")
        alert = shortened(one_line(face.title), ALERT)
        return {
            "cardTemplateId": self._template_id,
            "outTrackId": out_track_id,
            "callbackType": "STREAM",
            "userIdType": 1,
            "cardData": {"cardParamMap": card_params(face)},
            "imRobotOpenSpaceModel": {
                "supportForward": False,
                "lastMessageI18n": {"ZH_CN": alert},
                "notification": {"alertContent": alert, "notificationOff": False},
            },
        }

    def _robot_code(self) -> str:
        return self._client.settings.robot_code or self._client.settings.client_id


def _space(userids: Sequence[str]) -> str:
    if not userids:
        raise ValueError("a card needs a recipient")
    if any(not one or ";" in one for one in userids):
        raise ValueError("an id of a recipient is empty or holds a semicolon")
    space = SPACES + ";".join(f"IM_ROBOT.{userid}" for userid in userids)
    if len(space) > SPACE:
        raise ValueError(f"{len(userids)} recipients in one call; their ids may fill {SPACE} characters")
    return space


def _own(seen: Face | Mapping[str, str]) -> dict[str, str]:
    """The parameters of one person. `decided` is never among them: it is for everybody or for nobody."""
    params = card_params(seen) if isinstance(seen, Face) else _private_params(seen)
    return {name: value for name, value in params.items() if name != "decided"}


def _private_params(params: Mapping[str, str]) -> dict[str, str]:
    if any(len(name.encode()) > KEY_BYTES for name in params):
        raise ValueError(f"the name of a parameter is longer than {KEY_BYTES} bytes")
    return {name: _text(clean(value)) for name, value in params.items()}


def _result(userids: Sequence[str], results: Sequence[_Delivery]) -> CardResult:
    """Person by person. A person whom DingTalk does not name is taken to be reached, as the whole call was."""
    named = {result.spaceId.removeprefix("IM_ROBOT."): result for result in results}
    if len(results) == len(userids) and not set(userids) & set(named):
        named = dict(zip(userids, results, strict=True))  # named by something else than their ids
    failed = {userid: named[userid] for userid in userids if userid in named and not named[userid].success}
    missed = tuple(NotShown(userid, _said(result)) for userid, result in failed.items())
    return CardResult(tuple(userid for userid in userids if userid not in failed), missed)


def _said(result: _Delivery) -> str:
    return shortened(one_line(result.errorMsg), TITLE) or "DingTalk does not say why"


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _clipped(build: Callable[[int], str], longest: int) -> str:
    """`build(n)` for about the largest n whose text is within the limit of one value."""
    return largest(lambda most: build(most).encode(), min(longest, VALUE_BYTES), VALUE_BYTES).decode()


def _text(text: str) -> str:
    return _clipped(lambda most: shortened(text, most), len(text))


def _markdown(body: str) -> str:
    """In the dialect of cards, where `<br>` is what ends a line within a paragraph."""
    return _clipped(lambda most: with_line_breaks(shortened_markdown(body, most)).replace("  \n  ", "<br>"), len(body))


def _rows(rows: Sequence[tuple[str, str]]) -> str:
    return _clipped(
        lambda most: _json([{"name": shortened(name, most), "value": shortened(value, most)} for name, value in rows]),
        VALUE_BYTES,
    )


def _buttons(buttons: Sequence[tuple[str, str]]) -> str:
    if any(not ACTION_ID.fullmatch(action_id) for action_id, _ in buttons):
        raise ValueError("the id of a button is none of an action")
    labels = [(action_id, one_line(label)) for action_id, label in buttons[:MOST_BUTTONS]]
    return _clipped(
        lambda most: _json([{"id": action_id, "label": shortened(label, most)} for action_id, label in labels]), LABEL
    )


def _json(items: list[dict[str, str]]) -> str:
    return orjson.dumps(items).decode()
