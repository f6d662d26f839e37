"""Whatever a document holds, rules answer and messages stay what the operator wrote."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from kdsync.delivery.escaping import markdown, plain
from kdsync.delivery.render import RenderError, render
from kdsync.delivery.words import LOCALES
from kdsync.model import Document, Event, Transition
from kdsync.rules.compile import CompiledRule, compile_rule
from kdsync.rules.evaluate import Broken, Match, NoMatch, evaluate
from kdsync.rules.expressions import TextError, compile_expression, compile_text
from kdsync.rules.schema import RuleSection
from kdsync.rules.values import MISSING, Amount

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
KEYS = ("FBillNo", "FAmount", "FDate", "FSupplierId", "FSupplierId.FName", "FQty")
COMMONMARK = MarkdownIt("commonmark")
unhurried = settings(deadline=None)
HARMLESS = {"paragraph_open", "paragraph_close", "inline", "text", "text_special"}


def rule(**changes: Any) -> CompiledRule:
    written = {
        "id": "r",
        "form": "F",
        "on": ("approved", {"changed": ("FAmount",)}, {"becomes": "doc.FAmount / doc.FQty > old.FAmount"}),
        "when": "doc.FAmount * 1.1 >= 100 or doc.FDate < now or doc.FSupplierId.FName.strip() in old.FBillNo",
        "to": ("creator",),
        "message": {
            "title": "{{ doc.FBillNo }} {{ doc.FAmount | money }}",
            "body": "{{ doc.FSupplierId.FName }} {{ doc.FDate | datetime }} {{ doc.FQty | number }}\n"
            "{% for row in doc.entries | sort(attribute='FQty') %}\n- {{ row.FQty }}\n{% endfor %}",
            "link": "https://erp/{{ doc.FBillNo }}",
            "fields": {"n": "{{ doc.FSupplierId }}"},
        },
        **changes,
    }
    return compile_rule(RuleSection.model_validate(written))


RULE = rule()
NAMED = rule(message={"title": "x", "body": "**Supplier**: {{ doc.FSupplierId.FName }}\n\n{{ doc.FBillNo }}\n"})

any_text = st.text() | st.text(alphabet="[]()!*_`#>+-=~.1<a/&;:@\\ \n{}%|", max_size=30)
raw = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | any_text
    | st.datetimes().map(lambda moment: moment.isoformat(timespec="milliseconds"))
)
rows = st.lists(st.dictionaries(st.sampled_from(KEYS), raw), max_size=3)
documents = st.none() | st.builds(
    Document, st.just("F"), st.just("1"), any_text, st.dictionaries(st.sampled_from(KEYS), raw), rows
)
events = st.builds(
    Event,
    event_id=st.just("e1"),
    kind=st.sampled_from(Transition),
    form=st.just("F"),
    doc_id=st.just("1"),
    number=any_text,
    version=st.integers(1),
    noticed_at=st.just(NOW),
    old=documents,
    new=documents,
    changed=st.frozensets(st.sampled_from((*KEYS, "entries"))),
)


def tokens(text: str) -> list[Token]:
    """All tokens of a text, flat."""
    return [token for block in COMMONMARK.parse(text) for token in (block, *(block.children or ()))]


@unhurried
@given(events)
def test_a_rule_always_answers_and_always_the_same(event: Event) -> None:
    verdict = evaluate(RULE, event, now=NOW, zone=SHANGHAI)
    assert isinstance(verdict, Match | NoMatch | Broken)
    assert verdict == evaluate(RULE, event, now=NOW, zone=SHANGHAI)


@unhurried
@given(events, st.sampled_from(LOCALES))
def test_a_message_is_written_or_refused_and_always_the_same(event: Event, locale: str) -> None:
    if event.old is None and event.new is None:
        return

    def written() -> object:
        try:
            return render(RULE, event, locale=locale, now=NOW, zone=SHANGHAI, form_title="t")
        except RenderError as error:
            return str(error)

    once = written()
    assert once == written()
    assert "\x00" not in str(once)


@unhurried
@given(any_text)
def test_data_is_only_ever_text_in_markdown(text: str) -> None:
    found = tokens(markdown(text))
    assert {token.type for token in found} <= HARMLESS
    assert "".join(token.content for token in found if token.type.startswith("text")) == plain(text)


@unhurried
@given(any_text, any_text)
def test_data_in_a_message_changes_nothing_of_its_structure(name: str, number: str) -> None:
    document = Document("F", "1", "1", {"FSupplierId.FName": name, "FBillNo": number})
    event = Event("e1", Transition.APPROVED, "F", "1", "1", 1, NOW, None, document)
    body = render(NAMED, event, locale="en", now=NOW, zone=SHANGHAI, form_title="t").body
    found = tokens(body)
    assert {token.type for token in found} <= HARMLESS | {"strong_open", "strong_close"}
    assert sum(token.type == "strong_open" for token in found) == 1
    assert not re.search(r"(?<!\w)@\w", body)


@unhurried
@given(any_text)
def test_a_printed_line_has_no_controls(text: str) -> None:
    line = plain(text)
    assert line == plain(line)
    assert len(line.splitlines()) <= 1
    assert line.encode().decode() == line


@unhurried
@given(st.text(alphabet="doc.F+-*/%()[]{}'\" |=<>!~,1e_#ifsentr\n") | st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (compile_expression, compile_text):
        try:
            read(text)
        except TextError as error:
            told = error.mistakes
        else:
            continue
        assert all(message for message, _ in told)
        assert told


numbers = (
    st.integers(-(10**12), 10**12)
    | st.decimals(-(10**12), 10**12, places=4)
    | st.floats(-1e9, 1e9).map(lambda number: round(number, 6))
)


@unhurried
@given(numbers, numbers)
def test_amounts_calculate_like_decimals(left: Any, right: Any) -> None:
    def exact(number: Any) -> Decimal:
        return Decimal(repr(number) if isinstance(number, float) else number)

    amount = Amount(exact(left))
    assert amount + right == right + amount == exact(left) + exact(right)
    assert amount - right == exact(left) - exact(right)
    assert amount * right == right * amount == exact(left) * exact(right)
    assert (amount < right) == (exact(left) < exact(right))
    assert (amount == right) == (exact(left) == exact(right))
    assert Decimal(str(amount)) == amount
    assert "E" not in str(amount).upper()


@unhurried
@given(raw)
def test_nothing_is_more_or_less_than_a_missing_value(value: Any) -> None:
    nothing = MISSING.FName
    assert [value < nothing, value > nothing, nothing <= value, nothing >= value] == [False] * 4
