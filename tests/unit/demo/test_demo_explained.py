"""On a bad day people are told what follows from it; that is expected, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kdsync.delivery.words import LOCALES, words
from kdsync.demo.company import GROUP
from kdsync.demo.explained import ASSIGNED, OPERATORS, STAND_INS, explained
from kdsync.demo.setting import shipped
from kdsync.demo.tally import Arrival, Expected, Tally, Verdict
from kdsync.settings.yamlfile import read_yaml

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def struck(*faults: tuple[str, str]) -> Tally:
    tally = Tally()
    for system, fault in faults:
        for notice in explained(system, fault, START):
            tally.may_arrive(notice)
    return tally


def notice(kind: str, who: str = "ops1", at: float = 50.0, locale: str = "zh", text: str = "", **said: str) -> Arrival:
    said = {"system": "Kingdee", "form": "AP_PAYBILL", **said}
    return Arrival(who, words(f"{kind}_title", locale, **said), START + timedelta(seconds=at), text)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(
    ("system", "fault", "kind", "who", "called"),
    [
        ("kingdee", "http500", "down", "ops1", "Kingdee"),
        ("kingdee", "http500", "back", "ops1", "Kingdee"),
        ("kingdee", "licence", "form_failed", "ops1", ""),
        ("kingdee", "licence", "tasks_unreadable", "ops1", ""),
        ("kingdee", "short_page", "short", "ops1", ""),
        ("kingdee", "wider_rows", "unreadable", "ops1", ""),
        ("dingtalk", "reset", "down", GROUP, "DingTalk"),
        ("dingtalk", "reset", "stream_down", "ops1", ""),
        ("dingtalk", "reset", "sends_again", "ops1", "DingTalk (group:finance)"),
    ],
)
def test_what_a_fault_explains_may_be_told_to_operators(
    system: str, fault: str, kind: str, who: str, called: str, locale: str
) -> None:
    tally = struck((system, fault))
    assert tally.arrive(notice(kind, who, locale=locale, system=called))[0] is Verdict.EXPLAINED
    assert (tally.result().explained, tally.result().good) == (1, True)


@pytest.mark.parametrize(
    "told",
    [
        notice("down", system="DingTalk"),
        notice("down", who="user1"),
        notice("down", at=-1.0),
        notice("short"),
        notice("dead", title="报销单"),
        notice("clock"),
        Arrival("ops1", "付款单 FKD000001 已审核，请付款", START),
        Arrival("ops1", "", START),
    ],
    ids=["the other system", "somebody else", "before it", "another fault", "lost", "clock", "no notice", "nothing"],
)
def test_what_no_fault_explains_is_unasked_all_the_same(told: Arrival) -> None:
    tally = struck(("kingdee", "http500"))
    assert tally.arrive(told)[0] is Verdict.UNASKED
    assert not tally.result().good


def test_while_tasks_cannot_be_read_those_who_stand_in_are_told_of_them() -> None:
    title = "待您审批：报销单 FYBX000005"
    assert struck(("kingdee", "redirect")).arrive(Arrival("user3", title, START))[0] is Verdict.EXPLAINED
    assert struck(("dingtalk", "reset")).arrive(Arrival("user3", title, START))[0] is Verdict.UNASKED
    assert struck(("kingdee", "redirect")).arrive(Arrival("user1", title, START))[0] is Verdict.UNASKED


def test_what_has_to_be_told_is_told_once_whatever_a_fault_explains() -> None:
    tally = struck(("kingdee", "redirect"))
    tally.expect(Expected("user2", ("FYBX000008", "待您审批"), START))
    arrivals = [Arrival("user2", "待您审批：报销单 FYBX000008（审批）", START)] * 2
    assert [tally.arrive(one)[0] for one in arrivals] == [Verdict.SEEN, Verdict.DOUBLED]


def test_without_faults_no_notice_is_expected() -> None:
    assert Tally().arrive(notice("down"))[0] is Verdict.UNASKED


def test_two_outages_are_two_notices_and_the_same_one_again_is_a_double() -> None:
    tally = struck(("kingdee", "down"))
    arrivals = [notice("down", text="since 9:00"), notice("down", text="since 9:05"), notice("down", text="since 9:05")]
    verdicts = [tally.arrive(one)[0] for one in arrivals]
    assert verdicts == [Verdict.EXPLAINED, Verdict.EXPLAINED, Verdict.DOUBLED]


def test_operators_and_stand_ins_are_those_of_the_shipped_configuration() -> None:
    main, directory, expenses = (
        read_yaml(shipped() / name, name)[0] for name in ("kdsync.yaml", "directory.yaml", "rules/expenses.yaml")
    )
    fallback = [recipient.removeprefix("user:") for recipient in main.value(("fallback",))]
    assert {*fallback, *list(main.value(("dingtalk", "groups")))[:1]} == OPERATORS
    (rule,) = (one for one in expenses.value(("rules",)) if one["on"] == "assigned")
    assert rule["approvers"] == ["role:finance"]
    assert {one.removeprefix("user:") for one in directory.value(("roles", "finance"))} == STAND_INS
    assert ASSIGNED.match(rule["message"]["title"])
