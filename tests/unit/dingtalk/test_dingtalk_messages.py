"""What messages look like, and that every content becomes one that DingTalk takes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kdsync.dingtalk.messages import group_message, shows_bar, with_line_breaks, work_message
from kdsync.model import Content, Priority
from kdsync.simulator.phone import markdown

FOOTER = "#1a2b3c4d 2026-11-23 09:30:05"
LINK = "https://erp.example.com/K3Cloud/html5/?bill=1"


def work(content: Content, footer: str = FOOTER, priority: Priority = Priority.NORMAL, button: str = "查看") -> Any:
    return json.loads(work_message(content, footer, priority=priority, button=button))


def group(content: Content, footer: str = FOOTER, priority: Priority = Priority.NORMAL) -> Any:
    return json.loads(group_message(content, footer, priority=priority))


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def text_of(message: Any) -> str:
    part = message.get("markdown") or message.get("action_card")
    return str(part.get("text") or part["markdown"])


def test_plain_content_is_markdown_with_the_title_as_heading_and_the_footer_last() -> None:
    assert work(Content("PAY001 approved", "**ACME** 1,234.50")) == {
        "msgtype": "markdown",
        "markdown": {"title": "PAY001 approved", "text": f"### PAY001 approved\n\n**ACME** 1,234.50\n\n{FOOTER}"},
    }


def test_content_with_a_link_is_a_card_with_one_button() -> None:
    assert work(Content("付款单已审核", "金额", LINK)) == {
        "msgtype": "action_card",
        "action_card": {
            "title": "付款单已审核",
            "markdown": f"### 付款单已审核\n\n金额\n\n{FOOTER}",
            "single_title": "查看",
            "single_url": LINK,
        },
    }


def test_content_with_fields_is_a_form_coloured_by_priority() -> None:
    content = Content("Phiếu chi", "Đã duyệt", LINK, (("供应商", "ACME"), ("金额", "1,234.50")))
    assert work(content, priority=Priority.URGENT) == {
        "msgtype": "oa",
        "oa": {
            "message_url": LINK,
            "head": {"bgcolor": "FFF65E5E", "text": "Phiếu chi"},
            "body": {
                "title": "Phiếu chi",
                "form": [{"key": "供应商", "value": "ACME"}, {"key": "金额", "value": "1,234.50"}],
                "content": "Đã duyệt",
                "author": FOOTER,
            },
        },
    }


@pytest.mark.parametrize(("fields", "has_bar"), [((("k", "字" * 3000),), True), ((), False)])
def test_only_a_form_shows_its_status(fields: tuple[tuple[str, str], ...], has_bar: bool) -> None:
    content = Content("t", "b", fields=fields)
    message = work_message(content, FOOTER, priority=Priority.NORMAL, button="", bar="待审批")
    assert shows_bar(message) == has_bar
    assert len(message) <= 2048
    bar = json.loads(message).get("oa", {}).get("status_bar")
    assert bar == ({"status_value": "待审批", "status_bg": "0xFFFF9D46"} if has_bar else None)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{",
        b"[1]",
        b'{"oa": {}}',
        work_message(Content("t", "", fields=(("k", "v"),)), FOOTER, priority=Priority.LOW, button=""),
    ],
)
def test_what_has_no_status_bar(message: bytes) -> None:
    assert not shows_bar(message)


def test_a_form_without_a_link_leads_to_a_harmless_page() -> None:
    assert work(Content("t", "", fields=(("k", "v"),)))["oa"]["message_url"] == "https://www.dingtalk.com/"


@pytest.mark.parametrize(
    ("rows", "body", "below", "is_form"),
    [
        (6, "1\n2\n3", "", True),
        (6, "1\n\n2\n\n\n3", "", True),
        (6, "1", "2\n\n3", True),
        (7, "", "", False),
        (1, "1\n2\n3\n4", "", False),
        (1, "1\n2", "3\n\n4", False),
        (1, "字" * 90, "", True),
        (1, "字" * 91, "", False),
        (1, "x" * 61, "2\n3", False),
    ],
)
def test_what_a_form_would_not_show_is_sent_as_text(rows: int, body: str, below: str, is_form: bool) -> None:
    content = Content("t", body, LINK, tuple((f"k{n}", f"v{n}") for n in range(rows)), below)
    message = work(content)
    assert message["msgtype"] == ("oa" if is_form else "action_card")
    if is_form:
        assert message["oa"]["body"]["content"].split("\n") == [line for line in f"{body}\n{below}".split("\n") if line]
    else:
        assert all(f"**k{n}**: v{n}" in text_of(message) for n in range(rows))


def test_what_must_be_read_below_a_long_body_is_not_cut() -> None:
    content = Content("t", "\n".join(f"row {n} 采购订单" for n in range(200)), below="A：请回复\n\nB：请回复")
    for message in (work(content), work(replace(content, link=LINK)), work(replace(content, fields=(("k", "v"),)))):
        assert text_of(message).endswith(f"采购订单  \n  …\n\nA：请回复\n\nB：请回复\n\n{FOOTER}")
    assert text_of(group(content)).endswith(f"A：请回复\n\nB：请回复\n\n{FOOTER}")


def test_the_head_of_a_form_is_short_because_the_apps_name_stands_there_anyway() -> None:
    oa = work(Content("付款单 FKD000123 已审核", "", fields=(("k", "v"),)))["oa"]
    assert (oa["head"]["text"], oa["body"]["title"]) == ("付款单 FKD00…", "付款单 FKD000123 已审核")


def test_a_form_shows_no_signs_of_markdown() -> None:
    content = Content("t", "### Kopf\n> **ACME** [open](https://x.example/a) 2\\*3", fields=(("k", "A\\*B\\_C"),))
    body = work(content)["oa"]["body"]
    assert body["content"] == "Kopf\nACME open 2*3"
    assert body["form"] == [{"key": "k", "value": "A*B_C"}]


@pytest.mark.parametrize("link", ["https://x.example/" + "a" * 483, "javascript:alert(1)", "no link", "https://", " "])
def test_a_link_that_dingtalk_would_not_take_is_left_out(link: str) -> None:
    assert work(Content("t", "b", link)) == work(Content("t", "b"))


def test_a_link_of_exactly_the_limit_is_kept() -> None:
    link = "https://x.example/" + "a" * 482
    assert work(Content("t", "b", link))["action_card"]["single_url"] == link


def test_a_button_too_long_is_shortened_and_one_without_text_is_an_arrow() -> None:
    assert work(Content("t", "b", LINK), button="x" * 21)["action_card"]["single_title"] == "x" * 19 + "…"
    assert work(Content("t", "b", LINK), button=" \n")["action_card"]["single_title"] == "→"


def test_a_title_too_long_for_the_list_is_longer_in_the_heading() -> None:
    message = work(Content("长" * 100, "b"))
    assert message["markdown"]["title"] == "长" * 63 + "…"
    assert message["markdown"]["text"].startswith("### " + "长" * 100 + "\n")


@pytest.mark.parametrize(("body", "title"), [("first\nsecond", "first"), ("", "Kingdee"), ("\ud800", "?")])
def test_an_empty_title_is_found_elsewhere(body: str, title: str) -> None:
    assert work(Content(" \n ", body))["markdown"]["title"] == title


def test_a_title_of_several_lines_is_one_heading() -> None:
    assert text_of(work(Content("one\r\n two", "b"))).startswith("### one two\n\n")


@pytest.mark.parametrize(
    ("priority", "heading"), [(Priority.LOW, "### t"), (Priority.HIGH, "### t ❗"), (Priority.URGENT, "### t ‼️")]
)
def test_what_is_pressing_is_marked_where_there_is_no_colour(priority: Priority, heading: str) -> None:
    assert text_of(work(Content("t", "b"), priority=priority)).split("\n")[0] == heading
    assert text_of(group(Content("t", "b"), priority=priority)).split("\n")[0] == heading


def test_a_long_body_is_cut_between_lines_and_the_footer_stays() -> None:
    text = text_of(work(Content("t", "\n".join(f"row {n} 采购订单" for n in range(200)))))
    lines = text.replace("  \n  ", "\n").split("\n\n")
    assert lines[0] == "### t"
    assert lines[-1] == FOOTER
    assert lines[1].endswith("采购订单\n…")


def test_a_long_body_uses_the_room_there_is() -> None:
    message = work_message(Content("t", "字" * 5000), FOOTER, priority=Priority.NORMAL, button="")
    assert 2040 < len(message) <= 2048
    message = group_message(Content("t", "字" * 50_000), FOOTER, priority=Priority.NORMAL)
    assert 18_990 < len(message) <= 19_000


def test_long_values_share_the_room_of_a_form() -> None:
    message = work(Content("t", "b", LINK, (("金额", "1.00"), ("x", "y" * 5000), ("z", "字" * 5000))))
    values = [row["value"] for row in message["oa"]["body"]["form"]]
    assert values[0] == "1.00"
    assert len(values[1]) == len(values[2]) > 300
    assert message["oa"]["body"]["content"] == "b"


def test_a_group_gets_fields_as_lines_and_the_link_below() -> None:
    content = Content("t", "body", "https://erp.example.com:8443/a(1)?b=2", (("金额", "1.00"), ("k", "v")))
    assert group(content) == {
        "msgtype": "markdown",
        "markdown": {
            "title": "t",
            "text": "### t\n\n**金额**: 1.00  \n  **k**: v  \n  body\n\n"
            f"[erp.example.com:8443](https://erp.example.com:8443/a%281%29?b=2)\n\n{FOOTER}",
        },
    }


def test_the_bytes_are_canonical() -> None:
    message = work_message(Content("甲", "乙"), "丙", priority=Priority.LOW, button="")
    assert message == '{"markdown":{"text":"### 甲\\n\\n乙\\n\\n丙","title":"甲"},"msgtype":"markdown"}'.encode()


@pytest.mark.parametrize(
    ("body", "broken"),
    [
        ("a\nb", "a  \n  b"),
        ("a\n\nb", "a\n\nb"),
        ("a\n \n\n\nb", "a\n\nb"),
        ("- a\n- b", "- a  \n- b"),
        ("> a\n> b", "> a  \n> b"),
        ("9. a\n10. b", "9. a  \n10. b"),
        ("text\n- a\ntext", "text\n\n- a\n\ntext"),
        ("# a\n- b", "# a\n\n- b"),
        ("\\- a\nb", "\\- a  \n  b"),
        ("", ""),
    ],
)
def test_newlines_become_breaks_that_dingtalk_shows(body: str, broken: str) -> None:
    assert with_line_breaks(body) == broken


def test_a_footer_that_cannot_stay_as_it_is_still_differs_from_others() -> None:
    assert text_of(work(Content("t", "b"), "a\nb")) != text_of(work(Content("t", "b"), "a b"))
    assert text_of(work(Content("t", "b"), "x" * 500)) != text_of(work(Content("t", "b"), "x" * 501))


anything = st.text(st.characters(exclude_categories=()), max_size=80)
long = st.builds(lambda text, times: text * times, anything, st.integers(1, 400))
texts = anything | long
links = st.sampled_from(["", LINK, "https://x.example/" + "宽" * 160, "dingtalk://dingtalkclient/page?a=b"]) | texts
contents = st.builds(Content, texts, texts, links, st.lists(st.tuples(texts, texts), max_size=8).map(tuple), texts)
footers = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=60)
priorities = st.sampled_from(Priority)


@given(contents, footers, priorities, anything)
def test_any_content_gives_a_work_message_within_the_limits(
    content: Content, footer: str, priority: Priority, button: str
) -> None:
    message = work_message(content, footer, priority=priority, button=button)
    assert len(message) <= 2048
    assert message == work_message(content, footer, priority=priority, button=button)
    read = json.loads(message)
    part = read[read["msgtype"]]
    if read["msgtype"] == "oa":
        assert part["body"].get("author", "") == footer
        assert 0 < utf16(part["body"]["title"]) <= 50
        assert utf16(part["head"]["text"]) <= 10
        assert len(part["body"]["form"]) <= 6
    else:
        assert text_of(read).endswith(footer)
        assert text_of(read).startswith("### ")
        assert 0 < utf16(part["title"]) <= 64
        assert 0 < utf16(part.get("single_title", "x")) <= 20
        assert len(part.get("single_url", "").encode()) <= 500


@given(contents, footers, priorities)
def test_any_content_gives_a_group_message_within_the_limits(content: Content, footer: str, priority: Priority) -> None:
    message = group_message(content, footer, priority=priority)
    assert len(message) <= 19_000
    assert text_of(json.loads(message)).endswith(footer)


titles = st.text(st.characters(exclude_categories=("Cc", "Zs", "Zl", "Zp", "Cs")), min_size=1, max_size=25)


@given(titles)
def test_a_title_within_the_limits_is_kept(title: str) -> None:
    assert work(Content(title, "b" * 3000))["markdown"]["title"] == title
    heading = text_of(work(Content(title, "b" * 3000, LINK))).split("\n\n")[0]
    assert markdown(heading) == title or title.startswith("#")
    assert work(Content(title, "b", fields=(("k", "v" * 3000),)))["oa"]["body"]["title"] == title


@given(contents, texts, texts)
@example(Content("t", "b"), "a", "a ")
@example(Content("t", "b"), "\ud800", "?")
def test_distinct_footers_make_distinct_bytes(content: Content, one: str, other: str) -> None:
    if one != other:
        assert work_message(content, one, priority=Priority.LOW, button="b") != work_message(
            content, other, priority=Priority.LOW, button="b"
        )
        assert group_message(content, one, priority=Priority.LOW) != group_message(
            content, other, priority=Priority.LOW
        )


@given(st.integers(1, 60), st.integers(60, 120))
def test_a_body_is_never_cut_inside_a_character(width: int, times: int) -> None:
    body = "e\u0301👩\u200d🏭🇨🇳" * times
    text = text_of(work(Content("t" * width, body)))
    kept = text.split("\n\n")[1]
    assert kept == body or kept.removesuffix("…") in [body[:end] for end in _ends(len(body))]


def _ends(length: int) -> list[int]:
    whole = 7
    return [start + end for start in range(0, length, whole) for end in (2, 5, 7)]


@pytest.mark.parametrize(
    ("title", "heading"),
    [
        ("[x](http://evil.example) *now*", r"\[x\](http://evil.example) \*now\*"),
        ("<b>x</b> &lt; 3 & 4", r"\<b>x\</b> \&lt; 3 & 4"),
        ("_x_ PAY_1 ~~y~~", r"\_x\_ PAY_1 \~\~y\~\~"),
    ],
)
def test_a_title_with_markup_in_it_stays_plain_text(title: str, heading: str) -> None:
    message = work(Content(title, "body"))
    assert text_of(message).startswith(f"### {heading}\n")
    assert markdown(text_of(message)).startswith(f"{title}\n")
    assert message["markdown"]["title"] == title
