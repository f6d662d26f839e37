"""The contacts of the simulated DingTalk as kdsync's own client finds them, where the app may see all, some or none."""

from __future__ import annotations

import pytest

from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.contacts import Contacts
from kdsync.errors import EdgeError, FailureKind
from kdsync.simulator.dingtalk import SimulatedDingTalk


@pytest.fixture
def contacts(client: DingTalkClient) -> Contacts:
    return Contacts(client)


def everybody(contacts: Contacts) -> list[str]:
    return [contact.userid for contact in contacts.everybody()]


def test_an_app_that_may_see_all_finds_everybody(ding: SimulatedDingTalk, contacts: Contacts) -> None:
    assert everybody(contacts) == ["boss", "user1", "user2"]
    assert not [call for call in ding.calls if "scopes" in call.api]


def test_an_app_that_may_see_some_departments_and_people_finds_those(
    ding: SimulatedDingTalk, contacts: Contacts
) -> None:
    ding.add_department(1, "公司", parent=0, in_scope=False)
    ding.add_department(4, "别的部门", in_scope=False)
    ding.add_user("user3", "赵六", dept_ids=(4,), in_scope=False)
    assert everybody(contacts) == ["user1", "user2", "boss"]


def test_an_app_that_may_see_nobody_finds_nobody(ding: SimulatedDingTalk, contacts: Contacts) -> None:
    ding.add_department(1, "公司", parent=0, in_scope=False)
    ding.add_department(2, "财务部", in_scope=False)
    ding.add_department(3, "出纳组", parent=2, in_scope=False)
    for userid in ("boss", "user1", "user2"):
        ding.add_user(userid, "x", in_scope=False)
    assert everybody(contacts) == []


def test_a_department_that_is_hidden_while_it_is_read_keeps_nobody_from_the_others(
    ding: SimulatedDingTalk, contacts: Contacts
) -> None:
    ding.add_department(5, "采购部")
    found = contacts.departments()
    assert [next(found), next(found)] == [1, 2]
    ding.add_department(2, "财务部", in_scope=False)
    assert list(found) == [5]


def test_a_department_that_is_asked_for_and_not_there_is_told(ding: SimulatedDingTalk, contacts: Contacts) -> None:
    ding.add_department(4, "别的部门", in_scope=False)
    for dept_id in (4, 99):
        with pytest.raises(EdgeError) as caught:
            contacts.members_below(dept_id)
        assert caught.value.kind is FailureKind.REFUSED


def test_who_is_seen_without_their_department_has_no_manager_that_is_known(
    ding: SimulatedDingTalk, contacts: Contacts
) -> None:
    ding.add_department(4, "别的部门", in_scope=False)
    ding.add_user("user4", "孙八", dept_ids=(4, 2))
    ding.add_user("chief", "周九", dept_ids=(2,), leads=(2,))
    assert contacts.manager_of("user4") == "chief"
    ding.add_user("user4", "孙八", dept_ids=(4,))
    assert contacts.manager_of("user4") is None
