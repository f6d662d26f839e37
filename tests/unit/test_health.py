"""The health pages where something is wrong with them, or with who asks."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from structlog.testing import capture_logs

from kdsync.errors import KdsyncError, StoreUnusableError
from kdsync.health import HealthServer


def unusable() -> dict[str, Any]:
    raise StoreUnusableError("the disk is full")


def broken() -> bytes:
    raise ZeroDivisionError


@pytest.fixture
def ask() -> Iterator[Callable[[str, str], tuple[int, bytes]]]:
    server = HealthServer(("127.0.0.1", 0), live=lambda: {"ok": True}, ready=unusable, metrics=broken)

    def asked(method: str, path: str) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)) as connection:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    yield asked
    server.close()


def test_a_page_that_the_store_keeps_from_being_made_says_so(ask: Callable[[str, str], tuple[int, bytes]]) -> None:
    status, body = ask("GET", "/health/ready")
    assert (status, json.loads(body)) == (503, {"ok": False, "error": "the disk is full"})


def test_a_probe_may_ask_for_the_head_only(ask: Callable[[str, str], tuple[int, bytes]]) -> None:
    assert ask("HEAD", "/health/live") == (200, b"")


def test_a_mistake_of_ours_is_a_line_in_the_log_and_nothing_beside_it(
    ask: Callable[[str, str], tuple[int, bytes]], capfd: pytest.CaptureFixture[str]
) -> None:
    with capture_logs() as logs, pytest.raises(http.client.RemoteDisconnected):
        ask("GET", "/metrics")
    assert [line["event"] for line in logs] == ["health.failed"]
    assert ask("GET", "/health/live")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_an_address_of_the_newer_kind() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    server = HealthServer(("::1", 0), live=lambda: {"ok": True}, ready=dict, metrics=bytes)
    try:
        with closing(http.client.HTTPConnection("::1", server.port, timeout=5)) as connection:
            connection.request("GET", "/health/live")
            assert connection.getresponse().status == 200
    finally:
        server.close()


def test_dns_is_not_asked_for_the_name_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getfqdn", None)
    HealthServer(("127.0.0.1", 0), live=dict, ready=dict, metrics=bytes).close()


def test_an_address_that_another_program_has_is_named_with_what_to_do() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(KdsyncError, match=rf"cannot listen on 127\.0\.0\.1:{taken.getsockname()[1]}: .* in use \(set "),
    ):
        HealthServer(taken.getsockname(), live=dict, ready=dict, metrics=bytes)
