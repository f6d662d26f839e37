from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kdsync.delivery.render import RenderError, render
from kdsync.model import Content, Document, Event, Transition
from kdsync.rules.compile import compile_rule
from kdsync.rules.schema import RuleSection

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
VALUES: dict[str, Any] = {
    "FBillNo": "AP-1",
    "FAmount": Decimal("12345.6"),
    "FDate": "2026-11-20T00:00:00",
    "FDocumentStatus": "C",
    "FSupplierId.FName": "Acme",
    "FNull": None,
}
ROWS: list[dict[str, Any]] = [{"FMat.FName": "Bolt *8", "FQty": 2.50}, {"FMat.FName": "- Nut", "FQty": None}]


def rendered(message: Mapping[str, Any], locale: str = "zh", **values: Any) -> Content:
    written = {"id": "r", "form": "F", "on": ("approved",), "to": ("creator",), "message": message}
    rule = compile_rule(RuleSection.model_validate(written))
    document = Document("F", "1", "AP-1", {**VALUES, **values}, ROWS)
    event = Event("e1", Transition.APPROVED, "F", "1", "AP-1", 2, NOW, None, document)
    return render(rule, event, locale=locale, now=NOW, zone=SHANGHAI, form_title="付款单")


def body(template: str, locale: str = "zh", **values: Any) -> str:
    return rendered({"title": "x", "body": template}, locale, **values).body


def test_a_whole_message() -> None:
    content = rendered(
        {
            "title": "{{ event.form_title }} {{ doc.FBillNo }}",
            "body": "**{{ doc.FSupplierId.FName }}**\n{{ doc.FAmount | money('CNY') }}\n",
            "link": "https://erp/?no={{ doc.FBillNo }}&s={{ doc.FSupplierId.FName }}",
            "fields": {"金额": "{{ doc.FAmount | money }}", "状态": "{{ doc.FDocumentStatus | status }}"},
        },
        **{"FSupplierId.FName": "A & B"},
    )
    assert content == Content(
        title="付款单 AP-1",
        body="**A & B**\nCNY 12,345.60",
        link="https://erp/?no=AP-1&s=A%20%26%20B",
        fields=(("金额", "12,345.60"), ("状态", "已审核")),
    )


def test_rows_one_a_line() -> None:
    template = """\
物料：
{% for row in doc.entries %}
- {{ row.FMat.FName }} {{ row.FQty | number }}
{% endfor %}
共 {{ doc.entries | length }} 行
"""
    assert body(template) == "物料：\n- Bolt \\*8 2.5\n- \\- Nut \n共 2 行"


@pytest.mark.parametrize(
    ("locale", "text"), [("zh", "2026-11-20"), ("en", "20 Nov 2026"), ("vi", "20/11/2026"), ("fr", "2026-11-20")]
)
def test_the_language_reaches_the_filters(locale: str, text: str) -> None:
    assert body("{{ doc.FDate | date }}", locale) == text


def test_each_language_has_its_own_text() -> None:
    message = {"title": {"zh": "标题", "vi": "Tiêu đề"}, "body": {"en": "only English"}}
    assert rendered(message, "vi").title == "Tiêu đề"
    assert rendered(message, "en").title == "标题"
    assert rendered(message, "vi").body == "only English"


def test_a_message_needs_no_body() -> None:
    assert rendered({"title": "x"}) == Content(title="x", body="")


@pytest.mark.parametrize(
    "name",
    ["{{ 7 * 7 }}", "{% for x in doc %}", "{{ doc.FBillNo }}", "{# c #}"],
)
def test_a_name_that_looks_like_a_template_is_only_a_name(name: str) -> None:
    message = {"title": "{{ doc.FName }}", "body": "{{ doc.FName }}", "fields": {"n": "{{ doc.FName }}"}}
    content = rendered(message, FName=name)
    assert content.title == name
    assert content.body.replace("\\", "") == name
    assert content.fields[0][1] == content.body


def test_a_name_with_markdown_stays_a_name_and_the_template_keeps_its_own() -> None:
    assert body("**{{ doc.FName }}** [erp](https://e)", FName="**[x](http://evil)**\n# big") == (
        r"**\*\*\[x\](http://evil)\*\* # big** [erp](https://e)"
    )


def test_a_title_is_plain_text_on_one_line() -> None:
    content = rendered({"title": "{{ doc.FName }}\nsecond"}, FName="*a*\r\n\u202eb")
    assert content.title == "*a* b second"


def test_a_title_that_comes_out_empty_names_the_document() -> None:
    assert rendered({"title": "{{ doc.FNull }}"}).title == "付款单 AP-1"


def test_a_supplier_name_of_ten_kilobytes_is_shortened() -> None:
    content = rendered({"title": "{{ doc.FName }}", "body": "{{ doc.FName }} | {{ doc.FBillNo }}"}, FName="名" * 10_240)
    assert content.title == "名" * 499 + "…"
    assert content.body == "名" * 499 + "… | AP-1"


@pytest.mark.parametrize(
    "template",
    ["{{ doc.FNull | date }}", "{{ doc.FNothing }}", "{{ old.FDate | datetime }}", "{{ doc.FNo.FName + 1 }}"],
)
def test_null_dates_and_missing_fields_print_as_nothing(template: str) -> None:
    assert body(f"[{template}]") == "[]"


def test_text_written_into_an_expression_keeps_its_markdown() -> None:
    assert body("{{ '**large**' if doc.FAmount > 100 else doc.FName }}", FName="*") == "**large**"
    assert body("{{ '**large**' if doc.FAmount < 100 else doc.FName }}", FName="*") == r"\*"
    assert body("{{ '**' ~ doc.FName }}", FName="x") == r"\*\*x"


def test_links() -> None:
    assert body("{{ link(doc.FBillNo, 'https://e/' ~ doc.FBillNo) }}") == "[AP-1](https://e/AP-1)"
    assert body("{{ doc.FBillNo | link('https://e') }}") == "[AP-1](https://e)"
    assert body("[x](https://e/{{ doc.FName | urlencode }})", FName="a)b") == "[x](https://e/a%29b)"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"title": "{{ doc.FBillNo - 1 }}"}, "rule r: message.title: text - a number cannot be worked out"),
        ({"title": "x", "body": "{{ doc.FAmount / 0 }}"}, "rule r: message.body: division by zero"),
        (
            {"title": "x", "fields": {"金额": "{{ doc.FAmount > 'x' }}"}},
            "rule r: message.fields.金额: a number cannot be compared with text",
        ),
    ],
)
def test_what_cannot_be_written_names_rule_and_template(message: Mapping[str, Any], told: str) -> None:
    with pytest.raises(RenderError) as error:
        rendered(message)
    assert str(error.value) == told
    assert error.value.rule == "r"
