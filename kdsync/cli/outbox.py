"""`kdsync outbox list | show | retry | release | drop`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection

from kdsync.cli import storm
from kdsync.cli.opened import SHORT, clock_time, now_of, opened, page, print_json, print_noted, print_table
from kdsync.errors import KdsyncError
from kdsync.store import holds, outbox
from kdsync.store.notifications import STORM
from kdsync.store.outbox import DEAD, LEASED, WAITING, Letter
from kdsync.store.sealing import Seal

OVER = "only what is dead or waits can be; see `kdsync outbox show ID`"
MOMENTS = ("written", "accepted", "next_attempt_at")


def listing(config: Path, states: Sequence[str], limit: int, *, json_output: bool) -> int:
    """What waits and what is dead, or the states asked for."""
    with opened(config) as (_loaded, database, seal), database.read() as tx:
        found = outbox.listing(tx, seal, states=states or (WAITING, LEASED, DEAD), limit=limit)
        together = storm.listed(tx, now_of(tx), limit, states)
    if json_output:
        print_json([_plain(letter, rule, number) for letter, rule, number in found] + together)
        return 0
    if found:
        rows = [((x.id[:SHORT], x.state, x.target, rule, number, x.attempts), x.reason) for x, rule, number in found]
        print_noted(("id", "state", "to", "rule", "bill", "tries"), rows)
    if together:
        print_table(
            "\nHeld, or summed up in one", ("release", "state", "form", "rule", "messages"), list(map(_short, together))
        )
    if not found and not together:
        page().print("Nothing waits and nothing is dead.")
    return 0


def show(config: Path, ident: str, *, json_output: bool) -> int:
    """One message and its tries."""
    with opened(config) as (_loaded, database, seal), database.read() as tx:
        letter, rule, number = _one(tx, seal, ident)
        tries = outbox.attempts_of(tx, letter.id)
    whole = _plain(letter, rule, number)
    whole["message"] = orjson.loads(letter.content)
    whole["tries"] = [{"at": at, "outcome": outcome, "detail": detail} for at, outcome, detail in tries]
    if json_output:
        print_json(whole)
        return 0
    facts = [
        (key, clock_time(str(value or "")) if key in MOMENTS else value)
        for key, value in whole.items()
        if key not in ("message", "tries")
    ]
    print_table("", ("what", "value"), facts)
    print_table("\nTries", ("at", "outcome", "detail"), [(clock_time(a), o, d) for a, o, d in tries])
    print("\n" + orjson.dumps(whole["message"], option=orjson.OPT_INDENT_2).decode())  # whole, to be copied
    return 0


def retry(config: Path, ids: Sequence[str], *, json_output: bool) -> int:
    """Send again at once; a hold on the channel is lifted."""
    everything = list(ids) == ["all"]
    with opened(config) as (_loaded, database, seal), database.write() as tx:
        if everything:
            count, channels = outbox.revive_dead(tx, now_of(tx))
        else:
            letters = [_one(tx, seal, ident)[0] for ident in ids]
            count = outbox.revive(tx, [letter.id for letter in letters], now_of(tx))
            channels = [letter.channel for letter in letters]
        for channel in set(channels):
            holds.lift(tx, channel, now_of(tx))
    return _told("sent again", count, "nothing is dead" if everything else OVER, json_output=json_output)


def release(config: Path, ids: Sequence[str], *, json_output: bool) -> int:
    """Send one by one what a storm summed up, or what is held of a form."""
    with opened(config) as (_loaded, database, _seal), database.write() as tx:
        count = sum(storm.release(tx, ident, now_of(tx)) for ident in ids)
    return _told("released", count, "it was sent before", json_output=json_output)


def drop(config: Path, ids: Sequence[str], reason: str, *, json_output: bool) -> int:
    """Give up messages, or what is held of a form."""
    with opened(config) as (_loaded, database, seal), database.write() as tx:
        forms = [ident for ident in ids if storm.is_held(tx, ident)]
        letters = [_one(tx, seal, ident)[0].id for ident in ids if ident not in forms]
        count = sum(storm.drop_held(tx, form, reason) for form in forms)
        count += outbox.drop(tx, letters, now_of(tx), reason)
    return _told("dropped", count, OVER, json_output=json_output)


def _told(what: str, count: int, why: str, *, json_output: bool) -> int:
    """`why` tells how it can be that there was nothing."""
    if json_output:
        print_json({what.replace(" ", "_"): count})
    else:
        print(f"{count} {what}" if count else f"nothing {what}: {why}")
    return 0 if count else 1


def _short(line: storm.Line) -> tuple[object, ...]:
    ident = line["id"][:SHORT] if line["state"] == STORM else line["id"]
    return ident, line["state"], line["form"], line.get("rule", ""), line["messages"]


def _one(tx: Connection, seal: Seal, ident: str) -> tuple[Letter, str, str]:
    found = outbox.listing(tx, seal, prefix=ident, limit=2)
    if not found:
        raise KdsyncError(f"no message of the outbox has an id that begins with {ident}")
    if len(found) > 1:
        raise KdsyncError(f"several ids begin with {ident}: write more of it")
    return found[0]


def _plain(letter: Letter, rule: str, number: str) -> dict[str, Any]:
    return {
        "id": letter.id,
        "state": letter.state,
        "to": letter.target,
        "channel": letter.channel,
        "rule": rule,
        "bill_no": number,
        "written": letter.created_at.isoformat(),
        "accepted": letter.accepted_at,
        "task_id": letter.task_id,
        "attempts": letter.attempts,
        "next_attempt_at": letter.next_attempt_at.isoformat() if letter.next_attempt_at else "",
        "reason": letter.reason,
    }
