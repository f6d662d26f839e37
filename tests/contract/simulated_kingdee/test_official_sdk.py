"""The official Python SDK (kingdee.cdp.webapi.sdk) is content with the simulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from k3cloud_webapi_sdk.main import K3CloudApiSdk

from kdsync.clock import SystemClock
from kdsync.simulator.kingdee import SimulatedKingdee

pytestmark = pytest.mark.peer

FORM = "AP_PAYBILL"


@pytest.fixture
def erp(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedKingdee]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with SimulatedKingdee(SystemClock()) as server:
        yield server


def sdk(erp: SimulatedKingdee, **changes: str) -> Any:
    ours = erp.credentials
    config = {
        "acct_id": ours.acct_id,
        "user_name": ours.username,
        "app_id": ours.app_id,
        "app_secret": ours.app_secret,
        **changes,
    }
    client = K3CloudApiSdk(erp.url)
    client.InitConfig(**config, server_url=erp.url)
    return client


def status(text: str) -> Any:
    return json.loads(text)["Result"]["ResponseStatus"]


def test_a_life_of_a_bill(erp: SimulatedKingdee) -> None:
    client = sdk(erp)
    saved = json.loads(client.Save(FORM, {"Model": {"FREMARK": "甲", "FREALPAYAMOUNTFOR": 12.5}}))["Result"]
    number = saved["Number"]
    assert status(client.Submit(FORM, {"Numbers": [number]}))["IsSuccess"] is True
    assert status(client.Audit(FORM, {"Ids": str(saved["Id"])}))["IsSuccess"] is True
    assert status(client.Delete(FORM, {"Numbers": [number]}))["IsSuccess"] is False
    assert status(client.UnAudit(FORM, {"Numbers": [number]}))["IsSuccess"] is True
    viewed = json.loads(client.View(FORM, {"Number": number}))["Result"]["Result"]
    assert (viewed["DocumentStatus"], viewed["REMARK"]) == ("D", "甲")
    assert status(client.Delete(FORM, {"Numbers": [number]}))["IsSuccess"] is True
    assert erp.documents(FORM) == []


def test_a_file_is_hung_on_a_bill_and_read_back(erp: SimulatedKingdee) -> None:
    client, doc_id = sdk(erp), erp.create(FORM, "P1")
    piece = {"FileName": "a.txt", "FormId": FORM, "IsLast": True, "InterId": str(doc_id), "BillNO": "P1"}
    sent = client.AttachmentUpload({**piece, "SendByte": "aGVsbG8="})
    assert status(sent)["IsSuccess"] is True
    read = client.AttachmentDownLoad({"FileId": json.loads(sent)["Result"]["FileId"], "StartIndex": 0})
    assert json.loads(read)["Result"]["FilePart"] == "aGVsbG8="
    assert erp.attachments(FORM, doc_id) == {"a.txt": b"hello"}


def test_an_operation_in_the_sdks_spelling(erp: SimulatedKingdee) -> None:
    doc_id = erp.create(FORM)
    assert status(sdk(erp).ExcuteOperation(FORM, "Cancel", {"Ids": str(doc_id)}))["IsSuccess"] is True
    assert erp.document(FORM, doc_id)["FCancelStatus"] == "B"


def test_queries_page_through_everything(erp: SimulatedKingdee) -> None:
    erp.load(FORM, ({} for _ in range(250)))
    client = sdk(erp)
    found: list[Any] = []
    while True:
        data = {"FormId": FORM, "FieldKeys": "FID", "OrderString": "FID", "StartRow": len(found), "Limit": 100}
        page = json.loads(client.ExecuteBillQuery(data))
        found += page
        if len(page) < 100:
            break
    assert found == [[document["FID"]] for document in erp.documents(FORM)]


def test_bill_query_answers_objects(erp: SimulatedKingdee) -> None:
    erp.create(FORM, "P1")
    assert json.loads(sdk(erp).BillQuery({"FormId": FORM, "FieldKeys": "FBillNo"})) == [{"FBillNo": "P1"}]


def test_one_session_serves_all_calls(erp: SimulatedKingdee) -> None:
    client = sdk(erp)
    for _ in range(3):
        client.BillQuery({"FormId": FORM, "FieldKeys": "FBillNo"})
    assert len(erp.gate.sessions) == 1


def test_an_expired_session_is_renewed_silently(erp: SimulatedKingdee) -> None:
    client = sdk(erp)
    query = {"FormId": FORM, "FieldKeys": "FBillNo"}
    client.ExecuteBillQuery(query)
    erp.forget_sessions()
    assert json.loads(client.ExecuteBillQuery(query)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"app_secret": "00000000000000000000000000000000"},
        {"app_id": "224551_abcdefghijklmnopqrstuvwxyz000000"},
        {"user_name": "nobody"},
    ],
)
def test_wrong_credentials_look_like_a_lost_session(erp: SimulatedKingdee, changes: dict[str, str]) -> None:
    client = sdk(erp, **changes)
    answer = json.loads(client.View(FORM, {"Number": "P1"}))["Result"]["ResponseStatus"]
    assert (answer["IsSuccess"], answer["MsgCode"]) == (False, 1)


def test_another_account_set_is_an_error_of_its_own(erp: SimulatedKingdee) -> None:
    with pytest.raises(RuntimeError, match="Fail to verify thirty passport"):
        sdk(erp, acct_id="65a1b2c3d4e5f7").View(FORM, {"Number": "P1"})


def test_a_chinese_user_name(erp: SimulatedKingdee) -> None:
    erp.add_user("张三", "张三")
    client = sdk(erp, user_name="张三")
    client.Save(FORM, {"Model": {}})
    assert erp.documents(FORM)[0]["FCreatorId"]["FName"] == "张三"
