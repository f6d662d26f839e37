"""Forms of approvals, and how the simulated DingTalk writes down what somebody filled in.

Values are text, or text that holds JSON; an empty field says `null`. Shapes are those of real approvals and of the
samples of "Create an approval instance" on open.dingtalk.com.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from kdsync.simulator.dingtalk_contacts import Company
from kdsync.simulator.dingtalk_envelopes import Json

Fields = Mapping[str, "str | Mapping[str, str]"]
"""The kind of each field by its label, such as `TextField`; of a table, the kinds of its columns by their labels."""

SPACE = 115_770_306


@dataclass(frozen=True, slots=True)
class ApprovalForm:
    """The form behind a process code."""

    process_code: str
    name: str
    fields: Fields


class Writer:
    """Writes down what is filled in. `keep` takes a file in, name and content, and gives its id; `hang_out` does the
    same with a picture, and gives its address.

    With `old_tables` a table is a list of lists, else a list of `{"rowValue": [...]}`.
    """

    def __init__(
        self,
        company: Company,
        keep: Callable[[str, bytes], str],
        hang_out: Callable[[str, bytes], str],
        *,
        old_tables: bool,
    ) -> None:
        self._company = company
        self._keep = keep
        self._hang_out = hang_out
        self._old_tables = old_tables

    def components(self, form: ApprovalForm, values: Mapping[str, Any]) -> list[Json]:
        """`formComponentValues`; ValueError for a field that the form does not have."""
        _check(form.name, form.fields, values)
        return [
            self._component(at, name, kind, values.get(name)) for at, (name, kind) in enumerate(form.fields.items())
        ]

    def _component(self, at: int, name: str, kind: str | Mapping[str, str], value: Any) -> Json:
        if isinstance(kind, Mapping):
            written, more = self._table(kind, value or ()), {"statValue": [], "componentName": "TableField"}
            kind = "TableField"
        else:
            written, more = self._written(kind, value)
        told = None if more is None else _json(more)
        return {
            "id": f"{kind}_{at + 1:X}K404KZ5IATS0",
            "name": name,
            "value": written,
            "extValue": told,
            "componentType": kind,
            "bizAlias": "",
        }

    def _written(self, kind: str, value: Any) -> tuple[str, Any]:
        """The value as text, and what belongs into `extValue`."""
        if value is None or value in ("", (), []):
            return "null", None
        if isinstance(value, Mapping):
            write = self._hang_out if kind == "DDPhotoField" else self._file
            return _json([write(name, content) for name, content in value.items()]), None
        if kind == "InnerContactField":
            people = [{"emplId": one, "name": self._company.users[one].name, "avatar": ""} for one in value]
            return ",".join(person["name"] for person in people), people
        if kind == "DepartmentField":
            units = [{"id": str(one), "itemId": str(one), "name": self._unit(one)} for one in value]
            return ",".join(unit["name"] for unit in units), units
        if kind == "DDSelectField":
            return str(value), {"label": str(value), "key": "option_0"}
        return _json(list(value)) if isinstance(value, list | tuple) else str(value), None

    def _unit(self, dept_id: int) -> str:
        found = self._company.departments.get(dept_id)
        return found.name if found else str(dept_id)

    def _file(self, name: str, content: bytes) -> Json:
        told = {"spaceId": str(SPACE), "fileName": name, "fileSize": len(content), "fileType": name.rpartition(".")[2]}
        return {**told, "fileId": self._keep(name, content)}

    def _table(self, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
        written = []
        for row in rows:
            _check("the table", columns, row)
            cells = [self._cell(name, kind, row.get(name)) for name, kind in columns.items()]
            written.append(cells)
        if self._old_tables:
            return _json([[{"name": cell["label"], "value": cell["value"]} for cell in row] for row in written])
        return _json([{"rowValue": row, "rowNumber": f"TableField_{at}"} for at, row in enumerate(written)])

    def _cell(self, name: str, kind: str, value: Any) -> Json:
        written, more = self._written(kind, value)
        cell = {"componentType": kind, "label": name, "value": "" if written == "null" else written, "key": name}
        return cell if more is None else {**cell, "extendValue": more}


def designed(fields: Fields) -> list[Json]:
    """The items of a form's schema. The two labels of a range of dates are a list."""
    items = []
    for label, kind in fields.items():
        told = orjson.loads(label) if label.startswith("[") else label
        item: Json = {"componentName": kind, "props": {"id": f"{kind}_1", "label": told, "required": False}}
        if isinstance(kind, Mapping):
            item |= {"componentName": "TableField", "children": designed(kind)}
        items.append(item)
    return items


def _check(what: str, known: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    unknown = set(values) - set(known)
    if unknown:
        raise ValueError(f"{what} has no {sorted(unknown)}; it has {', '.join(known)}")


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
