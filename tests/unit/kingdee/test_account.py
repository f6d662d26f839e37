"""The account set that a login names."""

from __future__ import annotations

import pytest

from kdsync.errors import ANOTHER_ACCOUNT, EdgeError, FailureKind
from kdsync.kingdee.account import Account, MemoryBook, admit

OURS = Account("65a1b2c3d4e5f6", "Works")


def book(known: Account | None = OURS) -> MemoryBook:
    made = MemoryBook()
    if known:
        made.remember(known)
    return made


def test_the_first_login_is_remembered() -> None:
    fresh = book(None)
    admit(fresh, OURS)
    assert fresh.known() == OURS


@pytest.mark.parametrize(
    "told",
    [
        OURS,
        Account("65A1B2C3D4E5F6", "Works"),
        Account(OURS.id, "Works 2026"),
        Account(OURS.id),
        Account("", "Works"),
        Account(),
    ],
)
def test_the_same_account_set_whatever_is_missing_or_renamed(told: Account) -> None:
    admit(book(), told)


@pytest.mark.parametrize("told", [Account("other", "Works"), Account("other"), Account("", "Copy")])
def test_another_account_set_is_for_an_operator(told: Account) -> None:
    with pytest.raises(EdgeError, match="another account set answers") as caught:
        admit(book(), told)
    assert (caught.value.kind, caught.value.code) == (FailureKind.CONFIGURATION, ANOTHER_ACCOUNT)
    assert "kdsync accept account" in caught.value.cure


def test_a_login_that_names_nothing_teaches_and_forgets_nothing() -> None:
    fresh, known = book(None), book()
    admit(fresh, Account())
    admit(known, Account())
    assert (fresh.known(), known.known()) == (None, OURS)


def test_what_a_later_login_adds_is_remembered() -> None:
    half = book(Account(OURS.id))
    admit(half, OURS)
    assert half.known() == OURS
