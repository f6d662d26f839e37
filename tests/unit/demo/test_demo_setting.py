"""The demo's configuration is the shipped one but for where it points, and kdsync accepts it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kdsync.clock import SystemClock
from kdsync.demo import rerun, setting
from kdsync.demo.setting import Setting, connection, secrets, shipped, write
from kdsync.demo.stage import stage
from kdsync.errors import KdsyncError
from kdsync.settings.load import Loaded, load


@dataclass(frozen=True, slots=True)
class Written:
    folder: Path
    loaded: Loaded


@pytest.fixture(params=[Setting(), Setting(rerun.POLL, 20_000, {"replay.yaml": rerun.RULES})], ids=["demo", "replay"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Written]:
    with stage(SystemClock()) as on:
        file = write(tmp_path, request.param, connection(on.kingdee, on.dingtalk))
        yield Written(tmp_path, load(file, secrets(on.kingdee)))


def test_kdsync_accepts_it_and_nothing_is_held_back_until_the_morning(written: Written) -> None:
    main = written.loaded.settings.main
    assert main.calendar.quiet is None
    assert main.poll.interval == 1.0
    assert main.store.url.endswith(f"{written.folder}/kdsync.db")


def test_the_directory_is_the_shipped_one(written: Written) -> None:
    assert (written.folder / "directory.yaml").read_bytes() == (shipped() / "directory.yaml").read_bytes()


def test_the_rules_of_the_demo_are_the_shipped_ones(tmp_path: Path) -> None:
    with stage(SystemClock()) as on:
        write(tmp_path, Setting(), connection(on.kingdee, on.dingtalk))
    names = sorted(file.name for file in (shipped() / "rules").iterdir())
    assert names == sorted(file.name for file in (tmp_path / "rules").iterdir())
    assert all((tmp_path / "rules" / name).read_bytes() == (shipped() / "rules" / name).read_bytes() for name in names)


def test_no_secret_stands_in_it(tmp_path: Path) -> None:
    with stage(SystemClock()) as on:
        file = write(tmp_path, Setting(), connection(on.kingdee, on.dingtalk))
        assert not [value for value in secrets(on.kingdee).values() if value in file.read_text(encoding="utf-8")]


def test_without_a_clone_it_comes_from_where_pip_put_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "share" / "kdsync" / "config"
    folder.mkdir(parents=True)
    (folder / "kdsync.yaml").touch()
    monkeypatch.setattr(setting, "__file__", str(tmp_path / "site-packages" / "kdsync" / "demo" / "setting.py"))
    monkeypatch.setattr("sysconfig.get_path", lambda _name, _scheme: str(tmp_path))
    assert shipped() == folder


def test_an_installation_without_the_examples_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(setting, "__file__", str(tmp_path / "kdsync" / "demo" / "setting.py"))
    monkeypatch.setattr("sysconfig.get_path", lambda _name, _scheme: str(tmp_path))
    with pytest.raises(KdsyncError, match="install kdsync again"):
        shipped()
