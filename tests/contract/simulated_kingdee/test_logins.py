"""Four ways to log in, signed headers, and sessions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from kdsync.clock import FakeClock
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.kingdee_login import Credentials, signature_holds

FORM = "AP_PAYBILL"
QUERY = {"data": {"FormId": FORM, "FieldKeys": "FID"}}
N001 = "403 Forbidden ByRspRetStatusCode -- N001: Unexpectable request."
Refusal = Callable[[Any], dict[str, Any]]


def signed(erp: SimulatedKingdee, clock: FakeClock, **changes: Any) -> dict[str, Any]:
    ours = erp.credentials
    body = {
        "acctID": ours.acct_id,
        "username": ours.username,
        "appId": ours.app_id,
        "timestamp": int(clock.now().timestamp()),
        "lcid": 2052,
        **{key: value for key, value in changes.items() if key != "sign"},
    }
    values = sorted([str(body[key]) for key in ("acctID", "username", "appId", "timestamp")] + [ours.app_secret])
    return {**body, "sign": changes.get("sign") or hashlib.sha256("".join(values).encode()).hexdigest()}


def with_secret(erp: SimulatedKingdee, **changes: Any) -> dict[str, Any]:
    ours = erp.credentials
    body = {"acctID": ours.acct_id, "username": ours.username, "appId": ours.app_id, "appSecret": ours.app_secret}
    return {**body, "lcid": 2052, **changes}


def in_by(answer: Any) -> bool:
    return bool(answer["LoginResultType"] == 1 and answer["KDSVCSessionId"])


def test_by_password(erp: SimulatedKingdee, stranger: Any) -> None:
    answer = stranger.log_in()
    assert in_by(answer)
    assert answer["Context"]["UserId"] == erp.user
    assert answer["Context"]["STimeZone"]["OffsetTicks"] == 288_000_000_000
    assert stranger.query(FORM, "FID") == []


def test_a_good_login_may_still_speak_of_the_password_policy(erp: SimulatedKingdee, stranger: Any) -> None:
    assert stranger.log_in()["MessageCode"] is None
    erp.login_warning = "password"
    answer = stranger.log_in()
    assert in_by(answer)
    assert answer["MessageCode"] == "CheckPasswordPolicy"


def test_where_the_licence_ends_soon_the_session_is_in_the_cookies_only(erp: SimulatedKingdee, stranger: Any) -> None:
    erp.login_warning = "licence"
    answer = stranger.log_in()
    told = (answer["LoginResultType"], answer["KDSVCSessionId"], answer["FormId"], answer["IsSuccessByAPI"])
    assert told == (-5, None, "BOS_CloudInspection", True)
    assert stranger.query(FORM, "FID") == []


def test_an_organisation_is_switched_to_for_the_session(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    erp.gate.organisations = {"101.1"}
    assert caller.post("SwitchOrg", {"data": {"OrgNumber": "101.1"}}).json()["Result"]["ResponseStatus"]["IsSuccess"]
    assert [session.org for session in erp.gate.sessions.values()] == ["101.1"]
    assert refusal(caller.post("SwitchOrg", {"data": {"OrgNumber": "102"}}).json())["code"] == 2
    assert refusal(caller.post("SwitchOrg", {"data": {}}).json())["code"] == 8
    assert [session.org for session in erp.gate.sessions.values()] == ["101.1"]


def test_a_gateway_looks_at_the_stamp_of_signed_headers(erp: SimulatedKingdee, stranger: Any) -> None:
    assert stranger.post("ExecuteBillQuery", QUERY, headers=VECTOR).status_code == 200
    erp.gate.checks_stamps = True
    answer = stranger.post("ExecuteBillQuery", QUERY, headers=VECTOR)
    assert (answer.status_code, answer.json()["errcode"]) == (519, 4006)


def test_by_secret(erp: SimulatedKingdee, stranger: Any) -> None:
    assert in_by(stranger.post("LoginByAppSecret", with_secret(erp)).json())


def test_by_sign(erp: SimulatedKingdee, stranger: Any, clock: FakeClock) -> None:
    assert in_by(stranger.post("LoginBySign", signed(erp, clock)).json())


def test_a_sign_may_carry_its_time_as_text(erp: SimulatedKingdee, stranger: Any, clock: FakeClock) -> None:
    stamp = str(int(clock.now().timestamp()))
    assert in_by(stranger.post("LoginBySign", signed(erp, clock, timestamp=stamp)).json())


def test_by_passport(erp: SimulatedKingdee, stranger: Any) -> None:
    body = {"passportForBase64": erp.credentials.passport, "lcid": 2052}
    assert in_by(stranger.post("LoginBySimplePassport", body).json())
    body["passportForBase64"] = "AAAA"
    assert stranger.post("LoginBySimplePassport", body).json()["LoginResultType"] == -1


def test_any_user_of_the_authorisation_may_log_in_as_himself(erp: SimulatedKingdee, stranger: Any) -> None:
    user = erp.add_user("zhangsan", "张三")
    answer = stranger.post("LoginByAppSecret", with_secret(erp, username="zhangsan")).json()
    assert answer["Context"]["UserId"] == user


@pytest.mark.parametrize("seconds", [-601, 601])
def test_a_sign_outside_ten_minutes_is_refused(
    erp: SimulatedKingdee, stranger: Any, clock: FakeClock, seconds: int
) -> None:
    stamp = int(clock.now().timestamp()) + seconds
    answer = stranger.post("LoginBySign", signed(erp, clock, timestamp=stamp)).json()
    assert (answer["LoginResultType"], answer["Message"]) == (-1, "时间戳验证失败，请求链接已失效")


def test_the_time_of_a_sign_is_measured_by_the_servers_clock(
    erp: SimulatedKingdee, stranger: Any, clock: FakeClock
) -> None:
    erp.clock_skew = 900
    assert stranger.post("LoginBySign", signed(erp, clock)).json()["Message"] == "时间戳验证失败，请求链接已失效"
    ahead = int(clock.now().timestamp()) + 900
    assert in_by(stranger.post("LoginBySign", signed(erp, clock, timestamp=ahead)).json())


def test_an_old_server_wants_sha1(stranger: Any, clock: FakeClock) -> None:
    with SimulatedKingdee(clock, sign_algorithm="sha1") as erp:
        stranger.erp = erp
        body = signed(erp, clock)
        assert stranger.post("LoginBySign", body).json()["Message"] == "Fail to VerifyThirtyPassport"
        values = [str(body[key]) for key in ("acctID", "username", "appId", "timestamp")]
        text = "".join(sorted([*values, erp.credentials.app_secret]))
        body["sign"] = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324  # what such a server wants
        assert in_by(stranger.post("LoginBySign", body).json())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"acctID": "other"}, "数据中心不存在"),
        ({"username": "nobody"}, "Fail to RestoreSessionByApi"),
        ({"appId": "other_app"}, "Fail to VerifyThirtyPassport"),
        ({"sign": "00"}, "Fail to VerifyThirtyPassport"),
    ],
)
def test_what_is_wrong_with_a_signed_login(
    erp: SimulatedKingdee, stranger: Any, clock: FakeClock, changes: dict[str, Any], message: str
) -> None:
    answer = stranger.post("LoginBySign", signed(erp, clock, **changes)).json()
    assert (answer["LoginResultType"], answer["Message"], answer["KDSVCSessionId"]) == (-1, message, None)


def test_a_forbidden_user_cannot_log_in(erp: SimulatedKingdee, stranger: Any) -> None:
    user = erp.add_user("zhangsan", "张三")
    erp.edit("SEC_User", user, FForbidStatus="B")
    answer = stranger.post("LoginByAppSecret", with_secret(erp, username="zhangsan")).json()
    assert answer["Message"] == "Fail to RestoreSessionByApi"


def test_five_wrong_passwords_lock_the_account(erp: SimulatedKingdee, stranger: Any) -> None:
    ours = erp.credentials
    body = {"acctID": ours.acct_id, "username": ours.username, "password": "wrong", "lcid": 2052}
    answers = [stranger.post("ValidateUser", body).json() for _ in range(5)]
    assert {(answer["LoginResultType"], answer["Message"]) for answer in answers} == {(0, "用户名或密码错误")}
    assert "锁定" in stranger.log_in()["Message"]
    erp.unlock(ours.username)
    assert in_by(stranger.log_in())


def test_every_try_is_counted(erp: SimulatedKingdee, stranger: Any) -> None:
    stranger.log_in()
    stranger.post("ValidateUser", {})
    assert erp.logins == 2


def test_a_call_without_a_session_gets_plain_text(stranger: Any) -> None:
    answer = stranger.post("ExecuteBillQuery", QUERY)
    assert (answer.status_code, answer.text) == (200, N001)


def test_view_without_a_session_is_an_empty_object(stranger: Any) -> None:
    assert stranger.call("View", FORM, Number="P1") == {}


def test_a_session_may_be_named_in_a_header(stranger: Any) -> None:
    sid = stranger.log_in()["KDSVCSessionId"]
    stranger.http.cookies.clear()
    answer = stranger.post("ExecuteBillQuery", QUERY, headers={"kdservice-sessionid": sid})
    assert answer.json() == []


def test_a_session_slides_for_twenty_minutes(caller: Any, clock: FakeClock, refusal: Refusal) -> None:
    for _ in range(3):
        clock.advance(19 * 60)
        assert caller.query(FORM, "FID") == []
    clock.advance(20 * 60)
    answer = caller.query(FORM, "FID")
    assert isinstance(answer[0][0], dict)
    assert refusal(answer) == {"code": 1, "texts": ["会话信息已丢失，请重新登录"]}


def test_a_restarted_server_has_forgotten_the_sessions(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    erp.forget_sessions()
    assert refusal(caller.call("View", FORM, Number="P1"))["code"] == 1


def test_logging_out_ends_the_session(caller: Any, refusal: Refusal) -> None:
    assert caller.post("Logout", {}).json() is True
    assert caller.post("Logout", {}).json() is False
    assert refusal(caller.query(FORM, "FID"))["code"] == 1


VECTOR = {
    "X-Kd-Appkey": "224551_abcdefghijklmnopqrstuvwxyz012345",
    "X-Kd-Appdata": "NjVhMWIyYzNkNGU1ZjYsZGVtbywyMDUyLDA=",
    "X-Api-ClientID": "224551",
    "X-Api-Auth-Version": "2.0",
    "X-Api-Timestamp": "1700000000",
    "X-Api-Nonce": "1700000000",
    "X-Api-SignHeaders": "x-api-timestamp,x-api-nonce",
    "X-Api-Signature": "ZGZmZjllOWNjZmQyOGVhOTZlOGFmNWFjNzkyNzA0YzhkMGM5ZTkyNTY4MDY2ZDY2Y2QyYzIyOGQxNjBjMGEyZQ==",
    "X-Kd-Signature": "NWYwZTY5Mzg0MzhjMzc1ZmRjNzBjOGYwMzEyMjFjYzJiMWEzODRlMDdjNDNlMDA1YTcxNDc0MTViYWM5MzMzNg==",
}
"""Headers as the official SDK 8.2.0 builds them."""
PATH = "/K3Cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.ExecuteBillQuery.common.kdsvc"
OURS = Credentials("65a1b2c3d4e5f6", "demo", VECTOR["X-Kd-Appkey"], "0123456789abcdef0123456789abcdef", "unused")


def test_the_signature_of_the_official_sdk_holds() -> None:
    assert signature_holds(OURS, VECTOR, PATH)


@pytest.mark.parametrize("name", [name for name in VECTOR if name != "X-Kd-Appdata"])
def test_a_signature_with_one_header_changed_does_not_hold(name: str) -> None:
    assert not signature_holds(OURS, VECTOR | {name: VECTOR[name][:-1] + "x"}, PATH)
    assert not signature_holds(OURS, VECTOR | {name: ""}, PATH)


def test_a_signature_for_another_path_does_not_hold() -> None:
    assert not signature_holds(OURS, VECTOR, PATH.replace("ExecuteBillQuery", "Save"))


def test_a_refused_signature_hands_out_a_session_that_is_good_for_nothing(stranger: Any, refusal: Refusal) -> None:
    answer = stranger.post("ExecuteBillQuery", QUERY, headers=VECTOR)  # signed for the user demo, unknown here
    assert refusal(answer.json())["code"] == 1
    assert stranger.http.cookies["kdservice-sessionid"]
    assert refusal(stranger.post("ExecuteBillQuery", QUERY).json())["code"] == 1


def test_signed_headers_for_another_account_set(stranger: Any) -> None:
    answer = stranger.post("ExecuteBillQuery", QUERY, headers=VECTOR | {"X-Kd-Appdata": "b3RoZXIsZGVtbw=="})
    assert (answer.status_code, answer.text) == (500, "Fail to verify thirty passport")


def test_no_secret_shows_in_a_repr(erp: SimulatedKingdee) -> None:
    assert erp.credentials.app_secret not in repr(erp.credentials)
    assert erp.credentials.password not in repr(erp.credentials)
