"""What a message says below its text: how to answer it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from kdsync.delivery.howto import how_to_reply


@dataclass(frozen=True)
class Action:
    phrases: tuple[str, ...] = ("同意", "approve", "đồng ý")

    def title(self, locale: str) -> str:
        return {"en": "Approve", "vi": "Duyệt"}.get(locale, "同意")


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("zh", "同意：请回复“同意 EXP1”，后面可以写意见。"),
        ("en", "Approve: reply “approve EXP1”, and your opinion after it if you like."),
        ("vi", "Duyệt: trả lời “đồng ý EXP1”, có thể viết thêm ý kiến phía sau."),
    ],
)
def test_the_reader_is_told_a_phrase_of_their_language(locale: str, text: str) -> None:
    assert how_to_reply([Action()], "EXP1", locale) == text


def test_without_a_phrase_of_the_language_the_first_one_does() -> None:
    assert "“同意 EXP1”" in how_to_reply([Action(("同意",))], "EXP1", "vi")


def test_each_action_has_a_paragraph_and_none_has_none() -> None:
    assert how_to_reply([], "EXP1", "en") == ""
    assert len(how_to_reply([Action(), Action()], "EXP1", "en").split("\n\n")) == 2
