"""What `kdsync trace` and `kdsync outbox` say of messages that were summed up in one, or are held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from kdsync.errors import KdsyncError
from kdsync.services.notices import RAISED
from kdsync.store import ledger, notifications, outbox, storms
from kdsync.store.notifications import HELD, STORM, Notification
from kdsync.store.sealing import Seal
from kdsync.store.storms import Member, Summary

Line = dict[str, Any]
FEWEST = 4  # characters of an id that are taken for one
RECENT = timedelta(days=7)  # storms that are listed without being asked for


def story(tx: Connection, seal: Seal, ident: str) -> Iterator[Line]:
    """What became of a storm, and every message it sums up; nothing where no storm's id begins so."""
    for storm in _begin_with(tx, ident):
        found = notifications.find(tx, seal, storm.id)
        if found:
            yield summed_up(found, storm)
            yield from tries(tx, seal, storm.id)
        yield from (_member(member) for member in storms.members(tx, storm.id))


def behind(tx: Connection, seal: Seal, told: list[Notification]) -> Iterator[Line]:
    """The storms that sum up some notifications, and who was told of them."""
    for ident in dict.fromkeys(one.storm for one in told if one.storm):
        found = notifications.find(tx, seal, ident)
        for storm in storms.find(tx, ident) if found else ():
            yield summed_up(found, storm)  # type: ignore[arg-type]  # none are asked for where it is None
            yield from tries(tx, seal, ident)


def tries(tx: Connection, seal: Seal, ident: str) -> Iterator[Line]:
    """Every try to send the letters of a notification."""
    for letter in outbox.of_notification(tx, seal, ident):
        ids = {"notification_id": ident, "letter": letter.id, "to": letter.target}
        for at, outcome, detail in outbox.attempts_of(tx, letter.id):
            yield {"at": at, "what": "try" if outcome == "started" else outcome, "detail": detail, **ids}


def summed_up(found: Notification, storm: Summary) -> Line:
    """The message that stands for others."""
    content = found.contents.get("zh") or next(iter(found.contents.values()))
    return {
        "at": storm.created_at,
        "what": "summed up",
        "storm": storm.id,
        "form": storm.form,
        "rule": storm.rule,
        "messages": storm.messages,
        "unsent": storm.unsent,
        "state": found.state,
        "title": content.title,
        "reason": found.reason,
    }


def listed(tx: Connection, now: datetime, limit: int, states: Sequence[str] = ()) -> list[Line]:
    """What is held, by form, and recent storms; with `states` those asked for, storms of any age."""
    found: list[Line] = []
    if HELD in states or not states:
        found += [_held(form, count) for form, count in storms.held_counts(tx).items()]
    if STORM in states or not states:
        since = None if states else now - RECENT
        found += [_listed(storm) for storm in storms.summaries(tx, since, limit) if storm.unsent or states]
    return found


def release(tx: Connection, ident: str, now: datetime) -> int:
    """Have the members of a storm, or what is held of a form, sent one by one; returns how many."""
    found = _begin_with(tx, ident)
    if found:
        return storms.release_storm(tx, found[0].id, now)
    if not is_held(tx, ident):
        raise KdsyncError(f"no storm has an id that begins with {ident}, and nothing of a form {ident} is held")
    count = storms.release_held(tx, ident, now)
    _not_held_any_more(tx)
    return count


def is_held(tx: Connection, form: str) -> bool:
    """Whether messages of a form are held."""
    return form.lower() in map(str.lower, storms.held_counts(tx))


def drop_held(tx: Connection, form: str, reason: str) -> int:
    """Give up what is held of a form; returns how many."""
    count = storms.drop_held(tx, form, reason)
    _not_held_any_more(tx)
    return count


def _not_held_any_more(tx: Connection) -> None:
    """The next ones that are held are told anew."""
    held = storms.held_counts(tx)
    for cause in ledger.facts_like(tx, RAISED + "held "):
        if cause.removeprefix(RAISED + "held ") not in held:
            ledger.forget_fact(tx, cause)


def _begin_with(tx: Connection, ident: str) -> list[Summary]:
    found = storms.find(tx, ident) if len(ident) >= FEWEST else []
    if len(found) > 1:
        raise KdsyncError(f"several storms have ids that begin with {ident}: write more of it")
    return found


def _held(form: str, count: int) -> Line:
    return {"id": form, "state": HELD, "form": form, "messages": count, "unsent": count}


def _listed(storm: Summary) -> Line:
    numbers = {"messages": storm.messages, "unsent": storm.unsent}
    return {
        "id": storm.id,
        "state": STORM,
        "form": storm.form,
        "rule": storm.rule,
        "written": storm.created_at,
        **numbers,
    }


def _member(member: Member) -> Line:
    return {
        "at": member.created_at,
        "what": "member",
        "number": member.number,
        "form": member.form,
        "kind": member.kind,
        "event_id": member.event_id,
        "notification_id": member.id,
        "state": member.state,
        "to": list(member.to),
        "reason": member.reason,
    }
