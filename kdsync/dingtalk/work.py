"""Work notifications: what a person gets from the app itself ("Asynchronously send work notifications").

DingTalk has no idempotency key here, but drops a message whose content the person already got today. Sending the
stored bytes again is therefore safe, and changing one byte of them is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import orjson

from kdsync.dingtalk.answers import Listed, Shape, shaped
from kdsync.dingtalk.client import Call, DingTalkClient

MOST_USERS = 100
MOST_DEPARTMENTS = 20
SEND = "topapi/message/corpconversation/asyncsend_v2"
RESULT = "topapi/message/corpconversation/getsendresult"
BAR = "topapi/message/corpconversation/status_bar/update"

REASONS = {
    "143103": "too many messages a minute",
    "143104": "too many messages a minute",
    "143105": "the person already got as many messages as one is shown in a day",
    "143106": "the person already got this very message today",
    "1430000": "the message is empty",
    "1430002": "the content is banned",
    "1430003": "the message may not be sent",
    "1430004": "the person is protected from messages",
    "invalid": "there is no such person in the app's scope",
    "failed": "DingTalk failed to deliver it",
    "forbidden": "DingTalk held it back over a limit",
    "department": "there is no such department in the app's scope",
}
LONGEST_TASK = 40
ALREADY_GOT = "143106"


@dataclass(frozen=True, slots=True)
class Receipt:
    """DingTalk took the message; `task_id` is what `send_result` asks with, '' where DingTalk gives none."""

    task_id: str


@dataclass(frozen=True, slots=True)
class Undelivered:
    """One user, or department, that did not get a message; `code` is DingTalk's, or the name of its list."""

    recipient: str
    code: str

    @property
    def reason(self) -> str:
        return REASONS.get(self.code, "DingTalk held it back")


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of one send: who got it, and who did not and why. Both are empty while it is under way."""

    delivered: tuple[str, ...]
    undelivered: tuple[Undelivered, ...]


Ids = Annotated[tuple[str, ...], Listed]


class _Forbidden(Shape):
    userid: str = ""
    code: str = ""


class _Result(Shape):
    invalid_user_id_list: Ids = ()
    forbidden_user_id_list: Ids = ()
    failed_user_id_list: Ids = ()
    read_user_id_list: Ids = ()
    unread_user_id_list: Ids = ()
    invalid_dept_id_list: Ids = ()
    forbidden_list: tuple[_Forbidden, ...] = ()


class _ResultAnswer(Shape):
    send_result: _Result = _Result()


class WorkNotices:
    """Sends work notifications and asks what became of them."""

    def __init__(self, client: DingTalkClient) -> None:
        self._client = client

    def send_work(self, userids: Sequence[str], dept_ids: Sequence[str], message: bytes) -> Receipt:
        """Send `message`, the JSON of `msg`, as it is. One metered call, whatever the number of recipients.

        Raises EdgeError, and ValueError for nobody, over 100 users or over 20 departments. A receipt means accepted:
        DingTalk also accepts what it then delivers to nobody.
        """
        users, departments = _joined(userids, MOST_USERS), _joined(dept_ids, MOST_DEPARTMENTS)
        if not users and not departments:
            raise ValueError("a work notification needs a recipient")
        lists = {"userid_list": users, "dept_id_list": departments}
        body = orjson.dumps(
            {
                "agent_id": self._client.settings.agent_id,
                "to_all_user": False,
                **{name: ids for name, ids in lists.items() if ids},
                "msg": orjson.Fragment(message),
            }
        )
        answer = self._client.call(Call(SEND, body, writes=True))
        task = answer.get("task_id")
        return Receipt(str(task)[:LONGEST_TASK] if isinstance(task, int | str) and task else "")

    def send_result(self, task_id: str) -> SendResult:
        """What became of a send of the last 24 hours to at most 100 people. One metered call.

        Raises EdgeError, and ValueError where `task_id` is no number."""
        question = {"agent_id": self._client.settings.agent_id, "task_id": int(task_id)}
        answer = shaped(_ResultAnswer, self._client.ask(RESULT, question), RESULT, now=self._client.now())
        result = answer.send_result
        return SendResult((*result.read_user_id_list, *result.unread_user_id_list), tuple(_undelivered(result)))

    def change_status_bar(self, task_id: str, text: str, colour: str) -> None:
        """Let the form (`oa`) that was sent as `task_id` say something else in its status bar; `colour` is 0xAARRGGBB.

        One metered call, up to 7 days after the send ("Update the status bar of a work notification"). Raises
        EdgeError: of kind TRANSIENT also while the send is not finished, which takes a moment.
        """
        body = {
            "agent_id": self._client.settings.agent_id,
            "task_id": int(task_id) if task_id.isdecimal() else task_id,
            "status_value": text,
            "status_bg": colour,
        }
        self._client.call(Call(BAR, orjson.dumps(body), writes=True))


def _joined(ids: Sequence[str], most: int) -> str:
    if len(ids) > most:
        raise ValueError(f"{len(ids)} recipients in one call; DingTalk takes {most}")
    if any(not one or "," in one for one in ids):
        raise ValueError("an id of a recipient is empty or holds a comma")
    return ",".join(ids)


def _undelivered(result: _Result) -> Iterator[Undelivered]:
    told = {item.userid: item.code or "forbidden" for item in result.forbidden_list if item.userid}
    yield from (Undelivered(userid, code) for userid, code in told.items())
    yield from (Undelivered(userid, "forbidden") for userid in result.forbidden_user_id_list if userid not in told)
    yield from (Undelivered(userid, "invalid") for userid in result.invalid_user_id_list)
    yield from (Undelivered(userid, "failed") for userid in result.failed_user_id_list)
    yield from (Undelivered(dept_id, "department") for dept_id in result.invalid_dept_id_list)
