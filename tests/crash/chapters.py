"""What happens to the daemon, in chapters: together they lead through every commit and every call."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

from kdsync.delivery.limits import SHANGHAI
from kdsync.store import ledger
from kdsync.store.database import Database
from tests.crash.house import BILL, EXPENSE, LOOKBACK, ORDER, House

CASHIERS = ("user1", "user2")
DATES = ("FCreateDate", "FModifyDate", "FApproveDate")
AMOUNT: dict[str, Any] = {"FREALPAYAMOUNTFOR": 1200.5}


def rule(
    ident: str, form: str = BILL, on: Any = "approved", to: tuple[str, ...] = ("role:cashier",), **more: Any
) -> dict[str, Any]:
    """A rule whose messages have its id and the bill's number in the title."""
    return {
        "id": ident,
        "form": form,
        "on": on,
        "to": list(to),
        "message": {"title": f"{ident} {{{{ doc.FBillNo }}}}."},
        **more,
    }


def first_look(house: House) -> None:
    """Three pages of documents are learned in silence; what happens afterwards is told."""
    house.configure(rule("paid"))
    bills = [house.kingdee.create(BILL, f"OLD{n}", status, **AMOUNT) for n, status in enumerate("CABCABCZ")]
    house.start()
    house.kingdee.submit(BILL, bills[1])
    house.kingdee.audit(BILL, bills[1])
    house.expect("paid OLD1.", *CASHIERS)
    house.until(lambda: house.reached("bridges.CallLedger._write", "before"))
    house.kingdee.create(BILL, "NEW", "C", **AMOUNT)
    house.expect("paid NEW.", *CASHIERS)


def a_page_of_bills(house: House) -> None:
    """Four bills are approved at once, more than one page; people are found by their phones, and a group is told."""
    house.configure(rule("paid", to=("role:cashier", "creator", "group:finance")))
    house.kingdee.create(BILL, "OLD", "C", **AMOUNT)
    house.start()
    for n in range(4):
        house.kingdee.create(BILL, f"NEW{n}", "C", creator=house.users[3 + n % 2], **AMOUNT)
        house.expect(f"paid NEW{n}.", *CASHIERS, f"user{3 + n % 2}", "finance")
    house.until(lambda: house.reached("receipts.Receipts._confirm") and house.reached("people.People.refresh"))


@contextmanager
def down(house: House) -> Iterator[None]:
    """What happens inside happens while the daemon is down; no blow strikes before."""
    with house.unharmed():
        house.start()
        house.close_daemon()
        yield
    house.launch()


def after_an_outage(house: House) -> None:
    """Bills were approved while the daemon was down; those with the newest dates are on the first page."""
    house.configure(rule("paid"))
    house.kingdee.create(BILL, "OLD", "C", **AMOUNT)
    with down(house):
        began = house.clock.now().astimezone(SHANGHAI).replace(tzinfo=None)
        house.clock.wait(Event(), 7 * LOOKBACK)
        for n in range(7):
            date = (began + timedelta(seconds=(7 - n) * LOOKBACK)).isoformat(timespec="milliseconds")
            row = {"FBillNo": f"NEW{n}", "FDocumentStatus": "C", **dict.fromkeys(DATES, date)}
            house.kingdee.load(BILL, [row])
            house.expect(f"paid NEW{n}.", *CASHIERS)


def storm(house: House) -> None:
    """More bills were approved meanwhile than anybody reads messages of: one message sums up those of one look.

    A look that is cut off by an end of the daemon is one look, and what the next finds is another.
    """
    house.configure(rule("paid", storm=2))
    with down(house):
        for n in range(6):
            house.kingdee.create(BILL, f"NEW{n}", "C", **AMOUNT)
    house.until(lambda: house.store("SELECT count(*) AS n FROM notifications WHERE state = 'storm' HAVING n = 6"))
    for (messages,) in house.store("SELECT count(*) FROM notifications WHERE storm IS NOT NULL GROUP BY storm"):
        house.expect(f"{messages} 条消息合并", *CASHIERS, "user5")


def damaged(house: House) -> None:
    """What is stored of a message is damaged before it is known whom it is for."""
    house.configure(rule("made", to=("creator",)))
    house.dingtalk.fault("http500", probability=1.0, api="getbymobile")
    with house.unharmed():
        house.start()
        house.kingdee.create(BILL, "NEW", "C", creator=house.users[3], **AMOUNT)
        house.until(lambda: house.store("SELECT id FROM notifications WHERE attempts > 0"))
        house.close_daemon()
    with closing(sqlite3.connect(house.file)) as store, store:
        store.execute("UPDATE notifications SET contents = x'00'")
    house.dingtalk.clear_faults()
    house.launch()
    house.expect("NEW", "user5")


def open_documents(house: House) -> None:
    """What moves no date is found by the open look, a deletion by the look at all keys."""
    house.configure(
        rule("sent", ORDER, "submitted"),
        rule("price", ORDER, {"changed": ["FBillAllAmount"]}),
        rule("gone", ORDER, "deleted"),
    )
    orders = [house.kingdee.create(ORDER, f"ORDER{n}", status) for n, status in enumerate("AACCC")]
    house.start()
    house.kingdee.submit(ORDER, orders[0])
    house.expect("sent ORDER0.", *CASHIERS)
    house.kingdee.write_back(ORDER, orders[2], FBillAllAmount=7)
    house.expect("price ORDER2.", *CASHIERS)
    house.kingdee.delete(ORDER, orders[1])
    house.expect("gone ORDER1.", *CASHIERS)


def rows_vanish(house: House) -> None:
    """The permission for a form is lost for a while: one notice, no deletions, one notice when it is back."""
    house.configure(rule("paid"), rule("gone", on="deleted"))
    for n in range(2):
        house.kingdee.create(BILL, f"OLD{n}", "C", **AMOUNT)
    house.start()
    house.kingdee.grant(BILL, allowed=False)
    house.expect("大量消失", "user5")
    house.until(lambda: house.dingtalk.seen("user5"))
    house.possible.add("返回的页不完整")  # what comes back in the middle of a look was missing from a page
    house.kingdee.grant(BILL, allowed=True)
    house.kingdee.create(BILL, "NEW", "C", **AMOUNT)
    house.expect("paid NEW.", *CASHIERS)
    house.expect("警报已解除", "user5")


def rows_given_up(house: House) -> None:
    """The documents really are gone: the operator says so, and their deletion is told after all."""
    house.configure(rule("gone", on="deleted"))
    for n in range(2):
        house.kingdee.create(BILL, f"OLD{n}", "C", **AMOUNT)
    house.start()
    house.kingdee.grant(BILL, allowed=False)
    house.expect("大量消失", "user5")
    house.until(lambda: house.dingtalk.seen("user5"))
    database = Database(f"sqlite:///{house.file}")
    with closing(database), database.write() as tx:
        ledger.accept(tx, BILL, house.clock.now())
    for n in range(2):
        house.expect(f"gone OLD{n}.", *CASHIERS)
    house.expect("警报已解除", "user5")


def future_date(house: House) -> None:
    """A bill is dated in the future until somebody saves it again."""
    house.configure(rule("paid"))
    house.start()
    ahead = {"FModifyDate": "2099-01-01T00:00:00", "FCreateDate": "2026-03-01T00:00:00"}
    house.kingdee.load(BILL, [{"FBillNo": "FAR", "FDocumentStatus": "A", **ahead}])
    house.expect("有未来日期", "user5")
    house.until(lambda: house.dingtalk.seen("user5"))
    far = next(bill for bill in house.kingdee.documents(BILL) if bill["FBillNo"] == "FAR")
    house.kingdee.edit(BILL, far["FID"], FREMARK="saved again")
    house.until(lambda: house.reached("notices.Notices.forget", "before"))
    house.kingdee.submit(BILL, far["FID"])
    house.kingdee.audit(BILL, far["FID"])
    house.expect("paid FAR.", *CASHIERS)


def wrong_clock(house: House) -> None:
    """The machine is hours ahead; Kingdee and DingTalk agree that it is not so late."""
    house.ahead = 3 * 3600.0
    house.configure(rule("paid"))
    house.start()
    house.expect("Kingdee 的时钟", "user5")
    house.expect("DingTalk 的时钟", "user5")
    house.until(lambda: house.reached("timekeeping.Timekeeper._set", "before"))
    house.kingdee.create(BILL, "NEW", "C", **AMOUNT)
    house.expect("paid NEW.", *CASHIERS)


def busy(house: House) -> None:
    """DingTalk fails for a moment, also where people are looked up, and forgets the token."""
    house.configure(rule("paid", to=("user:user1", "creator")))
    house.start()
    house.dingtalk.fault("http500", times=2, api="getbymobile")
    house.dingtalk.fault("system_busy", times=2, api="asyncsend_v2")
    house.kingdee.create(BILL, "NEW1", "C", creator=house.users[3], **AMOUNT)
    house.expect("paid NEW1.", "user1", "user3")
    house.until(lambda: house.dingtalk.seen("user3"))
    house.dingtalk.void_token()
    house.kingdee.create(BILL, "NEW2", "C", creator=house.users[4], **AMOUNT)
    house.expect("paid NEW2.", "user1", "user4")


def nobody_to_ask(house: House) -> None:
    """Twice DingTalk cannot be asked who people are; those who wait are found when it can."""
    house.configure(rule("made", to=("creator",)))
    house.start()
    for outage in range(2):
        house.dingtalk.fault("http500", probability=1.0, api="getbymobile")
        for user in (1 + 2 * outage, 2 + 2 * outage):
            number = f"NEW{user}"
            house.kingdee.create(BILL, number, "C", creator=house.users[user], **AMOUNT)
            house.expect(f"made {number}.", f"user{user}")
            house.until(lambda: house.store("SELECT key FROM facts WHERE key = 'hold:contacts'"))
        house.until(lambda: house.store("SELECT id FROM notifications WHERE reason LIKE 'nobody can be asked%'"))
        house.dingtalk.clear_faults()
        house.until(lambda: not house.store("SELECT id FROM notifications WHERE state = 'matched'"))


def refused(house: House) -> None:
    """Two who are nowhere refuse a message together, then each alone; what was for them is told to fallback."""
    house.configure(rule("paid"), rule("lost", to=("user:ghost1", "user:ghost2")))
    house.start()
    house.kingdee.create(BILL, "NEW", "C", **AMOUNT)
    house.expect("paid NEW.", *CASHIERS)
    house.expect("lost NEW.", "user5", "user5")


def throttled(house: House) -> None:
    """More people are to be told than DingTalk shows messages to in a minute."""
    house.a_minute = 3
    house.configure(rule("paid"))
    house.start()
    for n in range(3):
        house.kingdee.create(BILL, f"NEW{n}", "C", **AMOUNT)
        house.expect(f"paid NEW{n}.", *CASHIERS)


def taken_out_of_use(house: House) -> None:
    """A group's robot is switched off: an operator drops what waits for it, and takes the group out of the file."""
    house.configure(rule("paid", to=("user:user1", "group:finance")))
    house.possible.add("不可用")
    house.dingtalk.fault("robot_off", probability=1.0)
    with house.unharmed():
        house.start()
        house.kingdee.create(BILL, "NEW0", "C", **AMOUNT)
        house.expect("paid NEW0.", "user1")
        house.until(lambda: house.store("SELECT key FROM facts WHERE key = 'hold:group:finance'"))
        house.until(lambda: house.store("SELECT id FROM outbox WHERE state = 'accepted'"))
        house.close_daemon()
    with closing(sqlite3.connect(house.file)) as store, store:
        store.execute("UPDATE outbox SET state = 'dropped' WHERE channel = 'group:finance'")
    house.configure(rule("paid"), dingtalk={"groups": {}})
    house.launch()
    house.until(lambda: not house.store("SELECT key FROM facts WHERE key = 'hold:group:finance'"))


def far_recipients(house: House) -> None:
    """A department and somebody's manager are told; the login is another one."""
    house.dingtalk.add_department(7, "Finance")
    house.dingtalk.add_user("user6", "Person 6", "13800000006", dept_ids=(7,))
    house.dingtalk.add_user("user4", "Person 4", "13800000004", manager="user2")
    house.configure(rule("paid", to=("dept:7", "manager_of:creator")), kingdee={"auth": "secret"})
    house.start()
    house.kingdee.create(BILL, "NEW", "C", creator=house.users[4], **AMOUNT)
    house.expect("paid NEW.", "user6", "user2")


def refused_login(house: House) -> None:
    """There is no store yet, and Kingdee refuses the password until an operator mends it."""
    gate = house.kingdee.gate
    house.has_store = False
    right = house.kingdee.credentials
    house.configure(rule("paid"), kingdee={"auth": "password", "password": {"env": "KD_PASSWORD"}})
    gate._credentials = replace(right, password="another")
    house.launch()
    house.until(lambda: house.reached("bridges.RefusedLogins.record"))
    gate._credentials = right
    house.wait_for_first_looks()
    house.kingdee.create(BILL, "NEW", "C", **AMOUNT)
    house.expect("paid NEW.", *CASHIERS)


def new_rules(house: House) -> None:
    """The rules are changed and read anew: another field is used, and every document is compared once more.

    What a field was before it was used is not known, so the last edit waits until they all were read.
    """
    house.configure(rule("paid"))
    bills = [house.kingdee.create(BILL, f"OLD{n}", status, FREMARK="a", **AMOUNT) for n, status in enumerate("ACCCA")]
    house.start()
    house.configure(rule("paid"), rule("said", on={"changed": ["FREMARK"]}))
    house.reload()
    house.kingdee.audit(BILL, _submitted(house, bills[0]))
    house.expect("paid OLD0.", *CASHIERS)
    house.until(lambda: house.store("SELECT 1 FROM forms WHERE layout_id > 1"))
    house.kingdee.edit(BILL, bills[4], FREMARK="b")
    house.expect("said OLD4.", *CASHIERS)


def _submitted(house: House, bill: Any) -> Any:
    house.kingdee.submit(BILL, bill)
    return bill


def action(ident: str, phrase: str, *do: Any, form: str = BILL, allow: str = "role:cashier") -> dict[str, Any]:
    """An action of which people read what they said themselves."""
    return {"id": ident, "title": phrase, "phrases": [phrase], "form": form, "allow": [allow], "do": list(do)}


PAY = action("pay", "确认付款", "submit", "audit")
PAID = rule("paid", origin="any")  # tells also of what people did by answering


def _read(house: House, userid: str, messages: int) -> None:
    """Wait until somebody has so many."""
    house.until(lambda: len(house.dingtalk.seen(userid)) >= messages)


def confirmed(house: House) -> None:
    """Two bills are paid by a word in the chat: each is submitted and audited once, and each sender is answered."""
    house.configure(PAID, actions=[PAY])
    bills = [house.kingdee.create(BILL, f"PAY{n}", **AMOUNT) for n in range(2)]
    house.start()
    for n, bill in enumerate(bills):
        house.say(CASHIERS[n], f"确认付款 PAY{n}")
        house.expect(f"PAY{n}：确认付款 已完成", CASHIERS[n])
        house.expect(f"paid PAY{n}.", *CASHIERS)
        house.expect_write("Submit", bill)
        house.expect_write("Audit", bill)
    house.until(lambda: all(house.kingdee.document(BILL, bill)["FDocumentStatus"] == "C" for bill in bills))


def held(house: House) -> None:
    """What was confirmed is held for a while: one bill is taken back in time, the other is paid when it is over."""
    later = action("later", "稍后付款", "submit") | {"undo": "10m"}
    house.configure(PAID, actions=[later, PAY | {"undo": "2s"}])
    bills = [house.kingdee.create(BILL, f"PAY{n}", **AMOUNT) for n in range(2)]
    house.start()
    house.say("user1", "稍后付款 PAY0")
    house.expect("PAY0：600 秒后执行", "user1")
    _read(house, "user1", 1)
    house.say("user1", "撤销 PAY0")
    house.expect("PAY0：稍后付款 已撤销", "user1")
    house.say("user2", "确认付款 PAY1")
    house.expect("PAY1：2 秒后执行", "user2")
    house.expect("PAY1：确认付款 已完成", "user2")
    house.expect("paid PAY1.", *CASHIERS)
    house.expect_write("Submit", bills[1])
    house.expect_write("Audit", bills[1])
    house.until(lambda: house.kingdee.document(BILL, bills[1])["FDocumentStatus"] == "C")
    assert house.kingdee.document(BILL, bills[0])["FDocumentStatus"] == "A"


def said_by_others(house: House) -> None:
    """Somebody may not, strangers are told that nobody knows them, and what is not understood is asked about.

    Strangers are told once, or the operators are that it could not be made sure; nothing moves.
    """
    house.configure(PAID, actions=[PAY])
    bill = house.kingdee.create(BILL, "PAY0", **AMOUNT)
    house.start()
    house.say("user4", "确认付款 PAY0")
    house.expect("PAY0：您无权执行", "user4")
    strangers = "kdsync 不认识您", "外部人员的消息未能答复"
    house.possible |= {*strangers}
    for others in ("outsider", "another outsider"):
        house.say(others, "确认付款 PAY0")
    house.say("user1", "什么时候付款")
    house.expect("没有看懂", "user1")
    house.until(lambda: {"user1", "user4"} <= {seen.who for seen in house.dingtalk.seen()})
    house.until(lambda: any(said in seen.title for seen in house.dingtalk.seen() for said in strangers))
    assert max(len(house.dingtalk.seen(others)) for others in ("outsider", "another outsider")) <= 1
    assert house.kingdee.document(BILL, bill)["FDocumentStatus"] == "A"


def put_off(house: House) -> None:
    """Somebody has the bill open, then an answer of Kingdee's is lost: it is done later, and once."""
    house.configure(PAID, actions=[PAY])
    bill = house.kingdee.create(BILL, "PAY0", **AMOUNT)
    house.start()
    house.kingdee.fault("edit_lock", times=2, op="Submit")
    house.kingdee.fault("lost_reply", times=1, op="Audit")
    house.say("user1", "确认付款 PAY0")
    house.expect("PAY0：确认付款 已完成", "user1")
    house.expect("paid PAY0.", *CASHIERS)
    house.expect_write("Submit", bill)
    house.expect_write("Audit", bill)
    house.until(lambda: house.kingdee.document(BILL, bill)["FDocumentStatus"] == "C")


def refused_by_kingdee(house: House) -> None:
    """The first bill may not be submitted, as long as somebody does not mend it; the second is not concerned."""
    house.configure(PAID, actions=[PAY, action("note", "备注", {"save": {"FREMARK": "OK"}})])
    bills = [house.kingdee.create(BILL, f"PAY{n}", **AMOUNT) for n in range(2)]
    house.start()
    house.kingdee.fault("not_operable", probability=1.0, op="Submit")
    house.say("user1", "确认付款 PAY0")
    house.expect("PAY0：金蝶拒绝了", "user1")
    house.until(lambda: house.dingtalk.seen("user1"))
    house.kingdee.clear_faults()
    house.say("user2", "备注 PAY1")
    house.expect("PAY1：备注 已完成", "user2")
    house.expect_write("Save", bills[1])
    house.until(lambda: house.kingdee.document(BILL, bills[1])["FREMARK"] == "OK")
    assert house.kingdee.document(BILL, bills[0])["FDocumentStatus"] == "A"


ASKED = rule("asked", EXPENSE, "assigned", ("assignee",))
AGREE = action("agree", "同意", "approve", form=EXPENSE, allow="assignee")


def decided(house: House) -> None:
    """Approvers are told of their tasks and decide them in the chat; what waited before is nobody's news."""
    house.configure(ASKED, actions=[AGREE, action("disagree", "不同意", "reject", form=EXPENSE, allow="assignee")])
    old, *bills = (house.kingdee.create(EXPENSE, f"EXP{n}") for n in range(3))
    house.kingdee.start_workflow(EXPENSE, old, "kd4")
    house.start()
    house.until(lambda: house.reached("tasks.TaskWatch._take"))
    for n, bill in enumerate(bills, 1):
        house.kingdee.start_workflow(EXPENSE, bill, "kd1", then=["kd3"])
        house.expect(f"asked EXP{n}.", "user1", "user3")
        _read(house, "user1", 2 * n - 1)
        house.say("user1", f"同意 EXP{n} 票据齐全")
        house.expect(f"EXP{n}：同意 已完成", "user1")
        _read(house, "user3", 2 * n - 1)
        house.say("user3", f"{'不' * (n - 1)}同意 EXP{n}")
        house.expect(f"EXP{n}：{'不' * (n - 1)}同意 已完成", "user3")
        _read(house, "user3", 2 * n)
    statuses = [house.kingdee.document(EXPENSE, bill)["FDocumentStatus"] for bill in (old, *bills)]
    assert statuses == ["B", "C", "D"]
    house.until(lambda: house.store("SELECT count(*) AS n FROM tasks WHERE state = 'gone' HAVING n = 4"))
    decisions = house.kingdee.documents("WF_AssignmentHisBill_ProcManage")
    assert Counter(row["FDisposition"] for row in decisions)["票据齐全"] == len(bills)
    answers = {(str(user), number) for user in (house.users[1], house.users[3]) for number in ("EXP1", "EXP2")}
    house.writes |= {("WorkflowAudit", f"{number} {user}") for user, number in answers}


def asked_twice(house: House) -> None:
    """The same person decides at two nodes: one word in the chat answers the first, and the second goes on waiting."""
    house.configure(ASKED, actions=[AGREE])
    house.start()
    house.until(lambda: house.reached("tasks.TaskWatch._take"))
    bill = house.kingdee.create(EXPENSE, "EXP1")
    house.kingdee.start_workflow(EXPENSE, bill, "kd1", then=["kd1"])
    house.expect("asked EXP1.", "user1", "user1")
    _read(house, "user1", 1)
    house.say("user1", "同意 EXP1")
    house.expect("EXP1：同意 已完成", "user1")
    house.expect_write("WorkflowAudit", f"EXP1 {house.users[1]}")
    _read(house, "user1", 3)
    assert house.kingdee.document(EXPENSE, bill)["FDocumentStatus"] == "B"


def no_state_shows_it(house: House) -> None:
    """No field of a bill shows whether an operation was done or the bill pushed, but what was pushed says where from.

    What a crash cut off is not done again: it is found, or who asked is told to look, and so is the operator.
    """
    house.configure(
        rule("paid"),
        actions=[
            action("void", "作废", {"operation": "Cancel"}),
            action("push", "下推", {"push": {"rule": "CN_PAYAPPLYTOPAYBILL", "to": BILL}}, form="CN_PAYAPPLY"),
        ],
    )
    house.kingdee.missing_services.add("ExecuteOperation")
    house.start()
    house.possible |= {
        "钉钉回复未能在金蝶中执行",
        "返回的页不完整",
    }  # the latter: a bill may be made in the middle of a look
    for n in range(2):
        bill = house.kingdee.create(BILL, f"PAY{n}", **AMOUNT)
        request = house.kingdee.create("CN_PAYAPPLY", f"ASK{n}", "C", FAPPLYAMOUNTFOR_H=5)
        house.perhaps |= {("ExcuteOperation", str(bill)), ("Push", str(request))}
        for nth, text in enumerate((f"作废 PAY{n}", f"下推 ASK{n}"), 1):
            house.say(CASHIERS[n], text)
            house.expect(f"{text[3:]}：", CASHIERS[n])
            _read(house, CASHIERS[n], nth)


TEMPLATE = "kdsync.schema"
CARDS = {"card_template": TEMPLATE}
OFFERED = rule("asked", on="submitted", actions=["pay"])


def carded(house: House) -> None:
    """One card is decided by a click, one in Kingdee; who may not is told. DingTalk cannot change the first at once."""
    house.dingtalk.cards.add_template(TEMPLATE)
    house.configure({**OFFERED, "to": [*OFFERED["to"], "user:user4"]}, actions=[PAY], dingtalk=CARDS)
    house.start()
    bills = [house.kingdee.create(BILL, f"PAY{n}", "B", **AMOUNT) for n in range(2)]
    for n in range(2):
        house.expect(f"asked PAY{n}.", *CASHIERS, "user4")
    for n in range(2):
        house.card("user1", f"asked PAY{n}.")
    _sent(house, 6)
    house.dingtalk.fault("system_busy", times=2, api="card/instances")
    first = house.click("user1", "asked PAY0.", "pay")
    house.expect_write("Audit", bills[0])
    second = house.click("user4", "asked PAY1.", "pay")
    house.expect("PAY1：您无权执行 确认付款", "user4")
    _read(house, "user4", 3)
    house.kingdee.audit(BILL, bills[1])
    house.until(lambda: _decided(house, first))
    house.until(lambda: _decided(house, second))
    assert "正在处理" not in house.dingtalk.cards.card_view(second, "user4")["status"]


def _sent(house: House, letters: int) -> None:
    """Wait until the daemon knows that so many letters on cards are out."""
    accepted = "SELECT count(*) AS n FROM outbox WHERE channel = 'card' AND state = 'accepted' HAVING n >= "
    house.until(lambda: house.store(f"{accepted}{letters}"))


def _decided(house: House, track: str) -> bool:
    return house.dingtalk.cards.card_view(track, "user2")["decided"] == "true"


def cards_refused(house: House) -> None:
    """Nobody published the template: what two cards should have said goes out as text, and operators hear why."""
    house.configure(OFFERED, actions=[PAY], dingtalk=CARDS)
    house.start()
    for n in range(2):
        house.kingdee.create(BILL, f"PAY{n}", "B", **AMOUNT)
        house.expect(f"asked PAY{n}.", *CASHIERS)
        _read(house, "user1", n + 1)
    house.expect("钉钉不接受卡片", "user5")


def cards_given_up(house: House) -> None:
    """DingTalk will not change a card any more: who clicked is answered in words."""
    house.dingtalk.cards.add_template(TEMPLATE)
    house.configure(OFFERED, actions=[PAY], dingtalk=CARDS)
    house.start()
    for n in range(2):
        bill = house.kingdee.create(BILL, f"PAY{n}", "B", **AMOUNT)
        house.expect(f"asked PAY{n}.", *CASHIERS)
        house.card(CASHIERS[n], f"asked PAY{n}.")
        _sent(house, 2 * n + 2)
        house.dingtalk.fault("bad_parameter", times=4, api="card/instances")
        house.click(CASHIERS[n], f"asked PAY{n}.", "pay")
        house.expect_write("Audit", bill)
        house.expect(f"PAY{n}：确认付款 已完成", CASHIERS[n])
        _read(house, CASHIERS[n], n + 2)
        house.dingtalk.clear_faults()


Chapter = Callable[[House], None]
CHAPTERS: tuple[Chapter, ...] = (
    first_look,
    a_page_of_bills,
    after_an_outage,
    storm,
    damaged,
    open_documents,
    rows_vanish,
    rows_given_up,
    future_date,
    wrong_clock,
    busy,
    nobody_to_ask,
    refused,
    throttled,
    taken_out_of_use,
    far_recipients,
    refused_login,
    new_rules,
    confirmed,
    held,
    said_by_others,
    put_off,
    refused_by_kingdee,
    decided,
    asked_twice,
    no_state_shows_it,
    carded,
    cards_refused,
    cards_given_up,
)
