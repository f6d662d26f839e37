"""What outlives a restart besides documents and messages: the month's calls, refused logins, holds and facts."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from kdsync.store import moments
from kdsync.store.prefixes import LAST
from kdsync.store.schema import calls, facts, logins
from kdsync.store.sealing import MARK, Seal

KEY = "store.key"

ACCOUNT = "account:"
"""Facts about the account set behind an id: JSON [id, name] as a login named it."""

SIGN = "heartbeat"

RELOAD = "reload"
"""A fact as long as rules are in use that are not those of the files: why a reload was refused."""

ACCEPTED = "accepted:"
"""Facts by form: what it shows now is the truth, says an operator; the moment it was said."""
ACCEPTED_FOR = timedelta(days=1)
"""For so long an operator's word waits for a look; what vanishes later is another matter."""


def count_call(tx: Connection, month: str, api: str, *, metered: bool, count: int = 1) -> None:
    """Add to the ledger of one calendar month (`2026-11`)."""
    row = upsert(calls).values(month=month, api=api, metered=int(metered), count=count)
    tx.execute(row.on_conflict_do_update(index_elements=["month", "api"], set_={"count": calls.c.count + count}))


def metered_calls(tx: Connection, month: str) -> int:
    """How many calls of that month count against the organisation's quota."""
    query = select(func.coalesce(func.sum(calls.c.count), 0)).where(calls.c.month == month, calls.c.metered == 1)
    return int(tx.execute(query).scalar_one())


def refused_logins(tx: Connection, since: datetime) -> int:
    """How many passwords were refused since then."""
    query = select(func.count()).select_from(logins).where(logins.c.at >= moments.text(since))
    return int(tx.execute(query).scalar_one())


def refuse_login(tx: Connection, at: datetime) -> None:
    """Note a refused password."""
    tx.execute(insert(logins).values(at=moments.text(at)))


def prove_key(tx: Connection, seal: Seal, at: datetime) -> None:
    """Make sure that `seal` has the key of this store. StoreError where it has another one.

    Otherwise every row would look damaged, and what looks damaged is given up.
    """
    check_key(tx, seal)
    put_fact(tx, KEY, seal.close_bytes(KEY.encode()).hex(), at)


def check_key(tx: Connection, seal: Seal) -> bool | None:
    """Whether the store is sealed by now, with the key of `seal`; None where it was never used. StoreError where it has
    another key."""
    proof = fact(tx, KEY)
    if proof is None:
        return None
    kept = bytes.fromhex(proof)
    seal.open_bytes(kept)
    return kept.startswith(MARK)


def accept(tx: Connection, form: str, now: datetime) -> None:
    """What a form shows at its next look at everything is the truth."""
    put_fact(tx, ACCEPTED + form, moments.text(now), now)


def is_accepted(tx: Connection, form: str, now: datetime) -> bool:
    """Whether an operator said so, and lately."""
    said = fact(tx, ACCEPTED + form)
    return said is not None and moments.parse(said) > now - ACCEPTED_FOR


def put_fact(tx: Connection, key: str, value: str, at: datetime) -> None:
    """Remember one thing under a name."""
    values = {"value": value, "at": moments.text(at)}
    tx.execute(upsert(facts).values(key=key, **values).on_conflict_do_update(index_elements=["key"], set_=values))


def fact(tx: Connection, key: str) -> str | None:
    """What is remembered under a name."""
    return tx.exec_driver_sql("SELECT value FROM facts WHERE key = ?", (key,)).scalar()  # each look asks for several


def facts_like(tx: Connection, prefix: str) -> dict[str, str]:
    """Everything remembered under names that begin so."""
    found = tx.exec_driver_sql("SELECT key, value FROM facts WHERE key >= ? AND key < ?", (prefix, prefix + LAST))
    return {str(key): str(value) for key, value in found}


def sign_of_life(tx: Connection) -> tuple[datetime, datetime] | None:
    """When the daemon last said that it lives: by kdsync's time, and by the machine's clock."""
    row = tx.execute(select(facts.c.value, facts.c.at).where(facts.c.key == SIGN)).first()
    return (moments.parse(row[0]), moments.parse(row[1])) if row else None


def forget_fact(tx: Connection, key: str) -> bool:
    """Forget one thing; tells whether it was there."""
    return tx.execute(delete(facts).where(facts.c.key == key)).rowcount > 0
