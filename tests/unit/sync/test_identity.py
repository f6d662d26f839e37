"""Ids are the same for the same thing, and for nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kdsync.sync.identity import card_id

texts = st.text(max_size=40)


@given(texts, texts)
def test_a_card_has_an_id_that_dingtalk_takes_and_always_the_same(notification: str, content: str) -> None:
    made = card_id(notification, content)
    assert made == card_id(notification, content)
    assert len(made) <= 64
    assert made.isascii()


def test_an_id_tells_notifications_and_contents_apart() -> None:
    assert len({card_id("n1", "u1"), card_id("n1", "u2"), card_id("n2", "u1"), card_id("n1u", "1")}) == 4
