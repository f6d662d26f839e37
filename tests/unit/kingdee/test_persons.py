"""Sessions of single Kingdee users: few, only while they are used, and nobody's in place of another's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kdsync.clock import FakeClock
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee import persons as module
from kdsync.kingdee.account import MemoryBook
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.people import People
from kdsync.kingdee.persons import IDLE, Persons
from kdsync.settings.schema import KingdeeSection
from kdsync.simulator.kingdee import SimulatedKingdee


@pytest.fixture
def persons(erp: SimulatedKingdee, make_settings: Callable[..., KingdeeSection], clock: FakeClock) -> Iterator[Persons]:
    ours = erp.credentials
    login = {"acct_id": ours.acct_id, "username": ours.username, "app_id": ours.app_id, "app_secret": ours.app_secret}
    found = Persons(make_settings(url=erp.url, timeout="1s", **login), clock, MemoryBook())
    yield found
    found.close()


def submit(persons: Persons, erp: SimulatedKingdee, account: str) -> int:
    """Somebody submits a payment; in whose session it came."""
    bill = erp.create("AP_PAYBILL", None, "A")
    assert persons.hands(account).operations.submit("AP_PAYBILL", str(bill)).done
    return erp.requests[-1].user


def test_each_person_writes_in_a_session_of_their_own(persons: Persons, erp: SimulatedKingdee) -> None:
    users = {account: erp.add_user(account, account) for account in ("kd1", "kd2")}
    assert [submit(persons, erp, account) for account in ("kd1", "kd2", "kd1")] == [
        users[account] for account in ("kd1", "kd2", "kd1")
    ]
    assert erp.logins == 2


def test_who_is_idle_is_logged_out(persons: Persons, erp: SimulatedKingdee, clock: FakeClock) -> None:
    for account in ("kd1", "kd2"):
        erp.add_user(account, account)
        submit(persons, erp, account)
        clock.advance(IDLE / 2 + 1)
    submit(persons, erp, "kd2")
    assert "Logout" in [one.op for one in erp.requests]
    submit(persons, erp, "kd1")
    assert erp.logins == 3


def test_of_too_many_the_one_idle_longest_goes(
    persons: Persons, erp: SimulatedKingdee, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    for account in ("kd1", "kd2", "kd3"):
        erp.add_user(account, account)
    for account in ("kd1", "kd2", "kd1", "kd3"):
        submit(persons, erp, account)
    assert erp.logins == 3
    submit(persons, erp, "kd1")
    assert erp.logins == 3, "kd2 was idle longest"


def test_a_logout_that_fails_keeps_nobody(persons: Persons, erp: SimulatedKingdee) -> None:
    erp.add_user("kd1", "kd1")
    submit(persons, erp, "kd1")
    erp.fault("http500", times=1, op="Logout")
    persons.close()
    submit(persons, erp, "kd1")
    assert erp.logins == 2


def test_a_kingdee_that_is_down_does_not_hold_up_the_end(persons: Persons, erp: SimulatedKingdee) -> None:
    for account in ("kd1", "kd2", "kd3"):
        erp.add_user(account, account)
        submit(persons, erp, account)
    erp.fault("reset", op="Logout")
    persons.close()
    assert [one.op for one in erp.requests].count("Logout") == 1


def test_with_signed_headers_each_call_names_the_person(
    erp: SimulatedKingdee, make_settings: Callable[..., KingdeeSection], clock: FakeClock
) -> None:
    user, ours = erp.add_user("kd1", "kd1"), erp.credentials
    login = {"acct_id": ours.acct_id, "app_id": ours.app_id, "app_secret": ours.app_secret}
    signed = Persons(make_settings(url=erp.url, auth="headers", **login), clock, MemoryBook())
    assert submit(signed, erp, "kd1") == user
    assert erp.logins == 0
    signed.close()


def test_a_refused_login_is_not_tried_again_at_once(persons: Persons, erp: SimulatedKingdee, clock: FakeClock) -> None:
    erp.add_user("kd1", "kd1")
    erp.authorised = set()
    for _ in range(3):
        with pytest.raises(EdgeError) as caught:
            persons.hands("kd1")
        assert caught.value.kind is FailureKind.CONFIGURATION
    assert erp.logins <= 2, "the second one with the older digest"
    erp.authorised = {"kd1"}
    clock.advance(600)
    submit(persons, erp, "kd1")


@pytest.mark.parametrize(
    ("way", "number", "accounts"),
    [
        ("mobile", "13800000001", {"kd1", "kd1b"}),
        ("mobile", "13800000009", set()),
        ("job_number", "E1", {"kd1"}),
        ("job_number", "E9", set()),
    ],
)
def test_all_users_with_a_number(
    at_erp: KingdeeClient, erp: SimulatedKingdee, way: str, number: str, accounts: set[str]
) -> None:
    erp.add_user("kd1", "One", "13800000001", "E1")
    erp.add_user("kd1b", "One again", "+86-13800000001", "E1b")
    erp.add_user("kd2", "Two", "13800000002", "E2")
    assert set(People(at_erp).users_with(way, number).values()) == accounts
