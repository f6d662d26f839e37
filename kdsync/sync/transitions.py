"""Which transitions a document must have passed between two looks, as literal tables.

Kingdee moves a document Z/A/D -> B (submit), B -> C (audit), C -> D (un-audit) and B -> Z/A/D (sent back), so what lies
between two states follows from them. Official per-form WebAPI help pages, Submit / Audit / UnAudit / CancelAssign.
"""

from __future__ import annotations

from kdsync.model import Transition

T = Transition

PASSED: dict[tuple[str, str], tuple[T, ...]] = {
    ("Z", "A"): (),
    ("Z", "B"): (T.SUBMITTED,),
    ("Z", "C"): (T.SUBMITTED, T.APPROVED),
    ("Z", "D"): (T.SUBMITTED, T.REJECTED),
    ("A", "Z"): (T.SUBMITTED, T.REJECTED),
    ("A", "B"): (T.SUBMITTED,),
    ("A", "C"): (T.SUBMITTED, T.APPROVED),
    ("A", "D"): (T.SUBMITTED, T.REJECTED),
    ("B", "Z"): (T.REJECTED,),
    ("B", "A"): (T.REJECTED,),
    ("B", "C"): (T.APPROVED,),
    ("B", "D"): (T.REJECTED,),
    ("C", "Z"): (T.UNAPPROVED,),
    ("C", "A"): (T.UNAPPROVED,),
    ("C", "B"): (T.UNAPPROVED, T.SUBMITTED),
    ("C", "D"): (T.UNAPPROVED,),
    ("D", "Z"): (T.SUBMITTED, T.REJECTED),
    ("D", "A"): (T.SUBMITTED, T.REJECTED),
    ("D", "B"): (T.SUBMITTED,),
    ("D", "C"): (T.SUBMITTED, T.APPROVED),
}
FIRST_SEEN: dict[str, tuple[T, ...]] = {
    "B": (T.CREATED, T.SUBMITTED),
    "C": (T.CREATED, T.SUBMITTED, T.APPROVED),
    "D": (T.CREATED, T.SUBMITTED, T.REJECTED),
}
APPROVED_AGAIN = (T.UNAPPROVED, T.SUBMITTED, T.APPROVED)
YES = "B"  # FCancelStatus and FCloseStatus: A no, B yes


def status_passed(old: str | None, new: str, *, approved_later: bool) -> tuple[T, ...]:
    """The transitions from one FDocumentStatus (None: never seen) to another.

    `approved_later`: both are C and the approve date moved, so the document was un-approved and approved again.
    """
    if old is None:
        return FIRST_SEEN.get(new, (T.CREATED,))
    if approved_later:
        return APPROVED_AGAIN
    return PASSED.get((old, new), ())


def flag_passed(old: str | None, new: str | None, transition: T) -> tuple[T, ...]:
    """`voided` or `closed`, when the flag went to yes."""
    return (transition,) if new == YES and old != YES else ()
