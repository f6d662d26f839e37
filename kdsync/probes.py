"""Asks the two systems what a configuration needs of them: for `check --live` and `doctor`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from kdsync.bridges import KingdeeSource
from kdsync.dingtalk.approval_forms import FormField, form_of
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.components import TABLE
from kdsync.dingtalk.contacts import Contacts
from kdsync.errors import UnknownFieldError
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.metadata import learn
from kdsync.kingdee.query import literal, select
from kdsync.model import Layout
from kdsync.rules.actions import CompiledAction
from kdsync.rules.intake import CompiledIntake
from kdsync.rules.mistakes import did_you_mean
from kdsync.rules.recipients import Recipient
from kdsync.services.approval_names import HOLDERS
from kdsync.services.watch import layout_of
from kdsync.settings.load import Loaded

HEADS_ONLY = "name a field of the head; in expressions, rows are doc.entries"
"""What to do about a field that is `misplaced`."""
MOST_ACCOUNTS = 100  # in one question
MOST_FIELDS = 30  # wrong fields of one form that are looked for; Kingdee names one at a time


def forms(loaded: Loaded) -> list[str]:
    """Every form that a rule or an action is about."""
    found: dict[str, str] = {}
    for form in (*loaded.ruleset.forms, *(action.form for action in loaded.actions)):
        found.setdefault(form.lower(), form)
    return list(found.values())


def form_layout(source: KingdeeSource, loaded: Loaded, form: str) -> Layout:
    """The columns that rules and actions on a form need, as the daemon would ask for them. Raises EdgeError."""
    section = loaded.settings.main.of_form(form)
    actions = _on(loaded, form)
    rows = loaded.ruleset.needs(form).entries.union(*(action.entries for action in actions))
    known = source.facts(form, rows)
    layout = layout_of(known, loaded.ruleset, section)
    return _with(layout, {key for action in actions for key in action.heads if not known.entry_of(key)}, rows)


def _on(loaded: Loaded, form: str) -> list[CompiledAction]:
    return [action for action in loaded.actions if action.form.lower() == form.lower()]


def _with(layout: Layout, heads: Iterable[str], rows: Iterable[str]) -> Layout:
    """The layout with these keys as well."""
    has = {key.casefold() for key in (*layout.heads, *layout.entries)}
    more = tuple(key for key in sorted(heads) if key.casefold() not in has)
    entries = tuple(key for key in sorted(rows) if key.casefold() not in has) if layout.facts.entry else ()
    return replace(layout, heads=(*layout.heads, *more), entries=(*layout.entries, *entries))


def misplaced(source: KingdeeSource, loaded: Loaded, form: str) -> Iterator[tuple[str, str, str]]:
    """(field, entry, whose) of what rules and actions take for fields of the head, which they never see there.

    Raises EdgeError.
    """
    readers = [(f"rule {rule.id}", rule.read, rule.needs.entries) for rule in loaded.ruleset.of(form)]
    readers += [(f"action {action.id}", action.heads, action.entries) for action in _on(loaded, form)]
    for whose, heads, rows in readers:
        known = source.facts(form, rows)
        for key in sorted(heads):
            if entry := known.entry_of(key):
                yield key, entry, whose


def unknown_fields(source: KingdeeSource, layout: Layout) -> Iterator[UnknownFieldError]:
    """The fields of a layout that Kingdee does not have; one request where all are there. Raises EdgeError."""
    for _ in range(MOST_FIELDS):
        try:
            next(source.some(layout))
        except UnknownFieldError as error:
            yield error
            smaller = without(layout, [error.field])
            if smaller == layout:
                return
            layout = smaller
        else:
            return


def unknown_intake_keys(client: KingdeeClient, intake: CompiledIntake) -> Iterator[tuple[str, str]]:
    """(field or entry, what is wrong with it) of what an intake fills in and Kingdee's form does not have.

    Nothing where this server tells nobody what its forms have. Raises EdgeError.
    """
    _, told = learn(client, intake.form)
    if told is not None:
        heads = (*intake.fields, *((intake.key,) if intake.key else ()))
        yield from told.lacks(heads, {rows.key: rows.fields for rows in intake.entries})


def unknown_form_fields(client: DingTalkClient, intake: CompiledIntake) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it) of what an intake reads and the approval's form lacks. Raises EdgeError.

    Nothing where the form has fields that DingTalk does not tell of.
    """
    form = form_of(client, intake.process)
    if not form.whole:
        return
    for name in sorted(intake.form_fields - form.fields.keys()):
        yield name, did_you_mean(name, form.fields)
    for table, columns in intake.columns.items():
        yield from _unknown_columns(form.fields, table, columns)
    holders = [label for label, one in form.fields.items() if _holds_files(one)]
    for name in intake.attachments:
        if name not in holders:
            yield name, f"files are in {', '.join(holders) or 'none of its fields'}"


def _unknown_columns(form: Mapping[str, FormField], table: str, columns: frozenset[str]) -> Iterator[tuple[str, str]]:
    tables = {name: one.columns for name, one in form.items() if one.kind == TABLE}
    if table not in tables:
        yield table, did_you_mean(table, tables) or f"its tables are {', '.join(tables) or 'none'}"
        return
    for column in sorted(columns - tables[table].keys()):
        yield f"{table}.{column}", did_you_mean(column, tables[table])


def _holds_files(one: FormField) -> bool:
    return any(kind in HOLDERS for kind in (one.columns.values() if one.kind == TABLE else (one.kind,)))


def named_users(loaded: Loaded) -> dict[str, str]:
    """Every DingTalk userid that the configuration names, and where."""
    found = {userid: f"users.{account}" for account, userid in loaded.settings.directory.users.items()}
    for role, members in loaded.settings.directory.roles.items():
        found.update({one.value: f"roles.{role}" for one in members if one.kind == "user"})
    found.update({one.value: where for where, one in recipients(loaded) if one.kind == "user"})
    fallback = loaded.settings.main.fallback
    return {**found, **{one.value: "fallback" for one in fallback if one.kind == "user"}}


def invisible_users(contacts: Contacts, loaded: Loaded, enrolled: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
    """(userid, where it is named) of the people that the app cannot see. Raises EdgeError."""
    for userid, where in {**dict.fromkeys(enrolled, "one-time codes"), **named_users(loaded)}.items():
        if contacts.user(userid) is None:
            yield userid, where


def unknown_accounts(client: KingdeeClient, loaded: Loaded) -> list[str]:
    """The accounts of `users:` that Kingdee shows no user with: misspelt, renamed or deleted. Raises EdgeError."""
    accounts = list(loaded.settings.directory.users)
    rows: list[str] = []
    for start in range(0, len(accounts), MOST_ACCOUNTS):
        listed = ",".join(map(literal, accounts[start : start + MOST_ACCOUNTS]))
        found = select(client, "SEC_User", ("FUserID", "FUserAccount"), f"FUserAccount in ({listed})")
        rows += (str(row["FUserAccount"]).casefold() for row in found)
    return [account for account in accounts if account.casefold() not in rows]


def recipients(loaded: Loaded) -> Iterator[tuple[str, Recipient]]:
    """Whom rules tell and actions allow, past any `manager_of:`, and where they stand."""
    for rule in loaded.ruleset.rules:
        yield from ((f"rule {rule.id}", innermost(one)) for one in rule.everybody)
    for action in loaded.actions:
        yield from ((f"action {action.id}", innermost(one)) for one in action.allow)


def users_of(loaded: Loaded, form: str, key: str) -> list[str]:
    """The rules and actions on a form that need a field."""
    rules = [rule.id for rule in loaded.ruleset.of(form) if rule.needs.include(key)]
    return rules + [f"action {action.id}" for action in _on(loaded, form) if _needs(action, key)]


def _needs(action: CompiledAction, key: str) -> bool:
    wanted = key.casefold()
    return any(wanted in (one.casefold(), one.partition(".")[0].casefold()) for one in action.heads | action.entries)


def innermost(recipient: Recipient) -> Recipient:
    """Whom a recipient is about, past any `manager_of:`."""
    return innermost(recipient.inner) if recipient.kind == "manager_of" else recipient


def without(layout: Layout, keys: Iterable[str]) -> Layout:
    """The layout without some of its keys."""
    gone = {key.casefold() for key in keys}
    heads = tuple(name for name in layout.heads if name.casefold() not in gone)
    return replace(layout, heads=heads, entries=tuple(name for name in layout.entries if name.casefold() not in gone))
