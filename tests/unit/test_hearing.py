"""What is kept of what DingTalk pushes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kdsync.commands.parse import MOST
from kdsync.dingtalk.frames import Clicked, Happened, Said
from kdsync.hearing import LONGEST, received
from kdsync.services import heard

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def said(text: str = "确认付款 FKD1", sender: str = "u1", ident: str = "m1", **more: Any) -> Said:
    values = {"group": False, "mentioned": True, "sender_nick": "Li", "kind": "text", "session_webhook": "https://x"}
    return Said(ident, "c1", sender=sender, text=text, created_at=NOW, **{**values, **more})


def test_the_address_of_a_conversation_is_kept_only_for_whom_nothing_else_reaches() -> None:
    ours, stranger, unasked = (
        received(said(), NOW),
        received(said(sender=""), NOW),
        received(said(sender="", mentioned=False), NOW),
    )
    assert ours is not None
    assert stranger is not None
    assert unasked is not None
    assert [heard.SESSION in one.content for one in (ours, stranger, unasked)] == [False, True, False]


def test_the_same_thing_under_another_id_is_the_same_row() -> None:
    first, again, other = (received(one, NOW) for one in (said(), said(ident="m2"), said("确认付款 FKD2")))
    assert first is not None
    assert again is not None
    assert other is not None
    assert (first.id == again.id, first.id == other.id) == (True, False)


@pytest.mark.parametrize(
    ("message", "key"),
    [
        (said("x" * 900_000, sender_nick="y" * 900_000), "text"),
        (Clicked("t", "u1", ("approve",), {"action": "approve", "reason": "x" * 900_000}, "p1"), "reason"),
    ],
)
def test_of_something_endless_only_so_much_is_kept_that_it_is_still_too_long(message: Any, key: str) -> None:
    item = received(message, NOW)
    assert item is not None
    assert len(item.content[key]) == LONGEST > MOST
    assert len(str(item.content)) < 3 * LONGEST


def test_what_nobody_answers_with_is_not_kept_here() -> None:
    assert received(Happened("e1", "user_leave_org", {}, NOW), NOW) is None
