"""What becomes of approvals that are finished in DingTalk: one entry of `intake:` in a file of rules, and its meaning.

An intake makes one document of Kingdee of each approval of its process that was agreed to. The approval's business id
is in the document, as its number or in a field of its own, so that no repeat makes a second one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from kdsync.model import Do
from kdsync.rules.actions import FIELD, STATUS_FIELDS
from kdsync.rules.expressions import Names, TextError
from kdsync.rules.filling import Filling, compile_filling, fill
from kdsync.rules.mistakes import ExpressionError, Mistake, RuleError
from kdsync.rules.schema import FORM, ID, Section

As = Literal["draft", "save", "submit", "audit"]
HEAD_KEY = r"^[A-Za-z_][A-Za-z0-9_]*$"
NUMBERS = frozenset({"fbillno", "fnumber"})
GIVEN = frozenset({"fid", "fentryid"})
DEEPEST = 3  # mappings in each other, such as the dimensions of an account
Path = tuple[str | int, ...]


def _text_of_number(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Process = Annotated[str, Field(pattern=r"^\S{1,128}$"), BeforeValidator(_text_of_number)]
Written = Annotated[
    Mapping[str, Any],
    Field(min_length=1, examples=[{"FCausa": "{{ form['事由'] }}", "FProposerID": "{{ applicant | employee }}"}]),
]


class KeySection(Section):
    """Where the approval's business id is kept, if not in the document's number."""

    field: Annotated[str, Field(pattern=HEAD_KEY, examples=["F_KD_APPROVAL"])]
    """A text field of the document's head that nothing else writes."""


class EntrySection(Section):
    """One entry of the document: a row for each row of a table in the approval's form."""

    from_: Annotated[str, Field(alias="from", min_length=1, examples=["费用明细"])]
    """The name of the table in the form."""
    fields: Written
    """Field key: value, in which `row` is the row of the table."""


class IntakeSection(Section):
    """One process of DingTalk, and the document of Kingdee that each of its agreed approvals becomes."""

    id: Annotated[str, Field(pattern=ID, examples=["expense-claim"])]
    """Its name in logs and commands: small letters, digits, `.`, `_` and `-`, the same for ever."""
    process: Annotated[Process, Field(examples=["PROC-3B2E7A52-6F1C-4D7E-9F0A-1C5D8E2B7A90"])]
    """The process code of the approval, from the address of its design page in DingTalk's administration."""
    form: Annotated[str, Field(pattern=FORM, examples=["ER_ExpReimbursement"])]
    """The id of the Kingdee form."""
    key: KeySection | None = None
    """Where the approval's business id is kept; unset: in the document's number."""
    as_: Annotated[As, Field(alias="as", examples=["submit"])] = "save"
    """How far it goes: draft (not checked), save, submit, or submit and audit."""
    fields: Written
    """Field key: value. `{{ form["…"] }}`, `{{ approval.… }}` and `{{ applicant }}` fill in what the approval says."""
    entries: Mapping[str, EntrySection] = {}
    """Key of an entry: the table that its rows come from, and their fields."""
    attachments: Annotated[tuple[str, ...], Field(examples=[["发票"]])] = ()
    """The names of fields of the form whose files are attached to the document."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What fills in one entry."""

    key: str
    table: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CompiledIntake:
    """An intake without mistakes; `key` is the field that holds the business id, None for the document's number."""

    id: str
    process: str
    form: str
    key: str | None
    draft: bool
    do: tuple[Do, ...]  # the steps after it is made
    fields: Mapping[str, Any]
    entries: tuple[Rows, ...] = ()
    attachments: tuple[str, ...] = ()

    @property
    def form_fields(self) -> frozenset[str]:
        """The fields that have to be in the approval's form, its tables and what holds files aside."""
        parts = (self.fields, *(rows.fields for rows in self.entries))
        return frozenset(name for part in parts for one in _fillings(part) for name in one.form)

    @property
    def columns(self) -> Mapping[str, frozenset[str]]:
        """The columns that have to be in tables of the form, by table."""
        found: dict[str, frozenset[str]] = {}
        for rows in self.entries:
            mine = frozenset(name for one in _fillings(rows.fields) for name in one.row)
            found[rows.table] = found.get(rows.table, frozenset()) | mine
        return found

    def model(self, names: Names) -> dict[str, Any]:
        """The document without its key: `Model` of Save with values instead of JSON; nothing is left out of it but
        what the approval leaves empty. ExpressionError, which says of what field, where a value cannot be worked out.
        """
        model = _filled(self.fields, names)
        for rows in self.entries:
            found = [
                _filled(rows.fields, {**names, "row": row}, f" ({row.what})") for row in names["form"].table(rows.table)
            ]
            if found:
                model[rows.key] = found
        return model


def compile_intake(spec: IntakeSection) -> CompiledIntake:
    """Compile one intake; RuleError tells all mistakes at once."""
    mistakes: list[Mistake] = []
    fields = {key: _value(value, ("fields", key), mistakes, row=False) for key, value in spec.fields.items()}
    mistakes += _keys(spec.fields, ("fields",))
    mistakes += _key_is_ours(spec)
    mistakes += _twice(spec)
    entries = tuple(_entry(key, entry, mistakes) for key, entry in spec.entries.items())
    if mistakes:
        raise RuleError(spec.id, mistakes)
    steps = {"submit": ("submit",), "audit": ("submit", "audit")}.get(spec.as_, ())
    return CompiledIntake(
        spec.id,
        spec.process,
        spec.form,
        spec.key.field if spec.key else None,
        spec.as_ == "draft",
        tuple(map(Do, steps)),
        fields,
        entries,
        tuple(dict.fromkeys(spec.attachments)),
    )


def _fillings(part: Any) -> Iterator[Filling]:
    if isinstance(part, Filling):
        yield part
    for inner in part.values() if isinstance(part, Mapping) else ():
        yield from _fillings(inner)


def _filled(fields: Mapping[str, Any], names: Names, place: str = "") -> dict[str, Any]:
    filled = ((key, _value_of(key, part, names, place)) for key, part in fields.items())
    return {key: value for key, value in filled if value is not None}


def _value_of(key: str, part: Any, names: Names, place: str) -> Any:
    try:
        return fill(part, names)
    except ExpressionError as error:
        raise ExpressionError(f"{key}{place}: {error}") from error


def _entry(key: str, entry: EntrySection, mistakes: list[Mistake]) -> Rows:
    path: Path = ("entries", key)
    if not re.fullmatch(HEAD_KEY, key):
        mistakes.append(Mistake(path, f"'{key}' is not the key of an entry", "such as FEntity"))
    mistakes += _keys(entry.fields, (*path, "fields"))
    fields = {name: _value(value, (*path, "fields", name), mistakes, row=True) for name, value in entry.fields.items()}
    return Rows(key, entry.from_, fields)


def _keys(fields: Mapping[str, Any], path: Path) -> Iterator[Mistake]:
    yield from _repeated(fields, path, {})
    for key in fields:
        if not re.fullmatch(FIELD, key) or "." in key:
            yield Mistake((*path, key), f"'{key}' is not the key of a field", "such as FREMARK")
        elif key.lower() in STATUS_FIELDS:
            yield Mistake((*path, key), f"{key} is not filled in", "`as: submit` or `as: audit` moves it")
        elif key.lower() in GIVEN:
            yield Mistake((*path, key), f"{key} is given by Kingdee")


def _twice(spec: IntakeSection) -> Iterator[Mistake]:
    """An entry in the place of a field, or of another entry."""
    return _repeated(spec.entries, ("entries",), {key.lower(): key for key in spec.fields})


def _repeated(keys: Iterable[str], path: Path, before: dict[str, str]) -> Iterator[Mistake]:
    """Keys that stand there already: Kingdee takes them in any case."""
    for key in keys:
        if key.lower() in before:
            yield Mistake((*path, key), f"{before[key.lower()]} is filled in already", "one of them would be lost")
        before.setdefault(key.lower(), key)


def _key_is_ours(spec: IntakeSection) -> Iterator[Mistake]:
    """What holds the business id holds nothing else, and can hold it."""
    if spec.key and spec.key.field.lower() in (*STATUS_FIELDS, *GIVEN):
        hint = "name a text field that nothing else writes, such as F_KD_APPROVAL"
        yield Mistake(("key", "field"), f"{spec.key.field} cannot hold the approval's business id", hint)
    for name in spec.fields:
        if spec.key and name.lower() == spec.key.field.lower():
            yield Mistake(("fields", name), f"{name} is the key: kdsync writes the approval's business id into it")
        elif not spec.key and name.lower() in NUMBERS:
            hint = "remove the line, or name another field for the business id, such as key: {field: F_KD_APPROVAL}"
            yield Mistake(("fields", name), f"{name} is the key: it holds the approval's business id", hint)


def _value(value: Any, path: Path, mistakes: list[Mistake], *, row: bool, depth: int = 0) -> Any:
    if isinstance(value, str) and "{" in value:
        return _compiled(value, path, mistakes, row=row)
    if isinstance(value, Mapping) and value and depth < DEEPEST:
        return {k: _value(v, (*path, k), mistakes, row=row, depth=depth + 1) for k, v in value.items()}
    if not isinstance(value, str | int | float) or value == "":
        hint = "text, {{ … }}, a number, true, false, or {FNumber: CODE} for what has a number"
        mistakes.append(Mistake(path, f"{path[-1]} cannot be filled in like this", hint))
    return value


def _compiled(source: str, path: Path, mistakes: list[Mistake], *, row: bool) -> Any:
    try:
        return compile_filling(source, row=row)
    except TextError as error:
        mistakes += (Mistake(path, *mistake) for mistake in error.mistakes)
        return None
