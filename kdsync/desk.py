"""Kingdee in the shape that answers ask for: finds a document, its tasks, and does one step to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.operations import Outcome
from kdsync.kingdee.persons import Hands
from kdsync.kingdee.query import literal
from kdsync.kingdee.workflow import Workflow
from kdsync.model import Do, Document, Layout, Page, Row, Task
from kdsync.services.desk import Bill, NotThemselvesError, Ruling
from kdsync.services.ports import Source
from kdsync.sync.layout import full_layout

SOURCE_NUMBER = "FSrcBillNo"  # in the rows of what was pushed: the number of what it came from
VOIDED = "B"  # FCancelStatus


@dataclass(frozen=True, slots=True)
class KingdeeDesk:
    """`services.desk.Desk`. Looks go through `source`, so a Kingdee that is down is left alone."""

    source: Source
    workflow: Workflow
    hands: Callable[[str, str], Hands]  # who writes, for a sender and the receiver of a task

    def find(self, form: str, number: str, fields: Iterable[str], rows: Iterable[str] = ()) -> list[Bill]:
        """Whether `=` looks at case depends on the database behind Kingdee, so both spellings are asked for."""
        layout, lookup_of = self._layout(form, fields, rows)
        if layout.facts.number is None:
            return []
        spellings = ",".join(literal(text) for text in dict.fromkeys((number, number.upper())))
        pages = self.source.pages(layout, f"{layout.facts.number} in ({spellings})")
        found = list(_bills(layout, lookup_of, pages))
        exact = [bill for bill in found if bill.document.number == number]
        return exact or [bill for bill in found if bill.document.number.casefold() == number.casefold()]

    def read(self, form: str, doc_id: str, fields: Iterable[str], rows: Iterable[str] = ()) -> Bill | None:
        """The document now."""
        layout, lookup_of = self._layout(form, fields, rows)
        return next(_bills(layout, lookup_of, self.source.by_ids(layout, [doc_id])), None)

    def tasks(self, form: str, number: str) -> list[Task]:
        """What waits on it."""
        return self.workflow.pending_of(form, number)

    def pushed(self, bill: Bill, do: Do) -> list[tuple[str, str]]:
        """Found by the number of the document that they came from, where the push names a form that shows it."""
        form, number = str(do.options.get("to") or ""), bill.document.number
        key = self.source.facts(form, ()).key_of(SOURCE_NUMBER) if form and number else None
        if key is None:
            return []
        layout, lookup_of = self._layout(form, (), ())
        made = _bills(layout, lookup_of, self.source.pages(layout, f"{key}={literal(number)}"))
        return [(one.document.doc_id, one.document.number) for one in made if one.raw(one.facts.cancel) != VOIDED]

    def write(self, bill: Bill, do: Do, *, user_id: str, opinion: str, sender: str) -> Ruling:
        """One step, by the hands that it has to be done with."""
        hands = self.hands(sender, user_id)
        try:
            outcomes = _STEPS[do.kind](hands, bill, do, user_id, opinion)
        except EdgeError as error:
            if hands.account and error.kind is FailureKind.CONFIGURATION:
                raise NotThemselvesError(f"{hands.account}: {error.words or error.message}", login=True) from error
            raise
        made = outcomes if do.kind == "push" and isinstance(outcomes, tuple) else ()
        targets = tuple((one.doc_id, one.number) for one in made if one.done)
        return replace(_ruling(outcomes), account=hands.account, made=targets)

    def _layout(self, form: str, fields: Iterable[str], rows: Iterable[str]) -> tuple[Layout, Callable[[str], str]]:
        """The columns to ask for, and which forms their keys refer to."""
        asked = tuple(rows)
        known = self.source.facts(form, asked)
        facts = known.facts
        people = [key for key in (facts.creator, facts.modifier, facts.approver) if key]
        layout = full_layout(facts, [*fields, *people], asked, (), known.entry_of)
        if asked and not layout.entries:
            raise _rowless(form, asked)
        return layout, known.lookup_of


def _bills(layout: Layout, lookup_of: Callable[[str], str], pages: Iterator[Page]) -> Iterator[Bill]:
    for row in every_row(layout.form, pages):
        yield replace(bill_of(layout, row), lookup_of=lookup_of)


def every_row(form: str, pages: Iterable[Page]) -> Iterator[Row]:
    """The rows of pages; EdgeError where one is left out or there twice: that would pass for none, or for the other."""
    for page in pages:
        if page.doubled:
            raise _ambiguous(form, page.doubled)
        if page.unreadable:
            message = f"a row of {form} cannot be read: Kingdee answered with one that is none"
            raise EdgeError(
                "kingdee", FailureKind.TRANSIENT, "unreadable", message, cure="kdsync tries again by itself"
            )
        yield from page.rows


def bill_of(layout: Layout, row: Row) -> Bill:
    """A document by key, from a row of a page."""
    values = dict(zip(layout.heads, row, strict=False))
    place = layout.number_place
    number = str(row[place] or "").strip() if place is not None else ""
    entries = [dict(zip(layout.entries, one, strict=True)) for one in row[-1]] if layout.entries else []
    return Bill(Document(layout.form, str(row[0]), number, values, entries), layout.facts)


def _rowless(form: str, keys: Iterable[str]) -> EdgeError:
    """A condition on rows must not hold because none of them were read."""
    message = f"the rows of {form} cannot be read: which of its entries has {', '.join(sorted(keys))} is not known"
    cure = "let kdsync's Kingdee user read the form's metadata, or ask for fields of the head only"
    return EdgeError("kingdee", FailureKind.CONFIGURATION, "no-entry", message, cure=cure)


def _ambiguous(form: str, ids: Iterable[str]) -> EdgeError:
    """Rows of an entry, or a document that is there twice: which amount a limit is about is no matter of luck."""
    message = f"Kingdee shows more than one value of a field of {form} {', '.join(ids)}"
    cure = "use fields of the form's head in when, limit and allow"
    return EdgeError("kingdee", FailureKind.CONFIGURATION, "ambiguous", message, cure=cure)


def _ruling(outcomes: Outcome | tuple[Outcome, ...]) -> Ruling:
    many = outcomes if isinstance(outcomes, tuple) else (outcomes,)
    text = "; ".join(outcome.text or outcome.number for outcome in many if outcome.text or outcome.number)
    return Ruling(bool(many) and all(outcome.done for outcome in many), text)


def _decide(hands: Hands, bill: Bill, user_id: str, opinion: str, *, approve: bool) -> Outcome:
    """Answer the task of a Kingdee user."""
    document = bill.document
    return hands.workflow.answer(document.form, document.number, user_id, approve=approve, opinion=opinion)


Step = Callable[[Hands, Bill, Do, str, str], "Outcome | tuple[Outcome, ...]"]
_STEPS: dict[str, Step] = {
    "submit": lambda hands, bill, _do, _user, _said: hands.operations.submit(bill.document.form, bill.document.doc_id),
    "audit": lambda hands, bill, _do, _user, _said: hands.operations.audit(bill.document.form, bill.document.doc_id),
    "operation": lambda hands, bill, do, _user, _said: hands.operations.operate(
        bill.document.form, do.name, bill.document.doc_id
    ),
    "save": lambda hands, bill, do, _user, _said: hands.operations.save(
        bill.document.form, bill.facts.pk, bill.document.doc_id, do.fields
    ),
    "push": lambda hands, bill, do, _user, _said: hands.operations.push(
        bill.document.form, bill.document.doc_id, do.options
    ),
    "approve": lambda hands, bill, _do, user, said: _decide(hands, bill, user, said, approve=True),
    "reject": lambda hands, bill, _do, user, said: _decide(hands, bill, user, said, approve=False),
}
