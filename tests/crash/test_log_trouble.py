"""A log that cannot be written: people are told all the same, and the operators that the log has a gap."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.chapters import AMOUNT, rule
from tests.crash.house import BILL, House


def test_the_disk_that_the_log_goes_to_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kdsync.log").symlink_to("/dev/full")
    monkeypatch.setattr(House, "log", lambda _: "")  # who reads /dev/full never comes to an end
    with closing(House(tmp_path)) as house:
        house.configure(rule("paid", to=("user:user1",)))
        house.expect("无法写入日志", "user5")
        house.expect("paid NEW.", "user1")
        house.start()
        house.kingdee.create(BILL, "NEW", "C", **AMOUNT)
        house.finish()
        assert house.deaths == 0
