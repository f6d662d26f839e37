"""Every mistake we know, each in a file named after it, with exactly what an operator is told beside it.

A case replaces one file of the good configuration: `bad/main` kdsync.yaml, `bad/rules` the rules, `bad/directory` the
directory. `<folder>` stands for the working folder.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kdsync.errors import ConfigurationError
from kdsync.settings.load import load

BAD = Path(__file__).parent / "bad"
REPLACED = {"main": "kdsync.yaml", "rules": "rules/rules.yaml", "directory": "directory.yaml"}
ENVIRON = {"KINGDEE_SECRET": "s1", "DINGTALK_SECRET": "s2", "ROBOT_TOKEN": "s3", "EMPTY": ""}
CASES = sorted(BAD.glob("*/*.yaml"))


def test_the_configuration_that_the_cases_spoil_is_good(folder: Path) -> None:
    loaded = load(Path("kdsync.yaml"), ENVIRON)
    assert loaded.settings.base == folder
    assert [rule.id for rule in loaded.ruleset.rules] == ["payment-approved"]
    assert loaded.ruleset.rules[0].origin == "any"
    assert [action.id for action in loaded.actions] == ["confirm-payment", "refuse"]
    assert loaded.ruleset.rules[0].actions == ("confirm-payment",)


def test_every_case_has_its_expectation_and_every_expectation_its_case() -> None:
    assert CASES
    assert [case.with_suffix(".txt") for case in CASES] == sorted(BAD.glob("*/*.txt"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_what_is_told_about(case: Path, folder: Path) -> None:
    shutil.copy(case, REPLACED[case.parent.name])
    with pytest.raises(ConfigurationError) as caught:
        load(Path("kdsync.yaml"), ENVIRON)
    assert str(caught.value).replace(str(folder), "<folder>") + "\n" == case.with_suffix(".txt").read_text()
