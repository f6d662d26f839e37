from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kdsync.cli.check import Finding, check
from kdsync.errors import EdgeError, FailureKind
from kdsync.settings.load import Loaded
from kdsync.store import codes
from kdsync.store.database import Database
from kdsync.store.sealing import Seal

ENVIRON = {"KD": "kingdee-secret", "DT": "dingtalk-secret"}
MAIN = """
kingdee: {url: "http://127.0.0.1/K3Cloud/", acct_id: a, username: u, app_id: i, app_secret: {env: KD}}
dingtalk: {client_id: d, client_secret: {env: DT}, agent_id: 1, groups: {finance: {token: {env: DT}}}}
directory: directory.yaml
fallback: [user:ops1]
"""
RULES = """
rules:
  - {id: one, form: AP_PAYBILL, on: approved, to: [creator, role:cashier], message: {title: x}}
  - {id: two, form: AP_PAYBIL, on: approved, to: [group:finance], mode: shadow, message: {title: x}}
actions:
  - {id: confirm, form: AP_PAYBILL, title: x, phrases: [ok], allow: [role:cashier], do: [audit]}
"""


INTAKE = """
intake:
  - {id: pay, process: PROC-PAY, form: AP_PAYBILL, as: submit, fields: {FREMARK: x}}
actions:
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "rules.yaml").write_text(RULES)
    (tmp_path / "directory.yaml").write_text("roles: {cashier: [user:user3]}\n")
    (tmp_path / "kdsync.yaml").write_text(MAIN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return Path("kdsync.yaml")


def spoil(name: str, old: str, new: str) -> None:
    text = Path(name).read_text()
    assert old in text
    Path(name).write_text(text.replace(old, new, 1))


def test_a_sound_configuration_is_summed_up(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(config, live=False, json_output=False, environ=ENVIRON) == 0
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert said[0] == "The configuration is sound."
    assert "Kingdee http://127.0.0.1/K3Cloud/ as u (sign)" in said
    assert "Rules 1 live, 1 in shadow" in said
    assert "Actions confirm (AP_PAYBILL)" in said
    assert "Forms AP_PAYBIL (1), AP_PAYBILL (1)" in said
    assert "Recipients creator (1), group (1), role (1)" in said
    assert "Roles cashier: user:user3" in said
    assert "Groups finance" in said


def test_a_rule_that_misses_what_an_action_does_is_advised_and_is_no_mistake(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(config, live=False, json_output=False, environ=ENVIRON) == 0
    assert "rule one does not tell of approvals given by action confirm in DingTalk; write origin: any to tell of" in (
        " ".join(capsys.readouterr().out.split())
    )
    assert check(config, live=False, json_output=True, environ=ENVIRON) == 0
    (found,) = json.loads(capsys.readouterr().out)["advice"]
    assert found.startswith("rule one does not tell")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("on: approved, to: [creator", "on: approved, origin: any, to: [creator"),
        ("on: approved, to: [creator", "on: approved, origin: kingdee, to: [creator"),
        ("on: approved, to: [creator", "on: submitted, to: [creator"),
        ("form: AP_PAYBILL, title: x", "form: AP_Payable, title: x"),
        ("do: [audit]", "do: [{save: {FREMARK: ok}}]"),
    ],
)
def test_a_rule_that_says_what_it_means_or_that_no_action_concerns_needs_no_advice(
    config: Path, capsys: pytest.CaptureFixture[str], old: str, new: str
) -> None:
    spoil("rules/rules.yaml", old, new)
    assert check(config, live=False, json_output=True, environ=ENVIRON) == 0
    assert json.loads(capsys.readouterr().out)["advice"] == []


def test_a_rule_that_misses_what_an_operation_is_for_is_advised(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil("rules/rules.yaml", "on: approved, to: [creator", "on: [closed, voided], to: [creator")
    spoil("rules/rules.yaml", "do: [audit]", "do: [{operation: BillClose}]")
    assert check(config, live=False, json_output=True, environ=ENVIRON) == 0
    (found,) = json.loads(capsys.readouterr().out)["advice"]
    assert found.startswith("rule one does not tell of documents closed by action confirm in DingTalk;")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("", "one: no approvers, so nobody is told"),
        ("approvers: [user:u1], when: task.node == 'x'", "rule one tells its approvers only of documents for which"),
        ("approvers: [user:u1], when: doc.FAMOUNT > 5", None),
    ],
)
def test_who_is_not_told_while_tasks_cannot_be_read_is_advised(
    config: Path, capsys: pytest.CaptureFixture[str], rule: str, expected: str | None
) -> None:
    spoil("rules/rules.yaml", "on: approved, to: [creator", f"on: assigned, {rule}{rule and ','} to: [creator")
    assert check(config, live=False, json_output=True, environ=ENVIRON) == 0
    found = json.loads(capsys.readouterr().out)["advice"]
    assert [one.startswith(expected or "?") for one in found] == ([True] if expected else [])


def test_a_form_is_counted_once_however_it_is_spelled(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil("rules/rules.yaml", "form: AP_PAYBIL,", "form: ap_paybill,")
    assert check(config, live=False, json_output=True, environ=ENVIRON) == 0
    assert json.loads(capsys.readouterr().out)["forms"] == {"AP_PAYBILL": 2}


def test_a_rule_that_waits_for_a_moment_is_advised(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil("rules/rules.yaml", "on: approved, to: [creator", "on: {becomes: doc.FENDDATE < now}, to: [creator")
    assert check(config, live=False, json_output=True, environ=ENVIRON) == 0
    (found,) = json.loads(capsys.readouterr().out)["advice"]
    assert found.startswith("rule one compares with now in `becomes`")


def test_a_rule_that_misses_what_an_intake_makes_is_advised(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil("rules/rules.yaml", "on: approved, to: [creator", "on: [created, submitted], to: [creator")
    spoil("rules/rules.yaml", "actions:\n", INTAKE)
    assert check(config, live=False, json_output=True, environ=ENVIRON) == 0
    found = json.loads(capsys.readouterr().out)["advice"]
    assert [one.partition(";")[0] for one in found] == [
        "rule one does not tell of documents created by intake pay",
        "rule one does not tell of documents submitted by intake pay",
    ]


def test_codes_that_nobody_has_and_a_second_person_who_is_none_are_advised(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def advice() -> list[str]:
        assert check(config, live=False, json_output=True, environ=ENVIRON) == 0
        return [one for one in json.loads(capsys.readouterr().out)["advice"] if one.startswith("action")]

    spoil("rules/rules.yaml", "do: [audit]", "limit: {field: FAMOUNT, max: 5, above: second-person}, do: [audit]")
    assert advice() == ["action confirm takes a second person above 5, and only user:user3 may: there is no second"]
    spoil("rules/rules.yaml", "second-person", "totp")
    spoil("kdsync.yaml", "fallback", 'store: {url: "sqlite:///kdsync.db", key: {env: KD}}\nfallback')
    nobody = "action confirm takes a one-time code above 5, and nobody is enrolled: kdsync totp enrol user3"
    assert advice() == [nobody]
    assert not Path("kdsync.db").exists()
    database = Database("sqlite:///kdsync.db")
    database.migrate()
    assert advice() == [nobody]
    with database.write() as tx:
        codes.enrol(tx, Seal("key"), "user3", b"x" * 20, datetime.now(UTC), 0)
    assert advice() == []
    database.close()
    Path("kdsync.db").write_text("no store, and what is in it cannot be told")
    assert advice() == []


def test_a_rule_that_watches_what_an_action_saves_is_advised(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil("rules/rules.yaml", "on: approved, to: [creator", "on: {becomes: doc.FNOTE == 'x'}, to: [creator")
    spoil("rules/rules.yaml", "do: [audit]", "do: [{save: {FNote: ok}}]")
    assert check(config, live=False, json_output=True, environ=ENVIRON) == 0
    assert "changes made by action confirm" in json.loads(capsys.readouterr().out)["advice"][0]


def test_a_form_that_looks_misspelt_is_pointed_at_but_is_no_mistake(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(config, live=False, json_output=False, environ=ENVIRON, known_forms=("AP_PAYBILL",)) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "AP_PAYBIL is no form that kdsync knows by heart; did you mean AP_PAYBILL?" in said


def test_mistakes_go_to_stderr_by_file_with_place_key_and_hint(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil("rules/rules.yaml", "approved", "aproved")
    spoil("kdsync.yaml", "fallback", "poll: {interval: 45s}\nfallback")
    assert check(config, live=False, json_output=False, environ=ENVIRON) == 78
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "kdsync.yaml:5:18  poll.interval",
        "    must be between 1s and 30s",
        "",
        "rules/rules.yaml:3:37  rules[0].on",
        "    rule one: 'aproved' is not a trigger",
        "    did you mean approved?",
        "",
        "2 problems in 2 files.",
    ]


def test_no_line_but_that_of_a_place_is_wider_than_the_screen(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil("kdsync.yaml", "user:ops1", "creator, boss, 'manager_of:field:FProposerID'")
    assert check(config, live=False, json_output=False, environ=ENVIRON) == 78
    assert all(len(line) <= 80 for line in capsys.readouterr().err.splitlines())


def test_mistakes_as_json(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil("rules/rules.yaml", "approved", "aproved")
    assert check(config, live=False, json_output=True, environ=ENVIRON) == 78
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem == {
        "file": "rules/rules.yaml",
        "line": 3,
        "column": 37,
        "key": "rules[0].on",
        "message": "rule one: 'aproved' is not a trigger",
        "hint": "did you mean approved?",
    }


def test_a_summary_as_json(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(config, live=False, json_output=True, environ=ENVIRON) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["rules"] == {"live": 1, "shadow": 1}
    assert said["roles"] == {"cashier": ["user:user3"]}
    assert said["problems"] == said["findings"] == []


def test_a_secret_in_plain_text_is_not_shown(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil("kdsync.yaml", "{env: KD}", "0123456789abcdef")
    for json_output in (False, True):
        assert check(config, live=False, json_output=json_output, environ=ENVIRON) == 78
        said = capsys.readouterr()
        assert "app_secret" in said.out + said.err
        assert "0123456789abcdef" not in said.out + said.err


def misspelt_field(_: Loaded) -> Iterable[Finding]:
    yield Finding("rule one", "Kingdee has no field FBilNo in AP_PAYBILL", "did you mean FBillNo?")


def nobody_there(_: Loaded) -> Iterable[Finding]:
    raise EdgeError("kingdee", FailureKind.TRANSIENT, "refused", "nobody answers", cure="is the server on?")


def wrong_secret(_: Loaded) -> Iterable[Finding]:
    raise EdgeError("dingtalk", FailureKind.CONFIGURATION, "40089", "the client secret is wrong")


def test_what_the_systems_say_is_asked_only_live(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(config, live=False, json_output=False, environ=ENVIRON, probes=(misspelt_field,)) == 0
    assert check(config, live=True, json_output=False, environ=ENVIRON, probes=(misspelt_field,)) == 78
    assert "did you mean FBillNo?" in capsys.readouterr().err


@pytest.mark.parametrize(("probe", "code"), [(nobody_there, 1), (wrong_secret, 78)])
def test_a_system_that_cannot_be_asked_is_no_mistake_in_the_files_unless_they_are_why(
    probe: object, code: int, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(probe)
    assert check(config, live=True, json_output=True, environ=ENVIRON, probes=(probe,)) == code
    assert len(json.loads(capsys.readouterr().out)["findings"]) == 1


def test_live_says_so_when_all_agree(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(config, live=True, json_output=False, environ=ENVIRON) == 0
    assert "Kingdee and DingTalk agree." in capsys.readouterr().out
