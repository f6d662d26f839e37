"""Rules that ask for too much, and documents that hold too much: a rule fails at worst, soon and in little memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.delivery.style import Place, Style
from kdsync.dingtalk.messages import group_message, work_message
from kdsync.model import Content, Document, Event, Priority, Transition
from kdsync.rules.expressions import TextError, compile_expression, compile_text
from kdsync.rules.mistakes import ExpressionError
from kdsync.rules.scope import RuleView, scope
from tests.property.foreign import thorough

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MEGABYTE = 1 << 20
LONGEST_REASON = 5_000
VALUES: dict[str, Any] = {
    "FBillNo": "K1",
    "FBig": "A" * 5 * MEGABYTE,
    "FControls": "a\x00\x07\u202eb\u2066c\ud800",
    "FAmount": Decimal("1e60"),
    "FHuge": Decimal("9" * 350),
    "FText": "1e9999999",
    "FDigits": "9" * 5000,
    "FNaN": "NaN",
    "FDate": "9999-12-31T23:59:59.999",
    "FNoDate": "0000-00-00T00:00:00",
    "FWhole": 10**18,
    "FFloat": 1.7e308,
}
ROWS: list[Mapping[str, Any]] = [{"FQty": number * 1.5, "FName": f"n{number}"} for number in range(3_000)]


def names() -> dict[str, Any]:
    document = Document("F", "1", "K1", VALUES, ROWS)
    event = Event("e", Transition.APPROVED, "F", "1", "K1", 1, NOW, document, document)
    return dict(scope(RuleView("r", "F", "normal"), event, now=NOW, zone=ZoneInfo("Asia/Shanghai"), form_title="t"))


def rendered(source: str, place: Place = Place.BODY) -> str:
    return compile_text(source).render(names(), Style("en", place))


def doubled(what: str, operator: str) -> str:
    return f"{{% set a = {what} %}}" + f"{{% set a = a {operator} a %}}" * 40 + "{{ a | length }}"


TOO_MUCH = {
    "{{ 'a' * 10 ** 9 }}": "repeated too often",
    "{{ [doc.FBig] * 10 ** 6 }}": "a list cannot be repeated",
    "{{ range(100) | map('string') | map('replace', '1', doc.FBig) | join | length }}": "replacing would",
    "{{ [doc.FBig, doc.FBig, doc.FBig] | join | length }}": "joining would",
    "{{ [[1], [2]] | sum(start=[]) }}": "sum adds up numbers",
    "{{ doc.FBig | map('upper') | join(doc.FBig) }}": "joining would",
    "{{ doc.entries | map(attribute='FName') | join(doc.FBig) }}": "joining would",
    "{{ doc.entries | join(doc.FBig, attribute='FName') }}": "joining would",
    "{{ doc.FBig ~ doc.FBig ~ doc.FBig }}": "joining would",
    "{{ doc.FBig | replace('A', 'AAAA') }}": "replacing would",
    doubled("'aaaaaaaaaa'", "~"): "joining would",
    doubled("'aaaaaaaaaa'", "+"): "joining would",
    doubled("[1]", "+"): "joining would",
    doubled("doc.FAmount", "*"): "a number is too large",
    doubled("doc.FWhole", "*"): "the product is too large",
    "{% set a = doc.FAmount %}" + "{% set a = a * a %}" * 14 + "{{ a | int }}": "a number is too large",
    "{{ range(10 ** 9) | list }}": "at most 100",
    "{{ doc.FAmount ** 1000000 }}": "the power is too large",
    "{{ doc.FWhole ** (10 ** 9) }}": "the power is too large",
    "{{ (doc.FDate - now) * 10 ** 9 }}": "a number is too large",
    "{% for a in doc.entries %}{% for b in doc.entries %}x{% endfor %}{% endfor %}": "turns",
    "{% for a in doc.FBig %}{% for b in doc.FBig %}x{% endfor %}{% endfor %}": "turns",
    "{% for a in doc.entries %}{{ doc.entries | sum(attribute='FQty') }}{% endfor %}": "fields",
}
ENOUGH = {
    "{{ doc.FBig }}": "A" * 499 + "…",
    "{{ doc.FBig | truncate(10) }}": "AAAAAAA...",
    "{{ doc.FBig | length }}": "100000",
    "{{ doc.FBig | unique | list | length }}": "1",
    "{{ doc.FText | float | int }}|{{ doc.FText | int }}|{{ doc.FDigits | int }}": "0|0|0",
    "{{ doc.FText | float }}|{{ doc.FDigits | float }}|{{ doc.FNaN | float }}": "||",
    "{{ doc.FNaN | float > 3 }}|{{ 'snan' | float == 3 }}": "no|no",
    "{{ doc.FNaN | money }}|{{ doc.FText | money }}": "NaN|1e9999999",
    "{{ doc.FWhole | money('USD', 10 ** 9) }}": "USD 1,000,000,000,000,000,000.0000000000",
    "{{ doc.FDate | date }}|{{ doc.FNoDate | date }}": "31 Dec 9999|0000-00-00T00:00:00",
    "{{ doc.FControls }}": "a  bc�",
    "{% for r in doc.entries %}{% if loop.last %}{{ loop.length }}{% endif %}{% endfor %}": "3000",
    "{% for row in doc.FMissing %}x{% else %}none{% endfor %}": "none",
    "{{ 'a' ~ doc.FWhole ~ 1.5 ~ doc.FMissing }}": "a10000000000000000001.5",
    "{{ doc.entries | map(attribute='FName') | join(', ') | length }}": str(
        sum(len(f"n{n}") + 2 for n in range(3000)) - 2
    ),
}


def in_bounds(source: str) -> str:
    """What is rendered, or why not."""
    tracemalloc.start()
    started = time.process_time()
    try:
        result = rendered(source)
    except (ExpressionError, TextError) as error:
        result = str(error)
    finally:
        seconds, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert seconds < 10.0
    assert peak < 64 * MEGABYTE
    return result


@pytest.mark.parametrize("source", TOO_MUCH)
def test_what_asks_for_too_much_fails_soon_and_says_why(source: str) -> None:
    assert TOO_MUCH[source] in in_bounds(source)


@pytest.mark.parametrize("source", ENOUGH)
def test_what_holds_too_much_is_shown_all_the_same(source: str) -> None:
    assert in_bounds(source) == ENOUGH[source]


@pytest.mark.parametrize("source", ["{{ '1e9999999' | float | int }}", "{{ 9 ** 9 ** 9 }}", "{{ ('9' * 9999) | int }}"])
def test_what_can_be_worked_out_while_it_is_read_is_bounded_too(source: str) -> None:
    in_bounds(source)


WORDS = (
    "doc . FBig FAmount FDate entries now old | join int float sum map money ( ) [ ] { } * ** + - / // % ~ < == if is"
)
WORDS += " in not for a endfor set = 9 1e999 10**9 0 'a' attribute= {{ }} {% %} \\ ' \" , :"
pieces = st.sampled_from([*WORDS.split(), " "])
sources = st.lists(pieces, max_size=14).map("".join) | st.text(max_size=30)


@thorough
@given(sources)
def test_whatever_is_written_as_a_rule_is_refused_or_ends(source: str) -> None:
    for compiled in (compile_text, compile_expression):
        try:
            asked: Any = compiled(source)
            asked.render(names(), Style("zh", Place.TITLE)) if compiled is compile_text else asked.holds(names())
        except (TextError, ExpressionError) as error:
            told = str(error)
            if len(told) > LONGEST_REASON:
                raise


LONG = [
    "\u202e" * 50,
    "A" * 5 * MEGABYTE,
    *(part * 9_000 for part in ("**", "[", "\n", "``", "\U0001f468\u200d", "[](", "- ")),
]
texts = st.text(max_size=40) | st.sampled_from(["\x00\x07", "\ud800", *LONG])


@thorough
@given(texts, texts, st.lists(st.tuples(texts, texts), max_size=8), texts, st.sampled_from(Priority))
def test_whatever_a_message_says_it_fits(
    title: str, body: str, fields: list[tuple[str, str]], link: str, priority: Priority
) -> None:
    content = Content(title, body, link, tuple(fields))
    started = time.process_time()
    assert len(work_message(content, "footer", priority=priority, button=title)) <= 2048
    assert len(group_message(content, "footer", priority=priority)) <= 19_000
    assert time.process_time() - started < 20.0
