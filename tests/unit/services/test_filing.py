"""Each document and each file of an approval is made once, also where an operator or a reload comes in between."""

from __future__ import annotations

from typing import Any

import pytest

from kdsync.store import inbox, intake, writes
from tests.unit.services.cabinet import Registry, compiled
from tests.unit.services.world import World


@pytest.fixture
def registry(world: World) -> Registry:
    return Registry(world)


def retry(registry: Registry, seconds: float = 1.0) -> None:
    """An operator has it tried again, some time later."""
    world = registry.world
    world.clock.advance(seconds)
    with world.db.write() as tx:
        intake.retry(tx, world.seal, registry.row(), world.clock.now())


@pytest.mark.parametrize(("fault", "uploads"), [("lost", 1), ("cut", 2)])
def test_an_operator_who_is_too_quick_hangs_no_file_twice(registry: Registry, fault: str, uploads: int) -> None:
    registry.cabinet.hanging = [fault]
    registry.agree(files=["a.pdf"])
    retry(registry)
    registry.wait(5.0)
    assert len(registry.written("attach")) == 1, "the first may be under way"
    assert registry.settle().state == inbox.DONE
    assert (registry.cabinet.files, len(registry.written("attach"))) == (["a.pdf"], uploads)


def test_a_file_that_kingdee_took_and_does_not_show_is_sent_again_when_an_operator_says_so(registry: Registry) -> None:
    registry.cabinet.hanging = ["swallowed"]
    registry.agree(files=["a.pdf"])
    assert registry.settle().state == inbox.REFUSED
    assert registry.row().reason == "a file cannot be attached: a.pdf"
    retry(registry)
    assert registry.settle().state == inbox.DONE
    assert registry.cabinet.files == ["a.pdf"]


def test_a_file_that_cannot_be_sent_is_given_up_before_it_costs_the_calls_of_a_month(registry: Registry) -> None:
    registry.cabinet.hanging = ["locked"] * 1000
    registry.agree(files=["a.pdf"])
    row = registry.settle()
    assert (row.state, registry.approvals.downloads) == (inbox.REFUSED, 20)
    assert row.reason == "a file cannot be attached: a.pdf: kingdee: trouble [x]"
    registry.cabinet.hanging = []
    retry(registry)
    assert registry.settle().state == inbox.DONE


def test_a_file_that_cannot_be_fetched_for_now_is_given_up_in_the_end(registry: Registry) -> None:
    registry.approvals.slow_files = 1000
    registry.agree(files=["a.pdf"])
    row = registry.settle()
    assert (row.state, registry.approvals.downloads, registry.written("attach")) == (
        inbox.REFUSED,
        20,
        [writes.UNSENT] * 20,
    )


def test_each_file_hangs_there_once_though_the_intake_names_another_field_before_it(registry: Registry) -> None:
    registry.cabinet.faults = ["refused"]
    registry.agree(files=["a.pdf"], contract=["b.pdf"])
    assert registry.row().state == inbox.REFUSED
    registry.intakes = [compiled(attachments=["合同", "发票"])]
    retry(registry)
    assert registry.settle().state == inbox.DONE
    assert registry.cabinet.files == ["a.pdf", "b.pdf"]


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, {"form": "AP_Payable"}), ({"key": {"field": "F_KD"}}, {}), ({}, {"key": {"field": "F_KD"}})],
    ids=["another form", "no key any more", "a key now"],
)
@pytest.mark.parametrize("fault", ["lost", "refused later"])
def test_what_may_have_been_made_as_the_intake_was_before_is_not_made_another_way(
    registry: Registry, before: dict[str, Any], after: dict[str, Any], fault: str
) -> None:
    registry.intakes = [compiled(**before)]
    registry.cabinet.create("D1", "other", "A", "AP_Payable")
    registry.cabinet.making, registry.cabinet.faults = ([fault], []) if fault == "lost" else ([], ["refused"])
    registry.agree(files=["a.pdf"])
    registry.intakes = [compiled(**after)]
    retry(registry)
    row, made = registry.settle(), len(registry.cabinet.models)
    assert (made, registry.cabinet.status("D1", "AP_Payable")) == (1, "A"), "nobody touches a stranger's document"
    if fault == "lost" or "form" in after:
        assert row.state == inbox.FAILED
        assert row.reason.startswith("it is in Kingdee, or may be, as the intake was before: ER_ExpReimbursement")
    else:
        assert row.state == inbox.DONE, "it is known by its id"


def test_where_nothing_was_made_another_form_is_tried_when_an_operator_says_so(registry: Registry) -> None:
    registry.cabinet.making = ["refused"]
    registry.agree()
    registry.intakes = [compiled(form="AP_Payable")]
    retry(registry)
    assert registry.settle().state == inbox.DONE
    assert [form for form, _ in registry.cabinet.bills] == ["AP_Payable"]


def test_a_server_that_gives_its_own_numbers_makes_no_second_one_when_an_answer_is_lost(registry: Registry) -> None:
    registry.cabinet.making = ["numbered", "lost numbered", "numbered"]
    registry.agree("A1")
    row = registry.agree("A2")
    registry.wait(600.0)
    row = registry.row("A2")
    assert (row.state, len(registry.cabinet.bills)) == (inbox.FAILED, 2)
    assert "numbers of its own" in row.reason
    assert "A2" in registry.told("ops")[0]
    world = registry.world
    with world.db.write() as tx:
        intake.retry(tx, world.seal, row, world.clock.now())
    registry.wait(1.0)
    assert (registry.row("A2").state, len(registry.cabinet.bills)) == (inbox.DONE, 3), "somebody has looked"


def test_the_first_document_that_a_server_numbers_itself_after_a_lost_answer_is_looked_at(registry: Registry) -> None:
    registry.cabinet.making = ["lost numbered", "numbered"]
    registry.agree()
    row = registry.settle()
    assert (row.state, row.number) == (inbox.FAILED, "FYBX002")
    assert "another one" in row.reason


def test_what_is_found_after_a_lost_answer_is_known_by_its_id_and_number(registry: Registry) -> None:
    registry.intakes = [compiled(key={"field": "F_KD"})]
    registry.cabinet.making = ["lost"]
    registry.agree()
    registry.settle()
    with registry.world.db.read() as tx:
        made = [one for one in writes.of_number(tx, "FYBX001") if one.operation == "create"]
    assert [(one.doc_id, one.outcome) for one in made] == [("D1", writes.VERIFIED)]


def test_a_server_that_never_tells_of_its_files_is_taken_at_its_word_also_when_it_is_tried_again(
    registry: Registry,
) -> None:
    registry.cabinet.tells_files, registry.cabinet.faults = False, ["refused"]
    assert registry.agree(files=["a.pdf"]).state == inbox.REFUSED
    retry(registry)
    assert registry.settle().state == inbox.DONE
    assert registry.cabinet.files == ["a.pdf"]


def test_a_file_waits_for_the_next_months_calls(registry: Registry) -> None:
    registry.cabinet.hanging = ["locked"]
    registry.agree(files=["a.pdf"])
    registry.approvals.used_up = True
    for _ in range(25):
        registry.wait(86_400.0)
    assert (registry.row().state, len(registry.written("attach"))) == (intake.TAKEN, 1)
    registry.approvals.used_up = False
    assert registry.settle().state == inbox.DONE
