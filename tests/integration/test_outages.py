"""Kingdee or DingTalk is down while the whole daemon runs: nothing is lost, and people are told twice in all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kdsync.cli import status
from kdsync.delivery import breaker
from kdsync.services import channels
from tests.integration.company import APPROVED, FORM, Company

ORDERS = {"id": "orders", "form": "PUR_PurchaseOrder", "message": {"title": "{{ doc.FBillNo }}"}}
TWO_FORMS = (APPROVED, {**APPROVED, **ORDERS})
SEND = "asyncsend_v2"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outages of seconds instead of minutes."""
    monkeypatch.setattr(breaker, "PATIENCE", 1.5)
    monkeypatch.setattr(breaker, "LEAST", 0.2)
    monkeypatch.setattr(channels, "SOONEST", 2.0)


def held(company: Company, capsys: pytest.CaptureFixture[str]) -> Any:
    """What `kdsync status` says is down, and the page for probes too."""
    capsys.readouterr()
    status.status(company.config, json_output=True)
    return [hold["channel"] for hold in json.loads(capsys.readouterr().out)["holds"]]


def is_open(company: Company, system: str, value: str) -> bool:
    return f'kdsync_breaker_open{{system="{system}"}} {value}' in company.page("/metrics")[1]


def group_titles(company: Company) -> list[str]:
    return [seen.title for seen in company.dingtalk.seen("night-shift")]


def with_a_group(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBOT", "robot-token")
    company.dingtalk.add_group_robot("night-shift", "robot-token")
    company.environ["ROBOT"] = "robot-token"
    section = {
        "api_url": company.dingtalk.url,
        "oapi_url": company.dingtalk.url,
        "client_id": "ding",
        "client_secret": {"env": "DT_SECRET"},
        "agent_id": 77,
        "groups": {"night-shift": {"token": {"env": "ROBOT"}}},
    }
    company.configure(APPROVED, dingtalk=section)


def test_kingdee_is_down(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    company.configure(*TWO_FORMS)
    company.start()
    company.kingdee.fault("reset", probability=1.0)
    company.pay("MEANWHILE", "C")
    company.until(lambda: company.shown("user5", "不可用"))
    assert held(company, capsys) == ["kingdee"]
    ready, text = company.page("/health/ready")
    assert ready == 200
    assert "kingdee" in json.loads(text)["down"]
    company.until(lambda: is_open(company, "kingdee", "1.0"))
    before = len(company.kingdee.requests)
    company.until(lambda: len(company.kingdee.requests) > before)  # it is still asked
    company.kingdee.clear_faults()
    company.until(lambda: company.shown("user5", "已恢复"), 30)
    company.until(lambda: company.shown("user1", "MEANWHILE"), 10)
    company.until(lambda: is_open(company, "kingdee", "0.0"))
    assert held(company, capsys) == []
    titles = [seen.title for seen in company.dingtalk.seen("user5")]
    assert titles == ["Kingdee 不可用", "Kingdee 已恢复"]
    assert len(company.shown("user1", "MEANWHILE")) == 1


def test_kingdee_is_not_there_when_the_daemon_starts(company: Company) -> None:
    company.kingdee.fault("reset", probability=1.0)
    company.start(ready=False)
    company.until(lambda: company.shown("user5", "不可用"))
    assert company.page("/health/ready")[0] == 503
    company.kingdee.clear_faults()
    company.until(lambda: company.page("/health/ready")[0] == 200, 30)
    company.pay("BOOT", "C")
    company.until(lambda: company.shown("user1", "BOOT"))
    assert len(company.shown("user5", "已恢复")) == 1


def test_dingtalk_takes_no_work_notifications(
    company: Company, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_a_group(company, monkeypatch)
    company.start()
    company.dingtalk.fault("http500", probability=1.0, api=SEND)
    numbers = [f"WAIT{number}" for number in range(6)]
    for number in numbers:
        company.pay(number, "C")
    company.until(lambda: group_titles(company))
    assert group_titles(company) == ["DingTalk 不可用"]
    assert held(company, capsys) == ["work"]
    company.until(lambda: is_open(company, "work", "1.0"))
    tried = [call for call in company.dingtalk.calls if SEND in call.api]
    assert 3 <= len(tried) <= 30
    company.dingtalk.clear_faults()
    company.until(lambda: all(company.shown(who, number) for who in ("user1", "user2") for number in numbers), 30)
    company.until(lambda: company.shown("user5", "已恢复"))
    company.until(lambda: len(group_titles(company)) == 2)
    assert group_titles(company)[1] == "DingTalk 已恢复"
    assert [len(company.shown("user2", number)) for number in numbers] == [1] * 6
    assert held(company, capsys) == []


def test_a_document_is_told_in_order_through_an_outage(company: Company) -> None:
    rules = [
        {**APPROVED, "id": kind, "on": kind, "message": {"title": f"{kind} {{{{ doc.FBillNo }}}}"}} for kind in ORDER
    ]
    company.configure(*rules)
    company.start()
    company.dingtalk.fault("busy88", probability=0.7, api=SEND)
    ident = company.pay("ORDER1")
    for step in (company.kingdee.submit, company.kingdee.audit):
        company.until(lambda: noticed(company) >= 1)
        step(FORM, ident)
    company.until(lambda: noticed(company) == len(ORDER))
    company.dingtalk.clear_faults()
    company.until(lambda: len(company.shown("user1", "ORDER1")) == len(ORDER), 30)
    assert [text.split()[0] for text in company.shown("user1", "ORDER1")] == list(ORDER)


ORDER = ("created", "submitted", "approved")


def noticed(company: Company) -> int:
    with company.wired.db.read() as tx:
        return int(tx.exec_driver_sql("SELECT count(*) FROM notifications WHERE number = 'ORDER1'").scalar_one())
