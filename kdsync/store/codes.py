"""Whose one-time codes count: each secret, sealed with its owner's name, and what was tried.

A step of time counts once, and only later ones after it, so that no code can be used again.
"""

from __future__ import annotations

import sqlite3
from base64 import b64decode, b64encode
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, RowMapping, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from kdsync.errors import StoreError
from kdsync.store import moments
from kdsync.store.schema import codes
from kdsync.store.sealing import Seal


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Somebody who has codes. `last_step` was used last; `wrong` counts the wrong ones since the last right one."""

    userid: str
    enrolled_at: datetime
    last_step: int
    wrong: int
    locked_until: datetime | None


def enrol(tx: Connection, seal: Seal, userid: str, secret: bytes, now: datetime, last_step: int) -> bool:
    """Keep a secret; False where there is one already."""
    sealed = seal.close({"userid": userid, "secret": b64encode(secret).decode()})
    row = {"userid": userid, "secret": sealed, "enrolled_at": moments.text(now), "last_step": last_step, "wrong": 0}
    return tx.execute(insert(codes).values(**row).on_conflict_do_nothing()).rowcount > 0


def find(tx: Connection, userid: str) -> Enrolled | None:
    """What is known of somebody, but the secret."""
    row = tx.execute(select(codes).where(codes.c.userid == userid)).mappings().first()
    return _enrolled(row) if row else None


def listing(tx: Connection) -> list[Enrolled]:
    """Everybody who has codes."""
    return [_enrolled(row) for row in tx.execute(select(codes).order_by(codes.c.userid)).mappings()]


def secret(tx: Connection, seal: Seal, userid: str) -> bytes:
    """Somebody's secret. Raises StoreError where it cannot be read, or is not theirs."""
    sealed = tx.execute(select(codes.c.secret).where(codes.c.userid == userid)).scalar_one()
    kept: Any = seal.open(sealed)
    if not isinstance(kept, dict) or kept.get("userid") != userid:
        raise StoreError(f"the secret that is stored for {userid} is not theirs")
    return b64decode(str(kept.get("secret")))


def remove(tx: Connection, userid: str) -> bool:
    """Forget somebody's secret, and a lock with it; False where there is none."""
    return tx.execute(delete(codes).where(codes.c.userid == userid)).rowcount > 0


def spend(tx: Connection, userid: str, step: int) -> bool:
    """The code of `step` is used; False where it was before, or a later one."""
    mine = update(codes).where(codes.c.userid == userid, codes.c.last_step < step)
    return tx.execute(mine.values(last_step=step, wrong=0, locked_until=None)).rowcount > 0


def count_wrong(tx: Connection, userid: str, wrong: int) -> None:
    """So many wrong codes came since the last right one."""
    tx.execute(update(codes).where(codes.c.userid == userid).values(wrong=wrong))


def lock(tx: Connection, userid: str, until: datetime) -> None:
    """No code of theirs is looked at before `until`; counting begins anew then."""
    tx.execute(update(codes).where(codes.c.userid == userid).values(wrong=0, locked_until=moments.text(until)))


def peek(path: Path) -> list[str] | None:
    """Who has codes in a store that is perhaps in use, without touching it; None where it does not tell."""
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=1.0)) as store:
            return [str(row[0]) for row in store.execute("SELECT userid FROM codes ORDER BY userid")]
    except sqlite3.Error:
        return None


def _enrolled(row: RowMapping) -> Enrolled:
    until = row["locked_until"]
    return Enrolled(
        userid=row["userid"],
        enrolled_at=moments.parse(row["enrolled_at"]),
        last_step=row["last_step"],
        wrong=row["wrong"],
        locked_until=moments.parse(until) if until else None,
    )
