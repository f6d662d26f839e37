"""Between both systems: what is agreed to in DingTalk becomes one document in Kingdee, and the applicant knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdsync.cli import inbox, live, status, trace
from kdsync.errors import KdsyncError
from kdsync.simulator.dingtalk_pushes import Push
from kdsync.store import intake as store
from tests.integration.company import APPROVED, Company

EXAMPLES = yaml.safe_load((Path(__file__).parents[2] / "config" / "rules" / "intake.yaml").read_text())["intake"]
CLAIM, INVOICE = EXAMPLES
EXPENSE, PAYABLE = "ER_ExpReimbursement", "AP_Payable"
CLAIM_FORM: dict[str, Any] = {
    "报销事由": "TextField",
    "部门": "DepartmentField",
    "费用明细": {"费用项目": "DDSelectField", "金额": "MoneyField", "说明": "TextField"},
    "发票": "DDAttachment",
}
INVOICE_FORM: dict[str, Any] = {
    "供应商编码": "TextField",
    "开票日期": "DDDateField",
    "付款期限": "TextField",
    "价税合计": "TextField",
    "发票明细": {"物料编码": "TextField", "数量": "NumberField", "金额": "MoneyField", "税额": "MoneyField"},
    "发票": "DDAttachment",
    "合同": "DDPhotoField",
}
TAXI: dict[str, Any] = {
    "报销事由": "拜访客户",
    "部门": [523467],
    "费用明细": [
        {"费用项目": "差旅费", "金额": "1200.50", "说明": "高铁"},
        {"费用项目": "招待费", "金额": "300"},
    ],
    "发票": {"高铁票.pdf": b"%PDF-1.4 " * 200_000, "发票/2.png": b"png"},
}
BOUGHT: dict[str, Any] = {
    "供应商编码": "VEN001",
    "开票日期": "2026-11-20",
    "付款期限": "2026年12月31日",
    "价税合计": "￥１，１３０．００",
    "发票明细": [{"物料编码": "M001", "数量": "10", "金额": "1130", "税额": "130"}],
    "发票": {"invoice.pdf": b"%PDF"},
    "合同": {"page.jpg": b"jpg"},
}


WRONG_NAMES = {"事由": "did you mean 报销事由?", "票": "files are in 发票"}


def base(number: str) -> dict[str, Any]:
    """Base data that the simulated Kingdee knows from then on."""
    return {"id": 7, "FNumber": number, "FName": number}


@pytest.fixture
def books(company: Company) -> Company:
    """A company with the base data that the examples name."""
    kingdee, dingtalk = company.kingdee, company.dingtalk
    dingtalk.add_department(523467, "Sales")
    dingtalk.approvals.define(CLAIM["process"], CLAIM_FORM, "费用报销")
    dingtalk.approvals.define(INVOICE["process"], INVOICE_FORM, "供应商发票")
    rows = [{"FExpID": base(number)} for number in ("CI001", "CI002", "CI099")]
    kingdee.create(EXPENSE, "OLD", "C", entries=rows, FRequestDeptID=base("BM000012"), FCurrencyID=base("PRE001"))
    kingdee.create("BD_Supplier", "VEN001", "C", FName="Steel")
    kingdee.create("BD_MATERIAL", "M001", "C", FName="Plate")
    configure(company, CLAIM, INVOICE)
    return company


def configure(company: Company, *intakes: dict[str, Any], **sections: Any) -> None:
    company.configure(**sections)
    company._write("rules.yaml", {"rules": [APPROVED], "intake": list(intakes)})
    roles = {"cashier": ["user:user1", "user:user2"]}
    company._write(
        "directory.yaml", {"roles": roles, "departments": {"523467": "BM000012"}, "locales": {"user4": "en"}}
    )


def listening(company: Company) -> Company:
    company.start()
    company.until(lambda: company.wired.answering.stream.connected)
    return company


def agree(company: Company, values: dict[str, Any] = TAXI, intake: dict[str, Any] = CLAIM) -> tuple[str, str, Push]:
    """An approval is filled in by user3 and agreed to: its id, its business id and the event."""
    ident = company.dingtalk.approvals.start(intake["process"], "user3", values)
    return ident, company.dingtalk.approvals.instance(ident).business_id, company.dingtalk.approvals.finish(ident)


def made(company: Company, form: str = EXPENSE) -> list[dict[str, Any]]:
    """The documents that were made."""
    return [one for one in company.kingdee.documents(form) if one["FBillNo"] != "OLD"]


def lines(claim: dict[str, Any]) -> list[tuple[str, float, str]]:
    return [(row["FExpID"]["FNumber"], float(row["FExpenseAmount"]), row["FRemark"]) for row in claim["entries"]]


def log(company: Company) -> str:
    return (company.folder / "kdsync.log").read_text()


def writes(company: Company) -> list[str]:
    changing = ("Save", "Draft", "Submit", "Audit", "AttachmentUpLoad", "AttachmentUpload")
    return [one.op for one in company.kingdee.requests if one.op in changing]


def test_a_claim_becomes_a_document_with_lines_people_and_files_and_the_applicant_is_told(books: Company) -> None:
    listening(books)
    _, number, push = agree(books)
    books.until(lambda: books.shown("user3", number))
    (claim,) = made(books)
    assert claim["FBillNo"] == number
    assert claim["FDocumentStatus"] == "B"
    assert (claim["FCausa"], claim["FRequestDeptID"]["FNumber"]) == ("拜访客户", "BM000012")
    assert claim["FProposerID"]["FName"] == "Person 3"
    assert float(claim["FExpAmountSum"]) == 1500.5
    assert lines(claim) == [("CI001", 1200.5, "高铁"), ("CI002", 300.0, " ")]
    assert [ack.in_time for ack in push.acks] == [True]
    assert books.kingdee.attachments(EXPENSE, claim["FID"]) == {
        "高铁票.pdf": TAXI["发票"]["高铁票.pdf"],
        "发票_2.png": b"png",
    }
    books.dingtalk.redeliver(push)
    books.until(lambda: len(push.acks) == 2)
    assert len(made(books)) == 1
    assert len(books.shown("user3", number)) == 1
    assert books.shown("user5", "") == []
    story = list(trace.gather(books.wired.db, books.wired.seal, books.kingdee.credentials.acct_id, number))
    assert [line["state"] for line in story if line["what"] == "approval"] == ["done"]


def test_an_invoice_becomes_a_payable_whatever_way_its_amounts_and_dates_are_written(books: Company) -> None:
    listening(books)
    _, number, _ = agree(books, BOUGHT, INVOICE)
    books.until(lambda: books.shown("user3", number))
    (payable,) = made(books, PAYABLE)
    assert (payable["FBillNo"], payable["FDocumentStatus"]) == (number, "A")
    assert (payable["FDATE"][:10], payable["FENDDATE"][:10]) == ("2026-11-20", "2026-12-31")
    assert (float(payable["FALLAMOUNTFOR"]), payable["FSUPPLIERID"]["FNumber"]) == (1130.0, "VEN001")
    (row,) = payable["entries"]
    assert (row["FMATERIALID"]["FNumber"], float(row["FPriceQty"]), float(row["FTAXAMOUNTFOR_D"])) == ("M001", 10, 130)
    hanging = books.kingdee.attachments(PAYABLE, payable["FID"])
    assert sorted(hanging.values()) == [b"%PDF", b"jpg"]
    assert [name[-4:] for name in hanging if name != "invoice.pdf"] == [".jpg"]
    assert writes(books)[0] == "Save"
    assert "Submit" not in writes(books)


@pytest.mark.parametrize("op", ["Save", "Submit"])
def test_a_lost_answer_is_looked_up_and_nothing_is_done_twice(books: Company, op: str) -> None:
    listening(books)
    books.kingdee.fault("lost_reply", times=1, op=op)
    _, number, _ = agree(books)
    books.until(lambda: books.shown("user3", number))
    assert [one["FDocumentStatus"] for one in made(books)] == ["B"]
    assert writes(books).count(op) == 1


def test_an_approval_that_was_refused_or_taken_back_becomes_nothing(books: Company) -> None:
    listening(books)
    approvals = books.dingtalk.approvals
    refused, back = (approvals.start(CLAIM["process"], "user3", TAXI) for _ in range(2))
    pushes = [approvals.finish(refused, "refuse"), approvals.terminate(back)]
    books.until(lambda: all(push.acks for push in pushes))
    _, number, _ = agree(books)
    books.until(lambda: books.shown("user3", number))
    assert [one["FBillNo"] for one in made(books)] == [number]


def test_what_was_finished_before_the_intake_was_there_is_left_alone_and_what_was_missed_is_not(books: Company) -> None:
    books.dingtalk_clock.ahead = -3600.0
    agree(books)
    books.dingtalk_clock.ahead = 0.0
    listening(books)
    books.until(lambda: log(books).count("intake.looked") >= 2)
    assert books.daemon is not None
    books.daemon.close()
    _, number, _ = agree(books)
    listening(books)
    books.until(lambda: books.shown("user3", number))
    assert [one["FBillNo"] for one in made(books)] == [number]


def test_what_kingdee_refuses_is_said_below_the_approval_and_made_once_it_is_mended(books: Company) -> None:
    listening(books)
    approvals = books.dingtalk.approvals
    ident = approvals.start(INVOICE["process"], "user4", {**BOUGHT, "供应商编码": "VEN009"})
    number = approvals.instance(ident).business_id
    approvals.finish(ident)
    books.until(lambda: books.shown("user5", number))
    (comment,) = approvals.comments(ident)
    assert comment.userid == "user5"
    assert comment.text.startswith("Not taken into Kingdee: Kingdee: ")
    assert "VEN009" in comment.text
    assert made(books, PAYABLE) == []
    assert books.shown("user4", number) == []
    books.kingdee.create("BD_Supplier", "VEN009", "C", FName="Glass")
    assert inbox.retry(books.config, [store.row_id(ident)[:8]], json_output=True) == 0
    books.until(lambda: books.shown("user4", number))
    assert [one["FBillNo"] for one in made(books, PAYABLE)] == [number]
    assert len(approvals.comments(ident)) == 1
    assert len(books.shown("user5", number)) == 1


def test_kingdee_is_down_for_a_while(books: Company) -> None:
    listening(books)
    books.kingdee.fault("http500", probability=1.0)
    _, number, _ = agree(books)
    books.until(lambda: "intake.put_off" in log(books))
    books.kingdee.clear_faults()
    books.until(lambda: books.shown("user3", number), 60.0)
    assert len(made(books)) == 1


def test_check_live_names_what_kingdee_and_dingtalk_do_not_have(
    books: Company, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, secret in books.environ.items():
        monkeypatch.setenv(name, secret)
    assert live.check(books.config, live=True, json_output=True) == 0
    assert json.loads(capsys.readouterr().out)["intake"] == {"expense-claim": EXPENSE, "supplier-invoice": PAYABLE}
    books.dingtalk.revoke("Workflow.Form.Read")
    assert live.check(books.config, live=True, json_output=True) == 1
    told = json.loads(capsys.readouterr().out)["findings"]
    assert all("Workflow.Form.Read" in f"{one['message']} {one['hint']}" for one in told)
    books.dingtalk.grant("Workflow.Form.Read")
    rows = {"from": "费用明细", "fields": {"FExpId": 1, "FAmount": 2}}
    wrong = {"fields": {"FCausae": "{{ form['事由'] }}", "FRemark": "y"}, "entries": {"FEntity": rows, "FNone": rows}}
    configure(books, CLAIM | wrong | {"key": {"field": "F_KD"}, "attachments": ["票"]})
    assert live.check(books.config, live=True, json_output=True) == 78
    found = {one["about"]: one["hint"] for one in json.loads(capsys.readouterr().out)["findings"]}
    of_form = {f"intake {CLAIM['id']}: {CLAIM['process']}: {name}": hint for name, hint in WRONG_NAMES.items()}
    of_kingdee = {f"{EXPENSE}.{key}" for key in ("FCausae", "FRemark", "F_KD", "FNone", "FEntity.FAmount")}
    assert found.keys() == of_kingdee | of_form.keys()
    assert {about: found[about] for about in of_form} == of_form
    assert found[f"{EXPENSE}.FCausae"] == "did you mean FCausa?"
    assert found[f"{EXPENSE}.FRemark"] == "it belongs to the entry FEntity: write it below entries"


def test_the_inbox_is_listed_and_what_cannot_be_tried_again_says_so(
    books: Company, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, secret in books.environ.items():
        monkeypatch.setenv(name, secret)
    listening(books)
    ident, number, _ = agree(books)
    books.until(lambda: books.shown("user3", number))
    capsys.readouterr()
    assert inbox.listing(books.config, [], 10, json_output=False) == 0
    assert "Nothing waits" in capsys.readouterr().out
    assert inbox.listing(books.config, ["done"], 10, json_output=True) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["number"], row["source"], row["state"]) == (number, "approval", "done")
    assert inbox.listing(books.config, ["done"], 10, json_output=False) == 0
    assert row["id"][:10] in capsys.readouterr().out
    with pytest.raises(KdsyncError, match="there is nothing to try again"):
        inbox.retry(books.config, [store.row_id(ident)], json_output=False)
    with pytest.raises(KdsyncError, match="begins with zz"):
        inbox.retry(books.config, ["zz"], json_output=False)
    assert inbox.retry(books.config, ["all"], json_output=False) == 1


def test_an_intake_that_is_added_while_the_daemon_runs_is_listened_to(books: Company) -> None:
    books.configure()
    daemon = books.start()
    configure(books, CLAIM)
    daemon.reload()
    books.until(lambda: '"intake.looked"' in log(books) and books.dingtalk.connections)
    books.until(lambda: log(books).count("stream.connected") == 2)
    _, number, push = agree(books)
    books.until(lambda: books.shown("user3", number))
    assert push.acks
    found = status.gather(books.load(), books.wired.db, books.clock.now())
    assert (found["intake"], found["inbox"]) == ({"done": 1}, {})


def test_what_kdsync_made_fires_rules_that_ask_for_it_and_no_others(books: Company) -> None:
    made_rule = {"form": EXPENSE, "on": ["created", "submitted"], "to": ["user:user1"]}
    rules = [
        made_rule | {"id": ident, "message": {"title": f"{ident} {{{{ doc.FBillNo }}}}"}, **more}
        for ident, more in (("mine", {}), ("all", {"origin": "any"}))
    ]
    configure(books, CLAIM)
    books._write("rules.yaml", {"rules": [APPROVED, *rules], "intake": [CLAIM]})
    listening(books)
    _, number, _ = agree(books)
    books.until(lambda: books.shown("user3", number))
    books.until(lambda: books.shown("user1", f"all {number}"))
    assert books.shown("user1", f"mine {number}") == []
