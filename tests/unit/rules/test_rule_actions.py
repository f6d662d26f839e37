from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kdsync.model import Do, Document
from kdsync.rules.actions import ActionSection, CompiledAction, Limit, compile_action
from kdsync.rules.mistakes import ExpressionError, RuleError

ACTION: dict[str, Any] = {
    "id": "confirm-payment",
    "title": "确认付款",
    "phrases": ("确认付款", "confirm payment"),
    "form": "AP_PAYBILL",
    "allow": ("role:cashier",),
    "do": ("submit", "audit"),
}
NOW = datetime(2026, 11, 28, 1, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")


def compiled(**changes: Any) -> CompiledAction:
    return compile_action(ActionSection.model_validate({**ACTION, **changes}))


def mistakes(**changes: Any) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(RuleError) as error:
        compiled(**changes)
    return [(mistake.path, mistake.message) for mistake in error.value.mistakes]


def suits(action: CompiledAction, **values: Any) -> bool:
    return action.suits(Document("AP_PAYBILL", "1", "N-1", values), now=NOW, zone=ZONE)


def test_an_action_keeps_what_was_written() -> None:
    action = compiled()
    assert (action.id, action.form, action.phrases) == ("confirm-payment", "AP_PAYBILL", ACTION["phrases"])
    assert [str(one) for one in action.allow] == ["role:cashier"]
    assert action.do == (Do("submit"), Do("audit"))
    assert (action.when, action.limit, action.own, action.undo) == (None, None, True, None)
    assert (action.heads, action.entries) == (frozenset(), frozenset())


def test_a_title_is_for_everybody_or_for_each_language() -> None:
    assert [compiled().title(locale) for locale in ("zh", "en")] == ["确认付款", "确认付款"]
    action = compiled(title={"zh": "同意", "vi": "đồng ý"})
    assert [action.title(locale) for locale in ("zh", "vi", "en")] == ["同意", "đồng ý", "同意"]
    assert compiled(title={"en": "agree"}).title("zh") == "agree"


def test_the_fields_that_an_action_looks_at_come_from_all_its_parts() -> None:
    action = compiled(
        allow=("field:FOwner", "manager_of:field:FPlanner", "creator"),
        when="doc.FWhen > 1 and doc.entries | sum(attribute='FQty') > 1",
        limit={"field": "FAmount", "max": 5, "above": "second-person"},
        do=({"save": {"FREMARK": "x", "FUnit": {"FNumber": "V1"}}}, "submit"),
    )
    assert action.heads == {"FOwner", "FPlanner", "FWhen", "FAmount", "FREMARK", "FUnit", "FUnit.FNumber"}
    assert action.entries == {"FQty"}


def test_every_step_becomes_something_to_do() -> None:
    action = compiled(
        do=(
            {"save": {"FREMARK": "x", "FUnit": {"FNumber": "V1"}}},
            {"push": {"rule": "CN_PAYAPPLYTOPAYBILL"}},
            {"push": {"to": "AP_PAYBILL"}},
            {"operation": "BillClose"},
            "approve",
        )
    )
    assert [(do.kind, do.name) for do in action.do] == [
        *(("save", ""), ("push", ""), ("push", ""), ("operation", "BillClose"), ("approve", ""))
    ]
    assert action.do[0].read_back == {"FREMARK": "x", "FUnit.FNumber": "V1"}
    assert [dict(do.options) for do in action.do[1:3]] == [{"rule": "CN_PAYAPPLYTOPAYBILL"}, {"to": "AP_PAYBILL"}]


@pytest.mark.parametrize(("written", "exact"), [(50000, "50000"), (0.1, "0.1"), (0, "0")])
def test_a_limit_is_exact(written: float, exact: str) -> None:
    action = compiled(limit={"field": "FA", "max": written, "above": "second-person"})
    assert action.limit == Limit("FA", Decimal(exact), "second-person")


@pytest.mark.parametrize("written", [-1, True, "5", float("nan"), float("inf"), None])
def test_a_limit_that_is_no_amount(written: Any) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        compiled(limit={"field": "FA", "max": written, "above": "second-person"})


def test_a_condition_sees_the_document_and_the_time() -> None:
    action = compiled(when="doc.FDocumentStatus in ('A', 'B') and now.hour == 9")
    assert suits(action, FDocumentStatus="B")
    assert not suits(action, FDocumentStatus="C")
    assert suits(compiled(), FDocumentStatus="C")


def test_a_condition_whose_values_do_not_go_together() -> None:
    with pytest.raises(ExpressionError):
        suits(compiled(when="doc.FA > 'x'"), FA=1)


def test_nothing_has_happened_when_an_action_is_asked_for() -> None:
    assert mistakes(when="old.FA == event.kind") == [
        (("when",), "'event' is not known here"),
        (("when",), "'old' is not known here"),
    ]


def test_all_mistakes_of_an_action_are_told_at_once_each_with_its_path() -> None:
    found = mistakes(
        title={"zh": "同意", "en": " "},
        allow=("creator", "group:finance"),
        when="doc.FA >",
        do=("submit", {"save": {"FDOCUMENTSTATUS": "C", "FEntity": [1]}}, {"push": {}}, {}, "approve", "approve"),
    )
    assert found == [
        (("title",), "an action needs a title"),
        (("allow", 1), "group:finance: a group cannot be asked who is in it"),
        (("when",), "something is missing at the end"),
        (("do", 1, "save", "FDOCUMENTSTATUS"), "FDOCUMENTSTATUS is not saved"),
        (("do", 1, "save", "FEntity"), "FEntity cannot be saved like this"),
        (("do", 2, "push"), "a push needs a rule or a form"),
        (("do", 3), "a step is one of save, push and operation"),
        (("do", 5), "approve is there already"),
        (("do",), "approve or reject do not go together with submit or audit"),
    ]


@pytest.mark.parametrize("do", [("approve", "submit"), ("audit", "reject"), ("approve", "reject"), ("audit", "submit")])
def test_steps_that_do_not_go_together(do: tuple[str, ...]) -> None:
    assert [path for path, _ in mistakes(do=do)] == [("do",)]


def test_a_manager_of_a_group_is_nobody() -> None:
    assert mistakes(allow=("manager_of:group:finance",)) == [
        (("allow", 0), "manager_of:group:finance: a group cannot be asked who is in it")
    ]


@pytest.mark.parametrize(("above", "takes"), [("totp", True), ("second-person", False)])
def test_above_the_limit_a_code_or_a_second_person_is_needed(above: str, *, takes: bool) -> None:
    assert compiled(limit={"field": "FAmount", "max": 5, "above": above}).takes_code == takes
