"""What kdsync's own writes did to documents, until a change that is noticed has met each of them.

`met` of a write is '' as long as a change can still be explained by it; then the event that met it, or `NEVER`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, bindparam, func, or_, select, update

from kdsync import logs
from kdsync.errors import StoreError
from kdsync.model import Transition
from kdsync.store import moments
from kdsync.store.documents import ours_of, text_of
from kdsync.store.inbox import WAITING
from kdsync.store.intake import TAKEN
from kdsync.store.notifications import MATCHED
from kdsync.store.schema import events, forms, inbox, notifications, writes
from kdsync.store.sealing import Seal
from kdsync.store.writes import MAYBE, NEVER, REFUSED, UNSENT, VERIFIED
from kdsync.store.writes import note as note_outcome
from kdsync.sync import identity
from kdsync.sync.origin import OwnWrite, Standing

log = logs.get("store")
OWN = "own"  # state of a notification that is not sent: what it tells of was done through kdsync
WORKED_ON = (WAITING, TAKEN)  # states of what may still be written for
UNHEARD = timedelta(hours=1)  # so long can a write still be carried out of which nothing was heard
# Left to itself, SQLite walks through all writes in order rather than through the index of the few that are unmet.
_UNMET = (
    "SELECT id, inbox_id, step, doc_id, number, operation, outcome, wanted, showed, "
    "operation IN ('approve', 'reject') AND EXISTS (SELECT 1 FROM tasks AS t WHERE t.number = writes.number "
    "AND t.form = writes.form COLLATE NOCASE AND t.item_id <> target AND t.seen_at > at) AS is_followed "
    "FROM writes INDEXED BY ix_writes_unmet "
    "WHERE met = '' AND form = ? COLLATE NOCASE AND outcome IN ('intended', 'accepted', 'unknown', 'verified') "
    "ORDER BY id"
)
Place = tuple[int, str, int]
"""Form, document and version: where an event stands in its table."""


def unmet(tx: Connection, seal: Seal, form: str) -> list[OwnWrite]:
    """The steps done or under way on documents of a form that no change was explained by, in order.

    Tries of one step are one: at most one of them did it.
    """
    steps: dict[tuple[str, int], OwnWrite] = {}
    for row in tx.exec_driver_sql(_UNMET, (form,)).mappings():
        found = _own(row, seal)
        if found:
            steps[row["inbox_id"], row["step"]] = found
    return sorted(steps.values(), key=lambda one: one.ident)


def meet(tx: Connection, ident: int, place: Place) -> None:
    """A change was explained by that step: it explains no other.

    Where the step was refused since the change was compared, the change is not ours after all.
    """
    step = select(writes.c.inbox_id, writes.c.step).where(writes.c.id == ident).subquery()
    mine = and_(writes.c.inbox_id == step.c.inbox_id, writes.c.step == step.c.step, writes.c.met == "")
    if not tx.execute(update(writes).where(mine).values(met=_text(place))).rowcount:
        _disown(tx, {ident}, place)


def note(tx: Connection, ident: int, outcome: str, detail: str = "") -> None:
    """What came of a write. What was taken for the effect of one that was not done is somebody else's: told now."""
    row = tx.execute(select(writes).where(writes.c.id == ident)).mappings().one()
    note_outcome(tx, ident, outcome, detail)
    if outcome in (REFUSED, UNSENT):
        _refused(tx, row)


def _refused(tx: Connection, row: RowMapping) -> None:
    tx.execute(update(writes).where(writes.c.id == row["id"]).values(met=NEVER))
    step = select(writes.c.id, writes.c.outcome).where(
        writes.c.inbox_id == row["inbox_id"], writes.c.step == row["step"]
    )
    tries = tx.execute(step).all()
    if row["met"] not in ("", NEVER) and not any(outcome in (*MAYBE, VERIFIED) for _, outcome in tries):
        _disown(tx, {other for other, _ in tries}, _place(row["met"]))


def settled(tx: Connection, form: str, now: datetime) -> dict[int, str]:
    """The unmet writes to documents of a form that can do nothing new to them from now on, with the documents' ids.

    A look at the document which begins afterwards meets them, or nothing ever will. "" is one that nobody knows of.
    """
    found = tx.execute(_settled(), {"form": form.lower(), "heard": moments.text(now - UNHEARD)})
    return {row.id: row.doc_id for row in found}


@cache
def _settled() -> Select[Any]:
    """Built once: every look asks."""
    answered = select(inbox.c.id).where(inbox.c.id == writes.c.inbox_id, inbox.c.state.not_in(WORKED_ON)).exists()
    unheard = and_(writes.c.outcome.in_(MAYBE), or_(answered, writes.c.at < bindparam("heard")))
    mine = (writes.c.met == "", func.lower(writes.c.form) == bindparam("form"))
    return select(writes.c.id, writes.c.doc_id).where(*mine, or_(writes.c.outcome == VERIFIED, unheard))


def pass_over(tx: Connection, idents: Sequence[int]) -> None:
    """A look at their documents met none of these: what they did was undone before anybody looked."""
    tx.execute(update(writes).where(writes.c.id.in_(idents), writes.c.met == "").values(met=NEVER))


def users(tx: Connection, ours: Mapping[Transition, int]) -> dict[Transition, str]:
    """By kind of event, the userid of who asked kdsync for it."""
    query = select(writes.c.id, writes.c.user).where(writes.c.id.in_(list(ours.values())))
    names = {row.id: row.user for row in tx.execute(query)}
    return {kind: names.get(ident, "") for kind, ident in ours.items()}


def _disown(tx: Connection, idents: set[int], place: Place) -> None:
    """An event is not, or not only, what these writes did: what was not told of it for their sake is told now."""
    form_id, doc_id, version = place
    mine = (events.c.form_id == form_id, events.c.doc_id == doc_id, events.c.version == version)
    ours = ours_of(tx.execute(select(events.c.ours).where(*mine)).scalar())
    lost = [kind for kind, ident in ours.items() if ident in idents]
    if not lost:
        return
    left = {kind: ident for kind, ident in ours.items() if kind not in lost}
    tx.execute(update(events).where(*mine).values(ours=text_of(left)))
    form = tx.execute(select(forms.c.account_set, forms.c.form).where(forms.c.id == form_id)).one()
    told = [identity.event_id(form.account_set, form.form, doc_id, version, kind) for kind in lost]
    unsent = (notifications.c.event_id.in_(told), notifications.c.state == OWN)
    released = tx.execute(update(notifications).where(*unsent).values(state=MATCHED, reason="")).rowcount
    log.warning("change.not_ours", doc_id=doc_id, version=version, kinds=[str(kind) for kind in lost], told=released)


def _own(row: RowMapping, seal: Seal) -> OwnWrite | None:
    """One step; None where what is stored of it cannot be read: then the change is told, as anybody's is."""
    try:
        wanted, showed = _opened(seal, row["wanted"]), _opened(seal, row["showed"])
    except StoreError:
        log.error("write.damaged", bill_no=row["number"], operation=row["operation"])
        return None
    return OwnWrite(
        ident=row["id"],
        operation=row["operation"],
        doc_id=row["doc_id"],
        number=row["number"],
        before=_standing(wanted),
        after=_standing(showed),
        fields=(showed or wanted).get("fields", {}),
        is_followed=bool(row["is_followed"]),
    )


def _opened(seal: Seal, stored: bytes | None) -> dict[str, Any]:
    found = seal.open(stored) if stored else {}
    if not isinstance(found, dict):
        raise StoreError("what is stored of a write is damaged")
    return found


def _standing(stored: Mapping[str, Any]) -> Standing | None:
    return Standing(*map(str, stored["standing"])) if "standing" in stored else None


def kept(seal: Seal, standing: Iterable[str], fields: Mapping[str, Any]) -> bytes:
    """What a document showed, or what is to be written into it, as the table of writes has it."""
    return seal.close({"standing": list(standing), "fields": dict(fields)})


def _text(place: Place) -> str:
    form_id, doc_id, version = place
    return f"{form_id}/{version}/{doc_id}"


def _place(met: str) -> Place:
    form_id, version, doc_id = met.split("/", 2)
    return int(form_id), doc_id, int(version)
