"""What people said to kdsync: kept before it is acknowledged, worked on afterwards, never deleted.

The id of a row is made of who said it, where and when, so that the same thing pushed twice, even under another id of
DingTalk's, is one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, exists, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from kdsync.errors import StoreError
from kdsync.store import moments
from kdsync.store.schema import inbox, writes
from kdsync.store.sealing import Seal
from kdsync.store.writes import MAYBE, VERIFIED

WAITING, DONE, REFUSED, FAILED, IGNORED = "waiting", "done", "refused", "failed", "ignored"
UNDONE = "undone"  # taken back before it was done
HALF = "half"  # over a limit: it counts when a second person asks for the same
ASKED = "asked"  # over a limit: it counts when a one-time code of the same person follows
CODED = "coded"  # that code came
TAKEN_BACK = "taken back"  # the reason of what counts no more
MESSAGE, CLICK = "message", "click"
PRESSED_TWICE = timedelta(seconds=10)  # one button by one person


@dataclass(frozen=True, slots=True)
class Received:
    """One thing that somebody said. `content` is what DingTalk told of it; `step` counts verified steps.

    `damaged` says why the stored content cannot be read; it is empty then.
    """

    id: str
    source: str
    sender: str
    content: Mapping[str, Any]
    received_at: datetime
    state: str = WAITING
    attempts: int = 0
    action: str = ""
    form: str = ""
    doc_id: str = ""
    number: str = ""
    step: int = 0
    reason: str = ""
    finished_at: str = ""
    damaged: str = field(default="", compare=False)


def add(tx: Connection, seal: Seal, item: Received) -> bool:
    """Keep it; False where it is there already."""
    at = moments.text(item.received_at)
    row = {name: getattr(item, name) for name in _PLAIN}
    row |= {"content": seal.close(dict(item.content)), "received_at": at, "next_attempt_at": at}
    return tx.execute(insert(inbox).values(**row).on_conflict_do_nothing()).rowcount > 0


def add_click(tx: Connection, seal: Seal, item: Received) -> bool:
    """Keep a click, unless it is one that is kept: pushed again, pressed twice, not worked on yet, or done.

    Nothing tells a click that is pushed again later from a second one: a button that was refused may be pressed again
    (see `is_again`), and one that did its work may not. `item.id` stands for the first time.
    """
    query = select(inbox).where(inbox.c.id.startswith(item.id, autoescape=True)).order_by(inbox.c.received_at)
    known = [_opened(row, seal) for row in tx.execute(query).mappings()]
    pushed = item.content.get("message_id")
    if any(pushed and one.content.get("message_id") == pushed for one in known):
        return False
    if known and (known[-1].state in (WAITING, DONE) or item.received_at - known[-1].received_at < PRESSED_TWICE):
        return False
    return add(tx, seal, replace(item, id=f"{item.id}-{len(known)}") if known else item)


def is_again(item: Received) -> bool:
    """Whether somebody pressed a button before that was refused then."""
    return item.source == CLICK and "-" in item.id


def due(tx: Connection, seal: Seal, now: datetime, limit: int = 20) -> list[Received]:
    """What waits for its turn, by when it came: so a word that takes something back comes before what it was held for,
    and what fails again and again before nothing that is new."""
    waiting = (inbox.c.state == WAITING, inbox.c.next_attempt_at <= moments.text(now))
    order = (inbox.c.next_attempt_at, inbox.c.received_at, inbox.c.id)
    query = select(inbox).where(*waiting).order_by(*order).limit(limit)
    return [_opened(row, seal) for row in tx.execute(query).mappings()]


def next_due(tx: Connection) -> str | None:
    """When the next one has its turn."""
    return tx.execute(select(func.min(inbox.c.next_attempt_at)).where(inbox.c.state == WAITING)).scalar()


def understood(tx: Connection, seal: Seal, item: Received) -> None:
    """Note what it means and that it may be done: from then on it is carried out, whatever becomes of the document."""
    values = {name: getattr(item, name) for name in ("action", "form", "doc_id", "number")}
    tx.execute(update(inbox).where(inbox.c.id == item.id).values(**values, content=seal.close(dict(item.content))))


def hold(tx: Connection, seal: Seal, item: Received, until: datetime) -> None:
    """It may be done, at `until`, unless it is taken back; what it is about is kept, what it means is asked again."""
    values = {name: getattr(item, name) for name in ("action", "form", "doc_id", "number")}
    sealed = seal.close(dict(item.content))
    mine = update(inbox).where(inbox.c.id == item.id)
    tx.execute(mine.values(**values, content=sealed, next_attempt_at=moments.text(until)))


def to_take_back(tx: Connection, seal: Seal, by: Received, number: str, since: datetime) -> list[Received]:
    """What the sender of `by` can take back of one document, or of what nobody knows yet which it is about.

    That is what waits and of which nothing was sent that may be done, and since then a first confirmation that waits
    for a second. It is about the document of that number or, where it is '', what they asked for last.
    """
    sent = exists().where(writes.c.inbox_id == inbox.c.id, writes.c.outcome.in_((*MAYBE, VERIFIED)))
    half = and_(inbox.c.state == HALF, inbox.c.finished_at >= moments.text(since), inbox.c.reason != TAKEN_BACK)
    mine = (inbox.c.sender == by.sender, inbox.c.id != by.id, or_(and_(inbox.c.state == WAITING, ~sent), half))
    query = select(inbox).where(*mine).order_by(inbox.c.received_at.desc())
    found = (_opened(row, seal) for row in tx.execute(query).mappings().all())
    meant = [one for one in found if _is_about(one, number) and (one.state == WAITING or not _is_used(tx, one))]
    return [one for one in meant if (one.form, one.doc_id) == (meant[0].form, meant[0].doc_id)]


def _is_about(item: Received, number: str) -> bool:
    """Whether it is about a number; what is not understood yet is where it holds it, with or without blanks."""
    if not number or item.number:
        return not number or item.number.casefold() == number.casefold()
    return number.casefold() in "".join(str(item.content.get("text") or "").split()).casefold()


def _is_used(tx: Connection, half: Received) -> bool:
    """Whether a second person made use of a first confirmation."""
    return half.finished_at <= _last_done(tx, half)


def take_back(tx: Connection, item: Received, now: datetime) -> None:
    """It is not done; what has its answer keeps its state, and does not count any more."""
    if item.state == WAITING:
        finish(tx, item, UNDONE, TAKEN_BACK, now)
    else:
        tx.execute(update(inbox).where(inbox.c.id == item.id).values(reason=TAKEN_BACK))


def every_held(tx: Connection, seal: Seal) -> list[Received]:
    """All that is held."""
    return [_opened(row, seal) for row in tx.execute(select(inbox).where(*_HELD)).mappings()]


def halves(tx: Connection, seal: Seal, item: Received, since: datetime) -> list[str]:
    """Who else asked for the same since then and was told that it takes two, the latest first.

    It counts for the amount that it was said about and for the steps that it meant, and until the same was done.
    """
    half = (inbox.c.state == HALF, inbox.c.sender != item.sender, inbox.c.finished_at >= moments.text(since))
    counts = (*half, inbox.c.reason != TAKEN_BACK, inbox.c.finished_at > _last_done(tx, item))
    query = select(inbox).where(*_same(item), *counts).order_by(inbox.c.finished_at.desc())
    found = (_opened(row, seal) for row in tx.execute(query).mappings())
    about = _about(item)
    return list(dict.fromkeys(one.sender for one in found if _about(one) == about))


def _last_done(tx: Connection, item: Received) -> str:
    """When the same was done last; '' where it never was."""
    done = select(func.max(inbox.c.finished_at)).where(*_same(item), inbox.c.state == DONE)
    return str(tx.execute(done).scalar() or "")


def _same(item: Received) -> tuple[ColumnElement[bool], ...]:
    """One action on one document."""
    return (inbox.c.action == item.action, inbox.c.form == item.form, inbox.c.doc_id == item.doc_id)


def asked(tx: Connection, seal: Seal, sender: str, since: datetime) -> list[Received]:
    """What of somebody waits for a one-time code since then: the newest of each action on each document."""
    mine = (inbox.c.state == ASKED, inbox.c.sender == sender, inbox.c.finished_at >= moments.text(since))
    query = select(inbox).where(*mine).order_by(inbox.c.finished_at)
    found = (_opened(row, seal) for row in tx.execute(query).mappings())
    return list({(one.action, one.form, one.doc_id): one for one in found if not one.damaged}.values())


def coded(tx: Connection, item: Received) -> None:
    """It is allowed now, by a code or without: what asked for one before waits no more."""
    mine = update(inbox).where(inbox.c.state == ASKED, inbox.c.sender == item.sender, *_same(item))
    tx.execute(mine.values(state=CODED))


def advance(tx: Connection, ident: str, step: int) -> None:
    """Note that so many steps are verified."""
    tx.execute(update(inbox).where(inbox.c.id == ident).values(step=step, attempts=0))


def again(tx: Connection, ident: str, at: datetime, reason: str) -> None:
    """Try once more at `at`."""
    values: dict[str, Any] = {"next_attempt_at": moments.text(at), "reason": reason, "attempts": inbox.c.attempts + 1}
    tx.execute(update(inbox).where(inbox.c.id == ident).values(**values))


def finish(tx: Connection, item: Received, state: str, reason: str, now: datetime) -> None:
    """It is over; what it was about is kept also where it was refused."""
    values = {name: getattr(item, name) for name in ("action", "form", "doc_id", "number")}
    values |= {"state": state, "reason": reason, "finished_at": moments.text(now)}
    tx.execute(update(inbox).where(inbox.c.id == item.id).values(**values))


def find(tx: Connection, seal: Seal, ident: str) -> Received | None:
    """One by its id."""
    row = tx.execute(select(inbox).where(inbox.c.id == ident)).mappings().first()
    return _opened(row, seal) if row else None


def of_number(tx: Connection, seal: Seal, number: str) -> list[Received]:
    """What was said about the documents with one bill number, oldest first."""
    query = select(inbox).where(inbox.c.number == number).order_by(inbox.c.received_at, inbox.c.id)
    return [_opened(row, seal) for row in tx.execute(query).mappings()]


def counts(tx: Connection) -> dict[str, int]:
    """How many are in which state."""
    query = select(inbox.c.state, func.count()).group_by(inbox.c.state)
    return {str(state): int(count) for state, count in tx.execute(query)}


def _about(item: Received) -> tuple[object, object]:
    return item.content.get("amount"), item.content.get("do")


def _opened(row: RowMapping, seal: Seal) -> Received:
    """One from its row. One that cannot be read is no reason to stop: it says so itself."""
    content, damaged = {}, ""
    try:
        content = seal.open(row["content"])
        if not isinstance(content, dict):
            content, damaged = {}, "what is stored of it is no mapping"
    except StoreError as error:
        damaged = str(error)
    return Received(
        **{name: row[name] for name in _PLAIN},
        content=content,
        damaged=damaged,
        received_at=moments.parse(row["received_at"]),
        finished_at=row["finished_at"] or "",
    )


_HELD = (inbox.c.state == WAITING, inbox.c.action == "", inbox.c.number != "")
_PLAIN = ("id", "source", "sender", "state", "attempts", "action", "form", "doc_id", "number", "step", "reason")
