"""Bodies as Kingdee and what stands before it send them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kdsync.errors import EdgeError, FailureKind, UnknownFieldError
from kdsync.exact import loads
from kdsync.kingdee.answer import read_answer

LOST = {
    "Result": {
        "ResponseStatus": {
            "ErrorCode": 500,
            "IsSuccess": False,
            "Errors": [{"FieldName": None, "Message": "会话信息已丢失，请重新登录", "DIndex": 0}],
            "SuccessEntitys": [],
            "SuccessMessages": [],
            "MsgCode": 1,
        }
    }
}
TOP_LEVEL = {"ResponseStatus": LOST["Result"]["ResponseStatus"]}


def status(text: str, msgcode: Any = 0, **more: Any) -> dict[str, Any]:
    return {
        "Result": {
            "ResponseStatus": {
                "IsSuccess": False,
                "Errors": [{"Message": text}],
                "MsgCode": msgcode,
                **more,
            }
        }
    }


def fail(body: Any, http: int = 200, *, read: bool = True) -> EdgeError:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    with pytest.raises(EdgeError) as caught:
        read_answer(http, raw, read=read)
    return caught.value


@pytest.mark.parametrize("body", [LOST, [LOST], [[LOST]], [[[LOST]]], TOP_LEVEL, [[TOP_LEVEL]]])
def test_a_lost_session_in_all_its_wrappings(body: Any) -> None:
    assert fail(body).kind is FailureKind.SESSION_LOST


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [[1, "P1", "A"]],
        [[1, None, {"x": 1}]],
        [{"FID": 1, "FBillNo": "P1"}],
        True,
        5,
        None,
        {},
        {"Result": {"ResponseStatus": {"IsSuccess": True, "Errors": [], "MsgCode": 0}, "Id": 7}},
        {"Result": {"ResponseStatus": {"IsSuccess": "true", "Errors": []}}},
        {"Result": {"ResponseStatus": "", "OperationResults": "{}"}},
        {"Result": {"IsSuccess": True, "RowCount": 0, "Rows": []}},
        {"errcode": 0},
    ],
)
def test_what_is_no_error_comes_through_unchanged(rows: Any) -> None:
    assert read_answer(200, json.dumps(rows).encode(), read=True) == rows
    assert read_answer(206, b"\xef\xbb\xbf " + json.dumps(rows).encode(), read=True) == rows


def test_a_batch_that_succeeded_in_part_is_no_error() -> None:
    body = status("one of them failed", SuccessEntitys=[{"Id": 1, "Number": "P1", "DIndex": 0}])
    assert read_answer(200, json.dumps(body).encode(), read=False) == body


def test_success_may_be_written_as_text() -> None:
    assert fail(status("no", 11, IsSuccess="False")).code == "11"


def test_success_may_be_missing() -> None:
    assert fail({"Result": {"ResponseStatus": {"Errors": [{"Message": "no"}], "MsgCode": "11"}}}).code == "11"
    assert read_answer(200, b'{"Result":{"ResponseStatus":{"Errors":[]}}}', read=True)


def test_a_report_that_failed_without_a_status() -> None:
    assert fail({"Result": {"IsSuccess": False, "Message": "没有查看权限"}}).code == "permission"
    assert fail({"Result": {"IsSuccess": False}}).code == "shape"


def test_an_unknown_field_is_named() -> None:
    error = fail([[status("元数据中标识为FNope的字段不存在", 9)]])
    assert isinstance(error, UnknownFieldError)
    assert (error.field, error.kind, error.code) == ("FNope", FailureKind.REFUSED, "9")


def test_an_unknown_field_in_quotes_is_named_without_them() -> None:
    error = fail(status("元数据中标识为“F_ABC_x”的字段不存在", 9))
    assert isinstance(error, UnknownFieldError)
    assert error.field == "F_ABC_x"


def test_the_request_filter_looks_like_rows() -> None:
    body = [{"actionname": "showConfirm", "params": [{"msg": "请求参数存在可疑数据,当前请求已经被拦截规则阻止!"}]}]
    error = fail(body)
    assert (error.kind, error.code) == (FailureKind.REFUSED, "request-filter")
    assert error.words == "showConfirm: 请求参数存在可疑数据,当前请求已经被拦截规则阻止!"


@pytest.mark.parametrize("params", [None, [], "x", [None], [{"msg": None}], [{"text": "x"}], {"msg": "x"}])
def test_a_dialogue_without_words_is_quoted_as_it_is(params: Any) -> None:
    body = {"actionname": "showConfirm", "params": params}
    error = fail([body])
    assert (error.code, error.words) == ("request-filter", json.dumps(body))


@pytest.mark.parametrize(
    ("body", "code", "kind"),
    [
        ("401 Forbidden ByRspRetStatusCode -- N001: Unexpectable request.", "N001", FailureKind.SESSION_LOST),
        ("403 Forbidden ByRspRetStatusCode -- N001: Unexpectable request.", "N001", FailureKind.SESSION_LOST),
        ("response_error: 未将对象引用设置到对象的实例。", "null-reference", FailureKind.TRANSIENT),
        ("response_error: something", "response-error", FailureKind.TRANSIENT),
        ("Fail to verify thirty passport", "third-party", FailureKind.CONFIGURATION),
        ("The request is not from API GateWay", "forced-gateway", FailureKind.CONFIGURATION),
        ("what is this", "not-json", FailureKind.TRANSIENT),
        ("", "empty", FailureKind.TRANSIENT),
        ("  \r\n", "empty", FailureKind.TRANSIENT),
        ("<!DOCTYPE html><html>已审核</html>", "html", FailureKind.TRANSIENT),
        ('[[1,"P1"],[2,"P', "not-json", FailureKind.TRANSIENT),
    ],
)
def test_plain_text_with_http_200(body: str, code: str, kind: FailureKind) -> None:
    error = fail(body.encode())
    assert (error.code, error.kind) == (code, kind)


@pytest.mark.parametrize(
    ("text", "code", "kind"),
    [
        ("response_error: something", "response-error", FailureKind.TRANSIENT),
        ("403 Forbidden ByRspRetStatusCode -- N001: Unexpectable request.", "N001", FailureKind.SESSION_LOST),
        ("what is this", "shape", FailureKind.REFUSED),
    ],
)
def test_a_text_in_quotes_is_what_it_is_without_them(text: str, code: str, kind: FailureKind) -> None:
    error = fail(text)
    assert (error.code, error.kind) == (code, kind)
    assert text in error.message


def test_what_a_server_says_of_its_own_failure_is_quoted() -> None:
    assert "An error has occurred" in fail({"Message": "An error has occurred."}, 500).message


@pytest.mark.parametrize(
    ("http", "body", "code", "kind"),
    [
        (500, b"Internal Server Error", "http-500", FailureKind.TRANSIENT),
        (502, b"<html>Bad Gateway</html>", "http-502", FailureKind.TRANSIENT),
        (404, b"<html>", "http-404", FailureKind.CONFIGURATION),
        (302, b"", "http-302", FailureKind.CONFIGURATION),
        (407, b"", "http-407", FailureKind.CONFIGURATION),
        (429, b"", "http-429", FailureKind.RATE_LIMITED),
        (413, b"", "http-413", FailureKind.REFUSED),
        (500, b"[[1]]", "http-500", FailureKind.TRANSIENT),
        (500, b"Fail to verify thirty passport", "third-party", FailureKind.CONFIGURATION),
        (500, b'"Fail to verify thirty passport"', "third-party", FailureKind.CONFIGURATION),
        (500, b'{"Message":"Fail to RestoreSessionByApi"}', "user", FailureKind.CONFIGURATION),
        (500, b'{"Message":["x"]}', "http-500", FailureKind.TRANSIENT),
        (519, b'{"errcode":4002,"description":"APP_ID empty"}', "gateway-4002", FailureKind.CONFIGURATION),
        (519, b'{"errcode":4006,"description_cn":"x"}', "gateway-4006", FailureKind.TRANSIENT),
        (519, b'{"errcode":5001}', "gateway-5001", FailureKind.CONFIGURATION),
        (519, b'{"errcode":7777}', "unmapped-gateway-7777", FailureKind.TRANSIENT),
        (418, b"teapot", "not-json", FailureKind.TRANSIENT),
    ],
)
def test_http_says_no(http: int, body: bytes, code: str, kind: FailureKind) -> None:
    error = fail(body, http)
    assert (error.code, error.kind) == (code, kind)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"Result":', b"response_error: x", b"[1]"])
def test_a_write_that_is_answered_with_nonsense_may_have_been_done(body: bytes) -> None:
    assert fail(body, 502, read=False).kind is FailureKind.UNKNOWN_OUTCOME


def test_the_pause_that_the_server_asks_for() -> None:
    with pytest.raises(EdgeError) as caught:
        read_answer(429, b"", read=True, retry_after=7.0)
    assert caught.value.retry_after == 7.0
    assert fail(status("too many", 14)).retry_after == 60.0


def test_amounts_stay_exact() -> None:
    assert loads(b"[[24.95,73.517061,1.0,7]]") == [[24.95, 73.517061, 1.0, 7]]
    exact = loads(b"[[1234567890123.4567, 0.1, 12345678901234567890123]]")
    assert exact == [[Decimal("1234567890123.4567"), Decimal("0.1"), 12345678901234567890123]]


@pytest.mark.parametrize("number", ["1234567890123456.5", "-99999999999999.99", "0.12345678901234567"])
def test_no_digit_of_a_long_number_is_lost(number: str) -> None:
    assert loads(f"[[ {number}]]".encode()) == [[Decimal(number)]]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**14), max_value=10**14))
def test_an_amount_comes_back_as_it_was_sent(amount: Decimal) -> None:
    value = loads(f'{{"a":{amount:f}}}'.encode())["a"]
    assert Decimal(repr(value) if isinstance(value, float) else value) == amount


def test_half_a_character_does_not_reach_the_database() -> None:
    value = loads(rb'[["cut \ud83d", "\ude00 cut", "whole \ud83d\ude00"]]')
    assert value == [["cut \ufffd", "\ufffd cut", "whole \U0001f600"]]
    json.dumps(value, ensure_ascii=False).encode()


@given(st.binary(), st.sampled_from([200, 206, 302, 404, 500, 519]), st.booleans())
@example(b"[" * 100_000, 200, True)
@example(b"[1234567890123456.5" + b"[" * 100_000, 200, True)
@example(b"[1e99999999999999999999, 1234567890123456.5]", 200, True)
@example(b"[" + b"9" * 5000 + b"]", 200, True)
@example(b'"\\ud800"', 200, True)
@example(b"\xff\xfe[", 200, False)
@example(b"NaN", 200, False)
def test_no_bytes_raise_anything_but_an_edge_error(body: bytes, http: int, read: bool) -> None:
    try:
        read_answer(http, body, read=read)
    except EdgeError as error:
        assert error.code and len(error.message) < 500  # noqa: PT017, PT018  # most bytes are errors, some are JSON


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Result",
                    "ResponseStatus",
                    "IsSuccess",
                    "Errors",
                    "Message",
                    "MsgCode",
                    "SuccessEntitys",
                    "errcode",
                    "actionname",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_json_raises_anything_but_an_edge_error(value: Any) -> None:
    try:
        assert read_answer(200, json.dumps(value).encode(), read=True) == value
    except EdgeError as error:
        assert error.code  # noqa: PT017  # as above
