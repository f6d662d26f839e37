"""The whole daemon between systems whose clocks differ from its own, or are set while it runs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import Any

import pytest
from apscheduler.schedulers import base

from tests.integration.company import APPROVED, FORM, Company

HOUR, YEARS = 3600.0, 30 * 365 * 86_400.0
TO_ALL = {**APPROVED, "to": ["role:cashier", "group:finance"]}


@pytest.fixture
def office(company: Company, monkeypatch: pytest.MonkeyPatch) -> Company:
    """A company with a group robot that checks signatures, and a scheduler that reads the clock that is set."""

    class Turned(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return company.clock.now().astimezone(tz or UTC)

    monkeypatch.setattr(base, "datetime", Turned)
    monkeypatch.setattr("kdsync.schedule.datetime", Turned)
    company.environ["ROBOT"] = "this is a secret"
    monkeypatch.setenv("ROBOT", "this is a secret")
    company.dingtalk.add_group_robot("Finance", "robot-token", "this is a secret")
    robot = {"token": {"env": "TOKEN"}, "secret": {"env": "ROBOT"}}
    company.environ["TOKEN"] = "robot-token"
    company.configure(TO_ALL, dingtalk=_dingtalk(company, robot))
    return company


def _dingtalk(company: Company, robot: Any) -> dict[str, Any]:
    secret = {"env": "DT_SECRET"}
    urls = {"api_url": company.dingtalk.url, "oapi_url": company.dingtalk.url}
    return {**urls, "client_id": "ding", "client_secret": secret, "agent_id": 77, "groups": {"finance": robot}}


def told_once(office: Company, number: str) -> None:
    """Both cashiers and the group see it, and it stays with that."""
    receivers = ("user1", "user2", "Finance")
    office.until(lambda: all(office.shown(who, number) for who in receivers), 40.0)
    assert [len(office.shown(who, number)) for who in receivers] == [1, 1, 1]


def offset(office: Company, system: str) -> float:
    found = re.search(rf'clock_offset_seconds{{system="{system}"}} (\S+)', office.page("/metrics")[1])
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize(
    ("kingdee", "dingtalk", "machine"),
    [(180.0, -180.0, 0.0), (5 * HOUR, -5 * HOUR, 0.0), (0.0, 0.0, -26 * HOUR), (-HOUR, 0.0, YEARS)],
)
def test_clocks_that_differ_from_the_start(office: Company, kingdee: float, dingtalk: float, machine: float) -> None:
    office.kingdee.clock_skew, office.dingtalk_clock.ahead, office.clock.ahead = kingdee, dingtalk, machine
    office.start()
    office.pay("FKD1", "C")
    told_once(office, "FKD1")
    office.until(lambda: abs(offset(office, "kingdee") - kingdee + machine) <= 1.5)
    office.until(lambda: abs(offset(office, "dingtalk") - dingtalk + machine) <= 1.5)
    office.until(lambda: office.shown("user5", "The clock of") or office.shown("user5", "时钟"))


@pytest.mark.parametrize("jump", [-YEARS, -HOUR, -5.0, 5.0, HOUR, YEARS])
def test_the_machines_clock_is_set_while_everything_runs(office: Company, jump: float) -> None:
    office.start()
    office.pay("FKD1", "C")
    told_once(office, "FKD1")
    office.clock.ahead = jump
    office.pay("FKD2", "C")
    told_once(office, "FKD2")
    office.clock.ahead = 0.0
    office.pay("FKD3", "C")
    told_once(office, "FKD3")
    for number in ("FKD1", "FKD2"):
        told_once(office, number)
    assert f'missed_changes_total{{form="{FORM}"}} 0.0' in office.page("/metrics")[1]


@pytest.mark.parametrize("step", [-2 * HOUR, 2 * HOUR])
def test_kingdees_and_dingtalks_clocks_are_set_while_everything_runs(office: Company, step: float) -> None:
    """Kingdee refuses the old time stamp at the next login, the robot the old signature at the next message."""
    office.start()
    office.pay("FKD1", "C")
    told_once(office, "FKD1")
    office.kingdee.clock_skew = office.dingtalk_clock.ahead = step
    office.kingdee.forget_sessions()
    office.pay("FKD2", "C")
    told_once(office, "FKD2")
    assert f'missed_changes_total{{form="{FORM}"}} 0.0' in office.page("/metrics")[1]


@pytest.mark.parametrize("jump", [-YEARS, -HOUR, HOUR, YEARS])
def test_a_restart_with_another_time_on_the_machine(office: Company, jump: float) -> None:
    daemon = office.start()
    office.pay("FKD1", "C")
    told_once(office, "FKD1")
    daemon.wired.upkeep.step()
    daemon.close()
    office.pay("FKD2", "C")
    office.clock.ahead = jump
    daemon = office.start()
    told_once(office, "FKD2")
    assert len(office.shown("user1", "FKD1")) == 1
    office.until(lambda: abs((daemon.wired.clock.now() - office.dingtalk_clock.now()).total_seconds()) < 3)
