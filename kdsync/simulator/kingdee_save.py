"""Save and Draft: a Model becomes a document, with the traps that the official operation pages name.

Base data comes as {"FNumber": …}; an unknown number is ignored unless IsVerifyBaseDataField; base data that is not
audited counts as missing. IsDeleteEntry, on by default, deletes the entry rows that were not sent. Keys that the form
does not have are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kdsync.simulator.kingdee_answers import MsgCode, Refusal, error, result, status
from kdsync.simulator.kingdee_documents import DRAFT, Documents
from kdsync.simulator.kingdee_forms import ENTRY_ID, Field, Form, Kind
from kdsync.simulator.kingdee_steps import EDIT
from kdsync.simulator.kingdee_tables import Record

NUMBER_KEYS = ("FNumber", "FNUMBER", "FUserAccount", "FStaffNumber")


def switched(data: Mapping[str, Any], key: str, default: bool) -> bool:
    """An option that callers write as true or as "true"."""
    return str(data.get(key, default)).lower() == "true"


def save(documents: Documents, form: Form, data: Mapping[str, Any], user: int, *, draft: bool) -> dict[str, Any]:
    """The answer to Save or Draft. Raises `Refusal`."""
    model = data.get("Model")
    if not isinstance(model, Mapping):
        raise Refusal(MsgCode.PARAMETER, "传入的参数Model不能为空")
    try:
        doc_id = _Model(documents, form, data, model).write(user, draft=draft)
    except KeyError:
        raise Refusal(MsgCode.NO_DATA, "单据不存在或已被删除") from None
    except ValueError as problem:
        raise Refusal(MsgCode.INVALID, str(problem)) from None
    return _saved(documents, form, doc_id, data.get("NeedReturnFields") or ())


def _saved(documents: Documents, form: Form, doc_id: int | str, wanted: Sequence[str]) -> dict[str, Any]:
    head = documents.shown(form, doc_id)
    number = head.get(form.number, "")
    done = {"Id": doc_id, "Number": number, "DIndex": 0}
    returned = {key: head[key] for key in wanted if key in head}
    return result(status(done=[done]), Id=doc_id, Number=number, NeedReturnData=[returned] if returned else [{}])


class _Model:
    """What one Model wants of one document."""

    def __init__(self, documents: Documents, form: Form, data: Mapping[str, Any], model: Mapping[str, Any]) -> None:
        self._documents = documents
        self._form = form
        self._model = model
        self._verify = switched(data, "IsVerifyBaseDataField", default=False)
        self._delete = switched(data, "IsDeleteEntry", default=True)
        self._only = set(data.get("NeedUpDateFields") or ())

    def write(self, user: int, *, draft: bool) -> int | str:
        """Create or edit; the document's id."""
        doc_id = self._model.get(self._form.pk) or 0
        return self._edit(doc_id, user) if doc_id else self._create(user, draft=draft)

    def _create(self, user: int, *, draft: bool) -> int | str:
        fields = self._fields(self._form.heads, self._model)
        given = fields.pop(self._form.number, None)
        number = str(given) if given else "" if draft else None
        if number and self._documents.tables.ids(self._form, number):
            raise Refusal(
                MsgCode.INVALID, f"违反字段唯一性要求：编码唯一。[{number}]在当前系统中已经被使用。", self._form.number
            )
        entries = {entry: self._rows(entry, []) for entry in self._form.entries}
        born = DRAFT if draft else "A"
        return self._documents.create(self._form, user, number=number, status=born, entries=entries, fields=fields)

    def _edit(self, doc_id: int | str, user: int) -> int | str:
        record = self._documents.record(self._form, doc_id)
        EDIT.check(self._form, record)
        fields = self._fields(self._form.heads, self._model)
        if self._only:
            fields = {key: value for key, value in fields.items() if key in self._only}
        self._documents.edit(
            self._form, doc_id, self._documents.stamp(user), fields=fields, entries=self._edited(record)
        )
        return record.id

    def _edited(self, record: Record) -> dict[str, list[dict[str, Any]]]:
        entries = {}
        for entry in self._form.entries:
            standing = [{"FEntryID": row[ENTRY_ID]} for row in record.entries[entry]]
            untouched = self._only and entry not in self._only
            entries[entry] = standing if untouched else self._rows(entry, standing)
        return entries

    def _rows(self, entry: str, standing: list[dict[str, Any]]) -> list[dict[str, Any]]:
        ids = {row["FEntryID"] for row in standing}
        sent = [dict(row) for row in self._model.get(entry) or ()]
        rows = []
        for row in sent:
            entry_id = row.get("FEntryID") or None
            if entry_id is not None and entry_id not in ids:
                raise Refusal(MsgCode.NO_DATA, f"分录内码{entry_id}不存在", entry)
            fields = self._fields(self._form.entries[entry], row)
            rows.append({**fields, **({"FEntryID": entry_id} if entry_id else {})})
        kept = {row.get("FEntryID") for row in rows}
        left = [] if self._delete else [row for row in standing if row["FEntryID"] not in kept]
        return left + rows

    def _fields(self, known: Sequence[Field], given: Mapping[str, Any]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for item in known:
            if item.key not in given or item.key == self._form.status:
                continue
            value = given[item.key]
            fields[item.key] = self._pointed(item, value) if item.kind is Kind.REFERENCE else value
        return fields

    def _pointed(self, item: Field, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        number = next((str(value[key]) for key in NUMBER_KEYS if value.get(key)), "")
        user = str(value.get("FUserID") or "")
        found = self._by_number(item, number) if number else self._user(item, user)
        if found is None and (number or user) and self._verify:
            raise Refusal(MsgCode.NO_FIELD, f"字段“{item.key}”的值“{number or user}”不存在", item.key)
        return found

    def _user(self, item: Field, user: str) -> Mapping[str, Any] | None:
        """A user stands in a model by the id, since users have no number."""
        return self._documents.lookup(item.target, int(user)) if user.isascii() and user.isdigit() else None

    def _by_number(self, item: Field, number: str) -> Mapping[str, Any] | None:
        try:
            target = self._documents.tables.form(item.target)
        except Refusal:
            return self._documents.known(item.target, number)
        ids = self._documents.tables.ids(target, number)
        if not ids:
            return self._documents.known(item.target, number)
        record = self._documents.record(target, ids[0])
        if target.status and record.head[target.status] != "C":
            raise Refusal(MsgCode.INVALID, f"字段“{item.key}”是必填项", item.key)
        return self._documents.lookup(target.id, ids[0])


def failed(refusals: Sequence[tuple[int, Refusal]], done: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The answer where documents were refused, each with its position in the request."""
    errors = [error(refusal.message, index, refusal.field) for index, refusal in refusals]
    return result(status(errors, done, refusals[0][1].code))
