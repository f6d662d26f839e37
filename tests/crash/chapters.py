"""What happens to the daemon, in chapters: together they lead through every commit and every call."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

from kdsync.delivery.limits import SHANGHAI
from kdsync.store import ledger
from kdsync.store.database import Database
from tests.crash.house import BILL, LOOKBACK, ORDER, House

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
    blows, house.blows = house.blows, []
    house.start()
    house.close_daemon()
    yield
    house.blows = blows
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
    blows, house.blows = house.blows, []
    house.start()
    house.kingdee.create(BILL, "NEW", "C", creator=house.users[3], **AMOUNT)
    house.until(lambda: house.store("SELECT id FROM notifications WHERE attempts > 0"))
    house.close_daemon()
    with closing(sqlite3.connect(house.file)) as store, store:
        store.execute("UPDATE notifications SET contents = x'00'")
    house.dingtalk.clear_faults()
    house.blows = blows
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
    gate = house.kingdee._gate
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
    far_recipients,
    refused_login,
    new_rules,
)
