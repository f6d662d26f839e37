"""Signatures against published vectors and against the official SDK."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from k3cloud_webapi_sdk.core.webapi_client import WebApiClient
from k3cloud_webapi_sdk.util.config_util import InitConfigByParams

from kdsync.kingdee.signing import Algorithm, login_signature, signed_headers

ACCT, USER, STAMP = "65a1b2c3d4e5f6", "demo", 1700000000
APP_ID, SECRET = "224551_abcdefghijklmnopqrstuvwxyz012345", "0123456789abcdef0123456789abcdef"
SERVER = "https://kd.example.com/K3Cloud/"
PATH = "/K3Cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.ExecuteBillQuery.common.kdsvc"


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("sha256", "c675a48e0fe724a172c5d262f49f30706443e40f932862ee86f0db805aa1088f"),
        ("sha1", "e9977a038a13c585f7655e02707207c78e34a8a6"),
    ],
)
def test_the_login_signature_of_the_vector(algorithm: Algorithm, expected: str) -> None:
    assert login_signature((ACCT, USER, APP_ID, SECRET, str(STAMP)), algorithm) == expected


def test_the_headers_of_the_vector() -> None:
    headers = ours(APP_ID, SECRET, USER)
    assert headers["X-Kd-Appdata"] == "NjVhMWIyYzNkNGU1ZjYsZGVtbywyMDUyLDA="
    assert headers["X-Api-Signature"] == (
        "ZGZmZjllOWNjZmQyOGVhOTZlOGFmNWFjNzkyNzA0YzhkMGM5ZTkyNTY4MDY2ZDY2Y2QyYzIyOGQxNjBjMGEyZQ=="
    )
    assert headers["X-Kd-Signature"] == (
        "NWYwZTY5Mzg0MzhjMzc1ZmRjNzBjOGYwMzEyMjFjYzJiMWEzODRlMDdjNDNlMDA1YTcxNDc0MTViYWM5MzMzNg=="
    )


@pytest.mark.parametrize("app_id", [APP_ID, "224551_short", "without-a-half", "224551_", "two_under_scores"])
@pytest.mark.parametrize("user", [USER, "张三", "nguyễn văn a"])
def test_the_official_sdk_builds_the_same_headers(app_id: str, user: str) -> None:
    with time_machine.travel(datetime.fromtimestamp(STAMP, UTC), tick=False):
        theirs = sdk(app_id, user).BuildHeader(SERVER.rstrip("/") + PATH.removeprefix("/K3Cloud"))
    mine = ours(app_id, SECRET, user)
    assert mine == {key: theirs[key] for key in mine}


@given(st.lists(st.text(), min_size=5, max_size=5), st.randoms())
def test_the_order_of_the_parts_does_not_matter(parts: list[str], random: Any) -> None:
    shuffled = random.sample(parts, 5)
    expected = hashlib.sha256("".join(sorted(parts)).encode()).hexdigest()
    assert login_signature(tuple(shuffled)) == expected


def ours(app_id: str, secret: str, user: str) -> dict[str, str]:
    return signed_headers(
        path=PATH,
        app_id=app_id,
        app_secret=secret,
        app_data=f"{ACCT},{user},2052,0",
        timestamp=STAMP,
        nonce=str(STAMP),
    )


def sdk(app_id: str, user: str) -> Any:
    client = WebApiClient()
    client.config = InitConfigByParams(ACCT, user, app_id, SECRET, SERVER)
    return client.Init(SERVER, 0, sdk_initialize=True)
