"""What becomes of the moments in the store when the clock is set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from kdsync.errors import FailureKind
from kdsync.store import inbox, ledger, moments, people, schema, shifted, shown, stays
from kdsync.store.database import Database
from kdsync.store.inbox import Received
from kdsync.store.outbox import note_attempt
from kdsync.store.people import Found
from kdsync.store.schema import facts, logins, notifications, outbox
from kdsync.store.sealing import Seal

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
JUMPS = [timedelta(days=365 * -30), timedelta(days=-2), -HOUR, HOUR, timedelta(days=2), timedelta(days=365 * 30)]


def letter(database: Database, ident: str, state: str, **columns: datetime | int | None) -> None:
    """A row of the outbox, written an hour ago."""
    texts = {key: moments.text(v) if isinstance(v, datetime) else v for key, v in columns.items()}
    hour_ago = moments.text(NOW - HOUR)
    plain = {"notification_id": "n", "channel": "work", "target": "u1", "content": b"x", "content_id": "c"}
    row = {"id": ident, **plain, "urgency": 2, "state": state, "created_at": hour_ago, "next_attempt_at": hour_ago}
    with database.write() as tx:
        tx.execute(insert(outbox).values(**{**row, **texts}))


def notification(database: Database, state: str, at: datetime) -> None:
    row = {"id": state, "event_id": "e", "form": "F", "doc_id": "1", "number": "K1", "rule": "r", "kind": "approved"}
    more = {"priority": "normal", "recipients": "[]", "contents": b"{}", "state": state}
    with database.write() as tx:
        moment = moments.text(at)
        tx.execute(insert(notifications).values(**row, **more, created_at=moment, next_attempt_at=moment))


def shift(database: Database, by: timedelta, *, began: datetime = NOW - timedelta(days=10)) -> int:
    with database.write() as tx:
        return shifted.shift(tx, by, was=NOW, began=began)


def moment(database: Database, column: str, ident: str = "a") -> datetime:
    with database.read() as tx:
        return moments.parse(str(tx.execute(select(outbox.c[column]).where(outbox.c.id == ident)).scalar_one()))


@pytest.mark.parametrize("by", JUMPS)
@pytest.mark.parametrize("state", ["waiting", "leased"])
def test_what_waits_keeps_its_wait_and_its_age(database: Database, by: timedelta, state: str) -> None:
    due = NOW + timedelta(seconds=30, microseconds=7)
    letter(database, "a", state, next_attempt_at=due, lease_until=due)
    assert shift(database, by) == 3
    assert [moment(database, key) - NOW - by for key in ("next_attempt_at", "lease_until")] == [due - NOW] * 2
    assert moment(database, "created_at") == NOW - HOUR + by


@pytest.mark.parametrize("by", JUMPS)
@pytest.mark.parametrize(("state", "moved"), [("waiting", True), ("intake", True), ("done", False), ("refused", False)])
def test_what_people_said_and_approved_keeps_its_wait_and_its_age(
    database: Database, by: timedelta, state: str, moved: bool
) -> None:
    item, due = Received("a", "message", "u1", {}, NOW - HOUR, state=state), NOW + timedelta(seconds=30)
    with database.write() as tx:
        inbox.add(tx, Seal(), item)
        inbox.again(tx, "a", due, "busy")
    assert shift(database, by) == (2 if moved else 0)
    with database.read() as tx:
        row = tx.execute(select(schema.inbox.c.received_at, schema.inbox.c.next_attempt_at)).one()
    shifted_by = by if moved else timedelta()
    assert [moments.parse(one) for one in row] == [item.received_at + shifted_by, due + shifted_by]


@pytest.mark.parametrize("state", ["dead", "dropped", "accepted"])
def test_what_is_over_stays_as_it_was(database: Database, state: str) -> None:
    letter(database, "a", state)
    assert shift(database, HOUR) == 0


def test_a_clock_that_was_wrong_for_a_while_leaves_what_was_right_before(database: Database) -> None:
    """Booted in 2056 an hour ago, with a letter of 2026 in the store, and one of 2056."""
    years = timedelta(days=365 * 30)
    letter(database, "a", "waiting", created_at=NOW - years - HOUR, next_attempt_at=NOW - HOUR / 2)
    letter(database, "b", "waiting")
    shift(database, -years, began=NOW - HOUR)
    assert moment(database, "created_at") == NOW - years - HOUR
    assert moment(database, "next_attempt_at") == NOW - years - HOUR / 2
    assert moment(database, "created_at", "b") == NOW - years - HOUR


@pytest.mark.parametrize("by", JUMPS)
def test_what_was_sent_today_still_counts(database: Database, by: timedelta) -> None:
    letter(database, "a", "accepted", accepted_at=NOW - timedelta(minutes=5))
    shift(database, by)
    assert NOW + by - moment(database, "accepted_at") == timedelta(minutes=5)


@pytest.mark.parametrize("by", JUMPS)
def test_what_may_have_been_shown_today_still_counts_and_no_longer(database: Database, by: timedelta) -> None:
    letter(database, "a", "waiting")
    with database.write() as tx:
        note_attempt(tx, ["a"], NOW - HOUR / 12, FailureKind.UNKNOWN_OUTCOME, "")
    shift(database, by)
    with database.read() as tx:
        assert shown.reached(tx, NOW + by - HOUR / 10, []) == 1
        assert shown.reached(tx, NOW + by - HOUR / 15, []) == 0


def test_what_was_sent_in_a_future_that_never_was_does_not_count_for_ever(database: Database) -> None:
    letter(database, "a", "accepted", accepted_at=NOW - timedelta(days=9))
    shift(database, timedelta(days=-365 * 30))
    assert moment(database, "accepted_at") == NOW - timedelta(days=365 * 30 + 9)


def test_history_before_the_clock_went_wrong_is_left_alone(database: Database) -> None:
    letter(database, "a", "accepted", accepted_at=NOW - timedelta(days=9))
    shift(database, timedelta(days=-2))
    assert moment(database, "accepted_at") == NOW - timedelta(days=9)


@pytest.mark.parametrize("by", JUMPS)
def test_a_refused_password_is_as_long_ago_as_before(database: Database, by: timedelta) -> None:
    with database.write() as tx:
        tx.execute(insert(logins).values(at=moments.text(NOW - HOUR / 2)))
    shift(database, by)
    with database.read() as tx:
        assert ledger.refused_logins(tx, NOW + by - HOUR) == 1
        assert ledger.refused_logins(tx, NOW + by - HOUR / 4) == 0


@pytest.mark.parametrize("by", JUMPS)
def test_who_was_looked_up_is_asked_again_in_time(database: Database, by: timedelta) -> None:
    with database.write() as tx:
        people.put(tx, Found("k", "u1", "mobile", NOW - HOUR))
    shift(database, by)
    with database.read() as tx:
        found = people.get(tx, "k")
    assert found is not None
    assert found.refreshed_at == NOW - HOUR + by


@pytest.mark.parametrize("by", JUMPS)
def test_a_hold_lasts_as_long_as_it_had_to(database: Database, by: timedelta) -> None:
    with database.write() as tx:
        ledger.put_fact(tx, "hold:work", f"{moments.text(NOW + HOUR)} quota the month is used up", NOW)
        ledger.put_fact(tx, "heartbeat", moments.text(NOW), NOW)
        ledger.put_fact(tx, "account", "acct", NOW)
        ledger.put_fact(tx, "hold:other", "{}", NOW)
        ledger.accept(tx, "FORM", NOW - HOUR)
    shift(database, by)
    with database.read() as tx:
        assert {str(key): value for key, value in tx.execute(select(facts.c.key, facts.c.value))} == {
            "hold:work": f"{moments.text(NOW + HOUR + by)} quota the month is used up",
            "heartbeat": moments.text(NOW + by),
            "account": "acct",
            "hold:other": "{}",
            f"{ledger.ACCEPTED}FORM": moments.text(NOW - HOUR + by),
        }


@pytest.mark.parametrize("by", JUMPS)
@pytest.mark.parametrize("key", [stays.UNSEEN, f"{stays.UNREAD}FORM"])
def test_submissions_are_looked_at_from_no_later_moment_on_than_before(
    database: Database, key: str, by: timedelta
) -> None:
    with database.write() as tx:
        ledger.put_fact(tx, key, moments.text(NOW), NOW)
    shift(database, by)
    with database.read() as tx:
        assert ledger.fact(tx, key) == moments.text(min(NOW, NOW + by))


@pytest.mark.parametrize("state", ["gathered", "matched", "held"])
def test_notifications_that_are_not_done_move_too(database: Database, state: str) -> None:
    notification(database, state, NOW - HOUR)
    assert shift(database, -HOUR) == 2


def test_what_a_slow_look_wrote_by_the_old_clock_is_due_at_once(database: Database) -> None:
    notification(database, "matched", NOW + HOUR)
    notification(database, "addressed", NOW + HOUR)
    notification(database, "gathered", NOW)
    latest = NOW + timedelta(seconds=2)
    with database.write() as tx:
        assert shifted.is_ahead(tx, latest)
        assert shifted.recall(tx, NOW, latest) == 1
        assert not shifted.is_ahead(tx, latest)


@settings(max_examples=25, deadline=None)
@example(ages=[60.0, 101.0], by=-100.0, ran=1000.0)
@given(
    ages=st.lists(st.floats(0, 1e6), min_size=2, max_size=6),
    by=st.floats(-1e9, 1e9),
    ran=st.floats(0, 1e7),
)
def test_nobody_waits_longer_and_order_stays(
    tmp_path_factory: pytest.TempPathFactory, ages: list[float], by: float, ran: float
) -> None:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('s')}/kdsync.db")
    database.migrate()
    for place, age in enumerate(sorted(min(age, ran) for age in ages)):
        made = NOW - timedelta(seconds=age)
        letter(database, f"{place}", "waiting", created_at=made, next_attempt_at=made + timedelta(seconds=age + 60))
    jump = timedelta(seconds=by)
    shift(database, jump, began=NOW - timedelta(seconds=ran))
    created = [moment(database, "created_at", f"{place}") for place in range(len(ages))]
    assert created == sorted(created, reverse=True)
    waits = [moment(database, "next_attempt_at", f"{place}") - NOW - jump for place in range(len(ages))]
    assert max(waits) <= timedelta(seconds=60.001)
    database.close()
