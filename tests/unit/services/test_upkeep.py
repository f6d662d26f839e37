"""Keeping house: the lag that an alarm is set on tells the truth whatever does not work."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kdsync.clock import FakeClock, KeptClock
from kdsync.errors import StoreUnusableError
from kdsync.metrics import Metrics
from kdsync.services.upkeep import Upkeep
from kdsync.store import forms, ledger
from kdsync.store.database import Database
from tests.unit.services.world import START

FORM, LEFT = "AP_PAYBILL", "AP_Payable"


def watcher() -> SimpleNamespace:
    """As one that has not looked yet."""
    return SimpleNamespace(condition=SimpleNamespace(last_ok=None, error=""), account_set="ours")


class House:
    """Upkeep of a daemon that watches two forms in the account set `ours`."""

    def __init__(self, folder: Path) -> None:
        self.machine = FakeClock(START)
        self.log_trouble = ""
        self.db = Database(f"sqlite:///{folder}/kdsync.db")
        self.db.migrate()
        self.begin()

    def begin(self) -> None:
        """A new process."""
        self.meter, self.clock = Metrics(), KeptClock(self.machine)
        self.watchers = {form: watcher() for form in (FORM, LEFT)}
        self.told: list[str] = []
        raised, cleared = (partial(self._tell, sign) for sign in "!.")
        notices = SimpleNamespace(db=self.db, raise_=raised, clear=cleared)  # no alarm stands
        parts: dict[str, Any] = {"people": None, "notices": notices, "watchers": lambda: dict(self.watchers)}
        quiet: dict[str, Any] = {"monthly_calls": lambda: 5000, "channels": tuple, "flush": lambda: None}
        quiet["log_trouble"] = lambda: self.log_trouble
        self.upkeep = Upkeep(db=self.db, clock=self.clock, meter=self.meter, **parts, **quiet)

    def _tell(self, sign: str, cause: str, text: str, **params: str) -> None:
        self.told.append(" ".join([f"{cause}{sign}", text, *params.values()]))

    def later(self, seconds: float) -> dict[str, float]:
        """The lags that are measured then."""
        self.machine.advance(seconds)
        self.upkeep.step()
        return self.lags()

    def lags(self) -> dict[str, float]:
        lines = [line for line in self.meter.text().decode().splitlines() if line.startswith("kdsync_lag_seconds{")]
        return {line.split('"')[1]: round(float(line.rpartition(" ")[2]), 3) for line in lines}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_form_that_was_never_seen_lags_behind_since_the_start(house: House) -> None:
    assert house.later(0) == {FORM: 0, LEFT: 0}
    house.watchers[LEFT].condition.last_ok = house.clock.now()
    assert house.later(30) == {FORM: 30, LEFT: 30}
    house.db.close()


def test_a_restart_while_kingdee_is_down_does_not_make_the_lag_small(house: House) -> None:
    with house.db.write() as tx:
        for account in ("another", "ours", "a third"):
            forms.load(tx, account, FORM)
    house.watchers[FORM].condition.last_ok = house.clock.now()
    house.later(5)
    house.begin()
    house.later(100)
    assert house.later(5)[FORM] == 110
    with house.db.read() as tx:
        noted = {account: forms.load(tx, account, FORM).last_ok_at for account in ("another", "ours", "a third")}
    assert [account for account, at in noted.items() if at] == ["ours"]
    house.db.close()


def test_the_lag_grows_while_the_store_cannot_be_used(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.later(0)

    def full() -> None:
        raise StoreUnusableError("the disk is full")

    monkeypatch.setattr(house.upkeep, "flush", full)
    with pytest.raises(StoreUnusableError):
        house.later(60)
    assert house.lags()[FORM] == 60
    house.db.close()


def test_a_form_that_is_watched_no_longer_lags_no_more(house: House) -> None:
    house.later(0)
    del house.watchers[LEFT]
    assert house.later(600) == {FORM: 600}
    house.db.close()


def test_why_a_form_cannot_be_looked_at_is_noted_before_anything_was_seen_of_it(house: House) -> None:
    house.watchers[FORM].condition.error = "the form does not exist"
    house.later(0)
    with house.db.read() as tx:
        noted = {cursor.form: cursor.last_error for cursor in forms.everything(tx, "ours")}
    assert noted == {FORM: "the form does not exist", LEFT: None}
    house.db.close()


def test_a_refused_reload_can_be_read_until_one_went_well_or_a_new_process_began(house: House) -> None:
    def noted(refused: str) -> str | None:
        house.upkeep.refused = refused
        house.later(5)
        with house.db.read() as tx:
            return ledger.fact(tx, ledger.RELOAD)

    assert [noted(refused) for refused in ("", "a mistake", "another", "")] == [None, "a mistake", "another", None]
    noted("a mistake")
    house.begin()
    assert noted(house.upkeep.refused) is None
    house.db.close()


def test_a_log_that_cannot_be_written_is_told_otherwise(house: House) -> None:
    for house.log_trouble in ("", "No space left on device", ""):
        house.later(5)
    assert house.told == ["log. log_back", "log! log No space left on device", "log. log_back"]
    house.db.close()
