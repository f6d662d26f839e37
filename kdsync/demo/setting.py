"""Where the shipped configuration is, and a copy of it that points at the simulated systems."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kdsync.errors import KdsyncError
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.kingdee import SimulatedKingdee

APP_SECRET = "KDSYNC_KINGDEE_APP_SECRET"  # noqa: S105  # the name of a variable
CLIENT_SECRET = "KDSYNC_DINGTALK_CLIENT_SECRET"  # noqa: S105  # the same
ROBOT_TOKEN, ROBOT_SECRET = "KDSYNC_FINANCE_ROBOT_TOKEN", "KDSYNC_FINANCE_ROBOT_SECRET"
SIMULATED = {
    CLIENT_SECRET: "simulated-client-secret",
    ROBOT_TOKEN: "simulated-finance-robot",
    ROBOT_SECRET: "SECsimulatedfinancerobot",
}
"""What opens the simulated DingTalk, by the variable that hands it to kdsync."""
CLIENT_ID, AGENT_ID = "dingsimulatedapp", 123456789


@dataclass(frozen=True, slots=True)
class Poll:
    """How often the daemon looks, in whole seconds."""

    interval: int = 1
    sweep: int = 2
    lookback: int = 300

    def section(self) -> dict[str, str]:
        """The `poll` section of kdsync.yaml."""
        return {"interval": f"{self.interval}s", "sweep": f"{self.sweep}s", "lookback": f"{self.lookback}s"}


@dataclass(frozen=True, slots=True)
class Setting:
    """A configuration for a daemon between the simulated systems. Without `rules` it has the shipped ones."""

    poll: Poll = field(default_factory=Poll)
    monthly_calls: int = 5000
    rules: Mapping[str, str] = field(default_factory=dict)  # text of rule files by name


def shipped() -> Path:
    """The folder of the example configuration: beside the package in a clone, else where pip put it."""
    beside = Path(__file__).parents[2] / "config"
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    installed = [Path(sysconfig.get_path("data", scheme)) / "share" / "kdsync" / "config" for scheme in schemes]
    for folder in (beside, *installed):
        if (folder / "kdsync.yaml").is_file():
            return folder
    places = " or ".join(str(folder) for folder in (beside, *installed))
    raise KdsyncError(f"the example configuration is not at {places}: install kdsync again")


def connection(kingdee: SimulatedKingdee, dingtalk: SimulatedDingTalk) -> dict[str, Any]:
    """The sections of kdsync.yaml that reach the simulated systems."""
    known = kingdee.credentials
    return {
        "kingdee": {
            "url": kingdee.url,
            "acct_id": known.acct_id,
            "username": known.username,
            "app_id": known.app_id,
            "app_secret": {"env": APP_SECRET},
            "auth": "sign",
            "timezone": kingdee.timezone,
        },
        "dingtalk": {
            "api_url": dingtalk.url,
            "oapi_url": dingtalk.url,
            "client_id": CLIENT_ID,
            "client_secret": {"env": CLIENT_SECRET},
            "agent_id": AGENT_ID,
            "groups": {"finance": {"token": {"env": ROBOT_TOKEN}, "secret": {"env": ROBOT_SECRET}}},
        },
    }


def secrets(kingdee: SimulatedKingdee) -> dict[str, str]:
    """The environment variables that `connection` speaks of."""
    return {APP_SECRET: kingdee.credentials.app_secret, **SIMULATED}


def write(folder: Path, setting: Setting, reach: Mapping[str, Any]) -> Path:
    """Lay out a configuration in `folder`: the shipped one, but for connections, store, polling, and quiet hours,
    which would hold a demo back until the morning. Returns kdsync.yaml."""
    source = shipped()
    main = yaml.safe_load((source / "kdsync.yaml").read_text(encoding="utf-8"))
    main |= {
        "kingdee": reach["kingdee"],
        "dingtalk": {**reach["dingtalk"], "monthly_calls": setting.monthly_calls},
        "store": {"url": "sqlite:///kdsync.db"},
        "poll": setting.poll.section(),
        "listen": "127.0.0.1:0",
        "calendar": {key: value for key, value in main["calendar"].items() if key != "quiet"},
    }
    for form in main["forms"].values():
        if "interval" in form:
            form["interval"] = f"{setting.poll.interval}s"
    file = folder / "kdsync.yaml"
    file.write_text(yaml.safe_dump(main, allow_unicode=True, sort_keys=False), encoding="utf-8")
    shutil.copy(source / "directory.yaml", folder)
    _write_rules(folder / "rules", source / "rules", setting.rules)
    return file


def _write_rules(folder: Path, source: Path, rules: Mapping[str, str]) -> None:
    if not rules:
        shutil.copytree(source, folder)
        return
    folder.mkdir()
    for name, text in rules.items():
        (folder / name).write_text(text, encoding="utf-8")
