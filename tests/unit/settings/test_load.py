from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdsync.dingtalk import cards
from kdsync.errors import ConfigurationError
from kdsync.settings.actions import MOST_BUTTONS
from kdsync.settings.load import Loaded, load

ENVIRON = {"KD": "kingdee-secret", "DT": "dingtalk-secret"}
MAIN = """
kingdee: {url: "http://127.0.0.1/K3Cloud/", acct_id: a, username: u, app_id: i, app_secret: {env: KD}}
dingtalk: {client_id: d, client_secret: {env: DT}, agent_id: 1}
fallback: [user:ops1]
"""
KEYS = ("id", "on", "to", "message", "title", "becomes", "form", "when", "x")
RULE = '  - {{id: {}, form: AP_PAYBILL, on: approved, to: [creator], message: {{title: "{{{{ doc.FBillNo }}}}"}}}}\n'


def write(folder: Path, main: str = MAIN, **rules: str) -> Path:
    (folder / "rules").mkdir(exist_ok=True)
    for name, text in rules.items():
        (folder / "rules" / f"{name}.yaml").write_text(text)
    (folder / "kdsync.yaml").write_text(main)
    return folder / "kdsync.yaml"


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(path, ENVIRON)
    return [f"{Path(one.file).name}:{one.line} {one.key}: {one.message}" for one in caught.value.problems]


def ids(loaded: Loaded) -> list[str]:
    return [rule.id for rule in loaded.ruleset.rules]


def test_everything_is_read_resolved_and_compiled(tmp_path: Path) -> None:
    main = MAIN + "directory: people.yaml\nlisten: '[::1]:9464'\nstore: {url: 'sqlite:///k.db'}\n"
    (tmp_path / "people.yaml").write_text("roles: {cashier: [user:user3]}\n")
    loaded = load(write(tmp_path, main, a="rules:\n" + RULE.format("one")), ENVIRON)
    assert loaded.settings.base == tmp_path
    assert loaded.settings.listen == ("::1", 9464)
    assert loaded.settings.main.store.url == f"sqlite:///{tmp_path}/k.db"
    assert [str(one) for one in loaded.settings.directory.roles["cashier"]] == ["user:user3"]
    assert [rule.id for rule in loaded.settings.rules] == ids(loaded) == ["one"]
    assert [path.name for path in loaded.files] == ["kdsync.yaml", "people.yaml", "a.yaml"]
    assert set(loaded.secrets) == {"kingdee-secret", "dingtalk-secret"}


@pytest.mark.parametrize("word", ["off", "Off", "NO", "false", "'Off'"])
def test_without_the_stream_nobody_would_hear_of_approvals_or_clicks(tmp_path: Path, word: str) -> None:
    main = MAIN.replace("agent_id: 1", f"agent_id: 1, card_template: a.schema, stream: {word}")
    intake = "intake:\n  - {id: a, process: P, form: F, fields: {F: x}}\n"
    found = problems(write(tmp_path, main, a=intake))
    assert [one.partition(": ")[0] for one in found] == ["kdsync.yaml:3 dingtalk.card_template", "a.yaml:1 intake"]


def test_a_card_has_room_for_five_buttons(tmp_path: Path) -> None:
    actions = "".join(
        f"  - {{id: a{n}, title: t, phrases: [{'x' * n}y], form: F, allow: [creator], do: [submit]}}\n"
        for n in range(6)
    )
    rule = RULE.format("r").replace("AP_PAYBILL", "F").replace("on:", "actions: [a0, a1, a2, a3, a4, a5], on:")
    text = f"rules:\n{rule}actions:\n{actions}"
    path = write(tmp_path, MAIN + "rules: [rules/*.yaml]\n", a=text)
    assert len(load(path, ENVIRON).actions) == 6
    main = MAIN.replace("agent_id: 1", "agent_id: 1, card_template: a.schema") + "rules: [rules/*.yaml]\n"
    assert problems(write(tmp_path, main, a=text)) == [
        "a.yaml:2 rules[0].actions[5]: rule r: a card has room for 5 buttons"
    ]
    assert MOST_BUTTONS == cards.MOST_BUTTONS


def test_no_secret_is_in_the_settings_as_text(tmp_path: Path) -> None:
    loaded = load(write(tmp_path), ENVIRON)
    assert not any(secret in repr(loaded.settings) for secret in loaded.secrets)


def test_rules_come_in_the_order_of_patterns_names_and_lines_and_each_file_once(tmp_path: Path) -> None:
    main = MAIN + "rules: [rules/z.yaml, rules/*.yaml, rules*]\n"
    path = write(tmp_path, main, a="rules:\n" + RULE.format("a1") + RULE.format("a2"), z="rules:\n" + RULE.format("z"))
    assert ids(load(path, ENVIRON)) == ["z", "a1", "a2"]


def test_a_pattern_may_be_absolute_and_the_folder_may_hold_stars(tmp_path: Path) -> None:
    folder = tmp_path / "a [1] *"
    folder.mkdir()
    (tmp_path / "other.yaml").write_text("rules:\n" + RULE.format("other"))
    path = write(folder, MAIN + f"rules: ['{tmp_path}/*.yaml', rules/*.yaml]\n", a="rules:\n" + RULE.format("own"))
    assert ids(load(path, ENVIRON)) == ["other", "own"]


def test_what_is_no_file_of_rules_is_told_where_it_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, MAIN + "rules: [rules, 'rules/*.yaml', 'kdsync.yaml/*', gone/*.yaml, 'loop/*', loop/x]\n")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "rules/loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "rules/lost.yaml").symlink_to("nowhere")
    os.mkfifo(tmp_path / "rules/pipe.yaml")
    with pytest.raises(ConfigurationError) as caught:
        load(path, ENVIRON)
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines() == [
        "kdsync.yaml:5:9: rules[0]: rules is a folder (write rules/*.yaml)",
        "kdsync.yaml:5:16: rules[1]: rules/pipe.yaml is no ordinary file",
        "kdsync.yaml:5:32: rules[2]: kdsync.yaml cannot be read: Not a directory",
        "kdsync.yaml:5:62: rules[4]: loop cannot be read: Too many levels of symbolic links",
        "kdsync.yaml:5:72: rules[5]: loop cannot be read: Too many levels of symbolic links",
        "rules/loop.yaml:1:1: cannot be read: Too many levels of symbolic links",
        "rules/lost.yaml:1:1: cannot be read: No such file or directory",
    ]


def test_a_folder_of_rules_that_may_not_be_read_is_not_one_without_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, a="rules:\n" + RULE.format("a1"))
    monkeypatch.setattr(os, "scandir", Mock(side_effect=PermissionError(13, "Permission denied")))
    with pytest.raises(ConfigurationError, match=r"rules cannot be read: Permission denied \(let the user that"):
        load(path, ENVIRON)


def test_files_are_named_as_the_operator_typed_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a="rules: [x]\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"^rules/a\.yaml:1:9: rules\[0\]"):
        load(Path("kdsync.yaml"), ENVIRON)


def test_no_configuration_at_all(tmp_path: Path) -> None:
    assert problems(tmp_path / "kdsync.yaml") == ["kdsync.yaml:1 : cannot be read: No such file or directory"]


def test_sections_and_files_whose_every_line_is_a_comment(tmp_path: Path) -> None:
    main = MAIN + "directory: people.yaml\nforms:\npoll:\n  # interval: 5s\n"
    (tmp_path / "people.yaml").write_text("roles:\n# nobody yet\n")
    loaded = load(write(tmp_path, main, a="# nothing\n", b="rules:\n"), ENVIRON)
    assert loaded.ruleset.rules == ()
    assert loaded.settings.main.poll.interval == 10


def test_a_form_is_the_same_in_any_case(tmp_path: Path) -> None:
    main = load(write(tmp_path, MAIN + "forms: {stk_Inventory: {mode: full}}\n"), ENVIRON).settings.main
    assert main.of_form("STK_INVENTORY").mode == "full"
    assert main.of_form("AP_PAYBILL").mode is None


def test_mistakes_in_all_files_are_told_at_once(tmp_path: Path) -> None:
    main = MAIN + "directory: people.yaml\npoll: {interval: 45s}\n"
    (tmp_path / "people.yaml").write_text("match: [phone]\n")
    bad = RULE.format("second").replace("on: approved", "on: aproved")
    assert problems(write(tmp_path, main, a="rules: [x]\n", b="rules:\n" + bad)) == [
        "kdsync.yaml:6 poll.interval: must be between 1s and 30s",
        "people.yaml:1 match[0]: phone is not one of mobile, job_number",
        "a.yaml:1 rules[0]: a mapping (lines of key: value) is expected",
        "b.yaml:2 rules[0].on: rule second: 'aproved' is not a trigger",
    ]


def test_a_rule_with_a_wrong_key_still_has_its_templates_checked(tmp_path: Path) -> None:
    rule = '  - {id: a, form: F, on: aproved, too: [x], prio: 1, message: {title: "{{ doc.A"}, when: doc.}\n'
    told = problems(write(tmp_path, a="rules:\n" + rule))
    assert [line.split(":")[1].split()[1] for line in told] == [
        *("rules[0].to", "rules[0].on", "rules[0].too", "rules[0].prio", "rules[0].message.title", "rules[0].when")
    ]


def test_one_mistake_is_told_once(tmp_path: Path) -> None:
    rule = "  - {id: a, form: F, on: approved, to: [creator], message: {title: {{ doc.A }}}}\n"
    assert len(problems(write(tmp_path, a="rules:\n" + rule))) == 1


def test_roles_are_not_doubted_while_the_directory_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text("roles: [")
    path = write(
        tmp_path, MAIN + "directory: people.yaml\n", a="rules:\n" + RULE.format("a").replace("creator", "role:x")
    )
    assert len(problems(path)) == 1


def test_a_role_without_a_directory_is_unknown(tmp_path: Path) -> None:
    rule = RULE.format("a").replace("creator", "role:x")
    assert problems(write(tmp_path, a="rules:\n" + rule)) == ["a.yaml:2 rules[0].to[0]: rule a: x: no such role"]


def test_the_same_id_in_two_files(tmp_path: Path) -> None:
    path = write(tmp_path, a="rules:\n" + RULE.format("twin"), b="rules:\n" + RULE.format("twin"))
    message = f"rule twin: twin is already the id of the rule at {tmp_path}/rules/a.yaml:2"
    assert problems(path) == [f"b.yaml:2 rules[0].id: {message}"]


def test_a_recipient_that_goes_on_for_ever(tmp_path: Path) -> None:
    rule = RULE.format("a").replace("creator", "manager_of:" * 50_000 + "creator")
    assert problems(write(tmp_path, a="rules:\n" + rule)) == [
        "a.yaml:2 rules[0].to[0]: rule a: a recipient has at most 200 characters"
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.sampled_from(
            ["", "~", "1", "x", "true", "on", "'role:'", "creator", "manager_of:role:x", '"{{ doc."', "5s"]
        ),
        lambda inner: (
            st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
            | st.lists(
                st.tuples(st.sampled_from(KEYS), inner),
                max_size=4,
            ).map(lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}")
        ),
        max_leaves=12,
    )
)
def test_whatever_a_rule_file_holds_it_loads_or_its_problems_are_told(tmp_path: Path, text: str) -> None:
    try:
        load(write(tmp_path, a=f"rules: [{text}]\n"), ENVIRON)
    except ConfigurationError as error:
        assert all(problem.line >= 1 and problem.message for problem in error.problems)  # noqa: PT017  # or it loads
