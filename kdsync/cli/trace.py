"""`kdsync trace BILLNO`: everything that happened to one document, in order of time; or all that a storm sums up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.table import Table
from sqlalchemy import Connection

from kdsync.cli import storm
from kdsync.cli.opened import SHORT, clock_time, opened, page, print_json
from kdsync.model import Layout, Row
from kdsync.store import cards, documents, forms, inbox, moments, notifications, origins, tasks, writes
from kdsync.store.cards import Card
from kdsync.store.database import Database
from kdsync.store.documents import StoredEvent
from kdsync.store.forms import FormCursor
from kdsync.store.inbox import CLICK, Received
from kdsync.store.intake import APPROVAL
from kdsync.store.notifications import Notification
from kdsync.store.sealing import Seal
from kdsync.store.tasks import Waiting
from kdsync.store.writes import Write
from kdsync.sync.fingerprint import same

Line = dict[str, Any]


def trace(config: Path, number: str, *, json_output: bool) -> int:
    """Print the story of a bill number, or of a storm; 1 if kdsync knows nothing of it."""
    with opened(config) as (loaded, database, seal):
        found = list(gather(database, seal, loaded.settings.main.kingdee.acct_id, number))
        with database.read() as tx:
            lines = sorted(found or storm.story(tx, seal, number), key=lambda line: str(line["at"]))
    if json_output:
        print_json(lines)
    elif lines:
        _print(lines)
    else:
        told = (
            f"kdsync knows nothing of {number}: check the number, and `kdsync status` for forms still on a first look"
        )
        page().print(told)
    return 0 if lines else 1


def gather(database: Database, seal: Seal, account_set: str, number: str) -> Iterator[Line]:
    """Every step as plain data: `at`, `what`, and what belongs to it."""
    spellings = list(dict.fromkeys([number, number.upper(), number.lower()]))
    with database.read() as tx:
        for cursor in forms.everything(tx, account_set):
            layouts = forms.raw_layouts(tx, cursor.form_id)
            known = documents.numbered(tx, cursor.form_id, spellings)
            for doc_id, is_open, is_gone, version in known:
                yield _known(cursor, doc_id, is_open=is_open, is_gone=is_gone, version=version)
            found = [doc_id for doc_id, *_ in known]
            for event in documents.events_of(tx, layouts, seal, form_id=cursor.form_id, doc_ids=found):
                yield {**_noticed(cursor.form, event), "ours": _ours(tx, event)}
        told = [one for spelling in spellings for one in notifications.of_number(tx, seal, spelling)]
        for notification in told:
            yield _matched(notification)
            yield from storm.tries(tx, seal, notification.id)
            yield from (_shown(card) for card in cards.of_notification(tx, seal, notification.id) if card.line)
        yield from storm.behind(tx, seal, told)
        for spelling in spellings:
            yield from (line for task in tasks.of_number(tx, spelling) for line in _assigned(task))
            yield from map(_answered, inbox.of_number(tx, seal, spelling))
            yield from map(_written, writes.of_number(tx, spelling))


def _assigned(task: Waiting) -> Iterator[Line]:
    line = {"form": task.form, "item_id": task.item_id, "node": task.node, "for": task.receiver, "since": task.since}
    yield {"at": task.seen_at, "what": "assigned", **line}
    if task.gone_at:
        yield {"at": task.gone_at, "what": "decided", **line}


def _answered(item: Received) -> Line:
    return {
        "at": moments.text(item.received_at),
        "what": "approval" if item.source == APPROVAL else "answered",
        "inbox_id": item.id,
        "from": item.sender,
        "said": str(item.content.get("text") or item.content.get("title") or _pressed(item)),
        "action": item.action,
        "state": item.state,
        "reason": item.reason,
        "finished_at": item.finished_at,
    }


def _pressed(item: Received) -> str:
    reason = str(item.content.get("reason") or "")
    return " ".join(filter(None, (f"[{item.content.get('action')}]" if item.source == CLICK else "", reason)))


def _shown(card: Card) -> Line:
    """What a card says by now."""
    line = card.line
    assert line is not None  # noqa: S101  # those are left out
    return {
        "at": moments.text(line.at),
        "what": "shown",
        "notification_id": card.notification_id,
        "track": card.track,
        "form": card.form,
        "doc_id": card.doc_id,
        "words": line.words,
        "by": line.by,
        "state": card.state,
        "told": not card.dirty,
        "reason": card.reason,
    }


def _written(write: Write) -> Line:
    return {
        "at": moments.text(write.at),
        "what": "written",
        "inbox_id": write.inbox_id,
        "form": write.form,
        "doc_id": write.doc_id,
        "operation": write.operation,
        "for": write.user,
        "outcome": write.outcome,
        "detail": write.detail,
    }


def _known(cursor: FormCursor, doc_id: str, *, is_open: bool, is_gone: bool, version: int) -> Line:
    state = "deleted" if is_gone else "open" if is_open else "known"
    return {"at": "", "what": state, "form": cursor.form, "doc_id": doc_id, "version": version}


def _noticed(form: str, event: StoredEvent) -> Line:
    return {
        "at": event.noticed_at,
        "what": "noticed",
        "form": form,
        "doc_id": event.doc_id,
        "version": event.version,
        "kinds": [str(kind) for kind in event.kinds],
        "found_by": event.found_by,
        "changes": dict(_changes(event.before, event.after)),
    }


def _ours(tx: Connection, event: StoredEvent) -> dict[str, str]:
    """Which of its kinds were done through kdsync, and by whom (userid)."""
    return {str(kind): user for kind, user in origins.users(tx, event.ours).items()}


def _changes(before: tuple[Layout, Row] | None, after: tuple[Layout, Row] | None) -> Iterator[tuple[str, list[Any]]]:
    if before and after:
        old = dict(zip(before[0].heads, before[1], strict=False))
        for key, value in zip(after[0].heads, after[1], strict=False):
            if key in old and not same(old[key], value):
                yield key, [old[key], value]


def _matched(notification: Notification) -> Line:
    content = notification.contents.get("zh") or next(iter(notification.contents.values()))
    return {
        "at": moments.text(notification.created_at),
        "what": "matched",
        "rule": notification.rule,
        "event_id": notification.event_id,
        "notification_id": notification.id,
        "form": notification.form,
        "doc_id": notification.doc_id,
        "kind": notification.kind,
        "state": notification.state,
        "title": content.title,
        "reason": notification.reason,
        "strange": notification.strange,
        "storm": notification.storm,
    }


def _print(lines: list[Line]) -> None:
    table = Table.grid(padding=(0, 2))
    for line in lines:
        table.add_row(clock_time(line["at"]) or "now", line["what"], _words(line))
    page().print(table)


def _words(line: Line) -> str:
    if line["what"] in _TOLD:
        return _TOLD[line["what"]](line)
    if "letter" in line:
        return f"{line['letter'][:SHORT]} to {line['to']} {line['detail']}".rstrip()
    return f"{line['form']} {line['doc_id']}, version {line['version']}"


def _of_change(line: Line) -> str:
    changes = [f"{key}: {old} → {new}" for key, (old, new) in line["changes"].items()]
    head = f"{line['form']} {line['doc_id']} {' '.join(line['kinds'])} (found by {line['found_by']})"
    ours = [f"{kind} by {user or 'somebody'} through kdsync" for kind, user in line["ours"].items()]
    return "\n".join([head, *ours, *changes])


def _of_task(line: Line) -> str:
    waits = "waits" if line["what"] == "assigned" else "no longer waits"
    return f"{line['form']}: {line['node']} {waits} for Kingdee user {line['for']} (since {line['since']})"


def _of_rule(line: Line) -> str:
    told = f"rule {line['rule']}, {line['form']} {line['doc_id']}: {line['title']}"
    return f"{told}\n{line['reason']}" if line["reason"] else told


def _of_storm(line: Line) -> str:
    return f"storm {line['storm'][:SHORT]} of {line['messages']} messages, rule {line['rule']}: {line['title']}"


def _of_member(line: Line) -> str:
    return f"{line['number']} {line['kind']} for {', '.join(line['to'])} ({line['state']})"


def _of_answer(line: Line) -> str:
    told = f"by {line['from'] or 'somebody from outside'}: {line['said']} ({line['state']})"
    return f"{told}\n{line['reason']}" if line["reason"] else told


def _of_card(line: Line) -> str:
    who = f" by {line['by']}" if line["by"] else ""
    told = "" if line["told"] else ", not shown yet"
    reason = f"\n{line['reason']}" if line["reason"] else ""
    return f"on the card, {line['state']}: {line['words'].removeprefix('card_')}{who}{told}{reason}"


def _of_write(line: Line) -> str:
    told = f"{line['operation']} for {line['for']}: {line['outcome']}"
    return f"{told}\n{line['detail']}" if line["detail"] else told


_TOLD: dict[str, Callable[[Line], str]] = {
    "noticed": _of_change,
    "matched": _of_rule,
    "summed up": _of_storm,
    "member": _of_member,
    "assigned": _of_task,
    "decided": _of_task,
    "answered": _of_answer,
    "approval": _of_answer,
    "written": _of_write,
    "shown": _of_card,
}
