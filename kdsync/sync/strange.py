"""What is no ordinary change: a document that is older than it was, or another one under its id. Pure.

Both are what a restored backup or another account set looks like. A value that is missing is no evidence of anything.
"""

from __future__ import annotations

from collections.abc import Iterable

from kdsync.model import Layout, Row
from kdsync.sync.cursor import DATE

REWOUND = "rewound"  # the document was modified before the state that is known of it
REPLACED = "replaced"  # the id belongs to another document than before


def rewound(old: Row, was: Layout, row: Row, layout: Layout, horizon: str) -> bool:
    """Whether a document is older than it was.

    `horizon` is what the date look reaches back to: a server clock that was set back by minutes is no restore.
    """
    before, after = date(old, was, was.facts.modified), date(row, layout, layout.facts.modified)
    return bool(after) and after < before and after < horizon


def replaced(old: Row, was: Layout, row: Row, layout: Layout) -> bool:
    """Whether the id belongs to another document: one with another number, or born after the known one last changed.

    Numbers are counted back by a restore as ids are, so a lost number is given again as well.
    """
    before, after = date(old, was, was.facts.created), date(row, layout, layout.facts.created)
    if not before or not after or before == after:
        return False
    known = date(old, was, was.facts.modified)
    return _renumbered(old, was, row, layout) or (bool(known) and after > known and after > before)


def returned_as_another(old: Row, was: Layout, row: Row, layout: Layout) -> bool:
    """The same for a document that was gone, where less evidence will do: another number or another date of birth."""
    before, after = date(old, was, was.facts.created), date(row, layout, layout.facts.created)
    return bool(before and after and before != after) or _renumbered(old, was, row, layout)


def date(row: Row, layout: Layout, key: str | None) -> str:
    """The date under a head key as Kingdee prints it; "" where there is none, or none that a person lived in."""
    place = layout.places.get(key) if key else None
    found = None if place is None else row[place]
    return found if isinstance(found, str) and DATE.fullmatch(found) else ""


def _renumbered(old: Row, was: Layout, row: Row, layout: Layout) -> bool:
    before, after = _number(old, was), _number(row, layout)
    return bool(before and after) and before != after


def _number(row: Row, layout: Layout) -> str:
    place = layout.number_place
    return str(row[place] or "").strip() if place is not None else ""


class Visible:
    """What a look at everything saw, as far as it tells whether what is missing is the newest there was."""

    def __init__(self) -> None:
        self.documents = 0
        self._highest: int | None = None  # of the primary keys, where they are numbers
        self._born = ""

    @property
    def by_number(self) -> bool:
        """Whether the ids are numbers, which tell by themselves what came later."""
        return self._highest is not None

    def add(self, rows: Iterable[Row], layout: Layout) -> None:
        """Take in one page."""
        for row in rows:
            self.documents += 1
            if isinstance(row[0], int):
                self._highest = row[0] if self._highest is None else max(self._highest, row[0])
            self._born = max(self._born, date(row, layout, layout.facts.created))

    def is_older_than(self, doc_id: str, created: str) -> bool:
        """Whether everything that was seen is older than a missing document; by its id or, without, by its birth."""
        if self.documents == 0:
            return False
        if self._highest is not None and doc_id.lstrip("-").isdigit():
            return int(doc_id) > self._highest
        return created > self._born != ""
