from dataclasses import replace
from decimal import Decimal

import pytest

from kdsync.commands.authorize import Allowed, Denied, Facts, NeedsCode, NeedsSecond, Reason, Verdict, authorize

FACTS = Facts("user3", granted=True, is_own=False, when_holds=True, amount=Decimal(100))
ALLOWED = Allowed()


def verdict(facts: Facts = FACTS, *, own: bool = True, most: str | None = None, above: str = "") -> Verdict:
    return authorize(own_allowed=own, limit_max=Decimal(most) if most else None, above=above, facts=facts)


def test_who_has_the_right_may() -> None:
    assert verdict() == ALLOWED


def test_a_stranger_is_told_nothing_about_the_document() -> None:
    stranger = replace(FACTS, granted=False, is_own=True, when_holds=False, amount=None, maker_unknown="x")
    assert verdict(stranger, own=False, most="1", above="totp") == Denied(Reason.NOT_ALLOWED)


def test_ones_own_document_where_the_action_says_so() -> None:
    own = replace(FACTS, is_own=True)
    assert verdict(own, own=False) == Denied(Reason.OWN_DOCUMENT)
    assert verdict(own) == ALLOWED


def test_a_document_that_may_be_ones_own() -> None:
    unknown = replace(FACTS, maker_unknown="it names no creator")
    assert verdict(unknown, own=False, most="1", above="totp") == Denied(Reason.MAKER_UNKNOWN, "it names no creator")
    assert verdict(replace(unknown, when_holds=False), own=False) == Denied(Reason.WHEN)
    assert verdict(unknown) == ALLOWED


def test_a_document_in_the_wrong_state() -> None:
    assert verdict(replace(FACTS, when_holds=False)) == Denied(Reason.WHEN)


@pytest.mark.parametrize(("amount", "enough"), [("99.99", True), ("100", True), ("100.01", False), ("-100.01", False)])
def test_up_to_the_limit_one_person_is_enough(amount: str, enough: bool) -> None:
    facts = replace(FACTS, amount=Decimal(amount))
    assert (verdict(facts, most="100", above="second-person") == ALLOWED) == enough


@pytest.mark.parametrize("amount", [None, Decimal("NaN"), Decimal("Infinity")])
def test_a_limit_without_an_amount_allows_nothing(amount: Decimal | None) -> None:
    assert verdict(replace(FACTS, amount=amount), most="100", above="totp") == Denied(Reason.NO_AMOUNT)


@pytest.mark.parametrize(("before", "expected"), [("", NeedsSecond()), ("user3", NeedsSecond()), ("user4", ALLOWED)])
def test_above_the_limit_somebody_else_has_to_say_the_same(before: str, expected: Verdict) -> None:
    assert verdict(replace(FACTS, confirmed_by=before, totp_ok=True), most="50", above="second-person") == expected


@pytest.mark.parametrize(("right", "expected"), [(False, NeedsCode()), (True, ALLOWED)])
def test_above_the_limit_a_code_has_to_come_with_it(right: bool, expected: Verdict) -> None:
    assert verdict(replace(FACTS, confirmed_by="user4", totp_ok=right), most="50", above="totp") == expected
