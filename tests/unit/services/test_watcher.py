"""Noticing, look by look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest

from kdsync.errors import ANOTHER_ACCOUNT, EdgeError, FailureKind
from kdsync.model import Layout, Page
from kdsync.services.looks import Looks
from kdsync.services.report import Report
from kdsync.settings.schema import FormSection
from kdsync.store import documents, forms, notifications
from tests.unit.services.world import World, rules

CHANGED = {"id": "amount", "on": [{"changed": ["FAmount"]}]}


def told(world: World) -> list[tuple[str, str]]:
    """(rule, bill number) of everything rules had to tell, in order."""
    with world.db.read() as tx:
        due = notifications.due(tx, world.seal, world.clock.now() + timedelta(seconds=1))
        return [(notification.rule, notification.number) for notification in due]


def out_of_reach(world: World) -> None:
    """Look, and let a later document move the cursor, so that no look by dates sees the others again."""
    world.poll()
    world.clock.advance(1_000)
    world.kingdee.create("C", "LATER")
    world.poll()


def test_the_first_look_notifies_nobody(world: World) -> None:
    for status in "ABCABC":
        world.kingdee.create(status)
    world.poll()
    assert told(world) == []
    assert world.watcher.condition.baselined


def test_a_first_look_cut_off_in_the_middle_goes_on_where_it_was(world: World) -> None:
    for _ in range(120):
        world.kingdee.create("C")
    world.kingdee._fail = fail_at(world, 4)  # type: ignore[method-assign]
    world.poll()
    with world.db.read() as tx:
        cut = forms.by_id(tx, 1)
    assert cut.baselined_at is None
    assert cut.resume_after == "100050"
    world.watch(*rules({}))
    world.poll(100)
    assert world.watcher.condition.baselined
    assert told(world) == []


def note_is_watched(world: World) -> None:
    """An operator writes a rule that looks at another field, and starts kdsync again."""
    world.watch(*rules({"id": "note", "on": [{"changed": ["FNote"]}]}))


def test_a_first_look_that_goes_on_with_other_rules_knows_their_fields_of_all_documents(world: World) -> None:
    first, *_, last = [world.kingdee.create("C", f"D{number}", FNote="old") for number in range(120)]
    world.clock.advance(1_000)
    world.kingdee.create("C", "LATER")
    world.kingdee.fail_in = 4
    world.poll()
    note_is_watched(world)
    world.poll()
    world.poll()
    for ident in (first, last):
        world.kingdee.edit(ident, FNote="new")
    world.poll()
    assert told(world) == [("note", "D0"), ("note", "D119")]


def test_rules_that_were_others_for_one_look_leave_no_document_without_a_field(world: World) -> None:
    note_is_watched(world)
    open_one, other = (world.kingdee.create(status, status, FNote="old") for status in "AC")
    out_of_reach(world)
    world.watch(*rules({}))
    world.kingdee.write_back(open_one, FDocumentStatus="B")
    world.watcher.sweep()
    note_is_watched(world)
    world.poll()
    for ident in (open_one, other):
        world.kingdee.edit(ident, FNote="new")
    world.poll()
    assert told(world) == [("note", "A"), ("note", "C")]


def fail_at(world: World, call: int) -> Any:
    calls = [0]

    def fail() -> None:
        calls[0] += 1
        if calls[0] == call:
            raise EdgeError("kingdee", FailureKind.TRANSIENT, "cut", "cut")

    world.kingdee.failures = []
    return fail


def test_what_was_created_after_the_first_look_is_told_with_all_it_passed(world: World) -> None:
    world.watch(*rules({}, {"id": "created", "on": ["created"]}, {"id": "submitted", "on": ["submitted"]}))
    world.poll()
    world.kingdee.create("C", "NEW1")
    world.poll()
    assert told(world) == [("created", "NEW1"), ("submitted", "NEW1"), ("approved", "NEW1")]


def test_looking_again_tells_nothing_twice(world: World) -> None:
    world.poll()
    world.kingdee.create("C", "ONCE")
    for _ in range(5):
        world.poll()
    world.watcher.sweep()
    world.watcher.reconcile()
    assert told(world) == [("approved", "ONCE")]


def test_an_approval_long_after_the_last_edit(world: World) -> None:
    ident = world.kingdee.create("B", "OLD1")
    world.poll()
    world.poll(100_000)
    world.kingdee.move(ident, "C")
    world.poll()
    assert told(world) == [("approved", "OLD1")]


def test_a_submit_moves_no_date_and_is_seen_by_the_open_look(world: World) -> None:
    world.watch(*rules({"id": "submitted", "on": ["submitted"]}))
    ident = world.kingdee.create("A", "SUB1")
    world.clock.advance(1000)
    world.kingdee.create("A", "NEWER")
    world.poll()
    world.kingdee.move(ident, "B")
    world.poll()
    assert told(world) == []
    world.watcher.sweep()
    assert told(world) == [("submitted", "SUB1")]


def test_approved_unapproved_approved_is_two_approvals(world: World) -> None:
    ident = world.kingdee.create("B", "TWICE")
    world.poll()
    world.kingdee.move(ident, "C")
    world.poll()
    world.kingdee.move(ident, "D")
    world.watcher.sweep()
    world.poll()
    world.kingdee.move(ident, "C")
    world.poll()
    assert told(world) == [("approved", "TWICE")] * 2


def test_approved_again_between_two_looks_shows_in_the_approve_date(world: World) -> None:
    ident = world.kingdee.create("C", "AGAIN")
    world.poll()
    world.clock.advance(5)
    world.kingdee.move(ident, "C")
    world.poll()
    assert told(world) == [("approved", "AGAIN")]


def test_a_write_back_to_an_approved_document_that_is_still_alive(world: World) -> None:
    world.watch(*rules(CHANGED), section=FormSection(open="FAlive = 'yes'"))
    alive = world.kingdee.create("C", "ALIVE", FAlive="yes")
    world.kingdee.create("C", "DEAD1", FAlive="no")
    world.poll()
    world.poll(1000)
    world.kingdee.write_back(alive, FAmount=2)
    world.watcher.sweep()
    assert told(world) == [("amount", "ALIVE")]


def test_a_document_that_leaves_the_open_set_is_read_once_more(world: World) -> None:
    world.watch(*rules(CHANGED), section=FormSection(open="FAlive = 'yes'"))
    ident = world.kingdee.create("C", "LEFT1", FAlive="yes")
    world.poll()
    world.poll(1000)
    world.kingdee.write_back(ident, FAmount=2, FAlive="no")
    world.watcher.sweep()
    queries = len(world.kingdee.queries)
    world.watcher.sweep()
    assert told(world) == [("amount", "LEFT1")]
    assert len(world.kingdee.queries) == queries + 1


def test_a_late_commit_within_the_lookback(world: World) -> None:
    world.poll()
    world.kingdee.skew = world.clock.now() - world.clock.now()
    late = world.kingdee.now()
    world.clock.advance(30)
    world.kingdee.create("C", "EARLY")
    world.poll()
    world.kingdee.create("C", "LATE1", FCreateDate=late, FModifyDate=late)
    world.kingdee.documents[100_002]["FApproveDate"] = late
    world.poll(5)
    assert told(world) == [("approved", "EARLY"), ("approved", "LATE1")]


def test_a_document_dated_2099_does_not_hide_the_next_one(world: World) -> None:
    world.poll()
    world.kingdee.create("C", "FUTURE", FModifyDate="2099-01-01T00:00:00")
    world.poll()
    world.kingdee.create("C", "NOW1")
    world.poll()
    assert [one for one in told(world) if one != ("kdsync", "")] == [("approved", "FUTURE"), ("approved", "NOW1")]


def test_null_dates_and_a_bill_without_number(world: World) -> None:
    world.poll()
    world.kingdee.create("C", "", FModifyDate=None, FCreateDate=" ")
    world.poll()
    assert told(world) == [("approved", "K100001")]
    world.kingdee.create("C", number=" ")
    world.poll()
    assert told(world)[-1] == ("approved", "100002")


def test_a_deleted_open_document_is_told_at_the_next_sweep(world: World) -> None:
    world.watch(*rules({"id": "deleted", "on": ["deleted"]}))
    idents = [world.kingdee.create("A", f"DEL{n}") for n in range(20)]
    world.poll()
    del world.kingdee.documents[idents[3]]
    world.watcher.sweep()
    assert told(world) == [("deleted", "DEL3")]
    world.watcher.reconcile()
    assert told(world) == [("deleted", "DEL3")]


def test_lost_permission_is_one_alarm_and_no_deletion(world: World) -> None:
    world.watch(*rules({"id": "deleted", "on": ["deleted"]}))
    for _ in range(30):
        world.kingdee.create("A")
    world.poll()
    world.kingdee.visible = False
    for _ in range(4):
        world.watcher.sweep()
        world.watcher.reconcile()
    assert [name for name, _ in told(world)] == ["kdsync"]
    with world.db.read() as tx:
        assert forms.by_id(tx, 1).alarm
    world.kingdee.visible = True
    world.watcher.reconcile()
    world.poll()
    assert [name for name, _ in told(world)] == ["kdsync", "kdsync"]
    with world.db.read() as tx:
        assert forms.by_id(tx, 1).alarm is None


@pytest.mark.parametrize("status", ["A", "C"])
def test_a_document_that_comes_back_unchanged_is_no_news(world: World, status: str) -> None:
    world.watch(*rules({"id": "created", "on": ["created"]}, {"id": "voided", "on": ["voided"]}))
    ident = world.kingdee.create(status, "BACK1")
    for _ in range(20):
        world.kingdee.create("A")
    world.poll()
    world.kingdee.hidden.add(ident)
    world.watcher.reconcile()
    world.kingdee.hidden.clear()
    world.watcher.reconcile()
    assert told(world) == []
    world.kingdee.write_back(ident, FCancelStatus="B")
    world.watcher.reconcile()
    assert told(world) == [("voided", "BACK1")]
    with world.db.read() as tx:
        assert [gone for _, _, gone, _ in documents.numbered(tx, 1, ["BACK1"])] == [False]


def test_what_only_the_key_look_finds_is_told_and_counted(world: World) -> None:
    world.poll()
    world.poll(10_000)
    world.kingdee.create("C", "MISSED", FModifyDate=None, FCreateDate=None)
    world.kingdee.documents[100_001]["FApproveDate"] = None
    world.poll()
    assert told(world) == []
    world.watcher.reconcile()
    assert told(world) == [("approved", "MISSED")]
    assert world.meter.counters["missed_changes"] == 1


def test_a_change_newer_than_the_last_look_is_not_counted_as_missed(world: World) -> None:
    world.poll()
    world.kingdee.create("C", "FRESH")
    world.watcher.reconcile()
    assert told(world) == [("approved", "FRESH")]
    assert world.meter.counters["missed_changes"] == 0


@pytest.mark.parametrize("name", ["100001", ""])
def test_a_change_whose_row_cannot_be_read_in_passing_is_not_counted_as_missed(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    world.watch(*rules({"on": ["submitted"]}))
    ident = world.kingdee.create("A", "ODD")
    out_of_reach(world)
    world.kingdee.write_back(ident, FDocumentStatus="B")
    odd = iter([iter([Page([], world.clock.now(), last=True, unreadable=(name,))])])
    by_ids = world.kingdee.by_ids
    monkeypatch.setattr(world.kingdee, "by_ids", lambda *args: next(odd, None) or by_ids(*args))
    world.watcher.reconcile()
    assert ("approved", "ODD") in told(world)
    assert world.meter.counters["missed_changes"] == 0


def test_a_change_during_the_look_at_all_keys_is_not_counted_as_missed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was edited before the look, and approved when the look had just taken the edit."""
    ident = world.kingdee.create("B", "BUSY")
    world.poll()
    world.kingdee.edit(ident, FAmount=2)
    looked = world.looks.open

    def then_approve(*args: Any, **named: Any) -> Report:
        report = looked(*args, **named)
        world.kingdee.move(ident, "C")
        return report

    monkeypatch.setattr(Looks, "open", lambda _looks, *args, **named: then_approve(*args, **named))
    world.watcher.reconcile()
    world.poll()
    assert told(world) == [("approved", "BUSY")]
    assert world.meter.counters["missed_changes"] == 0


def test_a_document_deleted_while_all_keys_are_looked_at_is_missed_by_the_next_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.watch(*rules({"on": ["deleted"]}))
    ident = world.kingdee.create("B", "SHORT")
    world.kingdee.create("C")
    world.poll()
    world.kingdee.create("C", "FRESH")
    looked = Looks.open

    def after_it_is_deleted(looks: Looks, *args: Any) -> Report:
        world.kingdee.hidden.add(ident)
        return looked(looks, *args)

    monkeypatch.setattr(Looks, "open", after_it_is_deleted)
    world.watcher.reconcile()
    assert told(world) == []
    world.watcher.sweep()
    assert told(world) == [("approved", "SHORT")]


def test_what_changes_again_while_it_is_found_missing_would_have_been_found_anyway(world: World) -> None:
    world.watch(*rules({"on": ["voided", "closed"]}))
    ident = world.kingdee.create("C", "TWICE")
    out_of_reach(world)
    world.kingdee.write_back(ident, FCancelStatus="B")
    by_ids = world.kingdee.by_ids

    def edited_first(layout: Layout, ids: Sequence[str]) -> Iterator[Page]:
        world.clock.advance(1)
        world.kingdee.edit(ident, FCloseStatus="B")
        yield from by_ids(layout, ids)

    world.kingdee.by_ids = edited_first  # type: ignore[method-assign]
    world.watcher.reconcile()
    assert told(world) == [("approved", "TWICE")] * 2
    assert world.meter.counters["missed_changes"] == 0


def test_what_was_missed_is_counted_also_where_the_look_is_cut_off(world: World) -> None:
    ident = world.kingdee.create("C", "MISSED")
    gone = world.kingdee.create("C", "GONE")
    world.watch(*rules({"id": "voided", "on": ["voided"]}))
    out_of_reach(world)
    world.kingdee.write_back(ident, FCancelStatus="B")
    world.kingdee.hidden.add(gone)
    by_ids = world.kingdee.by_ids

    def no_second_time(layout: Layout, ids: Sequence[str]) -> Iterator[Page]:
        if str(gone) in ids:
            world.kingdee.failures.append(EdgeError("kingdee", FailureKind.TRANSIENT, "cut", "cut"))
        yield from by_ids(layout, ids)

    world.kingdee.by_ids = no_second_time  # type: ignore[method-assign]
    assert world.watcher.reconcile() is None
    assert told(world) == [("voided", "MISSED")]
    assert world.meter.counters["missed_changes"] == 1


def test_a_field_that_kingdee_does_not_have_rests_its_rule_only(world: World) -> None:
    world.watch(*rules({}, {"id": "odd", "on": ["approved"], "when": "doc.FNope == 1"}))
    world.kingdee.unknown = {"FNope"}
    world.poll()
    world.poll()
    world.kingdee.create("C", "GOOD1")
    world.poll()
    assert [one for one in told(world) if one[0] != "kdsync"] == [("approved", "GOOD1")]
    assert [name for name, _ in told(world)].count("kdsync") == 1


def test_a_standard_field_that_kingdee_does_not_have_is_done_without(world: World) -> None:
    world.kingdee.unknown = {"FCloseStatus"}
    world.poll()
    world.poll()
    world.kingdee.create("C", "PLAIN")
    world.poll()
    assert told(world) == [("approved", "PLAIN")]


def test_a_rule_that_raises_is_reported_and_the_others_go_on(world: World) -> None:
    world.watch(*rules({"id": "bad", "when": "(doc.FAmount / 0) > 1"}, {}))
    world.poll()
    world.kingdee.create("C", "RAISE")
    world.poll()
    assert sorted(told(world)) == [("approved", "RAISE"), ("bad", "RAISE")]
    world.clock.advance(1)
    world.deliver()
    assert any("bad" in text for text in world.dingtalk.seen("ops"))
    assert len(world.dingtalk.seen("u1")) == 1


def test_a_failing_kingdee_is_asked_less_and_less(world: World) -> None:
    world.kingdee.failures = [EdgeError("kingdee", FailureKind.TRANSIENT, "cut", "cut") for _ in range(100)]
    for _ in range(100):
        world.poll(1)
    assert 100 - len(world.kingdee.failures) < 25
    world.kingdee.failures = []
    world.poll(100)
    assert world.watcher.condition.baselined
    assert told(world) == [("kdsync", "")] * 2  # that it is down, and that it is back


def test_a_form_without_permission_is_told_once_and_does_not_hold_up_readiness(world: World) -> None:
    refused = EdgeError("kingdee", FailureKind.CONFIGURATION, "2", "no permission", cure="grant it")
    world.kingdee.failures = [refused] * 6
    for _ in range(60):
        world.poll(10)
    assert world.watcher.condition.given_up or world.watcher.condition.baselined
    world.poll(1000)
    assert [name for name, _ in told(world)] == ["kdsync", "kdsync"]  # that it failed, and that it is back


def test_another_account_set_is_told_once_whatever_the_forms(world: World) -> None:
    world.poll()
    cure = "run `kdsync accept account`"
    another = EdgeError("kingdee", FailureKind.CONFIGURATION, ANOTHER_ACCOUNT, "another account set answers", cure=cure)
    for _ in range(2):
        world.watch(*rules({}))
        for _ in range(4):
            world.kingdee.failures = [another]
            world.poll(1000)
    assert told(world) == [("kdsync", "")]
    world.kingdee.failures = []
    world.poll(1000)
    assert told(world) == [("kdsync", "")] * 2


def test_rules_that_begin_to_use_a_field_tell_nothing_about_the_past(world: World) -> None:
    for _ in range(60):
        world.kingdee.create("C", FNote="old")
    world.poll()
    world.watcher.reload(world.matcher(*rules({"id": "note", "on": [{"changed": ["FNote"]}]})), FormSection())
    world.poll()
    assert told(world) == []
    world.kingdee.edit(100_005, FNote="new")
    world.poll()
    assert told(world) == [("note", "K100005")]


def test_a_reload_does_not_wait_for_a_look_that_goes_on_and_that_look_ends_with_its_own_rules(world: World) -> None:
    for _ in range(120):
        world.kingdee.create("C", FAmount=1)
    world.poll()
    others = world.matcher(*rules({"id": "other"}))
    waiting: list[bool] = []

    def reload() -> None:
        if not waiting:
            thread = Thread(target=world.watcher.reload, args=(others, FormSection(interval=7.0)), daemon=True)
            thread.start()
            thread.join(0.2)
            waiting.append(thread.is_alive())

    world.kingdee.create("C", "FIRST")
    world.kingdee._fail = reload  # type: ignore[method-assign]
    world.poll()
    assert waiting == [False]
    assert world.watcher.section.interval == 7.0
    world.kingdee.create("C", "SECOND")
    world.poll()
    assert told(world) == [("approved", "FIRST"), ("other", "SECOND")]


@pytest.mark.parametrize("trigger", [{"changed": ["FAmount"]}, {"becomes": "doc.FAmount > 5"}])
def test_rules_that_begin_to_watch_a_field_that_messages_had_tell_nothing_about_the_past(
    world: World, trigger: dict[str, Any]
) -> None:
    open_one, other = (world.kingdee.create(status, status, FAmount=1) for status in "AC")
    out_of_reach(world)
    for ident in (open_one, other):
        world.kingdee.write_back(ident, FAmount=9)  # no date moves, and no rule asks
    world.poll()
    world.watch(*rules({}, {"id": "amount", "on": [trigger]}))
    world.poll(100)
    world.watcher.sweep()
    world.watcher.reconcile()
    assert told(world) == [("approved", "LATER")]
    for amount in (2, 8):
        world.kingdee.edit(other, FAmount=amount)
        world.kingdee.write_back(open_one, FAmount=amount)
        world.poll()
        world.watcher.sweep()
    times = 1 if "becomes" in trigger else 2
    assert sorted(told(world)[1:]) == [*[("amount", "A")] * times, *[("amount", "C")] * times]


@pytest.mark.parametrize("after", [[{"FQty": 2.0, "FPrice": 5.0}], [{"FQty": 1.0, "FPrice": 5.0}] * 2])
def test_rows_of_which_rules_begin_to_use_more_are_compared_by_what_they_had(
    world: World, after: list[dict[str, float]]
) -> None:
    quantity = {"id": "quantity", "on": [{"changed": ["entries.FQty"]}]}
    world.watch(*rules(quantity))
    changed, other = (
        world.kingdee.create("C", name, entries=[{"FQty": 1.0, "FPrice": 5.0}]) for name in ("ROWS", "NO")
    )
    world.poll()
    world.kingdee.edit(changed, entries=after)
    world.watch(*rules(quantity, {"id": "price", "on": [{"changed": ["entries.FPrice"]}]}))
    world.poll()
    assert told(world) == [("quantity", "ROWS"), ("price", "ROWS")][: len(after)]
    world.kingdee.edit(other, entries=[{"FQty": 1.0, "FPrice": 6.0}])
    world.poll()
    assert told(world)[-1] == ("price", "NO")


def test_a_field_that_rules_spell_in_another_case_is_the_one_it_was(world: World) -> None:
    world.watch(*rules(CHANGED))
    ident = world.kingdee.create("C", "SAME", FAmount=1, FAMOUNT=1)
    world.poll()
    world.kingdee.edit(ident, FAmount=2, FAMOUNT=2)
    world.watch(*rules({**CHANGED, "on": [{"changed": ["FAMOUNT"]}], "message": {"title": "x"}}))
    world.poll()
    assert told(world) == [("amount", "SAME")]


def test_a_rule_about_a_new_field_is_not_asked_because_another_field_changed(world: World) -> None:
    note_is_watched(world)
    ident = world.kingdee.create("C", "SAME", FNote="old", FLevel=9)
    world.poll()
    world.kingdee.edit(ident, FNote="new")
    world.watch(
        *rules({"id": "note", "on": [{"changed": ["FNote"]}]}, {"id": "level", "on": {"becomes": "doc.FLevel > 5"}})
    )
    world.poll()
    assert told(world) == [("note", "SAME")]


def test_a_form_without_dates_is_compared_whole(world: World) -> None:
    bare = dict.fromkeys(("status", "cancel", "close", "created", "modified", "approved"))
    world.kingdee.known = replace(world.kingdee.known, **bare)  # type: ignore[arg-type]
    world.watch(*rules({"id": "low", "on": [{"becomes": "doc.FAmount < 5"}]}))
    ident = world.kingdee.create(number="STOCK", FAmount=9)
    world.kingdee.create(number="LOW", FAmount=1)
    world.poll()
    for amount in (4, 3, 8, 2):
        world.kingdee.write_back(ident, FAmount=amount)
        world.poll()
    assert told(world) == [("low", "STOCK"), ("low", "STOCK")]


def test_a_document_with_five_thousand_rows(world: World) -> None:
    world.watch(*rules({"id": "rows", "on": ["approved"], "when": "doc.entries | sum(attribute='FQty') == 5000"}))
    world.poll()
    world.kingdee.create("C", "WIDE", entries=[{"FQty": 1.0}] * 5000)
    world.poll()
    assert told(world) == [("rows", "WIDE")]


def test_shadow_rules_are_kept_and_never_sent(world: World) -> None:
    world.watch(*rules({"mode": "shadow"}))
    world.poll()
    world.kingdee.create("C", "SHADE")
    world.poll()
    world.deliver()
    assert world.dingtalk.calls == 0
    with world.db.read() as tx:
        assert notifications.counts(tx) == {"shadow": 1}


def test_a_rule_that_fails_in_shadow_is_kept_as_well(world: World) -> None:
    world.watch(*rules({"mode": "shadow", "when": "doc.FBillNo > 5"}))
    world.poll()
    world.kingdee.create("C", "SHADE")
    world.poll()
    world.deliver()
    assert world.dingtalk.calls == 0
    with world.db.read() as tx:
        (kept,) = notifications.of_number(tx, world.seal, "SHADE")
    assert (kept.state, kept.reason) == ("shadow", "rule failed: when: text cannot be compared with a number")


def test_a_look_that_becomes_due_in_the_very_instant_another_one_is_taken(world: World) -> None:
    class Crowded(dict[str, Any]):
        """Somebody else wants a look just when the first of those that wait is sought."""

        def __iter__(self) -> Iterator[str]:
            found = super().__iter__()
            if not others:
                others.append(Thread(target=world.watcher._in_turn, args=("sweep", lambda: done.append("sweep"))))
                others[0].start()
                others[0].join(0.1)
            return found

    others: list[Thread] = []
    done: list[str] = []
    world.watcher._waiting = Crowded()
    world.watcher._in_turn("interval", lambda: done.append("interval"))
    others[0].join()
    assert done == ["interval", "sweep"]
