"""Between both systems: who cannot be reached by a work notification gets a sensible end as well, and only one."""

from __future__ import annotations

from typing import Any

import pytest

from kdsync.services.outsiders import STRANGER
from kdsync.store import inbox, schema
from tests.integration.company import FORM, Company

CONFIRM: dict[str, Any] = {
    "id": "confirm-payment",
    "title": "确认付款",
    "phrases": ["确认付款", "confirm payment"],
    "form": FORM,
    "allow": ["role:cashier"],
    "do": ["submit", "audit"],
}
STRANGERS = "stranger"
UNKNOWN, UNKNOWN_EN = "kdsync 不认识您", "kdsync does not know you"


@pytest.fixture
def office(company: Company) -> Company:
    company.configure(actions=[CONFIRM])
    return company


def begin(office: Company) -> None:
    office.start()
    office.until(lambda: office.wired.answering.stream.connected)


def ended(office: Company) -> list[tuple[str, str]]:
    """State and reason of everything that was said, when nothing of it waits any more."""
    table = schema.inbox

    def rows() -> list[tuple[str, str]]:
        with office.wired.db.read() as tx:
            return [(row.state, row.reason) for row in tx.execute(table.select().order_by(table.c.received_at))]

    found: list[tuple[str, str]] = office.until(lambda: all(state != inbox.WAITING for state, _ in rows()) and rows())
    return found


def posts(office: Company) -> int:
    return sum(seen.channel == "session" for seen in office.dingtalk.seen())


def test_an_outsider_is_told_once_where_they_wrote_and_nothing_is_done(office: Company) -> None:
    begin(office)
    bill = office.pay("FKD1")
    push = office.dingtalk.say(STRANGERS, "确认付款 FKD1")
    office.until(lambda: office.shown(STRANGERS, UNKNOWN))
    office.dingtalk.redeliver(push)
    office.dingtalk.say(STRANGERS, "confirm payment FKD1")
    office.until(lambda: office.shown(STRANGERS, UNKNOWN_EN))
    assert ended(office) == [(inbox.IGNORED, f"{STRANGER}, who was told so")] * 2
    assert posts(office) == 2
    assert office.kingdee.document(FORM, bill)["FDocumentStatus"] == "A"


def test_the_address_is_nowhere_once_the_answer_is_out_and_never_in_the_log(office: Company) -> None:
    begin(office)
    push = office.dingtalk.say(STRANGERS, "你好")
    office.until(lambda: office.shown(STRANGERS, UNKNOWN))
    ended(office)
    secret = str(push.data["sessionWebhook"]).rpartition("=")[2]
    with office.wired.db.read() as tx:
        (content,) = tx.execute(schema.inbox.select()).mappings()
    assert secret.encode() not in content["content"]
    assert secret not in (office.folder / "kdsync.log").read_text(encoding="utf-8")


def test_an_outsider_in_a_group_is_told_there(office: Company) -> None:
    begin(office)
    office.dingtalk.say(STRANGERS, "确认付款 FKD1", group="供应商群")
    office.until(lambda: office.shown("供应商群", UNKNOWN))
    assert posts(office) == 1


def test_a_member_in_a_group_is_told_by_a_work_notification(office: Company) -> None:
    begin(office)
    office.pay("FKD1")
    office.dingtalk.say("user1", "确认付款 FKD1", group="财务群")
    office.until(lambda: office.shown("user1", "FKD1：确认付款 已完成"))
    assert posts(office) == 0
    assert not office.dingtalk.seen("财务群")


def test_an_outsider_whose_answer_is_lost_is_not_told_again_but_the_operators_are(office: Company) -> None:
    begin(office)
    office.dingtalk.fault("lost_reply", times=1, api="sendBySession")
    office.dingtalk.say(STRANGERS, "你好")
    office.until(lambda: office.shown("user5", "外部人员的消息未能答复"))
    assert posts(office) == 1
    ((state, reason),) = ended(office)
    assert (state, reason.startswith(f"{STRANGER}, without an answer")) == (inbox.IGNORED, True)


def test_who_left_before_the_answer_is_out_is_told_of_to_the_operators(office: Company) -> None:
    begin(office)
    bill = office.pay("FKD1")
    office.kingdee.fault("edit_lock", times=1, op="Submit")
    office.dingtalk.say("user1", "确认付款 FKD1")
    office.until(lambda: any(request.op == "Submit" for request in office.kingdee.requests))
    del office.dingtalk._company.users["user1"]
    office.until(lambda: office.shown("user5", "FKD1：确认付款 已完成"))
    assert [state for state, _ in ended(office)] == [inbox.DONE]
    assert office.kingdee.document(FORM, bill)["FDocumentStatus"] == "C"
    assert not office.shown("user1", "FKD1")
    with office.wired.db.read() as tx:
        letters = list(tx.execute(schema.outbox.select().where(schema.outbox.c.target == "user1")))
    assert [letter.state for letter in letters] in ([], ["dead"])
