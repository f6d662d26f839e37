"""Who stands behind a key in a document: a Kingdee user or employee, with what DingTalk can find them by.

Users (SEC_User) seldom have a phone number, their employee (BD_Empinfo) does; the two meet in FLinkObject and
FPersonID. Not every version knows all of these keys, so those that Kingdee refuses are left out from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kdsync import logs
from kdsync.errors import EdgeError, UnknownFieldError
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.operations import NUMERIC
from kdsync.kingdee.query import MOST_IDS, literal, select

PHONES = ("FPhone", "FMobile")
"""Keys that the phone number of a user may have; the first that Kingdee knows is used."""
USER = ("FUserID", "FUserAccount", "FName", "FLinkObject")
EMPLOYEE = ("FID", "FStaffNumber", "FNumber", "FName", "FMobile", "FPersonID")
PLACES = (
    ("SEC_User", "FUserID"),
    ("SEC_User", "FUserAccount"),
    ("BD_Empinfo", "FID"),
    ("BD_Empinfo", "FStaffNumber"),
    ("BD_Empinfo", "FNumber"),
)
"""Where a key is looked for, in this order."""
UNREADABLE = frozenset({"permission", "2", "unknown-form", "9", "10", "bad-filter"})
"""Codes of failures after which we do without; others are worth asking again."""


@dataclass(frozen=True, slots=True)
class KingdeePerson:
    """A user or an employee or both; "" where Kingdee does not say."""

    account: str = ""
    name: str = ""
    mobile: str = ""
    job_number: str = ""


class People:
    """Looks people up; one of these is kept for as long as the client, for it learns which keys there are."""

    def __init__(self, client: KingdeeClient) -> None:
        self._client = client
        self._refused: dict[str, set[str]] = {"SEC_User": set(), "BD_Empinfo": set()}

    def person(self, key: str, lookup: str = "") -> KingdeePerson | None:
        """The one behind a user id, an account, an employee's id or number; None where there is nobody."""
        return self.people([key], lookup).get(key)

    def people(self, keys: Iterable[str], lookup: str = "") -> dict[str, KingdeePerson]:
        """Those behind the keys, each read in this order: user id, account, employee's id, employee's number.

        Users and employees are numbered independently, so the same id may stand for two people: `lookup` is the form
        that the field refers to (`metadata.Field.lookup`), and then only that one is asked.
        """
        missing = [key for key in dict.fromkeys(keys) if key.strip() and key != "0"]
        found: dict[str, KingdeePerson] = {}
        for form, key in _asked(lookup):
            rows = self._rows(form, key, missing, numeric=key in ("FUserID", "FID"))
            found |= self._users(rows) if form == "SEC_User" else self._employees(rows)
            missing = [item for item in missing if item not in found]
        return found

    def users_with(self, way: str, number: str) -> dict[str, str]:
        """The Kingdee users with that number themselves or as employees: account by user id. `way` is "mobile" (of
        mainland China with or without its country code) or "job_number"."""
        keys = ("FMobile",) if way == "mobile" else ("FStaffNumber", "FNumber")
        spelled = _spelled(number) if way == "mobile" else (number,)
        listed = ",".join(map(literal, spelled))
        rows = [row for key in keys for row in self._select("BD_Empinfo", key, f"{key} in ({listed})")]
        persons = ",".join(sorted({_text(row.get("FPersonID")) for row in rows} - {""}))
        users = self._select("SEC_User", "FLinkObject", f"FLinkObject in ({persons})") if persons else []
        for key in PHONES if way == "mobile" else ():
            users += self._select("SEC_User", key, f"{key} in ({listed})")
        return {_text(row.get("FUserID")): account for row in users if (account := _text(row.get("FUserAccount")))}

    def _users(self, rows: dict[str, dict[str, Any]]) -> dict[str, KingdeePerson]:
        """Users, completed by their employees."""
        links = {key: _text(row.get("FLinkObject")) for key, row in rows.items()}
        employees = self._rows("BD_Empinfo", "FPersonID", list(links.values()), numeric=True)
        return {key: self._person(row, employees.get(links[key], {})) for key, row in rows.items()}

    def _employees(self, rows: dict[str, dict[str, Any]]) -> dict[str, KingdeePerson]:
        """Employees, completed by their users: the account is what an operator's directory goes by."""
        persons = {key: _text(row.get("FPersonID")) for key, row in rows.items()}
        users = self._rows("SEC_User", "FLinkObject", list(persons.values()), numeric=True)
        return {key: self._person(users.get(persons[key], {}), row) for key, row in rows.items()}

    def _person(self, user: dict[str, Any], employee: dict[str, Any]) -> KingdeePerson:
        phone = next((text for key in PHONES if (text := _text(user.get(key)))), "")
        person = KingdeePerson(_text(user.get("FUserAccount")), _text(user.get("FName")), phone)
        return replace(
            person,
            name=person.name or _text(employee.get("FName")),
            mobile=person.mobile or _text(employee.get("FMobile")),
            job_number=_text(employee.get("FStaffNumber")) or _text(employee.get("FNumber")),
        )

    def _rows(self, form: str, key: str, values: Sequence[str], *, numeric: bool) -> dict[str, dict[str, Any]]:
        """Rows of `form` by the value of `key`, as it was asked for; none where Kingdee does not let us see them."""
        wanted = [value for value in dict.fromkeys(values) if not numeric or NUMERIC.fullmatch(value)]
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), MOST_IDS):
            chunk = wanted[start : start + MOST_IDS]
            listed = ",".join(item if numeric else literal(item) for item in chunk)
            rows = {_text(row.get(key)).casefold(): row for row in self._select(form, key, f"{key} in ({listed})")}
            found |= {item: rows[item.casefold()] for item in chunk if item.casefold() in rows}
        return found

    def _select(self, form: str, key: str, where: str) -> list[dict[str, Any]]:
        """A query that leaves out, now and later, what Kingdee says it does not know."""
        refused = self._refused[form]
        for _ in range(len(EMPLOYEE) + len(PHONES)):
            keys = self._keys(form)
            if key not in keys:
                return []
            try:
                return select(self._client, form, keys, where)
            except UnknownFieldError as error:
                unknown = next((item for item in keys if item.casefold() == error.field.casefold()), key)
                logs.get("kingdee").info("kingdee.people_key_unknown", form=form, key=unknown)
                refused.add(unknown)
            except EdgeError as error:
                if error.code not in UNREADABLE:
                    raise
                logs.get("kingdee").warning("kingdee.people_unreadable", form=form, reason=str(error))
                return []
        return []

    def _keys(self, form: str) -> list[str]:
        refused = self._refused[form]
        if form == "BD_Empinfo":
            return [key for key in EMPLOYEE if key not in refused]
        phone = next((key for key in PHONES if key not in refused), None)
        return [key for key in (*USER, phone) if key and key not in refused]


def _asked(lookup: str) -> Sequence[tuple[str, str]]:
    only = [place for place in PLACES if place[0].casefold() == lookup.casefold()]
    return only or PLACES


def _spelled(mobile: str) -> Sequence[str]:
    """The ways in which Kingdee may have a number that DingTalk has without the code of mainland China."""
    return (mobile, *(f"{code}{mobile}" for code in ("+86", "+86-", "+86 ", "86", "86-"))) if mobile else ()


def _text(value: Any) -> str:
    """A value as text; Kingdee has three kinds of nothing, and 0 for a reference that is not set."""
    text = "" if value is None else str(value).strip()
    return "" if text == "0" else text
