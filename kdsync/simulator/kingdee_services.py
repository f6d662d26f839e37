"""The WebAPI services behind the login: queries, View, QueryBusinessInfo and what changes documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kdsync.exact import dumps
from kdsync.simulator.kingdee_answers import MsgCode, Refusal, no_permission, result, status
from kdsync.simulator.kingdee_attachments import UPLOADS, Attachments
from kdsync.simulator.kingdee_documents import Documents
from kdsync.simulator.kingdee_forms import ENTRY_ID, ENTRY_SEQ, Field, Form, Kind
from kdsync.simulator.kingdee_push import Pusher
from kdsync.simulator.kingdee_query import run_query
from kdsync.simulator.kingdee_save import failed, save, switched
from kdsync.simulator.kingdee_steps import OPERATIONS
from kdsync.simulator.kingdee_tables import Columns
from kdsync.simulator.kingdee_values import show
from kdsync.simulator.kingdee_workflow import Workflow
from kdsync.simulator.kingdee_workflow_audit import workflow_audit

QUERIES = frozenset({"ExecuteBillQuery", "BillQuery"})
READS = frozenset({"View", "QueryBusinessInfo", "AttachmentDownLoad"})
STEPS = frozenset({"Submit", "Audit", "UnAudit", "Delete", "CancelAssign"})
ANY_STEP = frozenset({"ExecuteOperation", "ExcuteOperation"})
WRITES = STEPS | ANY_STEP | UPLOADS | {"Save", "Draft", "WorkflowAudit", "Push"}
MOST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a service; `fault` is the name of what goes wrong inside it, or empty."""

    service: str
    form: str
    operation: str
    data: Mapping[str, Any]
    user: int
    fault: str = ""


class Services:
    """Answers calls. `grants` says by form id what the user may see: True, False or a FilterString."""

    def __init__(
        self, documents: Documents, workflow: Workflow, pusher: Pusher, attachments: Attachments, max_page: int
    ) -> None:
        self.grants: dict[str, bool | str] = {}
        self._attachments = attachments
        self._pusher = pusher
        self._workflow = workflow
        self._documents = documents
        self._tables = documents.tables
        self._most = min(max_page, MOST_ROWS)

    def answer(self, call: Call) -> tuple[bytes, int]:
        """The answer's JSON and how many rows it has. Raises `Refusal`."""
        self._documents.settle()
        if call.service in QUERIES:
            return self._query(call)
        return dumps(self._one(call)), 0

    def _query(self, call: Call) -> tuple[bytes, int]:
        seen = False if call.fault == "no_rows" else self._granted(str(call.data.get("FormId") or ""))
        return run_query(
            self._tables,
            call.data,
            named=call.service == "BillQuery",
            most=self._most,
            visible=seen if isinstance(seen, str) else "" if seen else "1=0",
            shorten=call.fault == "short_page",
        )

    def _granted(self, form: str) -> bool | str:
        return self.grants.get(form.casefold(), True)

    def _one(self, call: Call) -> dict[str, Any]:
        if call.service == "QueryBusinessInfo":
            return describe(self._form(str(call.data.get("FormId") or "")))
        if call.service == "AttachmentDownLoad":
            return self._attachments.download(call.data)
        form = self._form(call.form or str(call.data.get("FormId") or ""))
        if self._granted(form.id) is False:
            raise no_permission(form.id)
        return self._about(form, call)

    def _about(self, form: Form, call: Call) -> dict[str, Any]:
        """The answer of a service that is about documents of a form."""
        if call.service == "View":
            return self._view(form, call.data)
        if call.service in UPLOADS:
            return self._attachments.upload(form, call.data, call.user)
        if call.service in ("Save", "Draft"):
            return save(self._documents, form, call.data, call.user, draft=call.service == "Draft")
        if call.service == "WorkflowAudit":
            ids = list(self._wanted(form, call.data))
            return workflow_audit(self._workflow, form, call.data, ids)
        if call.service == "Push":
            return self._pusher.push(form, call.data, call.user, lambda: self._wanted(form, call.data))
        return self._operate(form, call)

    def _form(self, name: str) -> Form:
        if not name:
            raise Refusal(MsgCode.NO_FORM, "业务对象标识FormId不能为空")
        return self._tables.form(name)

    def _operate(self, form: Form, call: Call) -> dict[str, Any]:
        name = call.operation if call.service in ANY_STEP else call.service
        if not name:
            raise Refusal(MsgCode.NO_OPERATION, "操作编码opNumber不能为空")
        step = next((step for known, step in OPERATIONS.items() if known.casefold() == name.casefold()), None)
        if step is None:
            raise Refusal(MsgCode.NO_OPERATION, f"操作编码“{name}”不存在")
        verify = switched(call.data, "IsVerifyProcInst", default=True)
        done: list[dict[str, Any]] = []
        refused: list[tuple[int, Refusal]] = []
        for index, doc_id in enumerate(self._wanted(form, call.data)):
            try:
                number = self._number(form, doc_id)
                self._workflow.step(form, doc_id, step, call.user, verify=verify)
                done.append({"Id": doc_id, "Number": number, "DIndex": index})
            except Refusal as refusal:
                refused.append((index, refusal))
        return failed(refused, done) if refused else result(status(done=done))

    def _number(self, form: Form, doc_id: int | str) -> Any:
        try:
            return self._documents.record(form, doc_id).head.get(form.number, "")
        except KeyError:
            raise Refusal(MsgCode.NO_DATA, f"单据“{doc_id}”不存在或已被删除") from None

    def _wanted(self, form: Form, data: Mapping[str, Any]) -> Iterator[int | str]:
        """The ids that `Ids` ("1,2") or else `Numbers` (a list) name; an unknown number stands for itself."""
        ids, numbers = data.get("Ids") or "", data.get("Numbers") or []
        if not isinstance(ids, str) or not isinstance(numbers, list) or not (ids or numbers):
            raise Refusal(MsgCode.PARAMETER, "参数Ids（字符串）和Numbers（数组）不能同时为空")
        if ids:
            return (self._id(form, word.strip()) for word in ids.split(","))
        return ((self._tables.ids(form, str(number)) or [str(number)])[0] for number in numbers)

    def _id(self, form: Form, word: str) -> int | str:
        return int(word) if form.pk_kind is Kind.INTEGER and word.isdigit() else word

    def _view(self, form: Form, data: Mapping[str, Any]) -> dict[str, Any]:
        number, word = str(data.get("Number") or ""), str(data.get("Id") or "")
        if not (number or word):
            raise Refusal(MsgCode.PARAMETER, "参数Number和Id不能同时为空")
        ids = [self._id(form, word)] if word else self._tables.ids(form, number)
        record = self._tables.get(form, ids[0]) if ids else None
        if record is None:
            raise Refusal(MsgCode.NO_DATA, "传递的编码值不存在")
        document: dict[str, Any] = {"Id": record.id, **_viewed(form.heads, record.head)}
        for entry, rows in record.entries.items():
            document[entry.removeprefix("F")] = [
                {"Id": row[ENTRY_ID], "Seq": row[ENTRY_SEQ], **_viewed(form.entries[entry], row)} for row in rows
            ]
        return {"Result": {"ResponseStatus": status(), "Result": document}}


def _viewed(fields: tuple[Field, ...], columns: Columns) -> dict[str, Any]:
    """Keys lose their F; base data is an object, its id also stands alone."""
    seen: dict[str, Any] = {}
    for item in fields:
        name = item.key.removeprefix("F")
        if item.kind is Kind.REFERENCE:
            seen[f"{name}_Id"] = columns[item.key]
            seen[name] = _pointed(item, columns) if columns[item.key] else None
        else:
            seen[name] = show(item.kind, columns[item.key])
    return seen


def _pointed(item: Field, columns: Columns) -> dict[str, Any]:
    properties = {name.removeprefix("F"): columns[f"{item.key}.{name}"] for name in item.properties}
    return {"Id": columns[item.key], **properties, "Name": _named(properties.get("Name"))}


def _named(name: Any) -> list[dict[str, Any]]:
    return [{"Key": 2052, "Value": name}]


def describe(form: Form) -> dict[str, Any]:
    """The answer of QueryBusinessInfo. Primary keys are no fields and are not listed as such."""
    entries = [("FBillHead", form.heads), *form.entries.items()]
    listed = [
        {"Key": key, "EntryName": key, "Fields": [_described(item, form) for item in fields]} for key, fields in entries
    ]
    operations = [{"OperationNumber": name, "OperationName": _named(name)} for name in OPERATIONS]
    data = {"Id": form.id, "Name": _named(form.name), "Entrys": listed, "Operations": operations}
    return result(status(), NeedReturnData=data)


def _described(item: Field, form: Form) -> dict[str, Any]:
    return {
        "Key": item.key,
        "FieldName": item.key.upper(),
        "MustInput": 1 if item.key == form.number else 0,
        "Name": _named(item.key),
        "LookUpObjectFormId": item.target or None,
        "IsViewVisible": True,
        "Extends": "",
    }
