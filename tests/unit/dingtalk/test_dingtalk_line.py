"""One connection of the Stream: how it is asked for, by which way it goes, and what its troubles mean."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import responses
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from websockets.datastructures import Headers
from websockets.exceptions import (
    InvalidHandshake,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
)
from websockets.http11 import Response

from kdsync.dingtalk import line
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.line import Door
from kdsync.dingtalk.stream import ALL_TOPICS, TOPICS
from kdsync.errors import EdgeError, FailureKind

OPEN = "https://api.dingtalk.com/v1.0/gateway/connections/open"
ENDPOINT = "wss://wss-open-connection.dingtalk.com:443/connect"
TICKET = "a-secret/ticket+="
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ws_proxy", "wss_proxy", "socks_proxy")


@pytest.fixture(autouse=True)
def _nothing_between(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Where connections went to, and how; none is made."""
    made: list[tuple[str, dict[str, Any]]] = []

    @contextmanager
    def connect(address: str, **options: Any) -> Iterator[object]:
        made.append((address, options))
        yield object()

    monkeypatch.setattr(line, "connect", connect)
    return made


def grant(dingtalk: responses.RequestsMock, endpoint: Any = ENDPOINT, ticket: Any = TICKET) -> None:
    dingtalk.post(OPEN, json={"endpoint": endpoint, "ticket": ticket})


def refusal(client: DingTalkClient) -> EdgeError:
    with pytest.raises(EdgeError) as caught, Door(client, TOPICS).open():
        pass
    return caught.value


def test_a_ticket_is_asked_for_without_a_token_and_is_none_of_the_months_calls(
    client: DingTalkClient,
    dingtalk: responses.RequestsMock,
    calls: list[tuple[str, bool]],
    dialled: list[tuple[str, dict[str, Any]]],
) -> None:
    grant(dingtalk)
    with Door(client, ALL_TOPICS).open():
        pass
    (sent,) = dingtalk.calls
    assert "x-acs-dingtalk-access-token" not in sent.request.headers
    asked = orjson.loads(sent.request.body or b"")
    assert (asked["clientId"], asked["clientSecret"]) == ("dingtestkey", "app-secret-value")
    assert asked["subscriptions"] == [
        {"type": "EVENT", "topic": "*"},
        {"type": "CALLBACK", "topic": "/v1.0/im/bot/messages/get"},
        {"type": "CALLBACK", "topic": "/v1.0/card/instances/callback"},
    ]
    assert calls == [("v1.0/gateway/connections/open", False)]
    ((address, options),) = dialled
    assert address == f"{ENDPOINT}?ticket=a-secret%2Fticket%2B%3D"
    assert (options["max_size"], options["open_timeout"], options["proxy"]) == (1024 * 1024, 10.0, None)
    assert options["ssl"].verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    "endpoint",
    [
        "ws://wss-open-connection.dingtalk.com/connect",
        "ws://8.8.8.8/connect",
        "https://api.dingtalk.com/connect",
        "wss://",
        "wss://user:pass@dingtalk.com/connect",
        "wss://[bad/connect",
        "wss://dingtalk.com:port/connect",
        "wss://dingtalk.com/con nect",
        "wss://dingtalk.com/connect\r\nHost: other",
        "",
        None,
        ["wss://dingtalk.com"],
    ],
)
def test_where_somebody_could_read_along_nothing_is_sent(
    client: DingTalkClient,
    dingtalk: responses.RequestsMock,
    dialled: list[tuple[str, dict[str, Any]]],
    endpoint: Any,
) -> None:
    grant(dingtalk, endpoint)
    error = refusal(client)
    assert (error.kind, error.code, dialled) == (FailureKind.TRANSIENT, "malformed", [])
    assert TICKET not in str(error)


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost:9", "10.1.2.3", "[::1]:9"])
def test_within_a_private_network_it_may_be_open(
    client: DingTalkClient, dingtalk: responses.RequestsMock, dialled: list[tuple[str, dict[str, Any]]], host: str
) -> None:
    grant(dingtalk, f"ws://{host}/connect")
    with Door(client, TOPICS).open():
        pass
    assert "ssl" not in dialled[0][1]


@pytest.mark.parametrize("ticket", [None, "", "two words", "line\nbreak", {"a": 1}, "x" * 5000])
def test_what_is_no_ticket_opens_nothing(
    client: DingTalkClient, dingtalk: responses.RequestsMock, dialled: list[tuple[str, dict[str, Any]]], ticket: Any
) -> None:
    grant(dingtalk, ticket=ticket)
    assert (refusal(client).code, dialled) == ("malformed", [])


def test_wrong_credentials_are_the_operators(client: DingTalkClient, dingtalk: responses.RequestsMock) -> None:
    dingtalk.post(OPEN, status=401, json={"code": "authFailed", "message": "app-secret-value is wrong"})
    error = refusal(client)
    assert (error.kind, error.code) == (FailureKind.CONFIGURATION, "authFailed")
    assert "client_secret" in error.cure
    assert "app-secret-value" not in str(error)


def answered(status: int) -> Response:
    return Response(status, "", Headers())


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "connect"),
        (socket.gaierror(-2, "Name or service not known"), "connect"),
        (TimeoutError("timed out while waiting for handshake response"), "timeout"),
        (ssl.SSLCertVerificationError("certificate verify failed"), "certificate"),
        (ssl.SSLError("wrong version number"), "tls"),
        (InvalidStatus(answered(401)), "ticket"),
        (InvalidStatus(answered(503)), "http 503"),
        (InvalidProxy("ftp://p", "scheme ftp isn't supported"), "proxy"),
        (InvalidProxyMessage("did not receive a valid HTTP response from proxy"), "proxy"),
        (InvalidProxyStatus(answered(502)), "proxy"),
        (InvalidProxyStatus(answered(407)), "http 407"),
        (ImportError("connecting through a SOCKS proxy requires python-socks"), "proxy"),
        (InvalidURI(f"{ENDPOINT}?ticket={TICKET}", "not a URI"), "address"),
        (InvalidHandshake("no Upgrade header"), "broken"),
    ],
)
def test_each_trouble_of_connecting_has_its_row_and_shows_no_ticket(
    client: DingTalkClient,
    dingtalk: responses.RequestsMock,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Exception,
    code: str,
) -> None:
    def connect(*_: Any, **__: Any) -> None:
        raise trouble

    monkeypatch.setattr(line, "connect", connect)
    grant(dingtalk)
    error = refusal(client)
    assert error.code == code
    assert error.__cause__ is None
    assert error.__context__ is None
    assert TICKET not in f"{error} {error.cure}"


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"https_proxy": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"HTTPS_PROXY": "proxy.example:3128"}, "http://proxy.example:3128"),
        ({"all_proxy": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"http_proxy": "http://proxy.example:3128"}, None),
        ({"https_proxy": "http://proxy.example:3128", "no_proxy": ".dingtalk.com"}, None),
    ],
)
def test_it_goes_through_the_proxy_that_every_other_call_goes_through(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], proxy: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert line._way(f"{ENDPOINT}?ticket=x")["proxy"] == proxy


def test_it_trusts_the_authorities_that_every_other_call_trusts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trusted: list[str] = []
    monkeypatch.setattr(line, "_trusting", trusted.append)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authorities.pem"))
    line._way(ENDPOINT)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    line._way(ENDPOINT)
    assert trusted == [str(tmp_path / "authorities.pem"), DEFAULT_CA_BUNDLE_PATH]
    monkeypatch.undo()
    assert line._trusting(str(tmp_path)).verify_mode == ssl.CERT_REQUIRED
    assert line._trusting(DEFAULT_CA_BUNDLE_PATH).check_hostname


def test_a_bundle_that_is_not_there_is_told(
    client: DingTalkClient, dingtalk: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    grant(dingtalk)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    assert "No such file" in str(refusal(client))


def test_a_proxy_that_wants_a_password_says_so(client: DingTalkClient, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def refuse() -> None:
            with proxy.accept()[0] as connection:
                asked.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.getsockname()[1]}")
        with pytest.raises(EdgeError) as caught, ExitStack() as held:
            Door(client, TOPICS)._connect("ws://10.255.255.1:81/connect?ticket=x", held)
        thread.join(5)
    assert asked[0].startswith(b"CONNECT 10.255.255.1:81 HTTP/1.1")
    assert (caught.value.code, caught.value.kind) == ("http 407", FailureKind.CONFIGURATION)
