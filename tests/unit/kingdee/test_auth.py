"""What is sent to log in, and what an answer to it means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.auth import KingdeeSession, login_request, session_of
from kdsync.kingdee.signing import login_signature
from kdsync.settings.schema import KingdeeSection

COOKIES = {"kdservice-sessionid": "from-cookie", "ASP.NET_SessionId": "asp"}


def test_a_signed_login_never_holds_the_secret(make_settings: Callable[..., KingdeeSection]) -> None:
    settings = make_settings()
    service, body = login_request(settings, 1700000000)
    assert service.endswith("AuthService.LoginBySign")
    secret = "0123456789abcdef0123456789abcdef"
    parts = (settings.acct_id, settings.username, settings.app_id, secret, "1700000000")
    assert body == {
        "acctID": settings.acct_id,
        "username": "kdsync",
        "appId": settings.app_id,
        "timestamp": 1700000000,
        "sign": login_signature(parts),
        "lcid": 2052,
    }
    assert login_request(settings, 1700000000, "sha1")[1]["sign"] == login_signature(parts, "sha1")


def test_logins_with_secret_and_password(make_settings: Callable[..., KingdeeSection]) -> None:
    service, body = login_request(make_settings(auth="secret"), 0)
    assert service.endswith("LoginByAppSecret")
    assert body["appSecret"] == "0123456789abcdef0123456789abcdef"
    service, body = login_request(make_settings(auth="password", lcid=1033), 0)
    assert service.endswith("ValidateUser")
    assert (body["password"], body["lcid"]) == ("correct horse", 1033)


@pytest.mark.parametrize(("auth", "key"), [("sign", "app_secret"), ("secret", "app_secret"), ("password", "password")])
def test_a_missing_secret_is_named(make_settings: Callable[..., KingdeeSection], auth: str, key: str) -> None:
    with pytest.raises(EdgeError, match=f"kingdee.{key} is not set") as caught:
        login_request(make_settings(auth=auth, app_secret=None, password=None), 0)
    assert caught.value.kind is FailureKind.CONFIGURATION


def test_a_plain_success() -> None:
    answer = {
        "LoginResultType": 1,
        "Message": None,
        "MessageCode": "",
        "KDSVCSessionId": "sid",
        "Context": {"UserId": 16394, "UserName": "kdsync"},
    }
    session = session_of(answer, COOKIES, 3)
    assert session.headers == {"Cookie": "kdservice-sessionid=sid; ASP.NET_SessionId=asp", "kdservice-sessionid": "sid"}
    assert (session.user_id, session.user_name, session.warning, session.generation) == ("16394", "kdsync", "", 3)


def welcome(zone: Any) -> KingdeeSession:
    return session_of({"LoginResultType": 1, "KDSVCSessionId": "s", "Context": {"STimeZone": zone}}, COOKIES, 1)


@pytest.mark.parametrize(
    ("ticks", "hours"), [(288_000_000_000, 8), ("252000000000", 7), (-180_000_000_000, -5), (198_000_000_000, 5.5)]
)
def test_the_zone_of_the_server(ticks: Any, hours: float) -> None:
    assert welcome({"OffsetTicks": ticks}).utc_offset == timedelta(hours=hours)


@pytest.mark.parametrize(
    "zone", [None, [], "x", {}, {"OffsetTicks": None}, {"OffsetTicks": "x"}, {"OffsetTicks": 1e300}]
)
def test_a_zone_that_is_none(zone: Any) -> None:
    assert welcome(zone).utc_offset is None
    assert welcome({"OffsetTicks": 10**40}).utc_offset is None


@pytest.mark.parametrize(
    ("zone", "hours", "told"),
    [
        ("Asia/Shanghai", 8, ""),
        ("Asia/Shanghai", 7, "Kingdee's dates are of UTC+07:00, and those of Asia/Shanghai of UTC+08:00"),
        ("America/New_York", -4, ""),  # with what is added in summer
        ("America/New_York", -5, ""),  # without
        ("America/New_York", -4.5, "Kingdee's dates are of UTC-04:30, and those of America/New_York of UTC-04:00"),
        ("Asia/Kolkata", None, ""),
    ],
)
def test_a_zone_that_is_not_the_one_of_the_settings(zone: str, hours: float | None, told: str) -> None:
    summer = datetime(2026, 7, 1, tzinfo=UTC)
    session = welcome({"OffsetTicks": int(hours * 36_000_000_000)} if hours is not None else None)
    assert session.another_zone(ZoneInfo(zone), summer) == told


def test_the_session_does_not_show_in_its_repr() -> None:
    assert "sid" not in repr(KingdeeSession(1, {"kdservice-sessionid": "sid"}))
    assert KingdeeSession(1).headers == {}


@pytest.mark.parametrize(
    ("answer", "warning"),
    [
        ({"LoginResultType": 1, "MessageCode": "CheckPasswordPolicy", "KDSVCSessionId": "s"}, "CheckPasswordPolicy"),
        (
            {
                "LoginResultType": -5,
                "Message": "还剩3天",
                "KDSVCSessionId": None,
                "FormId": "BOS_CloudInspection",
                "IsSuccessByAPI": True,
            },
            "还剩3天",
        ),
        ({"LoginResultType": -2, "Message": "change it", "KDSVCSessionId": "s"}, "change it"),
        ({"LoginResultType": -4, "Message": "warning", "KDSVCSessionId": "s"}, "warning"),
        ({"LoginResultType": 1, "KDSVCSessionId": "s", "FormId": "BOS_X"}, "BOS_X"),
    ],
)
def test_a_warning_lets_the_user_in(answer: dict[str, Any], warning: str) -> None:
    assert session_of(answer, COOKIES, 1).warning == warning


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"LoginResultType": 0, "Message": "用户名或密码错误"}, "login-0"),
        ({"LoginResultType": -1, "Message": "时间戳验证失败，请求链接已失效"}, "time-stamp"),
        ({"LoginResultType": -1, "Message": "?"}, "unmapped-login--1"),
        ({"LoginResultType": -3, "Message": "?", "IsSuccessByAPI": True}, "login-3"),
        ({"LoginResultType": -1, "MessageCode": "CheckPasswordPolicy"}, "password-expired"),
        ({"LoginResultType": -5, "Message": "许可"}, "licence"),
        ({"LoginResultType": -6}, "login-6"),
        ({"LoginResultType": -7}, "login-7"),
        ({"LoginResultType": 0, "Message": "用户已被锁定"}, "account-locked"),
    ],
)
def test_a_refusal_in_spite_of_its_cookies(answer: dict[str, Any], code: str) -> None:
    with pytest.raises(EdgeError) as caught:
        session_of(answer, COOKIES, 1)
    assert caught.value.code == code


def test_a_success_without_a_session_is_none() -> None:
    with pytest.raises(EdgeError) as caught:
        session_of({"LoginResultType": 1}, {}, 1)
    assert caught.value.code == "unmapped-login-1"


@pytest.mark.parametrize("answer", [None, [], {}, "x", {"Result": {}}])
def test_an_answer_that_is_no_login(answer: Any) -> None:
    with pytest.raises(EdgeError) as caught:
        session_of(answer, COOKIES, 1)
    assert caught.value.code == "shape"
