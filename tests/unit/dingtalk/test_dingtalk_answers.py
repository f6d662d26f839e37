"""Reading whatever comes back."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kdsync.dingtalk.answers import Answer, Listed, Shape, read, shaped
from kdsync.errors import EdgeError, FailureKind

AT = datetime(2026, 11, 23, 4, 0, 20, tzinfo=UTC)
API = "topapi/v2/user/get"
HTML = b"<!DOCTYPE html><html>blocked</html>"
MISSING = (
    b'{"code":"Forbidden.AccessDenied.AccessTokenPermissionDenied","requestid":"r","message":"no permission",'
    b'"accessdenieddetail":{"requiredScopes":["Contact.User.Read"]}}'
)


def refusal(status: int, body: bytes, *, old: bool = True, writes: bool = False, api: str = API) -> EdgeError:
    with pytest.raises(EdgeError) as caught:
        read(Answer(status, body), api, old=old, writes=writes, now=AT)
    return caught.value


@pytest.mark.parametrize("body", [b'{"errcode":0,"task_id":1}', b'{"errcode":"0","task_id":1}'])
def test_errcode_zero_is_agreement(body: bytes) -> None:
    assert read(Answer(200, body), API, old=True, writes=False, now=AT)["task_id"] == 1


def test_the_new_host_agrees_by_its_status() -> None:
    assert read(Answer(200, b'{"accessToken":"t"}'), API, old=False, writes=False, now=AT) == {"accessToken": "t"}


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b'{"errcode":40014,"errmsg":"x"}', "40014"),
        (200, b'{"errcode":"90018"}', "90018"),
        (200, b'{"errcode":88,"sub_code":"60011","sub_msg":"x"}', "88/60011"),
        (200, b'{"errcode":88,"sub_code":"","sub_msg":""}', "88"),
        (200, b'{"errcode":88}', "88"),
        (200, b'{"errcode":15,"sub_code":"isp.top-remote-connection-timeout"}', "15/isp.top-remote-connection-timeout"),
        (200, b'{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"u"}', "status 1111"),
        (200, HTML, "html"),
        (403, HTML, "html"),
        (405, HTML, "html"),
        (504, HTML, "http 504"),
        (502, b"", "http 502"),
        (400, b"<html>The plain HTTP request was sent to HTTPS port</html>", "http 400"),
        (302, b"", "http 302"),
        (500, b'{"errcode":0}', "http 500"),
        (401, b'{"code":"authFailed","message":"x"}', "authFailed"),
        (401, b"{}", "http 401"),
        (504, b'{"code":"GatewayTimeout","message":"x"}', "http 504 GatewayTimeout"),
        (503, b'{"code":"service.system.busy","message":"x"}', "service.system.busy"),
        (400, b'{"code":"InvalidAuthentication","message":"x"}', "InvalidAuthentication"),
        (403, MISSING, "Forbidden.AccessDenied.AccessTokenPermissionDenied"),
        (200, b"", "malformed"),
        (200, b"[]", "malformed"),
        (200, b"{}", "malformed"),
        (200, b'{"errcode":null}', "malformed"),
        (200, b'{"errcode":true}', "malformed"),
        (200, b'{"errcode":0,"task_', "malformed"),
    ],
)
def test_every_refusal_has_a_code(status: int, body: bytes, code: str) -> None:
    assert refusal(status, body).code == code


def test_errcode_in_http_200_is_no_success() -> None:
    assert refusal(200, b'{"errcode":90020,"errmsg":"quota"}').kind is FailureKind.QUOTA


def test_a_missing_permission_is_named() -> None:
    assert "required: Contact.User.Read" in refusal(403, MISSING, old=False).message
    body = orjson.dumps({"errcode": 88, "sub_code": "60011", "sub_msg": "apply at https://open-dev.dingtalk.com/x"})
    assert "apply at https://open-dev.dingtalk.com/x" in refusal(200, body).message


def test_a_page_cut_in_the_middle_of_a_send_leaves_the_outcome_unknown() -> None:
    assert refusal(200, b'{"errcode":0,"tas', writes=True).kind is FailureKind.UNKNOWN_OUTCOME


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("keywords not in content, more: [https://x]", "310000 keyword"),
        ("错误描述:关键词不匹配;解决方案:请联系群管理员查看此机器人的关键词", "310000 keyword"),
        ("invalid timestamp", "310000 timestamp"),
        ("description:机器人发送签名过期;solution:签名生成时间和发送时间请保持在timestampms以内", "310000 timestamp"),
        ("sign not match", "310000 sign"),
        ("description:机器人发送签名不匹配;solution:请确认签名和生成签名的时间戳必须都放在调用的网址中", "310000 sign"),
        ("ip 10.1.2.3 not in whitelist", "310000 address"),
        ("something new", "310000"),
    ],
)
def test_a_failed_security_check_tells_which_one(said: str, code: str) -> None:
    error = refusal(200, orjson.dumps({"errcode": 310000, "errmsg": said}), api="robot/send", writes=True)
    assert (error.code, error.kind) == (code, FailureKind.CONFIGURATION)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
names = st.sampled_from(["errcode", "sub_code", "errmsg", "sub_msg", "code", "status", "accessdenieddetail"])
bodies = st.binary() | json | st.dictionaries(names, json)


def encoded(value: object) -> bytes:
    try:
        return value if isinstance(value, bytes) else orjson.dumps(value)
    except TypeError:  # text or a number that has no JSON
        return b"{}"


@given(st.integers(100, 599), bodies.map(encoded), st.booleans(), st.booleans())
@example(200, b'{"errcode":0}', True, True)
@example(403, b'{"code":1,"accessdenieddetail":{"requiredScopes":3}}', False, True)
def test_any_bytes_are_a_payload_or_an_edge_error(status: int, body: bytes, old: bool, writes: bool) -> None:
    with suppress(EdgeError):
        assert isinstance(read(Answer(status, body), API, old=old, writes=writes, now=AT), dict)


class Sample(Shape):
    ident: str
    leader: bool = False
    departments: Annotated[tuple[int, ...], Listed] = ()


@pytest.mark.parametrize(
    ("data", "read_as"),
    [
        ({"ident": "a", "leader": "true", "departments": "[1,2]"}, Sample(ident="a", leader=True, departments=(1, 2))),
        ({"ident": 7, "leader": None, "departments": "1,2"}, Sample(ident="7", departments=(1, 2))),
        ({"ident": "a", "departments": None, "more": {}}, Sample(ident="a")),
        ({"ident": "a", "departments": ""}, Sample(ident="a")),
    ],
)
def test_values_written_as_text_are_read_as_what_they_are(data: object, read_as: Sample) -> None:
    assert shaped(Sample, data, API, now=AT) == read_as


@pytest.mark.parametrize("data", [None, [], "x", {}, {"ident": []}, {"ident": "a", "departments": "[1,"}])
def test_a_payload_of_another_shape_is_malformed(data: object) -> None:
    with pytest.raises(EdgeError, match="malformed"):
        shaped(Sample, data, API, now=AT)


@given(json)
def test_any_payload_has_the_shape_or_is_malformed(data: object) -> None:
    with suppress(EdgeError):
        shaped(Sample, data, API, now=AT)
