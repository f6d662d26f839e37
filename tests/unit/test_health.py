"""The health pages where they cannot be served."""

from __future__ import annotations

import socket

import pytest

from kdsync.errors import KdsyncError
from kdsync.health import HealthServer


def test_an_address_that_another_program_has_is_named_with_what_to_do() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(KdsyncError, match=rf"cannot listen on 127\.0\.0\.1:{taken.getsockname()[1]}: .* in use \(set "),
    ):
        HealthServer(taken.getsockname(), live=dict, ready=dict, metrics=bytes)
