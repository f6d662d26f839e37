"""One-time codes, against the values of RFC 6238, and where they stand in a message."""

from __future__ import annotations

from time import monotonic
from urllib.parse import parse_qs, urlsplit

import pytest

from kdsync.commands.onetime import STEP, address, code_at, digits, split, steps

SECRET = b"12345678901234567890"  # of RFC 6238, appendix B


@pytest.mark.parametrize(
    ("at", "eight"),
    [(59, "94287082"), (1111111109, "07081804"), (1234567890, "89005924"), (20000000000, "65353130")],
)
def test_codes_are_those_of_the_rfc(at: int, eight: str) -> None:
    assert code_at(SECRET, at) == eight[-6:]
    assert steps(SECRET, eight[-6:], at) == [at // STEP]


@pytest.mark.parametrize(("off", "counts"), [(-61, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_phone_may_be_one_step_off(off: int, *, counts: bool) -> None:
    now = 1_700_000_010  # a step begins
    assert bool(steps(SECRET, code_at(SECRET, now + off), now)) == counts


def test_an_app_reads_the_secret_from_the_address() -> None:
    found = urlsplit(address(SECRET, "user 1"))
    assert (found.scheme, found.netloc, found.path) == ("otpauth", "totp", "/kdsync%3Auser%201")
    said = {key: value for key, (value,) in parse_qs(found.query).items()}
    assert said == {
        "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "issuer": "kdsync",
        "digits": "6",
        "period": "30",
    }


@pytest.mark.parametrize(
    ("text", "head", "code"),
    [
        ("确认付款 FKD000012 123456", "确认付款 FKD000012 ", "123456"),
        ("确认付款 FKD000012 发票齐全 123 456。", "确认付款 FKD000012 发票齐全 ", "123456"),
        ("确认付款 FKD000012 验证码：１２３４５６", "确认付款 FKD000012 ", "123456"),
        ("confirm payment FKD000012, code 123-456", "confirm payment FKD000012, ", "123456"),
        ("确认付款 123456", "确认付款 ", "123456"),  # whether it is the number is told by what there is
        ("FKD000012 确认付款123456", "FKD000012 确认付款", "123456"),
        ("123456", "", "123456"),
        (" １２ ３４\u3000５ ６ ", "", "123456"),
        ("@kdsync 123456", "", "123456"),
        ("验证码 123456", "", "123456"),
        ("验证码是123456", "", "123456"),
        ("the code is 123456", "the ", "123456"),
        ("code is 123456", "", "123456"),
        ("mã xác thực là 123456", "", "123456"),
        ("确认付款 FKD000012 mã OTP: 123456", "确认付款 FKD000012 ", "123456"),
        ("确认付款 FKD000012 123456 👍", "确认付款 FKD000012 ", "123456"),
        ("确认付款 FKD000012 \u200b123456\u200b", "确认付款 FKD000012 \u200b", "123456"),
        ("@kd2 确认付款 FKD000012 123456 @kd2", "@kd2 确认付款 FKD000012 ", "123456"),
        ("123456@kd2", "", "123456"),
        ("@kd2 123456 ＠王2", "", "123456"),
        ("\u2068123 456\u2069", "", "123456"),
        ("确认付款 FKD000012 123456 2", "确认付款 FKD000012 123456 2", ""),
        ("确认付款 FKD123456", "确认付款 FKD123456", ""),
        ("确认付款 HD/2024/123456", "确认付款 HD/2024/123456", ""),
        ("确认付款 FKD000012 1234567", "确认付款 FKD000012 1234567", ""),
        ("确认付款 FKD000012 123456 急", "确认付款 FKD000012 123456 急", ""),
        ("12345", "12345", ""),
        ("", "", ""),
    ],
)
def test_six_digits_at_the_end_may_be_a_code(text: str, head: str, code: str) -> None:
    found, tail = split(text)
    assert (found, digits(tail)) == (head, code)
    assert text == (found + tail)


@pytest.mark.parametrize(
    "text", ["123456@" * 3000 + " x", "123456 " * 3000 + "x", "@" * 20_000, " " * 20_000 + "12345"]
)
def test_a_message_of_20_kb_holds_up_nobody(text: str) -> None:
    began = monotonic()
    assert split(text) == (text, "")
    assert monotonic() - began < 0.5


def test_what_stands_before_the_end_that_is_looked_at_counts() -> None:
    number = "7" * 300
    assert split(number) == (number, "")
    assert split(f"{'x' * 300} 123456") == (f"{'x' * 300} ", "123456")
