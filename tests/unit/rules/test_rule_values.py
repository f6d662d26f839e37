from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kdsync.model import Document
from kdsync.rules.values import MISSING, Amount, Record, value_of

SHANGHAI = ZoneInfo("Asia/Shanghai")


def record(**values: Any) -> Record:
    return Record({key.replace("__", "."): value for key, value in values.items()}, SHANGHAI)


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        (24.95, Amount("24.95")),
        (Decimal("73.517061234567890"), Amount("73.517061234567890")),
        (3, 3),
        (True, True),
        ("C", "C"),
        ("Acme  ", "Acme"),
        ("  Acme", "  Acme"),
        ("2026-11-23T00:00:00", datetime(2026, 11, 23, tzinfo=SHANGHAI)),
        ("2026-11-23T08:15:30.72", datetime(2026, 11, 23, 8, 15, 30, 720_000, tzinfo=SHANGHAI)),
        ("2026-11-23T08:15:30.647", datetime(2026, 11, 23, 8, 15, 30, 647_000, tzinfo=SHANGHAI)),
        ("2026-13-23T00:00:00", "2026-13-23T00:00:00"),
        ("2026-11-23", "2026-11-23"),
        (float("inf"), "inf"),
        (Decimal("1E+999999"), "1E+999999"),
    ],
)
def test_a_raw_value_becomes_what_rules_see(raw: Any, seen: Any) -> None:
    value = value_of(raw, SHANGHAI)
    assert value == seen
    assert type(value) is type(seen)


@pytest.mark.parametrize("raw", [None, "", " ", "\t ", "0001-01-01T00:00:00"])
def test_every_kind_of_empty_is_missing(raw: str | None) -> None:
    assert value_of(raw, SHANGHAI) is MISSING


def test_a_float_counts_as_the_decimal_it_is_written_as() -> None:
    assert Amount("0.1") + 0.2 == Amount("0.3")
    assert 0.2 + Amount("0.1") == 0.3
    assert Amount("0.1") == 0.1
    assert Amount("0.1") != 0.2
    assert not Amount("0.3") < 0.3


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (Amount(7) - 1, "6"),
        (1 - Amount(7), "-6"),
        (Amount(7) * 0.5, "3.5"),
        (Amount(7) / 2, "3.5"),
        (7 / Amount(2), "3.5"),
        (Amount(7) // 2, "3"),
        (Amount(7) % 4, "3"),
        (Amount(2) ** 3, "8"),
        (-Amount(7), "-7"),
        (+Amount(7), "7"),
        (abs(Amount(-7)), "7"),
        (Amount(7) + Decimal("0.50"), "7.50"),
        (sum([Amount(1), Amount(2)]), "3"),
    ],
)
def test_calculating_with_amounts_gives_amounts(result: Any, expected: str) -> None:
    assert isinstance(result, Amount)
    assert str(result) == expected


@pytest.mark.parametrize(
    ("amount", "printed"),
    [("1E+6", "1000000"), ("1E-10", "0.0000000001"), ("10.50", "10.50"), ("0E-10", "0.0000000000"), ("-3", "-3")],
)
def test_an_amount_prints_without_an_exponent(amount: str, printed: str) -> None:
    assert str(Amount(amount)) == f"{Amount(amount)}" == printed


def test_an_amount_and_text_do_not_mix() -> None:
    assert Amount(1) != "1"
    with pytest.raises(TypeError):
        _ = Amount(1) + "1"
    with pytest.raises(TypeError):
        _ = Amount(1) < "1"


def test_equal_amounts_have_the_same_hash() -> None:
    assert len({Amount("1.0"), Amount(1), 1}) == 1


@pytest.mark.parametrize("other", [0, 1.5, "x", Amount(1), datetime(2026, 1, 1, tzinfo=SHANGHAI), [], False])
def test_nothing_compares_to_a_missing_value(other: Any) -> None:
    nothing = value_of(None, SHANGHAI)
    assert not nothing < other
    assert not nothing >= other
    assert not other > nothing
    assert not other <= nothing
    assert nothing != other
    assert other != nothing


@pytest.mark.parametrize("empty", [None, "", MISSING])
def test_a_missing_value_equals_the_other_empties(empty: Any) -> None:
    nothing = value_of(" ", SHANGHAI)
    assert nothing == empty
    assert empty == nothing
    assert (nothing != empty) is False


def test_calculating_with_a_missing_value_gives_a_missing_value() -> None:
    for result in (MISSING + 1, 1 - MISSING, "a" + MISSING, Amount(2) * MISSING, MISSING / 0, -MISSING, abs(MISSING)):
        assert result is MISSING


def test_a_missing_value_is_nothing_to_look_into() -> None:
    assert MISSING.FName["x"].anything() is MISSING
    assert not MISSING
    assert str(MISSING) == ""
    assert list(MISSING) == []
    assert len(MISSING) == 0
    assert "x" not in MISSING
    with pytest.raises(TypeError):
        int(MISSING)


def test_a_field_is_found_as_written_first_then_in_any_case() -> None:
    both = record(FBillNo="exact", FBILLNO="other")
    assert both.value("FBillNo") == "exact"
    assert both.value("FBILLNO") == "other"
    assert both.value("fbillno") == "exact"
    assert both.value("FNothing") is MISSING
    assert both.value(0) is MISSING


def test_a_reference_is_its_id_and_has_fields() -> None:
    document = record(FSupplierId=100321, FSupplierId__FName="Acme", FDeptId="a1b2", FDeptId__FManager__FName="Li")
    supplier = document.value("FSupplierId")
    assert supplier == 100321
    assert supplier.part("FName") == "Acme"
    assert supplier.part("FNumber") is MISSING
    assert document.value("fsupplierid").part("fname") == "Acme"
    assert document.value("FDeptId") == "a1b2"
    assert document.value("FDeptId").part("FManager").part("FName") == "Li"


def test_a_reference_whose_id_was_not_asked_for_still_has_its_fields() -> None:
    supplier = record(FSupplierId__FName="Acme").value("FSupplierId")
    assert not supplier
    assert supplier == ""
    assert supplier.part("FName") == "Acme"


def test_an_unset_reference_is_false() -> None:
    document = record(FSupplierId=0, FSupplierId__FName=None)
    assert not document.value("FSupplierId")
    assert document.value("FSupplierId").part("FName") is MISSING


def test_entry_rows_are_records() -> None:
    document = Document("F", "1", "B-1", {}, [{"FQty": 1.5}, {"FQty": None}])
    first, second = Record.of(document, SHANGHAI).value("entries")
    assert first.value("fqty") == Amount("1.5")
    assert second.value("FQty") is MISSING
    assert str(Record.of(document, SHANGHAI)) == "B-1"
    with pytest.raises(TypeError, match="its rows are its entries"):
        list(Record.of(document, SHANGHAI))
