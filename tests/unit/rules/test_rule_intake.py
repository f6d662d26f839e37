"""What fills in a document from an approval: values as people write them, strictly, each with its type."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kdsync.dingtalk.components import Component
from kdsync.rules.approvals import ApprovalView, Departments, Fields, Lookup, People, named
from kdsync.rules.expressions import TextError
from kdsync.rules.filling import compile_filling, fill
from kdsync.rules.intake import IntakeSection, compile_intake
from kdsync.rules.mistakes import ExpressionError
from kdsync.rules.values import MISSING

ZONE = ZoneInfo("Asia/Shanghai")


def part(name: str, kind: str, text: str = "", **more: Any) -> Component:
    return Component(name, kind, text, **more)


FORM = {
    one.name: one
    for one in (
        part("事由", "TextField", " taxi "),
        part("金额", "MoneyField", "1234.50"),
        part("数量", "NumberField", "3"),
        part("空", "NumberField"),
        part("日期", "DDDateField", "2026-11-28"),
        part("时间", "DDDateField", "2026-11-28 09:30"),
        part("期间", "DDDateRangeField", "2026-11-01, 2026-11-28", items=("2026-11-01", "2026-11-28")),
        part("半天", "DDDateRangeField", "2026-11-01 上午", items=("2026-11-01 上午", "")),
        part("评分", "StarRatingField", "4"),
        part("错", "MoneyField", "abc"),
        part("table", "TextField", "round"),
        part("人", "InnerContactField", "Wang", people=("u1",)),
        part("几人", "InnerContactField", "Wang,Li", people=("u1", "u2")),
        part("无人", "InnerContactField"),
        part("部门", "DepartmentField", "Sales", departments=("7",)),
        part(
            "明细",
            "TableField",
            cells=(
                {"额": part("额", "MoneyField", "10"), "项": part("项", "TextField", "a")},
                {"额": part("额", "MoneyField"), "项": part("项", "TextField"), "说明": part("说明", "TextNote", "!")},
                {"额": part("额", "MoneyField", "2.5"), "项": part("项", "TextField", "b")},
            ),
        ),
    )
}
NAMES: dict[str, Any] = {
    "form": Fields(FORM, ZONE),
    "approval": ApprovalView("A1", "2026", "claim", "P", named(Departments, "7", ("7",)), MISSING, MISSING),
    "applicant": named(People, "Wang", ("u1",)),
    "now": datetime(2026, 11, 28, 9, tzinfo=UTC),
}


def value(source: str) -> Any:
    return fill(compile_filling(source, row=False), NAMES)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ form['事由'] }}", "taxi"),
        ("  {{ form['金额'] }}\n", Decimal("1234.50")),
        ("{{ form.金额 * 2 }}", Decimal("2469.00")),
        ("{{ form.table }}{{ form.what | default('!') }}", "round!"),
        ("报销 {{ form['金额'] }} 元，{{ form['人'] }}", "报销 1234.50 元，Wang"),
        ("{{ form['数量'] > 2 }}", True),
        ("{{ form['空'] }}", None),
        ("{{ form['空'] | amount }}", None),
        ("{{ form['无人'] | employee }}", None),
        ("{{ form['日期'] }}", date(2026, 11, 28)),
        ("{{ form['时间'] }}", datetime(2026, 11, 28, 9, 30, tzinfo=ZONE)),
        ("{{ form['时间'] | date }}", date(2026, 11, 28)),
        ("{{ form['期间'] | last }}", date(2026, 11, 28)),
        ("{{ form['半天'] | first }}", date(2026, 11, 1)),
        ("{{ form['半天'] | last }}", None),
        ("{{ form['评分'] > 3 }}", True),
        ("{{ form['明细'] | sum(attribute='额') }}", Decimal("12.5")),
        ("{% for row in form['明细'] %}{{ row.项 }}{% endfor %}", "ab"),
        ("{{ form['没有'] | default('x') }}", "x"),
        ("{{ form['没有'] is defined }}", False),
        ("{{ form['人'] | employee }}", Lookup("employee", "u1", "Wang")),
        ("{{ applicant | user }}", Lookup("user", "u1", "Wang")),
        ("{{ form['部门'] | department }}", Lookup("department", "7", "Sales")),
        ("{{ approval.department | department }}", Lookup("department", "7")),  # its name is not known
        ("{{ approval.finished_at }}", None),
        ("{% if form['数量'] == 3 %}three{% endif %}", "three"),
    ],
)
def test_a_value_keeps_its_type_where_it_stands_alone(source: str, expected: Any) -> None:
    found = value(source)
    assert found == expected
    assert type(found) in (type(expected), *type(expected).__subclasses__())


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1234.50", "1234.50"),
        ("1,234.50", "1234.50"),
        ("￥１，２３４．５０", "1234.50"),
        ("¥ 1,234,567", "1234567"),
        ("1130元", "1130"),
        ("USD 20.5", "20.5"),
        ("-12", "-12"),
        ("-¥12", "-12"),
        ("¥ -12 元", "-12"),
        ("1 200", "1200"),
    ],
)
def test_amounts_as_people_write_them(written: str, expected: str) -> None:
    assert value(f"{{{{ '{written}' | amount }}}}") == Decimal(expected)


@pytest.mark.parametrize(
    "written",
    [
        *("1,5", "1.234,50", "12,34", "1e5", "一百", "--1", "1.2.3", "NaN", "٣"),
        *("5元30", "1,234 567", "10 20", "12 000 00", "1$2", "+-3", "元", "13%"),
    ],
)
def test_an_amount_that_can_be_read_in_two_ways_or_none_is_refused(written: str) -> None:
    with pytest.raises(ExpressionError, match="is no amount"):
        value(f"{{{{ '{written}' | amount }}}}")


@pytest.mark.parametrize(
    "written", ["2026-11-28", "2026/11/28", "2026年11月28日", "２０２６－１１－２８", "2026.11.28", "2026-11-28 下午"]
)
def test_dates_as_people_write_them(written: str) -> None:
    assert value(f"{{{{ '{written}' | date }}}}") == date(2026, 11, 28)


@pytest.mark.parametrize("written", ["28/11/2026", "2026-13-01", "tomorrow", "20261128"])
def test_other_dates_are_refused(written: str) -> None:
    with pytest.raises(ExpressionError, match="is no date"):
        value(f"{{{{ '{written}' | date }}}}")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ form['没有'] }}", "the approval has no field 没有; it has 事由, 金额"),
        ("{{ form['没有'] | amount }}", "has no field 没有"),
        ("{{ form['没有'] | employee }}", "has no field 没有"),
        ("{{ form['错'] }}", "'abc' is no amount"),
        ("{{ form['几人'] | employee }}", "should be one person, and is 2"),
        ("{{ form['事由'] | employee }}", "is no person"),
        ("{{ form['人'] | department }}", "is no department"),
        ("to {{ form['人'] | employee }}", "stands alone"),
        ("{{ form['明细'] }}", "a field holds one value"),
        ("{{ form }}", "a field holds one value"),
        ("x {{ form }}", "name one of its fields"),
    ],
)
def test_what_cannot_be_worked_out_says_why(source: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value(source)
    assert reason in str(caught.value)


def test_a_mapping_is_nothing_where_what_is_in_it_is() -> None:
    written = {"FNumber": compile_filling("{{ form['空'] }}", row=False)}
    assert fill(written, NAMES) is None
    assert fill({"FNumber": "A", "FX": {"FY": 1}}, NAMES) == {"FNumber": "A", "FX": {"FY": 1}}
    assert fill({"FTerm": written, "FDays": 30}, NAMES) == {"FDays": 30}  # a part of the head


@pytest.mark.parametrize(
    "source", ["{{ doc.FBillNo }}", "{{ task.node }}", "{{ row['x'] }}", "{{ form['x'] | money }}"]
)
def test_names_of_rules_and_messages_are_not_known(source: str) -> None:
    with pytest.raises(TextError):
        compile_filling(source, row=False)


def test_a_model_has_its_fields_in_order_and_no_entry_without_rows() -> None:
    spec = {
        "id": "claim",
        "process": "P",
        "form": "ER_ExpReimbursement",
        "fields": {"FB": "{{ form['金额'] }}", "FA": "{{ form['空'] }}", "FC": {"FNumber": "X"}, "FD": True},
        "entries": {
            "FEntity": {
                "from": "明细",
                "fields": {"FAmount": "{{ row['额'] }}", "FNote": "{{ row.项 }} {{ form['事由'] }}"},
            },
        },
    }
    intake = compile_intake(IntakeSection.model_validate(spec))
    model = intake.model(NAMES)
    assert list(model) == ["FB", "FC", "FD", "FEntity"]
    assert model["FEntity"] == [
        {"FAmount": Decimal(10), "FNote": "a taxi"},
        {"FAmount": Decimal("2.5"), "FNote": "b taxi"},
    ]
    empty = {**NAMES, "form": Fields({**FORM, "明细": part("明细", "TableField")}, ZONE)}
    assert "FEntity" not in intake.model(empty)
    without = {**NAMES, "form": Fields({name: one for name, one in FORM.items() if name != "明细"}, ZONE)}
    with pytest.raises(ExpressionError, match="no table 明细"):
        intake.model(without)
    wrong = {"额": part("额", "MoneyField", "ten"), "项": part("项", "TextField", "a")}
    rows = ({"额": part("额", "MoneyField")}, wrong)
    with pytest.raises(ExpressionError, match=r"^FAmount \(row 2 of 明细\): 'ten' is no amount"):
        intake.model({**NAMES, "form": Fields({**FORM, "明细": part("明细", "TableField", cells=rows)}, ZONE)})


def test_an_intake_tells_which_fields_of_the_form_it_cannot_do_without() -> None:
    spec = {
        "id": "claim",
        "process": "P",
        "form": "ER_ExpReimbursement",
        "fields": {
            "FA": "{{ form['金额'] }} {{ form.事由 }}",
            "FB": {"FNumber": "{% if form['部门'] %}x{% endif %}"},
            "FC": "{{ form['没有'] | default(0) }}{{ form.nor is defined }}{{ approval.title }}",
            "FD": "{{ form['明细'] | sum(attribute='额') }}",
        },
        "entries": {
            "FEntity": {"from": "明细", "fields": {"FE": {"FNumber": "{{ row['额'] }}"}, "FF": "{{ row.x | d(1) }}"}},
            "FOther": {"from": "明细", "fields": {"FG": "{{ row.项 }} {{ form.日期 }}"}},
        },
        "attachments": ("发票", "合同", "发票"),
    }
    intake = compile_intake(IntakeSection.model_validate(spec))
    assert intake.form_fields == {"金额", "事由", "部门", "明细", "日期"}
    assert intake.columns == {"明细": {"额", "项"}}
    assert intake.attachments == ("发票", "合同")
