"""The cursor of each watched form, and the columns that its rows are stored in."""

from __future__ import annotations

from dataclasses import dataclass, replace

import orjson
from sqlalchemy import Connection, RowMapping, insert, select, update

from kdsync.model import Facts, Layout
from kdsync.rules.ruleset import Ruleset
from kdsync.store.schema import forms, layouts
from kdsync.sync.layout import ENTRIES

MIXED = 0
"""In place of a layout's number: rows are stored in several."""
_STORED = (
    "UPDATE forms SET layout_id = CASE WHEN layout_id IS NULL THEN ?2 ELSE 0 END "
    "WHERE id = ?1 AND layout_id IS NOT ?2 AND layout_id IS NOT 0"
)


@dataclass(frozen=True, slots=True)
class FormCursor:
    """How far one form was looked through. Texts as in the table `forms`."""

    form_id: int
    form: str
    newest: str
    layout_id: int | None
    resume_after: str | None
    first_look_from: str | None
    baselined_at: str | None
    last_ok_at: str | None
    last_error: str | None
    alarm: str | None


def load(tx: Connection, account_set: str, form: str) -> FormCursor:
    """The cursor of a form; a form seen for the first time gets an empty one."""
    key = (forms.c.account_set == account_set) & (forms.c.form == form)
    if tx.execute(select(forms.c.id).where(key)).first() is None:
        tx.execute(insert(forms).values(account_set=account_set, form=form, newest=""))
    return _cursor(tx.execute(select(forms).where(key)).mappings().one())


def as_stored(tx: Connection, account_set: str, ruleset: Ruleset) -> Ruleset:
    """The rules, their forms spelled as here: by another spelling a form would be a new one, with a first look."""
    stored = [cursor.form for cursor in everything(tx, account_set)]
    small = {form.lower(): form for form in stored}
    others = {form.lower(): small.get(form.lower(), form) for form in ruleset.forms if form not in stored}
    return replace(ruleset, spelled=others)


def by_id(tx: Connection, form_id: int) -> FormCursor:
    """The cursor with that number."""
    return _cursor(tx.exec_driver_sql("SELECT * FROM forms WHERE id = ?", (form_id,)).mappings().one())


def everything(tx: Connection, account_set: str) -> list[FormCursor]:
    """The cursors of all forms that were ever watched in this account set."""
    rows = tx.execute(select(forms).where(forms.c.account_set == account_set).order_by(forms.c.form))
    return [_cursor(row) for row in rows.mappings()]


def save(tx: Connection, form_id: int, **values: str | int | None) -> None:
    """Set columns of one cursor."""
    tx.execute(update(forms).where(forms.c.id == form_id).values(**values))


def note_layout(tx: Connection, form_id: int, number: int) -> None:
    """Rows of the form are stored in that layout: if others are in another one, all must be looked at."""
    tx.exec_driver_sql(_STORED, (form_id, number))


def layout_id(tx: Connection, form_id: int, layout: Layout) -> int:
    """The number under which a layout is stored."""
    parts = {"heads": layout.heads, "entries": layout.entries, "watched": sorted(layout.watched)}
    columns = orjson.dumps(parts).decode()
    key = (layouts.c.form_id == form_id) & (layouts.c.columns == columns)
    found = tx.execute(select(layouts.c.id).where(key)).scalar()
    if found is None:
        tx.execute(insert(layouts).values(form_id=form_id, columns=columns))
        found = tx.execute(select(layouts.c.id).where(key)).scalar_one()
    return int(found)


def stored_layouts(tx: Connection, form_id: int, facts: Facts) -> dict[int, Layout]:
    """Every layout that rows of this form may be stored in."""
    rows = tx.execute(select(layouts.c.id, layouts.c.columns).where(layouts.c.form_id == form_id))
    found = {}
    for number, columns in rows:
        parts = orjson.loads(columns)
        heads, entries = tuple(parts["heads"]), tuple(parts["entries"])
        watched = frozenset(parts.get("watched", (*heads, *entries, ENTRIES)))  # all, before it was written down
        found[number] = Layout(facts, heads, entries, watched)
    return found


def raw_layouts(tx: Connection, form_id: int) -> dict[int, Layout]:
    """The same where nothing else is known of the form than what the store says."""
    return stored_layouts(tx, form_id, Facts(""))


def _cursor(row: RowMapping) -> FormCursor:
    values = dict(row)
    values.pop("account_set")
    return FormCursor(form_id=values.pop("id"), **values)
