"""A DingTalk of plain Python that shows what it really shows, whatever it answers, and minds what it is called for."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from kdsync.clock import Clock, FakeClock
from kdsync.errors import EdgeError, FailureKind
from tests.unit.services.world import START, FakeDingTalk

SHANGHAI = ZoneInfo("Asia/Shanghai")
OUTCOMES = {
    "lost": FailureKind.UNKNOWN_OUTCOME,  # shown, and the answer never came
    "lost before": FailureKind.UNKNOWN_OUTCOME,  # never shown, and no answer either
    "transient": FailureKind.TRANSIENT,
    "busy": FailureKind.TRANSIENT,
    "throttled": FailureKind.RATE_LIMITED,
    "banned": FailureKind.RATE_LIMITED,
    "token expired": FailureKind.SESSION_LOST,
    "quota": FailureKind.QUOTA,
    "configuration": FailureKind.CONFIGURATION,
    "refused": FailureKind.REFUSED,
}
PAUSES = {"throttled": 2.0, "banned": 300.0}


@dataclass(frozen=True)
class Sight:
    """Somebody saw something."""

    letter: str
    user: str
    day: date
    content: bytes


class Chat(FakeDingTalk):
    """`outcomes` are those of the next calls. Every call must be for rows that were leased before it."""

    def __init__(self) -> None:
        super().__init__()
        self.clock: Clock = FakeClock(START)
        self.ahead = timedelta()  # by so much DingTalk's own clock is
        self.path = Path()
        self.point: Callable[[], None] = lambda: None
        self.on_call: Callable[[Sequence[str]], None] = lambda _letters: None
        self.on_outcome: Callable[[Sequence[str], str, str], None] = lambda _letters, _channel, _outcome: None
        self.during: Callable[[], None] = lambda: None  # somebody does something while a call is under way
        self.sights: list[Sight] = []
        self.taken: set[str] = set()  # letters whose acceptance was answered and must have been noted
        self.strangers: frozenset[str] = frozenset({"x1"})  # outside the app's visible range
        self.refuses: frozenset[str] = frozenset()  # for whom a call is refused as a whole
        self.a_day = 500
        self.wrong: list[str] = []
        self._file: sqlite3.Connection | None = None

    def send_work(self, userids: Sequence[str], message: bytes) -> str:
        return self._call("work", userids, message)

    def send_group(self, name: str, message: bytes, ident: str) -> str:
        letters = self._leased(f"group:{name}", [name], message)
        self.expect(list(letters.values()) == [ident], f"{ident} is not the letter to {name}")
        return self._call(f"group:{name}", [name], message)

    def exists(self, userid: str) -> bool:
        return userid not in self.strangers

    def _call(self, channel: str, targets: Sequence[str], message: bytes) -> str:
        self.expect(0 < len(targets) <= 100, f"{len(targets)} people in one call")
        self.expect(len(set(targets)) == len(targets), f"twice the same person in {targets}")
        letters = self._leased(channel, targets, message)
        again = [letter for letter in letters.values() if letter in self.taken]
        self.expect(not again, f"called again for {again}")
        self.on_call([*letters.values()])
        self.calls += 1
        self.point()
        self.during()
        outcome = self.outcomes.pop(0) if self.outcomes else "ok"
        if set(targets) & self.refuses:
            outcome = "refused"
        if outcome in ("ok", "lost"):
            self._see(channel, letters, message)
        self.point()
        self.on_outcome([*letters.values()], channel, outcome)
        if outcome != "ok":
            raise EdgeError("dingtalk", OUTCOMES[outcome], outcome, outcome, retry_after=PAUSES.get(outcome))
        self.taken.update(letters.values())
        return f"task{self.calls}"

    def forget_unwritten(self) -> None:
        """The process ended: what it was answered and did not write down is unknown to it."""
        for letter in list(self.taken):
            if self.ask("SELECT state FROM outbox WHERE id = ?", letter) != [("accepted",)]:
                self.taken.remove(letter)

    def _leased(self, channel: str, targets: Sequence[str], message: bytes) -> dict[str, str]:
        """The letters that a call is for, by target; each must be leased, in a commit before the call."""
        now = self.clock.now().isoformat(timespec="microseconds")
        query = "SELECT target, id, state, lease_until > ? FROM outbox WHERE content = ? AND channel = ?"
        rows = [row for row in self.ask(query, now, message, channel) if row[0] in targets]
        self.expect({row[0] for row in rows} == set(targets), f"a call for {targets} and letters {rows}")
        self.expect(all(row[2:] == ("leased", 1) for row in rows), f"a call for letters that are not leased: {rows}")
        return {row[0]: row[1] for row in rows}

    def _see(self, channel: str, letters: dict[str, str], message: bytes) -> None:
        """The same content is shown to a person once a day, and only so many messages; a group takes them all."""
        today = (self.clock.now() + self.ahead).astimezone(SHANGHAI).date()
        for user, letter in letters.items():
            had = [sight for sight in self.sights if sight.user == user and sight.day == today]
            same = any(sight.content == message for sight in had)
            full = channel == "work" and len(had) >= self.a_day
            if user not in self.strangers and not same and not full:
                self.sights.append(Sight(letter, user, today, message))

    def count(self) -> Counter[str]:
        """How often each letter was shown to its recipient."""
        return Counter(sight.letter for sight in self.sights)

    def each_once_a_day(self) -> None:
        """Nobody saw anything twice, unless nobody knew at midnight whether it had been shown."""
        for letter, times in self.count().items():
            days = {sight.day for sight in self.sights if sight.letter == letter}
            assert len(days) == times, f"{letter} was shown {times} times on {days}"

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the store, as another process sees them."""
        self._file = self._file or sqlite3.connect(self.path, isolation_level=None)
        return self._file.execute(query, values).fetchall()

    def close(self) -> None:
        """Let go of the store."""
        if self._file:
            self._file.close()

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note what is wrong: whoever called may catch the error."""
        if not holds:
            self.wrong.append(otherwise)
            raise AssertionError(otherwise)
