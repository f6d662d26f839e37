"""The examples that come with kdsync, and every YAML block in the documentation, are real."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from kdsync.rules.schema import Section
from kdsync.settings.advice import of_origins
from kdsync.settings.complaints import complaints
from kdsync.settings.load import Loaded, load
from kdsync.settings.places import YamlFile
from kdsync.settings.schema import Directory, MainFile, RuleFile
from kdsync.settings.yamlfile import parse_yaml

ROOT = Path(__file__).parents[2]
CREDENTIALS = ("kingdee_app_secret", "dingtalk_client_secret", "finance_robot_token", "finance_robot_secret")
FILES: tuple[type[Section], ...] = (MainFile, Directory, RuleFile)
BLOCKS = [
    pytest.param(block[1], id=f"{page.relative_to(ROOT)}-{number}")
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
    for number, block in enumerate(re.finditer(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL), 1)
]


@pytest.fixture
def examples(tmp_path: Path) -> Loaded:
    for name in CREDENTIALS:
        (tmp_path / name).write_text(f"stand-in-{name}\n")
    return load(ROOT / "config" / "kdsync.yaml", {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_the_example_configuration_loads_with_the_credentials_of_its_unit(examples: Loaded) -> None:
    assert sorted(examples.secrets) == sorted(f"stand-in-{name}" for name in CREDENTIALS)
    assert {path.name for path in examples.files} == {
        *(
            "kdsync.yaml",
            "directory.yaml",
            "expenses.yaml",
            "intake.yaml",
            "payments.yaml",
            "purchasing.yaml",
            "stock.yaml",
        )
    }


def test_the_example_rules_show_every_priority_every_transition_and_every_language(examples: Loaded) -> None:
    rules = examples.settings.rules
    shown = {trigger for rule in rules for trigger in rule.on if isinstance(trigger, str)}
    shown |= {key for rule in rules for trigger in rule.on if not isinstance(trigger, str) for key in trigger}
    assert {rule.priority.value for rule in rules} == {"low", "normal", "high", "urgent"}
    assert {"created", "submitted", "approved", "rejected", "closed", "changed", "becomes"} <= shown
    assert any(not isinstance(rule.message.title, str) and len(rule.message.title) == 3 for rule in rules)


def test_every_example_rule_that_an_action_can_concern_says_what_it_means(examples: Loaded) -> None:
    rules, actions, intakes = examples.ruleset.rules, examples.actions, examples.intakes
    assert list(of_origins(examples.settings.rules, rules, actions, intakes)) == []
    assert {rule.origin for rule in examples.settings.rules} == {None, "any", "kingdee"}


def test_stock_has_no_dates_so_it_is_compared_whole(examples: Loaded) -> None:
    assert examples.settings.main.forms["STK_Inventory"].mode == "full"


@pytest.mark.parametrize("block", BLOCKS)
def test_a_yaml_block_of_the_documentation_is_right_in_what_it_shows(block: str, tmp_path: Path) -> None:
    file, problems = parse_yaml(block.encode(), "block.yaml")
    assert problems == []
    assert isinstance(file.data, dict)
    models = [model for model in FILES if file.data.keys() <= model.model_fields.keys()]
    assert models, f"no file has the keys {sorted(file.data)}"
    assert [] in [_mistakes(file, model, tmp_path) for model in models]  # two files have a key `rules`


def _mistakes(file: YamlFile, model: type[Section], base: Path) -> list[str]:
    """What is wrong with a part of a file, apart from what it leaves out and the files that are not here."""
    try:
        model.model_validate_json(json.dumps(file.data), context={"base": base, "secrets": lambda _: "stand-in"})
    except ValidationError as error:
        told = [problem.message for problem in complaints(file, model, error)]
        return [message for message in told if message != "is required" and "there is no file" not in message]
    return []
