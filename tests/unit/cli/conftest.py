"""A configuration for commands that look at the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kdsync.store.database import Database

MAIN = """
kingdee: {url: "http://127.0.0.1/K3Cloud/", acct_id: a, username: u, app_id: i, app_secret: {env: KD}}
dingtalk: {client_id: d, client_secret: {env: KD}, agent_id: 1}
store: {url: "sqlite:///kdsync.db"}
fallback: [user:ops1]
"""
RULES = "rules: [{id: one, form: AP_PAYBILL, on: approved, to: [creator], message: {title: x}}]\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "rules.yaml").write_text(RULES)
    (tmp_path / "kdsync.yaml").write_text(MAIN)
    monkeypatch.setenv("KD", "kingdee-secret")
    return tmp_path / "kdsync.yaml"


@pytest.fixture
def store(config: Path) -> Iterator[Database]:
    """The store of that configuration, with today's tables."""
    database = Database(f"sqlite:///{config.with_name('kdsync.db')}")
    database.migrate()
    yield database
    database.close()
