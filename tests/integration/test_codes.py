"""Between both systems: above a limit a one-time code has to come, in the message, after it, or after a click."""

from __future__ import annotations

from typing import Any

import pytest

from kdsync.cli import totp
from kdsync.commands.onetime import STEP, code_at
from tests.integration.company import FORM, Company
from tests.integration.test_answers import CONFIRM, status, writes
from tests.integration.test_cards import ASKED, TEMPLATE, card_of, view

SECRET = b"12345678901234567890"
LIMIT = {"field": "FREALPAYAMOUNTFOR", "max": 1000, "above": "totp"}


@pytest.fixture
def office(company: Company, monkeypatch: pytest.MonkeyPatch) -> Company:
    company.environ["STORE_KEY"] = "the-key-of-the-store"
    monkeypatch.setenv("STORE_KEY", "the-key-of-the-store")
    monkeypatch.setattr("secrets.token_bytes", lambda size: SECRET[:size])
    company.dingtalk.cards.add_template(TEMPLATE)
    store: dict[str, Any] = {"url": f"sqlite:///{company.folder}/kdsync.db", "key": {"env": "STORE_KEY"}}
    company.configure(ASKED, actions=[{**CONFIRM, "limit": LIMIT}], card_template=TEMPLATE, store=store)
    company.start()
    company.until(lambda: company.wired.answering.stream.connected)
    assert totp.enrol(company.config, "user1", confirmed=True) == 0
    return company


def code(office: Company, steps: int = 0) -> str:
    """What the app of `user1` shows, so many steps from now."""
    return code_at(SECRET, office.clock.now().timestamp() + steps * STEP)


def log(office: Company) -> str:
    return (office.folder / "kdsync.log").read_text()


def test_a_code_in_the_message_or_after_it(office: Company) -> None:
    first, second = office.pay("FKD1"), office.pay("FKD2")
    codes = [code(office), code(office, 1)]
    push = office.dingtalk.say("user1", f"确认付款 FKD1 发票齐全 {codes[0]}")
    office.until(lambda: office.shown("user1", "FKD1：确认付款 已完成"))
    office.dingtalk.redeliver(push)
    office.dingtalk.say("user1", "确认付款 FKD2")
    office.until(lambda: office.shown("user1", "FKD2：请发送一次性验证码"))
    assert status(office, FORM, second) == "A"
    office.dingtalk.say("user1", codes[1])
    office.until(lambda: office.shown("user1", "FKD2：确认付款 已完成"))
    assert [status(office, FORM, bill) for bill in (first, second)] == ["C", "C"]
    assert writes(office) == ["Submit", "Audit"] * 2
    asked = [str(request) for request in office.kingdee.requests]
    told = [f"{seen.title} {seen.text}" for seen in office.dingtalk.seen()]
    for one in codes:
        assert not [text for text in (*asked, *told, log(office)) if one in text]


def test_a_click_and_then_the_code(office: Company) -> None:
    bill = office.pay("FKD1", "B")
    track = card_of(office, "FKD1 to be paid")
    office.dingtalk.click("user1", track, "confirm-payment")
    office.until(lambda: office.shown("user1", "FKD1：请发送一次性验证码"))
    office.until(lambda: "请发送一次性验证码" in view(office, track, "user1")["status"])
    office.dingtalk.say("user1", f"{code(office)[:3]} {code(office)[3:]}")
    office.until(lambda: view(office, track, "user2")["decided"] == "true")
    assert status(office, FORM, bill) == "C"
    assert (view(office, track, "user1")["buttons"], view(office, track, "user1")["open"]) == ("[]", "false")


def test_who_has_no_codes_hears_whom_to_ask(office: Company) -> None:
    bill = office.pay("FKD1")
    office.dingtalk.say("user2", f"确认付款 FKD1 {code(office)}")
    (told,) = office.until(lambda: office.shown("user2", "FKD1：您还没有一次性验证码"))
    assert "kdsync totp enrol user2" in told
    assert status(office, FORM, bill) == "A"
