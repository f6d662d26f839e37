"""DingTalk down for a minute, an hour, a weekend, a holiday week: left alone, found back, told of once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import orjson
import pytest
from sqlalchemy import event

from kdsync.delivery import retry
from kdsync.delivery.breaker import CLOSED
from kdsync.errors import EdgeError, FailureKind
from kdsync.services import channels
from kdsync.services.dispatch import Dispatch
from kdsync.services.notices import RAISED, RULE
from kdsync.services.outages import Outages, channels_of
from kdsync.settings.schema import MainFile
from kdsync.store import holds, ledger, outbox
from tests.unit.services.world import START, World, failure, rules

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
DOWN = failure(FailureKind.TRANSIENT)
OUT = EdgeError("dingtalk", FailureKind.TRANSIENT, "connect", "no connection", sent=False)


@pytest.fixture
def world(world: World) -> World:
    """One that has a group, and people told of creation and approval."""
    groups(world, "night-shift")
    world.watch(*rules({"to": ["user:u1", "user:u2"]}, {"id": "created", "on": ["created"], "to": ["user:u1"]}))
    event.listen(world.db.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    world.db.engine.dispose()
    world.poll()
    return world


def groups(world: World, *names: str, fallback: tuple[str, ...] = ("user:ops",)) -> None:
    main = world.settings.main
    robots = {name: {"token": {"env": "T"}} for name in names}
    whole = {
        "kingdee": main.kingdee.model_dump(include={"url", "acct_id", "username"}),
        "dingtalk": {"client_id": "ding", "client_secret": {"env": "X"}, "agent_id": 1, "groups": robots},
        "fallback": fallback,
    }
    context = {"secrets": lambda _written: "secret-value", "base": world.settings.base}
    world.settings = world.settings.model_copy(update={"main": MainFile.model_validate(whole, context=context)})


class Outage:
    """Calls that fail while the clock says so, and how many there were. `which`: "" for all, else only that channel."""

    def __init__(self, world: World, *spans: tuple[float, float], error: EdgeError = DOWN, which: str = "") -> None:
        self.world, self.spans, self.error, self.which = world, spans, error, which
        self.calls: list[datetime] = []
        self.send_work, self.send_group = world.dingtalk.send_work, world.dingtalk.send_group
        world.dingtalk.send_work = self.through("work", self.send_work)  # type: ignore[method-assign]
        world.dingtalk.send_group = self.through("group", self.send_group)  # type: ignore[method-assign]

    def through(self, channel: str, send: Callable[..., str]) -> Callable[..., str]:
        def sent(*what: Any) -> str:
            now = (self.world.clock.now() - START).total_seconds()
            if any(since <= now < until for since, until in self.spans) and self.which in ("", channel):
                self.calls.append(self.world.clock.now())
                raise self.error
            return send(*what)

        return sent


def run(world: World, until: float) -> None:
    """Let the dispatcher work until so many seconds after START, waking up when something is due."""
    end = START + timedelta(seconds=until)
    while world.clock.now() < end:
        world.deliver(10_000)
        due = world.dispatch.next_due() or end
        world.clock.advance(min(max((due - world.clock.now()).total_seconds(), 0.05), 5 * HOUR, until))
    world.deliver(10_000)


def titles(world: World, userid: str) -> list[str]:
    """What somebody got, in order."""
    bodies = [orjson.loads(text) for text in world.dingtalk.seen(userid)]
    return [next(iter(body.values()))["title"] if "title" in str(body) else "" for body in bodies]


def told(world: World, kind: str) -> Counter[str]:
    """The recipients of the notices of one kind that were sent."""
    with world.db.read() as tx:
        rows = tx.exec_driver_sql(
            "SELECT o.target FROM outbox o JOIN notifications n ON n.id = o.notification_id"
            " WHERE n.rule = ? AND n.kind = ? AND o.state = 'accepted'",
            (RULE, kind),
        )
        return Counter(rows.scalars())


def bills(world: World, count: int, status: str = "C") -> None:
    for _ in range(count):
        world.kingdee.create(status)
    world.poll()
    world.clock.advance(1)


@pytest.mark.parametrize(
    ("lasts", "error", "most"),
    [(MINUTE, DOWN, 20), (HOUR, DOWN, 120), (HOUR, OUT, 200), (65 * HOUR, DOWN, 200), (8 * DAY, DOWN, 350)],
)
def test_it_is_left_alone_and_then_everything_arrives_once(
    world: World, lasts: float, error: EdgeError, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lasts > HOUR:  # how often it is really tried is counted below, without a store
        monkeypatch.setattr(channels, "LONGEST", 12 * HOUR)
    groups(world)
    outage = Outage(world, (0, lasts), error=error)
    bills(world, 5)
    run(world, lasts + 0.2 * lasts + MINUTE)
    assert 3 <= len(outage.calls) <= most
    assert {letter.state for letter in world.letters()} == {outbox.ACCEPTED}
    assert len(world.dingtalk.seen("u1")) == 10
    assert len(world.dingtalk.seen("u2")) == 5
    assert max(Counter((user, text) for users, text in world.dingtalk.shown for user in users).values()) == 1


@pytest.mark.parametrize(
    ("lasts", "sent", "tries"),
    [(HOUR, True, (60, 120)), (65 * HOUR, True, (500, 700)), (8 * DAY, True, (1300, 1800)), (DAY, False, (2500, 3200))],
)
def test_how_often_a_dead_dingtalk_is_tried(lasts: float, sent: bool, tries: tuple[int, int]) -> None:
    """A call that gets an answer counts against the 5,000 of a month; one that never arrives does not."""
    breaker, random, count = CLOSED, Random(3), 0
    while (now := breaker.until or float(count)) < lasts:
        breaker = breaker.failed(now, channels.rhythm(now - breaker.since, sent=sent), random.random())
        count += 1
    assert tries[0] < count < tries[1]


def test_a_blip_says_nothing(world: World) -> None:
    Outage(world, (0, 30))
    bills(world, 3)
    run(world, HOUR)
    assert told(world, "down") == told(world, "sends_again") == Counter()
    assert len(world.dingtalk.seen("u2")) == 3


def test_one_notice_that_it_is_down_by_the_group_and_one_that_it_is_back(world: World) -> None:
    Outage(world, (0, 2 * HOUR), which="work")
    bills(world, 5)
    run(world, MINUTE * 2)
    assert told(world, "down") == Counter({"night-shift": 1})
    run(world, 4 * HOUR)
    assert told(world, "down") == Counter({"night-shift": 1})
    assert told(world, "sends_again") == Counter({"night-shift": 1, "ops": 1})
    back = next(message for name, message, _ in world.dingtalk.posted if "已恢复" in message.decode())
    assert "14 条" in orjson.loads(back)["markdown"]["text"]  # 15 letters, one of them the probe
    assert "2026-11-23 10:00:" in orjson.loads(back)["markdown"]["text"]


def test_the_groups_in_fallback_carry_the_news_where_there_are_any(world: World) -> None:
    groups(world, "night-shift", "it", fallback=("user:ops", "group:it"))
    Outage(world, (0, HOUR), which="work")
    bills(world, 1)
    run(world, 2 * HOUR)
    assert told(world, "down") == Counter({"it": 1})
    assert told(world, "sends_again") == Counter({"it": 1, "ops": 1})


def test_a_group_that_is_down_is_told_by_work(world: World) -> None:
    world.watch(*rules({"to": ["group:night-shift"]}))
    Outage(world, (0, HOUR), which="group")
    bills(world, 3)
    run(world, 2 * HOUR)
    assert told(world, "down") == told(world, "sends_again") == Counter({"ops": 1})
    assert len(world.dingtalk.posted) == 3


def test_with_nobody_else_to_carry_it_the_news_waits(world: World) -> None:
    groups(world)
    Outage(world, (0, HOUR))
    bills(world, 1)
    run(world, MINUTE * 5)
    assert [letter.target for letter in world.letters(outbox.WAITING) if letter.target == "ops"] == ["ops"]
    run(world, 2 * HOUR)
    assert told(world, "down") == told(world, "sends_again") == Counter({"ops": 1})


def test_the_used_up_quota_is_told_by_the_group_at_once(world: World) -> None:
    Outage(world, (0, DAY), error=failure(FailureKind.QUOTA), which="work")
    bills(world, 1)
    run(world, MINUTE)
    assert told(world, "down") == Counter({"night-shift": 1})


def test_the_used_up_quota_is_tried_again_when_the_month_is_over(world: World) -> None:
    world.clock.advance((datetime(2026, 11, 30, 15, tzinfo=UTC) - world.clock.now()).total_seconds())
    Outage(world, (0, 30 * DAY), error=failure(FailureKind.QUOTA), which="work")
    bills(world, 1)
    world.deliver()
    with world.db.read() as tx:
        assert holds.every(tx)["work"].until == datetime(2026, 11, 30, 16, 5, tzinfo=UTC)


def test_wrong_credentials_are_told_when_they_stay_wrong(world: World) -> None:
    Outage(world, (0, DAY), error=failure(FailureKind.CONFIGURATION), which="work")
    bills(world, 1)
    run(world, 50)
    assert told(world, "down") == Counter()
    run(world, 2 * MINUTE)
    assert told(world, "down") == Counter({"night-shift": 1})
    assert "mend it" in world.dingtalk.posted[0][1].decode()


def test_coming_and_going_all_day_is_not_told_all_day(world: World) -> None:
    Outage(world, *((120.0 * n, 120.0 * n + 60) for n in range(20)), which="work")
    for _ in range(25):
        bills(world, 1)
        run(world, (world.clock.now() - START).total_seconds() + 60)
    assert 1 <= told(world, "down")["night-shift"] <= 3
    assert told(world, "down")["night-shift"] == told(world, "sends_again")["ops"]


def test_a_restart_neither_repeats_nor_loses_the_news(world: World) -> None:
    outage = Outage(world, (0, 2 * HOUR), which="work")
    bills(world, 5)
    for minute in range(1, 200):
        run(world, minute * MINUTE)
        world.dispatch = Dispatch(
            world.db, world.seal, world.dingtalk, world.clock, world.random, world.meter, world.notices
        )
    assert told(world, "down") == Counter({"night-shift": 1})
    assert told(world, "sends_again") == Counter({"night-shift": 1, "ops": 1})
    assert len(outage.calls) < 130


def test_a_channel_that_is_no_more_is_not_down_for_ever(world: World) -> None:
    world.watch(*rules({"to": ["group:night-shift"]}))
    Outage(world, (0, 100 * HOUR), which="group")
    bills(world, 1)
    run(world, 2 * MINUTE)
    groups(world, "it")
    outages, names = Outages(world.notices), channels_of(world.settings.main, has_cards=False)
    assert names == ("work", "group:it")
    outages.forget_others(names)
    assert [*holds_of(world)] == ["group:night-shift"], "something still waits for it"
    with world.db.write() as tx:
        mine = [letter.id for letter in world.letters(outbox.WAITING)]
        outbox.drop(tx, mine, world.clock.now(), "the group is gone")
    outages.forget_others(names)
    assert holds_of(world) == {}
    assert told(world, "sends_again") == Counter()
    with world.db.read() as tx:
        assert ledger.facts_like(tx, RAISED) == {}


def holds_of(world: World) -> dict[str, holds.Hold]:
    with world.db.read() as tx:
        return holds.every(tx)


def test_of_two_channels_the_one_that_works_goes_on(world: World) -> None:
    world.watch(*rules({"to": ["user:u1"]}, {"id": "group", "to": ["group:night-shift"]}))
    Outage(world, (0, HOUR), which="work")
    bills(world, 5)
    run(world, 30)
    assert len(world.dingtalk.posted) == 5
    assert world.dingtalk.sent == []


def test_each_recipient_gets_each_document_in_order(world: World) -> None:
    Outage(world, (0, HOUR), (1.2 * HOUR, 1.21 * HOUR))
    ident = world.kingdee.create("A", "ORDER")
    world.poll()
    for status in "BCDBC":
        run(world, (world.clock.now() - START).total_seconds() + 600)
        world.kingdee.move(ident, status)
        world.poll()
        world.watcher.sweep()
    run(world, 5 * HOUR)
    mine = sorted(
        (letter for letter in world.letters() if letter.target == "u1" and letter.thread), key=lambda x: x.created_at
    )
    assert [letter.accepted_at for letter in mine] == sorted(letter.accepted_at for letter in mine)
    assert len(mine) == 3
    contents = [message for users, message in world.dingtalk.sent if "u1" in users]
    assert contents == [letter.content for letter in mine]


def test_a_letter_that_never_gets_through_stands_in_nobodys_way_and_dies_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "GIVE_UP_AFTER", 10 * HOUR)
    world.watch(*rules({"to": ["user:u1"], "when": "doc.FBillNo == 'POISON'"}, {"id": "other", "to": ["user:u2"]}))
    send = world.dingtalk.send_work

    def picky(userids: Any, message: bytes) -> str:
        if b"POISON" in message and "u1" in userids:
            raise DOWN
        return send(userids, message)

    world.dingtalk.send_work = picky  # type: ignore[method-assign]
    world.kingdee.create("C", "POISON")
    bills(world, 1)
    hours = range(1, 15)
    for hour in hours:
        bills(world, 1)
        run(world, hour * HOUR)
    late = [letter for letter in world.letters(outbox.ACCEPTED) if letter.target == "u2"]
    assert len(late) == 2 + len(hours)
    waited = [datetime.fromisoformat(one.accepted_at) - one.created_at for one in late]
    assert max(waited) < timedelta(minutes=16)
    assert [letter.target for letter in world.letters(outbox.DEAD)] == ["u1"]
    assert told(world, "down")["night-shift"] <= 1


def test_an_answer_that_refuses_one_letter_shows_that_dingtalk_is_there(world: World) -> None:
    outage = Outage(world, (0, 40))
    bills(world, 2)
    run(world, 39)
    outage.spans, outage.error = ((0, DAY),), failure(FailureKind.REFUSED)
    run(world, 2 * MINUTE)
    with world.db.read() as tx:
        assert holds.every(tx) == {}


def test_two_hundred_letters_cost_a_dead_dingtalk_no_more_than_one(world: World) -> None:
    outage = Outage(world, (0, HOUR), which="work")
    bills(world, 60)
    run(world, HOUR / 4)
    assert len(outage.calls) <= 70
    assert max(letter.attempts for letter in world.letters() if letter.thread) <= 3  # they took turns
