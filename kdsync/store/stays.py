"""Documents that came into approval, as the events of their submission tell."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

UNSEEN = "tasks unseen"
"""Fact: tasks could not be read at the last look; they were, at that moment."""
UNREAD = "tasks unread:"
"""Facts by form: its tasks cannot be read, and submissions noticed from that moment on are still to be told."""
# A form has few open documents, many others and more events; the planner does not know that, and CROSS tells it.
_SINCE = (
    "SELECT e.doc_id, e.version, d.number, coalesce((SELECT max(b.noticed_at) FROM events AS b "
    "WHERE b.form_id = e.form_id AND b.doc_id = e.doc_id AND b.version < e.version), '') "
    "FROM documents AS d {index} {join} JOIN events AS e ON e.form_id = d.form_id AND e.doc_id = d.doc_id "
    "WHERE d.form_id = ? AND {mine} AND e.noticed_at >= ? AND instr(e.kinds, 'submitted') > 0 "
    "ORDER BY e.doc_id, e.version"
)
_OPEN = _SINCE.format(index="INDEXED BY ix_documents_open", join="CROSS", mine="d.is_open = 1")
_ALL = _SINCE.format(index="", join="INNER", mine="d.is_gone = 0")
_LATEST = "SELECT max(version) FROM events WHERE form_id = ? AND doc_id = ? AND instr(kinds, 'submitted') > 0"


@dataclass(frozen=True, slots=True)
class Stay:
    """One time that a document was submitted: the version of its snapshot then stands for it.

    `before` is when the step before that was noticed, "" where there was none.
    """

    doc_id: str
    version: int
    number: str
    before: str


def since(tx: Connection, form_id: int, moment: str, *, has_open: bool) -> list[Stay]:
    """The submissions that were noticed from `moment` on, of each document the last; `has_open`: the form has an open
    look, so that whatever waits is marked as open."""
    rows = tx.exec_driver_sql(_OPEN if has_open else _ALL, (form_id, moment))
    return list({stay.doc_id: stay for stay in (Stay(*row) for row in rows)}.values())


def latest(tx: Connection, form_id: int, doc_id: str) -> int | None:
    """The version of a document's last submission; None where none was noticed."""
    found = tx.exec_driver_sql(_LATEST, (form_id, doc_id)).scalar()
    return None if found is None else int(found)
