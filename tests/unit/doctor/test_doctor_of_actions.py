"""What actions need of the two systems is examined like what rules need, also on forms that no rule is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kdsync import probes
from kdsync.cli.live import dingtalk_people, kingdee_fields
from kdsync.clock import Clock
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.contacts import Contacts
from kdsync.doctor import dingtalk as of_dingtalk
from kdsync.doctor import kingdee as of_kingdee
from kdsync.doctor.finding import FAILED, OK, Finding
from kdsync.settings.load import Loaded
from tests.unit.doctor.conftest import Configure

RULE: dict[str, Any] = {
    "id": "approved",
    "form": "AP_PAYBILL",
    "on": "approved",
    "to": ["user:user1"],
    "message": {"title": "{{ doc.FBillNo }}"},
}
PAY: dict[str, Any] = {
    "id": "pay",
    "title": "x",
    "phrases": ["pay"],
    "form": "CN_PAYAPPLY",
    "allow": ["user:user1", "creator"],
    "when": "doc.FDocumentStatus == 'B'",
    "limit": {"field": "FPAYAMOUNTFOR_H", "max": 50000, "above": "second-person"},
    "do": ["audit"],
}


def kingdee_says(loaded: Loaded, clock: Clock) -> dict[str, Finding]:
    return {one.what: one for one in of_kingdee.examine(loaded, clock, None)}


def test_a_form_that_only_an_action_is_about(configure: Configure, clock: Clock) -> None:
    loaded = configure(RULE, actions=[PAY])
    found = kingdee_says(loaded, clock)
    assert "kingdee CN_PAYAPPLY" in found
    assert found["kingdee users"].result == OK, "who made it is asked of Kingdee"
    assert list(kingdee_fields(loaded)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"when": "doc.FMISSPELT > 1"},
        {"limit": {**PAY["limit"], "field": "FMISSPELT"}},
        {"allow": ["field:FMISSPELT"]},
        {"do": [{"save": {"FMISSPELT": "x"}}]},
    ],
)
def test_a_field_that_only_an_action_needs_and_kingdee_lacks(
    configure: Configure, clock: Clock, change: dict[str, Any]
) -> None:
    loaded = configure(RULE, actions=[{**PAY, **change}])
    found = kingdee_says(loaded, clock)["kingdee CN_PAYAPPLY FMISSPELT"]
    assert (found.result, "used by action pay" in found.detail) == (FAILED, True)
    (told,) = kingdee_fields(loaded)
    assert (told.about, "action pay" in told.message) == ("CN_PAYAPPLY.FMISSPELT", True)


def test_a_limit_on_a_field_of_rows_would_refuse_everything(configure: Configure, clock: Clock) -> None:
    rows = {
        "limit": {**PAY["limit"], "field": "FAPPLYAMOUNTFOR"},
        "when": "doc.entries | sum(attribute='FPAYAMOUNTFOR') > 0",
    }
    loaded = configure(RULE, actions=[{**PAY, **rows}])
    found = kingdee_says(loaded, clock)["kingdee CN_PAYAPPLY FAPPLYAMOUNTFOR"]
    assert (found.result, "belongs to the entry FPAYAPPLYENTRY, and action pay" in found.detail) == (FAILED, True)
    (told,) = kingdee_fields(loaded)
    assert (told.about, "the entry FPAYAPPLYENTRY" in told.message) == ("CN_PAYAPPLY.FAPPLYAMOUNTFOR", True)


@pytest.mark.parametrize(
    "change",
    [
        {"when": "doc.FAPPLYAMOUNTFOR > 5"},
        {"on": {"becomes": "doc.FAPPLYAMOUNTFOR > 5"}},
        {"message": {"title": "{{ old.FAPPLYAMOUNTFOR }}"}},
        {"to": ["field:FAPPLYAMOUNTFOR"]},
    ],
)
def test_a_rule_that_takes_a_field_of_rows_for_one_of_the_head_would_never_fire(
    configure: Configure, clock: Clock, change: dict[str, Any]
) -> None:
    on_rows = {**RULE, "id": "rows", "form": "CN_PAYAPPLY"}
    loaded = configure({**on_rows, "on": {"changed": ["FAPPLYAMOUNTFOR"]}}, {**on_rows, "id": "head", **change})
    found = kingdee_says(loaded, clock)["kingdee CN_PAYAPPLY FAPPLYAMOUNTFOR"]
    assert (found.result, "belongs to the entry FPAYAPPLYENTRY, and rule head" in found.detail) == (FAILED, True)
    (told,) = kingdee_fields(loaded)
    assert "the entry FPAYAPPLYENTRY; rule head takes it" in told.message


@pytest.mark.parametrize("change", [{"allow": ["creator"]}, {"own": False, "allow": ["user:user1"]}])
def test_who_made_it_is_asked_of_kingdee(configure: Configure, clock: Clock, change: dict[str, Any]) -> None:
    assert "kingdee users" in kingdee_says(configure(RULE, actions=[{**PAY, **change}]), clock)
    assert "kingdee users" not in kingdee_says(configure(RULE, actions=[{**PAY, "allow": ["user:user1"]}]), clock)


def test_people_and_departments_whom_only_an_action_names(configure: Configure, clock: Clock) -> None:
    loaded = configure(RULE, actions=[{**PAY, "allow": ["user:left", "dept:4711"]}])
    found = {one.what: one for one in of_dingtalk.examine(loaded, clock, None)}
    assert (found["dingtalk people"].result, "left (action pay)" in found["dingtalk people"].detail) == (FAILED, True)
    assert found["dingtalk dept:4711"].result == FAILED
    assert "dingtalk members" in found
    assert [one.about for one in dingtalk_people(loaded)] == ["action pay: left"]


def test_who_is_named_twice_is_looked_for_once(configure: Configure, clock: Clock) -> None:
    loaded = configure(RULE, actions=[PAY])
    client = DingTalkClient(loaded.settings.main.dingtalk, clock)
    assert list(probes.invisible_users(Contacts(client), loaded)) == []
    assert list(probes.named_users(loaded)) == ["user1"]
    client.close()


def test_an_account_of_the_table_that_kingdee_does_not_have_any_more(
    configure: Configure, clock: Clock, tmp_path: Path
) -> None:
    def said(**users: str) -> tuple[Finding | None, list[str]]:
        (tmp_path / "directory.yaml").write_text(yaml.safe_dump({"users": users}))
        loaded = configure(RULE, actions=[PAY], directory="directory.yaml")
        return kingdee_says(loaded, clock).get("kingdee accounts"), [one.about for one in kingdee_fields(loaded)]

    assert said(kd1="user1") == (Finding("kingdee accounts", OK, "all 1 accounts of users: are there"), [])
    found, about = said(KD1="user1", renamed="user1")
    assert found is not None
    assert (found.result, about) == (FAILED, ["users.renamed"])
    assert "no user renamed" in found.detail
    assert said() == (None, [])
