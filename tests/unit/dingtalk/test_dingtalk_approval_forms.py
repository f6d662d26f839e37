"""Forms of approvals as DingTalk tells of them, and whatever else may come."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import responses

from kdsync.dingtalk.approval_forms import FormField, form_of
from kdsync.dingtalk.client import DingTalkClient
from kdsync.errors import EdgeError, FailureKind

URL = "https://api.dingtalk.com/v1.0/workflow/forms/schemas/processCodes"


def item(kind: str, label: Any, **more: Any) -> dict[str, Any]:
    return {"componentName": kind, "props": {"id": "1", "label": label, "required": True}, **more}


ITEMS: list[Any] = [
    item("TextField", " 事由 "),
    item("DDDateRangeField", ["开始时间", "结束时间"]),
    item("DDDateRangeField", '["从","到"]'),
    item("TableField", "明细", children=[item("MoneyField", "金额"), item("DDAttachment", "票据")]),
    {"componentName": "FieldGroup", "props": {}, "children": [item("DDPhotoField", "照片")]},
    item("TextNote", None),
    {"componentName": "ColumnLayout", "children": None},
    7,
]


@pytest.mark.parametrize("told", [{"items": ITEMS}, orjson.dumps({"items": ITEMS}).decode()])
def test_fields_stand_there_by_their_labels(
    client: DingTalkClient, dingtalk: responses.RequestsMock, told: Any
) -> None:
    dingtalk.get(URL, json={"result": {"name": "报销", "schemaContent": told}})
    ends = ('["开始时间","结束时间"]', "开始时间", "结束时间", '["从","到"]', "从", "到")
    form = form_of(client, "PROC-1")
    assert form.whole
    assert form.fields == {
        "事由": FormField("TextField"),
        **dict.fromkeys(ends, FormField("DDDateRangeField")),
        "明细": FormField("TableField", {"金额": "MoneyField", "票据": "DDAttachment"}),
        "照片": FormField("DDPhotoField"),
    }
    assert "processCode=PROC-1" in str(dingtalk.calls[-1].request.url)


def test_a_form_with_a_suite_has_more_fields_than_are_told(
    client: DingTalkClient, dingtalk: responses.RequestsMock
) -> None:
    suite = {"componentName": "DDBizSuite", "props": {"bizType": "trip"}, "children": [item("TextField", "城市")]}
    dingtalk.get(URL, json={"result": {"schemaContent": {"items": [suite]}}})
    form = form_of(client, "PROC-1")
    assert (form.whole, form.fields) == (False, {"城市": FormField("TextField")})


@pytest.mark.parametrize("told", [None, {}, "{", "[]", {"items": {}}, 7])
def test_what_is_no_form_is_an_error(client: DingTalkClient, dingtalk: responses.RequestsMock, told: Any) -> None:
    dingtalk.get(URL, json={"result": {"schemaContent": told}})
    with pytest.raises(EdgeError) as caught:
        form_of(client, "PROC-1")
    assert caught.value.code == "malformed"


@pytest.mark.parametrize("code", ["formNotExist", "aflowProcessCodeIsError"])
def test_a_process_that_there_is_not(client: DingTalkClient, dingtalk: responses.RequestsMock, code: str) -> None:
    dingtalk.get(URL, json={"code": code, "requestid": "r", "message": "审批表单模板不存在"}, status=400)
    with pytest.raises(EdgeError, match="no such process") as caught:
        form_of(client, "PROC-1")
    assert caught.value.kind is FailureKind.REFUSED
