"""Hundreds of approvals at once, from Kingdee to the phones, and what the commands say of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from kdsync.cli import outbox, status, trace
from kdsync.errors import KdsyncError
from kdsync.model import Content, Priority
from kdsync.store import ledger, notifications
from kdsync.store.database import Database
from kdsync.store.notifications import GATHERED, HELD, Notification, Wanted
from kdsync.store.sealing import Seal
from tests.integration.company import FORM, Company

MANY = 300
HELD_ONE = Notification(
    id="",
    event_id="e",
    form=FORM,
    doc_id="",
    number="",
    rule="approved",
    kind="approved",
    priority=Priority.NORMAL,
    state=HELD,
    wanted=(Wanted("role:cashier"),),
    contents={"zh": Content("title", "body")},
    created_at=datetime(2026, 11, 23, 2, 0, tzinfo=UTC),
    reason="strange",
    strange="rewound",
)


def said(capsys: pytest.CaptureFixture[str], command: Callable[..., int], *args: Any, json_output: bool = True) -> Any:
    """What a command prints."""
    capsys.readouterr()
    command(*args, json_output=json_output)
    text = capsys.readouterr().out
    return json.loads(text) if json_output else text


def all_accepted(story: list[Any]) -> list[Any]:
    """The story, once it says that each of the three has it: which is written down after they have read it."""
    told_to = sorted(line["to"] for line in story if line["what"] == "accepted")
    return story if told_to == ["user1", "user2", "user5"] else []


@pytest.fixture
def stormy(company: Company) -> Company:
    """Hundreds of payments were approved while the daemon was off."""
    company.start().close()
    for number in range(MANY):
        company.pay(f"FKD{number:03}", "C")
    company.start()
    company.until(lambda: company.shown("user1", str(MANY)))
    return company


def test_three_hundred_approvals_at_once_are_one_message_for_each(
    stormy: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    (told,) = stormy.shown("user1", "")
    stormy.until(lambda: stormy.shown("user2", str(MANY)) and stormy.shown("user5", str(MANY)))
    assert len(stormy.shown("user2", "")) == len(stormy.shown("user5", "")) == 1
    assert "kdsync trace " in told
    ident = told.split("kdsync trace ")[1][:10]
    story = stormy.until(lambda: all_accepted(said(capsys, trace.trace, stormy.config, ident)))
    members = [line for line in story if line["what"] == "member"]
    assert [line["number"] for line in members] == [f"FKD{number:03}" for number in range(MANY)]
    assert {tuple(line["to"]) for line in members} == {("role:cashier",)}
    assert {line["kind"] for line in members} == {"approved"}
    lines = said(capsys, trace.trace, stormy.config, ident, json_output=False).splitlines()
    assert sum("FKD" in line for line in lines) >= MANY

    (storm,) = {line["storm"] for line in story if line["what"] == "summed up"}
    story = said(capsys, trace.trace, stormy.config, "FKD007")
    assert [line["storm"] for line in story if line["what"] in ("matched", "summed up")] == [storm] * 2
    assert {line["to"] for line in story if line["what"] == "accepted"} == {"user1", "user2", "user5"}
    assert f"storm {ident} of {MANY} messages" in said(capsys, trace.trace, stormy.config, "FKD007", json_output=False)

    assert 'kdsync_storms_total{form="AP_PAYBILL",rule="approved"} 1.0' in stormy.page("/metrics")[1]


def test_the_messages_of_a_storm_are_released(stormy: Company, capsys: pytest.CaptureFixture[str]) -> None:
    (storm,) = said(capsys, status.status, stormy.config)["storms"]
    assert (storm["messages"], storm["unsent"], storm["rule"]) == (MANY, MANY, "approved")
    assert storm in said(capsys, outbox.listing, stormy.config, [], 100)
    for text in (
        said(capsys, outbox.listing, stormy.config, [], 100, json_output=False),
        said(capsys, status.status, stormy.config, json_output=False),
    ):
        assert storm["id"][:10] in text
    assert said(capsys, outbox.release, stormy.config, [storm["id"][:6]]) == {"released": MANY}
    stormy.wired.on_told()  # it would look by itself after some seconds
    stormy.until(lambda: len(stormy.shown("user1", "FKD")) > 1)
    assert said(capsys, outbox.release, stormy.config, [storm["id"]]) == {"released": 0}
    assert said(capsys, outbox.listing, stormy.config, ["storm"], 100)[0]["unsent"] == 0
    assert said(capsys, status.status, stormy.config)["storms"] == []


@pytest.fixture
def held(company: Company) -> Company:
    """A store in which messages of a form are held; no daemon runs."""
    database = Database(f"sqlite:///{company.folder}/kdsync.db")
    database.migrate()
    with database.write() as tx:
        many = [replace(HELD_ONE, id=f"n{n}", doc_id=str(n), number=f"FKD{n}") for n in range(11)]
        notifications.add(tx, Seal(), many)
        ledger.put_fact(tx, f"notice:held {FORM}", "x", HELD_ONE.created_at)
    database.close()
    return company


def test_what_is_held_is_seen_and_released(held: Company, capsys: pytest.CaptureFixture[str]) -> None:
    told = said(capsys, status.status, held.config)
    assert [(line["form"], line["messages"]) for line in told["held"]] == [(FORM, 11)]
    assert told["alarms"] == [f"held {FORM}"]
    assert [line["state"] for line in said(capsys, outbox.listing, held.config, ["held"], 100)] == ["held"]
    assert FORM in said(capsys, outbox.listing, held.config, [], 100, json_output=False)
    assert "kdsync outbox release AP_PAYBILL" in said(capsys, status.status, held.config, json_output=False)
    (line,) = said(capsys, trace.trace, held.config, "FKD7")
    assert (line["state"], line["strange"], line["reason"]) == ("held", "rewound", "strange")
    assert said(capsys, outbox.release, held.config, [FORM.lower()]) == {"released": 11}
    told = said(capsys, status.status, held.config)
    assert told["notifications"] == {"matched": 11}
    assert told["alarms"] == []


def test_what_is_held_is_given_up(held: Company, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, outbox.drop, held.config, [FORM], "a restored backup") == {"dropped": 11}
    told = said(capsys, status.status, held.config)
    assert told["notifications"] == {"dropped": 11}
    assert told["alarms"] == []


def test_what_is_neither_a_storm_nor_a_form_with_held_messages(held: Company) -> None:
    with pytest.raises(KdsyncError, match="nothing of a form STK_Inventory is held"):
        outbox.release(held.config, ["STK_Inventory"], json_output=True)


def test_what_a_crash_left_of_a_form_no_longer_watched_is_told_at_the_next_start(company: Company) -> None:
    database = Database(f"sqlite:///{company.folder}/kdsync.db")
    database.migrate()
    left = replace(HELD_ONE, id="left", form="AP_Other", number="LEFT1", state=GATHERED, reason="", strange="")
    with database.write() as tx:
        notifications.add(tx, Seal(), [replace(left, contents={"zh": Content("LEFT1", "body")})])
    database.close()
    company.start()
    company.until(lambda: company.shown("user1", "LEFT1"))
