"""With `act_as: person` a change in Kingdee is made by the Kingdee user who asked for it, or not at all."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import yaml

from kdsync.cli import trace
from tests.integration.company import FORM, Company
from tests.integration.test_answers import ASSIGNED, CONFIRM, CREATED, DECIDE, EXPENSE, expense, status

CHANGES = ("Submit", "Audit", "WorkflowAudit", "Save", "Push")


@pytest.fixture
def office(company: Company) -> Company:
    company.configure(CREATED, ASSIGNED, actions=[CONFIRM, *DECIDE])
    main = yaml.safe_load(company.config.read_text())
    main["kingdee"]["act_as"] = "person"
    company.config.write_text(yaml.safe_dump(main))
    return company


def start(office: Company, **directory: Any) -> None:
    if directory:
        path = office.folder / "directory.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **directory}))
    office.start()
    office.until(lambda: office.wired.answering.stream.connected)


def changes(office: Company) -> list[tuple[str, int]]:
    """What was asked of Kingdee, each with the user in whose session."""
    return [(one.op, one.user) for one in office.kingdee.requests if one.op in CHANGES]


def test_a_payment_is_submitted_and_audited_by_who_said_so(office: Company) -> None:
    start(office)
    bill = office.pay("FKD1")
    office.dingtalk.say("user1", "确认付款 FKD1")
    office.until(lambda: office.shown("user1", "FKD1：确认付款 已完成"))
    assert changes(office) == [("Submit", office.people[1]), ("Audit", office.people[1])]
    assert office.kingdee.document(FORM, bill)["FApproverId"]["id"] == office.people[1]
    story = trace.gather(office.wired.db, office.wired.seal, office.kingdee.credentials.acct_id, "FKD1")
    assert all(line["detail"].startswith("as kd1") for line in story if line["what"] == "written")
    reads = {one.user for one in office.kingdee.requests if one.op == "ExecuteBillQuery"}
    assert reads == {office.kingdee.user}, "looking is the integration's"


def test_one_session_of_a_person_does_for_many_answers(office: Company) -> None:
    start(office)
    before = office.kingdee.logins
    for number in ("FKD1", "FKD2"):
        office.pay(number)
        office.dingtalk.say("user1", f"确认付款 {number}")
        done = f"{number}：确认付款 已完成"
        office.until(partial(office.shown, "user1", done))
    assert office.kingdee.logins == before + 1


def test_a_task_is_answered_in_the_session_of_its_receiver(office: Company) -> None:
    start(office)
    bill = expense(office, "EXP1", "kd2")
    office.until(lambda: office.shown("user2", "EXP1 waits"))
    office.dingtalk.say("user2", "同意 EXP1")
    office.until(lambda: status(office, EXPENSE, bill) == "C")
    assert changes(office) == [("WorkflowAudit", office.people[2])]


def test_the_operators_table_wins(office: Company) -> None:
    start(office, users={"kd3": "user1"})
    office.pay("FKD1")
    office.dingtalk.say("user1", "确认付款 FKD1")
    office.until(lambda: office.shown("user1", "FKD1：确认付款 已完成"))
    assert {user for _, user in changes(office)} == {office.people[3]}


def test_whom_the_table_gives_to_somebody_else_is_not_used_for_their_number(office: Company) -> None:
    start(office, users={"kd1": "user4"})
    bill = office.pay("FKD1")
    office.dingtalk.say("user1", "确认付款 FKD1")
    office.until(lambda: office.shown("user1", "FKD1：不知道您的金蝶账号"))
    assert (status(office, FORM, bill), changes(office)) == ("A", [])


def test_who_is_several_kingdee_users_is_none(office: Company) -> None:
    office.kingdee.add_user("kd1b", "Person 1", "13800000001")
    start(office)
    bill = office.pay("FKD1")
    office.dingtalk.say("user1", "确认付款 FKD1")
    office.until(lambda: office.shown("user1", "FKD1：不知道您的金蝶账号"))
    office.until(lambda: office.shown("user5", "kd1, kd1b"))
    assert (status(office, FORM, bill), changes(office)) == ("A", [])


def test_a_person_whom_the_authorisation_does_not_list_hears_so_and_nobody_acts_for_them(office: Company) -> None:
    office.kingdee.authorised = {"kd2"}
    start(office)
    bill = office.pay("FKD1")
    office.dingtalk.say("user1", "确认付款 FKD1")
    (text,) = office.until(lambda: office.shown("user1", "FKD1：金蝶不允许以您的账号执行"))
    assert "Fail to RestoreSessionByApi" in text
    office.until(lambda: office.shown("user5", "kd1"))
    assert (status(office, FORM, bill), changes(office)) == ("A", [])
    office.dingtalk.say("user2", "确认付款 FKD1")
    office.until(lambda: status(office, FORM, bill) == "C")
    assert {user for _, user in changes(office)} == {office.people[2]}


def test_a_person_without_the_right_hears_so_and_the_integration_does_not_help_out(office: Company) -> None:
    start(office)
    bill = office.pay("FKD1")
    office.kingdee.fault("permission", times=1, op="Submit")
    office.dingtalk.say("user1", "确认付款 FKD1")
    office.until(lambda: office.shown("user1", "FKD1：金蝶不允许以您的账号执行"))
    assert status(office, FORM, bill) == "A"


def test_a_login_that_fails_in_passing_is_tried_again(office: Company) -> None:
    start(office)
    bill = office.pay("FKD1")
    office.kingdee.fault("http503", times=1, op="LoginBySign")
    office.dingtalk.say("user1", "确认付款 FKD1")
    office.until(lambda: status(office, FORM, bill) == "C")
    assert changes(office) == [("Submit", office.people[1]), ("Audit", office.people[1])]
