"""Finding people, on a small company that answers as DingTalk does."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import responses
from requests import PreparedRequest

from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.contacts import Contact, Contacts, normal_mobile
from kdsync.errors import EdgeError, FailureKind

BASE = "https://oapi.dingtalk.com/topapi/v2"
ZHANG = {"userid": "zhang", "name": "张三", "mobile": "+86-13800000001", "job_number": "001 ", "dept_id_list": [2]}
LI = {"userid": "li", "name": "李四", "mobile": "13800000002", "manager_userid": "boss", "dept_id_list": [2, 3]}
BOSS = {"userid": "boss", "name": "Boss", "dept_id_list": [1]}
LEAD = {"userid": "lead", "name": "Lead", "active": False, "dept_id_list": [2, 3]}
PEOPLE = {str(user["userid"]): user for user in (ZHANG, LI, BOSS, LEAD)}
BELOW = {1: [2, 3], 2: [4], 3: [4], 4: [1]}  # 4 stands twice, and leads back to the top
MEMBERS: dict[int, list[dict[str, Any]]] = {
    1: [BOSS],
    2: [ZHANG, LI, {**LEAD, "leader": True}],
    3: [LI, {**LEAD, "leader": "true"}],
    4: [],
}
Reply = tuple[int, dict[str, str], bytes]


def reply(result: object, errcode: int = 0) -> Reply:
    return 200, {}, orjson.dumps({"errcode": errcode, "result": result})


def asked(request: PreparedRequest) -> dict[str, Any]:
    question = orjson.loads(request.body or "")
    assert isinstance(question, dict)
    return question


def by_id(request: PreparedRequest) -> Reply:
    user = PEOPLE.get(asked(request)["userid"])
    return reply(user) if user else reply(None, 60121)


def by_number(request: PreparedRequest) -> Reply:
    mobile = asked(request)["mobile"]
    found = [user for user in PEOPLE.values() if normal_mobile(str(user.get("mobile", "-"))) == mobile]
    return reply({"userid": found[0]["userid"]}) if found else reply(None, 60121)


def members(request: PreparedRequest) -> Reply:
    """Pages of two, to be turned by the cursor."""
    question = asked(request)
    everyone, start = MEMBERS[question["dept_id"]], question["cursor"]
    more = start + 2 < len(everyone)
    page = {"list": everyone[start : start + 2], "has_more": more}
    return reply({**page, "next_cursor": start + 2} if more else page)


def below(request: PreparedRequest) -> Reply:
    return reply([{"dept_id": one, "name": "x", "parent_id": 1} for one in BELOW[asked(request)["dept_id"]]])


@pytest.fixture
def contacts(client: DingTalkClient, dingtalk: responses.RequestsMock) -> Contacts:
    dingtalk.add_callback(responses.POST, f"{BASE}/user/get", by_id)
    dingtalk.add_callback(responses.POST, f"{BASE}/user/getbymobile", by_number)
    dingtalk.add_callback(responses.POST, f"{BASE}/user/list", members)
    dingtalk.add_callback(responses.POST, f"{BASE}/department/listsub", below)
    return Contacts(client)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("13800000001", "13800000001"),
        ("+86-138 0000 0001", "13800000001"),
        ("0086 138-0000-0001", "13800000001"),
        ("8613800000001", "13800000001"),
        (" 138(0000)0001 ", "13800000001"),
        ("+84-912345678", "+84-912345678"),
        ("+84-912 345 678", "+84-912345678"),
        ("  ", ""),
    ],
)
def test_a_mobile_number_is_written_in_many_ways(written: str, normal: str) -> None:
    assert normal_mobile(written) == normal


def test_a_person_is_found_by_mobile(contacts: Contacts) -> None:
    assert contacts.by_mobile("138 0000 0001") == "zhang"
    assert contacts.by_mobile("13899999999") is None


def test_no_number_is_not_asked_for(contacts: Contacts, dingtalk: responses.RequestsMock) -> None:
    assert contacts.by_mobile(" ") is None
    assert not dingtalk.calls


@pytest.mark.parametrize(
    "refusal", [{"errcode": 40104}, {"errcode": 60121}, {"errcode": 88, "sub_code": "60121"}, {"errcode": 50002}]
)
def test_a_number_that_nobody_in_the_scope_has_is_nobodys(
    client: DingTalkClient, dingtalk: responses.RequestsMock, refusal: dict[str, Any]
) -> None:
    dingtalk.post(f"{BASE}/user/getbymobile", json=refusal)
    assert Contacts(client).by_mobile("13800000001") is None


def test_a_missing_permission_is_not_nobody(client: DingTalkClient, dingtalk: responses.RequestsMock) -> None:
    dingtalk.post(f"{BASE}/user/getbymobile", json={"errcode": 88, "sub_code": "60011"})
    with pytest.raises(EdgeError) as caught:
        Contacts(client).by_mobile("13800000001")
    assert caught.value.kind is FailureKind.CONFIGURATION


def test_a_person_with_what_is_known(contacts: Contacts) -> None:
    assert contacts.user("zhang") == Contact("zhang", "张三", "13800000001", "001", "", (2,))
    assert contacts.user("nobody") is None


def test_values_written_as_text_as_in_the_official_sample(
    client: DingTalkClient, dingtalk: responses.RequestsMock
) -> None:
    sample = {
        "userid": "u",
        "name": None,
        "active": "false",
        "dept_id_list": "[2,3]",
        "leader_in_dept": [{"dept_id": "2", "leader": "true"}, {"dept_id": 3, "leader": False}],
    }
    dingtalk.post(f"{BASE}/user/get", json={"errcode": "0", "result": sample})
    assert Contacts(client).user("u") == Contact("u", dept_ids=(2, 3), active=False, leads=frozenset({2}))


def test_members_of_all_pages(contacts: Contacts) -> None:
    assert [member.userid for member in contacts.department_members(2)] == ["zhang", "li", "lead"]


def test_a_cursor_that_does_not_move_is_no_endless_loop(
    client: DingTalkClient, dingtalk: responses.RequestsMock
) -> None:
    page = {"list": [ZHANG], "has_more": True, "next_cursor": 0}
    dingtalk.post(f"{BASE}/user/list", json={"errcode": 0, "result": page})
    with pytest.raises(EdgeError, match="cursor"):
        list(Contacts(client).department_members(2))


def test_departments_come_level_by_level_and_once(contacts: Contacts) -> None:
    assert list(contacts.departments()) == [1, 2, 3, 4]
    assert list(contacts.departments(3)) == [3, 4, 1, 2]


def test_everybody_comes_once_with_all_that_they_lead(contacts: Contacts) -> None:
    everybody = {contact.userid: contact for contact in contacts.everybody()}
    assert list(everybody) == ["boss", "zhang", "li", "lead"]
    assert everybody["lead"].leads == {2, 3}
    assert not everybody["lead"].active


@pytest.mark.parametrize("errcode", [50004, 60003])
def test_a_department_that_is_hidden_or_gone_when_its_members_are_read_is_left_out(
    client: DingTalkClient, dingtalk: responses.RequestsMock, errcode: int
) -> None:
    def members_of_two(request: PreparedRequest) -> Reply:
        return reply(None, errcode) if asked(request)["dept_id"] == 2 else members(request)

    dingtalk.add_callback(responses.POST, f"{BASE}/user/list", members_of_two)
    dingtalk.add_callback(responses.POST, f"{BASE}/department/listsub", below)
    assert Contacts(client).members_below(1) == ["boss", "li", "lead"]
    with pytest.raises(EdgeError):
        Contacts(client).members_below(2)


def test_a_department_with_those_below_it(contacts: Contacts) -> None:
    assert contacts.members_below(1) == ["boss", "zhang", "li", "lead"]


@pytest.mark.parametrize(
    ("userid", "manager"),
    [("li", "boss"), ("zhang", "lead"), ("lead", None), ("boss", None), ("nobody", None)],
)
def test_a_manager_is_the_direct_one_or_who_leads_the_department(
    contacts: Contacts, userid: str, manager: str | None
) -> None:
    assert contacts.manager_of(userid) == manager


def test_looking_people_up_is_not_metered(contacts: Contacts, calls: list[tuple[str, bool]]) -> None:
    contacts.manager_of("zhang")
    list(contacts.everybody())
    assert len(calls) > 5
    assert not any(metered for _, metered in calls)


@pytest.mark.parametrize("result", [None, {}, [], "x", {"list": 3}, {"list": [{}]}, {"userid": {}}])
def test_answers_of_another_shape_are_edge_errors(
    client: DingTalkClient, dingtalk: responses.RequestsMock, result: object
) -> None:
    for path in ("user/get", "user/getbymobile"):
        dingtalk.post(f"{BASE}/{path}", json={"errcode": 0, "result": result})
    with pytest.raises(EdgeError):
        Contacts(client).user("u")
    with pytest.raises(EdgeError):
        Contacts(client).by_mobile("13800000001")
