"""Which columns a form is asked for."""

from __future__ import annotations

from kdsync.model import Facts
from kdsync.sync.layout import full_layout, key_layout, light_layout

FACTS = Facts("PUR_PurchaseOrder", entry="FPOOrderEntry", other_dates=("FCloseDate",))


def entry_of(key: str) -> str | None:
    return "FPOOrderEntry" if key == "FQty" else None


def test_the_standard_keys_come_first_and_the_rules_keys_once() -> None:
    layout = full_layout(FACTS, ["FBILLNO", "FSupplierId.FName", "FSupplierId.FName"], [], [], entry_of)
    assert layout.heads[0] == "FID"
    assert layout.heads.count("FSupplierId.FName") == 1
    assert "FBILLNO" not in layout.heads
    assert layout.entries == ()


def test_a_watched_key_takes_the_forms_own_spelling() -> None:
    layout = full_layout(FACTS, [], [], ["FCLOSESTATUS"], entry_of)
    assert layout.watched == {"FCloseStatus"}


def test_an_entry_key_named_like_a_head_key_goes_to_the_entries() -> None:
    layout = full_layout(FACTS, ["FQty"], ["FPrice"], ["FQty"], entry_of)
    assert layout.entries == ("FPrice", "FQty")
    assert "FQty" not in layout.heads
    assert layout.watched == {"FQty"}


def test_the_open_look_asks_for_little() -> None:
    layout = full_layout(FACTS, ["FSupplierId.FName", "FAmount"], [], ["FAmount"], entry_of)
    light = light_layout(layout)
    assert light.heads == (
        "FID",
        "FBillNo",
        "FDocumentStatus",
        "FCancelStatus",
        "FCloseStatus",
        "FApproveDate",
        "FAmount",
    )
    assert light.entries == ()


def test_the_open_look_sees_entry_rows_only_where_they_are_watched() -> None:
    layout = full_layout(FACTS, [], ["FPrice"], ["FQty"], entry_of)
    assert light_layout(layout).entries == ("FPrice", "FQty")


def test_the_key_look_asks_for_identity_status_and_dates() -> None:
    layout = full_layout(FACTS, ["FAmount"], ["FQty"], ["FAmount"], entry_of)
    identity = ("FID", "FDocumentStatus", "FCancelStatus", "FCloseStatus")
    assert key_layout(layout).heads == (*identity, "FModifyDate", "FCreateDate", "FApproveDate", "FCloseDate")


def test_the_order_in_which_a_set_of_needs_is_walked_through_makes_no_other_layout() -> None:
    facts = Facts("AP_PAYBILL")
    one = full_layout(facts, ["FB", "FA"], [], ["FC", "FB"], lambda _key: None)
    other = full_layout(facts, ["FA", "FB"], [], ["FB", "FC"], lambda _key: None)
    assert one == other
