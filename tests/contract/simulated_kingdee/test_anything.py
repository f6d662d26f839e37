"""What no caller in his right mind posts: the simulated Kingdee answers as a real one does, and keeps what it had."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from kdsync.clock import FakeClock
from kdsync.simulator.kingdee import SimulatedKingdee

FORM = "AP_PAYBILL"
ODD: list[tuple[str, dict[str, Any]]] = [
    ("ExecuteBillQuery", {"data": {"FormId": FORM, "FieldKeys": "FID", "FilterString": 1}}),
    ("BillQuery", {"data": {"FormId": FORM, "FieldKeys": "FID", "FilterString": [1]}}),
    ("View", {"formid": FORM, "data": {"Id": "²"}}),
    ("Save", {"formid": FORM, "data": {"Model": {}, "NeedUpDateFields": 1}}),
    ("Save", {"formid": FORM, "data": {"Model": {}, "NeedUpDateFields": [[1]]}}),
    ("Save", {"formid": FORM, "data": {"Model": {"FID": 100001, "FPAYBILLENTRY": 1}}}),
    ("Save", {"formid": FORM, "data": {"Model": {"FID": 100001, "FPAYBILLENTRY": [{"FEntryID": [1]}]}}}),
    ("Save", {"formid": FORM, "data": {"Model": {"FID": 100001, "FPAYORGID": [1]}}}),
    ("Save", {"formid": FORM, "data": {"Model": {"FID": 100001, "FPAYBILLENTRY": [{"FPURPOSEID": [1]}]}}}),
    ("Save", {"formid": FORM, "data": {"Model": {"FID": [1]}}}),
    ("Draft", {"formid": FORM, "data": {"Model": {"FPAYBILLENTRY": [None]}}}),
    ("ExecuteOperation", {"formid": "SEC_User", "opNumber": "Submit", "data": {"Ids": "100001"}}),
    ("WorkflowAudit", {"data": {"FormId": FORM, "Ids": "100001", "UserId": "²", "ApprovalType": 1}}),
    ("AttachmentUpload", {"data": {key: [1] for key in ["FormId", "FileName", "InterId", "BillNO", "SendByte"]}}),
]


@pytest.mark.parametrize(("op", "body"), ODD)
def test_an_odd_request_is_refused_and_changes_nothing(
    erp: SimulatedKingdee, caller: Any, op: str, body: dict[str, Any]
) -> None:
    erp.create(FORM, "P1", entries=[{"FREALPAYAMOUNTFOR_D": 1}])
    before = erp.documents(FORM)
    answer = caller.post(op, body)
    assert answer.status_code == 200
    assert answer.text.startswith("response_error:") or '"IsSuccess":false' in answer.text
    assert erp.documents(FORM) == before


@pytest.mark.parametrize("length", [b"x", b"-5", b"1e3", b"\xb2"])
def test_a_length_that_is_none_is_refused(clock: FakeClock, length: bytes) -> None:
    with SimulatedKingdee(clock) as erp:
        port = int(erp.url.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(b"POST /K3Cloud/ HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
