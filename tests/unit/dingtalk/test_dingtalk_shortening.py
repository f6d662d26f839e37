"""Cutting texts where a reader does not see it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.dingtalk.shortening import largest, shortened, shortened_markdown


@pytest.mark.parametrize(
    ("text", "most", "cut"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("ab  cd", 4, "ab…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("😀😀", 4, "😀😀"),
        ("😀😀😀", 4, "😀…"),
        ("😀a😀", 4, "😀a…"),
        ("aaa😀", 4, "aaa…"),
        ("ae\u0301b", 3, "a…"),
        ("a👍🏽b", 5, "a…"),
        ("a❤\ufe0fb", 3, "a…"),
        ("👩\u200d🏭x", 3, "…"),
        ("a🇨🇳x", 3, "a…"),
        ("a\\*bc", 3, "a…"),
        ("a^`bc", 4, "a^`…"),
    ],
)
def test_a_text_is_cut_between_characters(text: str, most: int, cut: str) -> None:
    assert shortened(text, most) == cut


@pytest.mark.parametrize(
    ("text", "most", "cut"),
    [
        ("first line\nsecond line", 18, "first line\n…"),
        ("a\nsecond line is long", 12, "a\nsecond li…"),
        ("see [the bill](https://x.example/a) now", 20, "see…"),
        ("see [the bill](https://x.example/a) now", 15, "see…"),
        ("see [the bill](https://x.example/a) now", 9, "see…"),
        ("see \\[no link] in this", 16, "see \\[no link]…"),
        ("**bold words** here", 10, "**bold wo…**"),
        ("**bold** words here", 14, "**bold** word…"),
        ("abc", 3, "abc"),
        ("abc", 0, ""),
    ],
)
def test_markdown_is_cut_between_lines_and_left_whole(text: str, most: int, cut: str) -> None:
    assert shortened_markdown(text, most) == cut


@given(st.text(), st.integers(0, 40))
def test_a_shortened_text_keeps_the_limit_and_its_beginning(text: str, most: int) -> None:
    cut = shortened(text, most)
    assert len(cut.encode("utf-16-le")) <= 2 * most
    assert cut == text or text.startswith(cut.removesuffix("…"))


@given(st.integers(0, 200), st.integers(0, 100))
def test_the_largest_that_fits_is_found(longest: int, limit: int) -> None:
    assert len(largest(lambda n: b"x" * n, longest, limit)) == min(longest, limit)
