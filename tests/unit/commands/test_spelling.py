from hypothesis import given
from hypothesis import strategies as st

from kdsync.commands.spelling import plain, spelt


def test_one_spelling_for_what_looks_alike() -> None:
    assert plain(" Ｃｏｎｆｉｒｍ\u3000 PAY\u200bMENT 👍🏽 ") == "confirm payment"
    assert plain("đo\u0302\u0300ng Y\u0301") == plain("ĐỒNG Ý") == "đồng ý"


def test_the_way_back_to_what_was_typed() -> None:
    found = spelt("👍ＦＫＤ１ 发票，齐全")
    assert (found.cased, found.flat) == (" FKD1 发票,齐全", " fkd1 发票,齐全")
    assert found.rest(found.flat.index(",")) == "，齐全"
    assert found.rest(len(found.flat)) == ""


@given(st.text())
def test_the_spelling_is_of_one_length_and_a_phrase_is_spelt_once(text: str) -> None:
    found = spelt(text)
    assert len(found.cased) == len(found.flat) == len(found.origin)
    assert list(found.origin) == sorted(found.origin)
    assert plain(text) == " ".join(plain(text).split())
