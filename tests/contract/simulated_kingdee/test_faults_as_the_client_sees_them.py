"""Each fault of the simulated Kingdee by name, and what kdsync's own client makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kdsync.clock import FakeClock
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.client import TRIES, KingdeeClient
from kdsync.kingdee.query import pages
from kdsync.model import Facts, Layout
from kdsync.settings.schema import KingdeeSection
from kdsync.simulator.faults import KINGDEE
from kdsync.simulator.kingdee import SimulatedKingdee

FORM = "AP_PAYBILL"
T, L, R = FailureKind.TRANSIENT, FailureKind.RATE_LIMITED, FailureKind.REFUSED
C, U = FailureKind.CONFIGURATION, FailureKind.UNKNOWN_OUTCOME
COPES = None  # the client repeats, renews, asks for less or leaves out what cannot be read

READ: dict[str, tuple[FailureKind | None, str]] = {
    "http403": (C, "http-403"),
    "http404": (C, "http-404"),
    "http407": (C, "http-407"),
    "http408": (T, "http-408"),
    "http413": (R, "http-413"),
    "http429": (L, "http-429"),
    "http500": (T, "http-500"),
    "http502": (T, "http-502"),
    "http503": (T, "http-503"),
    "http504": (T, "http-504"),
    "redirect": (C, "http-302"),
    "chinese_page": (T, "http-500"),
    "html": (T, "html"),
    "login_page": (T, "html"),
    "empty": (T, "empty"),
    "garbage": (T, "not-json"),
    "number": (R, "shape"),
    "huge": (COPES, ""),
    "gateway_app_id": (C, "gateway-4002"),
    "gateway_stamp": (T, "gateway-4006"),
    "gateway_api": (C, "gateway-5001"),
    "forced_gateway": (C, "forced-gateway"),
    "n001": (COPES, ""),
    "n001_expired": (COPES, ""),
    "session_lost": (COPES, ""),
    "session_lost_top": (COPES, ""),
    "session_not_restored": (C, "user"),
    "response_error": (T, "null-reference"),
    "request_filter": (R, "request-filter"),
    "permission": (C, "permission"),
    "database": (T, "6"),
    "database_top": (T, "6"),
    "database_deep": (T, "6"),
    "database_text": (T, "6"),
    "exception": (T, "unmapped-msgcode-4"),
    "licence": (C, "licence"),
    "parameter": (R, "8"),
    "unknown_form": (R, "unknown-form"),
    "bad_filter": (R, "bad-filter"),
    "call_limit": (L, "14"),
    "administrator": (C, "15"),
    "reset": (COPES, ""),
    "down": (T, "cut"),
    "hang": (T, "timeout"),
    "slow": (COPES, ""),
    "lost_reply": (COPES, ""),
    "truncated_json": (T, "not-json"),
    "cut": (COPES, ""),
    "cut_chunks": (COPES, ""),
    "short_page": (COPES, ""),
    "no_rows": (COPES, ""),
    "wider_rows": (COPES, ""),
}
LOGIN: dict[str, tuple[FailureKind, str]] = {
    "wrong_password": (C, "login-0"),
    "account_locked": (C, "account-locked"),
    "password_expired": (C, "password-expired"),
    "password_policy": (C, "password-expired"),
    "authorisation_lost": (C, "third-party"),
    "user_without_rights": (C, "user"),
    "stamp_expired": (C, "time-stamp"),
    "centre_stopped": (C, "account-set-stopped"),
    "cloud_unbound": (C, "login-6"),
    "not_activated": (C, "login-7"),
}
WRITE: dict[str, tuple[FailureKind, str]] = {
    "edit_lock": (T, "edit-lock"),
    "edit_lock_code": (T, "13"),
    "not_operable": (R, "12"),
    "in_workflow": (R, "in-workflow"),
    "not_assignee": (R, "not-assignee"),
    "database": (T, "6"),
    "permission": (C, "permission"),
    "request_filter": (R, "request-filter"),
    "session_lost": (FailureKind.SESSION_LOST, "1"),
    "http403": (C, "http-403"),
    "http429": (L, "http-429"),
    "http500": (U, "http-500"),
    "http502": (U, "http-502"),
    "response_error": (U, "null-reference"),
    "html": (U, "html"),
    "empty": (U, "empty"),
    "garbage": (U, "not-json"),
    "reset": (U, "cut"),
    "lost_reply": (U, "cut"),
    "cut": (U, "cut"),
    "cut_chunks": (U, "cut"),
    "truncated_json": (U, "not-json"),
    "hang": (U, "timeout"),
    "huge": (U, "too-large"),
}


@pytest.fixture
def client(erp: SimulatedKingdee, clock: FakeClock) -> Iterator[KingdeeClient]:
    ours = erp.credentials
    settings = KingdeeSection.model_validate(
        {
            "url": erp.url,
            "acct_id": ours.acct_id,
            "username": ours.username,
            "app_id": ours.app_id,
            "app_secret": ours.app_secret,
            "timeout": "1s",
        },
        context={"secrets": lambda value: value},
    )
    opened = KingdeeClient(settings, clock)
    yield opened
    opened.close()


def ask(client: KingdeeClient) -> list[Any]:
    layout = Layout(Facts(FORM), ("FID", "FBillNo"))
    return [row[1] for page in pages(client, layout) for row in page.rows]


def save(client: KingdeeClient) -> Any:
    return client.call("Save", {"formid": FORM, "data": {"Model": {"FBillNo": "P2"}}}, read=False)


def failure_of(call: Any, client: KingdeeClient) -> tuple[FailureKind | None, str]:
    try:
        call(client)
    except EdgeError as error:
        return error.kind, error.code
    return COPES, ""


def test_every_fault_is_here() -> None:
    assert READ.keys() | LOGIN.keys() | WRITE.keys() == KINGDEE.keys()


@pytest.mark.parametrize("name", READ)
def test_a_fault_while_reading(erp: SimulatedKingdee, client: KingdeeClient, name: str) -> None:
    erp.create(FORM, "P1")
    client.log_in()
    kind, code = READ[name]
    blip = kind is T and code in ("http-502", "http-503", "http-504", "gateway-4006")
    erp.fault(name, TRIES if blip else 1, op="ExecuteBillQuery")
    assert failure_of(ask, client) == (kind, code)
    assert erp.faults.struck[name] >= 1


@pytest.mark.parametrize("name", LOGIN)
def test_a_fault_while_logging_in(erp: SimulatedKingdee, client: KingdeeClient, name: str) -> None:
    erp.fault(name, 2)
    assert failure_of(ask, client) == LOGIN[name]


@pytest.mark.parametrize("name", WRITE)
def test_a_fault_while_writing(erp: SimulatedKingdee, client: KingdeeClient, name: str) -> None:
    client.log_in()
    erp.fault(name, op="Save")
    assert failure_of(save, client) == WRITE[name]
    assert len(erp.documents(FORM)) == (name in ("lost_reply", "truncated_json", "cut", "cut_chunks"))


def test_no_fault_leaves_the_client_unable_to_read(erp: SimulatedKingdee, client: KingdeeClient) -> None:
    erp.create(FORM, "P1")
    for name in (*READ, *WRITE):
        client_clock(client).advance(700)  # longer than any pause after a login that failed
        erp.fault(name, seconds=0.01)
        failure_of(ask, client)
        erp.clear_faults()
        client_clock(client).advance(700)
        assert ask(client) == ["P1"], name


def client_clock(client: KingdeeClient) -> FakeClock:
    clock = client._clock
    assert isinstance(clock, FakeClock)
    return clock
