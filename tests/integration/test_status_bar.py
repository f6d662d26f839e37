"""Between both systems: a form that asked somebody to decide says so until it is decided, wherever that happens."""

from __future__ import annotations

from typing import Any

import pytest

from kdsync.cli import trace
from kdsync.dingtalk.work import BAR
from kdsync.simulator.dingtalk_phones import Seen
from kdsync.store import ledger
from tests.integration.company import Company
from tests.integration.test_answers import DECIDE, EXPENSE, expense

ASSIGNED: dict[str, Any] = {
    "id": "expense-assigned",
    "form": EXPENSE,
    "on": "assigned",
    "to": ["assignee"],
    "message": {"title": "{{ doc.FBillNo }} waits for you", "fields": {"金额": "{{ doc.FExpAmountSum | money }}"}},
    "actions": ["approve", "reject"],
}
WAITING = ("待审批", "0xFFFF9D46")


@pytest.fixture
def office(company: Company) -> Company:
    company.configure(ASSIGNED, actions=DECIDE)
    company.start()
    company.until(lambda: company.wired.answering.stream.connected)
    return company


def message(office: Company, userid: str, title: str = "EXP1 waits") -> Seen:
    (seen,) = office.until(lambda: [one for one in office.dingtalk.seen(userid) if title in one.title])
    return seen  # type: ignore[no-any-return]  # what is waited for is anything


def bar(office: Company, userid: str) -> tuple[str, str]:
    seen = message(office, userid)
    return seen.status, seen.status_bg


def ask(office: Company, *receivers: str, **more: Any) -> Any:
    """An expense report waits, and everybody knows."""
    bill = expense(office, "EXP1", *(f"kd{userid[-1]}" for userid in receivers), **more)
    assert [bar(office, userid) for userid in receivers] == [WAITING] * len(receivers)
    return bill


@pytest.mark.parametrize(
    ("approve", "text", "colour"),
    [(True, "已处理 · 已审核", "0xFF78C06E"), (False, "已处理 · 重新审核", "0xFFF65E5E")],
)
def test_what_was_decided_in_kingdee_shows_in_the_message(
    office: Company, approve: bool, text: str, colour: str
) -> None:
    bill = ask(office, "user2")
    office.kingdee.answer_task(EXPENSE, bill, "kd2", approve)
    office.until(lambda: bar(office, "user2") == (text, colour))
    office.until(lambda: "bar changed" in told(office))
    office.wired.calls.flush()
    with office.wired.db.read() as tx:
        assert ledger.facts_like(tx, "bar:") == {}
        assert ledger.metered_calls(tx, office.clock.now().strftime("%Y-%m")) == office.dingtalk.metered_calls
    assert office.dingtalk.metered_calls == 2
    assert len(office.dingtalk.seen("user2")) == 1


def told(office: Company) -> list[str]:
    """What the trace says of the message, in order."""
    found = trace.gather(office.wired.db, office.wired.seal, office.kingdee.credentials.acct_id, "EXP1")
    return [str(line["what"]) for line in sorted(found, key=lambda line: str(line["at"])) if "letter" in line]


def test_what_was_decided_in_words_shows_in_the_message(office: Company) -> None:
    ask(office, "user2")
    office.dingtalk.say("user2", "同意 EXP1")
    office.until(lambda: bar(office, "user2") == ("已处理 · 已审核", "0xFF78C06E"))


def test_whoever_comes_next_is_asked_and_who_was_first_sees_that_it_goes_on(office: Company) -> None:
    bill = ask(office, "user2", then=["kd3"])
    office.kingdee.answer_task(EXPENSE, bill, "kd2", True)
    office.until(lambda: bar(office, "user2") == ("已处理 · 审核中", "0xFF858E99"))
    assert bar(office, "user3") == WAITING


def test_what_is_taken_back_is_over(office: Company) -> None:
    bill = ask(office, "user2")
    office.kingdee.withdraw(EXPENSE, bill)
    office.until(lambda: bar(office, "user2") == ("已处理 · 重新审核", "0xFFF65E5E"))


def test_what_is_decided_while_kdsync_is_down_shows_when_it_is_back(office: Company) -> None:
    bill = ask(office, "user2")
    assert office.daemon
    office.daemon.close()
    office.kingdee.answer_task(EXPENSE, bill, "kd2", True)
    office.start()
    office.until(lambda: bar(office, "user2") == ("已处理 · 已审核", "0xFF78C06E"))
    assert len(office.dingtalk.seen("user2")) == 1


def test_a_change_that_dingtalk_does_not_take_is_tried_again(office: Company) -> None:
    bill = ask(office, "user2")
    office.dingtalk.fault("busy_inside", times=2, api=BAR)
    office.kingdee.answer_task(EXPENSE, bill, "kd2", True)
    office.until(lambda: bar(office, "user2") == ("已处理 · 已审核", "0xFF78C06E"))
    office.until(lambda: told(office)[-1] == "bar changed")
