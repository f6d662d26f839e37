"""The cards that people decide on: what each showed at first and shows by now, and what DingTalk does not know yet.

A row stands before the card is sent, so that a click finds it however soon it comes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, exists, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from kdsync.errors import StoreError
from kdsync.model import Raw
from kdsync.store import ledger, moments
from kdsync.store.outbox import CARD, LEASED, WAITING
from kdsync.store.schema import cards, documents, forms, inbox, tasks
from kdsync.store.schema import outbox as letters
from kdsync.store.sealing import Seal

OPEN, OVER, UNSENT, LOST = "open", "over", "unsent", "lost"
NOT_TAKEN = "cards:not taken"
"""The fact that DingTalk takes no cards until an operator acts: when one was tried last."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is said below a card: the name of the words, who it is about, when, and what fills them in.

    `by` is a userid, '' for nobody in particular.
    """

    words: str
    at: datetime
    by: str = ""
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Card:
    """One card. `face` is what it showed at first, byte by byte; `seen` the values that it told of.

    `line` is what everybody is told below it; `private` by userid what those are told who clicked. `damaged` says why
    what is stored of it cannot be read.
    """

    track: str
    notification_id: str
    content_id: str
    locale: str
    form: str
    doc_id: str
    number: str
    version: int
    face: bytes
    created_at: datetime
    item_id: str = ""
    actions: tuple[str, ...] = ()
    seen: Mapping[str, Raw] = field(default_factory=dict)
    line: Line | None = None
    private: Mapping[str, Line | None] = field(default_factory=dict)
    state: str = OPEN
    dirty: int = 0
    answers: str = ""
    attempts: int = 0
    reason: str = ""
    damaged: str = ""


class Outdated(NamedTuple):
    """A card whose document moved on: to which version, and whether the task is gone that it is about."""

    card: Card
    version: int
    task_gone: bool


def add(tx: Connection, seal: Seal, items: Sequence[Card]) -> None:
    """Insert cards; one that is there stays as it is."""
    rows = [
        {
            **{name: getattr(item, name) for name in _PLAIN},
            "face": seal.close_bytes(item.face),
            "shown": _closed(item, seal),
            "created_at": moments.text(item.created_at),
            "next_attempt_at": moments.text(item.created_at),
        }
        for item in items
    ]
    if rows:
        tx.execute(insert(cards).on_conflict_do_nothing(), rows)


def find(tx: Connection, seal: Seal, track: str) -> Card | None:
    """One by DingTalk's outTrackId."""
    row = tx.execute(select(cards).where(cards.c.track == track)).mappings().first()
    return _opened(row, seal) if row else None


def of_content(tx: Connection, notification_id: str, content_id: str) -> str:
    """The outTrackId of what carries certain letters; '' where they go without a card."""
    mine = (cards.c.notification_id == notification_id, cards.c.content_id == content_id)
    return str(tx.execute(select(cards.c.track).where(*mine)).scalar() or "")


def of_document(tx: Connection, seal: Seal, form: str, doc_id: str) -> list[Card]:
    """The open cards about one document, oldest first."""
    mine = (cards.c.state == OPEN, func.lower(cards.c.form) == form.lower(), cards.c.doc_id == doc_id)
    query = select(cards).where(*mine).order_by(cards.c.created_at, cards.c.track)
    return [_opened(row, seal) for row in tx.execute(query).mappings()]


def of_notification(tx: Connection, seal: Seal, ident: str) -> list[Card]:
    """The cards of one notification, one for each language and hundred of readers."""
    query = select(cards).where(cards.c.notification_id == ident).order_by(cards.c.track)
    return [_opened(row, seal) for row in tx.execute(query).mappings()]


def show(tx: Connection, seal: Seal, card: Card, now: datetime) -> None:
    """Note what it shows from now on; DingTalk is told later."""
    values: dict[str, Any] = {"state": card.state, "answers": card.answers, "shown": _closed(card, seal)}
    values |= {"attempts": 0, "next_attempt_at": moments.text(now), "dirty": cards.c.dirty + 1}
    tx.execute(update(cards).where(cards.c.track == card.track).values(**values))


def clicked(tx: Connection, seal: Seal, card: Card, userid: str) -> None:
    """Note that somebody clicked: what that person is told of it by DingTalk's answer is to be replaced later."""
    if userid not in card.private:
        known = replace(card, private={**card.private, userid: None})
        tx.execute(update(cards).where(cards.c.track == card.track).values(shown=_closed(known, seal)))


def looked_at(tx: Connection, track: str, version: int) -> None:
    """Note which snapshot of the document leaves it open."""
    tx.execute(update(cards).where(cards.c.track == track).values(version=version))


def unsent(tx: Connection, track: str, reason: str) -> None:
    """It was not sent; its readers got text."""
    tx.execute(update(cards).where(cards.c.track == track).values(state=UNSENT, reason=reason, dirty=0))


def not_taken(tx: Connection, now: datetime) -> None:
    """No card is taken, for a reason that an operator has to mend."""
    ledger.put_fact(tx, NOT_TAKEN, moments.text(now), now)


def taken(tx: Connection) -> None:
    """One was."""
    ledger.forget_fact(tx, NOT_TAKEN)


def were_not_taken(tx: Connection, since: datetime) -> bool:
    """Whether one was tried in vain since then."""
    tried = ledger.fact(tx, NOT_TAKEN)
    return tried is not None and moments.parse(tried) > since


def due(tx: Connection, seal: Seal, now: datetime) -> Card | None:
    """One that is out and that DingTalk does not show as it should, if it is time to tell it."""
    mine = (cards.c.dirty > 0, cards.c.next_attempt_at <= moments.text(now), ~_still_to_be_sent())
    row = tx.execute(select(cards).where(*mine).order_by(cards.c.next_attempt_at).limit(1)).mappings().first()
    return _opened(row, seal) if row else None


def next_due(tx: Connection) -> str | None:
    """When DingTalk is to be told of a change the next time."""
    mine = (cards.c.dirty > 0, ~_still_to_be_sent())
    return tx.execute(select(func.min(cards.c.next_attempt_at)).where(*mine)).scalar()


def _still_to_be_sent() -> ColumnElement[bool]:
    """DingTalk knows no card before it is sent, and it is sent as it was at first."""
    mine = (letters.c.notification_id == cards.c.notification_id, letters.c.content_id == cards.c.content_id)
    unsent = (letters.c.channel == CARD, letters.c.state.in_((WAITING, LEASED)))
    return exists().where(*mine, *unsent).correlate(cards)


def updated(tx: Connection, card: Card) -> None:
    """DingTalk shows it as it was when `card` was read; what changed since is still to be told."""
    mine = (cards.c.track == card.track, cards.c.dirty == card.dirty)
    tx.execute(update(cards).where(*mine).values(dirty=0, attempts=0, reason="", answers=""))


def again(tx: Connection, track: str, at: datetime, reason: str) -> None:
    """Tell DingTalk at `at`."""
    values: dict[str, Any] = {"next_attempt_at": moments.text(at), "reason": reason, "attempts": cards.c.attempts + 1}
    tx.execute(update(cards).where(cards.c.track == track).values(**values))


def answered(tx: Connection, track: str) -> None:
    """Whom it is the answer to is answered otherwise."""
    tx.execute(update(cards).where(cards.c.track == track).values(answers=""))


def give_up(tx: Connection, card: Card, reason: str) -> None:
    """DingTalk will not show what it is by now. One that is open can still be clicked, and may change again."""
    state = LOST if card.damaged or card.state != OPEN else OPEN
    tx.execute(update(cards).where(cards.c.track == card.track).values(state=state, reason=reason, dirty=0))


def outdated(tx: Connection, seal: Seal, *, besides: Collection[str] = (), track: str = "") -> Outdated | None:
    """The oldest open card whose document moved on since it was looked at, `besides` some; or `track`, if it is such.

    Those are left out about which an answer is being worked on: it will say itself what became of them.
    """
    same_form = func.lower(forms.c.form) == func.lower(cards.c.form)
    document = and_(documents.c.form_id == forms.c.id, documents.c.doc_id == cards.c.doc_id)
    joined = cards.outerjoin(forms, same_form).outerjoin(documents, document)
    task = exists().where(tasks.c.item_id == cards.c.item_id, tasks.c.state == "gone").correlate(cards)
    moved = func.coalesce(documents.c.version, 0) > cards.c.version
    about = (inbox.c.doc_id == cards.c.doc_id, func.lower(inbox.c.form) == func.lower(cards.c.form))
    answered = exists().where(inbox.c.state == "waiting", *about)
    columns = (cards, documents.c.version.label("now"), task.label("task_gone"))
    query = select(*columns).select_from(joined).where(cards.c.state == OPEN, or_(moved, task), ~answered)
    mine = cards.c.track == track if track else cards.c.track.not_in(besides)
    row = tx.execute(query.where(mine).order_by(cards.c.created_at, cards.c.track).limit(1)).mappings().first()
    return Outdated(_opened(row, seal), int(row["now"] or 0), bool(row["task_gone"])) if row else None


def counts(tx: Connection) -> dict[str, int]:
    """How many are in which state."""
    query = select(cards.c.state, func.count()).group_by(cards.c.state)
    return {str(state): int(count) for state, count in tx.execute(query)}


def _closed(card: Card, seal: Seal) -> bytes:
    shown = {
        "actions": list(card.actions),
        "seen": dict(card.seen),
        "line": _written(card.line),
        "private": {userid: _written(line) for userid, line in card.private.items()},
    }
    return seal.close(shown)


def _written(line: Line | None) -> list[Any] | None:
    return [line.words, moments.text(line.at), line.by, dict(line.params)] if line else None


def _line(stored: Any) -> Line | None:
    if stored is None:
        return None
    words, at, by, params = stored
    return Line(str(words), moments.parse(at), str(by), {str(key): str(value) for key, value in params.items()})


def _opened(row: RowMapping, seal: Seal) -> Card:
    """A card from its row. One that cannot be read is no reason to stop: it says so itself."""
    face, damaged = b"", ""
    shown: dict[str, Any] = {"actions": [], "seen": {}}
    try:
        face, shown = seal.open_bytes(row["face"]), seal.open(row["shown"])
        line, private = _line(shown["line"]), {userid: _line(one) for userid, one in shown["private"].items()}
    except (StoreError, ValueError, TypeError, AttributeError, KeyError) as error:
        line, private, damaged = None, {}, f"what is stored of it is damaged ({type(error).__name__})"
    return Card(
        **{name: row[name] for name in _PLAIN},
        face=face,
        created_at=moments.parse(row["created_at"]),
        actions=tuple(shown["actions"]),
        seen=shown["seen"],
        line=line,
        private=private,
        damaged=damaged,
    )


_PLAIN = (
    *("track", "notification_id", "content_id", "locale", "form", "doc_id", "number", "version", "item_id"),
    *("state", "dirty", "answers", "attempts", "reason"),
)
