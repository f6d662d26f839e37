"""The kdsync that is measured: wired from configuration files like a real one, but its jobs are run by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from kdsync import logs
from kdsync.clock import SystemClock
from kdsync.interpreter import tune_interpreter
from kdsync.settings.load import load
from kdsync.wiring import Wired

ACCT_ID = "65a1b2c3d4e5f6"
USERNAME = "kdsync"
APP_ID = "224551_abcdefghijklmnopqrstuvwxyz012345"
APP_SECRET = "0123456789abcdef0123456789abcdef"
ENVIRON = {"APP_SECRET": APP_SECRET, "DINGTALK": "nothing is sent"}

MAIN = """
kingdee:
  url: {url}
  acct_id: {acct_id}
  username: {username}
  app_id: {app_id}
  app_secret: {{env: APP_SECRET}}
dingtalk: {{client_id: dingabcdef, client_secret: {{env: DINGTALK}}, agent_id: 123456789}}
store: {{url: "sqlite:///{folder}/kdsync.db"}}
rules: [rules.yaml]
fallback: [user:ops1]
"""


@contextmanager
def kdsync(folder: Path, url: str, rules: str) -> Iterator[Wired]:
    """A wired kdsync whose store and log are in `folder`. `rules` is the text of its rule file."""
    folder.mkdir(parents=True, exist_ok=True)
    known = {"url": url, "acct_id": ACCT_ID, "username": USERNAME, "app_id": APP_ID, "folder": folder}
    (folder / "kdsync.yaml").write_text(MAIN.format(**known))
    (folder / "rules.yaml").write_text(rules)
    loaded = load(folder / "kdsync.yaml", {**os.environ, **ENVIRON})
    with (folder / "log").open("w") as log:
        logs.configure(logs.Redactor(loaded.secrets), stream=log)
        wired = Wired(loaded, SystemClock(), Random(1))
        tune_interpreter()  # as the daemon does
        try:
            yield wired
        finally:
            wired.close()
