"""A day of the daemon, and what its commands say about it."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from kdsync.cli import doctor, live, outbox, status, trace
from kdsync.cli import run as run_command
from kdsync.errors import KdsyncError
from kdsync.store import forms as stored
from kdsync.store import outbox as letters
from tests.integration.company import APPROVED, FORM, Company

CASHIERS = ("user1", "user2")
ORDERS = {"id": "orders", "form": "PUR_PurchaseOrder", "message": {"title": "{{ doc.FBillNo }}"}}


def printed(capsys: pytest.CaptureFixture[str], command: Any, *args: Any) -> Any:
    """What a command prints with --json."""
    capsys.readouterr()
    command(*args, json_output=True)
    return json.loads(capsys.readouterr().out)


def test_from_kingdee_to_the_phones_and_every_command_tells_the_same_story(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    company.pay("OLD1", "C")
    daemon = company.start()
    ident = company.pay("FKD1")
    company.kingdee.submit(FORM, ident)
    company.kingdee.audit(FORM, ident)
    company.until(lambda: company.shown("user1", "FKD1"))
    assert len(company.shown("user2", "1,200.50")) == 1
    assert not company.shown("user1", "OLD1")

    daemon.wired.upkeep.step()
    told = printed(capsys, status.status, company.config)
    assert told["running"] is True
    assert told["forms"][0]["state"] == "watched"
    assert told["outbox"]["accepted"] == 2
    assert told["quota"]["used"] == 1
    story = printed(capsys, trace.trace, company.config, "FKD1")
    assert [line["what"] for line in story if line["what"] in ("noticed", "matched")] in (
        ["noticed", "matched"],
        ["noticed", "noticed", "matched"],
        ["noticed", "noticed", "noticed", "matched"],
    )
    assert [line["what"] for line in story].count("accepted") == 2
    assert 'kdsync_missed_changes_total{form="AP_PAYBILL"} 0.0' in company.page("/metrics")[1]
    assert company.page("/health/live")[0] == 200
    assert company.page("/nothing")[0] == 404


def test_the_commands_read_well_on_a_terminal(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    daemon = company.start()
    company.pay("FKD2", "C")
    company.until(lambda: company.shown("user1", "FKD2"))
    daemon.wired.upkeep.step()
    assert status.status(company.config, json_output=False) == 0
    assert trace.trace(company.config, "fkd2", json_output=False) == 0
    assert trace.trace(company.config, "NOPE", json_output=False) == 1
    assert outbox.listing(company.config, [], 10, json_output=False) == 0
    said = capsys.readouterr().out
    assert "kdsync is running" in said
    assert "created submitted approved" in said
    assert "NOPE" in said
    assert max(map(len, said.splitlines())) < 200


def test_a_dead_letter_can_be_seen_and_sent_again(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    company.configure({**APPROVED, "to": ["user:user1"]})
    company.start()
    company.dingtalk.revoke("qyapi_base")
    company.pay("FKD3", "C")
    waiting = company.until(lambda: printed(capsys, outbox.listing, company.config, ["waiting"], 10))[0]
    held = company.until(lambda: printed(capsys, status.status, company.config)["holds"])
    assert held[0]["channel"] == "work"
    whole = printed(capsys, outbox.show, company.config, waiting["id"][:8])
    assert whole["message"]["msgtype"] == "markdown"
    company.dingtalk.grant("qyapi_base")
    assert printed(capsys, outbox.retry, company.config, [waiting["id"]]) == {"sent_again": 1}
    company.until(lambda: company.shown("user1", "FKD3"))


def test_what_is_dropped_stays_visible(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    company.start()
    company.dingtalk.revoke("qyapi_base")
    company.pay("FKD4", "C")

    def waiting() -> list[str]:
        rows = printed(capsys, outbox.listing, company.config, ["waiting"], 10)
        found = [row["id"] for row in rows if row["attempts"]]  # tried once, and held back since
        return found if len(found) == len(CASHIERS) else []

    ids = company.until(waiting)
    assert printed(capsys, outbox.drop, company.config, ids, "wrong address") == {"dropped": len(CASHIERS)}
    dropped = printed(capsys, outbox.listing, company.config, ["dropped"], 10)
    assert [row["reason"] for row in dropped] == ["wrong address"] * len(CASHIERS)
    with pytest.raises(KdsyncError, match="no message"):
        outbox.show(company.config, "ffffffffffffffffffffffff", json_output=True)


def test_rules_are_reloaded_whole_or_not_at_all(company: Company) -> None:
    daemon = company.start()
    (company.folder / "rules.yaml").write_text("rules: [")
    assert daemon.reload() is False
    company.pay("KEEP", "C")
    company.until(lambda: company.shown("user1", "KEEP"))
    company.configure({**APPROVED, "to": ["user:user4"]}, {**APPROVED, **ORDERS})
    assert daemon.reload() is True
    company.until(lambda: company.page("/health/ready")[0] == 200)
    company.pay("NEW", "C")
    company.until(lambda: company.shown("user4", "NEW"))
    assert not company.shown("user1", "NEW")
    order = company.kingdee.create("PUR_PurchaseOrder", "PO1", "C")
    assert order
    company.until(lambda: company.shown("user1", "PO1"))
    watcher, forms = daemon.wired.watchers[FORM], set(daemon.wired.watchers)
    company.configure({**APPROVED, **ORDERS})
    assert daemon.reload() is True
    assert FORM not in daemon.wired.watchers
    company.configure({**APPROVED, "form": FORM.lower()}, {**APPROVED, **ORDERS})
    assert daemon.reload() is True
    assert set(daemon.wired.watchers) == forms
    assert daemon.wired.watchers[FORM] is watcher, "a look of it may go on, and nobody else is to look beside it"
    with daemon.wired.db.read() as tx:
        assert {cursor.form for cursor in stored.everything(tx, daemon.wired.settings.main.kingdee.acct_id)} == forms


def test_a_form_that_kingdee_does_not_have_stops_nobody_else(company: Company) -> None:
    company.configure(APPROVED, {**APPROVED, "id": "odd", "form": "NO_SUCH_FORM"})
    company.start()
    company.pay("GOOD", "C")
    company.until(lambda: company.shown("user1", "GOOD"))
    company.until(lambda: company.shown("user5", "NO_SUCH_FORM"))
    assert len(company.shown("user5", "NO_SUCH_FORM")) == 1


def test_a_field_that_kingdee_does_not_have_rests_one_rule(company: Company) -> None:
    company.configure(APPROVED, {**APPROVED, "id": "odd", "when": "doc.F_NO_SUCH == 1"})
    company.start()
    company.pay("FIELD", "C")
    company.until(lambda: company.shown("user1", "FIELD"))
    company.until(lambda: company.shown("user5", "F_NO_SUCH"))


def test_hostile_names_and_a_wide_document(company: Company) -> None:
    rule = {
        **APPROVED,
        "form": "PUR_PurchaseOrder",
        "message": {
            "title": "{{ doc.FBillNo }} {{ doc.FSupplierId.FName }}",
            "body": "{{ doc.FSupplierId.FName }}: {{ doc.entries | sum(attribute='FQty') }}",
        },
    }
    company.configure(rule)
    company.start()
    name = "{{ 777777*777777 }} [click](http://evil.example) # " + "很长" * 5000
    supplier = {"id": 9, "FNumber": "S9", "FName": name}
    rows = [{"FQty": 2}] * 5000
    company.kingdee.create("PUR_PurchaseOrder", "WIDE1", "C", FSupplierId=supplier, entries=rows)
    company.until(lambda: company.shown("user1", "WIDE1"))
    with company.wired.db.read() as tx:
        letter = letters.listing(tx, company.wired.seal, limit=1)[0][0]
    text = orjson.loads(letter.content)["markdown"]["text"]
    assert "{{ 777777\\*777777 }}" in text
    assert str(777777 * 777777) not in text  # too long for a time or an id to hold it
    assert "\\[click\\](" in text
    assert "[click](" not in text.replace("\\[click\\](", "")
    assert "10000" in text


def test_the_doctor_and_the_live_check(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    company.pay("OLD1", "C")
    assert doctor.doctor(company.config, json_output=False) == 0
    assert live.check(company.config, live=True, json_output=False) == 0
    company.configure({**APPROVED, "when": "doc.F_NOPE == 1", "to": ["user:stranger"]})
    assert doctor.doctor(company.config, json_output=False) == 1
    assert live.check(company.config, live=True, json_output=False) == 78
    said = capsys.readouterr()
    assert "F_NOPE" in said.out
    assert "stranger" in said.out
    assert "F_NOPE" in said.err
    assert company.environ["KD_SECRET"] not in said.out + said.err


def test_the_doctor_names_what_is_wrong(company: Company, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("KD_SECRET", "f" * 32)
    monkeypatch.setenv("DT_SECRET", "wrong")
    assert doctor.doctor(company.config, json_output=True) == 1
    findings = {finding["what"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["kingdee login"]["result"] == "failed"
    assert findings["kingdee login"]["cure"]
    assert findings["dingtalk token"]["result"] == "failed"
    assert findings["kingdee connection"]["result"] == "ok"


def test_a_second_daemon_is_refused(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    company.start()
    assert run_command.run(company.config, "info") == 1
    assert "another kdsync" in capsys.readouterr().out
    company.log_to_file()


def test_an_outage_of_kingdee_loses_nothing(company: Company) -> None:
    company.start()
    company.kingdee.stop()
    company.until(lambda: '"ok": true' in company.page("/health/live")[1])
    company.kingdee.start()
    company.pay("AFTER", "C")
    company.until(lambda: company.shown("user1", "AFTER"), 40)
