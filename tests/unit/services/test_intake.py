"""An approval becomes one document and is told of once, whatever goes wrong in between."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from kdsync.dingtalk.components import Component
from kdsync.errors import FailureKind
from kdsync.store import inbox, intake, writes
from kdsync.store.schema import inbox as rows
from tests.unit.services.cabinet import Registry, compiled
from tests.unit.services.desk import trouble
from tests.unit.services.world import World


@pytest.fixture
def registry(world: World) -> Registry:
    return Registry(world)


def test_it_is_made_submitted_audited_and_told(registry: Registry) -> None:
    row = registry.agree(files=["a.pdf", "x/b.png", "a.pdf"])
    assert (row.state, row.number, row.doc_id) == (inbox.DONE, "2026A1", "D1")
    assert registry.statuses() == ["C"]
    assert registry.cabinet.models == [{"FCausa": "taxi", "FProposerID": {"FStaffNumber": "E1"}, "draft": False}]
    assert registry.cabinet.files == ["a.pdf", "x_b.png", "a (2).pdf"]
    assert [registry.written(one) for one in ("create", "attach", "submit", "audit")] == [
        [writes.VERIFIED],
        [writes.VERIFIED] * 3,
        [writes.VERIFIED],
        [writes.VERIFIED],
    ]
    assert len(registry.told("u1")) == 1
    assert registry.told("ops") == []


def test_the_same_event_again_is_nothing_new(registry: Registry) -> None:
    registry.agree()
    assert not registry.event()
    registry.wait(60.0)
    assert len(registry.cabinet.bills) == 1


@pytest.mark.parametrize(("how", "status"), [("draft", "Z"), ("save", "A"), ("submit", "B")])
def test_it_goes_as_far_as_the_intake_says(registry: Registry, how: str, status: str) -> None:
    registry.intakes = [compiled(**{"as": how})]
    assert registry.agree().state == inbox.DONE
    assert registry.statuses() == [status]


def test_a_lost_answer_is_looked_up(registry: Registry) -> None:
    registry.cabinet.making = ["lost"]
    assert registry.agree().state == intake.TAKEN
    assert registry.settle().state == inbox.DONE
    assert len(registry.cabinet.models) == 1


def test_what_was_not_done_is_repeated_when_it_cannot_be_under_way_any_more(registry: Registry) -> None:
    registry.cabinet.making = ["cut"]
    registry.agree()
    registry.wait(6.0)
    assert len(registry.cabinet.models) == 1, "the first may be under way"
    assert registry.settle().state == inbox.DONE
    assert len(registry.cabinet.models) == 2


@pytest.mark.parametrize(
    ("how", "number"), [({"key": {"field": "F_KD"}}, "FYBX001"), ({"as": "draft"}, "2026A1")], ids=["a key", "a draft"]
)
def test_where_kingdee_would_take_a_second_one_it_waits_much_longer(
    registry: Registry, how: dict[str, Any], number: str
) -> None:
    registry.intakes = [compiled(**how)]
    registry.cabinet.making = ["cut"]
    registry.agree()
    for _ in range(25):
        registry.wait(10.0)
    assert len(registry.cabinet.models) == 1
    assert registry.settle().state == inbox.DONE
    assert (len(registry.cabinet.models), registry.row().number) == (2, number)


def test_a_crash_between_note_and_call_makes_one_document(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(registry.cabinet, "make", die)
    with pytest.raises(KeyboardInterrupt):
        registry.agree()
    monkeypatch.undo()
    registry.restart()
    assert registry.settle().state == inbox.DONE
    assert len(registry.cabinet.bills) == 1
    assert registry.written("create") == [writes.VERIFIED, writes.VERIFIED]


def test_what_kingdee_took_and_does_not_show_yet_is_not_made_again(registry: Registry) -> None:
    registry.cabinet.hidden = 6
    registry.agree()
    assert registry.settle().state == inbox.DONE
    assert len(registry.cabinet.models) == 1


def test_a_late_first_one_is_found_when_kingdee_refuses_the_second(registry: Registry) -> None:
    registry.cabinet.making, registry.cabinet.hidden = ["lost"], 5
    registry.agree()
    assert registry.settle().state == inbox.DONE
    assert len(registry.cabinet.bills) == 1


def test_a_server_that_gives_its_own_numbers_is_followed_by_the_id(registry: Registry) -> None:
    registry.cabinet.making = ["numbered"]
    assert registry.agree().state == inbox.DONE
    assert (registry.row().number, len(registry.cabinet.bills)) == ("FYBX001", 1)


def test_a_document_that_was_there_before_is_left_as_it_is(registry: Registry) -> None:
    registry.cabinet.create("D9", "2026A1", "D", "ER_ExpReimbursement")
    assert registry.agree().state == inbox.DONE
    assert (registry.statuses(), registry.cabinet.models) == (["D"], [])
    assert "早已" in registry.told("u1")[0]


def test_two_documents_with_the_business_id_are_no_guess(registry: Registry) -> None:
    registry.intakes = [compiled(key={"field": "F_KD"})]
    for ident in ("D8", "D9"):
        registry.cabinet.create(ident, ident, "A", "ER_ExpReimbursement", F_KD="2026A1")
    assert registry.agree().state == inbox.FAILED
    assert registry.cabinet.models == []


def test_kingdee_is_down_for_ten_minutes(registry: Registry) -> None:
    registry.cabinet.down = True
    registry.agree()
    for _ in range(120):
        registry.wait(5.0)
    assert registry.row().state == intake.TAKEN
    assert registry.approvals.fetched == 1, "each would cost a call"
    registry.cabinet.down = False
    assert registry.settle().state == inbox.DONE
    assert len(registry.told("u1")) == 1


def test_after_three_days_it_is_given_up_and_told(registry: Registry) -> None:
    registry.cabinet.down = True
    registry.agree()
    registry.wait(3 * 86_400.0)
    assert registry.row().state == intake.TAKEN, "kdsync itself was down for most of the time"
    assert registry.settle().state == inbox.FAILED
    assert len(registry.told("ops")) == 1
    assert len(registry.approvals.comments) == 1


def test_a_refusal_is_said_once_below_the_approval_in_the_applicants_language(registry: Registry) -> None:
    registry.world.configure(locales={"u1": "en"})
    registry.cabinet.making = ["refused"]
    assert registry.agree().state == inbox.REFUSED
    assert registry.approvals.comments[0][:2] == ("A1", "ops")
    assert registry.approvals.comments[0][2].startswith("Not taken into Kingdee: Kingdee: 必填项未录入")
    registry.wait(600.0)
    assert (len(registry.approvals.comments), len(registry.told("ops")), registry.told("u1")) == (1, 1, [])


def retry(registry: Registry, ident: str = "A1") -> None:
    world = registry.world
    with world.db.write() as tx:
        intake.retry(tx, world.seal, registry.row(ident), world.clock.now())


def test_it_is_tried_again_when_an_operator_says_so_and_what_fails_again_is_told_again(registry: Registry) -> None:
    registry.cabinet.making = ["refused", "refused"]
    registry.agree()
    registry.world.clock.advance(10 * 86_400.0)
    retry(registry)
    registry.wait(1.0)
    assert registry.row().state == inbox.REFUSED
    assert len(registry.approvals.comments) == 2
    retry(registry)
    registry.wait(1.0)
    assert registry.row().state == inbox.DONE
    assert (len(registry.told("ops")), len(registry.told("u1"))) == (2, 1)


@pytest.mark.parametrize("kind", [FailureKind.UNKNOWN_OUTCOME, FailureKind.CONFIGURATION, FailureKind.QUOTA])
def test_where_no_comment_stands_for_sure_the_applicant_gets_a_message(registry: Registry, kind: FailureKind) -> None:
    registry.cabinet.making = ["refused"]
    registry.approvals.faults = [kind]
    assert registry.agree().state == inbox.REFUSED
    registry.wait(600.0)
    assert (registry.approvals.comments, len(registry.told("u1")), len(registry.told("ops"))) == ([], 1, 1)


def test_a_comment_that_could_not_be_sent_is_sent_later_and_nothing_is_written_meanwhile(registry: Registry) -> None:
    registry.cabinet.making = ["refused"]
    registry.approvals.faults = [FailureKind.TRANSIENT, FailureKind.RATE_LIMITED]
    registry.agree()
    assert registry.settle().state == inbox.REFUSED
    assert (len(registry.approvals.comments), len(registry.cabinet.models)) == (1, 1)
    assert registry.told("u1") == []


def test_a_crash_while_commenting_never_comments_twice(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    registry.cabinet.making = ["refused"]
    monkeypatch.setattr(registry.approvals, "comment", die)
    with pytest.raises(KeyboardInterrupt):
        registry.agree()
    monkeypatch.undo()
    registry.restart()
    assert registry.settle().state == inbox.REFUSED
    assert (registry.approvals.comments, len(registry.told("u1")), len(registry.told("ops"))) == ([], 1, 1)


@pytest.mark.parametrize(
    ("fault", "files", "uploads"), [("lost", 1, 1), ("cut", 1, 2), ("refused", 0, 1)], ids=["lost", "cut", "refused"]
)
def test_a_file_hangs_there_once(registry: Registry, fault: str, files: int, uploads: int) -> None:
    registry.cabinet.hanging = [fault]
    registry.agree(files=["a.pdf"])
    row = registry.settle()
    assert len(registry.cabinet.files) == files
    assert len(registry.written("attach")) == uploads
    assert row.state == (inbox.DONE if files else inbox.REFUSED)
    assert registry.statuses() == (["C"] if files else ["A"]), "nobody audits a claim without its invoice"


def test_a_file_of_which_nobody_can_tell_is_not_sent_twice_until_somebody_has_looked(registry: Registry) -> None:
    registry.cabinet.hanging, registry.cabinet.tells_files = ["cut"], False
    registry.agree(files=["a.pdf"])
    assert registry.settle().state == inbox.FAILED
    assert len(registry.written("attach")) == 1
    registry.world.clock.advance(60.0)
    retry(registry)
    registry.wait(1.0)
    assert (registry.row().state, registry.cabinet.files) == (inbox.DONE, ["a.pdf"])


def test_a_file_that_cannot_be_fetched_is_told(registry: Registry) -> None:
    registry.approvals.lost_file = True
    assert registry.agree(files=["a.pdf"]).state == inbox.REFUSED
    assert "a.pdf: the file is too large" in registry.row().reason


def test_a_workflow_is_not_bypassed(registry: Registry) -> None:
    registry.intakes = [compiled(**{"as": "submit"})]
    registry.agree()
    registry.cabinet.wait_for("D1", "102", "ER_ExpReimbursement")
    registry.intakes = [compiled()]
    with registry.world.db.write() as tx:
        inbox.finish(tx, registry.row(), inbox.FAILED, "", registry.world.clock.now())
    retry(registry)
    registry.wait(1.0)
    assert (registry.row().state, registry.statuses()) == (inbox.REFUSED, ["B"])
    assert "workflow" in registry.row().reason


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"result": "refuse"}, "not agreed to (COMPLETED refuse)"),
        ({"status": "TERMINATED", "result": ""}, "not agreed to (TERMINATED)"),
    ],
)
def test_what_was_not_agreed_to_becomes_nothing(registry: Registry, other: dict[str, Any], reason: str) -> None:
    row = registry.agree(**other)
    assert (row.state, row.reason, registry.cabinet.models) == (inbox.IGNORED, reason, [])


def test_an_approval_that_is_gone_becomes_nothing(registry: Registry) -> None:
    registry.event()
    registry.intake.step()
    assert registry.row().state == inbox.IGNORED


def test_dingtalk_is_asked_again_while_it_says_that_it_is_running(registry: Registry) -> None:
    registry.agree(status="RUNNING", result="")
    assert registry.row().state == intake.TAKEN
    registry.approval()
    assert registry.settle().state == inbox.DONE


@pytest.mark.parametrize(
    ("other", "needle"),
    [
        (
            {"components": (Component("原因", "TextField", "x"), Component("发票", "DDAttachment"))},
            "no field 事由; it has",
        ),
        ({"applicant": "u9"}, "U9 (u9) is no employee"),
        ({"business_id": ""}, "no business id"),
    ],
    ids=["another form", "an unknown applicant", "no business id"],
)
def test_what_cannot_be_worked_out_is_told_and_nothing_is_written(
    registry: Registry, other: dict[str, Any], needle: str
) -> None:
    row = registry.agree(**other)
    assert row.state in (inbox.REFUSED, inbox.FAILED)
    assert needle in row.reason
    assert registry.cabinet.models == []


@pytest.mark.parametrize(
    ("field", "needle"),
    [
        ("合同", "no field 合同; it has 事由, 发票"),
        ("事由", "事由 holds no files that could be attached: it is a TextField"),
    ],
)
def test_a_field_for_files_that_holds_none_is_told_before_anything_is_written(
    registry: Registry, field: str, needle: str
) -> None:
    registry.intakes = [compiled(attachments=[field])]
    assert registry.agree().state == inbox.REFUSED
    assert needle in registry.row().reason
    assert registry.cabinet.models == []


def test_the_files_of_all_fields_of_a_name_are_attached(registry: Registry) -> None:
    (reason, first) = registry.approval(files=["a.pdf"]).components
    (_, second) = registry.approval(files=["b.pdf"]).components
    registry.agree(components=(reason, first, second))
    assert registry.cabinet.files == ["a.pdf", "b.pdf"]


@pytest.mark.parametrize(("action", "retried", "models"), [("REVOKE", inbox.IGNORED, 1), ("MODIFY", inbox.DONE, 2)])
def test_an_approval_of_taking_another_back_is_no_second_document(
    registry: Registry, action: str, retried: str, models: int
) -> None:
    registry.agree()
    row = registry.agree("A2", action=action, main_id="A1")
    assert (row.state, len(registry.cabinet.models)) == (inbox.FAILED, 1)
    assert "undo document 2026A1 in Kingdee" in row.reason
    assert len(registry.approvals.comments) == len(registry.told("ops")) == 1
    retry(registry, "A2")
    registry.wait(1.0)
    assert (registry.row("A2").state, len(registry.cabinet.models)) == (retried, models)


def test_of_the_approval_that_is_taken_back_nothing_may_be_known(registry: Registry) -> None:
    assert "see in Kingdee whether" in registry.agree(action="REVOKE").reason
    assert registry.cabinet.models == []


def test_what_is_refused_after_it_was_made_keeps_the_documents_number(registry: Registry) -> None:
    registry.intakes = [compiled(key={"field": "F_KD"})]
    registry.cabinet.faults = ["refused"]
    row = registry.agree()
    assert (row.state, row.number, row.doc_id) == (inbox.REFUSED, "FYBX001", "D1")


def test_an_intake_that_is_not_there_any_more_is_told(registry: Registry) -> None:
    registry.intakes = []
    assert registry.agree().state == inbox.FAILED
    assert len(registry.told("ops")) == 1


def test_a_document_that_somebody_deletes_meanwhile_is_not_made_again(registry: Registry) -> None:
    registry.cabinet.faults = ["locked"]
    registry.agree()
    registry.cabinet.bills.clear()
    assert registry.settle().state == inbox.FAILED
    assert "not there any more" in registry.row().reason
    assert len(registry.cabinet.models) == 1


@pytest.mark.parametrize("why", ["three days", "configuration", "a mistake"])
def test_a_word_that_cannot_be_said_when_it_is_given_up_stops_nothing_and_is_said_later(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    error = {"configuration": trouble(FailureKind.CONFIGURATION), "a mistake": RuntimeError("boom")}
    registry.cabinet.down = why == "three days"
    if why in error:

        def fail(*_: Any, **__: Any) -> None:
            raise error[why]

        monkeypatch.setattr(registry.cabinet, "find", fail)
    registry.approvals.faults = [FailureKind.TRANSIENT]
    registry.agree()
    if why == "three days":
        registry.wait(3 * 86_400.0)
    assert registry.settle().state == inbox.FAILED
    assert (len(registry.approvals.comments), len(registry.told("ops"))) == (1, 1)
    assert {"three days": "tried for days", "configuration": "trouble", "a mistake": "stumbled"}[
        why
    ] in registry.row().reason


def test_while_kingdee_is_down_no_approval_is_fetched_again_however_many_wait(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kdsync.services.intake.REMEMBERED", 1)
    registry.cabinet.down = True
    for ident in ("A1", "A2"):
        registry.agree(ident)
    for _ in range(3):
        registry.restart()
        registry.wait(600.0)
    assert registry.approvals.fetched == 2, "each costs a call of the month's"
    registry.cabinet.down = False
    registry.settle()
    assert [registry.row(ident).state for ident in ("A1", "A2")] == [inbox.DONE] * 2


def test_an_approval_that_stays_unfinished_in_dingtalk_is_asked_for_less_and_less_often(registry: Registry) -> None:
    registry.agree(status="RUNNING", result="")
    for _ in range(12):
        registry.wait(1800.0)
    registry.wait(1799.0)
    assert (registry.approvals.fetched, registry.row().state) == (13, intake.TAKEN)


def test_who_would_comment_on_their_own_approval_gets_a_message_for_dingtalk_tells_nobody_of_their_own_words(
    registry: Registry,
) -> None:
    registry.cabinet.making = ["refused"]
    registry.book.people["ops"] = registry.book.people["u1"]
    assert registry.agree(applicant="ops").state == inbox.REFUSED
    titles = registry.told("ops")
    assert ["审批未写入金蝶" in title for title in titles].count(True) == 1
    assert ["审批未能写入金蝶" in title for title in titles].count(True) == 1


def test_one_that_is_damaged_in_the_store_is_told_as_far_as_it_can_be(registry: Registry) -> None:
    registry.event()
    with registry.world.db.write() as tx:
        tx.execute(update(rows).values(content=b"\x00"))
    registry.intake.step()
    assert registry.row().state == inbox.FAILED
    assert (registry.approvals.comments, len(registry.told("u1")), len(registry.told("ops"))) == ([], 1, 1)
    assert registry.row().attempts == 0


def test_where_the_calls_of_the_month_are_used_up_it_waits_for_the_next_one(registry: Registry) -> None:
    registry.approvals.used_up = True
    registry.agree()
    for _ in range(30):
        registry.wait(86_400.0)
    registry.approvals.used_up = False
    assert registry.settle().state == inbox.DONE
    assert registry.told("ops") == []


def test_a_server_that_restarts_and_says_strange_things_for_a_moment_ends_nothing(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange, find = [trouble(FailureKind.CONFIGURATION), trouble(FailureKind.REFUSED)], registry.cabinet.find

    def answer(*asked: Any) -> Any:
        if strange:
            raise strange.pop()
        return find(*asked)

    monkeypatch.setattr(registry.cabinet, "find", answer)
    registry.agree()
    assert registry.settle().state == inbox.DONE
