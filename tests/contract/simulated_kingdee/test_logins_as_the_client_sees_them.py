"""Every way in, and what the server does to a session, with kdsync's own client against the simulated Kingdee."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from kdsync.clock import FakeClock
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.query import pages
from kdsync.model import Facts, Layout
from kdsync.settings.schema import KingdeeSection
from kdsync.simulator.kingdee import SimulatedKingdee

FORM = "AP_PAYBILL"
LAYOUT = Layout(Facts(FORM), ("FID", "FBillNo"))
COOKIES = ("sign", "secret", "password")
Make = Callable[..., KingdeeClient]


@pytest.fixture
def connect(erp: SimulatedKingdee, clock: FakeClock) -> Iterator[Make]:
    ours = erp.credentials
    written = {"acct_id": ours.acct_id, "username": ours.username, "app_id": ours.app_id, "timeout": "1s"}
    written |= {"app_secret": ours.app_secret, "password": ours.password}
    made: list[KingdeeClient] = []

    def make(auth: str, at: SimulatedKingdee = erp, **more: Any) -> KingdeeClient:
        section = {**written, "url": at.url, "auth": auth, **more}
        settings = KingdeeSection.model_validate(section, context={"secrets": lambda value: value})
        made.append(KingdeeClient(settings, clock))
        return made[-1]

    yield make
    for client in made:
        client.close()


def numbers(client: KingdeeClient, page_size: int = 2000) -> list[Any]:
    return [row[1] for page in pages(client, LAYOUT, page_size=page_size) for row in page.rows]


def refused(client: KingdeeClient) -> EdgeError:
    with pytest.raises(EdgeError) as caught:
        numbers(client)
    return caught.value


@pytest.mark.parametrize("auth", [*COOKIES, "headers"])
@pytest.mark.parametrize("skew", [0.0, 5000.0])
def test_every_way_in_whatever_the_servers_clock(erp: SimulatedKingdee, connect: Make, auth: str, skew: float) -> None:
    erp.clock_skew, erp.gate.checks_stamps = skew, True
    erp.create(FORM, "P1")
    assert numbers(connect(auth)) == ["P1"]


@pytest.mark.parametrize("auth", COOKIES)
@pytest.mark.parametrize(("warning", "said"), [("password", "CheckPasswordPolicy"), ("licence", "还剩3天")])
def test_a_login_that_warns_lets_in(erp: SimulatedKingdee, connect: Make, auth: str, warning: Any, said: str) -> None:
    erp.login_warning = warning
    client = connect(auth)
    assert numbers(client) == []
    assert said in client.log_in().warning


@pytest.mark.parametrize("auth", [*COOKIES, "headers"])
def test_a_session_that_is_lost_between_two_pages_loses_no_row(erp: SimulatedKingdee, connect: Make, auth: str) -> None:
    expected = [f"P{number}" for number in range(9)]
    erp.load(FORM, ({"FBillNo": number} for number in expected))
    found: list[Any] = []
    for page in pages(connect(auth), LAYOUT, page_size=2):
        found += [row[1] for row in page.rows]
        erp.forget_sessions()
    assert found == expected


@pytest.mark.parametrize("auth", COOKIES)
def test_the_organisation_is_that_of_the_settings_in_every_session(
    erp: SimulatedKingdee, connect: Make, auth: str
) -> None:
    erp.gate.organisations = {"101.1"}
    client = connect(auth, org="101.1")
    for _ in range(2):
        assert numbers(client) == []
        assert [session.org for session in erp.gate.sessions.values()] == ["101.1"]
        erp.forget_sessions()
    error = refused(connect(auth, org="102"))
    assert (error.kind, error.code) == (FailureKind.CONFIGURATION, "permission")


def test_a_gateway_whose_clock_is_set_is_followed_at_once(erp: SimulatedKingdee, connect: Make) -> None:
    erp.gate.checks_stamps = True
    client = connect("headers")
    assert numbers(client) == []
    for skew in (7200.0, -7200.0, 0.0):
        erp.clock_skew = skew
        assert numbers(client) == []


def test_a_signature_that_is_wrong_is_not_saved_by_the_session_that_came_with_the_refusal(connect: Make) -> None:
    client = connect("headers", app_secret="another")
    assert {refused(client).kind for _ in range(3)} == {FailureKind.CONFIGURATION}


def test_an_old_server_is_asked_by_sha1(clock: FakeClock, connect: Make) -> None:
    with SimulatedKingdee(clock, sign_algorithm="sha1", random=Random(1)) as old:
        assert numbers(connect("sign", old)) == []
        assert old.logins == 2
