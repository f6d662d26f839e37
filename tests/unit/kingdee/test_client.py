"""Sessions, repetitions and signatures, seen from the requests that a server gets."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
import responses
import structlog

from kdsync.clock import FakeClock
from kdsync.errors import ANOTHER_ACCOUNT, EdgeError, FailureKind
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.limits import MemoryLedger
from kdsync.kingdee.signing import signed_headers
from kdsync.kingdee.transport import Call

Make = Callable[..., KingdeeClient]
LOST = [
    [
        {
            "Result": {
                "ResponseStatus": {
                    "IsSuccess": False,
                    "Errors": [{"Message": "会话信息已丢失，请重新登录"}],
                    "MsgCode": 1,
                }
            }
        }
    ]
]
STAMP_REFUSED = {"LoginResultType": -1, "Message": "时间戳验证失败，请求链接已失效"}
SIGN_REFUSED = {"LoginResultType": -1, "Message": "Fail to VerifyThirtyPassport"}
WRONG_PASSWORD = {"LoginResultType": 0, "Message": "用户名或密码错误"}
Answer = Any  # JSON, an exception, or a status with a body


@dataclass
class Server:
    """Answers with what is queued, else with a login and an empty list; remembers what it was asked."""

    clock: FakeClock
    ahead: float = 0.0
    logins: list[Answer] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    asked: list[requests.PreparedRequest] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)
    dated: bool = True

    def __call__(self, request: requests.PreparedRequest) -> tuple[int, list[tuple[str, str]], str]:
        self.asked.append(request)
        status, body = self._answer(request)
        date = (self.clock.now() + timedelta(seconds=self.ahead)).replace(microsecond=0)
        headers = [("Date", format_datetime(date, usegmt=True))] if self.dated else []
        return status, [*headers, *(("Set-Cookie", cookie) for cookie in self.cookies)], body

    def _answer(self, request: requests.PreparedRequest) -> tuple[int, str]:
        if request.method == "GET":
            return 403, "<html>"
        login = "AuthService" in str(request.url)
        queue, usual = (self.logins, self.accepted()) if login else (self.answers, [])
        answer = queue.pop(0) if queue else usual
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, tuple) else (200, json.dumps(answer))

    def accepted(self) -> dict[str, Any]:
        number = len(self.names("LoginBy")) + len(self.names("ValidateUser"))
        return {"LoginResultType": 1, "MessageCode": "", "KDSVCSessionId": f"sid{number}", "Context": {"UserId": 5}}

    def names(self, part: str = "") -> list[str]:
        """What was asked, by the last word of the service (GET for a probe)."""
        names = ["GET" if each.method == "GET" else str(each.url).split(".")[-3] for each in self.asked]
        return [name for name in names if part in name]

    def bodies(self, part: str) -> list[Any]:
        return [json.loads(each.body or b"") for each in self.asked if part in str(each.url)]

    def sent(self, part: str, header: str) -> list[str | None]:
        return [each.headers.get(header) for each in self.asked if part in str(each.url)]


@pytest.fixture
def kingdee(server: responses.RequestsMock, clock: FakeClock) -> Server:
    fake = Server(clock)
    for method in ("GET", "POST"):
        server.add_callback(method, re.compile("https://erp.example.com/K3Cloud/.*"), callback=fake)  # type: ignore[arg-type]  # a list keeps two cookies apart
    return fake


def query(client: KingdeeClient, *, read: bool = True) -> Any:
    return client.call("ExecuteBillQuery" if read else "Save", {"data": {"FormId": "AP_PAYBILL"}}, read=read)


def refused(client: KingdeeClient, *, read: bool = True) -> EdgeError:
    with pytest.raises(EdgeError) as caught:
        query(client, read=read)
    return caught.value


def test_one_login_serves_many_calls(kingdee: Server, make_client: Make) -> None:
    client = make_client()
    assert [query(client), query(client), query(client, read=False)] == [[], [], []]
    assert kingdee.names() == ["GET", "LoginBySign", "ExecuteBillQuery", "ExecuteBillQuery", "Save"]
    assert kingdee.sent("ExecuteBillQuery", "kdservice-sessionid") == ["sid1", "sid1"]
    assert kingdee.sent("ExecuteBillQuery", "Cookie") == ["kdservice-sessionid=sid1"] * 2
    assert client.log_in().user_id == "5"


def test_the_body_is_ascii_json(kingdee: Server, make_client: Make) -> None:
    make_client().call("Save", {"data": {"FName": "金蝶"}}, read=False)
    request = kingdee.asked[-1]
    assert request.body == b'{"data": {"FName": "\\u91d1\\u8776"}}'
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert request.headers["Content-Length"] == str(len(request.body))


def test_a_service_may_be_named_in_full(kingdee: Server, make_client: Make) -> None:
    make_client().call("Kingdee.K3.SCM.Some.Service", {}, read=True)
    assert str(kingdee.asked[-1].url) == "https://erp.example.com/K3Cloud/Kingdee.K3.SCM.Some.Service.common.kdsvc"


def test_the_base_address_may_lack_its_slash(kingdee: Server, make_client: Make) -> None:
    query(make_client(url="https://erp.example.com/K3Cloud"))
    assert str(kingdee.asked[-1].url).startswith("https://erp.example.com/K3Cloud/Kingdee.BOS")


def test_a_lost_session_is_replaced_and_a_read_repeated(kingdee: Server, make_client: Make) -> None:
    client = make_client()
    query(client)
    kingdee.answers = [LOST, [[1]]]
    assert query(client) == [[1]]
    assert kingdee.names()[-3:] == ["ExecuteBillQuery", "LoginBySign", "ExecuteBillQuery"]
    assert kingdee.sent("ExecuteBillQuery", "kdservice-sessionid")[-1] == "sid2"


def test_a_write_is_never_repeated(kingdee: Server, make_client: Make) -> None:
    client = make_client()
    kingdee.answers = [LOST[0][0]]
    assert refused(client, read=False).kind is FailureKind.SESSION_LOST
    assert kingdee.names("Save") == ["Save"]
    assert query(client, read=False) == []
    assert len(kingdee.names("LoginBySign")) == 2


def test_a_session_that_is_lost_at_once_again_is_for_an_operator(kingdee: Server, make_client: Make) -> None:
    kingdee.answers = [LOST, LOST]
    error = refused(make_client())
    assert error.kind is FailureKind.CONFIGURATION
    assert len(kingdee.names("LoginBySign")) == 2


def test_threads_share_one_login(kingdee: Server, make_client: Make) -> None:
    client = make_client()
    kingdee.answers = [[[1]]] * 8
    threads = [threading.Thread(target=query, args=(client,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(kingdee.names("LoginBySign")) == 1
    assert len(kingdee.names("ExecuteBillQuery")) == 8


@pytest.mark.usefixtures("kingdee")
def test_an_old_session_that_fails_late_does_not_end_the_new_one(make_client: Make) -> None:
    client = make_client()
    old = client.log_in()
    client._sessions.lost(old)
    new = client.log_in()
    client._sessions.lost(old)
    assert client.log_in() is new


def test_cookies_of_a_load_balancer_are_kept(kingdee: Server, make_client: Make) -> None:
    client = make_client()
    kingdee.cookies = ["ASP.NET_SessionId=asp; path=/; HttpOnly", "lb=node7; path=/"]
    query(client)
    kingdee.cookies = ["lb=node8; expires=Wed, 01 Jan 2098 00:00:00 GMT; path=/"]
    query(client)
    query(client)
    assert kingdee.sent("ExecuteBillQuery", "Cookie")[-1] == (
        "ASP.NET_SessionId=asp; kdservice-sessionid=sid1; lb=node8"
    )


def test_cookies_of_ever_new_names_do_not_grow_beyond_what_a_server_takes(kingdee: Server, make_client: Make) -> None:
    client = make_client()
    for number in range(40):
        kingdee.cookies = [f"waf_{number}={'x' * 900}; path=/"]
        query(client)
    sent = kingdee.sent("ExecuteBillQuery", "Cookie")[-1] or ""
    assert len(sent) < 9000
    assert "kdservice-sessionid=sid1" in sent
    assert "waf_38=" in sent


def test_a_blip_of_a_read_is_tried_again(
    kingdee: Server, make_client: Make, clock: FakeClock, calls: list[Call]
) -> None:
    start = clock.monotonic()
    kingdee.answers = [(502, "<html>"), requests.ConnectionError("reset"), [[1]]]
    assert query(make_client()) == [[1]]
    assert 0.6 <= clock.monotonic() - start <= 3.0
    assert [call.code for call in calls if call.service.endswith("ExecuteBillQuery")] == ["http-502", "cut", ""]


def test_a_blip_that_stays_is_told(kingdee: Server, make_client: Make) -> None:
    kingdee.answers = [(503, "")] * 9
    assert refused(make_client()).code == "http-503"
    assert len(kingdee.names("ExecuteBillQuery")) == 3


def test_a_blip_of_a_write_has_an_unknown_outcome(kingdee: Server, make_client: Make) -> None:
    kingdee.answers = [requests.ConnectionError("reset")]
    assert refused(make_client(), read=False).kind is FailureKind.UNKNOWN_OUTCOME
    assert kingdee.names("Save") == ["Save"]


def test_a_time_out_of_a_read_is_not_repeated_at_once(kingdee: Server, make_client: Make) -> None:
    kingdee.answers = [requests.ReadTimeout()]
    assert refused(make_client()).code == "timeout"
    assert len(kingdee.names("ExecuteBillQuery")) == 1


@pytest.mark.parametrize("ahead", [-3600.0, 1500.0])
def test_the_login_is_stamped_with_the_servers_time(
    kingdee: Server, make_client: Make, clock: FakeClock, ahead: float
) -> None:
    kingdee.ahead = ahead
    client = make_client()
    query(client)
    stamp = kingdee.bodies("LoginBySign")[0]["timestamp"]
    assert abs(stamp - clock.now().timestamp() - ahead) <= 1
    assert abs(client.server_clock.offset() - ahead) <= (client.server_clock.error() or 0) <= 0.5
    assert abs((client.server_clock.now() - clock.now()).total_seconds() - ahead) <= 0.5


def test_a_refused_time_stamp_is_measured_anew_once(kingdee: Server, make_client: Make) -> None:
    kingdee.logins = [STAMP_REFUSED]
    assert query(make_client()) == []
    assert kingdee.names() == ["GET", "LoginBySign", "GET", "LoginBySign", "ExecuteBillQuery"]


def test_a_time_stamp_that_stays_refused_is_for_an_operator(kingdee: Server, make_client: Make) -> None:
    kingdee.logins = [STAMP_REFUSED] * 5
    error = refused(make_client())
    assert (error.kind, error.code) == (FailureKind.CONFIGURATION, "time-stamp")
    assert len(kingdee.names("LoginBySign")) == 2


def test_an_odd_date_of_one_answer_is_not_kingdees_time(kingdee: Server, make_client: Make, clock: FakeClock) -> None:
    client = make_client()
    query(client)
    for ahead in (86_400.0, 0.0):
        clock.advance(10)
        kingdee.ahead = ahead
        told = client.ask("ExecuteBillQuery", {}, read=True).server_now
        assert abs((told - clock.now()).total_seconds()) <= 1


def test_a_server_without_a_date_is_no_obstacle(kingdee: Server, make_client: Make, clock: FakeClock) -> None:
    kingdee.dated = False
    client = make_client()
    assert query(client) == []
    assert client.server_clock.offset() == 0.0
    assert client.ask("ExecuteBillQuery", {}, read=True).server_now == clock.now()


def test_an_old_server_wants_sha1(kingdee: Server, make_client: Make) -> None:
    kingdee.logins = [SIGN_REFUSED]
    client = make_client()
    assert query(client) == []
    kingdee.answers = [LOST]
    query(client)
    signs = [len(body["sign"]) for body in kingdee.bodies("LoginBySign")]
    assert signs == [64, 40, 40]


def test_sha1_is_tried_once_and_never_again(kingdee: Server, make_client: Make, clock: FakeClock) -> None:
    kingdee.logins = [SIGN_REFUSED] * 20
    client = make_client()
    for _ in range(6):
        assert refused(client).code == "third-party"
        clock.advance(400)
    assert [len(body["sign"]) for body in kingdee.bodies("LoginBySign")] == [64, 40, 64, 64, 64, 64, 64]


@pytest.mark.parametrize(
    "answer",
    [
        {"LoginResultType": -1, "Message": "Fail to RestoreSessionByApi"},
        WRONG_PASSWORD,
        {"LoginResultType": -1, "Message": "用户被禁用"},
        (200, "The request is not from API GateWay"),
    ],
)
def test_a_wrong_user_is_not_a_wrong_signature(kingdee: Server, make_client: Make, answer: Any) -> None:
    kingdee.logins = [answer]
    refused(make_client())
    assert len(kingdee.names("LoginBySign")) == 1


def test_a_server_that_was_brought_up_to_date_gets_sha256_again(
    kingdee: Server, make_client: Make, clock: FakeClock
) -> None:
    kingdee.logins = [SIGN_REFUSED]
    client = make_client()
    query(client)
    kingdee.answers, kingdee.logins = [LOST], [SIGN_REFUSED]
    refused(client)
    clock.advance(10)
    query(client)
    assert [len(body["sign"]) for body in kingdee.bodies("LoginBySign")] == [64, 40, 40, 64]


def test_a_wrong_password_is_tried_twice_an_hour(kingdee: Server, make_client: Make, clock: FakeClock) -> None:
    ledger = MemoryLedger()
    kingdee.logins = [WRONG_PASSWORD] * 99
    client = make_client(ledger=ledger, auth="password")
    for _ in range(300):
        assert refused(client).kind is FailureKind.CONFIGURATION
        clock.advance(10)
    refused(make_client(ledger=ledger, auth="password"))
    assert len(kingdee.names("ValidateUser")) == 2
    assert ledger.failures(clock.now() - timedelta(hours=1)) == 2


def test_no_error_holds_a_secret(kingdee: Server, make_client: Make) -> None:
    kingdee.logins = [WRONG_PASSWORD]
    error = refused(make_client(auth="password"))
    assert "correct horse" not in f"{error} {error.cure} {error!r} {error.__cause__!r}"


@pytest.mark.parametrize(("auth", "service"), [("secret", "LoginByAppSecret"), ("password", "ValidateUser")])
def test_logins_without_a_time_stamp_need_no_probe(kingdee: Server, make_client: Make, auth: str, service: str) -> None:
    query(make_client(auth=auth))
    assert kingdee.names() == [service, "ExecuteBillQuery"]


def test_a_login_answered_with_a_lost_session_is_for_an_operator(kingdee: Server, make_client: Make) -> None:
    kingdee.logins = [(200, "401 Forbidden ByRspRetStatusCode -- N001: Unexpectable request.")]
    client = make_client()
    for _ in range(3):
        error = refused(client)
        assert (error.kind, error.code) == (FailureKind.CONFIGURATION, "N001")
    assert len(kingdee.names("LoginBy")) == 1


def test_a_server_that_is_down_does_not_count_as_a_refusal(kingdee: Server, make_client: Make) -> None:
    kingdee.logins = [requests.ConnectionError("refused")] * 5
    client = make_client()
    for _ in range(5):
        assert refused(client).code == "cut"
    assert query(client) == []


def test_another_account_set_is_not_read_and_not_asked_at_every_turn(
    kingdee: Server, make_client: Make, clock: FakeClock
) -> None:
    client, accepted = make_client(), kingdee.accepted
    ours = {"DBid": "65a1b2c3d4e5f6", "DataCenterName": "Works"}
    theirs = {"DBid": "another", "DataCenterName": "Copy"}
    kingdee.accepted = lambda: accepted() | {"Context": ours}  # type: ignore[method-assign]
    query(client)
    kingdee.answers.append(LOST)
    kingdee.accepted = lambda: accepted() | {"Context": theirs}  # type: ignore[method-assign]
    asked = len(kingdee.names("ExecuteBillQuery"))
    for _ in range(5):
        error = refused(client)
        assert (error.kind, error.code) == (FailureKind.CONFIGURATION, ANOTHER_ACCOUNT)
    assert len(kingdee.names("ExecuteBillQuery")) == asked + 1
    assert len(kingdee.names("LoginBy")) == 2
    kingdee.accepted = lambda: accepted() | {"Context": ours}  # type: ignore[method-assign]
    clock.advance(300)
    query(client)


@pytest.mark.parametrize(("org", "number"), [(100, "100"), ("100", "100"), ("101.1", "101.1"), ("HQ", "HQ")])
def test_the_organisation_is_switched_to_after_a_login(
    kingdee: Server, make_client: Make, org: int | str, number: str
) -> None:
    query(make_client(org=org))
    assert kingdee.names() == ["GET", "LoginBySign", "SwitchOrg", "ExecuteBillQuery"]
    assert kingdee.bodies("SwitchOrg") == [{"data": {"OrgNumber": number}}]
    assert kingdee.sent("SwitchOrg", "kdservice-sessionid") == ["sid1"]


def test_an_organisation_that_cannot_be_switched_to_is_told_and_no_reason_to_log_in_again_and_again(
    kingdee: Server, make_client: Make, clock: FakeClock
) -> None:
    status = {"IsSuccess": False, "Errors": [{"Message": "当前用户没有该组织的权限"}], "MsgCode": 2}
    kingdee.answers = [{"Result": {"ResponseStatus": status}}]
    client = make_client(org=100)
    assert {refused(client).code for _ in range(12)} == {"permission"}
    assert len(kingdee.names("LoginBy")) == 1
    assert "没有该组织的权限" in str(refused(client))
    clock.advance(300)
    assert query(client) == []


@pytest.mark.parametrize("org", ["", 0, "0"])
def test_who_names_no_organisation_stays_in_the_users_own(kingdee: Server, make_client: Make, org: int | str) -> None:
    query(make_client(org=org))
    assert "SwitchOrg" not in kingdee.names()


def test_a_session_that_is_lost_before_the_organisation_is_switched_to_is_for_an_operator(
    kingdee: Server, make_client: Make
) -> None:
    kingdee.answers = [LOST]
    client = make_client(org=100)
    assert {refused(client).kind for _ in range(3)} == {FailureKind.CONFIGURATION}
    assert len(kingdee.names("LoginBy")) == 1


def test_a_connection_that_breaks_while_the_organisation_is_switched_to_makes_no_login_at_every_turn(
    kingdee: Server, make_client: Make, clock: FakeClock
) -> None:
    kingdee.answers = [requests.ConnectionError("reset")]
    client = make_client(org=100)
    assert {refused(client).kind for _ in range(3)} == {FailureKind.TRANSIENT}
    assert len(kingdee.names("LoginBy")) == 1
    clock.advance(5)
    assert query(client) == []


@pytest.mark.parametrize(("org", "told"), [(7, "7"), ("101.1", "101.1"), (0, "0")])
def test_signed_headers_need_no_login(
    kingdee: Server, make_client: Make, clock: FakeClock, org: int | str, told: str
) -> None:
    client = make_client(auth="headers", org=org)
    query(client)
    assert kingdee.names() == ["GET", "ExecuteBillQuery"]
    request, settings = kingdee.asked[-1], client.settings
    stamp = int(client.server_clock.now().timestamp())
    expected = signed_headers(
        path="/K3Cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.ExecuteBillQuery.common.kdsvc",
        app_id=settings.app_id,
        app_secret="0123456789abcdef0123456789abcdef",
        app_data=f"65a1b2c3d4e5f6,kdsync,2052,{told}",
        timestamp=stamp,
        nonce=str(stamp),
    )
    assert {key: request.headers[key] for key in expected} == expected
    assert abs(stamp - clock.now().timestamp()) <= 1


def test_signed_headers_carry_the_session_they_were_given(kingdee: Server, make_client: Make) -> None:
    client = make_client(auth="headers")
    kingdee.cookies = ["kdservice-sessionid=given; path=/"]
    query(client)
    query(client)
    assert kingdee.sent("ExecuteBillQuery", "kdservice-sessionid") == [None, "given"]


def test_a_lost_session_with_signed_headers_means_wrong_credentials(kingdee: Server, make_client: Make) -> None:
    client = make_client(auth="headers")
    kingdee.cookies = ["kdservice-sessionid=given; path=/"]
    query(client)
    kingdee.cookies = ["kdservice-sessionid=hollow; path=/"]
    kingdee.answers = [LOST]
    error = refused(client)
    assert error.kind is FailureKind.CONFIGURATION
    kingdee.cookies = []
    query(client)
    assert kingdee.sent("ExecuteBillQuery", "kdservice-sessionid") == [None, "given", None]


def test_every_exchange_is_reported(kingdee: Server, make_client: Make, calls: list[Call]) -> None:
    client = make_client()
    kingdee.answers = [[[1, 2]], LOST[0][0]]
    query(client)
    refused(client, read=False)
    assert [(call.service.split(".")[-1], call.status, call.size, call.failure, call.read) for call in calls[1:]] == [
        ("ExecuteBillQuery", 200, 8, None, True),
        ("Save", 200, len(json.dumps(LOST[0][0])), FailureKind.SESSION_LOST, False),
    ]


def test_a_warning_of_the_login_is_logged_by_the_logging_of_the_day(kingdee: Server, make_client: Make) -> None:
    entries = structlog.testing.LogCapture()
    structlog.configure(processors=[entries])
    try:
        zone = {"STimeZone": {"OffsetTicks": 7 * 36_000_000_000}}
        kingdee.logins = [{**kingdee.accepted(), "MessageCode": "CheckPasswordPolicy", "Context": zone}]
        assert make_client().log_in().warning == "CheckPasswordPolicy"
    finally:
        structlog.reset_defaults()
    assert [(each["event"], each["log_level"]) for each in entries.entries] == [
        ("kingdee.logged_in", "info"),
        ("kingdee.login_warning", "warning"),
        ("kingdee.another_zone", "warning"),
    ]
