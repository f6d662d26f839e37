"""What happens to approvals that are to become documents; see chapters.py."""

from __future__ import annotations

from threading import Event
from typing import Any

from tests.crash.chapters import Chapter, rule
from tests.crash.house import BILL, EXPENSE, House

PROCESS = "PROC-CLAIM"
FORM: dict[str, Any] = {"事由": "TextField", "明细": {"金额": "MoneyField"}, "发票": "DDAttachment"}
TAXI: dict[str, Any] = {
    "事由": "taxi",
    "明细": [{"金额": "12.50"}, {"金额": "7"}],
    "发票": {"a.txt": b"a", "b.txt": b"b"},
}
CLAIM: dict[str, Any] = {
    "id": "claim",
    "process": PROCESS,
    "form": EXPENSE,
    "as": "audit",
    "fields": {"FCausa": "{{ form['事由'] }}", "FProposerID": "{{ applicant | employee }}"},
    "entries": {"FEntity": {"from": "明细", "fields": {"FExpenseAmount": "{{ row['金额'] }}"}}},
    "attachments": ["发票"],
}
LISTED = "SELECT key FROM facts WHERE key LIKE 'intake:%listed'"


def _books(house: House, intake: dict[str, Any] = CLAIM) -> None:
    house.configure(rule("paid"), intake=[intake])
    house.dingtalk.approvals.define(PROCESS, FORM, "报销")
    house.kingdee.create(BILL, "OLD", "C")


def _start(house: House) -> None:
    """Run the daemon until it knows what was finished before."""
    house.start()
    house.until(lambda: house.store(LISTED))


def _expect_claim(house: House, number: str, userid: str, files: int = 2) -> None:
    """One claim is made, with its files, and its applicant is told."""
    house.expect(number, userid)
    found = house.until(lambda: [one for one in house.kingdee.documents(EXPENSE) if one["FBillNo"] == number])
    house.expect_write("Save", number)
    for name in ("a.txt", "b.txt")[:files]:
        house.expect_write("AttachmentUpLoad", f"{number} {name}")
    house.expect_write("Submit", found[0]["FID"])
    house.expect_write("Audit", found[0]["FID"])
    house.until(lambda: house.kingdee.document(EXPENSE, found[0]["FID"])["FDocumentStatus"] == "C")
    claim = house.kingdee.document(EXPENSE, found[0]["FID"])
    assert [float(row["FExpenseAmount"]) for row in claim["entries"]] == [12.5, 7.0]
    assert len(house.kingdee.attachments(EXPENSE, found[0]["FID"])) == files


def taken_in(house: House) -> None:
    """Two approvals become two claims, each with its files, submitted and audited once."""
    _books(house)
    _start(house)
    for n in (3, 4):
        house.until(lambda: house.dingtalk.connections)
        _expect_claim(house, house.agree(PROCESS, f"user{n}", TAXI), f"user{n}")


def finished_meanwhile(house: House) -> None:
    """One was agreed to before the intake was there, one is while the daemon is down, and one is refused then."""
    _books(house)
    house.agree(PROCESS, "user3", TAXI)
    house.clock.wait(Event(), 70.0)  # DingTalk tells the minute in which it was finished
    with house.unharmed():
        _start(house)
        house.close_daemon()
    house.dingtalk.approvals.finish(house.dingtalk.approvals.start(PROCESS, "user3", TAXI), "refuse")
    number = house.agree(PROCESS, "user4", TAXI | {"发票": {"a.txt": b"a"}})
    house.said.clear()  # nobody tells of them again: they have to be looked for
    house.launch()
    _expect_claim(house, number, "user4", files=1)


def lost_answers(house: House) -> None:
    """Answers are lost, a file does not come and the document is locked: all of it is done later, and once."""
    _books(house)
    _start(house)
    house.kingdee.fault("lost_reply", times=1, op="Save")
    house.kingdee.fault("lost_reply", times=1, op="AttachmentUpLoad")
    house.kingdee.fault("edit_lock", times=1, op="Submit")
    house.dingtalk.fault("http500", times=1, api="download")
    house.until(lambda: house.dingtalk.connections)
    _expect_claim(house, house.agree(PROCESS, "user3", TAXI), "user3")


def _expect_word(house: House, instance: str, userid: str, refused: int) -> None:
    """A comment or a message says why it was refused, and no second comment."""
    approvals = house.dingtalk.approvals
    house.until(lambda: len(house.store("SELECT id FROM inbox WHERE state = 'refused'")) == refused)
    house.until(lambda: approvals.comments(instance) or house.dingtalk.seen(userid))
    assert len(approvals.comments(instance)) <= 1


def not_taken_in(house: House) -> None:
    """Kingdee does not know the currency, and two comments get no answer: each refusal is told once."""
    _books(house, CLAIM | {"fields": {**CLAIM["fields"], "FCurrencyID": {"FNumber": "NONE"}}})
    _start(house)
    house.possible.add("审批未能写入金蝶")  # where it cannot be told whether the comment stands there
    house.dingtalk.fault("http500", times=2, api="comments")
    approvals = house.dingtalk.approvals
    for n in (1, 2, 3):
        house.until(lambda: house.dingtalk.connections)
        house.perhaps.add(("Save", house.agree(PROCESS, f"user{n}", TAXI)))
        house.expect("审批未写入金蝶", "user5")
        _expect_word(house, [*approvals._instances][-1], f"user{n}", refused=n)
    assert house.kingdee.documents(EXPENSE) == []


INTAKE_CHAPTERS: tuple[Chapter, ...] = (taken_in, finished_meanwhile, lost_answers, not_taken_in)
