"""Who only tells does not need the host of Stream; who listens does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from kdsync.clock import SystemClock
from kdsync.doctor import dingtalk
from kdsync.doctor.finding import FAILED, WARNING, Finding


@pytest.mark.parametrize(
    ("actions", "intakes", "result"), [((), (), WARNING), (("confirm",), (), FAILED), ((), ("claim",), FAILED)]
)
def test_a_host_of_stream_that_is_not_reached(
    monkeypatch: pytest.MonkeyPatch, actions: tuple[str, ...], intakes: tuple[str, ...], result: str
) -> None:
    monkeypatch.setattr(dingtalk, "reach", lambda *_: [Finding("dingtalk stream name", FAILED, "no such host", "DNS")])
    loaded = cast("Any", SimpleNamespace(actions=actions, intakes=intakes))
    (found,) = dingtalk._stream(loaded, SystemClock())
    assert found.result == result
    assert ("as long as kdsync only tells" in found.cure) is (result == WARNING)
