"""Users and employees over forms that do not all have the same keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from kdsync.errors import EdgeError, FailureKind, UnknownFieldError
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.errors import Symptom, failure
from kdsync.kingdee.people import KingdeePerson, People

Rows = list[dict[str, Any]]
USERS: Rows = [
    {"FUserID": 100002, "FUserAccount": "zhangsan", "FName": "张三", "FPhone": " ", "FLinkObject": 501},
    {"FUserID": 100003, "FUserAccount": "lisi", "FName": "李四", "FPhone": "13900000003", "FLinkObject": 0},
]
EMPLOYEES: Rows = [
    {"FID": 7001, "FStaffNumber": "E1", "FNumber": "E1", "FName": "张三", "FMobile": "13900000001", "FPersonID": 501},
    {"FID": 7002, "FStaffNumber": " ", "FNumber": "N2", "FName": "王五", "FMobile": None, "FPersonID": 502},
]
ZHANG = KingdeePerson("zhangsan", "张三", "13900000001", "E1")
LI = KingdeePerson("lisi", "李四", "13900000003", "")
WANG = KingdeePerson("", "王五", "", "N2")


@dataclass
class Forms:
    """Two forms that refuse what they do not have."""

    forms: dict[str, Any] = field(default_factory=lambda: {"SEC_User": USERS, "BD_Empinfo": EMPLOYEES})
    lacks: tuple[str, ...] = ()
    asked: list[tuple[str, str]] = field(default_factory=list)
    unreadable: int = 0  # so many answers have rows with a value too many

    def call(self, _service: str, payload: Mapping[str, Any], *, read: bool) -> Any:
        assert read
        data = payload["data"]
        keys, where = data["FieldKeys"].split(","), data["FilterString"]
        self.asked.append((data["FormId"], where))
        rows = self.forms[data["FormId"]]
        if isinstance(rows, Exception):
            raise rows
        unknown = next((key for key in keys if key in self.lacks or all(key not in row for row in rows)), None)
        if unknown:
            raise UnknownFieldError(unknown.upper(), "unknown")
        key, listed = re.findall(r"(\w+) in \((.*)\)", where)[0]
        values = [value.strip("'").replace("''", "'") for value in listed.split(",")]
        found = [[row[name] for name in keys] for row in rows if str(row[key]) in values]
        self.unreadable -= 1
        return [[*row, None] for row in found] if self.unreadable >= 0 else found


def people(**forms: Any) -> tuple[People, Forms]:
    server = Forms(**forms)
    return People(cast("KingdeeClient", server)), server


@pytest.mark.parametrize(
    ("key", "person"),
    [
        ("100002", ZHANG),
        ("zhangsan", ZHANG),
        ("7001", ZHANG),
        ("E1", ZHANG),
        ("100003", LI),
        ("7002", WANG),
        ("N2", WANG),
        ("nobody", None),
        ("0", None),
        (" ", None),
        ("o'neil", None),
    ],
)
def test_whoever_a_key_stands_for(key: str, person: KingdeePerson | None) -> None:
    assert people()[0].person(key) == person


def test_many_people_take_few_requests() -> None:
    directory, server = people()
    found = directory.people(["100002", "lisi", "N2", "nobody", "100002"])
    assert found == {"100002": ZHANG, "lisi": LI, "N2": WANG}
    assert len(server.asked) <= 8


def test_lists_are_asked_for_in_pieces() -> None:
    directory, server = people()
    directory.people([str(number) for number in range(1, 402)])
    assert sum("FUserID in" in where for _, where in server.asked) == 3


def test_the_key_of_the_phone_is_found_once() -> None:
    users = [{**user, "FMobile": user["FPhone"]} for user in USERS]
    directory, server = people(forms={"SEC_User": users, "BD_Empinfo": EMPLOYEES}, lacks=("FPhone",))
    assert directory.person("100003") == LI
    before = len(server.asked)
    assert directory.person("100003") == LI
    assert len(server.asked) == before + 1


def test_forms_without_the_linking_keys_still_give_what_they_have() -> None:
    directory, _ = people(lacks=("FLinkObject", "FPersonID", "FPhone", "FMobile", "FStaffNumber"))
    assert directory.person("100003") == KingdeePerson("lisi", "李四")
    assert directory.person("N2") == KingdeePerson("", "王五", "", "N2")
    assert directory.person("E1") == KingdeePerson("", "张三", "", "E1")


@pytest.mark.parametrize(
    "error",
    [
        failure(Symptom(text="没有权限")),
        failure(Symptom(text="标识为“X”的业务对象不存在")),
    ],
)
def test_a_form_that_may_not_be_read_breaks_nothing(error: EdgeError) -> None:
    directory, _ = people(forms={"SEC_User": USERS, "BD_Empinfo": error})
    assert directory.person("100002") == KingdeePerson("zhangsan", "张三")
    directory, _ = people(forms={"SEC_User": error, "BD_Empinfo": EMPLOYEES})
    assert directory.person("E1") == KingdeePerson("", "张三", "13900000001", "E1")


@pytest.mark.parametrize(
    "error",
    [
        EdgeError("kingdee", FailureKind.TRANSIENT, "cut", "the connection broke"),
        failure(Symptom(login="0")),
    ],
)
def test_a_server_that_is_away_is_not_taken_for_nobody(error: EdgeError) -> None:
    directory, _ = people(forms={"SEC_User": error, "BD_Empinfo": EMPLOYEES})
    with pytest.raises(EdgeError):
        directory.person("100002")


def test_a_link_that_is_no_number_is_left_alone() -> None:
    users = [{**USERS[0], "FLinkObject": "x) or (1=1"}]
    directory, server = people(forms={"SEC_User": users, "BD_Empinfo": EMPLOYEES})
    assert directory.person("100002") == KingdeePerson("zhangsan", "张三")
    assert not [where for _, where in server.asked if "1=1" in where]


def test_the_same_id_may_stand_for_a_user_and_for_an_employee() -> None:
    both = [*EMPLOYEES, {**EMPLOYEES[1], "FID": 100003}]
    directory, _ = people(forms={"SEC_User": USERS, "BD_Empinfo": both})
    assert directory.person("100003") == directory.person("100003", "sec_user") == LI
    assert directory.person("100003", "BD_Empinfo") == WANG
    assert directory.person("lisi", "BD_Empinfo") is None
    assert directory.person("lisi", "ORG_Organizations") == LI


def test_a_row_that_cannot_be_read_once() -> None:
    asked, server = people(unreadable=1)
    assert asked.person("100002", "SEC_User") == ZHANG
    assert len(server.asked) == 3


def test_a_row_that_can_never_be_read_is_nobody() -> None:
    asked, server = people(unreadable=100)
    assert asked.person("100002", "SEC_User") is None
    assert len(server.asked) == 4  # three times by id, then by account
