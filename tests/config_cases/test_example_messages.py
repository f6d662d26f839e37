"""The example rules name fields that the simulated Kingdee has, and read well in every language."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from kdsync.delivery.render import render
from kdsync.model import Content, Document, Event, Raw, Transition
from kdsync.rules.compile import CompiledRule
from kdsync.rules.ruleset import Ruleset
from kdsync.settings.load import Loaded, load
from kdsync.simulator.kingdee_catalogue import FORMS

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
WORDS: dict[str, Raw] = {"FDocumentStatus": "C", "FWRITTENOFFSTATUS": "C"}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = tmp_path_factory.mktemp("credentials")
    for name in ("kingdee_app_secret", "dingtalk_client_secret", "finance_robot_token", "finance_robot_secret"):
        (folder / name).write_text("stand-in")
    return load(ROOT / "config" / "kdsync.yaml", {"CREDENTIALS_DIRECTORY": str(folder)})


@pytest.fixture(scope="module")
def ruleset(loaded: Loaded) -> Ruleset:
    return loaded.ruleset


def sample(key: str) -> Raw:
    """A value of the kind that the field's name lets expect."""
    if key.endswith("Date"):
        return "2026-11-23T09:30:00.117"
    if any(word in key.lower() for word in ("amount", "qty", "sum")):
        return Decimal("12345.6")
    return WORDS.get(key, "北方钢铁" if "." in key else "A-1")


def example(rule: CompiledRule) -> Event:
    """An event of the rule with everything that its templates look at."""
    values = {key: sample(key) for key in rule.needs.heads}
    row = {key: sample(key) for key in rule.needs.entries}
    document = Document(rule.form, "1", "N-1", values, [row, row])
    kind = min(kind for trigger in rule.triggers for kind in trigger.kinds)
    return Event("e1", Transition(kind), rule.form, "1", "N-1", 2, NOW, document, document)


def shown(rule: CompiledRule, locale: str) -> Content:
    zone = ZoneInfo("Asia/Shanghai")
    return render(rule, example(rule), locale=locale, now=NOW, zone=zone, form_title=rule.form)


def test_every_field_is_one_that_the_form_has(ruleset: Ruleset) -> None:
    unknown = [
        f"{form}.{key}"
        for form in ruleset.forms
        for key in sorted(ruleset.needs(form).heads | ruleset.needs(form).entries)
        if key not in FORMS[form].columns
    ]
    assert unknown == []


def test_every_field_of_an_action_is_one_that_the_form_has(loaded: Loaded) -> None:
    assert loaded.actions
    unknown = [f"{one.form}.{key}" for one in loaded.actions for key in one.heads if key not in FORMS[one.form].columns]
    assert unknown == []


@pytest.mark.parametrize("locale", ["zh", "en", "vi"])
def test_every_message_can_be_written_and_fits_its_title(ruleset: Ruleset, locale: str) -> None:
    for rule in ruleset.rules:
        content = shown(rule, locale)
        assert 4 < len(content.title) <= 64, rule.id
        printed = [content.title, content.body, *(text for _, text in content.fields)]
        assert not any("{{" in text or "{%" in text for text in printed), rule.id
        assert all(text for _, text in content.fields), rule.id


def test_a_claim_that_was_sent_back_is_told_in_the_readers_language(ruleset: Ruleset) -> None:
    rule = ruleset.with_id("expense-rejected")
    assert rule
    assert {shown(rule, locale).title for locale in ("zh", "en", "vi")} == {
        "您的报销单 A-1 被退回",
        "Your expense claim A-1 was sent back",
        "Đề nghị thanh toán A-1 của bạn bị trả lại",
    }


def test_rows_of_an_order_are_listed_line_by_line(ruleset: Ruleset) -> None:
    rule = ruleset.with_id("order-approved")
    assert rule
    body = shown(rule, "zh").body
    assert [line for line in body.splitlines() if line.startswith("- ")] == [
        "- 北方钢铁 × 12,345.6，交货 2026-11-23"
    ] * 2
