"""Clocks that are set, wrong, or far apart: nothing is lost, nothing comes twice, nothing waits for ever."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from kdsync.clock import KeptClock
from kdsync.delivery.limits import A_DAY
from kdsync.errors import EdgeError, FailureKind
from kdsync.model import Priority
from kdsync.server_clock import ServerClock
from kdsync.services.ports import KingdeeIdentity
from kdsync.services.timekeeping import PATIENCE, Timekeeper, first_time
from kdsync.settings.schema import CalendarSection
from kdsync.store import claims, ledger, moments, notifications, outbox
from kdsync.store.ledger import SIGN
from tests.unit.services.world import START, Counts, World, failure, rule

HOUR, DAY, YEARS = 3600.0, 86_400.0, 30 * 365 * 86_400.0
JUMPS = [-YEARS, -HOUR, -200.0, -3.0, -1.0, 1.0, 3.0, 200.0, HOUR, YEARS]
DOWN = EdgeError("dingtalk", FailureKind.TRANSIENT, "connect", "DingTalk cannot be reached")


class Gauges(Counts):
    """Keeps the last value of each gauge."""

    def __init__(self) -> None:
        super().__init__()
        self.last: dict[tuple[str, str], float] = {}

    def gauge(self, name: str, value: float, labels: Any = None) -> None:
        self.last[name, (labels or {}).get("system", "")] = value


class Office(World):
    """A world in which Kingdee and DingTalk know what time it is, and this machine may not."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.truth = KeptClock(self.clock.fake)
        self.kingdee.clock = self.truth
        self.clocks = {"kingdee": ServerClock(self.clock), "dingtalk": ServerClock(self.clock)}
        self.silent = False
        self.asked = 0
        self.gauges = Gauges()
        self.keeper = self.restart()

    def restart(self) -> Timekeeper:
        """The daemon begins to mind the time."""
        self.keeper = Timekeeper(
            db=self.db,
            clock=self.clock,
            meter=self.gauges,
            notices=self.notices,
            settings=lambda: self.settings,
            watchers=lambda: {self.watcher.form: self.watcher},
            clocks=self.clocks,
            ask=self.ask,
        )
        return self.keeper

    def ask(self) -> None:
        self.asked += 1
        if self.silent:
            raise DOWN
        self.answer("dingtalk")

    def answer(self, system: str, ahead: float = 0.0) -> None:
        date = (self.truth.now() + timedelta(seconds=ahead)).replace(microsecond=0)
        self.clocks[system].measure(date, self.clock.monotonic(), self.clock.monotonic())

    def know(self, system: str = "dingtalk", ahead: float = 0.0) -> None:
        """Enough answers to be sure of the time."""
        for _ in range(4):
            self.answer(system, ahead)
            self.clock.advance(1)

    def wrong(self, seconds: float) -> None:
        """From the start this machine's clock is off by so much."""
        self.clock.fake.jump(seconds)
        self.clock.move(seconds)
        self.restart()

    def jump(self, seconds: float) -> None:
        self.clock.fake.jump(seconds)

    def run(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass as the daemon does: it minds the clocks and sends what is due."""
        for _ in range(math.ceil(seconds / step)):
            self.clock.advance(step)
            self.keeper.step()
            self.deliver()

    def off(self) -> float:
        """Seconds that kdsync's time is ahead of what it really is."""
        return (self.clock.now() - self.truth.now()).total_seconds()

    def approve(self, number: str = "K1") -> None:
        """A document that people are told of."""
        self.watcher.tick()
        self.clock.advance(10)
        self.kingdee.create("C", number)
        self.watcher.tick()


@pytest.fixture
def office(tmp_path: Path) -> Any:
    built = Office(tmp_path)
    yield built
    built.db.close()


def retried(office: Office) -> None:
    office.approve()
    office.dingtalk.failures = [failure(FailureKind.TRANSIENT)] * 99
    office.run(20)
    office.dingtalk.failures = []


def leased(office: Office) -> None:
    """The daemon died in the middle of a call, and nobody knows what became of it."""
    office.approve()
    office.address.step()
    with office.db.write() as tx:
        now = office.clock.now()
        claims.claim(tx, office.seal, now=now, lease_until=now + timedelta(seconds=60), held=(), most=100)


def held(office: Office) -> None:
    office.approve()
    office.dingtalk.failures = [failure(FailureKind.QUOTA, retry_after=HOUR)]
    office.deliver()


def postponed(office: Office) -> None:
    office.kingdee.people["7"] = KingdeeIdentity("z", "Z", "13800000001", "")
    office.dingtalk.mobiles["13800000001"] = "u2"
    office.watch(rule(to=["user:u1", "creator"]))
    office.watcher.tick()
    office.clock.advance(10)
    office.kingdee.create("C", "K1", FCreatorId=7)
    office.watcher.tick()
    office.dingtalk.down = DOWN
    office.deliver()
    office.dingtalk.down = None


STAGES: dict[Callable[[Office], None], float] = {retried: 24.0, leased: 60.0, held: HOUR, postponed: 10.0}
"""What waits, and for how many seconds at most."""


def times_seen(office: Office, *people: str) -> list[int]:
    return [sum("K1" in text for text in office.dingtalk.seen(person)) for person in people]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("silent", [True, False])
def test_what_waits_when_the_clock_is_set_comes_once_and_in_time(
    office: Office, stage: Callable[[Office], None], jump: float, silent: bool
) -> None:
    office.silent = silent
    stage(office)
    assert times_seen(office, "u1", "u2") == [0, 0]
    office.jump(jump)
    office.run(STAGES[stage] + 5, step=STAGES[stage] / 15)
    assert times_seen(office, "u1", "u2") == [1, 1]
    office.run(HOUR, step=600)
    assert times_seen(office, "u1", "u2") == [1, 1]
    assert not office.letters(outbox.DEAD)


@pytest.mark.parametrize("jump", JUMPS)
def test_a_hold_is_not_over_sooner_because_the_clock_was_set(office: Office, jump: float) -> None:
    """DingTalk is silent until the machine is believed again, so that the hold is really moved."""
    office.silent = True
    held(office)
    office.jump(jump)
    office.run(HOUR - 40, step=40)
    assert times_seen(office, "u1") == [0]
    assert abs(office.off() - jump) <= 2
    office.run(60, step=20)
    assert times_seen(office, "u1") == [1]


@pytest.mark.parametrize("jump", JUMPS)
def test_a_form_that_rests_after_a_failure_looks_again_in_time(office: Office, jump: float) -> None:
    office.watcher.tick()
    office.kingdee.failures = [failure(FailureKind.TRANSIENT)] * 3
    for _ in range(3):
        office.clock.advance(10)
        office.watcher.tick()
    office.kingdee.create("C", "K1")
    office.jump(jump)
    office.keeper.step()
    office.clock.advance(5)
    report = office.watcher.tick()
    assert report is not None
    assert report.events == 1


@given(st.lists(st.tuples(st.sampled_from(JUMPS), st.booleans(), st.integers(1, 300)), min_size=1, max_size=8))
@settings(max_examples=10, deadline=None)
def test_however_often_the_clock_is_set_every_change_is_told_once(turns: list[tuple[float, bool, int]]) -> None:
    with TemporaryDirectory() as folder:
        office = Office(Path(folder))
        office.watcher.tick()
        for place, (jump, silent, seconds) in enumerate(turns):
            office.silent = silent
            office.kingdee.create("C", f"N{place}.")
            office.dingtalk.failures = [None, failure(FailureKind.TRANSIENT)]
            office.jump(jump)
            office.watcher.tick()
            office.run(seconds, step=15)
        office.run(300, step=15)
        for place in range(len(turns)):
            assert [sum(f"N{place}." in text for text in office.dingtalk.seen(who)) for who in ("u1", "u2")] == [1, 1]
        assert not office.letters(outbox.DEAD)
        office.db.close()


@pytest.mark.parametrize("jump", [-YEARS, -HOUR, 400.0, YEARS])
def test_a_wrong_step_of_the_machine_is_not_followed(office: Office, jump: float) -> None:
    office.know()
    office.jump(jump)
    office.run(60)
    assert abs(office.off()) <= 2
    assert 0 < office.asked < 10


@pytest.mark.parametrize("wrong", [-YEARS, -8 * HOUR, 8 * HOUR, YEARS])
def test_a_machine_that_never_knew_the_time_goes_by_dingtalks(office: Office, wrong: float) -> None:
    office.wrong(wrong)
    office.know()
    office.keeper.step()
    assert abs(office.off()) <= 2
    office.jump(-wrong)
    with structlog.testing.capture_logs() as said:
        office.run(60)
    assert abs(office.off()) <= 2
    assert [line["event"] for line in said if line["event"].startswith("clock.")] == ["clock.jumped", "clock.trusted"]


@pytest.mark.parametrize("jump", [-200.0, 200.0])
def test_a_step_of_some_minutes_is_followed(office: Office, jump: float) -> None:
    office.know()
    office.jump(jump)
    office.run(60)
    assert abs(office.off() - jump) <= 2


def test_minutes_apart_do_not_make_the_time_flicker(office: Office) -> None:
    """Five minutes, give or take a second of the machine's."""
    office.wrong(300.0)
    office.know()
    moved = 0
    for turn in range(30):
        before = office.off()
        office.jump(1.5 * (-1) ** turn)
        office.answer("dingtalk")
        office.run(10, step=10)
        moved += abs(office.off() - before) > 2
    assert moved == 1


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_without_dingtalk_the_machine_is_believed_after_a_while(office: Office, jump: float) -> None:
    office.silent = True
    office.jump(jump)
    office.run(PATIENCE - 10, step=10)
    assert abs(office.off()) <= 2
    office.run(30, step=10)
    assert abs(office.off() - jump) <= 2
    assert office.asked < 25


def test_a_machine_that_slept_is_no_jump(office: Office) -> None:
    held(office)
    office.clock.advance(3 * HOUR)
    with structlog.testing.capture_logs() as said:
        assert office.keeper.step() == 0.0
        office.deliver()
    assert times_seen(office, "u1") == [1]
    assert not [line for line in said if line["event"].startswith("clock.")]


def test_a_machine_that_stood_still_catches_up(office: Office) -> None:
    """A virtual machine that was paused: not even its sleepless seconds went on, then its clock is set."""
    office.know()
    held(office)
    office.truth.move(6 * HOUR)
    office.jump(6 * HOUR)
    office.run(60)
    assert abs(office.off()) <= 2


def test_a_change_noticed_before_the_clock_was_set_is_not_dead_of_age(office: Office) -> None:
    office.silent = True
    office.wrong(-YEARS)
    office.approve()
    office.dingtalk.failures = [failure(FailureKind.TRANSIENT)] * 999
    office.jump(YEARS)
    office.run(PATIENCE + 10, step=10)
    office.dingtalk.failures = []
    assert abs(office.off()) <= 2
    letters = [letter for letter in office.letters(outbox.WAITING) if letter.thread]
    assert [0 < (office.clock.now() - one.created_at).total_seconds() < HOUR for one in letters] == [True, True]
    office.run(HOUR, step=300)
    assert times_seen(office, "u1", "u2") == [1, 1]


def test_the_messages_of_a_day_count_after_the_clock_was_set(office: Office) -> None:
    office.silent = True
    office.wrong(-YEARS)
    office.watch(rule(to=["user:u1"]))
    office.approve()
    office.deliver()
    with office.db.write() as tx:
        first = office.letters()[0]
        many = [_letter(first, number, office) for number in range(A_DAY - 1)]
        outbox.add(tx, office.seal, many)
        outbox.accept(tx, [letter.id for letter in many], office.clock.now(), "task")
    office.jump(YEARS)
    office.run(PATIENCE + 10, step=10)
    assert office.off() == 0
    sent = len(office.dingtalk.sent)
    office.kingdee.create("C", "K2")
    office.watcher.tick()
    office.deliver()
    assert len(office.dingtalk.sent) == sent


def _letter(like: outbox.Letter, number: int, office: Office) -> outbox.Letter:
    return outbox.Letter(
        id=f"x{number}",
        notification_id=f"x{number}",
        channel="work",
        target="u1",
        content=like.content,
        content_id=f"x{number}",
        urgency=2,
        created_at=office.clock.now(),
    )


def night(office: Office) -> None:
    """Ordinary messages wait from nine in the evening until eight."""
    quiet = CalendarSection.model_validate({"quiet": "21:00-08:00"})
    main = office.settings.main.model_copy(update={"calendar": quiet})
    office.settings = office.settings.model_copy(update={"main": main})


def test_a_clock_eight_hours_off_does_not_keep_messages_for_the_morning(office: Office) -> None:
    """It is ten, and the machine says that it is two at night, as when its hardware clock runs in another zone."""
    night(office)
    office.wrong(-8 * HOUR)
    office.know("kingdee")
    office.approve()
    office.run(20)
    assert times_seen(office, "u1") == [1]
    assert abs(office.off()) <= 2


def test_quiet_hours_hold_after_a_clock_that_was_wrong_was_set(office: Office) -> None:
    """It is ten at night, and the machine said four in the morning: nothing is sent before eight, or after."""
    night(office)
    office.clock.advance(12 * HOUR)
    office.wrong(6 * HOUR)
    office.approve()
    office.address.step()
    office.know()
    office.run(10 * HOUR - 600, step=600)
    assert times_seen(office, "u1") == [0]
    office.run(900, step=300)
    assert times_seen(office, "u1") == [1]


def test_what_a_slow_look_noticed_by_the_old_clock_does_not_wait(office: Office) -> None:
    office.know()
    office.jump(-200.0)
    office.run(10)
    office.clock.move(200.0)
    office.approve()
    office.clock.move(-200.0)
    office.run(5)
    assert times_seen(office, "u1") == [1]


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_how_long_ago_a_look_was_does_not_change(office: Office, jump: float) -> None:
    office.silent = True
    office.approve()
    office.jump(jump)
    office.run(PATIENCE + 10, step=10)
    condition = office.watcher.condition
    assert condition.last_ok is not None
    assert 0 < (office.clock.now() - condition.last_ok).total_seconds() < PATIENCE + 30


SIGNED = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
OFF = timedelta(days=365 * 30)


@pytest.mark.parametrize(
    ("machine", "sign", "expected"),
    [
        (SIGNED, None, SIGNED),
        (SIGNED + timedelta(days=3), (SIGNED, SIGNED), SIGNED + timedelta(days=3)),
        (SIGNED - timedelta(seconds=1), (SIGNED, SIGNED), SIGNED - timedelta(seconds=1)),
        (SIGNED - OFF, (SIGNED, SIGNED), SIGNED),  # it lost its battery
        (SIGNED - OFF + timedelta(hours=1), (SIGNED, SIGNED - OFF), SIGNED + timedelta(hours=1)),  # wrong as before
        (SIGNED + OFF + timedelta(hours=1), (SIGNED, SIGNED + OFF), SIGNED + timedelta(hours=1)),
        (SIGNED + timedelta(hours=1), (SIGNED, SIGNED + OFF), SIGNED + timedelta(hours=1)),  # mended in between
    ],
)
def test_time_does_not_run_backwards_over_a_restart(
    machine: datetime, sign: tuple[datetime, datetime] | None, expected: datetime
) -> None:
    assert first_time(machine, sign) == expected


def test_a_machine_behind_its_own_last_sign_waits_for_dingtalks_word(office: Office) -> None:
    office.silent = True
    office.jump(-HOUR)
    office.restart()
    office.run(2 * PATIENCE, step=60)
    assert office.off() == 0
    office.silent = False
    office.run(120)
    assert office.off() == 0
    office.jump(HOUR)
    office.run(10)
    assert office.off() == 0


def test_a_store_written_by_a_clock_that_ran_ahead_comes_back_to_today(office: Office) -> None:
    retried(office)
    office.jump(-200.0)
    office.truth.move(-200.0)
    office.restart()
    office.run(30)
    assert abs(office.off()) <= 2
    assert times_seen(office, "u1") == [1]


def test_the_store_and_the_clock_are_set_together_or_not_at_all(office: Office) -> None:
    office.jump(100.0)
    office.keeper.step()
    office.know()
    before, written = office.clock.now(), office.db.write

    def full() -> Any:
        raise OSError("no space left on device")

    office.db.write = full  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no space"):
        office.keeper.step()
    assert office.clock.now() == before
    office.db.write = written  # type: ignore[method-assign]
    office.keeper.step()
    assert abs(office.off() - 100) <= 2


def test_offsets_are_measured_against_the_machine_and_told_once_a_day(office: Office) -> None:
    office.know("kingdee", 90.0)
    office.know("dingtalk")
    for _ in range(3):
        office.keeper.step()
        office.keeper.report()
    assert abs(office.gauges.last["clock_offset_seconds", "kingdee"] - 90) <= 0.5
    assert 0 < office.gauges.last["clock_offset_error_seconds", "kingdee"] <= 0.51
    assert abs(office.gauges.last["clock_offset_seconds", "dingtalk"]) <= 0.5
    assert notices(office) == ["Kingdee"]
    for _ in range(4):
        office.clock.advance(6 * HOUR)
        office.keeper.report()
    assert notices(office) == ["Kingdee", "Kingdee"]


def notices(office: Office) -> list[str]:
    """Of which systems `fallback` heard, in order."""
    with office.db.read() as tx:
        told = notifications.due(tx, office.seal, office.clock.now())
    said = [one.contents["en"].title for one in told if one.rule == "kdsync" and one.kind == "clock"]
    assert all(one.priority is Priority.HIGH for one in told if one.rule == "kdsync")
    return [title.split(" of ")[1].split(" ")[0] for title in said]


def test_a_machine_that_is_wrong_is_reported_though_kdsync_knows_better(office: Office) -> None:
    office.wrong(-HOUR)
    office.know()
    office.keeper.step()
    office.keeper.report()
    assert abs(office.gauges.last["clock_offset_seconds", "dingtalk"] - HOUR) <= 1
    assert notices(office) == ["DingTalk"]


def test_a_clock_that_moves_is_logged_and_jitter_is_not(office: Office) -> None:
    with structlog.testing.capture_logs() as said:
        for turn in range(20):
            office.answer("kingdee", 0.9 * (turn % 2))
            office.clock.advance(10.3)
            office.keeper.report()
    assert not said
    with structlog.testing.capture_logs() as said:
        office.know("kingdee", 30.0)
        office.keeper.report()
        office.keeper.report()
    assert [(line["event"], line["system"], line["from"]) for line in said] == [("clock.moved", "kingdee", 0.0)]
    assert abs(said[0]["to"] - 30) <= 0.6


@pytest.mark.parametrize("local", [-YEARS, HOUR])
def test_the_cursor_never_uses_local_time(tmp_path: Path, local: float) -> None:
    """The same looks on three machines, of which one is right, one is wrong, and one is set at every look."""
    asked = []
    for name, wrong, jump in (("right", 0.0, 0.0), ("wrong", local, 0.0), ("set", 0.0, local)):
        (tmp_path / name).mkdir()
        office = Office(tmp_path / name)
        office.silent = True
        office.wrong(wrong)
        for number in range(3):
            office.approve(f"K{number}")
            office.jump(jump * (-1) ** number)
            office.run(PATIENCE + 10, step=100)
        office.watcher.reconcile()
        asked.append(office.kingdee.queries)
        office.db.close()
    assert any(">='2026-11-23" in query for query in asked[0])
    assert asked[0] == asked[1] == asked[2]


def test_a_heartbeat_tells_other_processes_what_time_it_is(office: Office) -> None:
    with office.db.write() as tx:
        ledger.put_fact(tx, SIGN, moments.text(START), START - OFF)
    with office.db.read() as tx:
        assert ledger.sign_of_life(tx) == (START, START - OFF)
