"""Brakes: a form whose documents vanish in numbers is an alarm, not thousands of deletions.

Lost permission, another organisation and a restored backup all look like "fewer rows" (a query without permission
simply returns less). A handful of deletions at once is a normal day; more than a tenth of all documents is not, nor
are thousands of a million, as where one of many organisations is hidden.
"""

from __future__ import annotations

FEW = 10
SHARE = 0.10
MANY = 2_000


def suspicious(known: int, vanished: int) -> str:
    """Why so many vanished documents of so many known ones cannot be deletions; "" where they can."""
    if vanished == known and known > 1:
        return f"none of its {known} documents is visible any more"
    if vanished > MANY or (vanished > FEW and vanished > known * SHARE):
        return f"{vanished} of its {known} documents are not visible any more"
    return ""
