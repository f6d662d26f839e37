"""Who a Kingdee user, employee or phone number is in DingTalk, as found before; and who of DingTalk was looked up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from kdsync.store import moments
from kdsync.store.schema import people

OF_DINGTALK = "userid:"
"""Begins the keys of those whose userid was looked up; the others stand for somebody of Kingdee's."""
_OF_KINGDEE = people.c.key.not_like(f"{OF_DINGTALK}%")


@dataclass(frozen=True, slots=True)
class Found:
    """An answer: the userid and how it was found, or None and why nobody was."""

    key: str
    userid: str | None
    via: str
    refreshed_at: datetime


def get(tx: Connection, key: str) -> Found | None:
    """The answer for one key, however old."""
    row = tx.execute(select(people).where(people.c.key == key)).mappings().first()
    return Found(key, row["userid"], row["via"], moments.parse(row["refreshed_at"])) if row else None


def put(tx: Connection, found: Found) -> None:
    """Remember an answer."""
    values = {"userid": found.userid, "via": found.via, "refreshed_at": moments.text(found.refreshed_at)}
    row = insert(people).values(key=found.key, **values)
    tx.execute(row.on_conflict_do_update(index_elements=["key"], set_=values))


def stale(tx: Connection, before: datetime, limit: int = 500) -> list[Found]:
    """Answers about people of Kingdee's older than `before`, oldest first."""
    old = (_OF_KINGDEE, people.c.refreshed_at < moments.text(before))
    query = select(people).where(*old).order_by(people.c.refreshed_at)
    rows = tx.execute(query.limit(limit)).mappings()
    return [Found(row["key"], row["userid"], row["via"], moments.parse(row["refreshed_at"])) for row in rows]


def forget(tx: Connection) -> int:
    """Drop all answers about people of Kingdee's; returns how many."""
    return tx.execute(delete(people).where(_OF_KINGDEE)).rowcount
