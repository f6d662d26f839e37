"""What is no ordinary change, between the two simulated systems."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest

from kdsync.cli import trace
from kdsync.cli.accept import accept
from kdsync.errors import KdsyncError
from kdsync.wiring import Wired
from tests.integration.company import APPROVED, FORM, Company

OPERATOR = "user5"


def test_another_account_set_is_told_once_and_nothing_is_read_until_it_is_gone(company: Company) -> None:
    company.pay("OLD1")
    daemon = company.start()
    ours = company.kingdee.data_centre
    company.kingdee.data_centre = ("another", "Copy for tests")
    company.kingdee.forget_sessions()
    company.until(lambda: company.shown(OPERATOR, "another account set answers"))
    company.kingdee.requests.clear()
    company.pay("THEIRS", "C")
    company.wired.watchers[FORM].condition.setbacks.forgive()
    company.wired.watchers[FORM].tick()
    assert not [request for request in company.kingdee.requests if request.op == "ExecuteBillQuery"]
    assert len(company.shown(OPERATOR, "kdsync accept account")) == 1

    company.kingdee.data_centre = ours
    daemon.close()
    company.start()
    company.until(lambda: company.shown("user1", "THEIRS"))


def test_an_account_set_that_an_operator_accepts(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    daemon = company.start()
    daemon.close()
    company.kingdee.data_centre = ("another", "Moved")
    assert accept(company.config, "account", json_output=True) == 0
    assert json.loads(capsys.readouterr().out) == {"accepted": "account"}
    company.start()
    company.pay("NEW1", "C")
    company.until(lambda: company.shown("user1", "NEW1"))
    assert not company.shown(OPERATOR, "another account set")


def test_a_restored_backup_between_the_two_systems(company: Company) -> None:
    company.configure({**APPROVED, "on": ["created", "deleted", "rejected", "approved"]})
    company.kingdee.clock_skew = -7200.0
    old = [company.pay(f"OLD{number}") for number in range(40)]
    company.kingdee.clock_skew = 0.0
    company.start()
    backup = company.kingdee.backup()
    for number in range(15):
        company.pay(f"LOST{number}")
    company.kingdee.edit(FORM, old[0], FREMARK="edited after the backup")
    company.until(lambda: len(company.shown("user1", "LOST")) == 15)
    company.kingdee.restore(backup)
    company.until(lambda: company.shown(OPERATOR, "15"))
    again = company.pay("AGAIN")  # its id was given before
    company.kingdee.submit(FORM, again)
    company.kingdee.audit(FORM, again)
    company.until(lambda: company.shown("user1", "AGAIN"))
    company.wired.watchers[FORM].reconcile()
    assert len(company.shown("user1", "LOST")) == 15
    assert len(company.shown(OPERATOR, "LOST0")) == 1
    story = list(trace.gather(company.wired.db, company.wired.seal, company.kingdee.credentials.acct_id, "LOST14"))
    assert [line["found_by"] for line in story if line["what"] == "noticed"][-1] == "restore"


def test_two_documents_of_one_number_are_told_apart_by_trace(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    company.start()
    one = company.pay("SAME", "C")
    other = company.pay("OTHER")
    company.kingdee.write_back(FORM, other, FBillNo="SAME")
    company.kingdee.submit(FORM, other)
    company.kingdee.audit(FORM, other)
    company.until(lambda: len(company.shown("user1", "SAME")) == 2)
    company.until(lambda: company.shown(OPERATOR, f"{one}, {other}"))
    assert trace.trace(company.config, "SAME", json_output=True) == 0
    lines = json.loads(capsys.readouterr().out)
    assert {line["doc_id"] for line in lines if line.get("rule") == "approved"} == {str(one), str(other)}
    assert trace.trace(company.config, "SAME", json_output=False) == 0
    said = capsys.readouterr().out
    assert f"rule approved, {FORM} {one}" in said
    assert f"rule approved, {FORM} {other}" in said


def test_deletions_held_back_are_told_after_an_operators_word(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    company.configure({**APPROVED, "on": ["deleted"]})
    for number in range(30):
        company.pay(f"BILL{number}")
    company.start()
    company.kingdee.grant(FORM, "FBillNo like 'BILL1%'")
    company.until(lambda: company.shown(OPERATOR, "kdsync accept"))
    assert not company.shown("user1", "BILL")
    with pytest.raises(KdsyncError, match="neither `account` nor a form"):
        accept(company.config, "NOPE", json_output=False)
    assert accept(company.config, FORM.lower(), json_output=False) == 0
    assert "held back" in capsys.readouterr().out
    company.until(lambda: len(company.shown("user1", "BILL")) == 19)
    company.until(lambda: company.shown(OPERATOR, "警报已解除"))


def queries(company: Company, look: Callable[[], object]) -> int:
    """How many queries a look takes."""
    company.kingdee.requests.clear()
    look()
    return sum(request.op == "ExecuteBillQuery" for request in company.kingdee.requests)


def test_what_it_costs_to_be_sure_of_the_end(company: Company) -> None:
    hour_ago = (company.clock.now() + timedelta(hours=7)).strftime("%Y-%m-%dT%H:%M:%S")  # Shanghai is eight ahead
    company.kingdee.load(FORM, [{"FBillNo": "OLD", "FCreateDate": hour_ago, "FModifyDate": hour_ago}])
    wired = Wired(company.load(), company.clock, Random(1))
    watcher = wired.watchers[FORM]
    watcher.tick()
    assert queries(company, watcher.tick) == 1  # nothing happens
    company.pay("FKD1")
    assert queries(company, watcher.tick) == 2  # the cursor moves by an hour
    company.pay("FKD2")
    assert queries(company, watcher.tick) == 1  # by less than it looks back
    assert queries(company, watcher.sweep) == 1
    assert queries(company, watcher.reconcile) == 2  # all keys, and nothing behind them
    wired.close()
