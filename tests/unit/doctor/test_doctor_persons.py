"""With `act_as: person` the doctor tries a login as somebody whom the operator named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kdsync.clock import SystemClock
from kdsync.doctor import kingdee as of_kingdee
from kdsync.doctor.finding import FAILED, OK, WARNING, Finding
from kdsync.simulator.kingdee import SimulatedKingdee
from tests.unit.doctor.conftest import Configure


def person(configure: Configure, folder: Path, users: dict[str, str], **kingdee: str) -> Finding | None:
    (folder / "directory.yaml").write_text(yaml.safe_dump({"users": users}))
    loaded = configure(kd={"act_as": "person", "timeout": "5s", **kingdee}, directory="directory.yaml")
    found = of_kingdee.examine(loaded, SystemClock(), None)
    return next((one for one in found if one.what == "kingdee person"), None)


@pytest.fixture
def account(kingdee: SimulatedKingdee) -> str:
    if "asked" not in [user["FUserAccount"] for user in kingdee.documents("SEC_User")]:  # the server is shared
        kingdee.add_user("asked", "Asked")
    return "asked"


@pytest.mark.parametrize("auth", ["sign", "secret", "headers"])
def test_a_person_who_may_be_logged_in(configure: Configure, tmp_path: Path, account: str, auth: str) -> None:
    found = person(configure, tmp_path, {account: "user1"}, auth=auth)
    assert found is not None
    assert (found.result, account in found.detail) == (OK, True)


@pytest.mark.parametrize("auth", ["sign", "secret", "headers"])
def test_a_person_whom_the_authorisation_leaves_out(
    configure: Configure, tmp_path: Path, kingdee: SimulatedKingdee, account: str, auth: str
) -> None:
    kingdee.authorised = set()
    try:
        found = person(configure, tmp_path, {account: "user1"}, auth=auth)
    finally:
        kingdee.authorised = None
    assert found is not None
    assert (found.result, "第三方系统登录授权" in found.cure) == (FAILED, True)


def test_nobody_is_named(configure: Configure, tmp_path: Path) -> None:
    found = person(configure, tmp_path, {})
    assert found is not None
    assert found.result == WARNING


def test_nobody_is_tried_where_the_integration_acts(configure: Configure, tmp_path: Path, account: str) -> None:
    assert person(configure, tmp_path, {account: "user1"}, act_as="integration") is None
