"""What one look did and met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kdsync.model import Page
from kdsync.services.ingest import Step

NAMELESS = "?"  # a row that was left out, of which not even the key could be told


@dataclass(slots=True)
class Report:
    """What one look did."""

    look: str
    documents: int = 0
    events: int = 0
    told: int = 0
    missed: int = 0
    vanished: bool = False  # documents were gone: time for a key look
    returned: bool = False  # documents are open that were not: if they had vanished, the alarm may be over
    alarm: str = ""
    damaged: list[str] = field(default_factory=list)  # numbers of documents whose snapshot could not be read
    short: bool = False  # a page was shorter than asked for while more existed
    doubled: list[str] = field(default_factory=list)  # ids that came twice with different heads
    unreadable: list[str] = field(default_factory=list)  # keys of rows that were left out, or NAMELESS
    future: list[str] = field(default_factory=list)  # numbers of documents that are dated in the future

    def add(self, step: Step, documents: int) -> None:
        """Count one page."""
        self.documents += documents
        self.events += len(step.events)
        self.told += len(step.told)
        self.damaged += step.damaged

    def watched(self, pages: Iterable[Page]) -> Iterator[Page]:
        """The same pages; what is odd about them is noted as they pass."""
        for page in pages:
            self.short = self.short or page.short
            self.doubled += page.doubled
            self.unreadable += [key or NAMELESS for key in page.unreadable]
            yield page
