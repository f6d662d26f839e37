from __future__ import annotations

import pytest

from kdsync.rules.schema import MessageSection, RuleSection, Section
from kdsync.settings.complaints import section_at
from kdsync.settings.places import Where
from kdsync.settings.schema import Directory, GroupRobot, MainFile, PollSection, RuleFile


@pytest.mark.parametrize(
    ("file", "where", "section"),
    [
        (MainFile, (), MainFile),
        (MainFile, ("poll",), PollSection),
        (MainFile, ("dingtalk", "groups", "finance"), GroupRobot),
        (RuleFile, ("rules", 3), RuleSection),
        (RuleFile, ("rules", 3, "message"), MessageSection),
        (Directory, ("roles", "cashier"), Directory),
    ],
)
def test_the_section_that_a_key_belongs_to(file: type[Section], where: Where, section: type[Section]) -> None:
    assert section_at(file, where) is section
