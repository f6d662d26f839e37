"""Says once that something is down, and once that it is back: to people who can be reached without it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from kdsync import logs
from kdsync.delivery.breaker import patience
from kdsync.services.notices import Notices
from kdsync.settings.schema import MainFile
from kdsync.store import holds, moments, outbox
from kdsync.store.holds import CONTACTS, KINGDEE, Hold
from kdsync.store.outbox import CARD, GROUP, WORK

log = logs.get("outages")
CAUSE = "down "


@dataclass(frozen=True, slots=True)
class Outages:
    """Keeps what is held, and since when; in the transaction of whoever notices."""

    notices: Notices

    def goes_on(self, tx: Connection, hold: Hold) -> None:
        """It failed once more; people are told if that has been so for a while."""
        now = self.notices.clock.now()
        holds.put(tx, hold, now)
        known = holds.outages(tx, hold.name, told=True)
        lasted = (now - hold.since).total_seconds()
        if not hold.is_open or lasted < patience(hold.kind, known, now.timestamp()):
            return
        if hold.name == CARD and WORK in holds.every(tx):  # which tells it
            return
        main = self.notices.settings().main
        told = carriers(hold.name, main) or [str(one) for one in main.fallback]
        said = {"system": system_of(hold.name), "reason": hold.reason, "cure": hold.cure}
        if self.notices.raise_within(
            tx, CAUSE + hold.name, "down", form="", number="", to=told, since=hold.since, **said
        ):
            # With nobody else to carry it, the notice waits in the outbox: then this line is all there is to see.
            log.error("outage.began", what=hold.name, since=moments.text(hold.since), reason=hold.reason, told=told)

    def is_over(self, tx: Connection, hold: Hold) -> None:
        """It works again."""
        now, main = self.notices.clock.now(), self.notices.settings().main
        to = [*map(str, main.fallback), *carriers(hold.name, main)]
        waiting = outbox.waiting(tx, hold.name)
        told = self.notices.clear_within(
            tx,
            CAUSE + hold.name,
            "back" if hold.name in (KINGDEE, CONTACTS) else "sends_again",
            to=list(dict.fromkeys(to)),
            system=system_of(hold.name),
            since=hold.since,
            until=now,
            lasted=clock_face(now - hold.since),
            waiting=waiting,
        )
        holds.end(tx, hold, now, told=told)
        if hold.is_open:
            since = moments.text(hold.since)
            log.info("outage.over", what=hold.name, since=since, kind=hold.kind, waiting=waiting, told=told)

    def forget_others(self, names: Collection[str]) -> None:
        """What is held under no such name, and nothing waits for, was taken out of use: it will not come back."""
        db = self.notices.db
        with db.read() as tx:
            others = [hold for hold in holds.every(tx).values() if hold.name not in names]
            gone = [hold for hold in others if not outbox.waiting(tx, hold.name)]
        for hold in gone:
            with db.write() as tx:
                holds.end(tx, hold, self.notices.clock.now(), told=False)
                self.notices.clear_within(tx, CAUSE + hold.name)
            log.info("outage.forgotten", what=hold.name)


def channels_of(main: MainFile, *, has_cards: bool) -> tuple[str, ...]:
    """The channels that something can go out on."""
    return (WORK, *([CARD] if has_cards else []), *(f"{GROUP}:{name}" for name in main.dingtalk.groups))


def carriers(name: str, main: MainFile) -> Sequence[str]:
    """Who is told that something is down, so that the news does not need it; empty: `fallback`, as always.

    Where work notifications do not get through: the groups in `fallback`, or else the first configured group.
    """
    if name == WORK:
        groups = [str(one) for one in main.fallback if one.kind == GROUP]
        return groups or [f"{GROUP}:{group}" for group in list(main.dingtalk.groups)[:1]]
    return [str(one) for one in main.fallback if str(one) != name]


def system_of(name: str) -> str:
    """What people call it."""
    if name == KINGDEE:
        return "Kingdee"
    if name == CONTACTS:
        return "DingTalk (contacts)"
    return "DingTalk" if name == WORK else f"DingTalk ({name})"


def clock_face(span: timedelta) -> str:
    """Hours, minutes and seconds, as a clock shows them in any language: 65:03:10."""
    seconds = round(span.total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
