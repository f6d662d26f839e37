"""A configuration between the two simulated systems, for the doctor alone: no daemon runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdsync.clock import SystemClock
from kdsync.settings.load import Loaded, load
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.kingdee import SimulatedKingdee

SECRETS = {"DT_SECRET": "the-secret-of-the-app"}
RULE: dict[str, Any] = {
    "id": "approved",
    "form": "AP_PAYBILL",
    "on": "approved",
    "to": ["user:user1", "creator"],
    "message": {"title": "{{ doc.FBillNo }}"},
}


class Hasty(SystemClock):
    """Nobody waits before another try."""

    def wait(self, event: threading.Event, seconds: float | None) -> bool:  # noqa: ARG002  # the protocol's
        return event.is_set()


@pytest.fixture
def clock() -> Hasty:
    return Hasty()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def kingdee() -> Iterator[SimulatedKingdee]:
    with SimulatedKingdee(SystemClock()) as server:
        server.add_user("kd1", "Person 1", "13800000001")
        server.create("AP_PAYBILL", "OLD1", "C")
        yield server


@pytest.fixture(scope="module")
def dingtalk() -> Iterator[SimulatedDingTalk]:
    secret = SECRETS["DT_SECRET"]
    with SimulatedDingTalk(SystemClock(), client_id="ding", client_secret=secret, agent_id=77, qps=10_000) as server:
        server.add_user("user1", "Person 1", "13800000001")
        yield server


@pytest.fixture(autouse=True)
def all_well(kingdee: SimulatedKingdee, dingtalk: SimulatedDingTalk) -> None:
    kingdee.clear_faults()
    kingdee.forget_sessions()
    kingdee.unlock(kingdee.credentials.username)
    dingtalk.clear_faults()


Configure = Callable[..., Loaded]


@pytest.fixture
def configure(tmp_path: Path, kingdee: SimulatedKingdee, dingtalk: SimulatedDingTalk) -> Configure:
    """Write kdsync.yaml with some sections changed, and load it."""

    def written(
        *rules: dict[str, Any],
        kd: dict[str, Any] | None = None,
        dt: dict[str, Any] | None = None,
        actions: Sequence[dict[str, Any]] = (),
        intake: Sequence[dict[str, Any]] = (),
        **sections: Any,
    ) -> Loaded:
        ours = kingdee.credentials
        main: dict[str, Any] = {
            "kingdee": {
                "url": kingdee.url,
                "acct_id": ours.acct_id,
                "username": ours.username,
                "app_id": ours.app_id,
                "app_secret": {"env": "KD_SECRET"},
                "timeout": "10s",
                **(kd or {}),
            },
            "dingtalk": {
                "api_url": dingtalk.url,
                "oapi_url": dingtalk.url,
                "client_id": "ding",
                "client_secret": {"env": "DT_SECRET"},
                "agent_id": 77,
                **(dt or {}),
            },
            "store": {"url": f"sqlite:///{tmp_path}/kdsync.db"},
            "rules": ["rules.yaml"],
            "fallback": ["user:user1"],
            **sections,
        }
        (tmp_path / "kdsync.yaml").write_text(yaml.safe_dump(main))
        rule_file = {"rules": list(rules) or [RULE], "actions": list(actions), "intake": list(intake)}
        (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule_file))
        secrets = {"KD_SECRET": ours.app_secret, "KD_PASSWORD": ours.password, "KD_WRONG": "wrong", **SECRETS}
        return load(tmp_path / "kdsync.yaml", secrets)

    return written
