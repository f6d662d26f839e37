"""What Kingdee shows of the document that an answer is about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from kdsync.desk import KingdeeDesk
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.operations import Outcome
from kdsync.kingdee.persons import Hands
from kdsync.model import Do, Document, Facts, Layout, Page
from kdsync.rules.actions import ActionSection, CompiledAction, compile_action
from kdsync.services.desk import Bill
from kdsync.services.ports import Known

FORM = "AP_PAYBILL"
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
BILL = {"FID": 1, "FBillNo": "FKD1", "FDocumentStatus": "A", "FCreatorId": 7, "FPayeeId": 8, "FAmount": 80}
ROWS = [{"FQty": 5}, {"FQty": 500}]


class Shelf:
    """A source with one document; `entry` is what metadata say of its rows."""

    def __init__(self, entry: str | None = "FEntry") -> None:
        self.entry = entry
        self.doubled: tuple[str, ...] = ()
        self.unreadable = False  # the row of it is none

    def facts(self, form: str, rows: Iterable[str]) -> Known:
        facts = Facts(form, entry=self.entry if list(rows) else None)
        of_entry: Mapping[str, str] = {"FQty": "FEntry"} if self.entry else {}
        return Known(facts, of_entry.get, lambda key: {"FPayeeId": "BD_Empinfo"}.get(key, ""), str)

    def pages(self, layout: Layout, _where: str) -> Iterator[Page]:
        row = [{**BILL}.get(key) for key in layout.heads]
        entries = [[[one[key] for key in layout.entries] for one in ROWS]] if layout.entries else []
        if self.unreadable:
            yield Page([], NOW, last=True, unreadable=("1",))
        else:
            yield Page([[*row, *entries]], NOW, last=True, doubled=self.doubled)

    def by_ids(self, layout: Layout, _ids: Sequence[str]) -> Iterator[Page]:
        return self.pages(layout, "")


def desk(shelf: Shelf) -> KingdeeDesk:
    return KingdeeDesk(cast("Any", shelf), cast("Any", None), lambda *_: cast("Any", None))


def action(**changes: Any) -> CompiledAction:
    spec = {"id": "a", "title": "x", "phrases": ["x"], "form": FORM, "allow": ["user:u1"], "do": ["audit"], **changes}
    return compile_action(ActionSection.model_validate_json(json.dumps(spec)))


@pytest.mark.parametrize(("most", "holds"), [(400, False), (600, True)])
def test_a_condition_on_rows_sees_the_rows(most: int, *, holds: bool) -> None:
    asked = action(when=f"doc.entries | map(attribute='FQty') | select('gt', {most}) | list | length == 0")
    (found,) = desk(Shelf()).find(FORM, "FKD1", asked.heads, asked.entries)
    read = desk(Shelf()).read(FORM, "1", asked.heads, asked.entries)
    assert read == found
    assert asked.suits(found.document, now=NOW, zone=ZONE) == holds


def test_rows_that_cannot_be_told_apart_are_not_taken_for_none() -> None:
    asked = action(when="doc.entries | map(attribute='FQty') | select('gt', 400) | list | length == 0")
    with pytest.raises(EdgeError, match="the rows of AP_PAYBILL"):
        desk(Shelf(entry=None)).find(FORM, "FKD1", asked.heads, asked.entries)


def test_a_document_whose_row_cannot_be_read_is_not_taken_for_none() -> None:
    """Or what was pushed is pushed again, and whoever asks hears that there is no such document."""
    shelf = Shelf()
    bill = desk(shelf).find(FORM, "FKD1", ())[0]
    shelf.unreadable = True
    push = Do("push", options={"to": FORM})
    at = desk(shelf)
    for ask in (lambda: at.find(FORM, "FKD1", ()), lambda: at.read(FORM, "1", ()), lambda: at.pushed(bill, push)):
        with pytest.raises(EdgeError, match="cannot be read") as caught:
            ask()
        assert caught.value.kind is FailureKind.TRANSIENT


def test_a_document_of_which_two_states_come_is_judged_by_neither() -> None:
    """A field of an entry that passes for one of the head: which row's amount would be under the limit is chance."""
    shelf = Shelf()
    shelf.doubled = ("1",)
    with pytest.raises(EdgeError, match="more than one value"):
        desk(shelf).read(FORM, "1", ("FAmount",))


def test_the_forms_that_fields_refer_to_come_with_the_document() -> None:
    bill = desk(Shelf()).read(FORM, "1", ("FPayeeId",))
    assert bill is not None
    assert [bill.lookup_of(key) for key in ("FPayeeId", "FAmount")] == ["BD_Empinfo", ""]


def test_what_a_push_made_is_told_and_what_it_refused_is_not() -> None:
    outcomes = (Outcome("9", "FKD9", done=True), Outcome("1", "", done=False, text="no"))
    hands = cast("Hands", SimpleNamespace(account="", operations=SimpleNamespace(push=lambda *_: outcomes)))
    pushing = KingdeeDesk(cast("Any", Shelf()), cast("Any", None), lambda *_: hands)
    bill = pushing.read(FORM, "1", ())
    assert bill is not None
    ruling = pushing.write(bill, Do("push", options={"to": FORM}), user_id="", opinion="", sender="u1")
    assert (ruling.done, ruling.made) == (False, (("9", "FKD9"),))


@pytest.mark.parametrize(
    ("to", "key", "cancel", "found"),
    [
        (FORM, "FSRCBILLNO", "A", [("1", "FKD1")]),
        (FORM, "FSRCBILLNO", "B", []),  # it was voided
        (FORM, None, "A", []),
        ("", "FSRCBILLNO", "A", []),  # the conversion rule alone does not tell
    ],
)
def test_what_was_pushed_before_is_found_by_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch, to: str, key: str | None, cancel: str, found: list[tuple[str, str]]
) -> None:
    shelf, asked = Shelf(), list[str]()
    facts, pages = shelf.facts, shelf.pages

    def asked_for(layout: Layout, where: str) -> Iterator[Page]:
        asked.append(where)
        return pages(layout, where)

    monkeypatch.setattr(shelf, "facts", lambda form, rows: replace(facts(form, rows), key_of=lambda _key: key))
    monkeypatch.setattr(shelf, "pages", asked_for)
    monkeypatch.setitem(BILL, "FCancelStatus", cancel)
    source = Bill(Document("CN_PAYAPPLY", "5", "SQ'1", {}), Facts("CN_PAYAPPLY"))
    assert desk(shelf).pushed(source, Do("push", options={"to": to} if to else {"rule": "x"})) == found
    assert asked == (["FSRCBILLNO='SQ''1'"] if to and key else [])
