"""What goes out next: by urgency, and for each document and recipient in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from kdsync.store import claims, outbox, schema
from kdsync.store.claims import claim
from kdsync.store.database import Database
from kdsync.store.outbox import Letter
from kdsync.store.sealing import Seal

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=60)
SEAL = Seal()


def letter(ident: str, second: int = 0, **changes: object) -> Letter:
    """A letter about document K to u1, written `second` seconds after NOW, due at once."""
    plain: dict[str, object] = {"notification_id": ident, "channel": "work", "target": "u1", "thread": "F K"}
    plain |= {"content": ident.encode(), "content_id": ident, "urgency": 2, "created_at": NOW + second * SECOND}
    return Letter(id=ident, **{**plain, **changes})  # type: ignore[arg-type]  # a test's short cut


def add(database: Database, *letters: Letter) -> None:
    with database.write() as tx:
        outbox.add(tx, SEAL, letters)


def claimed(database: Database, after: timedelta = 100 * SECOND, **more: list[str]) -> list[str]:
    """The ids of one claim."""
    now = NOW + after
    with database.write() as tx:
        found = claim(tx, SEAL, now=now, lease_until=now + LEASE, most=100, **{"held": [], **more})
    return [one.id for one in found]


def again(database: Database, ident: str, seconds: float) -> None:
    """The try failed; the next one is so many seconds after NOW."""
    with database.write() as tx:
        outbox.again(tx, [ident], now=NOW, at=NOW + seconds * SECOND, outcome="transient", reason="")


def test_a_later_letter_waits_for_an_earlier_one_that_is_under_way(database: Database) -> None:
    add(database, letter("b", 2), letter("a", 1))
    assert claimed(database) == ["a"]
    assert claimed(database) == []


def test_a_later_letter_waits_for_an_earlier_one_that_is_tried_again_later(database: Database) -> None:
    add(database, letter("a", 1), letter("b", 2))
    claimed(database)
    again(database, "a", 500)
    assert claimed(database) == []
    assert claimed(database, 501 * SECOND) == ["a"]


@pytest.mark.parametrize("end", ["accepted", "dead", "dropped"])
def test_what_is_done_with_stands_in_nobodys_way(database: Database, end: str) -> None:
    add(database, letter("a", 1), letter("b", 2))
    claimed(database)
    with database.write() as tx:
        if end == "accepted":
            outbox.accept(tx, ["a"], NOW, "task")
        elif end == "dead":
            outbox.bury(tx, ["a"], NOW, "refused", "no")
        else:
            outbox.again(tx, ["a"], now=NOW, at=NOW + 500 * SECOND, outcome="transient", reason="")
            outbox.drop(tx, ["a"], NOW, "enough")
    assert claimed(database) == ["b"]


@pytest.mark.parametrize("differs", [{"target": "u2"}, {"thread": "F L"}, {"channel": "group:x"}, {"thread": None}])
def test_other_people_documents_and_channels_do_not_wait(database: Database, differs: dict[str, str]) -> None:
    add(database, letter("a", 1), letter("b", 2, **differs))
    claimed(database)
    assert claimed(database) == ["b"]


def test_letters_without_a_document_have_no_order(database: Database) -> None:
    add(database, letter("a", 1, thread=None), letter("b", 2, thread=None))
    assert [claimed(database), claimed(database)] == [["a"], ["b"]]


def test_an_urgent_one_overtakes_what_waits_for_the_morning(database: Database) -> None:
    morning = NOW + timedelta(hours=9)
    add(database, letter("calm", 1, urgency=3, next_attempt_at=morning), letter("urgent", 2, urgency=1))
    add(database, letter("calm too", 3, urgency=3))
    assert claimed(database) == ["urgent"]
    assert claimed(database) == []
    assert claimed(database, timedelta(hours=10)) == ["urgent"]  # its lease ran out


def test_of_many_people_only_those_go_who_wait_for_nothing(database: Database) -> None:
    same = {"notification_id": "n", "content_id": "c"}
    add(database, letter("early", 1, target="u1"))
    add(database, *(letter(f"late{n}", 2, target=f"u{n}", **same) for n in (1, 2, 3)))
    assert claimed(database) == ["early"]
    assert claimed(database) == ["late2", "late3"]


def test_a_card_goes_to_all_its_readers_or_waits(database: Database) -> None:
    same = {"notification_id": "n", "content_id": "c", "channel": "card"}
    add(database, letter("early", 1, target="u1", channel="card"), letter("other", 3, target="u4", channel="card"))
    add(database, *(letter(f"late{n}", 2, target=f"u{n}", **same) for n in (1, 2, 3)))
    assert [claimed(database), claimed(database), claimed(database)] == [["early"], ["other"], []]
    again(database, "early", 500)
    assert claimed(database) == []
    with database.write() as tx:
        outbox.as_text(tx, ["early"], NOW, "no card", "")
    assert sorted([claimed(database), claimed(database)]) == [["early"], ["late1", "late2", "late3"]]


def test_a_held_channel_keeps_nothing_else_back(database: Database) -> None:
    add(database, letter("a", 1), letter("b", 2, channel="group:x"))
    assert claimed(database, held=["work"]) == ["b"]


def test_a_channel_that_is_tried_gets_one_letter_the_least_tried_first(database: Database) -> None:
    same = {"notification_id": "n", "content_id": "c"}
    add(database, letter("tried", 1, thread=None))
    claimed(database)
    again(database, "tried", 0)
    add(database, *(letter(f"new{n}", 2, target=f"u{n}", **same) for n in (2, 3)))
    assert claimed(database, trying=["work"]) == ["new2"]
    assert claimed(database, trying=["work"]) == ["new3"]
    assert claimed(database, trying=["work"]) == ["tried"]


def test_what_comes_next_is_what_is_not_due_yet(database: Database) -> None:
    add(database, letter("a", 1), letter("b", 2), letter("c", 300, thread=None))
    claimed(database)
    with database.read() as tx:
        assert claims.next_due(tx, [], NOW + 100 * SECOND) == "2026-11-23T02:02:40.000000+00:00"  # the lease of a
        assert claims.next_due(tx, ["work"], NOW) is None


def test_each_claim_walks_an_index_and_sorts_nothing(database: Database) -> None:
    with database.read() as tx:
        first, together = (
            " / ".join(row[-1] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {query.text}", params))
            for query, params in ((claims._FIRST, WANTED), (claims._TOGETHER, WANTED | GROUP))
        )
    assert "ix_outbox_unsent" in first
    assert "TEMP B-TREE" not in first
    assert "earlier USING INDEX ix_outbox_thread_target (thread=? AND target=?)" in first
    assert "ix_outbox_notification_id" in together


WANTED = {"now": "2026", "held": "[]", "most": 1}
GROUP = {"notification": "n", "content": "c", "channel": "work"}

some_letters = st.lists(
    st.tuples(st.sampled_from(["F K", "F L", None]), st.sampled_from(["u1", "u2"]), st.integers(0, 3)),
    min_size=2,
    max_size=8,
)
outcomes = st.lists(st.sampled_from(["accepted", "again", "again", "dead", "lost"]), max_size=40)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=some_letters, happens=outcomes)
def test_whatever_happens_each_recipient_gets_a_document_in_order(
    database: Database, written: list[tuple[str | None, str, int]], happens: list[str]
) -> None:
    with database.write() as tx:
        tx.execute(delete(schema.outbox))
    letters = [
        letter(f"l{n}", n, thread=thread, target=target, urgency=urgency)
        for n, (thread, target, urgency) in enumerate(written)
    ]
    add(database, *letters)
    unsent, now = {one.id: one for one in letters}, NOW + 100 * SECOND
    for outcome in [*happens, *["in the end"] * (2 * len(letters))]:
        now += 61 * SECOND if outcome == "in the end" else SECOND
        for ident in claimed(database, now - NOW):
            assert not [one for one in unsent.values() if stands_before(one, unsent[ident])]
            finish(database, ident, outcome, now)
            if outcome in ("in the end", "accepted", "dead"):
                del unsent[ident]
        if not unsent:
            break
    assert not unsent


def stands_before(one: Letter, mine: Letter) -> bool:
    same = one.thread is not None and (one.thread, one.target) == (mine.thread, mine.target)
    return same and one.urgency <= mine.urgency and one.created_at < mine.created_at


def finish(database: Database, ident: str, outcome: str, now: datetime) -> None:
    with database.write() as tx:
        if outcome in ("in the end", "accepted"):
            outbox.accept(tx, [ident], now, "task")
        elif outcome == "dead":
            outbox.bury(tx, [ident], now, "refused", "no")
        elif outcome == "again":
            outbox.again(tx, [ident], now=now, at=now + 30 * SECOND, outcome="transient", reason="")
