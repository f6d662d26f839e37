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
    MAKER_UNKNOWN = "maker-unknown"  # it may be one's own document: who made it cannot be told
    NO_AMOUNT = "no-amount"  # there is a limit, but the document does not say how much it is about


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the person, the document and what was said before."""

    person: str  # DingTalk userid
    granted: bool  # an entry of `allow` holds for the person
    is_own: bool  # the person made the document
    when_holds: bool
    amount: Decimal | None  # in the field of the limit; None where there is none
    confirmed_by: str = ""  # who asked for the same before, and may do it; "" nobody
    totp_ok: bool = False  # a one-time code of the person came with it and was right
    maker_unknown: str = ""  # why it cannot be told who made the document; "" where it can, or does not matter


@dataclass(frozen=True, slots=True)
class Allowed:
    """It may be done now."""


@dataclass(frozen=True, slots=True)
class Denied:
    """It may not be done; `detail` is for an operator."""

    reason: Reason
    detail: str = ""


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
    if denied := _denied(facts, own_allowed=own_allowed):
        return denied
    if limit_max is None:
        return Allowed()
    if facts.amount is None or not facts.amount.is_finite():
        return Denied(Reason.NO_AMOUNT)
    return Allowed() if abs(facts.amount) <= limit_max else _above(above, facts)


def _denied(facts: Facts, *, own_allowed: bool) -> Denied | None:
    """Whatever the amount."""
    if not facts.granted:
        return Denied(Reason.NOT_ALLOWED)
    if facts.is_own and not own_allowed:
        return Denied(Reason.OWN_DOCUMENT)
    if not facts.when_holds:
        return Denied(Reason.WHEN)
    return Denied(Reason.MAKER_UNKNOWN, facts.maker_unknown) if facts.maker_unknown and not own_allowed else None


def _above(above: str, facts: Facts) -> Verdict:
    if above == "totp":
        return Allowed() if facts.totp_ok else NeedsCode()
    second = facts.confirmed_by not in ("", facts.person)
    return Allowed() if second else NeedsSecond()
