"""Who an applicant is in Kingdee, and what a department is called there: from ids of DingTalk to numbers of Kingdee.

The directory's table wins. Else people are found by phone or job number, as `match` says, and departments by their
name. Where more than one fits nobody is taken: a document in a wrong name is worse than none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kdsync.errors import KdsyncError
from kdsync.rules.approvals import Lookup
from kdsync.services.cabinet import Book, Register, Staff
from kdsync.settings.schema import Directory

KEYS = {"employee": "FStaffNumber", "user": "FUserID", "department": "FNumber"}
"""The key in which each stands in a Model."""


One = TypeVar("One")


class UnresolvedError(KdsyncError):
    """Somebody or something of an approval is not to be found in Kingdee; the text says who, and what to do."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Resolves what `| employee`, `| user` and `| department` stand for. Raises EdgeError and UnresolvedError."""

    register: Register
    book: Book
    directory: Callable[[], Directory]

    def in_model(self, model: Mapping[str, Any]) -> dict[str, Any]:
        """The same with numbers for lookups, in the head and in the rows of entries."""
        return {key: self._value(value) for key, value in model.items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, Lookup):
            return {KEYS[value.kind]: self.number(value)}
        if isinstance(value, Mapping):
            return self._inside(value)
        return [self.in_model(row) for row in value] if isinstance(value, list) else value

    def number(self, lookup: Lookup) -> str:
        """The number in Kingdee; of a user, the id."""
        if lookup.kind == "department":
            return self._department(lookup)
        return self._user(lookup) if lookup.kind == "user" else self._employee(lookup).number

    def _inside(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Inside of `{FNumber: …}` the key is written already; a part of the head has fields like the head itself."""
        written = {key.lower() for key in KEYS.values()}
        return {
            key: self.number(part) if isinstance(part, Lookup) and key.lower() in written else self._value(part)
            for key, part in value.items()
        }

    def _department(self, lookup: Lookup) -> str:
        table = self.directory().departments
        if lookup.ident in table:
            return table[lookup.ident]
        found = self.register.departments(lookup.name) if lookup.name else []
        what = f"the department {lookup.name or ''} ({lookup.ident})".replace("  ", " ")
        return _one(found, what, f'add departments: {{"{lookup.ident}": NUMBER}} to directory.yaml')

    def _employee(self, lookup: Lookup) -> Staff:
        accounts = self._accounts(lookup.ident)
        named = _once(found for account in accounts for found in self.register.by_account(account))
        if named:
            return _one(named, _spelled(accounts), _leave(accounts) or "link the user to one employee in Kingdee")
        tried = [f"account {account}" for account in accounts]
        contact = self.book.user(lookup.ident)
        for way in self.directory().match if contact else ():
            number = (contact.mobile if way == "mobile" else contact.job_number) if contact else ""
            tried.append(f"{way.replace('_', ' ')} {number or 'not told by DingTalk'}")
            found = (
                (self.register.by_mobile if way == "mobile" else self.register.by_job_number)(number) if number else []
            )
            if found:
                return _one(found, f"{lookup.name or lookup.ident} ({tried[-1]})", _cure(lookup))
        who = f"{lookup.name or (contact.name if contact else '')} ({lookup.ident})".strip()
        by = f" by {' or '.join(tried)}" if tried else ", and DingTalk does not show them to the app"
        raise UnresolvedError(f"{who} is no employee that Kingdee shows{by}: {_cure(lookup)}")

    def _user(self, lookup: Lookup) -> str:
        accounts = self._accounts(lookup.ident)
        if accounts:
            named = _once(found for account in accounts for found in self.register.users(account=account))
            return _one(named, _spelled(accounts), _leave(accounts) or "correct directory.yaml")
        person = self._employee(lookup).person
        found = self.register.users(person=person) if person else []
        return _one(found, f"the user of {lookup.name or lookup.ident}", _cure(lookup))

    def _accounts(self, userid: str) -> list[str]:
        return [account for account, other in self.directory().users.items() if other == userid]


def _spelled(accounts: Sequence[str]) -> str:
    return f"the account{'s' if len(accounts) > 1 else ''} {', '.join(accounts)}"


def _leave(accounts: Sequence[str]) -> str:
    """What to do where several accounts of one person are the trouble."""
    return "leave one of them under users: in directory.yaml" if len(accounts) > 1 else ""


def _once(items: Iterable[One]) -> list[One]:
    return list(dict.fromkeys(items))


def _cure(lookup: Lookup) -> str:
    return f"add users: {{ACCOUNT: {lookup.ident}}} to directory.yaml"


def _one(found: list[One], what: str, cure: str) -> One:
    if len(found) == 1:
        return found[0]
    raise UnresolvedError(f"{what} is {'not' if not found else f'{len(found)} times'} in Kingdee: {cure}")
