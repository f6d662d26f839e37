"""What the services need of the two systems, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kdsync.model import Content, Facts, Layout, Offered, Page, Priority, Row, Task


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a form.

    `entry_of` tells which entry one of its keys belongs to (None: it is a head key), `lookup_of` which form a key
    refers to ("": it cannot be said), `key_of` how the form spells a key (None: it has none, or it cannot be said).
    """

    facts: Facts
    entry_of: Callable[[str], str | None] = lambda _key: None
    lookup_of: Callable[[str], str] = lambda _key: ""
    key_of: Callable[[str], str | None] = lambda _key: None


Sure = Callable[[Sequence[Row], datetime], bool]
"""Whether it must be made sure that nothing follows: takes the rows that seem to be the last, and Kingdee's time."""


class Source(Protocol):
    """Kingdee, as far as looking goes. Every method raises EdgeError."""

    def facts(self, form: str, rows: Iterable[str]) -> Known:
        """What is known of a form. `rows` are the keys of entry rows that rules use: they tell which entry is meant."""

    def pages(
        self,
        layout: Layout,
        where: str,
        *,
        after: str | int | None = None,
        ahead: bool = False,
        sure: Sure | None = None,
    ) -> Iterator[Page]:
        """The documents that match, in order of primary key, those behind `after`."""

    def by_ids(self, layout: Layout, ids: Sequence[str]) -> Iterator[Page]:
        """The documents with these ids, as far as they are visible."""

    def forget(self) -> None:
        """Drop what was learned of forms, so that it is asked anew."""


class Tasks(Protocol):
    """Kingdee's workflow, as far as looking goes. Raises EdgeError."""

    def pending(self, forms: Sequence[str]) -> Sequence[Task]:
        """Everything that waits for somebody on documents of these forms, one item for each receiver."""


@dataclass(frozen=True, slots=True)
class KingdeeIdentity:
    """A person as Kingdee knows them."""

    account: str = ""
    name: str = ""
    mobile: str = ""
    job_number: str = ""


class Staff(Protocol):
    """Kingdee's users and employees. Raises EdgeError."""

    def person(self, key: str, lookup: str) -> KingdeeIdentity | None:
        """The person behind a user id, account, employee id or employee number.

        Users and employees are numbered independently: `lookup` says which of the two forms is meant, "" either.
        """


class Contacts(Protocol):
    """DingTalk's directory. Every method raises EdgeError."""

    def by_mobile(self, mobile: str) -> str | None:
        """The userid of a phone number."""

    def by_job_number(self, number: str) -> str | None:
        """The userid of a job number that exactly one person has."""

    def exists(self, userid: str) -> bool:
        """Whether the app can see that person."""

    def manager_of(self, userid: str) -> str | None:
        """The userid of somebody's manager."""

    def members_of(self, dept_id: str) -> Sequence[str]:
        """The userids of a department and those below it."""


class Courier(Protocol):
    """DingTalk, as far as sending goes. `send_…` return the task id and raise EdgeError."""

    @property
    def has_cards(self) -> bool:
        """Whether cards are sent; those that are out can be changed anyhow."""

    def compose(
        self, channel: str, content: Content, footer: str, *, priority: Priority, button: str, bar: str = ""
    ) -> bytes:
        """The message as it is stored and sent, byte by byte; `bar` is the status that a form with fields shows."""

    def shows_bar(self, message: bytes) -> bool:
        """Whether a message has a status bar, which can be changed once it is sent."""

    def change_bar(self, task: str, text: str, status: str) -> None:
        """Another text in the status bar of what was sent as `task`, coloured by a document's status ("": none)."""

    def compose_card(self, content: Content, actions: Sequence[Offered], locale: str) -> bytes:
        """The same as a card with buttons."""

    def send_work(self, userids: Sequence[str], message: bytes) -> str:
        """One work notification to up to 100 people."""

    def send_card(self, track: str, userids: Sequence[str], face: bytes) -> Mapping[str, str]:
        """One card to some people; who did not get it and why, by userid. One card for each `track`, however often."""

    def update_card(self, track: str, face: bytes, line: str, *, is_open: bool, private: Mapping[str, str]) -> None:
        """Let a card show `line` below what it showed at first, to those in `private` another one."""

    def has_card(self, track: str, face: bytes) -> bool:
        """Whether there is a card that was sent as `face` and not changed since."""

    def send_group(self, name: str, message: bytes, ident: str) -> str:
        """One message to a group's robot; `ident` is the same whenever the same message is tried again."""


class Meter(Protocol):
    """Where the services count what they do."""

    def count(self, name: str, amount: float = 1, labels: Mapping[str, str] | None = None) -> None:
        """Add to a counter."""

    def gauge(self, name: str, value: float, labels: Mapping[str, str] | None = None) -> None:
        """Set a gauge."""

    def gauges(self, name: str, label: str, values: Mapping[str, float]) -> None:
        """Set a gauge for each value of its label, and forget those that are not among them."""

    def observe(self, name: str, value: float) -> None:
        """Add to a histogram."""
