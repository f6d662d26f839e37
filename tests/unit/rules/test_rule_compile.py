from typing import Any

import pytest

from kdsync.model import Priority, Transition
from kdsync.rules.compile import CompiledRule, Needs, compile_rule
from kdsync.rules.mistakes import RuleError
from kdsync.rules.ruleset import Ruleset
from kdsync.rules.schema import RuleSection

RULE: dict[str, Any] = {
    "id": "payment-approved",
    "form": "AP_PAYBILL",
    "on": ["approved"],
    "to": ["role:cashier"],
    "message": {"title": "{{ doc.FBillNo }} approved"},
}


def compiled(**changes: Any) -> CompiledRule:
    written = {**RULE, **changes}
    return compile_rule(RuleSection.model_validate({**written, "on": tuple(written["on"]), "to": tuple(written["to"])}))


def mistakes(**changes: Any) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(RuleError) as error:
        compiled(**changes)
    assert error.value.rule == RULE["id"]
    return [(mistake.path, mistake.message) for mistake in error.value.mistakes]


def test_a_rule_keeps_what_was_written() -> None:
    rule = compiled(priority=Priority.HIGH, mode="shadow")
    assert (rule.id, rule.form, rule.priority, rule.mode) == ("payment-approved", "AP_PAYBILL", Priority.HIGH, "shadow")
    assert [str(recipient) for recipient in rule.to] == ["role:cashier"]
    assert rule.listens(Transition.APPROVED)
    assert not rule.listens(Transition.CHANGED)


def test_the_needs_of_a_rule_come_from_all_its_parts() -> None:
    rule = compiled(
        on=[{"changed": ["FChanged"]}, {"becomes": "doc.FBecomes > 1"}],
        when="doc.FWhen and old.FOld",
        to=["field:FOwner", "manager_of:manager_of:field:FPlanner", "creator"],
        message={
            "title": {"zh": "{{ doc.FZh }}", "en": "{{ doc.FEn }}"},
            "body": "{% for row in doc.entries %}{{ row.FMat.FName }}{% endfor %}",
            "link": "https://erp/{{ doc.FLink }}",
            "fields": {"金额": "{{ doc.FAmount | money }}"},
        },
    )
    heads = {"FChanged", "FBecomes", "FWhen", "FOld", "FOwner", "FPlanner", "FZh", "FEn", "FLink", "FAmount"}
    assert rule.needs == Needs(frozenset(heads), frozenset({"FMat.FName"}), frozenset({"FChanged", "FBecomes"}))


def test_all_mistakes_of_a_rule_are_told_at_once_each_with_its_path() -> None:
    found = mistakes(
        on=["aproved", {"becomes": "doc.F >"}, "stuck"],
        when="dok.F",
        message={
            "title": " ",
            "body": {"zh": "fine", "en": "{{ doc.F | monney }}"},
            "link": "{{ doc.FUrl }}",
            "fields": {"金额": "{{ doc.F"},
        },
    )
    assert found == [
        (("on", 0), "'aproved' is not a trigger"),
        (("on", 1, "becomes"), "something is missing at the end"),
        (("on", 2), "'stuck' is not supported by this version"),
        (("when",), "'dok' is not a name here"),
        (("message", "title"), "a message needs a title"),
        (("message", "body", "en"), "'monney' is not a filter"),
        (("message", "link"), "a link begins with https://, written out"),
        (("message", "fields", "金额"), "something is missing at the end"),
    ]


def test_a_title_for_no_language() -> None:
    assert (("message", "title", "en"), "a message needs a title") in mistakes(message={"title": {"en": ""}})


def test_more_fields_than_a_message_shows() -> None:
    fields = {f"label {number}": "x" for number in range(7)}
    assert mistakes(message={"title": "x", "fields": fields}) == [
        (("message", "fields"), "a message shows at most 6 fields")
    ]


def test_changed_entries_without_any_field_of_the_rows() -> None:
    assert mistakes(on=[{"changed": "entries"}]) == [(("on",), "'entries' needs a field of the rows")]


def test_changed_entries_stand_for_the_fields_that_the_rule_uses_elsewhere() -> None:
    rule = compiled(on=[{"changed": "entries"}], when="doc.entries | sum(attribute='FQty') > 1")
    assert rule.needs.watched == {"entries"}
    assert rule.needs.entries == {"FQty"}


def test_a_ruleset_gathers_the_rules_of_a_form_whatever_its_case() -> None:
    first = compiled(on=[{"changed": "FA"}])
    second = compiled(id="second", form="ap_PayBill", when="doc.FB")
    third = compiled(id="third", form="PUR_PurchaseOrder")
    ruleset = Ruleset((first, second, third))
    assert ruleset.forms == ("AP_PAYBILL", "PUR_PurchaseOrder")
    assert ruleset.of("AP_PAYBILL") == ruleset.of("AP_PayBill") == (first, second)
    assert ruleset.of("SAL_SaleOrder") == ()
    assert ruleset.needs("AP_PAYBILL") == Needs(frozenset({"FA", "FB", "FBillNo"}), frozenset(), frozenset({"FA"}))
    assert ruleset.needs("SAL_SaleOrder") == Needs()
    assert ruleset.with_id("second") is second
    assert ruleset.with_id("other") is None


def test_a_rule_about_tasks_may_use_the_task_everywhere() -> None:
    rule = compiled(
        on=["approved", "assigned"],
        when="task.node == '审批' and now - task.since > now - now",
        to=["assignee", "manager_of:assignee"],
        message={
            "title": "{{ task.number }} {{ task.node }}",
            "body": {"zh": "{{ task.receiver_name }} {{ task.since | datetime }}", "en": "{{ task.form }}"},
            "link": "https://erp/{{ task.number }}",
            "fields": {"环节": "{{ task.node }}"},
        },
    )
    assert rule.listens(Transition.ASSIGNED)
    assert rule.needs == Needs()


def test_a_part_that_a_task_does_not_have() -> None:
    assert mistakes(on=["assigned"], when="task.reciever_name") == [
        (("when",), "'reciever_name' is not a part of 'task'")
    ]


def test_the_task_belongs_to_rules_about_tasks() -> None:
    told = "'task' is known only in a rule with the trigger 'assigned'"
    found = mistakes(when="task.node", message={"title": "{{ task.node }}", "fields": {"环节": "{{ task.node }}"}})
    assert found == [
        (("when",), told),
        (("message", "title"), told),
        (("message", "fields", "环节"), told),
    ]
    assert mistakes(on=["assigned", {"becomes": "task.node"}]) == [(("on", 1, "becomes"), told)]


def test_a_misspelt_trigger_is_not_told_again_by_the_task_it_would_give() -> None:
    assert mistakes(on=["asigned"], when="task.node") == [(("on", 0), "'asigned' is not a trigger")]


def test_a_name_of_ones_own_may_be_task_where_there_is_none() -> None:
    assert compiled(message={"title": "{% set task = doc.FTask %}{{ task }}"}).needs.heads == {"FTask"}
    told = mistakes(on=["assigned"], message={"title": "{% set task = 1 %}x"})
    assert told == [(("message", "title"), "'task' already has a meaning")]
