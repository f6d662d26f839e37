"""Approvals are read, listed, commented on, and their files fetched."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st
from requests import PreparedRequest

from kdsync.clock import FakeClock
from kdsync.dingtalk.approvals import Approval, Approvals
from kdsync.dingtalk.client import DingTalkClient
from kdsync.errors import EdgeError, FailureKind
from kdsync.settings.schema import DingTalkSection

BASE = "https://api.dingtalk.com/v1.0/workflow"
INSTANCES, IDS = f"{BASE}/processInstances", f"{BASE}/processes/instanceIds/query"
LINKS = f"{INSTANCES}/spaces/files/urls/download"
STORE = "https://lippi-space-zjk.oss-cn-zhangjiakou.aliyuncs.com/x%2Fy?Expires=1&Signature=sig%2Bsecret%3D"
NOW = datetime(2026, 11, 23, 4, 0, 20, tzinfo=UTC)
DETAILS = {
    "title": "张三提交的费用报销",
    "finishTime": "2026-11-20T11:52Z",
    "originatorUserId": "user1",
    "originatorDeptId": "-1",
    "status": "COMPLETED",
    "result": "agree",
    "businessId": "202611201018000327301",
    "operationRecords": [],
    "tasks": [],
    "bizData": None,
    "formComponentValues": [{"componentType": "TextField", "name": "事由", "value": "差旅", "id": "TextField-1"}],
    "createTime": "2026-11-20T02:18:33.000+00:00",
}


@pytest.fixture
def approvals(client: DingTalkClient) -> Approvals:
    return Approvals(client)


def refusing(dingtalk: responses.RequestsMock, method: str, url: str, code: str, status: int = 400) -> None:
    dingtalk.add(method, url, json={"code": code, "requestid": "r", "message": "审批实例不存在"}, status=status)


def kind_of(error: pytest.ExceptionInfo[EdgeError]) -> tuple[FailureKind, str]:
    return error.value.kind, error.value.code


def test_an_approval_with_its_form(
    approvals: Approvals, dingtalk: responses.RequestsMock, calls: list[tuple[str, bool]]
) -> None:
    dingtalk.get(INSTANCES, json={"result": DETAILS, "success": "true"})
    approval = approvals.instance("a171de6c")
    assert isinstance(approval, Approval)
    assert (approval.instance_id, approval.business_id, approval.applicant) == (
        "a171de6c",
        "202611201018000327301",
        "user1",
    )
    assert (approval.title, approval.department, approval.process_code) == ("张三提交的费用报销", "-1", "")
    assert approval.created_at == datetime(2026, 11, 20, 2, 18, 33, tzinfo=UTC)
    assert approval.finished_at == datetime(2026, 11, 20, 11, 52, tzinfo=UTC)
    assert [component.text for component in approval.components] == ["差旅"]
    assert approval.is_agreed
    assert parse_qs(urlsplit(str(dingtalk.calls[-1].request.url)).query) == {"processInstanceId": ["a171de6c"]}
    assert calls[-1] == ("v1.0/workflow/processInstances", True)


@pytest.mark.parametrize(
    ("created", "business_id", "hour"),
    [
        ("2026-11-20T10:18Z", "202611201018000327301", 2),  # the Z stands behind the time of Beijing
        ("2026-11-20T02:18Z", "202611201018000327301", 2),
        ("2026-11-20T10:18+08:00", "202611201018000327301", 2),
        ("2026-11-20T10:18Z", "202611201001000327301", 2),  # it was filled in for a while
        ("2026-11-20T02:18Z", "BX-0001", 2),
        ("2026-11-20T02:18Z", "202699999999", 2),
        ("2026-11-20T02:18", "", 2),
    ],
)
def test_the_business_id_tells_of_which_zone_the_times_are(
    approvals: Approvals, dingtalk: responses.RequestsMock, created: str, business_id: str, hour: int
) -> None:
    dingtalk.get(INSTANCES, json={"result": {**DETAILS, "createTime": created, "businessId": business_id}})
    approval = approvals.instance("a171de6c")
    assert approval is not None
    assert approval.created_at == datetime(2026, 11, 20, hour, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "result"), [("COMPLETED", "refuse"), ("RUNNING", "agree"), ("TERMINATED", ""), ("COMPLETED", None)]
)
def test_an_approval_that_was_not_agreed(
    approvals: Approvals, dingtalk: responses.RequestsMock, status: str, result: str | None
) -> None:
    dingtalk.get(INSTANCES, json={"result": {**DETAILS, "status": status, "result": result, "finishTime": "?"}})
    approval = approvals.instance("a171de6c")
    assert approval is not None
    assert not approval.is_agreed
    assert approval.finished_at is None


@pytest.mark.parametrize(
    ("told", "action", "main"),
    [
        ({}, "", ""),
        ({"bizAction": "NONE", "mainProcessInstanceId": None}, "", ""),
        ({"bizAction": None}, "", ""),
        ({"bizAction": "REVOKE", "mainProcessInstanceId": "a0"}, "REVOKE", "a0"),
        ({"bizAction": "MODIFY"}, "MODIFY", ""),
    ],
)
def test_an_approval_may_be_about_another(
    approvals: Approvals, dingtalk: responses.RequestsMock, told: dict[str, Any], action: str, main: str
) -> None:
    dingtalk.get(INSTANCES, json={"result": {**DETAILS, **told, "originatorDeptName": "财务部"}})
    approval = approvals.instance("a171de6c")
    assert approval is not None
    assert (approval.action, approval.main_id, approval.department_name) == (action, main, "财务部")


@pytest.mark.parametrize("code", ["processInstanceNotExist", "instanceNotExist"])
def test_an_approval_that_is_gone(approvals: Approvals, dingtalk: responses.RequestsMock, code: str) -> None:
    refusing(dingtalk, "GET", INSTANCES, code)
    assert approvals.instance("a171de6c") is None


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("processInstanceIdError", 400, FailureKind.REFUSED),
        ("invalidParameter", 400, FailureKind.REFUSED),
        ("systemError", 500, FailureKind.TRANSIENT),
        ("Forbidden.AccessDenied.AccessTokenPermissionDenied", 403, FailureKind.CONFIGURATION),
    ],
)
def test_what_dingtalk_says_against_reading_one(
    approvals: Approvals, dingtalk: responses.RequestsMock, code: str, status: int, kind: FailureKind
) -> None:
    refusing(dingtalk, "GET", INSTANCES, code, status)
    with pytest.raises(EdgeError) as caught:
        approvals.instance("a171de6c")
    assert kind_of(caught) == (kind, code)


class Ids:
    """Answers with pages of two, as if each window held the ids from `begun` on that lie in it."""

    def __init__(self, begun: dict[str, datetime]) -> None:
        self.begun = begun
        self.questions: list[dict[str, Any]] = []

    def __call__(self, request: PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        question = orjson.loads(request.body or "")
        self.questions.append(question)
        start, end = question["startTime"], question["endTime"]
        found = [name for name, at in self.begun.items() if start <= at.timestamp() * 1000 <= end]
        at = question["nextToken"]
        more = {"nextToken": str(at + 2)} if at + 2 < len(found) else {}
        return 200, {}, orjson.dumps({"result": {"list": found[at : at + 2], **more}, "success": True})


def test_finished_approvals_come_page_by_page(approvals: Approvals, dingtalk: responses.RequestsMock) -> None:
    ids = Ids({f"a{number}": NOW - timedelta(days=number) for number in range(1, 6)})
    dingtalk.add_callback(responses.POST, IDS, ids)
    assert list(approvals.finished("PROC-1", NOW - timedelta(days=30), NOW)) == ["a1", "a2", "a3", "a4", "a5"]
    assert [question["nextToken"] for question in ids.questions] == [0, 2, 4]
    first = ids.questions[0]
    assert (first["processCode"], first["maxResults"], first["statuses"]) == ("PROC-1", 20, ["COMPLETED"])


def test_a_long_time_is_asked_for_in_windows_and_no_further_back_than_a_year(
    approvals: Approvals, dingtalk: responses.RequestsMock
) -> None:
    edge = NOW - timedelta(days=365) + timedelta(minutes=5) + timedelta(days=120)  # belongs to two windows
    ids = Ids({"on the edge": edge, "a1": NOW - timedelta(days=1), "too old": NOW - timedelta(days=400)})
    dingtalk.add_callback(responses.POST, IDS, ids)
    found = list(approvals.finished("PROC-1", NOW - timedelta(days=2000), NOW + timedelta(days=9)))
    assert found == ["on the edge", "a1"]
    spans = [(question["endTime"] - question["startTime"]) / 86_400_000 for question in ids.questions]
    assert len(spans) == 4
    assert all(span <= 120 for span in spans)
    assert ids.questions[-1]["endTime"] == NOW.timestamp() * 1000


def test_no_time_is_not_asked_for(approvals: Approvals, dingtalk: responses.RequestsMock) -> None:
    assert list(approvals.finished("PROC-1", NOW, NOW)) == []
    assert not dingtalk.calls


@pytest.mark.parametrize("token", [0, "0", "", None])
def test_the_last_page(approvals: Approvals, dingtalk: responses.RequestsMock, token: object) -> None:
    dingtalk.post(IDS, json={"result": {"list": ["a"], "nextToken": token}, "success": True})
    assert list(approvals.finished("PROC-1", NOW - timedelta(days=1), NOW)) == ["a"]


@pytest.mark.parametrize("token", [7, "seven", "-1", "9" * 30])
def test_pages_that_do_not_end_are_an_error(
    approvals: Approvals, dingtalk: responses.RequestsMock, token: object
) -> None:
    dingtalk.post(IDS, json={"result": {"list": ["a"], "nextToken": token}, "success": True})
    with pytest.raises(EdgeError, match="do not end"):
        list(approvals.finished("PROC-1", NOW - timedelta(days=1), NOW))


def test_a_comment_is_cut_to_what_dingtalk_takes(approvals: Approvals, dingtalk: responses.RequestsMock) -> None:
    dingtalk.post(f"{INSTANCES}/comments", json={"result": True, "success": True})
    approvals.comment("a171de6c", "user1", "😀" * 2000)
    sent = orjson.loads(dingtalk.calls[-1].request.body or "")
    assert (sent["processInstanceId"], sent["commentUserId"]) == ("a171de6c", "user1")
    assert sent["text"] == "😀" * 511 + "…"


def test_a_comment_that_is_not_made(approvals: Approvals, dingtalk: responses.RequestsMock) -> None:
    dingtalk.post(f"{INSTANCES}/comments", json={"result": False, "success": True})
    with pytest.raises(EdgeError) as caught:
        approvals.comment("a171de6c", "user1", "x")
    assert kind_of(caught) == (FailureKind.REFUSED, "not done")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("aflowProcessInstNotExist", 400, FailureKind.REFUSED),
        ("aflowProcessInstCanNotBeExecuted", 400, FailureKind.REFUSED),
        ("userNotExist", 400, FailureKind.REFUSED),
        ("internalError", 400, FailureKind.UNKNOWN_OUTCOME),
        ("http 502", 502, FailureKind.UNKNOWN_OUTCOME),
    ],
)
def test_what_dingtalk_says_against_a_comment(
    approvals: Approvals, dingtalk: responses.RequestsMock, code: str, status: int, kind: FailureKind
) -> None:
    refusing(dingtalk, "POST", f"{INSTANCES}/comments", "" if code.startswith("http") else code, status)
    with pytest.raises(EdgeError) as caught:
        approvals.comment("a171de6c", "user1", "x")
    assert kind_of(caught) == (kind, code)


def test_a_file_is_fetched_from_where_it_is_kept(
    approvals: Approvals, dingtalk: responses.RequestsMock, calls: list[tuple[str, bool]]
) -> None:
    dingtalk.post(LINKS, json={"result": {"spaceId": 3, "fileId": "f", "downloadUri": STORE}, "success": True})
    dingtalk.get(STORE, body=b"%PDF\x00")
    assert approvals.download("a171de6c", "f", 100) == b"%PDF\x00"
    assert orjson.loads(dingtalk.calls[1].request.body or "") == {"processInstanceId": "a171de6c", "fileId": "f"}
    asked = dingtalk.calls[-1].request
    assert str(asked.url) == STORE
    assert not {"content-type", "x-acs-dingtalk-access-token"} & {name.lower() for name in asked.headers}
    assert not asked.body
    assert [name for name, metered in calls if metered] == ["v1.0/workflow/processInstances/spaces/files/urls/download"]


def test_an_address_without_encryption_is_asked_with_it(approvals: Approvals, dingtalk: responses.RequestsMock) -> None:
    plain = STORE.replace("https://", "http://").replace(".com/", ".com:80/")
    dingtalk.post(LINKS, json={"result": {"downloadUri": plain}})
    dingtalk.get(STORE, body=b"x")
    assert approvals.download("a171de6c", "f", 100) == b"x"
    assert str(dingtalk.calls[-1].request.url) == STORE


def test_what_looks_like_a_fragment_is_part_of_a_files_name(
    approvals: Approvals, dingtalk: responses.RequestsMock
) -> None:
    named = "https://lippi-space-zjk.oss-cn-zhangjiakou.aliyuncs.com/y/#zifgs49.file?Expires=1"
    dingtalk.post(LINKS, json={"result": {"downloadUri": named}})
    dingtalk.get(named.replace("#", "%23"), body=b"x")
    assert approvals.download("a171de6c", "f", 100) == b"x"


@pytest.mark.parametrize(
    "address", ["", "x", "ftp://a/b", "file:///etc/passwd", "https://", "https://[::1", "https:///x", "https://a b", 7]
)
def test_an_address_that_is_none(approvals: Approvals, dingtalk: responses.RequestsMock, address: object) -> None:
    dingtalk.post(LINKS, json={"result": {"downloadUri": address}})
    with pytest.raises(EdgeError) as caught:
        approvals.download("a171de6c", "f", 100)
    assert caught.value.kind is FailureKind.TRANSIENT


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, b"<Error><Code>AccessDenied</Code></Error>", FailureKind.TRANSIENT),
        (401, b"", FailureKind.TRANSIENT),
        (404, b"", FailureKind.REFUSED),
        (302, b"", FailureKind.TRANSIENT),
        (500, b"", FailureKind.TRANSIENT),
        (200, b"x" * 101, FailureKind.REFUSED),
    ],
)
def test_a_file_that_does_not_come(
    approvals: Approvals, dingtalk: responses.RequestsMock, status: int, body: bytes, kind: FailureKind
) -> None:
    dingtalk.post(LINKS, json={"result": {"downloadUri": STORE}})
    dingtalk.get(STORE, body=body, status=status, headers={"Location": "https://evil.example.com/"})
    with pytest.raises(EdgeError) as caught:
        approvals.download("a171de6c", "f", 100)
    assert caught.value.kind is kind
    assert "secret" not in str(caught.value)


def test_a_file_that_is_gone(approvals: Approvals, dingtalk: responses.RequestsMock) -> None:
    refusing(dingtalk, "POST", LINKS, "invalidFileId")
    with pytest.raises(EdgeError) as caught:
        approvals.download("a171de6c", "f", 100)
    assert kind_of(caught) == (FailureKind.REFUSED, "invalidFileId")


def test_the_clock_of_a_store_of_files_is_not_dingtalks(
    approvals: Approvals, dingtalk: responses.RequestsMock, client: DingTalkClient
) -> None:
    dingtalk.post(LINKS, json={"result": {"downloadUri": STORE}})
    dingtalk.get(STORE, body=b"x", headers={"Date": "Mon, 23 Nov 2020 04:00:20 GMT"})
    approvals.download("a171de6c", "f", 100)
    assert client.now() == NOW


def test_a_picture_is_fetched_by_its_address(approvals: Approvals, dingtalk: responses.RequestsMock) -> None:
    picture = "https://static.dingtalk.com/media/lADPD.jpg"
    dingtalk.get(picture, body=b"jpg")
    assert approvals.download("a171de6c", picture, 100) == b"jpg"
    assert len(dingtalk.calls) == 1  # no token is needed


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example.com/x.jpg",
        "https://dingtalk.com.evil.example.com/x.jpg",
        "https://evil.example.com#.dingtalk.com/x.jpg",
        "https://u@static.dingtalk.com/x.jpg",
        "https://127.0.0.1/x.jpg",
        "http://169.254.169.254/latest/meta-data",
        "https://static.dingtalk.com:8443/x.jpg",
    ],
)
def test_a_picture_elsewhere_is_not_fetched(
    approvals: Approvals, dingtalk: responses.RequestsMock, address: str
) -> None:
    with pytest.raises(EdgeError) as caught:
        approvals.download("a171de6c", address, 100)
    assert kind_of(caught) == (FailureKind.REFUSED, "not dingtalk's")
    assert not dingtalk.calls


PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=6)
JSON = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
RESULTS = st.dictionaries(
    st.sampled_from((*DETAILS, "list", "nextToken", "downloadUri")), JSON | st.text(max_size=30), max_size=12
)
BODIES = st.binary(max_size=40) | st.fixed_dictionaries({"result": RESULTS | JSON, "success": JSON}).map(orjson.dumps)


@given(BODIES)
def test_whatever_is_answered_is_read_or_an_edge_error(body: bytes) -> None:
    section = DingTalkSection.model_validate(
        {"client_id": "k", "client_secret": "app-secret-value", "agent_id": 1}, context={"secrets": str}
    )
    client = DingTalkClient(section, FakeClock(NOW))
    approvals = Approvals(client)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.post("https://api.dingtalk.com/v1.0/oauth2/accessToken", json={"accessToken": "t", "expireIn": 7200})
        mock.get(INSTANCES, body=body)
        for url in (IDS, LINKS, f"{INSTANCES}/comments"):
            mock.post(url, body=body)
        for work in (
            lambda: approvals.instance("a"),
            lambda: list(approvals.finished("p", NOW - timedelta(days=1), NOW)),
            lambda: approvals.comment("a", "u", "x"),
            lambda: approvals.download("a", "f", 10),
        ):
            with suppress(EdgeError):
                work()
    client.close()
