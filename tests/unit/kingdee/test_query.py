"""Paging over a table that answers as Kingdee does: flattened rows, no total, no fixed page length."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.errors import EdgeError
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.errors import Symptom, failure
from kdsync.kingdee.query import by_ids, literal, pages, select
from kdsync.kingdee.transport import Reply
from kdsync.model import Facts, Layout, Page, Row

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SETTINGS, CLOCK = SimpleNamespace(timezone=ZoneInfo("Asia/Shanghai")), SimpleNamespace(now=lambda: NOW)
FACTS = Facts("SAL_SaleOrder", entry="FSaleOrderEntry")
HEADS = Layout(FACTS, ("FID", "FBillNo"))
WITH_ENTRIES = Layout(FACTS, ("FID", "FBillNo"), ("FQty", "FPrice"))
ENTRY_PK = "FSaleOrderEntry_FEntryID"


@dataclass
class Table:
    """Documents as (pk, entry rows); `cap` rows an answer, whatever is asked for. Understands what kdsync writes."""

    documents: Sequence[tuple[Any, Sequence[int]]]
    cap: int = 10_000
    ignores_filter: bool = False
    cuts: dict[int, int] = field(default_factory=dict)  # how many rows the answers of these numbers are cut to
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    fails_at: int | None = None
    bears: int = 10_000  # rows of an answer that is not too large
    threads: set[str] = field(default_factory=set)

    def ask(self, service: str, payload: Mapping[str, Any], *, read: bool) -> Reply:
        assert (service, read) == ("ExecuteBillQuery", True)
        data = payload["data"]
        self.asked.append(data)
        self.threads.add(threading.current_thread().name)
        if self.fails_at == len(self.asked):
            raise EdgeError("kingdee", cast("Any", "transient"), "cut", "the connection broke")
        rows = [row for row in self.rows(data["FieldKeys"].split(",")) if self.behind(data["FilterString"], row)]
        if min(len(rows), data["Limit"]) > self.bears:
            raise failure(Symptom(fault="too-large"), read=True)
        most = min(self.cap, data["Limit"], self.cuts.get(len(self.asked), self.cap))
        return Reply([self.shown(row, data) for row in rows[:most]], NOW)

    def call(self, service: str, payload: Mapping[str, Any], *, read: bool) -> Any:
        return self.ask(service, payload, read=read).value

    def rows(self, keys: list[str]) -> list[dict[str, Any]]:
        flat = any(key not in ("FID", "FBillNo") for key in keys)
        heads = [({"FID": pk, "FBillNo": f"B{pk}"}, entries) for pk, entries in self.documents]
        return [
            {**head, ENTRY_PK: entry, "FQty": None if entry is None else entry * 10, "FPrice": 1.5}
            for head, entries in heads
            for entry in ([*entries] if flat and entries else [None])
        ]

    def behind(self, where: str, row: Mapping[str, Any]) -> bool:
        if self.ignores_filter:
            return True
        for listed in re.findall(r"FID in \(([^)]*)\)", where):
            if literal(row["FID"]) not in listed.split(","):
                return False
        both = re.search(rf"\(FID > (.+?) or \(FID = .+? and {ENTRY_PK} > (\d+)\)\)", where)
        if both:
            return (literal(row["FID"]) == both[1] and row[ENTRY_PK] > int(both[2])) or self.after(row["FID"], both[1])
        only = re.search(r"FID > (\d+|'(?:[^']|'')*')$", where)
        return self.after(row["FID"], only[1]) if only else True

    @staticmethod
    def after(pk: Any, text: str) -> bool:
        return pk > int(text) if isinstance(pk, int) else pk > text[1:-1].replace("''", "'")

    @staticmethod
    def shown(row: Mapping[str, Any], data: Mapping[str, Any]) -> list[Any]:
        return [row[key] for key in data["FieldKeys"].split(",")]


def read(table: Table, layout: Layout, where: str = "", **how: Any) -> list[Page]:
    return list(pages(cast("KingdeeClient", table), layout, where, **how))


def rows(found: list[Page]) -> list[Row]:
    return [row for page in found for row in page.rows]


def expected(table: Table) -> list[Row]:
    return [[pk, f"B{pk}", [[entry * 10, 1.5] for entry in entries]] for pk, entries in table.documents]


@pytest.mark.parametrize("layout", [HEADS, WITH_ENTRIES])
@pytest.mark.parametrize("bears", [1, 3, 40])
def test_a_page_that_is_too_large_is_asked_for_in_parts(layout: Layout, bears: int) -> None:
    table = Table([(pk, [pk * 1000 + at for at in range(pk % 4)]) for pk in range(1, 60)], bears=bears)
    documents = expected(table) if layout.entries else [[pk, f"B{pk}"] for pk, _ in table.documents]
    assert rows(read(table, layout, page_size=100)) == documents


def test_one_row_that_is_too_large_is_said() -> None:
    with pytest.raises(EdgeError, match="larger than kdsync accepts"):
        read(Table([(1, [])], bears=0), HEADS)


def test_an_idle_form_costs_one_request() -> None:
    table = Table([])
    assert read(table, HEADS, "FModifyDate >= '2026-11-23 08:00:00'") == [Page([], NOW, last=True)]
    assert table.asked == [
        {
            "FormId": "SAL_SaleOrder",
            "FieldKeys": "FID,FBillNo",
            "OrderString": "FID ASC",
            "FilterString": "FModifyDate >= '2026-11-23 08:00:00'",
            "TopRowCount": 0,
            "StartRow": 0,
            "Limit": 2000,
            "SubSystemId": "",
        }
    ]


def test_a_page_starts_behind_the_last_key() -> None:
    table = Table([(pk, []) for pk in range(1, 8)])
    found = read(table, HEADS, "FDocumentStatus = 'C' or FID = 3", page_size=3)
    assert [len(page.rows) for page in found] == [3, 3, 1]
    assert [page.last for page in found] == [False, False, True]
    assert [asked["FilterString"] for asked in table.asked[1:]] == [
        "(FDocumentStatus = 'C' or FID = 3) and FID > 3",
        "(FDocumentStatus = 'C' or FID = 3) and FID > 6",
    ]
    assert all(asked["StartRow"] == asked["TopRowCount"] == 0 for asked in table.asked)


def test_a_server_that_caps_pages_without_a_word() -> None:
    table = Table([(pk, []) for pk in range(1, 1001)], cap=300)
    assert [row[0] for row in rows(read(table, HEADS))] == list(range(1, 1001))
    assert len(table.asked) == 5  # 300 300 300 100, and an empty one to be sure


def test_a_short_page_is_the_end() -> None:
    table = Table([(pk, []) for pk in range(1, 100)])
    assert len(rows(read(table, HEADS))) == 99
    assert len(table.asked) == 1


def test_a_capped_page_is_said_to_be_short() -> None:
    table = Table([(pk, []) for pk in range(1, 301)], cap=200)
    assert [page.short for page in read(table, HEADS)] == [False, True, False]
    assert [page.short for page in read(Table(table.documents), HEADS, page_size=150)] == [False, False, False]


def test_who_must_be_sure_asks_behind_a_page_of_three_that_was_cut_from_five() -> None:
    table = Table([(pk, []) for pk in range(1, 6)], cuts={1: 3})
    found = read(table, HEADS, sure=lambda _rows, _now: True)
    assert [row[0] for row in rows(found)] == [1, 2, 3, 4, 5]
    assert [(page.short, page.last) for page in found] == [(False, False), (True, False), (False, True)]
    assert len(table.asked) == 3


@pytest.mark.parametrize(("modified", "short"), [("2026-11-23T08:59:57.997", True), ("2026-11-23T08:59:58", False)])
def test_a_document_that_comes_between_two_requests_makes_no_short_page(modified: str, short: bool) -> None:
    class Scripted:
        settings, server_clock = SETTINGS, CLOCK
        answers = [[[1, "B1", "2026-11-23T08:00:00"]], [[2, "B2", modified]], list[Any]()]  # noqa: RUF012  # used once

        def ask(self, *_args: Any, **_more: Any) -> Reply:
            return Reply(self.answers.pop(0), NOW + timedelta(seconds=20))

    layout = Layout(FACTS, ("FID", "FBillNo", "FModifyDate"))
    found = list(pages(cast("KingdeeClient", Scripted()), layout, sure=lambda _rows, _now: True))
    assert [page.short for page in found] == [False, short, False]


def test_who_need_not_be_sure_is_asked_with_the_rows_and_the_servers_time() -> None:
    table, heard = Table([(pk, []) for pk in range(1, 6)], cuts={1: 3}), list[Any]()

    def sure(*said: Any) -> bool:
        heard.append(said)
        return False

    found = read(table, HEADS, sure=sure)
    assert len(rows(found)) == 3
    assert heard == [([[1, "B1"], [2, "B2"], [3, "B3"]], NOW)]


def test_an_empty_answer_is_the_end_even_for_who_must_be_sure() -> None:
    table = Table([])
    read(table, HEADS, sure=lambda _rows, _now: True)
    read(table, WITH_ENTRIES)
    assert len(table.asked) == 2


def test_a_page_that_is_cut_within_a_document_tears_no_rows_off_it() -> None:
    table = Table([(1, [11, 12, 13]), (2, [21])], cuts={1: 2})
    found = read(table, WITH_ENTRIES)
    assert rows(found) == expected(table)
    assert any(page.short for page in found)


def test_documents_by_id_are_not_gone_because_a_page_was_cut() -> None:
    table = Table([(pk, []) for pk in range(1, 6)], cuts={1: 3})
    assert len(rows(list(by_ids(cast("KingdeeClient", table), HEADS, ["1", "2", "3", "4", "5"])))) == 5
    table = Table([(pk, []) for pk in range(1, 6)])
    list(by_ids(cast("KingdeeClient", table), HEADS, ["1", "2", "3", "4", "5"]))
    assert len(table.asked) == 1


class Doubled(Table):
    """The document 2 comes twice, with different heads, in an order that nobody can foretell."""

    turned = False

    def rows(self, keys: list[str]) -> list[dict[str, Any]]:
        found = super().rows(keys)
        two = [row for row in found if row["FID"] == 2]
        twice = [{**row, "FBillNo": number} for number in ("B2", "C2") for row in two]
        return [row for row in found if row["FID"] < 2] + (twice[::-1] if self.turned else twice)


@pytest.mark.parametrize("layout", [HEADS, WITH_ENTRIES])
def test_of_a_doubled_id_the_same_head_is_chosen_whatever_the_order(layout: Layout) -> None:
    table, turned = Doubled([(1, []), (2, [21])]), Doubled([(1, []), (2, [21])])
    turned.turned = True
    found, other = read(table, layout), read(turned, layout)
    assert rows(found) == rows(other)
    assert rows(found)[1][1] == "C2"
    assert [page.doubled for page in found if page.doubled] == [("2",)]


def test_of_a_doubled_id_the_head_modified_last_is_chosen() -> None:
    class Dated(Doubled):
        settings, server_clock = SETTINGS, CLOCK

        def rows(self, keys: list[str]) -> list[dict[str, Any]]:
            dates = {"B2": "2026-11-23T10:00:00", "C2": "2026-11-22T10:00:00"}
            return [{**row, "FModifyDate": dates.get(row["FBillNo"])} for row in super().rows(keys)]

    found = rows(read(Dated([(1, []), (2, [])]), Layout(FACTS, ("FID", "FBillNo", "FModifyDate"))))
    assert found[1][1] == "B2"


def test_a_head_that_comes_twice_alike_is_not_doubled() -> None:
    table = Table([(1, []), (1, []), (2, [])])
    (page,) = read(table, HEADS)
    assert [row[0] for row in page.rows] == [1, 2]
    assert page.doubled == ()


def test_entry_rows_are_gathered_under_their_document() -> None:
    table = Table([(1, [11, 12]), (2, []), (3, [31])])
    assert rows(read(table, WITH_ENTRIES)) == expected(table)
    assert table.asked[0]["FieldKeys"] == f"FID,FBillNo,{ENTRY_PK},FQty,FPrice"
    assert table.asked[0]["OrderString"] == f"FID ASC,{ENTRY_PK} ASC"


def test_a_document_that_spans_pages_is_handed_out_whole() -> None:
    table = Table([(1, [11]), (2, [21, 22, 23, 24, 25]), (3, [31])])
    found = read(table, WITH_ENTRIES, page_size=2)
    assert rows(found) == expected(table)
    assert all(page.rows or page.last for page in found)
    assert table.asked[1]["FilterString"] == f"(FID > 2 or (FID = 2 and {ENTRY_PK} > 21))"


def test_a_document_of_five_thousand_rows() -> None:
    table = Table([(7, range(1, 5001))])
    (page,) = read(table, WITH_ENTRIES)
    assert page.last
    assert len(page.rows[0][-1]) == 5000


@given(
    st.lists(st.integers(0, 7), max_size=12),
    st.integers(1, 9),
    st.sampled_from([100, 150]),
    st.booleans(),
    st.booleans(),
)
def test_whatever_the_pages_the_documents_are_the_same(
    sizes: list[int], page_size: int, cap: int, text: bool, ahead: bool
) -> None:
    entry, documents = 0, []
    for number, size in enumerate(sizes):
        documents.append((f"k'{number:03}" if text else number + 1, list(range(entry + 1, entry + size + 1))))
        entry += size
    table = Table(documents, cap=cap)
    found = read(table, WITH_ENTRIES, page_size=page_size, ahead=ahead)
    assert rows(found) == expected(table)
    assert [page.last for page in found] == [False] * (len(found) - 1) + [True]
    assert [row[0] for row in rows(read(table, HEADS, page_size=page_size, ahead=ahead))] == [pk for pk, _ in documents]


def test_an_entry_field_among_the_head_keys_repeats_no_document() -> None:
    table = Table([(1, [11, 12, 13]), (2, [21, 22])])
    found = rows(read(table, Layout(FACTS, ("FID", "FBillNo", "FQty")), page_size=2))
    assert [row[0] for row in found] == [1, 2]


def test_the_entrys_own_id_may_be_one_of_the_fields() -> None:
    table = Table([(1, [11, 12])])
    layout = Layout(FACTS, ("FID",), ("FQty", ENTRY_PK))
    assert rows(read(table, layout)) == [[1, [[110, 11], [120, 12]]]]
    assert table.asked[0]["FieldKeys"] == f"FID,FQty,{ENTRY_PK}"


def test_rows_of_two_entries_repeat_no_entry_row() -> None:
    table = Table([(1, [11, 11, 12, 12])])
    assert rows(read(table, WITH_ENTRIES)) == [[1, "B1", [[110, 1.5], [120, 1.5]]]]


def test_reading_goes_on_behind_a_key() -> None:
    table = Table([(pk, [pk]) for pk in range(1, 6)])
    assert [row[0] for row in rows(read(table, HEADS, after=(3,)))] == [4, 5]
    assert [row[0] for row in rows(read(table, WITH_ENTRIES, after=(3,)))] == [4, 5]


def test_text_keys_are_quoted() -> None:
    table = Table([("a'b", []), ("c", [])])
    assert [row[0] for row in rows(read(table, HEADS, page_size=1))] == ["a'b", "c"]
    assert table.asked[1]["FilterString"] == "FID > 'a''b'"


def test_a_server_that_ignores_the_filter_does_not_keep_us_for_ever() -> None:
    for layout in (HEADS, WITH_ENTRIES):
        table = Table([(pk, [pk]) for pk in range(1, 6)], ignores_filter=True)
        with pytest.raises(EdgeError, match="repeats a page"):
            read(table, layout, page_size=2)


@pytest.mark.parametrize("value", [{"FID": 1}, "x", None, [{"FID": 1}], [[1]], [[1, 2, 3]], [[None, "B"]], ["ab"]])
def test_an_answer_that_is_no_table(value: Any) -> None:
    class Odd(Table):
        def ask(self, service: str, payload: Mapping[str, Any], *, read: bool) -> Reply:
            super().ask(service, payload, read=read)
            return Reply(value, NOW)

    with pytest.raises(EdgeError) as caught:
        read(Odd([]), HEADS, ahead=True)
    assert caught.value.code == "shape"


def reading_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("kingdee-ahead")]


def test_the_next_page_is_fetched_while_this_one_is_worked_on() -> None:
    table = Table([(pk, []) for pk in range(1, 7)])
    found = pages(cast("KingdeeClient", table), HEADS, page_size=2, ahead=True)
    assert next(found).rows == [[1, "B1"], [2, "B2"]]
    assert [row[0] for row in rows(list(found))] == [3, 4, 5, 6]
    assert all(name.startswith("kingdee-ahead") for name in table.threads)
    assert not reading_threads()


def test_a_reader_that_stops_early_leaves_no_thread() -> None:
    found = pages(cast("KingdeeClient", Table([(pk, []) for pk in range(1, 99)])), HEADS, page_size=2, ahead=True)
    next(found)
    assert reading_threads()
    found.close()  # type: ignore[attr-defined]  # it is a generator
    assert not reading_threads()


@pytest.mark.parametrize("ahead", [True, False])
def test_a_failure_reaches_the_reader_after_the_pages_before_it(ahead: bool) -> None:
    found = pages(
        cast("KingdeeClient", Table([(pk, []) for pk in range(1, 9)], fails_at=2)), HEADS, page_size=2, ahead=ahead
    )
    assert len(next(found).rows) == 2
    with pytest.raises(EdgeError, match="broke"):
        next(found)
    assert not reading_threads()


def test_documents_by_their_ids() -> None:
    table = Table([(pk, [pk]) for pk in range(1, 500)])
    found = list(by_ids(cast("KingdeeClient", table), WITH_ENTRIES, [str(pk) for pk in range(1, 451)] + ["9999"]))
    assert [row[0] for row in rows(found)] == list(range(1, 451))
    assert [page.last for page in found] == [False] * (len(found) - 1) + [True]
    assert table.asked[0]["FilterString"].startswith("FID in (1,2,3,")
    assert all(asked["FilterString"].count(",") < 200 for asked in table.asked)


def test_text_ids_are_quoted_even_if_some_are_digits() -> None:
    table = Table([("12", []), ("a'b", [])])
    assert len(rows(list(by_ids(cast("KingdeeClient", table), HEADS, ["12", "a'b"])))) == 2
    assert table.asked[0]["FilterString"] == "FID in ('12','a''b')"


def test_digits_of_other_scripts_are_no_number() -> None:
    table = Table([("１２", [])])
    assert len(rows(list(by_ids(cast("KingdeeClient", table), HEADS, ["１２"])))) == 1
    assert table.asked[0]["FilterString"] == "FID in ('１２')"


def test_no_ids_are_no_request() -> None:
    table = Table([])
    assert list(by_ids(cast("KingdeeClient", table), HEADS, [])) == []
    assert not table.asked


def test_a_small_table_by_key() -> None:
    table = Table([(1, []), (2, [])])
    found = select(cast("KingdeeClient", table), "SAL_SaleOrder", ("FID", "FBillNo"), "FID in (2)", limit=5)
    assert found == [{"FID": 2, "FBillNo": "B2"}]
    assert table.asked[0]["Limit"] == 5
