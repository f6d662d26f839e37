"""Replies at the address of a message: where they may go, what they hold, and what refusals mean."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st

from kdsync.clock import FakeClock
from kdsync.dingtalk.answers import Answer
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.session import SessionReplies
from kdsync.dingtalk.transport import Request
from kdsync.errors import EdgeError, FailureKind
from kdsync.settings.schema import DingTalkSection

PLACE = "https://oapi.dingtalk.com/robot/sendBySession"
KEY = "0a1b2c3d4e5f+/=="
WEBHOOK = f"{PLACE}?session=0a1b2c3d4e5f%2B%2F%3D%3D"
AGREED = {"errcode": 0, "errmsg": "ok"}


@pytest.fixture
def replies(client: DingTalkClient) -> SessionReplies:
    return SessionReplies(client)


def test_a_reply_is_markdown_with_its_title_as_heading(
    replies: SessionReplies, dingtalk: responses.RequestsMock, calls: list[tuple[str, bool]]
) -> None:
    dingtalk.post(PLACE, json=AGREED)
    replies.reply(WEBHOOK, "FKSQ000123: done", "one\ntwo")
    request = dingtalk.calls[0].request
    text = "### FKSQ000123: done\n\none  \n  two"
    assert orjson.loads(request.body or "") == {
        "msgtype": "markdown",
        "markdown": {"title": "FKSQ000123: done", "text": text},
    }
    assert parse_qs(urlsplit(str(request.url)).query) == {"session": [KEY]}
    assert calls == [("robot/sendBySession", False)]
    assert len(dingtalk.calls) == 1  # no token of the app is needed


def test_a_reply_of_any_length_fits(replies: SessionReplies, dingtalk: responses.RequestsMock) -> None:
    dingtalk.post(PLACE, json=AGREED)
    replies.reply(WEBHOOK, "汉" * 500, "字\n" * 20_000)
    assert len(dingtalk.calls[0].request.body or "") <= 20_000


@pytest.mark.parametrize(
    "webhook",
    [
        "",
        "oapi.dingtalk.com/robot/sendBySession?session=k",
        "http://oapi.dingtalk.com/robot/sendBySession?session=k",
        "ftp://oapi.dingtalk.com/robot/sendBySession?session=k",
        "https://oapi.dingtalk.com:8443/robot/sendBySession?session=k",
        "https://evil.example.com/robot/sendBySession?session=k",
        "https://dingtalk.com.evil.example.com/?session=k",
        "https://evildingtalk.com/robot/sendBySession?session=k",
        "https://oapi.dingtalk.com.:443/robot/sendBySession?session=k",
        "https://oapi.dingtalk.com@evil.example.com/?session=k",
        "https://evil.example.com\\@oapi.dingtalk.com/?session=k",
        "https://evil.example.com/?session=k#@oapi.dingtalk.com/",
        "https://evil.example.com#.dingtalk.com/?session=k",
        "https://127.0.0.1/robot/sendBySession?session=k",
        "https://[::1]/robot/sendBySession?session=k",
        "https://oapi.dingtalk.com/a b?session=k",
        "https://oapi.dingtalk.com/\r\nX: y?session=k",
        "https://oapi.dingtalk.com/robot/sendBySession?session=k\n",
        " https://oapi.dingtalk.com/robot/sendBySession?session=k",
        "https://öapi.dingtalk.com/robot/sendBySession?session=k",
        "https://oapi.dingtalk.com/robot/sendBySession?session=" + "k" * 2000,
    ],
)
def test_nothing_is_posted_to_an_address_that_is_not_dingtalks(
    replies: SessionReplies, dingtalk: responses.RequestsMock, webhook: str
) -> None:
    with pytest.raises(EdgeError) as caught:
        replies.reply(webhook, "t", "x")
    assert (caught.value.kind, caught.value.code, caught.value.sent) == (FailureKind.REFUSED, "not dingtalk", False)
    assert "session=" not in str(caught.value)
    assert not dingtalk.calls


@pytest.mark.parametrize(
    "webhook",
    [
        "https://oapi.dingtalk.com:443/robot/sendBySession?session=k",
        "https://OAPI.DingTalk.com/robot/sendBySession?session=k",
        "https://oapi-eu.internal.dingtalk.com/v2/reply?session=k",
        "https://api.dingtalk.com/robot/sendBySession",
    ],
)
def test_dingtalk_may_answer_at_any_of_its_hosts(
    replies: SessionReplies, dingtalk: responses.RequestsMock, webhook: str
) -> None:
    dingtalk.post(webhook.partition("?")[0], json=AGREED)
    replies.reply(webhook, "t", "x")


@pytest.mark.parametrize(
    ("webhook", "accepted"),
    [
        ("http://127.0.0.1:8080/robot/sendBySession?session=k", True),
        ("http://127.0.0.1:8081/robot/sendBySession?session=k", True),
        ("http://127.0.0.1:8082/robot/sendBySession?session=k", False),
        ("https://127.0.0.1:8080/robot/sendBySession?session=k", False),
        ("http://127.0.0.1/robot/sendBySession?session=k", False),
    ],
)
def test_hosts_that_are_configured_are_trusted_at_their_port(
    dingtalk: responses.RequestsMock, clock: FakeClock, webhook: str, accepted: bool
) -> None:
    urls = {"api_url": "http://127.0.0.1:8080/proxy", "oapi_url": "http://127.0.0.1:8081"}
    values = {"client_id": "c", "client_secret": "s3cr3t", "agent_id": 1, **urls}
    client = DingTalkClient(DingTalkSection.model_validate(values, context={"secrets": str}), clock)
    dingtalk.post(webhook.partition("?")[0], json=AGREED)
    with nullcontext() if accepted else pytest.raises(EdgeError, match="not dingtalk"):
        SessionReplies(client).reply(webhook, "t", "x")
    assert len(dingtalk.calls) == accepted


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"errcode":300001,"errmsg":"session is not exist or expired"}', FailureKind.REFUSED),
        (200, b'{"errcode":400101,"errmsg":"token is not exist"}', FailureKind.REFUSED),
        (200, b'{"errcode":430102}', FailureKind.REFUSED),
        (200, b'{"errcode":460101}', FailureKind.REFUSED),
        (200, b'{"errcode":410100}', FailureKind.RATE_LIMITED),
        (200, b'{"errcode":90030}', FailureKind.QUOTA),
        (200, b'{"errcode":-1}', FailureKind.TRANSIENT),
        (200, b"{}", FailureKind.UNKNOWN_OUTCOME),
        (504, b"", FailureKind.UNKNOWN_OUTCOME),
    ],
)
def test_what_a_refused_reply_means(
    replies: SessionReplies, dingtalk: responses.RequestsMock, status: int, body: bytes, kind: FailureKind
) -> None:
    dingtalk.post(PLACE, status=status, body=body)
    with pytest.raises(EdgeError) as caught:
        replies.reply(WEBHOOK, "t", "x")
    assert caught.value.kind is kind


def test_a_redirect_is_not_followed(replies: SessionReplies, dingtalk: responses.RequestsMock) -> None:
    dingtalk.post(PLACE, status=302, headers={"Location": "https://evil.example.com/"})
    with pytest.raises(EdgeError):
        replies.reply(WEBHOOK, "t", "x")
    assert len(dingtalk.calls) == 1


def test_the_key_of_a_session_is_never_shown(replies: SessionReplies, dingtalk: responses.RequestsMock) -> None:
    said = f"no session={KEY} and no {KEY}"
    dingtalk.post(PLACE, json={"errcode": 300001, "errmsg": said})
    with pytest.raises(EdgeError) as caught:
        replies.reply(WEBHOOK, "t", "x")
    assert KEY not in str(caught.value)
    dingtalk.replace(responses.POST, PLACE, body=requests.ConnectionError(f"no way to {WEBHOOK}"))
    with pytest.raises(EdgeError) as caught:
        replies.reply(WEBHOOK, "t", "x")
    assert KEY not in repr(caught.value)
    assert "0a1b2c3d4e5f" not in str(caught.value)


PARTS = [
    "https://",
    "http://",
    "oapi",
    ".",
    "dingtalk.com",
    "evil.com",
    ":",
    "443",
    "/",
    "\\",
    "@",
    "?",
    "#",
    "session=k",
    "%",
    "\n",
]


@given(st.lists(st.sampled_from(PARTS), max_size=10).map("".join) | st.text(max_size=30))
def test_whatever_the_address_is_only_dingtalk_is_asked(webhook: str) -> None:
    values = {"client_id": "c", "client_secret": "s3cr3t", "agent_id": 1}
    client = DingTalkClient(
        DingTalkSection.model_validate(values, context={"secrets": str}), FakeClock(datetime(2026, 11, 23, tzinfo=UTC))
    )
    asked: list[str] = []

    def exchange(request: Request) -> Answer:
        asked.append(str(requests.Request("POST", request.url).prepare().url))
        return Answer(200, b'{"errcode":0}')

    client._transport.exchange = exchange  # type: ignore[method-assign]
    with suppress(EdgeError):
        SessionReplies(client).reply(webhook, "t", "x")
    for url in asked:
        assert urlsplit(url).scheme == "https"
        assert (urlsplit(url).hostname or "").endswith(".dingtalk.com")
