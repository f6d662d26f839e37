from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kdsync.model import Document, Event, Origin, Task, Transition
from kdsync.rules.compile import CompiledRule, compile_rule
from kdsync.rules.evaluate import Broken, Match, NoMatch, Own, Verdict, evaluate
from kdsync.rules.schema import RuleSection

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
Values = Mapping[str, Any]


def rule(*on: Any, when: str | None = None) -> CompiledRule:
    written = {"id": "r", "form": "F", "on": on, "when": when, "to": ("creator",), "message": {"title": "x"}}
    return compile_rule(RuleSection.model_validate(written))


def document(values: Values | None) -> Document | None:
    rows = [{"FQty": quantity} for quantity in (values or {}).get("rows", [])]
    return None if values is None else Document("F", "1", "B-1", values, rows)


def event(kind: Transition, old: Values | None, new: Values | None, *changed: str) -> Event:
    return Event("e1", kind, "F", "1", "B-1", 2, NOW, document(old), document(new), frozenset(changed))


def asked(rule: CompiledRule, event: Event) -> Verdict:
    return evaluate(rule, event, now=NOW, zone=SHANGHAI)


@pytest.mark.parametrize("kind", [kind for kind in Transition if kind is not Transition.CHANGED])
def test_a_transition_fires_its_own_trigger_and_no_other(kind: Transition) -> None:
    happened = event(kind, {"A": 1}, None if kind is Transition.DELETED else {"A": 1})
    for name in (other.value for other in Transition if other is not Transition.CHANGED):
        verdict = asked(rule(name), happened)
        assert verdict == (Match(kind.value) if name == kind else NoMatch(f"'{kind.value}' is not among its triggers"))


@pytest.mark.parametrize(
    ("origin", "verdict"), [(None, Own("approved")), ("kingdee", Own("approved")), ("any", Match("approved"))]
)
def test_what_kdsync_did_fires_only_a_rule_for_changes_of_any_origin(origin: str | None, verdict: Verdict) -> None:
    written = {"id": "r", "form": "F", "on": "approved", "to": ("creator",), "message": {"title": "x"}}
    asked_for = compile_rule(RuleSection.model_validate({**written, "origin": origin}))
    happened = event(Transition.APPROVED, {"A": 1}, {"A": 1})
    assert asked(asked_for, happened) == Match("approved")
    assert asked(asked_for, replace(happened, origin=Origin.DINGTALK)) == verdict


def test_a_condition_can_ask_who_made_the_change() -> None:
    wants = rule("assigned", when="event.origin == 'dingtalk'")
    happened = event(Transition.ASSIGNED, None, {"A": 1})
    assert asked(wants, happened) == NoMatch("'when' is not true")
    assert asked(wants, replace(happened, origin=Origin.DINGTALK)) == Own("assigned")


def test_one_of_several_triggers_is_enough() -> None:
    several = rule("voided", {"changed": "A"}, "approved")
    assert asked(several, event(Transition.APPROVED, {}, {})) == Match("approved")
    assert asked(several, event(Transition.CHANGED, {}, {}, "A", "B")) == Match("changed: A")


def test_changed_wants_one_of_its_fields() -> None:
    assert asked(rule({"changed": ["A", "B"]}), event(Transition.CHANGED, {}, {}, "B", "C")) == Match("changed: B")
    assert asked(rule({"changed": ["A", "B"]}), event(Transition.CHANGED, {}, {}, "C")) == NoMatch(
        "none of the fields that it watches differs"
    )


@pytest.mark.parametrize(("old", "new"), [(None, {"A": 1}), ({"A": 1}, None)])
def test_changed_wants_both_states(old: Values | None, new: Values | None) -> None:
    assert isinstance(asked(rule({"changed": "A"}), event(Transition.CHANGED, old, new, "A")), NoMatch)


@pytest.mark.parametrize(
    ("on", "old", "new", "fires"),
    [
        ({"changed": "entries.FQty"}, [1, 2], [1, 3], True),
        ({"changed": "entries.FQty"}, [1], [1, None], True),
        ({"changed": "entries.FQty"}, [1, None], [1.0, " "], False),
        ({"changed": "entries.FOther"}, [1, 2], [1, 3], False),
        ({"changed": ["entries.FOther", "entries"]}, [1, 2], [1, 3], True),
    ],
)
def test_changed_looks_at_its_own_fields_of_the_rows(on: Any, old: list[Any], new: list[Any], fires: bool) -> None:
    verdict = asked(rule(on), event(Transition.CHANGED, {"rows": old}, {"rows": new}, "entries"))
    assert verdict == (Match("changed: entries") if fires else NoMatch("none of the fields that it watches differs"))


@pytest.mark.parametrize(
    ("kind", "old", "new", "fires"),
    [
        (Transition.CHANGED, {"A": 9}, {"A": 11}, True),
        (Transition.CHANGED, {"A": 11}, {"A": 12}, False),
        (Transition.CHANGED, {"A": 11}, {"A": 9}, False),
        (Transition.CHANGED, {"A": None}, {"A": 11}, True),
        (Transition.CHANGED, None, {"A": 11}, True),
        (Transition.CREATED, None, {"A": 11}, True),
        (Transition.CREATED, None, {"A": 9}, False),
        (Transition.APPROVED, {"A": 9}, {"A": 11}, False),
    ],
)
def test_a_threshold_is_crossed(kind: Transition, old: Values | None, new: Values, fires: bool) -> None:
    verdict = asked(rule({"becomes": "doc.A > 10"}), event(kind, old, new, "A"))
    assert verdict == Match("becomes: doc.A > 10") if fires else isinstance(verdict, NoMatch)


def test_becomes_counts_the_rows() -> None:
    total = rule({"becomes": "doc.entries | sum(attribute='FQty') >= 3"})
    assert isinstance(asked(total, event(Transition.CHANGED, {"rows": [1]}, {"rows": [1, 2]}, "entries")), Match)
    assert isinstance(asked(total, event(Transition.CHANGED, {"rows": [3]}, {"rows": [3, 2]}, "entries")), NoMatch)


def test_a_broken_becomes_does_not_hide_another_that_fires() -> None:
    both = rule({"becomes": "doc.A > 'x'"}, {"becomes": "doc.A > 10"})
    assert asked(both, event(Transition.CHANGED, {"A": 1}, {"A": 11}, "A")) == Match("becomes: doc.A > 10")
    assert asked(both, event(Transition.CHANGED, {"A": 1}, {"A": 2}, "A")) == Broken(
        "becomes: a number cannot be compared with text"
    )


def test_when_decides() -> None:
    large = rule("approved", when="doc.A >= 10")
    assert asked(large, event(Transition.APPROVED, {}, {"A": 10.0})) == Match("approved")
    assert asked(large, event(Transition.APPROVED, {}, {"A": 9.99})) == NoMatch("'when' is not true")
    assert asked(large, event(Transition.APPROVED, {}, {})) == NoMatch("'when' is not true")
    assert asked(large, event(Transition.APPROVED, {}, {"A": "?"})) == Broken(
        "when: text cannot be compared with a number"
    )


def test_old_is_missing_for_a_new_document() -> None:
    assert asked(rule("created", when="not old and old.A == none"), event(Transition.CREATED, None, {"A": 1})) == Match(
        "created"
    )


def test_a_deleted_document_is_seen_as_it_last_was() -> None:
    gone = event(Transition.DELETED, {"A": 1}, None)
    assert asked(rule("deleted", when="doc.A == 1 and old.A == 1"), gone) == Match("deleted")


@pytest.mark.parametrize(
    "when",
    [
        "event.kind == 'approved' and event.number == 'B-1' and event.form == 'F' and event.form_title == 'F'",
        "event.id == 'e1' and event.version == 2 and event.changed == () and event.noticed_at == now",
        "rule.id == 'r' and rule.form == 'F' and rule.priority == 'normal'",
        "now.hour == 9",
        "doc.D < now and doc.D.day == 23",
    ],
)
def test_what_an_expression_can_see(when: str) -> None:
    happened = event(Transition.APPROVED, {}, {"D": "2026-11-23T09:29:59.99"})
    assert asked(rule("approved", when=when), happened) == Match("approved")


def test_a_null_date_is_neither_early_nor_late() -> None:
    happened = event(Transition.APPROVED, {}, {"D": None})
    assert isinstance(asked(rule("approved", when="doc.D < now or doc.D >= now"), happened), NoMatch)


def test_an_event_without_any_document_breaks_nothing() -> None:
    assert isinstance(asked(rule("approved", when="doc.A"), event(Transition.APPROVED, None, None)), Broken)


def test_evaluating_changes_nothing() -> None:
    happened = event(Transition.CHANGED, {"A": " 1 "}, {"A": "2 ", "rows": [1, 2]}, "A")
    before = replace(happened), dict(happened.document.values), list(happened.document.entries)
    asked(rule({"changed": "A"}, when="doc.entries | sort(attribute='FQty', reverse=true) | list and doc.A"), happened)
    assert (happened, happened.document.values, happened.document.entries) == before


TASK = Task("7", "t1", "F", "B-1", "财务审批", "100002", "李四", "2026-11-23T09:00:00.12")


def test_a_rule_sees_the_task_that_waits() -> None:
    waits = replace(event(Transition.ASSIGNED, None, {"FAmount": 5}), task=TASK)
    for holds in (
        "task.node == '财务审批' and task.receiver_name == '李四' and task.number == 'B-1' and task.form == 'F'",
        "now - task.since > event.noticed_at - now and (now - task.since).total_seconds() < 1801",
        "task.since.hour == 9 and doc.FAmount == 5 and not old",
    ):
        assert asked(rule("assigned", when=holds), waits) == Match("assigned"), holds


def test_a_time_that_cannot_be_read_is_missing() -> None:
    waits = replace(event(Transition.ASSIGNED, None, {}), task=replace(TASK, since="yesterday"))
    assert asked(rule("assigned", when="not task.since"), waits) == Match("assigned")


def test_what_is_no_task_has_none() -> None:
    assert asked(rule("assigned", "approved", when="not task.node"), event(Transition.APPROVED, {}, {})) == Match(
        "approved"
    )
