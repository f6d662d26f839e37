"""What is no ordinary change, between the two simulated systems."""

from __future__ import annotations

from tests.integration.company import FORM, Company

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
    company.wired.watchers[FORM].condition.pause_until = 0.0
    company.wired.watchers[FORM].tick()
    assert not [request for request in company.kingdee.requests if request.op == "ExecuteBillQuery"]
    assert len(company.shown(OPERATOR, "kdsync accept account")) == 1

    company.kingdee.data_centre = ours
    daemon.close()
    company.start()
    company.until(lambda: company.shown("user1", "THEIRS"))
