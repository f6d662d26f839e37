"""Whether somebody may do what was asked for: a decision on facts that others gathered."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Reason(StrEnum):
    """Why not."""

    NOT_ALLOWED = "not-allowed"
    OWN_DOCUMENT = "own-document"
    WHEN = "when"  # the document is not in a state for it
    NO_AMOUNT = "no-amount"  # there is a limit, but the document does not say how much it is about


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the person, the document and what was said before."""

    person: str  # DingTalk userid
    granted: frozenset[str]  # the entries of `allow` that hold for the person, as they are written
    is_own: bool  # the person made the document
    when_holds: bool
    amount: Decimal | None  # in the field of the limit; None where there is none
    confirmed_by: str = ""  # who asked for the same before, and may do it; "" nobody
    totp_ok: bool = False  # a one-time code of the person came with it and was right


@dataclass(frozen=True, slots=True)
class Allowed:
    """It may be done now. `by` are the entries of `allow` that grant it."""

    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """It may not be done."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class NeedsSecond:
    """The person may, but over the limit somebody else who may has to say the same."""


@dataclass(frozen=True, slots=True)
class NeedsCode:
    """The person may, but over the limit a one-time code has to come with it."""


Verdict = Allowed | Denied | NeedsSecond | NeedsCode


def authorize(*, own_allowed: bool, limit_max: Decimal | None, above: str, facts: Facts) -> Verdict:
    """`limit_max` is None where there is no limit; `above` is second-person or totp.

    Who has no right is told nothing else: neither the amount nor the state of the document.
    """
    if not facts.granted:
        return Denied(Reason.NOT_ALLOWED)
    if facts.is_own and not own_allowed:
        return Denied(Reason.OWN_DOCUMENT)
    if not facts.when_holds:
        return Denied(Reason.WHEN)
    allowed = Allowed(tuple(sorted(facts.granted)))
    if limit_max is None:
        return allowed
    if facts.amount is None or not facts.amount.is_finite():
        return Denied(Reason.NO_AMOUNT)
    return allowed if abs(facts.amount) <= limit_max else _above(above, facts, allowed)


def _above(above: str, facts: Facts, allowed: Allowed) -> Verdict:
    if above == "totp":
        return allowed if facts.totp_ok else NeedsCode()
    second = facts.confirmed_by not in ("", facts.person)
    return allowed if second else NeedsSecond()
