"""Between both systems: buttons on cards do what words do, and everybody who looks at a card sees what was decided."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kdsync.simulator.dingtalk_card import Card
from tests.integration.company import FORM, Company
from tests.integration.test_answers import ASSIGNED, CONFIRM, DECIDE, EXPENSE, expense, status, writes

TEMPLATE = "2c7ba0f1-1f0e-4a4e-9a52-1f6a7d0c9b11.schema"
ASKED: dict[str, Any] = {
    "id": "asked",
    "form": FORM,
    "on": "submitted",
    "to": ["user:user1", "user:user2", "user:user4"],
    "message": {"title": "{{ doc.FBillNo }} to be paid", "body": "{{ doc.FREALPAYAMOUNTFOR | money }}"},
    "actions": ["confirm-payment"],
}


@pytest.fixture
def office(company: Company) -> Company:
    company.dingtalk.cards.add_template(TEMPLATE)
    limit = {"field": "FREALPAYAMOUNTFOR", "max": 50000, "above": "second-person"}
    company.configure(ASKED, ASSIGNED, actions=[{**CONFIRM, "limit": limit}, *DECIDE], card_template=TEMPLATE)
    company.start()
    company.until(lambda: company.wired.answering.stream.connected)
    return company


def cards(office: Company, title: str) -> list[str]:
    """The outTrackIds of the cards that people got with a title."""
    seen = (one for one in office.dingtalk.seen() if one.out_track_id and title in one.title)
    return list(dict.fromkeys(one.out_track_id for one in seen))


def card_of(office: Company, title: str) -> str:
    (track,) = office.until(lambda: cards(office, title))
    return str(track)


def view(office: Company, track: str, userid: str) -> dict[str, str]:
    return dict(office.dingtalk.cards.card_view(track, userid))


def card(office: Company, track: str) -> Card:
    return office.dingtalk.cards.card(track)


def test_one_card_for_all_its_readers_closes_for_everybody_once_somebody_decided(office: Company) -> None:
    bill = office.pay("FKD1", "B")
    track = card_of(office, "FKD1 to be paid")
    assert json.loads(view(office, track, "user1")["buttons"]) == [{"id": "confirm-payment", "label": "确认付款"}]
    assert "回复" not in view(office, track, "user1")["body"]
    push = office.dingtalk.click("user1", track, "confirm-payment")
    office.until(lambda: view(office, track, "user2")["decided"] == "true")
    assert [ack.in_time for ack in push.acks] == [True]
    assert status(office, FORM, bill) == "C"
    for userid in ("user1", "user2"):
        seen = view(office, track, userid)
        assert "：确认付款 · 已审核" in seen["status"]
        assert (seen["buttons"], seen["open"]) == ("[]", "false")
    assert writes(office) == ["Audit"]
    assert not office.shown("user1", "已完成"), "the card says it"
    assert len(office.shown("user1", "FKD1")) == 1


def test_who_clicks_sees_at_once_that_it_is_being_worked_on_and_others_do_not(office: Company) -> None:
    office.pay("FKD1", "B")
    track = card_of(office, "FKD1 to be paid")
    office.kingdee.fault("edit_lock", times=50, op="Audit")
    office.dingtalk.click("user1", track, "confirm-payment")
    office.until(lambda: view(office, track, "user1")["status"] == "正在处理…")
    assert view(office, track, "user1")["open"] == "false"
    assert (view(office, track, "user2")["status"], view(office, track, "user2")["open"]) == ("", "true")


def test_a_click_pushed_again_and_one_by_a_second_person_in_the_same_second_write_once(office: Company) -> None:
    bill = office.pay("FKD1", "B")
    track = card_of(office, "FKD1 to be paid")
    push = office.dingtalk.click("user1", track, "confirm-payment")
    office.dingtalk.click("user2", track, "confirm-payment")
    office.dingtalk.redeliver(push)
    office.until(lambda: view(office, track, "user1")["decided"] == "true")
    office.until(lambda: office.shown("user2", "FKD1：已经处理过了"))
    assert writes(office) == ["Audit"]
    assert status(office, FORM, bill) == "C"


def test_who_may_not_is_told_and_can_see_why_on_the_card(office: Company) -> None:
    office.pay("FKD1", "B")
    track = card_of(office, "FKD1 to be paid")
    office.dingtalk.click("user4", track, "confirm-payment")
    office.until(lambda: office.shown("user4", "FKD1：您无权执行"))
    office.until(lambda: "您无权执行" in view(office, track, "user4")["status"])
    assert view(office, track, "user1")["status"] == ""
    assert view(office, track, "user1")["open"] == "true"
    assert writes(office) == []


def test_a_decision_in_kingdee_takes_the_buttons_away(office: Company) -> None:
    bill = office.pay("FKD1", "B")
    track = card_of(office, "FKD1 to be paid")
    office.kingdee.audit(FORM, bill)
    office.until(lambda: view(office, track, "user1")["decided"] == "true")
    assert "已在金蝶中处理 · 已审核" in view(office, track, "user2")["status"]
    office.dingtalk.click("user1", track, "confirm-payment")
    office.until(lambda: office.shown("user1", "FKD1：已经处理过了"))
    assert writes(office) == []


def test_a_card_shows_what_words_decided(office: Company) -> None:
    office.pay("FKD1", "B")
    track = card_of(office, "FKD1 to be paid")
    office.dingtalk.say("user1", "确认付款 FKD1")
    office.until(lambda: view(office, track, "user2")["decided"] == "true")
    assert "确认付款 · 已审核" in view(office, track, "user2")["status"]
    assert len(office.shown("user1", "已完成")) == 1


def test_a_card_of_what_has_changed_since_decides_nothing(office: Company) -> None:
    bill = office.pay("FKD1", "B")
    track = card_of(office, "FKD1 to be paid")
    office.kingdee.edit(FORM, bill, FREALPAYAMOUNTFOR="49999.00")
    office.dingtalk.click("user1", track, "confirm-payment")
    office.until(lambda: office.shown("user1", "FKD1：单据内容已变更"))
    assert writes(office) == []
    assert status(office, FORM, bill) == "B"


def test_above_the_limit_a_card_waits_for_a_second_person(office: Company) -> None:
    bill = office.kingdee.create(FORM, "FKD9", "B", FREALPAYAMOUNTFOR="60000.00")
    track = card_of(office, "FKD9 to be paid")
    office.dingtalk.click("user1", track, "confirm-payment")
    office.until(lambda: "还需要另一位" in view(office, track, "user2")["status"])
    assert view(office, track, "user2")["open"] == "true"
    assert status(office, FORM, bill) == "B"


def test_an_approver_decides_with_a_reason_and_the_next_one_has_a_card_of_his_own(office: Company) -> None:
    bill = expense(office, "EXP1", "kd2", then=["kd3"])
    first = card_of(office, "EXP1 waits")
    assert view(office, first, "user2")["with_reason"] == "true"
    office.dingtalk.click("user2", first, "approve", {"action": "approve", "reason": "发票齐全"})
    office.until(lambda: view(office, first, "user2")["decided"] == "true")
    assert status(office, EXPENSE, bill) == "B", "another node follows"
    second = next(track for track in office.until(lambda: cards(office, "EXP1 waits")[1:]) if track != first)
    assert view(office, second, "user3")["open"] == "true"
    office.kingdee.answer_task(EXPENSE, bill, "kd3", approve=False)
    office.until(lambda: view(office, second, "user3")["decided"] == "true")
    assert "已在金蝶中处理" in view(office, second, "user3")["status"]
    said = [one.data["Disposition"] for one in office.kingdee.requests if one.op == "WorkflowAudit"]
    assert said == ["发票齐全"]


def test_where_cards_are_not_taken_the_text_goes_out_and_operators_hear_of_it_once(company: Company) -> None:
    company.configure(ASKED, actions=[CONFIRM], card_template=TEMPLATE)  # which nobody published
    company.start()
    company.pay("FKD1", "B")
    company.until(lambda: company.shown("user2", "FKD1 to be paid"))
    company.pay("FKD2", "B")
    company.until(lambda: company.shown("user2", "FKD2 to be paid"))
    assert "确认付款 FKD1" in company.shown("user1", "FKD1 to be paid")[0]
    assert len(company.shown("user5", "钉钉不接受卡片")) == 1
    assert not cards(company, "to be paid")
