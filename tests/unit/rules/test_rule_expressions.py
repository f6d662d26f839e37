from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kdsync.rules.expressions import TextError, compile_expression, compile_text, opening
from kdsync.rules.mistakes import ExpressionError
from kdsync.rules.values import MISSING, Amount, Record
from kdsync.rules.vocabulary import METHODS, TESTS

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=SHANGHAI)
ROWS: list[dict[str, Any]] = [
    {"FMat.FName": "Bolt", "FQty": 2, "FPrice": 1.5, "FKind": "a"},
    {"FMat.FName": "Nut", "FQty": None, "FPrice": 0.25, "FKind": None},
    {"FMat.FName": "anvil", "FQty": 1, "FPrice": 99, "FKind": "a"},
]
VALUES: dict[str, Any] = {
    "FBillNo": "AP-1",
    "FAmount": Decimal("10000.10"),
    "FCount": 7,
    "FDate": "2026-11-20T00:00:00",
    "FSupplierId": 5,
    "FSupplierId.FName": "Acme",
    "FEmpty": " ",
    "FNull": None,
}
NAMES = {"doc": Record(VALUES, SHANGHAI, ROWS), "old": MISSING, "now": NOW, "event": MISSING, "rule": MISSING}


def value(source: str) -> Any:
    return compile_expression(source).value(NAMES)


@pytest.mark.parametrize(
    "source",
    [
        "doc.FAmount >= 10000",
        "doc.FAmount == 10000.1",
        "doc.FAmount - 10000 == 0.1",
        "0.1 + 0.2 == 0.3",
        "doc.FCount / 2 == 3.5",
        "2 ** -1 == 0.5",
        "doc.FCount * 2 == 14",
        "doc.FAmount | round(0) == 10000",
        "'1,234.5' | float == 1234.5",
        "doc.FSupplierId == 5 and doc.FSupplierId.FName == 'Acme'",
        "doc['FSupplierId']['FName'] == 'Acme'",
        "doc['FSupplierId.FName'] == 'Acme'",
        "doc.FSupplierId.FName in ('Acme', 'Other')",
        "doc.FSupplierId.FName.lower().startswith('ac')",
        "not doc.FEmpty and not doc.FNull and not doc.FNothing and not old",
        "doc.FEmpty == '' and doc.FNull == none and doc.FNothing != 'x'",
        "doc.FNothing is undefined and doc.FBillNo is defined",
        "not doc.FNothing.FName.strip()",
        "not doc.FNull > now and not doc.FNull < now",
        "doc.FNothing | default('x') == 'x'",
        "doc.FDate.year == 2026 and (now - doc.FDate).days == 3",
        "doc.FDate.weekday() == 4",
        "(doc if doc.FCount else old).FBillNo == 'AP-1'",
        "doc.entries | length == 3",
        "doc.entries | sum(attribute='FQty') == 3",
        "doc.entries | sum('FPrice') == 100.75",
        "(doc.entries | max(attribute='FPrice')).FMat.FName == 'anvil'",
        "(doc.entries | min(attribute='FQty')).FMat.FName == 'anvil'",
        "not (doc.entries | max(attribute='FNothing')).FQty",
        "doc.entries | sort(attribute='FMat.FName') | map(attribute='FMat.FName') | list == ['anvil', 'Bolt', 'Nut']",
        "doc.entries | sort(attribute='FQty') | map(attribute='FPrice') | list == [99, 1.5, 0.25]",
        "doc.entries | selectattr('FQty') | list | length == 2",
        "doc.entries | selectattr('FPrice', 'gt', 1) | list | length == 2",
        "doc.entries | rejectattr('FQty') | map(attribute='FMat.FName') | join(',') == 'Nut'",
        "(doc.entries | groupby('FKind') | first).list | length == 2",
        "doc.entries[0].FQty == 2 and doc.entries[9].FQty == ''",
        "(doc.entries | first).FMat.FName == 'Bolt'",
        "range(3) | list == [0, 1, 2]",
        "doc.FBillNo | replace('-', '') == 'AP1'",
        "(-2.5) | abs == 2.5",
        "not doc.entries | selectattr('FPrice', 'gt', 100) and doc.entries | selectattr('FPrice', 'gt', 50)",
        "not doc.entries | rejectattr('FPrice') and not doc.FNothing | reverse and not doc.FNothing | map('upper')",
        "not doc.FNothing | select and not doc.FNothing | reject and not doc.FNothing | unique",
        "doc.entries | selectattr('FQty') | count == 2",
        "not doc.FNothing in 'AB' and doc.FNothing not in 'AB' and 'A' in 'AB' and doc.FBillNo in 'AP-1, AP-2'",
        "doc.FNothing is not in 'AB' and 'A' is in 'AB'",
        "doc.FNothing is none and doc.FNull is none and none is none and doc.FBillNo is not none",
    ],
)
def test_it_holds(source: str) -> None:
    assert compile_expression(source).holds(NAMES)


def test_a_number_with_a_point_is_exact() -> None:
    assert value("1.10") == Amount("1.1")
    assert isinstance(value("doc.FCount / 3"), Amount)


def test_a_span_of_time_is_one() -> None:
    assert value("now - doc.FDate") == timedelta(days=3, hours=9, minutes=30)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("doc.FBillNo > 5", "text cannot be compared with a number"),
        ("doc.FDate > '2026-01-01'", "a date with time cannot be compared with text"),
        ("doc.FAmount + 'x'", "a number + text cannot be worked out"),
        ("doc.FBillNo + 1", "text + a number cannot be worked out; join texts with ~"),
        ("doc.FAmount / 0", "division by zero"),
        ("1 / 0", "division by zero"),
        ("1 % 0", "division by zero"),
        ("(doc.FAmount ** 9999) ** 9999", "a number is too large"),
        ("doc.FBillNo | round", "a value is no number, or too large a one"),
        ("doc.FCount | length", "a number has no length"),
        ("doc.FCount | join", "a number is no list"),
        ("-doc.FBillNo", "text has no sign"),
        ("'AP' in doc.FCount", "nothing can be in a number"),
        ("doc.FCount in '7'", "a number cannot be in text; list texts as in ('A', 'B')"),
        ("doc.FDate < now.date()", "a date with time cannot be compared with a date; write .date() behind it"),
        ("now.date() >= doc.FDate", "a date with time cannot be compared with a date; write .date() behind it"),
    ],
)
def test_values_that_do_not_go_together_are_told_in_plain_words(source: str, told: str) -> None:
    with pytest.raises(ExpressionError) as error:
        value(source)
    assert str(error.value) == told


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("'x' * 1000000000", "repeated too often"),
        ("1000000000 * 'x'", "repeated too often"),
        ("[1] * 1000000000", "a list cannot be repeated"),
        ("2 * ['x']", "a list cannot be repeated"),
        ("[[1], [2]] | sum(start=[])", "sum adds up numbers; put lists together with +"),
        ("'%1000000000d' % 1", "text cannot be filled in with %; join texts with ~"),
        ("9 ** 99999", "the power is too large"),
        ("range(1000000)", "range() gives at most 100 numbers"),
        ("('x' * 9999) | replace('x', 'yyyyyyyyyy')", "replacing would make the text too long"),
        (" * ".join(["9" * 4000] * 2), "the product is too large"),
    ],
)
def test_nothing_grows_without_bound(source: str, told: str) -> None:
    with pytest.raises(ExpressionError) as error:
        value(source)
    assert str(error.value) == told


def mistakes(source: str) -> list[str]:
    with pytest.raises(TextError) as error:
        compile_expression(source)
    return [f"{message} ({hint})" if hint else message for message, hint in error.value.mistakes]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("doc.F +", "something is missing at the end"),
        ("", "something is missing at the end"),
        ("doc.F = 3", "'=' does not belong there; compare with =="),
        ("doc.", "a name is missing after a point"),
        ("(doc.F]", "')' is missing before ']'"),
        ("doc.F G", "'G' does not belong there"),
        ("(doc.F", "something is missing at the end"),
        ("doc.F == 'x", "a quoted text does not end"),
        ("doc.F == $", "'$' does not belong there"),
        ("{{ doc.F }}", "a condition is written without {{ }}"),
        ("dok.F", "'dok' is not a name here (did you mean doc?)"),
        ("FBillNo == 'x'", "'FBillNo' is not a name here (fields are written doc.FBillNo)"),
        (
            "doc.F == Approved",
            "'Approved' is not a name here (known are doc, old, event, rule and now; text stands in quotes)",
        ),
        ("task.receiver", "'task' is known only in a rule with the trigger 'assigned'"),
        ("range", "'range' is a function: write range(…)"),
        ("doc.F | rond", "'rond' is not a filter (did you mean round?)"),
        ("doc.F | monney", "'monney' is not a filter (did you mean money?)"),
        ("doc.F | money", "'money' is for messages; conditions compare values as they are"),
        ("doc.F is definned", "'definned' is not a test (did you mean defined?)"),
        ("doc.entries | selectattr('F', 'gtt', 1)", "'gtt' is not a test (did you mean gt?)"),
        ("doc.entries | selectattr('F', doc.T)", "the name of a test has to be written out"),
        ("doc.entries | map('uper')", "'uper' is not a filter (did you mean upper?)"),
        ("lipsum()", "'lipsum' is not a function (known are range)"),
        ("doc.F && doc.G", "'&' does not belong there (write and)"),
        ("doc.F == 'a || b' || doc.G", "'name' is missing before '|' (write or)"),
        ("!doc.F", "'!' does not belong there (write not)"),
        ("doc.F <> 1", "'>' does not belong there (write !=)"),
        ("doc.F => 10", "'=' does not belong there; compare with == (write <= or >=)"),
        ("doc.F == “x”", "'“' does not belong there (write quotes, commas and brackets as in English: ' , ( ))"),
        ("doc.F >= 10,000", "',' does not belong there (write numbers without separators, such as 10000)"),
        ("doc.F ? 1 : 0", "'?' does not belong there (write A if CONDITION else B)"),
        ("doc.F contains 'x'", "'contains' does not belong there (write 'text' in doc.FKEY)"),
        ("doc.F == null", "'null' is not a name here (write none)"),
        ("doc.F < today", "'today' is not a name here (write now.date())"),
        ("len(doc.entries)", "'len' is not a function (write VALUE | length)"),
        ("max(doc.F, doc.G)", "'max' is not a function (write VALUE | max)"),
        ("any(doc.entries)", "'any' is not a function (write LIST | selectattr(…), which is true where any is left)"),
        ("doc.F == 1e999", "cannot be read: a number is too large"),
        ("doc.F is qqqqq", "'qqqqq' is not a test (known are " + ", ".join(sorted(TESTS)) + ")"),
        ("doc.F.uper()", "'uper' is not a function of a value (did you mean upper?)"),
        ("doc.F.upper", "'upper' is a function: write upper()"),
        ("(doc.F)()", "'F' is not a function of a value (known are " + ", ".join(sorted(METHODS)) + ")"),
        ("[1]()", "only functions can be called"),
        ("range(*doc.F)", "* and ** are not available here"),
        ("doc.__class__", "'__class__' is not available here"),
        ("doc.F['__class__']", "'__class__' is not available here"),
        ("event.numbr", "'numbr' is not a part of 'event' (did you mean number?)"),
        (
            "doc.entries.FQty > 1",
            "'entries' is a list and has no 'FQty' (loop over it, or write entries | sum(attribute='FQty'))",
        ),
        ("doc[rule.id]", "the field in [ ] has to be written out, such as doc['FBillNo']"),
        ("doc.entries | sum(attribute=doc.F)", "the field of 'attribute' has to be written out"),
        ("[doc, old] | length", "a whole document cannot be handed on (name its fields, such as doc.FBillNo)"),
        ("[doc.entries] | length", "a list of rows cannot be handed on (name its fields, such as doc.FBillNo)"),
        ("(" * 3000, "is nested too deeply"),
        ("-" * 9000 + "1", "is nested too deeply"),
        ("9" * 9000, "cannot be read: a number is too large"),
        ("doc.F" + " " * 10_000, "is longer than 10,000 characters"),
    ],
)
def test_a_mistake_is_told_in_plain_words(source: str, told: str) -> None:
    assert told in mistakes(source)


def test_all_mistakes_of_an_expression_are_told() -> None:
    assert len(mistakes("dok.F > (doc.G | rond) and doc.H is definned")) == 3


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{{ doc.FBillNo approved", "'}}' is missing, or 'approved' does not belong there"),
        ("{{ doc.FBillNo }", "'}' does not belong there"),
        ("{{ }}", "something is missing between the brackets"),
        ("{% if doc.F %}x", "'{% endif %}' is missing at the end"),
        ("x{% endfor %}", "'{% endfor %}' has no '{% for %}' before it"),
        ("{% if doc.F = 3 %}", "'=' does not belong there; compare with =="),
        ("{% else %}", "'{% else %}' has no '{% if %}' before it"),
        ("{% %}", "the name of a statement is missing after '{%'"),
        ("{% for r doc.entries %}", "'in' is missing before 'doc'"),
        ("{{ [doc.F }}", "']' is missing before '}'"),
        ("{% iff doc.F %}", "'{% iff %}' is not available here; if, for and set are"),
        ("{% include 'x' %}", "'{% include %}' is not available here; if, for and set are"),
        ("{% macro m() %}{% endmacro %}", "'{% macro %}' is not available here; if, for and set are"),
        ("{% set x %}y{% endset %}", "'{% set %}' is not available here; if, for and set are"),
        ("{# never closed", "'#}' is missing"),
        ("one\ntwo {{ doc.F | }}", "line 2: 'name' is missing"),
        ("{% set doc = 1 %}", "'doc' already has a meaning"),
        ("{% set a.b = 1 %}", "set gives a value to a name, to nothing else"),
        ("{% for r in doc.entries recursive %}{% endfor %}", "'recursive' is not available here"),
        ("{% for r in doc.entries %}{{ loop.previtem }}{% endfor %}", "'previtem' is not a part of 'loop'"),
        ("{% for a in range(9) %}" * 3 + "{% endfor %}" * 3, "loops may stand in each other 2 deep, not deeper"),
        ("{{ loop.index }}", "'loop' is not a name here"),
        ("{{ doc }}", "a whole document cannot be handed on"),
        ("{{ doc.entries | first }}", "a whole document cannot be handed on"),
        ("{{ doc.entries }}", "a list of rows cannot be handed on"),
        ("{{ event }}", "a whole 'event' cannot be handed on"),
        (
            "{% set t = 0 %}{% for r in doc.entries %}{% set t = t + r.FQty %}{% endfor %}{{ t }}",
            "'t' is set anew in each turn of a loop and adds nothing up",
        ),
    ],
)
def test_a_mistake_in_a_message_is_told_in_plain_words(source: str, told: str) -> None:
    with pytest.raises(TextError) as error:
        compile_text(source)
    assert told in [message for message, _ in error.value.mistakes]


def test_a_name_may_be_set_twice_in_one_turn_of_a_loop() -> None:
    text = compile_text("{% for r in doc.entries %}{% set n = r.FQty %}{% set n = n * 2 %}{{ n }} {% endfor %}")
    assert text.entries == {"FQty"}


def test_a_message_has_no_jargon_of_the_library_in_its_mistakes() -> None:
    for source in (
        "{{ doc.",
        "{{ doc.F doc.G }}",
        "{% for %}",
        "{% for x in %}{% endfor %}",
        "{{ a b",
        "{% set = 3 %}",
    ):
        with pytest.raises(TextError) as error:
            compile_text(source)
        assert "token" not in str(error.value).lower()
        assert "jinja" not in str(error.value).lower()


@pytest.mark.parametrize(
    ("source", "begins"),
    [("https://x/{{ doc.F }}", "https://x/"), ("  {{ doc.F }}x", ""), ("{# note #}x", ""), ("", "")],
)
def test_what_a_template_begins_with(source: str, begins: str) -> None:
    assert opening(source) == begins
