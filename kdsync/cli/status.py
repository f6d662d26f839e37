"""`kdsync status`: how the daemon is doing, read from its store."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from kdsync.cli import storm
from kdsync.cli.opened import SHORT, ago, clock_time, now_of, opened, page, print_json, print_table
from kdsync.services.earshot import FACT as STREAM
from kdsync.services.notices import RAISED
from kdsync.services.upkeep import month_of
from kdsync.settings.load import Loaded
from kdsync.store import cards, forms, holds, inbox, intake, ledger, moments, notifications, outbox, tasks
from kdsync.store.database import Database
from kdsync.store.holds import Hold
from kdsync.store.notifications import HELD, STORM

COUNTS = {
    "Tasks": ("form", "waiting"),
    "Inbox": ("state", "answers"),
    "Intake": ("state", "approvals"),
    "Cards": ("state", "cards"),
}
FRESH = 60.0  # seconds; the heartbeat is written every five


def status(config: Path, *, json_output: bool) -> int:
    """Print it; 0 if the daemon runs and nothing is wrong, else 1 (with --json always 0)."""
    with opened(config) as (loaded, database, _seal):
        with database.read() as tx:
            now = now_of(tx)
        found = gather(loaded, database, now)
    if json_output:
        print_json(found)
        return 0
    _print(found, now)
    wrong = found["alarms"] or found["holds"] or found["reload"] or found["outbox"].get("dead")
    return 0 if found["running"] and not wrong else 1


def gather(loaded: Loaded, database: Database, now: datetime) -> dict[str, Any]:
    """Everything there is to say, as plain data."""
    main, month = loaded.settings.main, month_of(now)
    with database.read() as tx:
        cursors = forms.everything(tx, main.kingdee.acct_id)
        watched = set(forms.as_stored(tx, main.kingdee.acct_id, loaded.ruleset).forms)
        heartbeat = ledger.fact(tx, "heartbeat")
        held = holds.every(tx)
        raised, refused = ledger.facts_like(tx, RAISED), ledger.fact(tx, ledger.RELOAD)
        stream = orjson.loads(ledger.fact(tx, STREAM) or "null")
        oldest = outbox.oldest_waiting(tx)
        counts, told, said = outbox.counts(tx), notifications.counts(tx), inbox.counts(tx)
        used = ledger.metered_calls(tx, month)
        taken = intake.counts(tx)
        together, waiting, shown = storm.listed(tx, now, limit=10), tasks.counts(tx), cards.counts(tx)
    known = [cursor.form for cursor in cursors]
    return {
        "running": heartbeat is not None and abs((now - datetime.fromisoformat(heartbeat)).total_seconds()) < FRESH,
        "heartbeat": heartbeat,
        "forms": [*(_form(one, watched, now) for one in cursors), *map(_new, sorted(watched - {*known}))],
        "outbox": {**counts, "oldest_waiting": oldest},
        "inbox": {state: count - taken.get(state, 0) for state, count in said.items() if count > taken.get(state, 0)},
        "stream": stream,
        "intake": taken,
        "tasks": waiting,
        "cards": shown,
        "notifications": told,
        "held": [line for line in together if line["state"] == HELD],
        "storms": [line for line in together if line["state"] == STORM],
        "quota": {"month": month, "used": used, "limit": main.dingtalk.monthly_calls},
        "holds": [_hold(hold) for hold in held.values() if hold.is_open],
        "alarms": [key.removeprefix(RAISED) for key in raised],
        "reload": refused,
    }


def _form(cursor: forms.FormCursor, watched: set[str], now: datetime) -> dict[str, Any]:
    ok = cursor.last_ok_at
    lag = (now - datetime.fromisoformat(ok)).total_seconds() if ok else None
    state = "watched" if cursor.baselined_at else "first look"
    return {
        "form": cursor.form,
        "state": state if cursor.form in watched else "no longer watched",
        "last_ok_at": ok,
        "lag_seconds": None if lag is None else round(lag, 1),
        "newest": cursor.newest,
        "alarm": cursor.alarm,
        "last_error": cursor.last_error,
    }


def _new(form: str) -> dict[str, Any]:
    """A form of the rules as they are now, which the daemon does not know yet."""
    nothing = dict.fromkeys(("last_ok_at", "lag_seconds", "newest", "alarm", "last_error"))
    return {"form": form, "state": "not watched yet", **nothing}


def _hold(hold: Hold) -> dict[str, Any]:
    """`channel` may also be kingdee or contacts."""
    return {
        "channel": hold.name,
        "since": moments.text(hold.since),
        "until": moments.text(hold.until),
        "failures": hold.failures,
        "kind": hold.kind,
        "reason": hold.reason,
        "cure": hold.cure,
    }


def _print(found: dict[str, Any], now: datetime) -> None:
    console = page()
    console.print(
        "kdsync is running" if found["running"] else f"kdsync is not running (last sign {ago(found['heartbeat'], now)})"
    )
    rows = [(f["form"], f["state"], ago(f["last_ok_at"], now), _condition(f)) for f in found["forms"]]
    print_table("\nForms", ("form", "state", "last look", "condition"), rows)
    states = [(state, count) for state, count in found["outbox"].items() if state != "oldest_waiting"]
    print_table("\nOutbox", ("state", "recipients"), states or [("empty", "")])
    for title, columns in COUNTS.items():
        if found[title.lower()]:
            print_table(f"\n{title}", columns, list(found[title.lower()].items()))
    quota = found["quota"]
    console.print(f"\nQuota {quota['month']}: {quota['used']} of {quota['limit']} DingTalk calls used")
    for one in found["held"]:
        console.print(f"Held: {one['messages']} messages of {one['form']}: kdsync outbox release {one['form']}")
    for one in found["storms"]:
        ident = one["id"][:SHORT]
        console.print(f"Storm: {one['messages']} messages of rule {one['rule']} in one: kdsync trace {ident}")
    if found["stream"]:
        console.print(f"Stream: {_of_stream(found['stream'])}")
    for hold in found["holds"]:
        since, until = clock_time(hold["since"]), clock_time(hold["until"])
        cure = f" ({hold['cure']})" if hold["cure"] else ""
        console.print(f"Down: {hold['channel']} since {since}, tried again at {until}: {hold['reason']}{cure}")
    if found["reload"]:
        console.print(f"Reload: refused, what was in use before still is: {found['reload']}")
    for alarm in found["alarms"]:
        console.print(f"Alarm: {alarm}")


def _condition(form: dict[str, Any]) -> str:
    return form["alarm"] or form["last_error"] or ("ok" if form["last_ok_at"] else "")


def _of_stream(stream: dict[str, Any]) -> str:
    """Whether people can be heard, and why not."""
    since = clock_time(stream["since"])
    if stream["connected"]:
        return f"connected since {since}"
    why = "; ".join(filter(None, (stream["reason"], stream["cure"]))) or "it is being opened"
    return f"not connected since {since}, so nobody is heard: {why}"
