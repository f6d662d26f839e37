"""The contacts of the simulated DingTalk: people and departments, and what an app in its scope may read of them.

Sources: "Query user details", "Query a user by mobile number", "Obtain the details of department users",
"Obtain a list of sub-departments", "Obtain the scope of contact permissions" and their neighbours on open.dingtalk.com.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kdsync.simulator.dingtalk_envelopes import Json, RefusedError
from kdsync.simulator.dingtalk_gateway import Call, Route

ROOT = 1
_MOBILE = re.compile(r"(\+?\d{1,4}-)?\d{5,15}")
_PAGE = 100


@dataclass(frozen=True, slots=True)
class User:
    userid: str
    name: str
    mobile: str | None = None
    job_number: str | None = None
    manager: str | None = None
    dept_ids: tuple[int, ...] = (ROOT,)
    leads: tuple[int, ...] = ()
    in_scope: bool = True

    @property
    def unionid(self) -> str:
        return f"union-{self.userid}"


@dataclass(frozen=True, slots=True)
class Department:
    dept_id: int
    name: str
    parent: int = 0
    in_scope: bool = True


@dataclass(slots=True)
class Company:
    """Who works where."""

    users: dict[str, User] = field(default_factory=dict)
    departments: dict[int, Department] = field(default_factory=lambda: {ROOT: Department(ROOT, "公司")})

    def children(self, dept_id: int) -> list[Department]:
        return [department for department in self.departments.values() if department.parent == dept_id]

    def members(self, dept_id: int) -> list[User]:
        """The users of one department, without those below it."""
        return [user for user in self.users.values() if dept_id in user.dept_ids]

    def everyone_below(self, dept_id: int) -> list[User]:
        """The users of a department and of all below it."""
        below = [user for child in self.children(dept_id) for user in self.everyone_below(child.dept_id)]
        return list(dict.fromkeys(self.members(dept_id) + below))


class Contacts:
    """The contact APIs; none of them is metered."""

    def __init__(self, company: Company) -> None:
        self._company = company

    def routes(self) -> list[Route]:
        handlers = {
            "/topapi/v2/user/get": ("qyapi_get_member", self._get),
            "/topapi/v2/user/getbymobile": ("qyapi_get_member_by_mobile", self._by_mobile),
            "/topapi/user/getbyunionid": ("qyapi_get_member", self._by_unionid),
            "/topapi/v2/user/list": ("qyapi_get_department_member", self._list),
            "/topapi/user/listid": ("qyapi_get_department_member", self._listid),
            "/topapi/v2/department/listsub": ("qyapi_get_department_list", self._listsub),
            "/topapi/v2/department/get": ("qyapi_get_department_list", self._department),
        }
        routes = [Route("POST", path, handle, scope, metered=False) for path, (scope, handle) in handlers.items()]
        return [*routes, Route("GET", "/auth/scopes", self._scopes, metered=False)]

    def _get(self, call: Call) -> Json:
        userid = str(call.fields.get("userid") or "")
        if not userid:
            raise RefusedError(33012, "无效的USERID")
        user = self._company.users.get(userid)
        if user is None:
            raise RefusedError(60121, "找不到该用户")
        if not user.in_scope:
            raise RefusedError(50002, "请求的员工userid不在授权范围内")
        return {"result": self._details(user)}

    def _by_mobile(self, call: Call) -> Json:
        mobile = str(call.fields.get("mobile") or "")
        if not _MOBILE.fullmatch(mobile):
            raise RefusedError(40104, "不合法的手机号")
        for user in self._company.users.values():
            if user.in_scope and user.mobile and _bare(user.mobile) == _bare(mobile):
                return {"result": {"userid": user.userid}}
        raise RefusedError(60121, "找不到该用户")

    def _by_unionid(self, call: Call) -> Json:
        for user in self._company.users.values():
            if user.in_scope and user.unionid == call.fields.get("unionid"):
                return {"result": {"userid": user.userid, "contact_type": 0}}
        raise RefusedError(60121, "找不到该用户")

    def _list(self, call: Call) -> Json:
        members = self._visible(self._dept_id(call))
        cursor, size = _whole(call.fields.get("cursor")), _whole(call.fields.get("size"))
        if cursor is None or size is None or not 1 <= size <= _PAGE:
            raise RefusedError(40035, "不合法的参数: cursor, or a size that is not 1 to 100")
        following = cursor + size
        page: Json = {"list": [self._details(user) for user in members[cursor:following]]}
        page["has_more"] = following < len(members)
        if page["has_more"]:
            page["next_cursor"] = following
        return {"result": page}

    def _listid(self, call: Call) -> Json:
        return {"result": {"userid_list": [user.userid for user in self._visible(self._dept_id(call))]}}

    def _listsub(self, call: Call) -> Json:
        children = [child for child in self._company.children(self._dept_id(call)) if child.in_scope]
        return {"result": [_department(child) for child in children]}

    def _scopes(self, _: Call) -> Json:
        """The topmost departments that the app may see, and people whose departments it may not."""
        units, users = self._company.departments, self._company.users.values()
        seen = {dept_id for dept_id, unit in units.items() if unit.in_scope}
        top = [dept_id for dept_id in sorted(seen) if units[dept_id].parent not in seen]
        alone = [user.userid for user in users if user.in_scope and not seen & set(user.dept_ids)]
        return {"auth_user_field": [], "auth_org_scopes": {"authed_dept": top, "authed_user": alone}}

    def _department(self, call: Call) -> Json:
        return {"result": _department(self._company.departments[self._dept_id(call)])}

    def _dept_id(self, call: Call) -> int:
        """The department that is asked for; the root where none is named."""
        asked = _whole(call.fields.get("dept_id", ROOT))
        department = None if asked is None else self._company.departments.get(asked)
        if department is None:
            raise RefusedError(60003, "部门不存在")
        if not department.in_scope:
            raise RefusedError(50004, "请求的部门id不在授权范围内")
        return department.dept_id

    def _visible(self, dept_id: int) -> list[User]:
        return [user for user in self._company.members(dept_id) if user.in_scope]

    def _details(self, user: User) -> Json:
        """What is read of a user; what is not known of them is left out."""
        known = {"mobile": user.mobile, "job_number": user.job_number, "manager_userid": user.manager}
        return {
            "userid": user.userid,
            "unionid": user.unionid,
            "name": user.name,
            "active": True,
            "dept_id_list": list(user.dept_ids),
            "leader_in_dept": [{"dept_id": each, "leader": each in user.leads} for each in user.dept_ids],
        } | {key: value for key, value in known.items() if value is not None}


def _department(department: Department) -> Json:
    details: Json = {"dept_id": department.dept_id, "name": department.name}
    return details | ({"parent_id": department.parent} if department.parent else {})


def _bare(mobile: str) -> str:
    """A number without China's own country code."""
    return mobile.removeprefix("+").removeprefix("86-")


def _whole(value: object) -> int | None:
    """A whole number, also where it is written as text."""
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else None
