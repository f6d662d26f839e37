"""What people do in DingTalk and the organisation goes through, as the pushes that tell the app of it.

Sources: "Robot receives messages", "Card callbacks" and "Event subscription overview" on open.dingtalk.com.
"""

from __future__ import annotations

from datetime import datetime
from random import Random

import orjson

from kdsync.simulator.dingtalk_contacts import Company
from kdsync.simulator.dingtalk_envelopes import Json
from kdsync.simulator.dingtalk_manners import Manners
from kdsync.simulator.dingtalk_pushes import (
    BOT_MESSAGES,
    BOT_TOPIC,
    CARD_CLICKS,
    CARD_TOPIC,
    EVENT_TOPIC,
    EVENTS,
    ONCE,
    Push,
)

CORP_ID = "dingsimulatedcorp"


class People:
    """Makes pushes. `robot_code` is that of the app's robot."""

    def __init__(self, random: Random, company: Company, robot_code: str, manners: Manners) -> None:
        self._random = random
        self._company = company
        self._robot_code = robot_code
        self._manners = manners

    def message(
        self, userid: str, text: str, group: str | None, *, now: datetime, webhook: str, until: datetime
    ) -> Push:
        """Somebody writes to the robot, in a group by mentioning it. Only members have a senderStaffId."""
        user = self._company.users.get(userid)
        data: Json = {
            "conversationId": f"cid-{group or userid}",
            "conversationType": "2" if group else "1",
            "msgId": f"msg{self._name()}",
            "msgtype": "text",
            "text": {"content": f" {text}" if group else text},
            "senderId": f"$:LWCP_v1:${userid[::-1]}",
            "senderNick": user.name if user else userid,
            "senderCorpId": CORP_ID if user else "",
            "isAdmin": False,
            "chatbotCorpId": CORP_ID,
            "chatbotUserId": "$:LWCP_v1:$robot",
            "robotCode": self._robot_code,
            "createAt": _milliseconds(now),
            "sessionWebhook": webhook,
            "sessionWebhookExpiredTime": _milliseconds(until),
        }
        if user:
            data |= {"senderStaffId": userid, "senderUnionId": user.unionid}
        if group:
            data |= {"conversationTitle": group, "isInAtList": True, "atUsers": [{"dingtalkId": data["chatbotUserId"]}]}
        push = Push("CALLBACK", BOT_TOPIC, data, BOT_MESSAGES if self._manners.repeats_messages else ONCE)
        push.renew = self._renew if self._manners.new_ids else None
        return push

    def _renew(self, data: Json) -> None:
        data["msgId"] = f"msg{self._name()}"

    def click(self, userid: str, out_track_id: str, action_id: str, params: Json) -> Push:
        """Somebody clicks a button of an interactive card; `content` is text that holds JSON."""
        beside = self._manners.params_beside
        content: Json = {"cardPrivateData": {"actionIds": [action_id], **({} if beside else {"params": params})}}
        content |= {"params": params} if beside else {}
        data = {
            "type": "actionCallback",
            "outTrackId": out_track_id,
            "corpId": CORP_ID,
            "userId": userid,
            "userIdType": 1,
            "spaceType": "IM_ROBOT",
            "spaceId": userid,
            "extension": "{}",
            self._manners.click_content: orjson.dumps(content).decode(),
        }
        return Push("CALLBACK", CARD_TOPIC, data, CARD_CLICKS)

    def event(self, kind: str, data: Json, now: datetime) -> Push:
        """Something happens in the organisation, such as user_leave_org."""
        headers = {
            "eventType": kind,
            "eventId": self._name(),
            "eventCorpId": CORP_ID,
            "eventBornTime": str(_milliseconds(now)),
            "eventUnifiedAppId": "simulated",
        }
        return Push("EVENT", EVENT_TOPIC, data, EVENTS, headers, headers_key=self._manners.event_headers)

    def _name(self) -> str:
        return f"{self._random.getrandbits(96):024x}"


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
