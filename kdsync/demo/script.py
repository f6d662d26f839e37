"""The words of a script: what somebody does to a paper in Kingdee, and who must hear of it by the rules.

A script says by itself what the daemon has to tell, so that the two can be held against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from kdsync.model import Transition

Verb = Literal["create", "edit", "write_back", "submit", "audit", "reject", "unaudit", "cancel", "close", "delete"]

KINDS: Mapping[Verb, Transition] = {
    "create": Transition.CREATED,
    "edit": Transition.CHANGED,
    "write_back": Transition.CHANGED,
    "submit": Transition.SUBMITTED,
    "audit": Transition.APPROVED,
    "reject": Transition.REJECTED,
    "unaudit": Transition.UNAPPROVED,
    "cancel": Transition.VOIDED,
    "close": Transition.CLOSED,
    "delete": Transition.DELETED,
}
"""What kdsync should notice of each."""


@dataclass(frozen=True, slots=True)
class Paper:
    """What is written into a document: `fields` and entry rows by key. The rows of an edit change those that stand,
    in order. A timedelta stands for the date that far from today."""

    form: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    rows: Sequence[Mapping[str, Any]] = ()
    amount: Decimal | None = None
    about: str = ""  # what the display shows where there is no amount


@dataclass(frozen=True, slots=True)
class Tell:
    """A message that must arrive: on the phone of a userid or in a group, its title with all these words.

    The bill's number is one of them unless `numbered` is off.
    """

    who: str
    words: tuple[str, ...] = ()
    numbered: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """`at` is in seconds after the start; `actor` is a Kingdee account; `paper` names the document in the script."""

    at: float
    actor: str
    verb: Verb
    paper: str
    content: Paper | None = None
    tells: tuple[Tell, ...] = ()
    number: str | None = None  # of a created bill; None: Kingdee's next one
    says: str = ""  # what the actor does, in words, where the verb alone would not tell
    noticed: bool = True  # off for what no rule looks at: kdsync has no event of it

    @property
    def kind(self) -> Transition | None:
        """The change that kdsync should notice."""
        return KINDS[self.verb] if self.noticed else None


@dataclass(frozen=True, slots=True)
class Filed:
    """A document in Kingdee that a script knows by name."""

    form: str
    doc_id: int | str
    number: str  # "" for a form without numbers
    amount: Decimal | None = None
    about: str = ""
