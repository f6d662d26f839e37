import pytest

from kdsync.delivery.escaping import markdown, part_of_url, plain, url


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Acme", "Acme"),
        ("AP_2026_001", "AP_2026_001"),
        ("_x_", r"\_x\_"),
        ("a _b", r"a \_b"),
        ("a__b", "a__b"),
        ("张_三", "张_三"),
        ("2*3", r"2\*3"),
        ("`code`", r"\`code\`"),
        ("[x](http://e)", r"\[x\](http://e)"),
        ("![x](http://e)", r"!\[x\](http://e)"),
        (r"\[x](y)", r"\\\[x\](y)"),
        ("# head", r"\# head"),
        ("#1", r"\#1"),
        ("C# 2", "C# 2"),
        ("> quote", r"\> quote"),
        ("a > b", "a > b"),
        ("- item", r"\- item"),
        ("-5.00", "-5.00"),
        ("---", r"\---"),
        ("-", r"\-"),
        ("+ item", r"\+ item"),
        ("+86 138", "+86 138"),
        ("1. item", r"1\. item"),
        ("1) item", r"1\) item"),
        ("1.", r"1\."),
        ("1.50", "1.50"),
        ("===", r"\==="),
        ("~~~", r"\~\~\~"),
        ("~5", r"\~5"),
        ("~~gone~~", r"\~\~gone\~\~"),
        ("<font color=red>", r"\<font color=red>"),
        ("<https://e>", r"\<https://e>"),
        ("1 < 2", "1 < 2"),
        ("&lt;", r"\&lt;"),
        ("A&B; Co", r"A\&B; Co"),
        ("A & B", "A & B"),
    ],
)
def test_text_stays_what_it_is_in_markdown(text: str, shown: str) -> None:
    assert markdown(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo\r\nthree\tfour", "one two three four"),
        ("a\x00b\x1bc\x85d\u2028e", "a b c d e"),
        ("  blanks  ", "blanks"),
        ("\u202etxt.exe\u202c \u2066x\u2069 \u200fy", "txt.exe x y"),
        ("half \ud83d", "half \ufffd"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("@all 请看", "@\u200ball 请看"),
        ("(@13800000000)", "(@\u200b13800000000)"),
        ("li.si@example.com", "li.si@example.com"),
        ("5 @ 3", "5 @ 3"),
        ("{{ 7 * 7 }}", "{{ 7 * 7 }}"),
    ],
)
def test_plain_text_is_one_honest_line(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_value_as_long_as_it_may_be_is_not_shortened() -> None:
    assert plain("x" * 500) == "x" * 500


def test_a_supplier_name_of_ten_thousand_characters_is_shortened() -> None:
    assert plain("名" * 10_000) == "名" * 499 + "…"
    assert len(markdown("*" * 10_000)) == 2 * 499 + 1


def test_a_value_cannot_leave_its_place_in_a_url() -> None:
    assert part_of_url("a/b?c=d&e#f g)中") == "a%2Fb%3Fc%3Dd%26e%23f%20g%29%E4%B8%AD"


def test_a_url_cannot_leave_its_brackets() -> None:
    assert url("https://e/a b)[x](http://evil)?q=1&r=%20") == "https://e/a%20b%29%5Bx%5D%28http://evil%29?q=1&r=%20"
