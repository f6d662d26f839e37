"""A company with a Kingdee, a DingTalk and a daemon."""

from __future__ import annotations

import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import structlog
import yaml

from kdsync import logs
from kdsync.clock import SystemClock
from kdsync.daemon import LONGEST_SLEEP, Daemon
from kdsync.schedule import LOOKS
from kdsync.settings.load import Loaded, load
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.wiring import Wired

FORM = "AP_PAYBILL"
DT_SECRET = "the-secret-of-the-app"
BRISK = 5.0  # how much sooner all that is done every so often is done again
APPROVED: dict[str, Any] = {
    "id": "approved",
    "form": FORM,
    "on": "approved",
    "to": ["role:cashier"],
    "message": {"title": "{{ doc.FBillNo }} approved", "body": "{{ doc.FREALPAYAMOUNTFOR | money }}"},
}


class SetClock(SystemClock):
    """A machine's clock that can be set while everything runs."""

    ahead = 0.0  # seconds

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)


class BriskDaemon(Daemon):
    """What comes round every second comes round every fifth of one, and every job that soon."""

    def _every(self, seconds: float, work: Callable[[], object], name: str, start: float, by: str = LOOKS) -> None:
        super()._every(seconds / BRISK, work, name, start / BRISK, by)

    def _sleep(self) -> float:
        return min(super()._sleep(), LONGEST_SLEEP / BRISK)


class Company:
    """Both systems run from the start; the daemon when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock, self.dingtalk_clock = SetClock(), SetClock()
        self.kingdee = SimulatedKingdee(SystemClock()).start()
        self.dingtalk = SimulatedDingTalk(
            self.dingtalk_clock, client_id="ding", client_secret=DT_SECRET, agent_id=77
        ).start()
        self.people = {}
        for n in range(1, 6):
            self.people[n] = self.kingdee.add_user(f"kd{n}", f"Person {n}", f"1380000000{n}")
            self.dingtalk.add_user(f"user{n}", f"Person {n}", f"1380000000{n}")
        self.environ = {
            "KD_SECRET": self.kingdee.credentials.app_secret,
            "DT_SECRET": DT_SECRET,
        }
        self.daemon: Daemon | None = None
        self._log = (folder / "kdsync.log").open("w")
        self.log_to_file()
        self.configure()

    @property
    def wired(self) -> Wired:
        assert self.daemon is not None
        return self.daemon.wired

    def log_to_file(self) -> None:
        """Keep the daemon's log apart from what commands print."""
        logs.configure(logs.Redactor(self.environ.values()), stream=self._log)

    @property
    def config(self) -> Path:
        return self.folder / "kdsync.yaml"

    def configure(
        self, *rules: dict[str, Any], actions: Sequence[dict[str, Any]] = (), card_template: str = "", **sections: Any
    ) -> None:
        """Write the three files."""
        credentials = self.kingdee.credentials
        main: dict[str, Any] = {
            "kingdee": {
                "url": self.kingdee.url,
                "acct_id": credentials.acct_id,
                "username": credentials.username,
                "app_id": credentials.app_id,
                "app_secret": {"env": "KD_SECRET"},
                "timeout": "5s",
            },
            "dingtalk": {
                "api_url": self.dingtalk.url,
                "oapi_url": self.dingtalk.url,
                "client_id": "ding",
                "client_secret": {"env": "DT_SECRET"},
                "agent_id": 77,
                "card_template": card_template,
            },
            "store": {"url": f"sqlite:///{self.folder}/kdsync.db"},
            "poll": {"interval": "1s", "sweep": "1s", "lookback": "1m"},
            "listen": "127.0.0.1:0",
            "rules": ["rules.yaml"],
            "directory": "directory.yaml",
            "fallback": ["user:user5"],
        }
        self._write("kdsync.yaml", {**main, **sections})
        answers = {"actions": list(actions)} if actions else {}
        self._write("rules.yaml", {"rules": list(rules) or [APPROVED], **answers})
        self._write("directory.yaml", {"roles": {"cashier": ["user:user1", "user:user2"]}})

    def start(self, *, ready: bool = True) -> Daemon:
        """Run the daemon, where it is to get `ready` until its first looks are done."""
        self.daemon = BriskDaemon(Wired(self.load(), self.clock, Random(1)), self.load)
        self.daemon.start()
        self.until(lambda: self.page("/health/ready")[0] == 200 or not ready)
        return self.daemon

    def load(self) -> Loaded:
        return load(self.config, self.environ)

    def page(self, path: str) -> tuple[int, str]:
        """Status and text of one of the daemon's pages."""
        assert self.daemon is not None
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.daemon.port}{path}", timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def pay(self, number: str, status: str = "A", **fields: Any) -> Any:
        """A payment bill."""
        return self.kingdee.create(FORM, number, status, FREALPAYAMOUNTFOR=1200.5, **fields)

    def shown(self, userid: str, needle: str) -> list[str]:
        """The messages on somebody's phone that hold the needle."""
        texts = [f"{seen.title}\n{seen.text}" for seen in self.dingtalk.seen(userid)]
        return [text for text in texts if needle in text]

    def until(self, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
        """Wait for something that the daemon's threads do in real time; returns it."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.02)
        return found

    def close(self) -> None:
        if self.daemon is not None:
            self.daemon.close()
        self.kingdee.stop()
        self.dingtalk.stop()
        structlog.reset_defaults()
        logging.getLogger().handlers.clear()
        self._log.close()

    def _write(self, name: str, content: dict[str, Any]) -> None:
        (self.folder / name).write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
