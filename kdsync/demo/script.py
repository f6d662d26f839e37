"""The words of a script: what somebody does to a paper in Kingdee or says of it in DingTalk, and who must hear of it.

A script says by itself what the daemon has to tell, so that the two can be held against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from kdsync.model import Transition

Verb = Literal[
    "create", "edit", "write_back", "submit", "audit", "reject", "unaudit", "cancel", "close", "delete", "answer"
]

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

    The bill's number is one of them unless `numbered` is off. `reply` marks what an answer in DingTalk is told.
    """

    who: str
    words: tuple[str, ...] = ()
    numbered: bool = True
    reply: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """`at` is in seconds after the start; `actor` is a Kingdee account; `paper` names the document in the script.

    An "answer" is written to the robot: `says` with the bill's number in place of `{}`. `leaves` is the status that the
    document then has; `brings` the change that kdsync makes for it and sees, if any.
    """

    at: float
    actor: str
    verb: Verb
    paper: str
    content: Paper | None = None
    tells: tuple[Tell, ...] = ()
    number: str | None = None  # of a created bill; None: Kingdee's next one
    says: str = ""  # what the actor does, in words, where the verb alone would not tell
    noticed: bool = True  # off for what no rule looks at: kdsync has no event of it
    waits_for: str = ""  # the account that a workflow asks, where submitting starts one
    brings: Transition | None = None
    leaves: str = ""

    @property
    def kind(self) -> Transition | None:
        """The change that kdsync should notice."""
        return KINDS.get(self.verb, self.brings) if self.noticed else None


@dataclass(frozen=True, slots=True)
class Filed:
    """A document in Kingdee that a script knows by name."""

    form: str
    doc_id: int | str
    number: str  # "" for a form without numbers
    amount: Decimal | None = None
    about: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """How many answers were given in DingTalk, and after how many of them Kingdee was as it should be."""

    answers: int = 0
    right: int = 0

    @property
    def good(self) -> bool:
        return self.answers == self.right
