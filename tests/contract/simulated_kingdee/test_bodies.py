"""The encodings of a request, and what stands before the services: paths, the request filter."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.kingdee_bodies import suspicious

FORM = "AP_PAYBILL"
DATA = {"FormId": FORM, "FieldKeys": "FBillNo", "FilterString": "FREMARK='甲'"}
AREA = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService."
Refusal = Callable[[Any], dict[str, Any]]


@pytest.fixture
def bill(erp: SimulatedKingdee) -> str:
    erp.create(FORM, "P1", FREMARK="甲")
    return "P1"


@pytest.mark.parametrize(
    "body",
    [
        {"data": DATA},
        {"data": json.dumps(DATA)},
        {"parameters": [json.dumps(DATA)]},
        {"parameters": [DATA]},
        {
            "format": 1,
            "useragent": "ApiClient",
            "rid": 1,
            "parameters": json.dumps([json.dumps(DATA)]),
            "timestamp": "2026-11-23 09:00:00",
            "v": "1.0",
        },
    ],
)
def test_the_encodings_of_a_query(caller: Any, bill: str, body: Any) -> None:
    assert caller.post("ExecuteBillQuery", body).json() == [[bill]]


@pytest.mark.parametrize(
    "body",
    [
        {"formid": FORM, "data": {"Number": "P1"}},
        {"formid": FORM, "data": '{"Number": "P1"}'},
        {"parameters": [FORM, '{"Number": "P1"}']},
        {"format": 1, "parameters": json.dumps([FORM, '{"Number": "P1"}'])},
    ],
)
def test_the_encodings_of_a_form_service(caller: Any, bill: str, body: Any) -> None:
    assert caller.post("View", body).json()["Result"]["Result"]["BillNo"] == bill


def test_a_body_may_be_url_encoded(erp: SimulatedKingdee, caller: Any, bill: str) -> None:
    answer = caller.http.post(f"{erp.url}{AREA}ExecuteBillQuery.common.kdsvc", data={"data": json.dumps(DATA)})
    assert answer.json() == [[bill]]


def test_the_arguments_of_a_login_may_be_positional(erp: SimulatedKingdee, stranger: Any) -> None:
    ours = erp.credentials
    body = {"parameters": [ours.acct_id, ours.username, ours.password, 2052]}
    assert stranger.post("ValidateUser", body).json()["LoginResultType"] == 1


def test_a_body_that_is_encoded_twice_breaks_the_proxy(caller: Any) -> None:
    assert caller.post("ExecuteBillQuery", json.dumps({"data": DATA})).status_code == 502


@pytest.mark.parametrize(
    "body",
    [
        {"data": json.dumps(json.dumps(DATA))},
        {"data": "{"},
        {"data": [1]},
        [],
        {"parameters": [FORM, "{}", "too", "many"]},
        {"parameters": 7},
        {"format": 1, "parameters": json.dumps([json.dumps(DATA, ensure_ascii=False)], ensure_ascii=False)},
    ],
)
def test_a_body_that_cannot_be_read_is_a_parameter_error(caller: Any, refusal: Refusal, body: Any) -> None:
    assert refusal(caller.post("ExecuteBillQuery", body).json())["code"] == 8


def test_the_path_is_known_in_any_case(erp: SimulatedKingdee, caller: Any, bill: str) -> None:
    url = erp.url.replace("K3Cloud", "k3cloud") + f"{AREA}ExecuteBillQuery.common.kdsvc"
    assert caller.http.post(url, json={"data": DATA}).json() == [[bill]]


def test_a_path_that_is_no_service(erp: SimulatedKingdee, caller: Any) -> None:
    assert caller.http.post(f"{erp.url}nothing").status_code == 404
    assert caller.http.post(f"{erp.url}{AREA}StatusConvert.common.kdsvc").text.startswith("response_error:")


def test_the_request_filter_answers_in_the_shape_of_rows(caller: Any) -> None:
    answer = caller.query(FORM, "FID", "FREMARK <> '<b>'")
    assert answer == [
        {
            "actionname": "showConfirm",
            "params": [
                {"msg": "请求参数存在可疑数据,当前请求已经被拦截规则[caller_in_less_Point_Bracket]阻止!"},
            ],
        }
    ]


@pytest.mark.parametrize(
    ("text", "stopped"),
    [
        ("FID <> 5 and (FID > 3)", False),
        ("FID <= 5 and (FID > 3)", False),
        ("(FID > 3) and FQty < 5", False),
        ("FQty < FSafeStock", False),
        ("FID < 5 and (FID > 3)", True),
        ("FQty <FSafeStock", True),
        ("<script>", True),
        ("</b>", True),
        ("a < b.c (d)", True),
    ],
)
def test_what_the_request_filter_stops(text: str, stopped: bool) -> None:
    assert suspicious({"data": {"Model": {"FEntity": [{"FRemark": text}]}}}) is stopped
