"""Why nothing goes through, and since when: to a channel of the outbox, to Kingdee, to DingTalk's contacts.

One fact each. Its value begins with the moment until which nothing is tried, which moves with a clock that is set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import orjson
from sqlalchemy import Connection

from kdsync.delivery.breaker import Breaker, Span
from kdsync.errors import FailureKind
from kdsync.store import ledger, moments

HOLD = "hold:"
OUTAGES = "outages:"
MOST = 50  # outages that are remembered, the latest
SHORTEST = 600.0  # seconds; one that was shorter, and that nobody was told of, makes no difference to anything
KINGDEE, CONTACTS = "kingdee", "contacts"  # what is held besides channels


@dataclass(frozen=True, slots=True)
class Hold:
    """Failures in a row. While `is_open` nothing is tried before `until`, and then one thing at a time."""

    name: str
    since: datetime
    until: datetime
    failures: int
    kind: FailureKind
    reason: str
    cure: str = ""
    is_open: bool = True

    def blocks(self, now: datetime) -> bool:
        """Whether nothing may be tried now."""
        return self.is_open and self.until > now

    @property
    def breaker(self) -> Breaker:
        """Its state, in seconds of the wall clock."""
        return Breaker(self.failures, self.since.timestamp(), self.until.timestamp() if self.is_open else None)


def hold_of(name: str, breaker: Breaker, now: datetime, kind: FailureKind, reason: str, cure: str) -> Hold:
    """What a breaker that counts in seconds of the wall clock says, in a form to keep."""
    until = now if breaker.until is None else datetime.fromtimestamp(breaker.until, UTC)
    since = datetime.fromtimestamp(breaker.since, UTC)
    return Hold(name, since, until, breaker.failures, kind, reason, cure, is_open=breaker.is_open)


def put(tx: Connection, hold: Hold, now: datetime) -> None:
    """Keep it."""
    rest = {
        "kind": hold.kind,
        "lasts": (hold.until - hold.since).total_seconds(),  # not a moment: only the first word moves with the clock
        "failures": hold.failures,
        "open": hold.is_open,
        "reason": hold.reason,
        "cure": hold.cure,
    }
    ledger.put_fact(tx, HOLD + hold.name, f"{moments.text(hold.until)} {orjson.dumps(rest).decode()}", now)


def every(tx: Connection) -> dict[str, Hold]:
    """All of them, by name."""
    held = ledger.facts_like(tx, HOLD)
    return {name: _read(name, text) for key, text in held.items() if (name := key.removeprefix(HOLD))}


def lift(tx: Connection, name: str, now: datetime) -> None:
    """Let it be tried at once, on an operator's word."""
    hold = every(tx).get(name)
    if hold:
        put(tx, replace(hold, until=min(hold.until, now)), now)


def end(tx: Connection, hold: Hold, now: datetime, *, told: bool) -> None:
    """It goes again; remember from when to when it did not, and whether people were told."""
    ledger.forget_fact(tx, HOLD + hold.name)
    if told or (hold.is_open and (now - hold.since).total_seconds() >= SHORTEST):
        known = [*_remembered(tx, hold.name), [hold.since.timestamp(), now.timestamp(), int(told)]]
        ledger.put_fact(tx, OUTAGES + hold.name, orjson.dumps(known[-MOST:]).decode(), now)


def outages(tx: Connection, name: str, *, told: bool = False) -> Sequence[Span]:
    """From when to when it was down, in seconds of the wall clock; with `told` only what people were told of."""
    return [(since, until) for since, until, known in _remembered(tx, name) if known or not told]


def _remembered(tx: Connection, name: str) -> list[list[float]]:
    found: list[list[float]] = orjson.loads(ledger.fact(tx, OUTAGES + name) or "[]")
    return found


def _read(name: str, text: str) -> Hold:
    """Before there were breakers, the text after the moment was a kind and a reason."""
    moment, _, rest = text.partition(" ")
    until = moments.parse(moment)
    if not rest.startswith("{"):
        kind, _, reason = rest.partition(" ")
        return Hold(name, until, until, 1, FailureKind(kind), reason)
    found = orjson.loads(rest)
    return Hold(
        name=name,
        since=until - timedelta(seconds=found["lasts"]),
        until=until,
        failures=found["failures"],
        kind=FailureKind(found["kind"]),
        reason=found["reason"],
        cure=found["cure"],
        is_open=found["open"],
    )
