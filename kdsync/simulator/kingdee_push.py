"""Push: a bill begets another, by a rule of conversion; the other says in link fields where it came from.

Nothing keeps a bill from being pushed twice, and then there are two. ConvertResponseStatus tells of the conversion,
ResponseStatus of the saving, and its SuccessEntitys are the new bills.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kdsync.simulator.kingdee_answers import MsgCode, Refusal, error, result, status
from kdsync.simulator.kingdee_documents import DRAFT, Documents
from kdsync.simulator.kingdee_forms import ENTRY_ID, Field, Form, Kind
from kdsync.simulator.kingdee_save import switched
from kdsync.simulator.kingdee_tables import Columns, Record
from kdsync.simulator.kingdee_values import Stored

OWN = re.compile(
    r"FBillNo|F(Document|Cancel|Close)Status|F(Create|Modify|Approve|Cancel|Close)?Date"
    r"|F(Creator|Modifier|Approver|Canceller|Closer|BillType)ID",
    re.IGNORECASE,
)
"""Keys that a new bill has of its own, whatever the bill that it came from says."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of conversion. What has the same key in both forms is copied; `heads` and `rows` name by target key what
    is copied besides; `links` is the entry of the target whose rows say where they came from."""

    source: str
    target: str
    links: str
    heads: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, str] = field(default_factory=dict)


RULES: Mapping[str, Rule] = {
    "CN_PAYAPPLYTOPAYBILL": Rule(
        "CN_PAYAPPLY",
        "AP_PAYBILL",
        "FPAYBILLSRCENTRY",
        {"FPAYAMOUNTFOR": "FAPPLYAMOUNTFOR_H", "FREALPAYAMOUNTFOR": "FAPPLYAMOUNTFOR_H"},
        {"FREALPAYAMOUNTFOR_D": "FAPPLYAMOUNTFOR", "FPURPOSEID": "FPAYPURPOSEID"},
    ),
    "PUR_Requisition-PUR_PurchaseOrder": Rule(
        "PUR_Requisition", "PUR_PurchaseOrder", "FPOOrderEntry", rows={"FQty": "FReqQty"}
    ),
}
"""The rules by RuleId; each is also the default one between its two forms."""


class Pusher:
    """Pushes bills. With `saves` off the new bills cannot be saved, as if a required field were empty."""

    def __init__(self, documents: Documents) -> None:
        self.rules: dict[str, Rule] = dict(RULES)
        self.saves = True
        self._documents = documents
        self._tables = documents.tables

    def push(
        self, form: Form, data: Mapping[str, Any], user: int, wanted: Callable[[], Iterator[int | str]]
    ) -> dict[str, Any]:
        """The answer to a push of bills of `form`; `wanted` gives those that Ids or Numbers name. Raises `Refusal`."""
        rule = self._rule(form, data)
        target = self._tables.form(rule.target)
        draft = not self.saves and switched(data, "IsDraftWhenSaveFail", default=False)
        made: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        for index, (doc_id, rows) in enumerate(self._picked(form, data, wanted)):
            try:
                record = self._approved(form, doc_id)
            except Refusal as refusal:
                refused.append(error(refusal.message, index))
                continue
            if self.saves or draft:
                made.append({**self._make(rule, form, target, record, rows, user, draft=draft), "DIndex": index})
        converted = status(refused)
        if refused or made:
            return result(status(refused, made), ConvertResponseStatus=converted)
        return result(status([error("保存失败：字段“结算方式”是必填项")]), ConvertResponseStatus=converted)

    def _rule(self, form: Form, data: Mapping[str, Any]) -> Rule:
        name, wanted = str(data.get("RuleId") or ""), str(data.get("TargetFormId") or "")
        rule = self.rules.get(name)
        if not name and switched(data, "IsEnableDefaultRule", default=False):
            ways = (rule for rule in self.rules.values() if rule.target.casefold() == wanted.casefold())
            rule = next((rule for rule in ways if rule.source == form.id), None)
        if rule is None or rule.source != form.id:
            raise Refusal(MsgCode.PARAMETER, f"单据转换规则“{name}”不存在")
        return rule

    def _picked(
        self, form: Form, data: Mapping[str, Any], wanted: Callable[[], Iterator[int | str]]
    ) -> Iterator[tuple[int | str, frozenset[int]]]:
        """The bills, and which of their rows; an empty set stands for all."""
        entry_ids = str(data.get("EntryIds") or "")
        if not entry_ids:
            yield from ((doc_id, frozenset()) for doc_id in wanted())
            return
        if data.get("Ids") or data.get("Numbers"):
            raise Refusal(MsgCode.PARAMETER, "传入EntryIds时，Ids和Numbers必须为空")
        chosen = frozenset(int(word) for word in entry_ids.split(",") if word.strip().isdigit())
        for doc_id in self._tables.ids(form):
            rows = self._documents.record(form, doc_id).entries.get(form.entry, [])
            mine = chosen & {int(row[ENTRY_ID] or 0) for row in rows}
            if mine:
                yield doc_id, mine

    def _approved(self, form: Form, doc_id: int | str) -> Record:
        record = self._tables.get(form, doc_id)
        if record is None:
            raise Refusal(MsgCode.NO_DATA, f"单据“{doc_id}”不存在或已被删除")
        if form.status and record.head[form.status] != "C":
            raise Refusal(MsgCode.INVALID, f"单据编号为“{record.head[form.number]}”的单据未审核，不允许下推")
        return record

    def _make(
        self,
        rule: Rule,
        form: Form,
        target: Form,
        record: Record,
        rows: frozenset[int],
        user: int,
        *,
        draft: bool,
    ) -> dict[str, Any]:
        heads = _copied(form.fields, target.heads, rule.heads, record.head)
        sources = [row for row in record.entries.get(form.entry, []) if not rows or row[ENTRY_ID] in rows]
        entries = _rows(rule, form, target, record, sources)
        doc_id = self._documents.create(
            target,
            user,
            number="" if draft else None,
            status=DRAFT if draft else "A",
            entries=entries,
            fields=heads,
        )
        number = self._documents.record(target, doc_id).head[target.number]
        return {"Id": doc_id, "Number": str(number).strip()}


def _rows(rule: Rule, form: Form, target: Form, record: Record, sources: Sequence[Columns]) -> dict[str, Any]:
    number = record.head[form.number]
    entries: dict[str, list[dict[str, Any]]] = {entry: [] for entry in (target.entry, rule.links)}
    for at, row in enumerate(sources or [{}], start=1):
        made = _copied(form.rows.get(form.entry, {}), target.entries[target.entry], rule.rows, row)
        links = _links(target.rows[rule.links], form.id, number, at)
        if rule.links == target.entry:
            entries[target.entry].append(made | links)
        else:
            entries[target.entry].append(made)
            entries[rule.links].append(links)
    return entries


def _links(known: Mapping[str, Field], form: str, number: Stored, at: int) -> dict[str, Any]:
    links = {"FSOURCETYPE": form, "FSRCBILLNO": number, "FSRCSEQNO": at, "FSrcBillTypeId": form, "FSrcBillNo": number}
    return {key: value for key, value in links.items() if key in known}


def _copied(
    source: Mapping[str, Field], target: Sequence[Field], named: Mapping[str, str], columns: Columns
) -> dict[str, Any]:
    copied: dict[str, Any] = {}
    for item in target:
        given = source.get(named.get(item.key, item.key))
        if given is None or OWN.fullmatch(item.key) or given.key not in columns or given.kind is not item.kind:
            continue
        copied[item.key] = _value(given, columns)
    return copied


def _value(item: Field, columns: Columns) -> Any:
    value = columns[item.key]
    if item.kind is not Kind.REFERENCE or not value:
        return value
    return {"id": value, **{name: columns[f"{item.key}.{name}"] for name in item.properties}}
