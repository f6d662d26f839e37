"""Who has the codes that actions ask for."""

from __future__ import annotations

from typing import Any

import pytest

from kdsync.rules.actions import ActionSection, CompiledAction, compile_action
from kdsync.rules.recipients import parse_recipient
from kdsync.settings.enrolment import alone, coverage

ROLES = {
    "cashier": tuple(map(parse_recipient, ("user:u1", "user:u2"))),
    "boss": (parse_recipient("user:u1"),),
    "all": tuple(map(parse_recipient, ("role:cashier", "dept:7"))),
    "empty": (),
}


def action(*allow: str, above: str = "totp", **changes: Any) -> CompiledAction:
    limit = {"field": "FAMOUNT", "max": 50000, "above": above}
    spec = {"id": "pay", "title": "x", "phrases": ["x"], "form": "AP_PAYBILL", "allow": allow, "do": ["audit"]}
    return compile_action(ActionSection.model_validate({**spec, "limit": limit, **changes}, strict=False))


NOBODY = "action pay takes a one-time code above 50000, and nobody is enrolled"
NONE_OF = "action pay takes a one-time code above 50000, and none of those who may is (u1, u2)"


@pytest.mark.parametrize(
    ("allow", "enrolled", "lack", "cure"),
    [
        (["role:cashier"], [], NOBODY, "kdsync totp enrol u1"),
        (["role:cashier"], ["u9"], NONE_OF, "kdsync totp enrol u1"),
        (["user:u2", "role:boss"], ["u9"], NONE_OF.replace("u1, u2", "u2, u1"), "kdsync totp enrol u2"),
        (["role:cashier"], ["u2"], "", ""),
        (["role:all"], ["u9"], "", ""),  # they may be of the department
        (["assignee"], [], NOBODY, "kdsync totp enrol USERID"),
        (["assignee"], ["u9"], "", ""),
    ],
)
def test_an_action_that_nobody_could_do(allow: list[str], enrolled: list[str], lack: str, cure: str) -> None:
    (found,) = coverage([action(*allow)], ROLES, enrolled)
    assert found.lack == lack
    assert not lack or found.cure == cure


def test_who_may_and_has_no_codes() -> None:
    (found,) = coverage([action("role:all")], ROLES, ["u2"])
    assert found.without == ("u1",)


def test_only_actions_that_take_codes_count() -> None:
    assert not list(coverage([action("user:u1", above="second-person"), action("user:u1", limit=None)], ROLES, []))


@pytest.mark.parametrize(
    ("allow", "who"),
    [
        (["role:boss"], "user:u1"),
        (["role:boss", "user:u1"], "user:u1"),
        (["creator"], "creator"),
        (["role:empty"], "nobody"),
        (["role:cashier"], ""),
        (["role:boss", "creator"], ""),
        (["dept:7"], ""),
        (["assignee"], ""),
    ],
)
def test_a_second_person_that_there_is_not(allow: list[str], who: str) -> None:
    found = [
        one.partition("only ")[2].partition(" may")[0] for one in alone([action(*allow, above="second-person")], ROLES)
    ]
    assert found == ([who] if who else [])
    assert not list(alone([action(*allow)], ROLES))
