from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdsync.commands.parse import MOST, Command, Phrase, Reason, Unclear, parse

PHRASES = [
    *(Phrase(text, "agree", "ER_ExpReimbursement") for text in ("同意", "approve", "đồng ý")),
    *(Phrase(text, "refuse", "ER_ExpReimbursement") for text in ("驳回", "reject", "từ chối")),
    *(Phrase(text, "pay", "AP_PAYBILL") for text in ("确认付款", "confirm payment", "xác nhận thanh toán")),
    Phrase("同意付款", "pass", "CN_PAYAPPLY"),
    Phrase("同意", "agree-order", "PUR_PurchaseOrder"),
    Phrase("ok", "ok", "AP_Payable"),
]
AGREE = ("agree", "agree-order")


def command(text: str) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    found = parse(text, PHRASES)
    assert isinstance(found, Command), found
    return found.actions, found.numbers, found.opinion


def unclear(text: str) -> Reason:
    found = parse(text, PHRASES)
    assert isinstance(found, Unclear), found
    return found.reason


@pytest.mark.parametrize(
    "text",
    [
        "确认付款 FKD1",
        "确认付款FKD1",
        "确认付款：FKD1",
        "确认付款:FKD1。",
        "确认付款，FKD1",
        "确认付款#FKD1",
        "确认付款（FKD1）",
        "「确认付款」FKD1",
        "确认付款\nFKD1",
        "确认　付款　FKD1",
        "确认付款 单号：FKD1",
        "确认付款单据编号FKD1",
        "FKD1 确认付款",
        "FKD1确认付款",
        "FKD1：确认付款！",
        "ＦＫＤ１　确认付款",
        "确认付款 ＦＫＤ１",
        "confirm payment FKD1",
        "Confirm  PAYMENT: FKD1",
        "ｃｏｎｆｉｒｍ ｐａｙｍｅｎｔ FKD1",
        "c\u200bonfirm pay\ufeffment FKD\u200d1",
        "xác nhận thanh toán FKD1",
        "XÁC NHẬN THANH TOÁN FKD1",
        "xa\u0301c nha\u0323\u0302n thanh toa\u0301n FKD1",
        "@kdsync 确认付款 FKD1",
        "＠kdsync　确认付款 FKD1",
        "@kdsync确认付款 FKD1",
        "@金蝶助手 @李四 确认付款 FKD1",
        "@kd助手 确认付款 FKD1",
        "确认付款 @kdsync FKD1",
        "确认付款 FKD1 @kdsync",
        "👍确认付款👍🏽FKD1",
        "[赞]确认付款 FKD1",
        "❤️ 确认付款 FKD1️⃣",
        "  确认付款 \t FKD1 \r\n",
    ],
)
def test_one_command_in_many_spellings(text: str) -> None:
    assert command(text) == (("pay",), ("FKD1",), "")


@pytest.mark.parametrize(
    ("text", "opinion"),
    [
        ("同意 EXP1 发票齐全", "发票齐全"),
        ("同意EXP1 发票齐全", "发票齐全"),
        ("同意EXP1发票齐全", "发票齐全"),
        ("同意 EXP1，发票齐全。", "发票齐全。"),
        ("EXP1 同意 发票齐全", "发票齐全"),
        ("EXP1同意，发票齐全", "发票齐全"),
        ("同意 EXP1 附件：第２页（共３页）", "附件：第２页（共３页）"),
        ("approve EXP1: Fine\nby ME", "Fine\nby ME"),
        ("同意 EXP1 2 invoices", "2 invoices"),
        ("同意 EXP1 同意", "同意"),
        ("同意 EXP1 和 EXP1 一起", "和 EXP1 一起"),
        ("同意 EXP1 已问 @李四", "已问 @李四"),
        ("同意 EXP1 👍", "👍"),
        ("同意 EXP1 a\x00b\x07", "ab"),
    ],
)
def test_what_else_was_written_is_the_opinion_as_it_was_typed(text: str, opinion: str) -> None:
    assert command(text)[1:] == (("EXP1",), opinion)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("确认付款 FKD 100001", ("FKD100001",)),
        ("确认付款 FKD 100001 已付", ("FKD100001",)),
        ("FKD 100001 确认付款", ("FKD100001",)),
        ("确认付款 FKD1000 01", ("FKD1000", "FKD100001")),
        ("确认付款 FKD1000 01 已付", ("FKD1000",)),
        ("确认付款 FKD 1000 01", ("FKD1000", "FKD100001")),
        ("确认付款 2026-001", ("2026-001",)),
        ("确认付款 HD/2026/7.", ("HD/2026/7",)),
        ("确认付款 fkd1", ("fkd1",)),
        ("确认付款 付款2024001", ("付款2024001",)),
        ("确认付款 FKD1号", ("FKD1", "FKD1号")),
        ("确认付款 BILL-7", ("BILL-7",)),
        ("确认付款 no. 7", ("7",)),
        ("确认付款 no.7", ("no.7", "7")),
        ("OK-7 确认付款", ("OK-7",)),
        ("OK7 确认付款", ("OK7",)),
        ("确认付款 １２３", ("123",)),
    ],
)
def test_what_may_be_the_number_the_likeliest_first(text: str, numbers: tuple[str, ...]) -> None:
    assert command(text)[:2] == (("pay",), numbers)


def test_each_number_that_may_be_meant_has_its_own_opinion() -> None:
    found = parse("确认付款 FKD1000 01", PHRASES)
    assert isinstance(found, Command)
    assert [found.opinion_for(number) for number in found.numbers] == ["01", ""]


def test_the_longest_phrase_is_meant() -> None:
    assert command("同意付款 FKSQ1")[0] == ("pass",)
    assert command("FKSQ1 同意付款")[0] == ("pass",)
    assert command("同意 FKSQ1")[0] == AGREE
    refusing = [*PHRASES, Phrase("不同意", "refuse", "ER_ExpReimbursement")]
    found = parse("不同意 EXP1", refusing)
    assert isinstance(found, Command)
    assert found.actions == ("refuse",)


@pytest.mark.parametrize(
    "text",
    [
        "不同意 EXP1",
        "EXP1 不同意",
        "没同意 EXP1",
        "未同意 EXP1",
        "没有 同意 EXP1",
        "don't approve EXP1",
        "do not approve EXP1",
        "not EXP1 approve",
        "EXP1 not approve",
        "không đồng ý EXP1",
        "EXP1 chưa đồng ý",
        "disapprove EXP1",
        "approved EXP1",
    ],
)
def test_a_negated_phrase_is_no_command(text: str) -> None:
    assert unclear(text) is Reason.NO_PHRASE


@pytest.mark.parametrize(
    "text",
    [
        "请问什么时候同意 EXP1?",
        "我想确认付款 FKD1",
        "同意 EXP1?",
        "同意 EXP1 吗",
        "同意 EXP1 可以吗？",
        "确认付款 FKD1 了吗？",
        "FKD1 确认付款了吗",
        "FKD1 确认付款 了没有",
        "EXP1 同意书在哪",
        "approve EXP1 ?!",
    ],
)
def test_a_sentence_or_a_question_is_no_command(text: str) -> None:
    assert unclear(text) is Reason.NO_PHRASE


@pytest.mark.parametrize("text", ["同意 EXP1 {}", "EXP1 同意，{}", "approve EXP1: {}！", "@kd 同意EXP1 {} 🙏"])
@pytest.mark.parametrize(
    "remark",
    [
        *("不要", "先不要", "先 别", "不行", "暂缓", "等一下", "取消", "算了", "明天"),
        *("not yet", "Don't", "don’t", "no", "cancel", "Hold on", "tomorrow", "never mind"),
        *("đừng", "chưa được", "khoan đã", "hủy", "huỷ", "để sau", "được không"),
    ],
)
def test_what_is_taken_back_in_the_same_breath_is_no_command(text: str, remark: str) -> None:
    assert unclear(text.format(remark)) is Reason.NO_PHRASE


@pytest.mark.parametrize(
    "remark", ["不要忘记发票", "取消后重开的单", "no objections", "not urgent", "hold the original", "明天付"]
)
def test_a_remark_that_only_begins_so_is_one(remark: str) -> None:
    assert command(f"同意 EXP1 {remark}") == (AGREE, ("EXP1",), remark)


@pytest.mark.parametrize(
    "text",
    [
        "同意 EXP1\n驳回 EXP2",
        "同意 EXP1 驳回 EXP2",
        "同意 EXP1, 同意 EXP2",
        "EXP1 同意 EXP2 驳回",
        "EXP1 同意\nEXP2 同意",
        "EXP1 同意 EXP2",
        "同意 EXP1 EXP2",
        "同意 EXP1、EXP2",
        "同意 EXP1 和 EXP2",
        "approve EXP1 and EXP2",
        "同意 EXP1 到 EXP5",
        "同意 EXP1至EXP5",
        "approve EXP1 to EXP5",
        "approve EXP1 or EXP2",
        "同意 EXP1 以及 EXP2",
        "đồng ý EXP1 đến EXP5",
        "同意 1001 1002",
        "同意\n驳回 EXP2",
        "同意 EXP1 驳回",
        "同意 EXP1 发票齐全\n另外驳回 EXP2",
    ],
)
def test_two_commands_in_one_message_are_none(text: str) -> None:
    assert unclear(text) is Reason.TWO_COMMANDS


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.EMPTY),
        (" \n\u200b", Reason.EMPTY),
        ("👍", Reason.EMPTY),
        ("@kdsync", Reason.EMPTY),
        ("？！", Reason.EMPTY),
        ("同意", Reason.NO_NUMBER),
        ("同意 发票齐全", Reason.NO_NUMBER),
        ("approve please", Reason.NO_NUMBER),
        ("EXP1", Reason.NO_PHRASE),
        ("你好", Reason.NO_PHRASE),
        ("\ud800", Reason.EMPTY),
        ("同意 " + "9" * 81, Reason.NO_NUMBER),
        ("同意 EXP1 " + "齐" * MOST, Reason.TOO_LONG),
        ("字" * 7000, Reason.TOO_LONG),
    ],
)
def test_why_a_message_is_no_command(text: str, reason: Reason) -> None:
    assert unclear(text) is reason


def test_the_phrases_that_come_near_are_offered_as_they_are_written() -> None:
    near = [parse(text, PHRASES) for text in ("确认付 FKD1", "comfirm paymnet FKD1", "xac nhan thanh toan FKD1")]
    firsts = [one.nearest[0] for one in near if isinstance(one, Unclear)]
    assert firsts == ["确认付款", "confirm payment", "xác nhận thanh toán"]


def test_without_any_phrase_nothing_is_a_command() -> None:
    assert parse("同意 EXP1", []) == Unclear(Reason.NO_PHRASE)
    assert parse("同意 EXP1", [Phrase("👍", "a", "F")]) == Unclear(Reason.NO_PHRASE)


HOSTILE = ["同意" * 1000, "@" * 2000, "@@ " * 660, "ok-" * 660, "a-" * 1000, "同意 1 " * 400, " " * 2000, "吗?" * 1000]


@pytest.mark.parametrize("text", [*HOSTILE, *("同意 EXP1 " + one[:1990] for one in HOSTILE)])
def test_no_message_takes_long(text: str) -> None:
    began = time.thread_time()  # not what others make it wait
    parse(text, [*PHRASES, *(Phrase(f"phrase {'abcdefghij'[at % 10]}{'x' * at}", str(at), "F") for at in range(100))])
    assert time.thread_time() - began < 1


PIECES = st.sampled_from(
    [
        "同意",
        "驳回",
        "approve",
        "EXP1",
        "EXP2",
        "1",
        "@kdsync",
        "@",
        " ",
        "\n",
        "：",
        "不",
        "吗",
        "?",
        "👍",
        "\u200b",
        "-",
        "[",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=300),
    st.lists(PIECES, max_size=30).map("".join),
    st.text("同意 EXP1\n", min_size=1, max_size=9).map(lambda text: text * (20_000 // len(text))),
)


@given(TEXTS)
@settings(deadline=1000, max_examples=300)
def test_any_text_has_a_meaning_or_a_reason(text: str) -> None:
    found = parse(text, PHRASES)
    if isinstance(found, Command):
        assert found.numbers
        assert len(found.numbers) == len(found.opinions) == len(set(found.numbers))
        assert all(any(one.isdigit() for one in number) and len(number) <= 80 for number in found.numbers)
        assert set(found.actions) <= {phrase.action for phrase in PHRASES}
    else:
        assert (found.reason is Reason.TOO_LONG) == (len(text) > MOST)


def wide(text: str) -> str:
    """Full-width, as an input method for Chinese may write it."""
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" and one != "@" else one for one in text)


NUMBERS = st.from_regex(r"[A-Z]{2,5}[0-9]{1,8}", fullmatch=True)
REMARKS = st.sampled_from(["", "发票齐全", "金额已核对，附件２张。", "fine with me", "được", "见邮件（３月）"])
SPELLINGS = st.sampled_from(
    [str, str.upper, str.title, wide, lambda text: f"@kdsync {text}", lambda text: f"👍 {text}"]
)


@given(
    st.sampled_from(PHRASES), NUMBERS, REMARKS, SPELLINGS, st.sampled_from([" ", "：", ", ", "　", "\n"]), st.booleans()
)
def test_phrase_number_and_remark_come_back_from_every_spelling(
    phrase: Phrase, number: str, remark: str, spelling: object, between: str, number_first: bool
) -> None:
    spell = spelling if callable(spelling) else str
    head = [number, spell(phrase.text)] if number_first else [spell(phrase.text), number]
    if number_first and "@" in head[1]:
        head = ["@kdsync " + number, phrase.text]
    actions, numbers, opinion = command(between.join([*head, remark]))
    assert phrase.action in actions
    assert numbers[0] == number
    assert opinion == remark
