"""Kingdee and DingTalk's contacts behind their guards, in the shapes that the services ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from kdsync.model import Layout, Page, Task
from kdsync.services.guard import Guard
from kdsync.services.ports import Contacts, KingdeeIdentity, Known, Source, Staff, Sure, Tasks

PEOPLE, TASKS = "people", "tasks"  # who asks where it is not a form


class Kingdee(Source, Staff, Protocol):
    """All of Kingdee that is asked."""


@dataclass(frozen=True, slots=True)
class GuardedKingdee:
    """`ports.Source` and `Staff`."""

    kingdee: Kingdee
    guard: Guard

    def facts(self, form: str, rows: Iterable[str]) -> Known:
        """Known by heart or asked for: no sign that Kingdee is there."""
        with self.guard.turn(form):
            return self.kingdee.facts(form, rows)

    def pages(
        self,
        layout: Layout,
        where: str,
        *,
        after: str | int | None = None,
        ahead: bool = False,
        sure: Sure | None = None,
    ) -> Iterator[Page]:
        """Each page is an answer: a probe is over with the first, however many follow."""
        return self._answers(layout.form, self.kingdee.pages(layout, where, after=after, ahead=ahead, sure=sure))

    def by_ids(self, layout: Layout, ids: Sequence[str]) -> Iterator[Page]:
        """The same by id."""
        return self._answers(layout.form, self.kingdee.by_ids(layout, ids))

    def forget(self) -> None:
        """Drop what was learned."""
        self.kingdee.forget()

    def person(self, key: str, lookup: str) -> KingdeeIdentity | None:
        """A user or employee."""
        with self.guard.turn(PEOPLE) as answered:
            found = self.kingdee.person(key, lookup)
            answered()
            return found

    def _answers(self, form: str, pages: Iterator[Page]) -> Iterator[Page]:
        with self.guard.turn(form) as answered:
            for page in pages:
                answered()
                yield page


@dataclass(frozen=True, slots=True)
class GuardedTasks:
    """`ports.Tasks`."""

    tasks: Tasks
    guard: Guard

    def pending(self, forms: Sequence[str]) -> Sequence[Task]:
        """Everything that waits."""
        with self.guard.turn(TASKS) as answered:
            found = self.tasks.pending(forms)
            answered()
            return found


@dataclass(frozen=True, slots=True)
class GuardedContacts:
    """`ports.Contacts`."""

    contacts: Contacts
    guard: Guard

    def by_mobile(self, mobile: str) -> str | None:
        """The userid of a phone number."""
        with self.guard.turn(PEOPLE) as answered:
            found = self.contacts.by_mobile(mobile)
            answered()
            return found

    def by_job_number(self, number: str) -> str | None:
        """The userid of a job number; the book of them may be read already, which is no sign that DingTalk is there."""
        with self.guard.turn(PEOPLE):
            return self.contacts.by_job_number(number)

    def exists(self, userid: str) -> bool:
        """Whether the app can see that person."""
        with self.guard.turn(PEOPLE) as answered:
            found = self.contacts.exists(userid)
            answered()
            return found

    def manager_of(self, userid: str) -> str | None:
        """Somebody's manager."""
        with self.guard.turn(PEOPLE) as answered:
            found = self.contacts.manager_of(userid)
            answered()
            return found

    def members_of(self, dept_id: str) -> Sequence[str]:
        """The members of a department."""
        with self.guard.turn(PEOPLE) as answered:
            found = self.contacts.members_of(dept_id)
            answered()
            return found
