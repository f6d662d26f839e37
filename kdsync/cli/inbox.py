"""`kdsync inbox list | retry`: what people said and what was approved in DingTalk, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from kdsync.cli.opened import SHORT, clock_time, now_of, opened, page, print_json, print_noted
from kdsync.errors import KdsyncError
from kdsync.store import intake, moments
from kdsync.store.inbox import FAILED, REFUSED, WAITING, Received
from kdsync.store.sealing import Seal

TO_THE_MINUTE = 16  # characters of a moment
OPEN = (WAITING, intake.TAKEN, REFUSED, FAILED)


def listing(config: Path, states: Sequence[str], limit: int, *, json_output: bool) -> int:
    """What waits and what came to nothing, or the states asked for."""
    with opened(config) as (_loaded, database, seal), database.read() as tx:
        found = intake.listing(tx, seal, states or OPEN, limit=limit)
    if json_output:
        print_json([_plain(item) for item in found])
    elif found:
        columns = ("id", "at", "source", "state", "action", "number")
        print_noted(columns, [(_row(item), _note(item)) for item in found])
    else:
        page().print("Nothing waits and nothing was refused.")
    return 0


def retry(config: Path, ids: Sequence[str], *, json_output: bool) -> int:
    """Take approvals in that came to nothing, or at once what waits; `all` stands for all that came to nothing."""
    with opened(config) as (_loaded, database, seal), database.write() as tx:
        items = _all(tx, seal) if list(ids) == ["all"] else [_one(tx, seal, ident) for ident in ids]
        for item in items:
            intake.retry(tx, seal, item, now_of(tx))
    if json_output:
        print_json({"tried_again": len(items)})
    else:
        print(f"{len(items)} tried again" if items else "nothing to try again: no approval came to nothing")
    return 0 if items else 1


def _all(tx: Connection, seal: Seal) -> list[Received]:
    found = intake.listing(tx, seal, (REFUSED, FAILED), limit=10_000)
    return [item for item in found if item.source == intake.APPROVAL and intake.can_be_read(item)]


def _one(tx: Connection, seal: Seal, ident: str) -> Received:
    found = intake.listing(tx, seal, (), prefix=ident, limit=2)
    if not found:
        raise KdsyncError(f"nothing in the inbox has an id that begins with {ident}")
    if len(found) > 1:
        raise KdsyncError(f"several ids begin with {ident}: write more of it")
    (item,) = found
    if item.source != intake.APPROVAL:
        raise KdsyncError(f"{ident} is what somebody said: they can say it again")
    if not intake.can_be_read(item):
        raise KdsyncError(f"what is stored of {ident} is damaged: enter that approval by hand")
    if item.state not in intake.RETRIABLE:
        raise KdsyncError(f"{ident} is {item.state}: there is nothing to try again")
    return item


def _row(item: Received) -> tuple[object, ...]:
    at = clock_time(moments.text(item.received_at))[:TO_THE_MINUTE]
    return item.id[:SHORT], at, item.source, item.state, item.action, item.number


def _note(item: Received) -> str:
    tries = f"after {item.attempts} tries: " if item.attempts > 1 else ""
    return f"{tries}{item.reason}" if item.reason else ""


def _plain(item: Received) -> dict[str, Any]:
    return {
        "id": item.id,
        "source": item.source,
        "from": item.sender,
        "state": item.state,
        "action": item.action,
        "form": item.form,
        "number": item.number,
        "said": str(item.content.get("text") or item.content.get("title") or ""),
        "received": item.received_at.isoformat(),
        "finished": item.finished_at,
        "attempts": item.attempts,
        "reason": item.reason,
    }
