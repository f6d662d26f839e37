"""Finds people and departments of Kingdee by what DingTalk knows of them: the other way round than people.py.

An employee stands once in each organisation that uses it, with the same number; only different numbers are different
employees. Users and employees meet in FLinkObject and FPersonID.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from kdsync.errors import UnknownFieldError
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.query import literal, select

STAFF_NUMBERS = ("FStaffNumber", "FNumber")
"""Keys of an employee's number; a version may know only one of them, and only one may be filled in."""
APPROVED = "FDocumentStatus='C'"
"""A document may point to approved base data only."""
MOST = 20
Found = TypeVar("Found")


class Register:
    """Looks people and departments up. Every method raises EdgeError."""

    def __init__(self, client: KingdeeClient, staff: Callable[[str, str], Any]) -> None:
        self._client, self._staff = client, staff

    def by_mobile(self, mobile: str) -> list[Any]:
        """The employees with a phone number, however the prefix of China is written."""
        plain = mobile.removeprefix("+86").removeprefix("86-").lstrip("- ")
        spellings = (mobile, plain, f"+86{plain}", f"86{plain}", f"+86-{plain}", f"+86 {plain}")
        return self._employees(f"FMobile in ({_listed(spellings)})")

    def by_job_number(self, number: str) -> list[Any]:
        """The employee with a number."""
        return self._employees(f"FStaffNumber={literal(number)}")

    def by_account(self, account: str) -> list[Any]:
        """The employee that a user is linked to."""
        rows = self._select("SEC_User", ("FUserID", "FLinkObject"), f"FUserAccount={literal(account)}")
        persons = [text for row in rows if (text := _text(row["FLinkObject"]))]
        return self._employees(f"FPersonID in ({_listed(persons)})") if persons else []

    def users(self, *, account: str = "", person: str = "") -> list[str]:
        """The ids of the users with an account, or of a person."""
        where = f"FUserAccount={literal(account)}" if account else f"FLinkObject={literal(person)}"
        rows = self._select("SEC_User", ("FUserID",), where)
        return _once(text for row in rows if (text := _text(row["FUserID"])))

    def departments(self, name: str) -> list[str]:
        """The numbers of the approved departments with a name."""
        rows = self._select("BD_Department", ("FNumber",), f"FName={literal(name)} and {APPROVED}")
        return _once(text for row in rows if (text := _text(row["FNumber"])))

    def _employees(self, where: str) -> list[Any]:
        rows = self._rows(where, STAFF_NUMBERS)
        numbered = ((_number(row), _text(row["FPersonID"])) for row in rows)
        return _once(self._staff(number, person) for number, person in numbered if number)

    def _rows(self, where: str, numbers: Sequence[str]) -> list[dict[str, Any]]:
        try:
            return self._select("BD_Empinfo", ("FID", *numbers, "FPersonID"), f"{where} and {APPROVED}")
        except UnknownFieldError as error:
            known = [key for key in numbers if key.casefold() != error.field.casefold()]
            if not known or len(known) == len(numbers):
                raise
        return self._rows(where, known)

    def _select(self, form: str, keys: Sequence[str], where: str) -> list[dict[str, Any]]:
        """All or none: who is the only one that can be read is not the only one."""
        return select(self._client, form, keys, where, MOST, strictly=True)


def _number(row: Mapping[str, Any]) -> str:
    return next((text for key in STAFF_NUMBERS if (text := _text(row.get(key)))), "")


def _once(items: Iterable[Found]) -> list[Found]:
    return list(dict.fromkeys(items))


def _listed(texts: Iterable[str]) -> str:
    return ",".join(map(literal, dict.fromkeys(texts)))


def _text(value: Any) -> str:
    text = "" if value is None else str(value).strip()
    return "" if text == "0" else text
