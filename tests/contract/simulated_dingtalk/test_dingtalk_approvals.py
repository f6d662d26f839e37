"""Approvals of the simulated DingTalk, as its API and its events tell of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
import requests

from kdsync.clock import FakeClock
from kdsync.simulator.dingtalk import SimulatedDingTalk

BASE = "/v1.0/workflow/processInstances"
IDS = "/v1.0/workflow/processes/instanceIds/query"
LINKS = f"{BASE}/spaces/files/urls/download"
DAY = 86_400_000
FIELDS: dict[str, Any] = {
    "事由": "TextField",
    "期间": "DDDateRangeField",
    "类型": "DDSelectField",
    "经办人": "InnerContactField",
    "部门": "DepartmentField",
    "附件": "DDAttachment",
    "照片": "DDPhotoField",
    "明细": {"项目": "TextField", "金额": "MoneyField", "同行": "InnerContactField"},
}
VALUES: dict[str, Any] = {
    "事由": "差旅",
    "期间": ["2026-11-01", "2026-11-03"],
    "类型": "国内",
    "经办人": ["user1", "user2"],
    "部门": [2],
    "附件": {"发票.pdf": b"%PDF"},
    "照片": {"票.jpg": b"jpg"},
    "明细": [{"项目": "机票", "金额": "1200.50", "同行": ["boss"]}, {"项目": "酒店"}],
}


@pytest.fixture
def begun(ding: SimulatedDingTalk) -> str:
    ding.approvals.define("PROC-1", FIELDS, "费用报销")
    return ding.approvals.start("PROC-1", "user1", VALUES)


@pytest.fixture
def read(ding: SimulatedDingTalk, session: requests.Session, token: str) -> Callable[..., Any]:
    def call(instance_id: str) -> Any:
        headers = {"x-acs-dingtalk-access-token": token}
        params = {"processInstanceId": instance_id}
        return session.get(f"{ding.url}{BASE}", params=params, headers=headers, timeout=5).json()

    return call


def values_of(answer: Any) -> dict[str, Any]:
    return {item["name"]: item for item in answer["result"]["formComponentValues"]}


def test_an_approval_that_runs(begun: str, read: Callable[..., Any]) -> None:
    result = read(begun)["result"]
    assert (result["status"], result["result"], result["finishTime"]) == ("RUNNING", "", None)
    assert (result["title"], result["originatorUserId"], result["originatorDeptId"]) == (
        "张三提交的费用报销",
        "user1",
        "2",
    )
    assert (result["businessId"], result["createTime"]) == ("202611231000000327301", "2026-11-23T10:00Z")
    assert "processCode" not in result


def test_a_form_is_text_that_holds_json(begun: str, read: Callable[..., Any]) -> None:
    found = values_of(read(begun))
    assert {name: item["componentType"] for name, item in found.items()} == {**FIELDS, "明细": "TableField"}
    assert found["事由"]["value"] == "差旅"
    assert orjson.loads(found["期间"]["value"]) == ["2026-11-01", "2026-11-03"]
    assert found["经办人"]["value"] == "张三,李四"
    assert [one["emplId"] for one in orjson.loads(found["经办人"]["extValue"])] == ["user1", "user2"]
    assert [one["id"] for one in orjson.loads(found["部门"]["extValue"])] == ["2"]
    (file,) = orjson.loads(found["附件"]["value"])
    assert (file["fileName"], file["fileSize"], file["fileType"]) == ("发票.pdf", 4, "pdf")
    first, second = orjson.loads(found["明细"]["value"])
    assert [(cell["label"], cell["value"]) for cell in first["rowValue"]] == [
        ("项目", "机票"),
        ("金额", "1200.50"),
        ("同行", "王总"),
    ]
    assert [cell["value"] for cell in second["rowValue"]] == ["酒店", "", ""]


def test_tables_may_be_lists_of_lists_and_empty_fields_say_null(
    ding: SimulatedDingTalk, begun: str, read: Callable[..., Any]
) -> None:
    ding.approvals.old_tables = ding.approvals.with_process_code = True
    other = ding.approvals.start("PROC-1", "user1", {"明细": [{"项目": "机票"}]})
    answer = read(other)
    assert answer["result"]["processCode"] == "PROC-1"
    found = values_of(answer)
    assert orjson.loads(found["明细"]["value"])[0][0] == {"name": "项目", "value": "机票"}
    assert {found[name]["value"] for name in FIELDS if name != "明细"} == {"null"}
    assert read(begun)["result"]["businessId"] != answer["result"]["businessId"]


def test_a_field_that_the_form_does_not_have(ding: SimulatedDingTalk, begun: str) -> None:
    with pytest.raises(ValueError, match="明细"):
        ding.approvals.start("PROC-1", "user1", {"nope": 1})
    with pytest.raises(ValueError, match="项目"):
        ding.approvals.start("PROC-1", "user1", {"明细": [{"nope": 1}]})
    with pytest.raises(KeyError):
        ding.approvals.start("PROC-2", "user1", {})
    assert ding.approvals.instance(begun).status == "RUNNING"


@pytest.mark.parametrize(("result", "status"), [("agree", "COMPLETED"), ("refuse", "COMPLETED")])
def test_the_end_is_an_event_that_says_how_but_not_what(
    ding: SimulatedDingTalk, begun: str, read: Callable[..., Any], clock: FakeClock, result: Any, status: str
) -> None:
    clock.advance(3600)
    push = ding.approvals.finish(begun, result)
    assert (push.kind, push.headers["eventType"]) == ("EVENT", "bpms_instance_change")
    told = push.data
    assert (told["processInstanceId"], told["processCode"], told["staffId"]) == (begun, "PROC-1", "user1")
    assert (told["type"], told["result"], told["finishTime"] - told["createTime"]) == ("finish", result, 3_600_000)
    assert "formComponentValues" not in told
    after = read(begun)["result"]
    assert (after["status"], after["result"], after["finishTime"]) == (status, result, "2026-11-23T11:00Z")


def test_one_that_is_taken_back_and_one_that_is_deleted(
    ding: SimulatedDingTalk, begun: str, read: Callable[..., Any]
) -> None:
    told = ding.approvals.terminate(begun).data
    assert (told["type"], "result" in told) == ("terminate", False)
    assert read(begun)["result"]["status"] == "TERMINATED"
    assert ding.approvals.delete(begun).data["type"] == "delete"
    assert read(begun)["code"] == "processInstanceNotExist"
    assert read("")["code"] == "processInstanceIdError"


def test_a_list_by_form_time_and_status(
    ding: SimulatedDingTalk, begun: str, new: Callable[..., Any], clock: FakeClock, later: Callable[[float], None]
) -> None:
    start = int(clock.now().timestamp() * 1000)
    others = [ding.approvals.start("PROC-1", "user2", {}) for _ in range(4)]
    for one in others[:3]:
        ding.approvals.finish(one)
    later(3600)
    ding.approvals.finish(ding.approvals.start("PROC-1", "user2", {}))
    ask = {"processCode": "PROC-1", "startTime": start, "endTime": start, "maxResults": 2}
    status, page = new(IDS, **ask, nextToken=0, statuses=["COMPLETED"])
    assert (status, page["result"]) == (200, {"list": others[:2], "nextToken": "2"})
    assert new(IDS, **ask, nextToken=2, statuses=["COMPLETED"])[1]["result"] == {"list": others[2:3]}
    everything = new(IDS, processCode="PROC-1", startTime=start, maxResults=20, nextToken=0)[1]["result"]["list"]
    assert (len(everything), everything[0]) == (6, begun)
    assert new(IDS, **{**ask, "processCode": "PROC-2"}, nextToken=0)[1]["result"] == {"list": []}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"processCode": ""}, "invalidProcessCode"),
        ({"startTime": None}, "invalidInstanceListIdsStartTime"),
        ({"startTime": -366}, "invalidInstanceListIdsStartTime"),
        ({"startTime": -121}, "invalidEndTime"),
        ({"startTime": 1}, "invalidEndTime"),
        ({"endTime": "x"}, "invalidEndTime"),
        ({"nextToken": None}, "invalidNextToken"),
        ({"maxResults": 21}, "invalidMaxResults"),
        ({"maxResults": None}, "invalidMaxResults"),
    ],
)
def test_what_a_list_does_not_take(
    new: Callable[..., Any], clock: FakeClock, change: dict[str, Any], code: str
) -> None:
    now = int(clock.now().timestamp() * 1000)
    ask = {"processCode": "P", "startTime": now, "endTime": now, "nextToken": 0, "maxResults": 20, **change}
    if isinstance(change.get("startTime"), int):
        ask["startTime"] = now + change["startTime"] * DAY
    status, answer = new(IDS, **ask)
    assert (status, answer["code"]) == (400, code)


def test_a_comment(ding: SimulatedDingTalk, begun: str, new: Callable[..., Any], read: Callable[..., Any]) -> None:
    said = {"processInstanceId": begun, "text": "已入账", "commentUserId": "user1"}
    assert new(f"{BASE}/comments", **said) == (200, {"result": True, "success": True})
    (comment,) = ding.approvals.comments(begun)
    assert (comment.userid, comment.text) == ("user1", "已入账")
    assert read(begun)["result"]["operationRecords"][-1]["remark"] == "已入账"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"processInstanceId": ""}, "invalidInstanceId"),
        ({"processInstanceId": "x"}, "aflowProcessInstNotExist"),
        ({"text": ""}, "invalidInstanceCommentText"),
        ({"text": "x" * 1025}, "invalidParameter"),
        ({"commentUserId": None}, "invalidInstanceCommentUserId"),
        ({"commentUserId": "nobody"}, "userNotExist"),
    ],
)
def test_what_a_comment_does_not_take(
    ding: SimulatedDingTalk, begun: str, new: Callable[..., Any], change: dict[str, Any], code: str
) -> None:
    said = {"processInstanceId": begun, "text": "x", "commentUserId": "user1", **change}
    status, answer = new(f"{BASE}/comments", **said)
    assert (status, answer["code"]) == (400, code)
    assert ding.approvals.comments(begun) == []


def file_of(answer: Any) -> str:
    return str(orjson.loads(values_of(answer)["附件"]["value"])[0]["fileId"])


def test_a_file_is_got_at_an_address_of_its_own(
    ding: SimulatedDingTalk, begun: str, new: Callable[..., Any], read: Callable[..., Any], session: requests.Session
) -> None:
    status, answer = new(LINKS, processInstanceId=begun, fileId=file_of(read(begun)))
    address = answer["result"]["downloadUri"]
    assert (status, session.get(address, timeout=5).content) == (200, b"%PDF")
    assert address.startswith(f"{ding.url}/approval-files?")
    query = dict(parse_qsl(urlsplit(address).query))
    assert query["Signature"].endswith("+=")
    assert ding.metered_calls == 2


def test_a_picture_is_got_by_anybody_at_the_address_in_the_form(
    ding: SimulatedDingTalk, begun: str, read: Callable[..., Any], session: requests.Session
) -> None:
    (address,) = orjson.loads(values_of(read(begun))["照片"]["value"])
    assert address.endswith(".jpg")
    assert (session.get(address, timeout=5).content, ding.metered_calls) == (b"jpg", 1)
    assert session.get(f"{address}x", timeout=5).status_code == 404


def test_an_approval_may_be_about_another(ding: SimulatedDingTalk, begun: str, read: Callable[..., Any]) -> None:
    other = ding.approvals.start("PROC-1", "user1", VALUES, about=("REVOKE", begun))
    told = [read(one)["result"] for one in (begun, other)]
    assert [(one["bizAction"], one["mainProcessInstanceId"]) for one in told] == [("NONE", None), ("REVOKE", begun)]


@pytest.mark.parametrize(
    ("headers", "seconds", "signature"),
    [({"Content-Type": "application/json"}, 0, ""), ({}, 901, ""), ({}, 0, "x"), ({"x-a": "b"}, 901, "x")],
)
def test_an_address_is_good_for_a_while_and_for_what_it_was_signed_for(
    begun: str,
    new: Callable[..., Any],
    read: Callable[..., Any],
    session: requests.Session,
    clock: FakeClock,
    headers: dict[str, str],
    seconds: int,
    signature: str,
) -> None:
    _, answer = new(LINKS, processInstanceId=begun, fileId=file_of(read(begun)))
    clock.advance(seconds)
    address = answer["result"]["downloadUri"].replace("Signature=", f"Signature={signature}")
    assert session.get(address, headers=headers, timeout=5).status_code == 403


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"processInstanceId": None}, "invalidProcessInstanceId"),
        ({"processInstanceId": "x"}, "processInstNotExist"),
        ({"fileId": None}, "invalidFileId"),
        ({"fileId": "1"}, "invalidParameter"),
    ],
)
def test_files_that_are_not_there(begun: str, new: Callable[..., Any], change: dict[str, Any], code: str) -> None:
    status, answer = new(LINKS, **{"processInstanceId": begun, "fileId": "1", **change})
    assert (status, answer["code"]) == (400, code)


def test_a_file_without_content_has_no_address(
    ding: SimulatedDingTalk, begun: str, new: Callable[..., Any], read: Callable[..., Any]
) -> None:
    other = ding.approvals.start("PROC-1", "user1", {"附件": {"empty.txt": b""}})
    status, answer = new(LINKS, processInstanceId=other, fileId=file_of(read(other)))
    assert (status, "PresignedUrl" in answer["code"]) == (400, True)
    assert begun != other


def test_an_app_without_the_permission_reads_nothing(
    ding: SimulatedDingTalk, begun: str, read: Callable[..., Any]
) -> None:
    ding.revoke("Workflow.Instance.Read")
    assert read(begun)["code"] == "Forbidden.AccessDenied.AccessTokenPermissionDenied"
