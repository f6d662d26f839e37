"""Replies to a message, through the address that came with it: no token, and not one of the month's calls.

The address (`sessionWebhook`) lives for an hour and a half and is as good as a password for the conversation. It
comes from outside, so kdsync posts nowhere but to DingTalk. Source: "Robot receives messages" on open.dingtalk.com.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from kdsync.dingtalk.client import Call, DingTalkClient
from kdsync.dingtalk.messages import group_message
from kdsync.errors import EdgeError
from kdsync.model import Content, Priority

REPLY = "robot/sendBySession"
LONGEST_ADDRESS = 2000
LONGEST_HOST = 100
ADDRESS = re.compile(
    r"(?P<origin>(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d{1,5})?)"
    r"(?P<path>/[\w./~%-]*)(?:\?(?P<query>[!-\"$-\[\]-~]*))?",  # printable, without what parsers disagree on
    re.ASCII | re.IGNORECASE,
)
DINGTALK = re.compile(r"https://(?:[a-z0-9-]+\.)+dingtalk\.com(?::443)?", re.IGNORECASE)


class SessionReplies:
    """Answers in the conversation that a message came from."""

    def __init__(self, client: DingTalkClient) -> None:
        self._client = client
        settings = client.settings
        self._origins = {_origin(settings.api_url), _origin(settings.oapi_url)}

    def reply(self, webhook: str, title: str, text: str) -> None:
        """Post `title` and `text`, which is markdown, to the `sessionWebhook` of a message; what is too long is cut.

        Raises EdgeError: of kind REFUSED where the address does not lead to DingTalk, or is too old.
        """
        address = ADDRESS.fullmatch(webhook) if len(webhook) <= LONGEST_ADDRESS else None
        if address is None or not self._is_dingtalk(address["origin"]):
            raise self._not_dingtalk(address["host"] if address else "")
        query = dict(parse_qsl(address["query"] or "", keep_blank_values=True))
        body = group_message(Content(title, text), "", priority=Priority.NORMAL)
        url = f"{address['origin']}{address['path']}"
        self._client.call(Call(REPLY, body, host="webhook", query=query, metered=False, writes=True, url=url))

    def _is_dingtalk(self, origin: str) -> bool:
        return DINGTALK.fullmatch(origin) is not None or origin.lower() in self._origins

    def _not_dingtalk(self, host: str) -> EdgeError:
        """Without the address, which may be a secret even if it is none of ours."""
        error = self._client.failure("not dingtalk", REPLY, host[:LONGEST_HOST])
        error.sent = False
        return error


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
