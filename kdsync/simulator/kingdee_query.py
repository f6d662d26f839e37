"""ExecuteBillQuery and BillQuery: one SELECT whose rows SQLite itself writes as JSON.

Entry fields flatten: a document comes once for each of its entry rows, two sibling entries multiply. Without an
OrderString the newest document comes first, as no order is promised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdsync.simulator.kingdee_answers import MsgCode, Refusal, bad_filter, unknown_field
from kdsync.simulator.kingdee_filter import compile_filter
from kdsync.simulator.kingdee_forms import Column, Form, Kind
from kdsync.simulator.kingdee_tables import HEAD, Tables, entry_table, quoted

DEFAULT_LIMIT = 2000
MOST_ARGUMENTS = 90  # SQLite's functions take a hundred by default


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows of the result are asked for."""

    start: int
    limit: int

    @classmethod
    def of(cls, data: Mapping[str, Any], most: int) -> Window:
        """A Limit beyond `most` is cut silently, as is what goes beyond TopRowCount. Raises `Refusal`."""
        try:
            start, limit, top = (int(data.get(key) or 0) for key in ("StartRow", "Limit", "TopRowCount"))
        except (TypeError, ValueError):
            raise Refusal(MsgCode.PARAMETER, "StartRow、Limit、TopRowCount必须是整数") from None
        if min(start, limit, top) < 0:
            raise Refusal(MsgCode.PARAMETER, "StartRow、Limit、TopRowCount不能为负数")
        limit = min(limit or DEFAULT_LIMIT, most)
        return cls(start, max(0, min(limit, top - start)) if top else limit)


class Selection:
    """The columns that one query names; remembers which entries must be joined for them."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self._entries: set[str] = set()

    def column(self, key: str) -> Column:
        column = self.form.columns.get(key)
        if column is None:
            raise unknown_field(key)
        if column.entry:
            self._entries.add(column.entry)
        return column

    def resolve(self, key: str) -> tuple[str, Kind]:
        column = self.column(key)
        return _sql(column), column.kind

    def source(self) -> str:
        joins = [
            f"LEFT JOIN {entry_table(self.form, entry)} AS {quoted(entry)} "
            f"ON {quoted(entry)}.{HEAD} = h.{quoted(self.form.pk)}"
            for entry in self.form.entries
            if entry in self._entries
        ]
        return " ".join([f"{quoted(self.form.id)} AS h", *joins])

    def order(self, text: str) -> str:
        """The ORDER BY terms; ties fall as they like, that is: the newest first."""
        terms = [self._term(part.split()) for part in text.split(",") if part.strip()]
        return ", ".join([*terms, "h.rowid DESC"])

    def _term(self, words: Sequence[str]) -> str:
        direction = words[1].upper() if words[1:] else "ASC"
        if direction not in ("ASC", "DESC") or words[2:]:
            raise bad_filter(f"“{' '.join(words)}”附近有语法错误")
        sql, kind = self.resolve(words[0])
        return f"{f'CAST({sql} AS REAL)' if kind is Kind.AMOUNT else sql} {direction}"


def _sql(column: Column) -> str:
    return f"{quoted(column.entry) if column.entry else 'h'}.{quoted(column.name)}"


def _json(column: Column) -> str:
    sql = _sql(column)
    if column.kind is Kind.AMOUNT:
        return f"json({sql})"
    return f"json(CASE {sql} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)" if column.kind is Kind.FLAG else sql


def _array(columns: Sequence[Column]) -> str:
    parts = [
        f"json_array({', '.join(map(_json, columns[at : at + MOST_ARGUMENTS]))})"
        for at in range(0, len(columns), MOST_ARGUMENTS)
    ]
    return _joined(parts, "[", "]")


def _object(keys: Sequence[str], columns: Sequence[Column]) -> str:
    pairs = [f"{_text(key)}, {_json(column)}" for key, column in zip(keys, columns, strict=True)]
    half = MOST_ARGUMENTS // 2
    parts = [f"json_object({', '.join(pairs[at : at + half])})" for at in range(0, len(pairs), half)]
    return _joined(parts, "{", "}")


def _joined(parts: Sequence[str], opening: str, closing: str) -> str:
    """SQL that makes one JSON array or object of several."""
    if len(parts) == 1:
        return parts[0]
    inner = [f"substr({part}, 2, length({part}) - 2)" for part in parts]
    between = " || ',' || "
    return f"'{opening}' || {between.join(inner)} || '{closing}'"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def run_query(
    tables: Tables, data: Mapping[str, Any], *, named: bool, most: int, visible: str, shorten: bool
) -> tuple[bytes, int]:
    """The answer's JSON and its number of rows. `named`: rows are objects (BillQuery). `most`: the longest page.

    `visible` is the filter of what the user may see; `shorten` halves the page. Raises `Refusal`.
    """
    form = tables.form(_required_form(data))
    keys = [key.strip() for key in str(data.get("FieldKeys") or "").split(",") if key.strip()]
    if not keys:
        raise Refusal(MsgCode.PARAMETER, "查询字段FieldKeys不能为空")
    selection = Selection(form)
    columns = [selection.column(key) for key in keys]
    wanted, parameters = compile_filter(data.get("FilterString") or "", selection.resolve)
    allowed, limits = compile_filter(visible, selection.resolve)
    order = selection.order(str(data.get("OrderString") or ""))
    window = Window.of(data, most)
    limit = (window.limit + 1) // 2 if shorten else window.limit
    found = tables.rows(
        f"SELECT {_object(keys, columns) if named else _array(columns)} FROM {selection.source()} "  # noqa: S608
        f"WHERE {wanted} AND {allowed} ORDER BY {order} LIMIT ? OFFSET ?",
        (*parameters, *limits, limit, window.start),
    )
    return ("[" + ",".join(row[0] for row in found) + "]").encode(), len(found)


def _required_form(data: Mapping[str, Any]) -> str:
    form = str(data.get("FormId") or data.get("formid") or "")
    if not form:
        raise Refusal(MsgCode.NO_FORM, "业务对象标识FormId不能为空")
    return form
