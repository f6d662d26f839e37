"""What rules had to tell, before it is known who the people are; one row for each event and rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    RowMapping,
    Select,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from kdsync.errors import StoreError
from kdsync.model import Content, Offer, Offered, Priority
from kdsync.store import moments
from kdsync.store.schema import notifications
from kdsync.store.sealing import Seal

GATHERED = "gathered"  # its look is not over: what becomes of it depends on how many there are
STORM, HELD = "storm", "held"  # summed up in another notification; kept back until an operator releases it
MATCHED, ADDRESSED, SHADOW, BROKEN, DROPPED = "matched", "addressed", "shadow", "broken", "dropped"
ON_CARD = "on card"  # a reply that the card itself shows; it is sent only where that fails


@dataclass(frozen=True, slots=True)
class Wanted:
    """One recipient as a rule names it, with the raw value of the document that it stands for ("" where none).

    `lookup` is the form that the value's field refers to, where that is known.
    """

    recipient: str
    value: str = ""
    lookup: str = ""


@dataclass(frozen=True, slots=True)
class Notification:
    """What one rule tells about one event. `contents` by locale.

    `strange` says why the event may be none (`rewound`, `replaced`); `storm` is the id of the notification that sums
    it up with others; `damaged` says why what is stored of it cannot be read.
    """

    id: str
    event_id: str
    form: str
    doc_id: str
    number: str
    rule: str
    kind: str
    priority: Priority
    state: str
    wanted: tuple[Wanted, ...]
    contents: Mapping[str, Content]
    created_at: datetime
    attempts: int = 0
    reason: str = ""
    strange: str = ""
    storm: str = ""
    damaged: str = ""
    offer: Offer | None = None


def add(tx: Connection, seal: Seal, items: Sequence[Notification]) -> None:
    """Insert notifications; one that is there already stays as it is."""
    if items:
        tx.execute(insert(notifications).on_conflict_do_nothing(), [_row(item, seal) for item in items])


def due(tx: Connection, seal: Seal, now: datetime, limit: int = 200) -> list[Notification]:
    """Notifications whose people are still to be found, oldest first.

    One that comes after a postponed one of the same document waits for it.
    """
    found = tx.execute(_due(), {"moment": moments.text(now), "most": limit})
    return [opened(row, seal) for row in found.mappings()]


def next_due(tx: Connection, now: datetime) -> str | None:
    """When the next postponed notification wants its people found."""
    later = (notifications.c.state == MATCHED, notifications.c.next_attempt_at > moments.text(now))
    query = select(func.min(notifications.c.next_attempt_at)).where(*later)
    return tx.execute(query).scalar()


def settle(tx: Connection, ident: str, state: str, reason: str = "") -> None:
    """Note what became of a notification."""
    tx.execute(update(notifications).where(notifications.c.id == ident).values(state=state, reason=reason))


def postpone(tx: Connection, ident: str, until: datetime, reason: str) -> None:
    """Try to find the people again later."""
    values: dict[str, Any] = {"next_attempt_at": moments.text(until), "reason": reason}
    later = update(notifications).where(notifications.c.id == ident)
    tx.execute(later.values(attempts=notifications.c.attempts + 1, **values))


def hold_back(tx: Connection, idents: Sequence[str], until: datetime, reason: str) -> None:
    """Nobody could be asked who the people are; that is no try."""
    mine = update(notifications).where(notifications.c.id.in_(idents))
    tx.execute(mine.values(next_attempt_at=moments.text(until), reason=reason))


def wake(tx: Connection, now: datetime) -> int:
    """Those whose people are to be found later are due now; returns how many."""
    later = (notifications.c.state == MATCHED, notifications.c.next_attempt_at > moments.text(now))
    return tx.execute(update(notifications).where(*later).values(next_attempt_at=moments.text(now))).rowcount


def of_number(tx: Connection, seal: Seal, number: str) -> list[Notification]:
    """Everything that rules told about the documents with one bill number."""
    query = select(notifications).where(notifications.c.number == number).order_by(notifications.c.created_at)
    return [opened(row, seal) for row in tx.execute(query).mappings()]


def find(tx: Connection, seal: Seal, ident: str) -> Notification | None:
    """One notification by its id."""
    row = tx.execute(select(notifications).where(notifications.c.id == ident)).mappings().first()
    return opened(row, seal) if row else None


def counts(tx: Connection) -> dict[str, int]:
    """How many notifications are in which state."""
    query = select(notifications.c.state, func.count()).group_by(notifications.c.state)
    return {str(state): int(count) for state, count in tx.execute(query)}


@cache
def _due() -> Select[Any]:
    """Asked at every turn of the dispatcher: to write it takes longer than to answer it. `:moment`, `:most`."""
    return (
        select(notifications)
        .where(notifications.c.state == MATCHED, notifications.c.next_attempt_at <= bindparam("moment"), ~_behind())
        .order_by(notifications.c.created_at, notifications.c.id)
        .limit(bindparam("most", type_=Integer))
    )


def _behind() -> ColumnElement[bool]:
    """Whether an earlier notification of the same document is postponed; notices are of no document."""
    earlier = notifications.alias("earlier")
    unaddressed = earlier.c.state == literal_column(f"'{MATCHED}'")  # as in the index
    same = [earlier.c[name] == notifications.c[name] for name in ("form", "doc_id")]
    before = tuple_(earlier.c.created_at, earlier.c.id) < tuple_(notifications.c.created_at, notifications.c.id)
    postponed = earlier.c.next_attempt_at > bindparam("moment")
    return (notifications.c.doc_id != "") & exists().where(unaddressed, *same, before, postponed)


def opened(row: RowMapping, seal: Seal) -> Notification:
    """A notification from its row. One that cannot be read is no reason to stop: it says so itself."""
    wanted: tuple[Wanted, ...] = ()
    contents, damaged = {"zh": Content(row["number"] or "?", "")}, ""
    offer: Offer | None = None
    try:
        wanted = _wanted(orjson.loads(row["recipients"]))
        contents = _contents(seal.open(row["contents"]))
        offer = _offer(seal.open(row["offer"])) if row["offer"] else None
    except (StoreError, ValueError, TypeError, AttributeError, KeyError) as error:
        damaged = f"what is stored of it is damaged ({type(error).__name__})"
    return Notification(
        **{key: row[key] for key in ("id", "event_id", "form", "doc_id", "number", "rule", "kind", "state")},
        priority=Priority(row["priority"]),
        wanted=wanted,
        contents=contents,
        created_at=moments.parse(row["created_at"]),
        attempts=row["attempts"],
        reason=row["reason"],
        strange=row["strange"] or "",
        storm=row["storm"] or "",
        damaged=damaged,
        offer=offer,
    )


def _wanted(stored: Any) -> tuple[Wanted, ...]:
    if not isinstance(stored, list) or any(not isinstance(parts, list) for parts in stored):
        raise ValueError("the recipients are a list of lists")
    return tuple(Wanted(*map(str, parts)) for parts in stored)


def _contents(stored: Any) -> dict[str, Content]:
    found = {
        locale: Content(title, body, link, tuple((key, text) for key, text in fields))
        for locale, (title, body, link, fields) in stored.items()
    }
    if not found or any(not isinstance(part, str) for c in found.values() for part in (c.title, c.body, c.link)):
        raise ValueError("a message has a title, a body and a link")
    return found


def _offer(stored: Any) -> Offer:
    actions = (
        Offered(one["id"], one["titles"], tuple(one["phrases"]), one["with_reason"]) for one in stored["actions"]
    )
    return Offer(tuple(actions), stored["seen"], stored["version"], stored["item_id"])


def _row(item: Notification, seal: Seal) -> dict[str, Any]:
    contents = {key: [c.title, c.body, c.link, c.fields] for key, c in item.contents.items()}
    return {
        **{key: getattr(item, key) for key in ("id", "event_id", "form", "doc_id", "number", "rule", "kind", "state")},
        "priority": str(item.priority),
        "recipients": orjson.dumps([[one.recipient, one.value, one.lookup] for one in item.wanted]).decode(),
        "contents": seal.close(contents),
        "created_at": moments.text(item.created_at),
        "attempts": item.attempts,
        "next_attempt_at": moments.text(item.created_at),
        "reason": item.reason,
        "strange": item.strange or None,
        "storm": item.storm or None,
        "offer": seal.close(asdict(item.offer)) if item.offer else None,
    }
