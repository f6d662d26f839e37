"""What answers need of Kingdee: the document that is meant, its tasks, and a way to change it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from kdsync.model import Do, Document, Facts, Raw, Task


@dataclass(frozen=True, slots=True)
class Bill:
    """A document as Kingdee showed it a moment ago."""

    document: Document
    facts: Facts
    lookup_of: Callable[[str], str] = field(default=lambda _key: "", compare=False)  # the form that a key refers to

    @property
    def status(self) -> str:
        """The letter of its FDocumentStatus; '' where the form has none."""
        return str(self.raw(self.facts.status) or "").strip()

    @property
    def creator(self) -> str:
        """The id of the Kingdee user who made it; '' where that cannot be told."""
        return str(self.raw(self.facts.creator) or "").strip()

    def raw(self, key: str | None) -> Raw:
        """The raw value of a head field, its key in any case."""
        if key is None:
            return None
        values = {name.casefold(): value for name, value in self.document.values.items()}
        return values.get(key.casefold())


@dataclass(frozen=True, slots=True)
class Ruling:
    """What Kingdee said to a write: whether it did it, and its words."""

    done: bool
    text: str = ""
    account: str = ""  # the Kingdee user in whose session it was asked; "" for the integration's
    made: tuple[tuple[str, str], ...] = ()  # ids and numbers of the documents that a push made


class NotThemselvesError(Exception):
    """Nothing was sent: it was to be done as the person who asked for it, and could not. `login` says that it is known
    who they are in Kingdee, and that Kingdee does not let them."""

    def __init__(self, message: str, *, login: bool = False) -> None:
        super().__init__(message)
        self.login = login


class Desk(Protocol):
    """Kingdee, as far as answers go. Every method raises EdgeError."""

    def find(self, form: str, number: str, fields: Iterable[str], rows: Iterable[str] = ()) -> list[Bill]:
        """The documents of a form with that number, in any case; with the `fields` of the head and of the entry `rows`
        that are asked for."""

    def read(self, form: str, doc_id: str, fields: Iterable[str], rows: Iterable[str] = ()) -> Bill | None:
        """One document by its id; None where it is not there."""

    def tasks(self, form: str, number: str) -> list[Task]:
        """What a workflow waits for on that document; `number` as the document spells it."""

    def pushed(self, bill: Bill, do: Do) -> list[tuple[str, str]]:
        """Id and number of each document that a push made of `bill` before, by whomever, and that was not voided since;
        none also where that cannot be told."""

    def write(self, bill: Bill, do: Do, *, user_id: str, opinion: str, sender: str) -> Ruling:
        """Do one step, once. `user_id` is the Kingdee user whose task `approve` and `reject` answer, `sender` the
        userid of who asked for it; NotThemselvesError where it has to be done as them and cannot.

        An EdgeError of kind UNKNOWN_OUTCOME means that it may have been done; of any other kind, that it was not.
        """
