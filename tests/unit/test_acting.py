"""Who is found to be which Kingdee user, and who is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from kdsync.acting import Accounts, Acting
from kdsync.dingtalk.contacts import Contact
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.people import KingdeePerson
from kdsync.kingdee.persons import Hands
from kdsync.services.desk import NotThemselvesError
from kdsync.settings.schema import Directory

OWN = cast("Hands", SimpleNamespace(account=""))


class Kingdee:
    """Users by number; `behind` says who a user id is in DingTalk."""

    def __init__(self) -> None:
        self.numbers = {("mobile", "13800000001"): {"101": "kd1"}, ("job_number", "E2"): {"102": "kd2"}}
        self.behind = {"101": "u1", "102": "u2"}

    def users_with(self, way: str, number: str) -> dict[str, str]:
        return self.numbers.get((way, number), {})

    def person(self, key: str, _lookup: str) -> KingdeePerson | None:
        return {"101": KingdeePerson("kd1"), "103": KingdeePerson("")}.get(key)

    def find(self, key: str, _lookup: str) -> Any:
        return SimpleNamespace(userid=self.behind.get(key))


@pytest.fixture
def kingdee() -> Kingdee:
    return Kingdee()


def accounts(kingdee: Kingdee, *contacts: Contact, **directory: Any) -> Accounts:
    by_id = {contact.userid: contact for contact in contacts}
    asked = cast("Any", kingdee)
    return Accounts(asked, by_id.get, asked, lambda: Directory(**directory))


U1 = Contact("u1", mobile="13800000001")
U2 = Contact("u2", mobile="13800000002", job_number="E2")


def test_the_table_is_asked_first(kingdee: Kingdee) -> None:
    assert accounts(kingdee, U1, users={"boss": "u1", "kd2": "u2"}).of_sender("u1") == "boss"


def test_then_the_ways_of_match(kingdee: Kingdee) -> None:
    found = accounts(kingdee, U1, U2, match=("mobile", "job_number"))
    assert (found.of_sender("u1"), found.of_sender("u2")) == ("kd1", "kd2")
    with pytest.raises(NotThemselvesError):
        accounts(kingdee, U2).of_sender("u2")


def test_a_number_that_does_not_lead_back_is_somebody_elses(kingdee: Kingdee) -> None:
    kingdee.behind["101"] = "u7"
    with pytest.raises(NotThemselvesError, match="no Kingdee user is known to be u1"):
        accounts(kingdee, U1).of_sender("u1")


def test_whom_the_app_cannot_see_is_nobody(kingdee: Kingdee) -> None:
    with pytest.raises(NotThemselvesError):
        accounts(kingdee).of_sender("u1")


@pytest.mark.parametrize("users", [{"a": "u1", "b": "u1"}, {}])
def test_several_are_none(kingdee: Kingdee, users: dict[str, str]) -> None:
    kingdee.numbers["mobile", "13800000001"]["104"] = "kd4"
    kingdee.behind["104"] = "u1"
    with pytest.raises(NotThemselvesError, match="several Kingdee users") as caught:
        accounts(kingdee, U1, users=users).of_sender("u1")
    assert not caught.value.login


@pytest.mark.parametrize("user_id", ["103", "999"])
def test_a_receiver_whose_account_kingdee_hides(kingdee: Kingdee, user_id: str) -> None:
    with pytest.raises(NotThemselvesError, match=user_id):
        accounts(kingdee).of_receiver(user_id)


class Shut:
    """Nobody is let in."""

    def __init__(self, kind: FailureKind) -> None:
        self.error = EdgeError("kingdee", kind, "user", "not let in", words="Fail to RestoreSessionByApi")

    def hands(self, account: str) -> Hands:
        assert account == "kd1"
        raise self.error


def test_nobody_is_looked_for_where_the_integration_acts(kingdee: Kingdee) -> None:
    acting = Acting(OWN, cast("Any", None), accounts(kingdee), as_person=False)
    assert acting.hands("u9", "") is OWN


@pytest.mark.parametrize("receiver", ["", "101"])
def test_a_refused_login_is_theirs_and_the_integration_does_not_step_in(kingdee: Kingdee, receiver: str) -> None:
    acting = Acting(OWN, cast("Any", Shut(FailureKind.CONFIGURATION)), accounts(kingdee, U1), as_person=True)
    with pytest.raises(NotThemselvesError, match="kd1: Fail to RestoreSessionByApi") as caught:
        acting.hands("u1", receiver)
    assert caught.value.login


def test_what_fails_in_passing_is_tried_again(kingdee: Kingdee) -> None:
    acting = Acting(OWN, cast("Any", Shut(FailureKind.TRANSIENT)), accounts(kingdee, U1), as_person=True)
    with pytest.raises(EdgeError):
        acting.hands("u1", "")
