"""Attachments of a simulated Kingdee: in pieces, with the traps that integrators fell into."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from kdsync.simulator.kingdee import SimulatedKingdee

FORM = "ER_ExpReimbursement"
Refusal = Callable[[Any], dict[str, Any]]


def piece(erp: SimulatedKingdee, content: bytes = b"x", **more: Any) -> dict[str, Any]:
    ids = [str(document["FID"]) for document in erp.documents(FORM)] or [str(erp.create(FORM, "E1"))]
    told = {"FileName": "发票.pdf", "FormId": FORM, "InterId": ids[0], "BillNO": "E1", "IsLast": True}
    return {**told, "SendByte": base64.b64encode(content).decode(), **more}


def send(caller: Any, data: dict[str, Any], service: str = "AttachmentUpLoad") -> Any:
    return caller.post(service, {"data": data}).json()


def listed(caller: Any) -> Any:
    return caller.query("BOS_Attachment", "FID,FInterID,FATTACHMENTNAME,FBillNo,FBillType,FEntryKey,FEntryInterID")


def only(erp: SimulatedKingdee) -> dict[str, bytes]:
    (document,) = erp.documents(FORM)
    return erp.attachments(FORM, document["FID"])


@pytest.mark.parametrize("service", ["AttachmentUpLoad", "AttachmentUpload"])
def test_a_file_in_one_piece(erp: SimulatedKingdee, caller: Any, service: str) -> None:
    result = send(caller, piece(erp, b"%PDF\x00"), service)["Result"]
    assert result["ResponseStatus"]["IsSuccess"] is True
    assert len(result["ResponseStatus"]["SuccessEntitys"]) == 1
    assert only(erp) == {"发票.pdf": b"%PDF\x00"}
    ((_, inter_id, *others),) = listed(caller)
    assert inter_id == str(erp.documents(FORM)[0]["FID"])
    assert others == ["发票.pdf", "E1", FORM, " ", "-1"]


def test_a_file_in_three_pieces_is_there_with_the_last(erp: SimulatedKingdee, caller: Any) -> None:
    file_id = send(caller, piece(erp, b"one", IsLast=False))["Result"]["FileId"]
    send(caller, piece(erp, b"two", IsLast=False, FileId=file_id))
    assert (only(erp), listed(caller)) == ({}, [])
    send(caller, piece(erp, b"three", FileId=file_id))
    assert only(erp) == {"发票.pdf": b"onetwothree"}


def test_without_is_last_the_answer_is_yes_and_nothing_is_kept(erp: SimulatedKingdee, caller: Any) -> None:
    data = piece(erp)
    del data["IsLast"]
    assert send(caller, data)["Result"]["ResponseStatus"]["IsSuccess"] is True
    assert (only(erp), listed(caller)) == ({}, [])


def test_what_is_there_can_be_read_back_in_pieces(erp: SimulatedKingdee, caller: Any) -> None:
    content = bytes(range(256)) * 5000
    file_id = send(caller, piece(erp, content))["Result"]["FileId"]
    read, start, last = b"", 0, False
    while not last:
        part = caller.post("AttachmentDownLoad", {"data": {"FileId": file_id, "StartIndex": start}}).json()["Result"]
        read, start, last = read + base64.b64decode(part["FilePart"]), part["StartIndex"], part["IsLast"]
        assert (part["FileName"], part["FileSize"]) == ("发票.pdf", len(content))
    assert read == content


@pytest.mark.parametrize("key", ["FileName", "FormId", "InterId", "BillNO", "SendByte"])
def test_a_parameter_that_is_missing_is_named(erp: SimulatedKingdee, caller: Any, refusal: Refusal, key: str) -> None:
    data = piece(erp)
    del data[key]
    assert key in refusal(send(caller, data))["texts"][0]


@pytest.mark.parametrize(
    "more",
    [
        {"InterId": "1"},
        {"FileId": "no such file"},
        {"SendByte": "not base64!"},
        {"Entrykey": "FEntity"},
        {"EntryinterId": "7"},
        {"FormId": "X_Nothing"},
    ],
)
def test_what_is_refused_leaves_nothing(
    erp: SimulatedKingdee, caller: Any, refusal: Refusal, more: dict[str, Any]
) -> None:
    refusal(send(caller, piece(erp, **more)))
    assert only(erp) == {}


def test_a_file_of_a_row(erp: SimulatedKingdee, caller: Any) -> None:
    send(caller, piece(erp, Entrykey="FEntity", EntryinterId="100001"))
    assert listed(caller)[0][-2:] == ["FEntity", "100001"]


def test_a_file_nobody_sent(caller: Any, refusal: Refusal) -> None:
    answer = caller.post("AttachmentDownLoad", {"data": {"FileId": "abc", "StartIndex": "x"}}).json()
    assert "不存在" in refusal(answer)["texts"][0]


def test_without_the_right_for_the_form_nothing_hangs_on_it(
    erp: SimulatedKingdee, caller: Any, refusal: Refusal
) -> None:
    data = piece(erp)
    erp.grant(FORM, False)
    assert refusal(send(caller, data))["code"] == 2
    assert only(erp) == {}
