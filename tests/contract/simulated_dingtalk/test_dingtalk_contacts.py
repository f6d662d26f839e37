"""Contacts of the simulated DingTalk: who is found, who is out of scope, and how lists are paged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kdsync.simulator.dingtalk import SimulatedDingTalk

Call = Callable[..., Any]


def test_a_user_with_everything_that_is_known(ding: SimulatedDingTalk, old: Call) -> None:
    assert old("/topapi/v2/user/get", userid="user1")["result"] == {
        "userid": "user1",
        "unionid": "union-user1",
        "name": "张三",
        "mobile": "13800000001",
        "job_number": "E001",
        "manager_userid": "boss",
        "active": True,
        "dept_id_list": [2],
        "leader_in_dept": [{"dept_id": 2, "leader": False}],
    }
    assert ding.metered_calls == 0


def test_what_is_not_known_of_a_user_is_absent(old: Call) -> None:
    result = old("/topapi/v2/user/get", userid="boss")["result"]
    assert not {"manager_userid", "job_number"} & set(result)
    assert result["leader_in_dept"] == [{"dept_id": 1, "leader": True}]


@pytest.mark.parametrize(("userid", "errcode"), [("", 33012), ("nobody", 60121), ("hidden", 50002)])
def test_a_user_that_is_not_given(old: Call, userid: str, errcode: int) -> None:
    assert old("/topapi/v2/user/get", userid=userid)["errcode"] == errcode


def test_somebody_who_left(ding: SimulatedDingTalk, old: Call) -> None:
    ding.remove_user("user1")
    assert old("/topapi/v2/user/get", userid="user1")["errcode"] == 60121


@pytest.mark.parametrize(
    ("mobile", "errcode"),
    [
        ("13800000001", 0),
        ("+86-13800000001", 0),
        ("13800000000", 60121),
        ("13800000008", 60121),
        ("", 40104),
        ("138 0000 0001", 40104),
        ("zhang", 40104),
    ],
)
def test_by_mobile(old: Call, mobile: str, errcode: int) -> None:
    assert old("/topapi/v2/user/getbymobile", mobile=mobile)["errcode"] == errcode


def test_by_unionid(old: Call) -> None:
    path = "/topapi/user/getbyunionid"
    assert old(path, unionid="union-user2")["result"] == {"userid": "user2", "contact_type": 0}
    assert old(path, unionid="user2")["errcode"] == 60121


def test_a_department_in_pages(ding: SimulatedDingTalk, old: Call) -> None:
    for number in range(5):
        ding.add_user(f"u{number}", "x", dept_ids=(4,))
    ding.add_department(4, "仓库")
    first = old("/topapi/v2/user/list", dept_id=4, cursor=0, size=3)["result"]
    assert (len(first["list"]), first["has_more"], first["next_cursor"]) == (3, True, 3)
    second = old("/topapi/v2/user/list", dept_id=4, cursor=3, size=3)["result"]
    assert [user["userid"] for user in second["list"]] == ["u3", "u4"]
    assert (second["has_more"], "next_cursor" in second) == (False, False)


@pytest.mark.parametrize("fields", [{"cursor": 0, "size": 101}, {"cursor": 0, "size": 0}, {"size": 10}])
def test_a_page_that_is_not_given(old: Call, fields: dict[str, int]) -> None:
    assert old("/topapi/v2/user/list", dept_id=1, **fields)["errcode"] == 40035


def test_only_one_level_at_a_time(old: Call) -> None:
    assert old("/topapi/user/listid", dept_id=2)["result"] == {"userid_list": ["user1"]}
    below_root = old("/topapi/v2/department/listsub")["result"]
    assert below_root == [{"dept_id": 2, "name": "财务部", "parent_id": 1}]
    assert [each["dept_id"] for each in old("/topapi/v2/department/listsub", dept_id=2)["result"]] == [3]
    assert old("/topapi/v2/department/get", dept_id="3")["result"]["name"] == "出纳组"


def test_nobody_out_of_scope_is_listed(old: Call) -> None:
    assert old("/topapi/user/listid", dept_id=1)["result"] == {"userid_list": ["boss"]}


def test_a_department_out_of_scope_or_unknown(ding: SimulatedDingTalk, old: Call) -> None:
    ding.add_department(9, "董事会", in_scope=False)
    assert old("/topapi/user/listid", dept_id=9)["errcode"] == 50004
    assert old("/topapi/user/listid", dept_id=99)["errcode"] == 60003
    assert [each["dept_id"] for each in old("/topapi/v2/department/listsub")["result"]] == [2]
