"""Kingdee down for a minute, an hour, a weekend: left alone, found back within 30 seconds, told of once, caught up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from kdsync.errors import EdgeError, FailureKind
from kdsync.model import Layout, Page
from kdsync.services.setbacks import PACES
from kdsync.services.watcher import Watcher
from kdsync.store import holds, outbox
from tests.unit.services.world import FORM, START, FakeKingdee, World, failure, rules

MINUTE, HOUR = 60.0, 3600.0
DOWN = EdgeError("kingdee", FailureKind.TRANSIENT, "refused", "nothing listens at the server's address", sent=False)
FORMS = (FORM, "ZZ_B", "ZZ_C")
TOLD = rules({"to": ["user:u1"]}, {"id": "created", "on": ["created"], "to": ["user:u1"]})


class Fading(FakeKingdee):
    """A Kingdee that is not there at times; `broken` is a form that it can never show."""

    down: tuple[tuple[float, float], ...] = ()
    broken = ""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.asked: list[datetime] = []
        self.answered: list[datetime] = []

    def pages(self, layout: Layout, *args: Any, **options: Any) -> Iterator[Page]:
        if layout.form == self.broken:
            raise EdgeError("kingdee", FailureKind.TRANSIENT, "null-reference", "Kingdee failed inside")
        return super().pages(layout, *args, **options)

    def _fail(self) -> None:
        now = self.clock.now()
        self.asked.append(now)
        if any(since <= (now - START).total_seconds() < until for since, until in self.down):
            raise DOWN
        self.answered.append(now)
        super()._fail()


class House(World):
    """Three forms, looked at as the daemon does: every ten seconds, when a probe is due, and when Kingdee is back."""

    kingdee: Fading

    def __init__(self, folder: Path) -> None:
        self.watchers: dict[str, Watcher] = {}
        super().__init__(folder, Fading)
        event.listen(self.db.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        self.db.engine.dispose()
        self.restart()

    def restart(self) -> None:
        """A new process on the same store."""
        self.guards()
        self.guard._callers = lambda: len(FORMS)
        self.looks = replace(self.looks, source=self.guarded)
        self.watchers = {form: self.watch(*(TOLD if form == FORM else ()), form=form) for form in FORMS}

    @property
    def seconds(self) -> float:
        return (self.clock.now() - START).total_seconds()

    def run(self, until: float) -> None:
        while self.seconds < until:
            was_open = self.guard.is_open
            self.clock.advance(1)
            turn = int(self.seconds) % 10
            due = [list(FORMS)[turn]] if turn < len(FORMS) else []
            for form in FORMS if self.guard.is_due() else due:
                self.watchers[form].tick()
            if was_open and not self.guard.is_open:
                for watcher in self.watchers.values():
                    watcher.tick()
            if int(self.seconds) % 15 == 0:
                self.watchers[FORM].sweep()
            if not self.guard.is_open:
                self.deliver(1000)
        self.deliver(1000)

    def told(self, kind: str) -> int:
        """How many notices of one kind the operators got."""
        with self.db.read() as tx:
            rows = tx.exec_driver_sql(
                "SELECT count(*) FROM outbox o JOIN notifications n ON n.id = o.notification_id"
                " WHERE n.rule = 'kdsync' AND n.kind = ? AND o.state = 'accepted' AND o.target = 'ops'",
                (kind,),
            )
            return int(rows.scalar_one())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.db.close()


@pytest.mark.parametrize("lasts", [10 * MINUTE, HOUR])
def test_it_is_asked_by_one_look_at_a_time_and_found_back_at_once(house: House, lasts: float) -> None:
    house.run(MINUTE)
    house.kingdee.asked.clear()
    house.kingdee.down = ((MINUTE, MINUTE + lasts),)
    late = house.kingdee.create("A", "LATE")
    house.run(2 * MINUTE)
    house.kingdee.move(late, "C")
    house.run(MINUTE + lasts)
    asked = [moment for moment in house.kingdee.asked if moment not in house.kingdee.answered]
    assert len(asked) <= lasts / 5  # three forms and their open documents, each on its own, would be over twice that
    assert max(Counter(asked[9:]).values()) == 1
    house.kingdee.answered.clear()
    house.run(MINUTE + lasts + 30)
    first = (house.kingdee.answered[0] - START).total_seconds()
    assert first - (MINUTE + lasts) <= 21
    assert len([text for text in house.dingtalk.seen("u1") if "LATE" in text]) == 2


def test_one_notice_each_and_nothing_about_a_blip(house: House) -> None:
    house.kingdee.down = ((60, 90), (200, 500))
    house.run(190)
    assert (house.told("down"), house.told("back")) == (0, 0)
    house.run(480)
    house.deliver()
    assert (house.told("down"), house.told("back")) == (1, 0)
    assert "nothing listens" in house.dingtalk.seen("ops")[-1]
    house.run(600)
    assert (house.told("down"), house.told("back")) == (1, 1)


def test_a_weekend_in_one_go(house: House) -> None:
    """What is asked meanwhile is counted above; here only the first and the last of it."""
    house.run(MINUTE)
    house.kingdee.down = ((MINUTE, 65 * HOUR),)
    house.run(3 * MINUTE)
    idents = [house.kingdee.create("A", f"W{number}") for number in range(30)]
    house.clock.advance(64.9 * HOUR - house.seconds)
    for ident in idents:
        house.kingdee.move(ident, "C")
    house.run(65 * HOUR + 30)
    seen = "".join(house.dingtalk.seen("u1"))
    assert all(seen.count(f"W{number} approved") == 4 for number in range(30))  # two messages with a title each
    assert (house.told("down"), house.told("back")) == (1, 1)
    assert "64:59:" in house.dingtalk.seen("ops")[-1]


def test_down_at_the_start(house: House) -> None:
    house.kingdee.create("C", "BEFORE")
    house.kingdee.down = ((0, 300),)
    house.run(330)
    house.kingdee.create("C", "AFTER")
    house.run(400)
    assert all(watcher.condition.baselined for watcher in house.watchers.values())
    assert (house.told("down"), house.told("back")) == (1, 1)
    assert ["AFTER" in text for text in house.dingtalk.seen("u1")] == [True, True]


def test_restarts_in_between_neither_repeat_nor_lose_the_news(house: House) -> None:
    house.kingdee.down = ((60, 500),)
    for until in range(50, 700, 30):
        house.run(until)
        house.restart()
    assert (house.told("down"), house.told("back")) == (1, 1)
    assert "0:07:" in house.dingtalk.seen("ops")[-1]  # since it went down, not since the last start


def test_a_restart_before_anybody_was_told_still_counts_from_the_beginning(house: House) -> None:
    house.kingdee.down = ((60, 500),)
    house.run(100)
    house.restart()
    house.run(130)
    house.deliver()
    assert house.told("down") == 1


def test_coming_and_going_is_not_told_all_day(house: House) -> None:
    house.kingdee.down = tuple((120.0 * n, 120.0 * n + 60) for n in range(1, 15))
    house.run(2000)
    assert 1 <= house.told("down") <= 3
    assert house.told("down") == house.told("back")


def test_a_form_that_kingdee_can_never_show_pauses_by_itself(house: House) -> None:
    house.kingdee.broken = "ZZ_B"
    for number in range(20):
        house.kingdee.create("C", f"N{number}")
        house.run((number + 1) * 30.0)
        assert not house.guard.is_open
    assert house.watchers["ZZ_B"].condition.setbacks.failures < 16
    assert house.told("down") == 0


def test_a_look_at_all_keys_that_fell_into_the_outage_is_made_up_for(house: House) -> None:
    gone = house.kingdee.create("C", "GONE")
    for _ in range(5):
        house.kingdee.create("C")
    house.run(30)
    house.kingdee.hidden.add(gone)
    house.kingdee.down = ((30, 200),)
    house.run(100)
    house.watchers[FORM].reconcile()
    house.run(240)
    with house.db.read() as tx:
        gone_now = tx.exec_driver_sql("SELECT max(is_gone) FROM documents WHERE number = 'GONE'").scalar()
    assert gone_now == 1


def test_what_failed_in_the_outage_does_not_delay_the_looks_after_it(house: House) -> None:
    house.kingdee.down = ((60, 2000),)
    house.run(2030)
    setbacks = [watcher.condition.setbacks for watcher in house.watchers.values()]
    assert all(one.failures <= 2 for one in setbacks)
    assert not any(one.pauses(look) for one in setbacks for look in PACES)


def people(house: House, count: int) -> None:
    """Bills whose creators have to be looked up in DingTalk."""
    house.watch(*rules({"to": ["dept:7", "user:u1"]}))
    house.watcher.tick()
    house.dingtalk.departments = {"7": ["u2"]}
    for _ in range(count):
        house.kingdee.create("C")
    house.poll()
    house.clock.advance(1)


def test_people_are_not_looked_up_one_by_one_while_nobody_answers(house: House) -> None:
    people(house, 150)
    house.dingtalk.down = failure(FailureKind.TRANSIENT)
    for _ in range(300):
        house.address.step()
        house.clock.advance(1)
    assert house.dingtalk.lookups <= 30
    assert house.letters() != []
    assert {letter.notification_id for letter in house.letters()}.isdisjoint(waiting(house))
    house.dingtalk.down = None
    for _ in range(70):
        house.deliver(1000)
        house.clock.advance(1)
    assert waiting(house) == set()
    with house.db.read() as tx:
        assert outbox.counts(tx)[outbox.ACCEPTED] >= 300
        assert not [name for name in holds.every(tx) if name == holds.CONTACTS]


def test_contacts_that_are_down_are_told_of_once(house: House) -> None:
    people(house, 3)
    house.dingtalk.down = failure(FailureKind.TRANSIENT)
    until(house, lambda: house.told("down") == 1)
    house.dingtalk.down = None
    until(house, lambda: house.told("back") == 1)
    assert house.told("down") == 1


def until(house: House, done: Callable[[], bool]) -> None:
    for _ in range(400):
        house.deliver(1000)
        house.clock.advance(1)
        if done():
            return
    pytest.fail("it never came to that")


def waiting(house: House) -> set[str]:
    with house.db.read() as tx:
        found = tx.exec_driver_sql("SELECT id FROM notifications WHERE state = 'matched' AND rule <> 'kdsync'")
        return set(found.scalars())
