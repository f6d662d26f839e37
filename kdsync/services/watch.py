"""One watched form as a look needs it: its columns, its filters, and where its snapshots stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kdsync.model import Facts, Layout
from kdsync.rules.recipients import Recipient
from kdsync.rules.ruleset import Ruleset
from kdsync.services.ports import Known
from kdsync.settings.schema import FormSection
from kdsync.store import forms
from kdsync.store.database import Database
from kdsync.store.documents import Snapshots
from kdsync.store.sealing import Seal
from kdsync.sync.cursor import open_filter
from kdsync.sync.layout import full_layout, key_layout, light_layout, respelled


@dataclass(frozen=True, slots=True)
class Watch:
    """`layout` for documents, `light` for the open look, `keys` for the key look."""

    form: str
    form_id: int
    layout_id: int
    layout: Layout
    light: Layout
    keys: Layout
    snapshots: Snapshots
    by_dates: bool  # False: everything is compared each time
    open_where: str  # "" where the form has no open look
    lookup_of: Callable[[str], str]  # the form that a key refers to

    @property
    def facts(self) -> Facts:
        return self.layout.facts


def prepare(db: Database, seal: Seal, known: Known, account_set: str, ruleset: Ruleset, section: FormSection) -> Watch:
    """Lay out the columns of a form for the rules that are about it."""
    layout = layout_of(known, ruleset, section)
    facts, form = layout.facts, layout.form
    with db.write() as tx:
        form_id = forms.load(tx, account_set, form).form_id
        layout_id = forms.layout_id(tx, form_id, layout)
        stored = forms.stored_layouts(tx, form_id, facts)
    layouts = {**{number: respelled(one, layout) for number, one in stored.items()}, layout_id: layout}
    by_dates = bool(facts.dates) if section.mode is None else section.mode == "dates"
    return Watch(
        form=form,
        form_id=form_id,
        layout_id=layout_id,
        layout=layout,
        light=light_layout(layout),
        keys=key_layout(layout),
        snapshots=Snapshots(form_id, layouts, seal),
        by_dates=by_dates,
        open_where=open_filter(facts.status, facts.open) if facts.status and by_dates else "",
        lookup_of=known.lookup_of,
    )


def layout_of(known: Known, ruleset: Ruleset, section: FormSection) -> Layout:
    """The columns that noticing and the rules of a form need."""
    facts = replace(known.facts, open=section.open or known.facts.open)
    needs = ruleset.needs(facts.form)
    recipients = [recipient for rule in ruleset.of(facts.form) for recipient in rule.everybody]
    people = [key for recipient in recipients if (key := person_key(recipient, facts))]
    return full_layout(facts, [*needs.heads, *people], needs.entries, needs.watched, known.entry_of)


def person_key(recipient: Recipient, facts: Facts) -> str | None:
    """The key of the document that says who this recipient is; None where no key does."""
    if recipient.kind == "manager_of":
        return person_key(recipient.inner, facts)
    if recipient.kind == "field":
        return recipient.value
    keys = {"creator": facts.creator, "modifier": facts.modifier, "approver": facts.approver}
    return keys.get(recipient.kind)


PARTS = ("number", "status", "cancel", "close", "created", "modified", "approved", "creator", "modifier", "approver")


def without(facts: Facts, keys: frozenset[str]) -> Facts:
    """The facts of a form that lacks some standard keys, because Kingdee said so."""
    lacking = {key.casefold() for key in keys}
    gone: dict[str, Any] = {part: None for part in PARTS if str(getattr(facts, part)).casefold() in lacking}
    dates = tuple(key for key in facts.other_dates if key.casefold() not in lacking)
    return replace(facts, other_dates=dates, **gone)
