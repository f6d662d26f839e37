"""Employees, users and departments of a simulated Kingdee are found by what DingTalk knows of them."""

from __future__ import annotations

from typing import Any, cast

import pytest

from kdsync.errors import EdgeError
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.register import Register
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.kingdee_forms import Form


@pytest.fixture
def register(at_erp: KingdeeClient) -> Register:
    return Register(at_erp, lambda number, person: (number, person))


def departments(erp: SimulatedKingdee, *units: tuple[str, str, str]) -> None:
    """Departments by number, name and status."""
    heads = "FNumber FName FDocumentStatus FCreateDate:datetime FModifyDate:datetime FCreatorId>SEC_User"
    erp.define_form(Form.parse("BD_Department", heads, pk="FDEPTID", number="FNumber", approved="", approver=""))
    for number, name, status in units:
        erp.create("BD_Department", number, status, FName=name)


@pytest.mark.parametrize("kept", ["13800000001", "+86-13800000001", "86 13800000001", "+8613800000001"])
def test_an_employee_by_phone_however_kingdee_keeps_it(erp: SimulatedKingdee, register: Register, kept: str) -> None:
    erp.add_user("wang", "Wang", kept.replace("86 ", "86"), job_number="E7")
    erp.add_user("li", "Li", "13900000000", job_number="E8")
    assert [number for number, _ in register.by_mobile("13800000001")] == ["E7"]
    assert register.by_mobile("13700000000") == []


def test_an_employee_without_a_staff_number_has_the_other_one(erp: SimulatedKingdee, register: Register) -> None:
    erp.add_user("wang", "Wang", "13800000001")
    ((number, person),) = register.by_mobile("13800000001")
    assert number == erp.documents("BD_Empinfo")[0]["FNumber"]
    assert person


def test_an_employee_by_number_and_by_account(erp: SimulatedKingdee, register: Register) -> None:
    user = erp.add_user("wang", "Wang", "13800000001", job_number="E7")
    assert [number for number, _ in register.by_job_number("E7")] == ["E7"]
    ((number, person),) = register.by_account("wang")
    assert number == "E7"
    assert register.users(person=person) == [str(user)]
    assert register.users(account="wang") == [str(user)]
    assert register.by_account("nobody") == []
    assert register.users(account="nobody") == []


def test_an_employee_that_is_not_approved_is_none(erp: SimulatedKingdee, register: Register) -> None:
    erp.create("BD_Empinfo", "E1", "A", FName="Draft", FStaffNumber="E1", FMobile="13800000001")
    assert register.by_mobile("13800000001") == []


def test_departments_by_name_only_approved_ones_and_each_once(erp: SimulatedKingdee, register: Register) -> None:
    units: Any = [("BM1", "Sales", "C"), ("BM2", "Buyers", "C"), ("BM3", "Buyers", "C"), ("BM4", "Sales", "A")]
    departments(erp, *units)
    assert register.departments("Sales") == ["BM1"]
    assert sorted(register.departments("Buyers")) == ["BM2", "BM3"]
    assert register.departments("O'Neill") == []


@pytest.mark.parametrize("asked", ["by_mobile", "departments"])
def test_of_two_the_only_one_that_can_be_read_is_not_the_only_one(asked: str) -> None:
    class Torn:
        def call(self, *_: object, **__: object) -> Any:
            return [[1, "E7", "E7", 1], [2, "E8", "E8"]] if asked == "by_mobile" else [["BM1"], ["BM2", None]]

    with pytest.raises(EdgeError):
        getattr(Register(cast("KingdeeClient", Torn()), lambda number, _: number), asked)("Sales")
