"""What is no ordinary change: logged under a fixed name, told to the operators once.

It is told in the transaction that stores the documents, because a later look finds it no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from kdsync import logs
from kdsync.delivery.storm import FEW
from kdsync.services.notices import Notices
from kdsync.store import documents, ledger

log = logs.get("oddities")
NAMED = 5  # bill numbers that a notice names
AFTER_A_RESTORE = ("rewound", "replaced", "restored")
REWOUND = "rewound:"
"""Facts by form: `rewound_so_far`."""


def rewound_so_far(tx: Connection, form: str) -> int:
    """How many documents were older than they were since all of them were accounted for."""
    return int(ledger.fact(tx, REWOUND + form) or 0)


def is_restored(tx: Connection, notices: Notices, form: str) -> bool:
    """Whether what was seen of a form lately is what a restored backup looks like. A few documents may be older than
    they were by chance, such as one that a program dates back."""
    if any(notices.is_mentioned(tx, f"{kind} {form}") for kind in ("replaced", "restored")):
        return True
    return rewound_so_far(tx, form) > FEW


@dataclass(frozen=True, slots=True)
class Lost:
    """The newest documents of a form that a restored backup took away, by number, and when they had begun."""

    count: int
    since: str
    numbers: tuple[str, ...]


@dataclass(slots=True)
class Odd:
    """What one page held that is no ordinary change, by bill number."""

    rewound: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)  # numbers that a document bears for the first time
    lost: Lost | None = None

    def tell(self, tx: Connection, notices: Notices, form: str, form_id: int) -> None:
        """Log it and tell it, as part of the transaction that stores the page."""
        if self.rewound:
            count, numbers = len(self.rewound), listed(self.rewound)
            log.warning("document.rewound", form=form, documents=count, bill_nos=self.rewound[:NAMED])
            notices.mention_within(tx, f"rewound {form}", "rewound", form=form, count=count, numbers=numbers)
            ledger.put_fact(tx, REWOUND + form, str(rewound_so_far(tx, form) + count), notices.clock.now())
        if self.replaced:
            count, numbers = len(self.replaced), listed(self.replaced)
            log.warning("document.replaced", form=form, documents=count, bill_nos=self.replaced[:NAMED])
            notices.mention_within(tx, f"replaced {form}", "replaced", form=form, count=count, numbers=numbers)
        if self.lost:
            self._tell_lost(tx, notices, form, self.lost)
        for number, ids in documents.sharing(tx, form_id, self.named).items() if self.named else ():
            log.warning("number.shared", form=form, bill_no=number, doc_ids=ids)
            notices.mention_within(tx, f"shared {form}", "shared", form=form, number=number, ids=", ".join(ids))

    @staticmethod
    def _tell_lost(tx: Connection, notices: Notices, form: str, lost: Lost) -> None:
        count, since, numbers = lost.count, lost.since.replace("T", " "), listed(lost.numbers)
        log.error("form.restored", form=form, documents=count, since=since, bill_nos=lost.numbers)
        cause = f"restored {form}"
        notices.mention_within(tx, cause, "restored", form=form, count=count, since=since, numbers=numbers)


def listed(numbers: Sequence[str]) -> str:
    """The first few of some numbers or ids, for a notice."""
    return ", ".join(numbers[:NAMED]) + (" …" if len(numbers) > NAMED else "")
