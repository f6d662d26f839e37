"""How messages read on a phone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.simulator.phone import Reading, markdown, read, read_sample


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("one\ntwo", "onetwo"),
        ("one  \ntwo", "onetwo"),
        ("one  \n  two", "one\ntwo"),
        ("one\n\ntwo", "one\ntwo"),
        ("one\r\n\r\ntwo", "one\ntwo"),
        ("### Title\nbody", "Title\nbody"),
        ("- one\n- two", "- one\n- two"),
        ("intro\n1. one\n2. two", "intro\n1. one\n2. two"),
        ("**bold** and *thin*", "bold and thin"),
        ("[open](https://erp/?id=1)", "open <https://erp/?id=1>"),
        ("![chart](https://erp/c.png)", "[chart]"),
        (r"\*not bold\* \[no link\](x) 2\_3", "*not bold* [no link](x) 2_3"),
        ("A*B*C stays B", "ABC stays B"),
        ("2 * 3 = 6", "2 * 3 = 6"),
    ],
)
def test_markdown_as_lines(source: str, lines: str) -> None:
    assert markdown(source) == lines


@given(st.text(alphabet=st.sampled_from("ab #*[]()!\\\n -1.>_"), max_size=60))
def test_any_markdown_reads_without_blank_lines(source: str) -> None:
    assert "\n\n" not in markdown(source)


OA = {"message_url": "u", "head": {"bgcolor": "FFF65E5E", "text": "ERP"}, "body": {"title": "Payment"}}


def oa(**body: Any) -> Reading:
    return read({"msgtype": "oa", "oa": OA | {"body": {"title": "Payment"} | body}})


def test_an_oa_message_shows_six_rows_and_three_lines() -> None:
    rows = [{"key": f"k{number}", "value": f"v{number}"} for number in range(8)]
    reading = oa(form=rows, content="1\n2\n3\n4", rich={"num": "7.00", "unit": "元"}, author="#abc 10:00")
    assert reading.title == "Payment"
    assert reading.text.split("\n") == [*(f"k{n} v{n}" for n in range(6)), "7.00 元", "1", "2", "3", "#abc 10:00"]


def test_buttons_of_cards_in_each_dialect() -> None:
    single = {"title": "t", "markdown": "x", "single_title": "Open", "single_url": "u"}
    assert read({"msgtype": "action_card", "action_card": single}) == Reading("t", "x\n[Open]")
    several = {"title": "t", "text": "x", "btns": [{"title": "A"}, {"title": "B"}]}
    assert read({"msgtype": "actionCard", "actionCard": several}) == Reading("t", "x\n[A]\n[B]")
    sample = {"title": "t", "text": "x", "buttonTitle1": "A", "buttonUrl1": "u", "buttonTitle2": "B", "buttonUrl2": "u"}
    assert read_sample("sampleActionCard6", sample) == Reading("t", "x\n[A]\n[B]")
    assert read_sample("sampleActionCard", {"title": "t", "text": "x", "singleTitle": "A"}) == Reading("t", "x\n[A]")


def test_the_first_line_of_a_text_is_what_the_list_shows() -> None:
    assert read({"msgtype": "text", "text": {"content": "one\ntwo"}}) == Reading("one", "one\ntwo")


def test_files_and_pictures() -> None:
    assert read({"msgtype": "image", "image": {"media_id": "@l"}}) == Reading("[image]", "")
    assert read_sample("sampleFile", {"mediaId": "@l", "fileName": "a.pdf"}) == Reading("[file]", "a.pdf")
