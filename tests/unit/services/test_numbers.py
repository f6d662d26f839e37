"""Who somebody of DingTalk is in Kingdee: one, or it is said who is missing and what to do."""

from __future__ import annotations

import pytest

from kdsync.dingtalk.contacts import Contact
from kdsync.rules.approvals import Lookup
from kdsync.services.cabinet import Staff
from kdsync.services.numbers import Numbers, UnresolvedError
from kdsync.settings.schema import Directory
from tests.unit.services.cabinet import FakeBook, FakeRegister

WANG = Lookup("employee", "u1", "Wang")
SALES = Lookup("department", "7", "Sales")


@pytest.fixture
def register() -> FakeRegister:
    return FakeRegister()


def numbers(register: FakeRegister, directory: Directory | None = None) -> Numbers:
    return Numbers(register, FakeBook(), lambda: directory or Directory(match=("mobile", "job_number")))


def test_lookups_are_replaced_in_head_and_rows_and_inside_of_a_key(register: FakeRegister) -> None:
    register.units["Sales"] = ["BM1"]
    model = {"FA": WANG, "FB": {"FStaffNumber": WANG}, "FRows": [{"FC": SALES, "FD": 1}], "FSub": {"FE": WANG}}
    assert numbers(register).in_model(model) == {
        "FA": {"FStaffNumber": "E1"},
        "FB": {"FStaffNumber": "E1"},
        "FRows": [{"FC": {"FNumber": "BM1"}, "FD": 1}],
        "FSub": {"FE": {"FStaffNumber": "E1"}},
    }


def test_the_table_wins_over_phones(register: FakeRegister) -> None:
    register.accounts["wang"] = [Staff("E9")]
    assert numbers(register, Directory(users={"wang": "u1"})).number(WANG) == "E9"


TWO = {"wang": "u1", "wang2": "u1"}


def test_two_accounts_of_two_employees_are_no_guess(register: FakeRegister) -> None:
    register.accounts |= {"wang": [Staff("E8")], "wang2": [Staff("E9")]}
    with pytest.raises(UnresolvedError, match="accounts wang, wang2 is 2 times in Kingdee: leave one of them"):
        numbers(register, Directory(users=TWO)).number(WANG)


@pytest.mark.parametrize("other", [[Staff("E9")], []])
def test_two_accounts_of_one_employee_are_one(register: FakeRegister, other: list[Staff]) -> None:
    register.accounts |= {"wang": [Staff("E9")], "wang2": other}
    assert numbers(register, Directory(users=TWO)).number(WANG) == "E9"


def test_two_accounts_are_two_users(register: FakeRegister) -> None:
    register.ids |= {"wang": ["100001"], "wang2": ["100002"]}
    with pytest.raises(UnresolvedError, match="accounts wang, wang2 is 2 times in Kingdee: leave one of them"):
        numbers(register, Directory(users=TWO)).number(Lookup("user", "u1"))


def test_a_job_number_helps_where_the_phone_does_not(register: FakeRegister) -> None:
    register.mobiles.clear()
    register.jobs["J1"] = [Staff("E7")]
    assert numbers(register).number(WANG) == "E7"


def test_two_employees_with_one_phone_are_no_guess(register: FakeRegister) -> None:
    register.mobiles["138"] = [Staff("E1"), Staff("E2")]
    with pytest.raises(UnresolvedError, match="2 times in Kingdee: add users"):
        numbers(register).number(WANG)


def test_who_is_not_found_is_named_with_what_was_tried(register: FakeRegister) -> None:
    register.mobiles.clear()
    with pytest.raises(
        UnresolvedError, match=r"Wang \(u1\) is no employee .* by mobile 138 or job number J1: add users"
    ):
        numbers(register).number(WANG)
    with pytest.raises(UnresolvedError, match="DingTalk does not show them"):
        numbers(register).number(Lookup("employee", "u5", ""))


def test_a_user_is_found_by_the_employee_or_the_table(register: FakeRegister) -> None:
    register.ids |= {"P1": ["100001"], "wang": ["100009"]}
    assert numbers(register).in_model({"F": Lookup("user", "u1")}) == {"F": {"FUserID": "100001"}}
    assert numbers(register, Directory(users={"wang": "u1"})).number(Lookup("user", "u1")) == "100009"


def test_departments_by_table_then_by_name(register: FakeRegister) -> None:
    register.units["Sales"] = ["BM1", "BM2"]
    with pytest.raises(UnresolvedError, match=r"department Sales \(7\) is 2 times in Kingdee: add departments"):
        numbers(register).number(SALES)
    assert numbers(register, Directory(departments={"7": "BM2"})).number(SALES) == "BM2"


def test_without_a_contact_nobody_is_looked_for_by_nothing(register: FakeRegister) -> None:
    asked = numbers(register)
    asked.book.people["u2"] = Contact("u2", "Li")  # type: ignore[attr-defined]
    with pytest.raises(UnresolvedError, match="mobile not told by DingTalk"):
        asked.number(Lookup("employee", "u2", "Li"))
