"""Each fault by name, and that it strikes when and where it was told to."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from threading import Event, Thread
from typing import Any

import pytest
import requests

from kdsync.clock import FakeClock
from kdsync.simulator.faults import KINGDEE
from kdsync.simulator.kingdee import SimulatedKingdee

FORM = "AP_PAYBILL"
QUERY = {"data": {"FormId": FORM, "FieldKeys": "FBillNo", "OrderString": "FID"}}
Refusal = Callable[[Any], dict[str, Any]]


class Watched(list[Any]):
    """A list that tells when something is appended."""

    def __init__(self, filled: Event) -> None:
        super().__init__()
        self._filled = filled

    def append(self, item: Any) -> None:
        super().append(item)
        self._filled.set()


def ask(caller: Any) -> requests.Response:
    answer: requests.Response = caller.post("ExecuteBillQuery", QUERY)
    return answer


@pytest.mark.parametrize(
    ("name", "status", "start"),
    [
        ("http500", 500, "<!DOCTYPE html>"),
        ("http502", 502, "<!DOCTYPE html>"),
        ("n001", 200, "403 Forbidden ByRspRetStatusCode -- N001"),
        ("response_error", 200, "response_error:"),
        ("request_filter", 200, '[{"actionname":"showConfirm"'),
        ("html", 200, "<!DOCTYPE html>"),
    ],
)
def test_a_fault_that_is_the_whole_answer(
    erp: SimulatedKingdee, caller: Any, name: str, status: int, start: str
) -> None:
    erp.fault(name)
    answer = ask(caller)
    assert (answer.status_code, answer.text[: len(start)]) == (status, start)
    assert ask(caller).json() == []
    assert [request.fault for request in erp.requests] == [name, ""]


def test_reset_does_nothing_and_breaks_the_connection(erp: SimulatedKingdee, caller: Any) -> None:
    erp.fault("reset", op="Save")
    with pytest.raises(requests.ConnectionError):
        caller.call("Save", FORM, Model={})
    assert erp.documents(FORM) == []


def test_a_lost_reply_is_an_answer_to_something_that_was_done(erp: SimulatedKingdee, caller: Any) -> None:
    erp.fault("lost_reply", op="Save")
    with pytest.raises(requests.ConnectionError):
        caller.call("Save", FORM, Model={})
    assert len(erp.documents(FORM)) == 1


def test_a_hanging_server_does_nothing(erp: SimulatedKingdee, caller: Any) -> None:
    erp.fault("hang", op="Save")
    with pytest.raises(requests.ReadTimeout):
        caller.http.post(
            f"{erp.url}Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Save.common.kdsvc",
            json={"formid": FORM, "data": {"Model": {}}},
            timeout=0.1,
        )
    assert erp.documents(FORM) == []


def test_a_hanging_request_does_not_keep_the_server_from_stopping(clock: FakeClock, caller: Any) -> None:
    erp = SimulatedKingdee(clock).start()
    caller.erp = erp
    erp.fault("hang")
    failures: list[Exception] = []

    def call() -> None:
        try:
            ask(caller)
        except requests.ConnectionError as problem:
            failures.append(problem)

    arrived = Event()
    erp._desk.requests = Watched(arrived)
    thread = Thread(target=call)
    thread.start()
    assert arrived.wait(5)
    erp.stop()
    thread.join(5)
    assert len(failures) == 1


def test_a_hanging_server_gives_up_after_its_seconds(erp: SimulatedKingdee, caller: Any) -> None:
    erp.fault("hang", seconds=0.05)
    with pytest.raises(requests.ConnectionError):
        ask(caller)


def test_a_slow_answer_takes_the_simulators_time(erp: SimulatedKingdee, caller: Any, clock: FakeClock) -> None:
    before = clock.monotonic()
    erp.fault("slow", seconds=12)
    assert ask(caller).json() == []
    assert clock.monotonic() - before == 12


def test_a_lost_session_stays_lost(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    erp.fault("session_lost")
    assert [refusal(ask(caller).json())["code"] for _ in range(2)] == [1, 1]
    caller.log_in()
    assert ask(caller).json() == []


@pytest.mark.parametrize("name", ["session_lost", "licence", "truncated_json"])
def test_logins_are_spared_by_faults_of_the_services(erp: SimulatedKingdee, caller: Any, name: str) -> None:
    erp.fault(name)
    assert caller.log_in()["LoginResultType"] == 1


def test_no_licence_is_free(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    erp.fault("licence")
    assert refusal(ask(caller).json())["code"] == 7


def test_truncated_json_comes_with_a_length_that_fits(erp: SimulatedKingdee, caller: Any) -> None:
    erp.create(FORM, "P1")
    erp.fault("truncated_json")
    answer = ask(caller)
    assert (answer.status_code, answer.text) == (200, '[["P')


def test_an_edit_lock_says_so_only_in_its_text(erp: SimulatedKingdee, caller: Any, refusal: Refusal) -> None:
    doc_id = erp.create(FORM)
    erp.fault("edit_lock")
    assert ask(caller).json() != []
    answer = refusal(caller.call("Submit", FORM, Ids=str(doc_id)))
    assert answer["code"] == 0
    assert "冲突，请稍候再使用" in answer["texts"][0]
    assert erp.document(FORM, doc_id)["FDocumentStatus"] == "A"


def test_a_short_page_hides_that_more_exist(erp: SimulatedKingdee, caller: Any) -> None:
    erp.load(FORM, ({"FBillNo": f"P{number}"} for number in range(10)))
    erp.fault("short_page")
    assert len(caller.query(FORM, "FID", Limit=6)) == 3
    assert len(caller.query(FORM, "FID", Limit=6)) == 6


def test_a_fault_waits_for_its_service_and_its_form(erp: SimulatedKingdee, caller: Any) -> None:
    doc_id = erp.create(FORM, status="B")
    erp.fault("http500", op="Audit", form=FORM)
    assert caller.post("UnAudit", {"formid": FORM, "data": {"Ids": str(doc_id)}}).status_code == 200
    assert caller.post("Audit", {"formid": "AP_Payable", "data": {"Ids": "1"}}).status_code == 200
    assert caller.post("Audit", {"formid": FORM, "data": {"Ids": str(doc_id)}}).status_code == 500


def test_a_fault_strikes_as_often_as_it_was_told(erp: SimulatedKingdee, caller: Any) -> None:
    erp.fault("http500", times=2)
    assert [ask(caller).status_code for _ in range(3)] == [500, 500, 200]


def test_a_fault_with_a_probability_strikes_until_it_is_cleared(clock: FakeClock, caller: Any) -> None:
    with SimulatedKingdee(clock, random=Random(3)) as erp:
        caller.erp = erp
        erp.fault("http500", probability=0.5)
        codes = [ask(caller).status_code for _ in range(40)]
        assert 10 < codes.count(500) < 30
        erp.clear_faults()
        assert {ask(caller).status_code for _ in range(5)} == {200}


def test_an_unknown_fault_names_those_that_exist(erp: SimulatedKingdee) -> None:
    with pytest.raises(ValueError, match=r"known are .*session_lost"):
        erp.fault("sesion_lost")


def test_every_fault_of_the_table_can_be_set_and_strikes(erp: SimulatedKingdee, caller: Any) -> None:
    for name in KINGDEE:
        erp.requests.clear()
        erp.fault(name, seconds=0.01)
        for service in ("ExecuteBillQuery", "Save", "ValidateUser"):
            try:
                caller.post(service, {"formid": FORM, "data": {"FormId": FORM, "FieldKeys": "FID", "Model": {}}})
            except requests.RequestException:
                continue
        assert name in [request.fault for request in erp.requests]
        erp.clear_faults()


def test_a_stopped_server_is_gone_and_comes_back_on_its_port_with_its_documents(
    erp: SimulatedKingdee, caller: Any
) -> None:
    erp.create(FORM, "P1")
    url = erp.url
    erp.stop()
    with pytest.raises(requests.ConnectionError):
        ask(caller)
    erp.start()
    assert erp.url == url
    assert ask(caller).json() == [["P1"]]
