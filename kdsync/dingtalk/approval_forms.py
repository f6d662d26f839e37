"""Forms of approvals as their designer made them: which fields there are, before anybody has filled one in.

Source: "Obtain the form schema" on open.dingtalk.com, which takes Workflow.Form.Read, a permission of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from kdsync import exact
from kdsync.dingtalk.answers import Shape, shaped
from kdsync.dingtalk.client import Call, DingTalkClient
from kdsync.dingtalk.components import TABLE, plain

SCHEMA = "v1.0/workflow/forms/schemas/processCodes"


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form; `columns` are the kinds of a table's columns by label."""

    kind: str
    columns: Mapping[str, str] = field(default_factory=dict)


class _Schema(Shape):
    schemaContent: dict[str, Any] | str  # noqa: N815  # DingTalk's name


def form_of(client: DingTalkClient, process_code: str) -> Mapping[str, FormField]:
    """The fields of a process's form by label; a range of dates stands there by each of its labels, and by both as
    approvals name it. One metered call. Raises EdgeError."""
    answer = client.call(Call(SCHEMA, b"", host="new", method="GET", query={"processCode": process_code}))
    content = shaped(_Schema, answer.get("result"), SCHEMA, now=client.now()).schemaContent
    try:
        parsed = exact.loads(content.encode()) if isinstance(content, str) else content
    except ValueError:
        parsed = None
    items = parsed.get("items") if isinstance(parsed, Mapping) else None
    if not isinstance(items, list):
        raise client.failure("malformed", SCHEMA, "schemaContent should have items")
    return dict(_fields(items))


def _fields(items: list[Any]) -> Iterator[tuple[str, FormField]]:
    """What holds other fields without being a table, such as a group, is none itself."""
    for item in items:
        if not isinstance(item, Mapping):
            continue
        kind, children = plain(item.get("componentName")), item.get("children")
        inner = list(_fields(children)) if isinstance(children, list) else []
        props = item.get("props")
        labels = _labels(props.get("label") if isinstance(props, Mapping) else None)
        columns = {label: one.kind for label, one in inner} if kind == TABLE else {}
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
