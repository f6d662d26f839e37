"""The nouns: what a form is known to have, what one look returns, what happened, and who is to be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from operator import itemgetter
from typing import Any

Raw = str | int | float | Decimal | bool | None
"""A value as Kingdee's JSON has it: dates are text without a zone, empty text may be one blank, unset ids are 0."""

Row = list[Any]
"""One document: the raw values of `Layout.heads` in order and, where `Layout.entries` is not empty, one last item:
the list of its entry rows, each a list of raw values in the order of `Layout.entries`."""


class Status(StrEnum):
    """FDocumentStatus."""

    DRAFT = "Z"
    CREATED = "A"
    IN_APPROVAL = "B"
    APPROVED = "C"
    SENT_BACK = "D"


class Transition(StrEnum):
    """What a document can do between two looks; also the names of triggers in rules."""

    CREATED = "created"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    UNAPPROVED = "unapproved"
    VOIDED = "voided"
    CLOSED = "closed"
    DELETED = "deleted"
    CHANGED = "changed"  # content differs; what `changed` and `becomes` listen to
    ASSIGNED = "assigned"  # no transition of the document: a task of its workflow waits for somebody


class Origin(StrEnum):
    """Who made a change: somebody in Kingdee, or kdsync, because somebody asked for it in DingTalk."""

    KINGDEE = "kingdee"
    DINGTALK = "dingtalk"


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a form: which of its keys play which part; None or empty where the form has no such key."""

    form: str
    pk: str = "FID"
    number: str | None = "FBillNo"
    status: str | None = "FDocumentStatus"
    cancel: str | None = "FCancelStatus"
    close: str | None = "FCloseStatus"
    created: str | None = "FCreateDate"
    modified: str | None = "FModifyDate"
    approved: str | None = "FApproveDate"
    other_dates: tuple[str, ...] = ()  # further dates of change, such as FCancelDate
    creator: str | None = "FCreatorId"
    modifier: str | None = "FModifierId"
    approver: str | None = "FApproverId"
    open: str | None = None  # FilterString of approved documents that are still alive
    entry: str | None = None  # key of the entry that unprefixed entry fields belong to
    title: Mapping[str, str] = field(default_factory=dict)  # name of the form by locale

    @property
    def dates(self) -> tuple[str, ...]:
        """The keys whose value moves when the document changes."""
        return tuple(key for key in (self.modified, self.created, self.approved, *self.other_dates) if key)


@dataclass(frozen=True)
class Layout:
    """The columns that are asked for of one form, in order: `heads` (the primary key first), then `entries`."""

    facts: Facts
    heads: tuple[str, ...]
    entries: tuple[str, ...] = ()
    watched: frozenset[str] = frozenset()  # the keys that rules look at: their difference is a change

    @property
    def form(self) -> str:
        return self.facts.form

    @cached_property
    def places(self) -> Mapping[str | None, int]:
        """Where in a row each head key stands."""
        return {key: place for place, key in enumerate(self.heads)}

    @cached_property
    def width(self) -> int:
        """How many items a row has."""
        return len(self.heads) + bool(self.entries)

    @cached_property
    def number_place(self) -> int | None:
        """Where in a row the bill number stands; None where the form has none."""
        return self.places.get(self.facts.number) if self.facts.number else None

    @cached_property
    def status_place(self) -> int | None:
        """Where in a row the status stands; None where the form has none."""
        return self.places.get(self.facts.status) if self.facts.status else None

    @cached_property
    def telling(self) -> Callable[[Row], object]:
        """Takes from a row its number and all that can make a difference between two of them an event."""
        facts = self.facts
        keys = {facts.number, facts.status, facts.cancel, facts.close, facts.approved, facts.created} | self.watched
        places = [place for key, place in self.places.items() if key in keys]
        if self.watched - self.places.keys():
            places.append(-1)  # the entry rows
        return itemgetter(*places) if places else lambda _row: None

    @property
    def entry_pk(self) -> str:
        """Key of the entry rows' own id, e.g. `FEntity_FEntryID`."""
        return f"{self.facts.entry}_FEntryID"


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a paged query, entry rows gathered under their document; the documents in order of primary key."""

    rows: list[Row]
    server_now: datetime  # Kingdee's clock when it answered, zone-aware
    last: bool  # nothing follows
    short: bool = False  # a page was shorter than asked for while more followed
    doubled: tuple[str, ...] = ()  # ids that came twice with different heads; one of the heads was chosen
    unreadable: tuple[str, ...] = ()  # keys of rows that were left out, "" where not even the key can be told


@dataclass(frozen=True, slots=True)
class Document:
    """One state of one document, by key; `entries` are mappings too. The values are raw."""

    form: str
    doc_id: str
    number: str
    values: Mapping[str, Raw]
    entries: Sequence[Mapping[str, Raw]] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one document.

    `event_id` is the same whenever the same thing is noticed again. `old` is None for a new document, `new` for a
    deleted one. `changed` holds the watched keys whose content differs (`entries` for any entry row). `task` is the
    task that waits, where it is that which happened. `origin` says who made it happen.
    """

    event_id: str
    kind: Transition
    form: str
    doc_id: str
    number: str
    version: int
    noticed_at: datetime
    old: Document | None
    new: Document | None
    changed: frozenset[str] = frozenset()
    task: Task | None = None
    origin: Origin = Origin.KINGDEE

    @property
    def document(self) -> Document:
        """The document now or, where it is gone, as it was last seen."""
        document = self.new or self.old
        assert document is not None  # noqa: S101  # one of them always stands
        return document


@dataclass(frozen=True, slots=True)
class Content:
    """What a recipient reads, in one language. `body` is DingTalk's markdown; `link` and `fields` are optional.

    `below` stands under the body, which is cut before it is.
    """

    title: str
    body: str
    link: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    below: str = ""


@dataclass(frozen=True, slots=True)
class Offered:
    """One action that a message offers its reader."""

    id: str
    titles: Mapping[str, str]  # by locale
    phrases: tuple[str, ...]
    with_reason: bool = False  # whether what is written with it reaches Kingdee

    def title(self, locale: str) -> str:
        """What it is called for a reader of that language."""
        return self.titles.get(locale) or self.titles.get("zh") or next(iter(self.titles.values()), self.id)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the reader of a message may do, and what it was told about.

    `seen` holds the raw values that it showed, by key; `version` is the document's at that time; `item_id` the task's
    that waits, where it is about one.
    """

    actions: tuple[Offered, ...]
    seen: Mapping[str, Raw] = field(default_factory=dict)
    version: int = 0
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A DingTalk user that a recipient stands for."""

    userid: str
    locale: str = "zh"


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that a workflow of Kingdee waits for: one row for each receiver, from `WF_AssignmentBill_ProcManage`.

    `form` is in capitals, as Kingdee keeps it there; `receiver` is the id of a Kingdee user; `since` is local to the
    server and has no zone, like every date of Kingdee.
    """

    item_id: str  # of this receiver's part; `task_id` is shared by all receivers of one node
    task_id: str
    form: str
    number: str
    node: str
    receiver: str
    receiver_name: str
    since: str


@dataclass(frozen=True, slots=True)
class Do:
    """One step of an action: submit, audit, approve, reject, save, push or operation.

    `fields` are those of `save`, as Kingdee's Model takes them; `options` those of `push`; `name` is the number of an
    operation.
    """

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    @property
    def read_back(self) -> dict[str, Any]:
        """What a query shows, by key, once the fields of `save` are in: `{FUnit: {FNumber: v}}` is `FUnit.FNumber`."""
        shown: dict[str, Any] = {}
        for key, value in self.fields.items():
            if isinstance(value, Mapping):
                shown |= {f"{key}.{part}": inner for part, inner in value.items()}
            else:
                shown[key] = value
        return shown
