"""What an intake needs of the two systems: approvals to read, and a Kingdee to put documents into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from kdsync.rules.approvals import Cell
from kdsync.services.desk import Bill, Ruling


class File(Protocol):
    """A file of an approval's form."""

    @property
    def file_id(self) -> str: ...
    @property
    def name(self) -> str: ...


class FormField(Cell, Protocol):
    """A field of an approval's form."""

    @property
    def name(self) -> str: ...
    @property
    def files(self) -> Sequence[File]: ...


class Approval(Protocol):
    """An approval as it stands; `applicant` is a userid, `department` an id, times may be untold.

    `action` is REVOKE or MODIFY where it takes back or changes the approval `main_id`, which was agreed to before.
    """

    @property
    def instance_id(self) -> str: ...
    @property
    def business_id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def result(self) -> str: ...
    @property
    def applicant(self) -> str: ...
    @property
    def department(self) -> str: ...
    @property
    def department_name(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def main_id(self) -> str: ...
    @property
    def created_at(self) -> datetime | None: ...
    @property
    def finished_at(self) -> datetime | None: ...
    @property
    def components(self) -> Sequence[FormField]: ...
    @property
    def is_agreed(self) -> bool: ...


class Approvals(Protocol):
    """DingTalk's approvals. Every method raises EdgeError."""

    def instance(self, instance_id: str) -> Approval | None:
        """One; None where there is none."""

    def finished(self, process_code: str, since: datetime, until: datetime) -> Iterator[str]:
        """The ids of those that were begun between two moments and are over."""

    def comment(self, instance_id: str, userid: str, text: str) -> None:
        """A comment below one, in somebody's name."""

    def download(self, instance_id: str, file_id: str, most: int) -> bytes:
        """A file of its form."""


@dataclass(frozen=True, slots=True)
class Made:
    """What Kingdee said to a new document."""

    ruling: Ruling
    doc_id: str = ""
    number: str = ""


class Cabinet(Protocol):
    """Kingdee, as far as new documents go. Every method raises EdgeError."""

    def find(self, form: str, key: str | None, value: str) -> list[Bill]:
        """The documents whose key field, or number where `key` is None, is `value`."""

    def read(self, form: str, doc_id: str) -> Bill | None:
        """One by its id; None where it is not there."""

    def create(self, form: str, key: str | None, value: str, model: Mapping[str, Any], *, draft: bool) -> Made:
        """A new document with `value` in its key, once. UNKNOWN_OUTCOME means that it may have been made."""

    def attached(self, form: str, doc_id: str) -> frozenset[str]:
        """The names of the files that hang on it. The code `UNREADABLE` says that this server never tells."""

    def attach(self, form: str, doc_id: str, number: str, name: str, content: bytes) -> None:
        """One more file, once."""

    def stored_name(self, name: str) -> str:
        """What a file of that name is called there."""


@dataclass(frozen=True, slots=True)
class Staff:
    """An employee of Kingdee: the number, and what links it to a user."""

    number: str
    person: str = ""


class Register(Protocol):
    """Kingdee's people and departments, by what DingTalk tells of them. Every method raises EdgeError."""

    def by_mobile(self, mobile: str) -> list[Staff]:
        """The employees with a phone number, each once."""

    def by_job_number(self, number: str) -> list[Staff]:
        """The employees with a number."""

    def by_account(self, account: str) -> list[Staff]:
        """The employee of a user's account."""

    def users(self, *, account: str = "", person: str = "") -> list[str]:
        """The ids of the users with an account, or of a person."""

    def departments(self, name: str) -> list[str]:
        """The numbers of the departments with a name, each once."""


class Contact(Protocol):
    """Somebody in DingTalk."""

    @property
    def name(self) -> str: ...
    @property
    def mobile(self) -> str: ...
    @property
    def job_number(self) -> str: ...


class Book(Protocol):
    """DingTalk's directory. Raises EdgeError."""

    def user(self, userid: str) -> Contact | None:
        """Somebody; None for whom the app cannot see."""
