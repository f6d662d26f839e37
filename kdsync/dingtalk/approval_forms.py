"""Forms of approvals as their designer made them: which fields there are, before anybody has filled one in.

Source: "Obtain the form schema" on open.dingtalk.com, which takes Workflow.Form.Read, a permission of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from kdsync import exact
from kdsync.dingtalk.answers import Shape, shaped
from kdsync.dingtalk.client import Call, DingTalkClient
from kdsync.dingtalk.components import TABLE, plain

SCHEMA = "v1.0/workflow/forms/schemas/processCodes"
SUITE = re.compile("DDBizSuite|DDHolidayField")


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form; `columns` are the kinds of a table's columns by label."""

    kind: str
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form by label; a range of dates stands there by each of its labels, and by both as approvals name
    it. Not `whole` where a suite is in it (套件, such as for leave or travel), of which approvals have fields that no
    schema tells."""

    fields: Mapping[str, FormField]
    whole: bool


class _Schema(Shape):
    schemaContent: dict[str, Any] | str  # noqa: N815  # DingTalk's name


def form_of(client: DingTalkClient, process_code: str) -> Form:
    """The form of a process; one metered call. Raises EdgeError."""
    answer = client.call(Call(SCHEMA, b"", host="new", method="GET", query={"processCode": process_code}))
    content = shaped(_Schema, answer.get("result"), SCHEMA, now=client.now()).schemaContent
    try:
        parsed = exact.loads(content.encode()) if isinstance(content, str) else content
    except ValueError:
        parsed = None
    items = parsed.get("items") if isinstance(parsed, Mapping) else None
    if not isinstance(items, list):
        raise client.failure("malformed", SCHEMA, "schemaContent should have items")
    fields = list(_fields(items))
    named = {label: one for label, one in fields if label}
    return Form(named, whole=not any(SUITE.match(one.kind) for _, one in fields))


def _fields(items: list[Any]) -> Iterator[tuple[str, FormField]]:
    """What holds other fields without being a table, such as a group, is none itself."""
    for item in items:
        if not isinstance(item, Mapping):
            continue
        kind, children = plain(item.get("componentName")), item.get("children")
        inner = list(_fields(children)) if isinstance(children, list) else []
        props = item.get("props")
        labels = list(_labels(props.get("label") if isinstance(props, Mapping) else None)) or [""]
        columns = {label: one.kind for label, one in inner if label} if kind == TABLE else {}
        yield from ((label, FormField(kind, columns)) for label in labels)
        if kind != TABLE:
            yield from inner


def _labels(told: Any) -> Iterator[str]:
    """A range of dates has two, as a list or as JSON."""
    parsed = told
    if isinstance(told, str) and told.startswith("["):
        try:
            parsed = exact.loads(told.encode())
        except ValueError:
            parsed = told
    if isinstance(parsed, list):
        yield orjson.dumps(parsed, default=str).decode()
        yield from filter(None, map(plain, parsed))
    elif plain(told):
        yield plain(told)
