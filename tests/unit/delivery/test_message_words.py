import string
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from kdsync.delivery.words import LOCALES, WORDS, footer, status, transition, words
from kdsync.model import Status, Transition

SHANGHAI = ZoneInfo("Asia/Shanghai")


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", sorted(WORDS))
def test_every_text_is_there_in_every_language_with_the_same_blanks(key: str) -> None:
    texts = WORDS[key]
    assert len(texts) == len(LOCALES)
    assert all(text.strip("、, ") or key == "comma" for text in texts)
    assert len(set(map(frozenset, map(blanks, texts)))) == 1


@pytest.mark.parametrize("key", sorted(key for key in WORDS if key.endswith("_title")))
def test_every_title_has_a_body(key: str) -> None:
    assert key.removesuffix("_title") + "_body" in WORDS


@pytest.mark.parametrize("locale", LOCALES)
def test_every_status_and_transition_has_a_name(locale: str) -> None:
    assert len({status(letter, locale) for letter in Status}) == len(Status)
    assert len({transition(kind, locale) for kind in Transition}) == len(Transition)


def test_what_is_filled_in_is_escaped_where_markdown_is_read() -> None:
    assert words("dead_title", "en", title="[x](y)") == "Not delivered: [x](y)"
    body = words("dead_body", "en", title="[x](y)", rule="r", target="user1", reason="a\nb", unused="z")
    assert body == r"The message “\[x\](y)” of rule r could not be delivered to user1 because a b"


def test_an_unknown_language_reads_chinese() -> None:
    assert words("open", "fr") == words("open", "zh")


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("zh", "2026-11-03 09:30:05 · #abcdef01"),
        ("en", "3 Nov 2026 09:30:05 · #abcdef01"),
        ("vi", "03/11/2026 09:30:05 · #abcdef01"),
    ],
)
def test_the_footer_has_the_local_time_and_the_short_id(locale: str, text: str) -> None:
    assert footer("abcdef0123456789", datetime(2026, 11, 3, 1, 30, 5, tzinfo=UTC), locale, SHANGHAI) == text


def test_two_events_of_the_same_second_have_two_footers() -> None:
    at = datetime(2026, 11, 3, 1, 30, 5, tzinfo=UTC)
    assert footer("a" * 64, at, "zh", SHANGHAI) != footer("b" * 64, at, "zh", SHANGHAI)
