"""Who is who in DingTalk. Nothing here is metered, but all of it is held to 20 calls a second.

DingTalk finds a person by mobile number only, not by job number: for that, `everybody` is read and indexed.
Only people within the app's contacts scope exist for it. Sources: "Query user details", "Query user by mobile",
"Query details of department users", "Query sub-departments" and "Obtain the scope of contact permissions" on
open.dingtalk.com.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from kdsync import logs
from kdsync.dingtalk.answers import AnyShape, Listed, Shape, shaped
from kdsync.dingtalk.client import Call, DingTalkClient
from kdsync.errors import EdgeError

log = logs.get("contacts")
Found = TypeVar("Found")
ROOT = 1
PAGE = 100
MOST_PAGES = 1_000  # of one department; an answer that always promises more must not be followed for ever
MOST_DEPARTMENTS = 20_000
END_OF_CURSORS = 2**63
LIST_SUB = "topapi/v2/department/listsub"
SCOPES = "auth/scopes"
OUT_OF_SCOPE, NO_DEPARTMENT = "50004", "60003"
NOBODY = {"60121", "33012", "40104", "50002"}  # no such user, id or mobile number; a person outside the scope


@dataclass(frozen=True, slots=True)
class Contact:
    """A person in DingTalk; '' and () where nothing is known. `leads` are the departments that the person leads."""

    userid: str
    name: str = ""
    mobile: str = ""
    job_number: str = ""
    manager_userid: str = ""
    dept_ids: tuple[int, ...] = ()
    active: bool = True
    leads: frozenset[int] = frozenset()


class _Leads(Shape):
    dept_id: int
    leader: bool = False


class _User(Shape):
    userid: str
    name: str = ""
    mobile: str = ""
    job_number: str = ""
    manager_userid: str = ""
    dept_id_list: Annotated[tuple[int, ...], Listed] = ()
    active: bool = True
    leader_in_dept: tuple[_Leads, ...] = ()  # of user/get
    leader: bool = False  # of user/list: of the department that was asked for

    def contact(self, dept_id: int | None = None) -> Contact:
        leads = {item.dept_id for item in self.leader_in_dept if item.leader}
        leads |= {dept_id} if self.leader and dept_id is not None else set()
        return Contact(
            self.userid,
            self.name,
            normal_mobile(self.mobile),
            self.job_number.strip(),
            self.manager_userid,
            self.dept_id_list,
            self.active,
            frozenset(leads),
        )


class _UserId(Shape):
    userid: str


class _Members(Shape):
    list: tuple[_User, ...] = ()
    has_more: bool = False
    next_cursor: int = 0


class _Department(Shape):
    dept_id: int


class _Departments(Shape):
    departments: tuple[_Department, ...]


class _Scope(Shape):
    authed_dept: Annotated[tuple[int, ...], Listed] = ()
    authed_user: Annotated[tuple[str, ...], Listed] = ()


def normal_mobile(text: str) -> str:
    """A mobile number as DingTalk looks it up: digits alone for the mainland, `+CC-` before them elsewhere."""
    compact = re.sub(r"[\s()\-.]", "", text)
    mainland = re.fullmatch(r"(?:\+|00)?86(1\d{10})", compact)
    if mainland:
        return mainland[1]
    return re.sub(r"\s", "", text) if compact.startswith("+") else compact


class Contacts:
    """Looks people and departments up. Every method raises EdgeError."""

    def __init__(self, client: DingTalkClient) -> None:
        self._client = client

    def by_mobile(self, mobile: str) -> str | None:
        """The userid of the person with this number, None where nobody within the scope has it."""
        number = normal_mobile(mobile)
        if not number:
            return None
        found = self._find("topapi/v2/user/getbymobile", {"mobile": number}, _UserId)
        return found.userid if found else None

    def user(self, userid: str) -> Contact | None:
        """The person, None where nobody within the scope has this id."""
        question = {"userid": userid, "language": "zh_CN"}
        found = self._find("topapi/v2/user/get", question, _User)
        return found.contact() if found else None

    def department_members(self, dept_id: int) -> Iterator[Contact]:
        """The direct members of one department; people of departments below it are not among them."""
        api, cursor, more, count = "topapi/v2/user/list", 0, True, 0
        while more:
            page = self._ask(api, {"dept_id": dept_id, "cursor": cursor, "size": PAGE}, _Members)
            yield from (user.contact(dept_id) for user in page.list)
            more = page.has_more
            if more and not cursor < page.next_cursor < END_OF_CURSORS:
                raise self._client.failure("malformed", api, "the cursor does not move")
            cursor, count = page.next_cursor, count + 1
            if count > MOST_PAGES:
                raise self._client.failure("malformed", api, f"a department of more than {MOST_PAGES} pages")

    def members_below(self, dept_id: int) -> list[str]:
        """The userids of a department and of all departments below it, each once."""
        return list(self._people([dept_id]))

    def departments(self, root: int = ROOT) -> Iterator[int]:
        """The ids of all departments from `root` on that are within the scope, level by level."""
        waiting, seen = deque([root]), {root}
        while waiting:
            dept_id = waiting.popleft()
            yield dept_id
            listed = _visible(self._departments_below(dept_id), dept_id, root)
            below = [found for found in listed if found not in seen]
            seen.update(below)
            if len(seen) > MOST_DEPARTMENTS:
                raise self._client.failure("malformed", LIST_SUB, f"more than {MOST_DEPARTMENTS} departments")
            waiting.extend(below)

    def _departments_below(self, dept_id: int) -> Iterator[int]:
        answer = self._client.ask(LIST_SUB, {"dept_id": dept_id}, metered=False)
        found = self._shape(_Departments, {"departments": answer.get("result") or ()}, LIST_SUB)
        yield from (department.dept_id for department in found.departments)

    def everybody(self) -> Iterator[Contact]:
        """Each person within the scope once, whatever the number of departments they are in."""
        try:
            people = self._people([ROOT])
        except EdgeError as error:
            if _code(error) != OUT_OF_SCOPE:
                raise
            people = self._people_of_scope()
        yield from people.values()

    def _people_of_scope(self) -> dict[str, Contact]:
        """An app that may not see all departments sees some, and some people besides."""
        answer = self._client.call(Call(SCOPES, b"", method="GET", metered=False))
        scope = self._shape(_Scope, answer.get("auth_org_scopes") or {}, SCOPES)
        people = self._people(scope.authed_dept)
        alone = (self.user(userid) for userid in scope.authed_user if userid not in people)
        return people | {contact.userid: contact for contact in alone if contact}

    def _people(self, roots: Iterable[int]) -> dict[str, Contact]:
        """Those of some departments and of all below them, by userid."""
        people: dict[str, Contact] = {}
        for root in roots:
            for dept_id in self.departments(root):
                for contact in _visible(self.department_members(dept_id), dept_id, root):
                    known = people.get(contact.userid, contact)
                    people[contact.userid] = replace(contact, leads=known.leads | contact.leads)
        return people

    def manager_of(self, userid: str) -> str | None:
        """The person's direct manager, else who leads the person's department, else None."""
        person = self.user(userid)
        if person is None or person.manager_userid:
            return person.manager_userid if person else None
        for dept_id in person.dept_ids:
            for member in _visible(self.department_members(dept_id), dept_id):
                if dept_id in member.leads and member.userid != userid:
                    return member.userid
        return None

    def _find(self, api: str, question: Mapping[str, Any], shape: type[AnyShape]) -> AnyShape | None:
        try:
            return self._ask(api, question, shape)
        except EdgeError as error:
            if _code(error) in NOBODY:
                return None
            raise

    def _ask(self, api: str, question: Mapping[str, Any], shape: type[AnyShape]) -> AnyShape:
        return self._shape(shape, self._client.ask(api, question, metered=False).get("result"), api)

    def _shape(self, shape: type[AnyShape], data: Any, api: str) -> AnyShape:
        return shaped(shape, data, api, now=self._client.now())


def _code(error: EdgeError) -> str:
    """Without the 88 before it."""
    return error.code.rpartition("/")[2]


def _visible(found: Iterator[Found], dept_id: int, asked_for: int | None = None) -> Iterator[Found]:
    """What is found in a department; nothing where that is out of scope, or gone by now, unless it was `asked_for`."""
    try:
        yield from found
    except EdgeError as error:
        if dept_id == asked_for or _code(error) not in (OUT_OF_SCOPE, NO_DEPARTMENT):
            raise
        log.info("department.not_visible", dept_id=dept_id, error=str(error))
