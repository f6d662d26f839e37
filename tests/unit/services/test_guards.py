"""What is no ordinary change: recognised, told once, and nobody is flooded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from kdsync.errors import EdgeError, FailureKind
from kdsync.model import Layout, Page
from kdsync.settings.schema import FormSection
from kdsync.store import documents, forms, ledger, notifications
from kdsync.store.notifications import HELD
from tests.unit.services.world import FORM, World, rules

EVERYTHING = {"id": "all", "on": ["created", "submitted", "approved", "rejected", "unapproved", "deleted"]}


@pytest.fixture
def office(world: World) -> World:
    """Forty old documents, known, and a rule that tells everything."""
    world.watch(*rules(EVERYTHING))
    for number in range(40):
        world.kingdee.create("C", f"OLD{number}")
    world.poll()
    world.clock.advance(86_400)
    world.poll()
    return world


def told(world: World) -> list[tuple[str, str]]:
    """(kind, bill number) of what is to be told: `fallback` of notices, by the name of their words."""
    with world.db.read() as tx:
        due = notifications.due(tx, world.seal, world.clock.now() + timedelta(seconds=1))
        return [(one.kind, one.number) for one in due]


def news(world: World, before: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What is to be told beyond what was to be told before, sorted."""
    return sorted((Counter(told(world)) - Counter(before)).elements())


def numbers_told(world: World) -> list[str]:
    return [number for kind, number in told(world) if number and kind != "shared"]


def notices(world: World) -> list[str]:
    with world.db.read() as tx:
        due = notifications.due(tx, world.seal, world.clock.now() + timedelta(seconds=1))
        return [one.kind for one in due if one.rule == "kdsync"]


def cursor(world: World) -> forms.FormCursor:
    with world.db.read() as tx:
        return forms.by_id(tx, 1)


def restore_to_before(world: World, work: Callable[[], Any]) -> None:
    """What `work` does is seen by kdsync, and then undone by a restored backup."""
    backup = {ident: dict(document) for ident, document in world.kingdee.documents.items()}
    work()
    world.poll()
    world.watcher.sweep()
    world.kingdee.documents = backup
    world.clock.advance(86_400)


def test_a_restored_backup_is_told_once_and_no_deletion_with_it(office: World) -> None:
    def a_day() -> None:
        for number in range(30):
            office.kingdee.create("A", f"NEW{number}")

    restore_to_before(office, a_day)
    before = told(office)
    for _ in range(3):
        office.poll()
        office.watcher.sweep()
        office.watcher.reconcile()
    assert news(office, before) == [("restored", "")]
    assert cursor(office).alarm is None
    with office.db.read() as tx:
        assert [gone for _, _, gone, _ in documents.numbered(tx, 1, ["NEW7"])] == [True]


def test_the_cursor_goes_back_to_what_a_restore_left(office: World) -> None:
    oldest = cursor(office).newest
    restore_to_before(office, lambda: [office.kingdee.create("A", f"NEW{number}") for number in range(30)])
    assert cursor(office).newest > oldest
    office.watcher.reconcile()
    assert cursor(office).newest == oldest


def test_what_people_do_after_a_restore_is_told(office: World) -> None:
    restore_to_before(office, lambda: [office.kingdee.create("A", f"NEW{number}") for number in range(30)])
    office.watcher.sweep()
    before = told(office)
    again = office.kingdee.create("A", "NEW0")  # id and number are given again
    office.poll()
    office.kingdee.move(again, "C")
    office.poll()
    assert news(office, before) == [("approved", "NEW0"), ("created", "NEW0"), ("submitted", "NEW0")]


def test_an_id_given_again_before_anybody_saw_the_restore_is_a_new_document(office: World) -> None:
    restore_to_before(office, lambda: [office.kingdee.create("C", f"NEW{number}") for number in range(30)])
    before = told(office)
    office.kingdee.create("B", "NEW0")
    office.kingdee.create("B", "OTHER")
    office.poll()
    assert news(office, before) == [
        ("created", "NEW0"),
        ("created", "OTHER"),
        ("replaced", ""),
        ("submitted", "NEW0"),
        ("submitted", "OTHER"),
    ]


def test_a_few_documents_that_are_older_than_they_were_are_told_as_usual(office: World) -> None:
    ids = list(office.kingdee.documents)[:3]

    def edits() -> None:
        for ident in ids:
            office.kingdee.edit(ident, FDocumentStatus="D")

    restore_to_before(office, edits)
    before = told(office)
    office.watcher.reconcile()
    kinds = [kind for kind, _ in news(office, before)]
    assert kinds == ["approved"] * 3 + ["rewound"] + ["submitted"] * 3


def test_many_documents_that_are_older_than_they_were_are_held(office: World) -> None:
    def edits() -> None:
        for ident in list(office.kingdee.documents)[:20]:
            office.kingdee.edit(ident, FDocumentStatus="D")

    restore_to_before(office, edits)
    before = told(office)
    office.watcher.reconcile()
    assert [kind for kind, _ in news(office, before)] == ["held", "rewound"]
    with office.db.read() as tx:
        assert notifications.counts(tx)[HELD] == 40  # submitted and approved, of twenty documents


@pytest.mark.parametrize(
    ("older", "found"),
    [(10, [("deleted", "LAST"), ("rewound", "")]), (11, [("restored", ""), ("rewound", "")])],
)
def test_rewound_documents_nobody_watches_are_evidence_where_they_are_many(
    office: World, older: int, found: list[tuple[str, str]]
) -> None:
    """A program may date back what it writes, and somebody delete the newest document: that is no restore."""

    def edits() -> None:
        for ident in list(office.kingdee.documents)[:older]:
            office.kingdee.edit(ident, FAmount=7)
        office.kingdee.create("C", "LAST")

    restore_to_before(office, edits)
    before = told(office)
    office.watcher.reconcile()
    assert news(office, before) == found
    with office.db.read() as tx:
        assert ledger.facts_like(tx, "rewound:") == {}


def test_the_newest_document_that_somebody_deletes_is_a_deletion(office: World) -> None:
    for number in range(3):
        office.kingdee.create("A", f"NEW{number}")
    office.poll()
    before = told(office)
    office.kingdee.hidden.add(max(office.kingdee.documents))
    office.watcher.sweep()
    assert news(office, before) == [("deleted", "NEW2")]


def test_a_restore_that_is_cut_off_between_two_commits_goes_on(office: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdsync.services.missing.TOGETHER", 4)
    restore_to_before(office, lambda: [office.kingdee.create("C", f"NEW{number}") for number in range(15)])
    before, commit, calls = told(office), office.looks.ingest.remove, list[int]()

    def cut(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return commit(*args, **kwargs)

    monkeypatch.setattr(type(office.looks.ingest), "remove", lambda _self, *args, **kwargs: cut(*args, **kwargs))
    with pytest.raises(KeyboardInterrupt):
        office.watcher.reconcile()
    assert news(office, before) == [("restored", "")]  # three are left, too few for an alarm
    office.watch(*rules(EVERYTHING))
    office.watcher.reconcile()
    assert news(office, before) == [("restored", "")]
    with office.db.read() as tx:
        assert ledger.facts_like(tx, "mention:") == {}
        assert all(gone for _, _, gone, _ in documents.numbered(tx, 1, [f"NEW{n}" for n in range(15)]))


def test_a_server_clock_that_is_set_back_loses_nothing(office: World) -> None:
    office.kingdee.create("C", "BEFORE")
    office.poll()
    office.kingdee.skew = timedelta(hours=-3)
    office.poll()
    assert cursor(office).newest == office.kingdee.now()
    office.kingdee.create("C", "AFTER")
    office.poll()
    assert [number for number in numbers_told(office) if number == "AFTER"] == ["AFTER"] * 3
    assert "rewound" not in notices(office)


def test_an_alarm_is_told_once_survives_a_restart_and_is_cleared_when_all_are_back(office: World) -> None:
    for number in range(30):
        office.kingdee.create("A", f"OPEN{number}")
    office.poll()
    before = told(office)
    office.kingdee.visible = False
    for _ in range(3):
        office.watch(*rules(EVERYTHING))
        office.poll()
        office.watcher.sweep()
        office.watcher.reconcile()
    assert news(office, before) == [("vanished", "")]
    office.kingdee.visible = True
    office.watcher.sweep()
    assert news(office, before) == [("vanished", ""), ("vanished_over", "")]
    assert cursor(office).alarm is None


def test_a_form_that_shows_nothing_is_not_asked_for_thousands_at_every_sweep(office: World) -> None:
    for number in range(900):
        office.kingdee.create("A", f"OPEN{number}")
    office.poll()
    office.kingdee.visible = False
    asked = list[int]()
    by_ids = office.kingdee.by_ids

    def counted(layout: Any, ids: Any) -> Any:
        asked.append(len(ids))
        return by_ids(layout, ids)

    office.kingdee.by_ids = counted  # type: ignore[method-assign]
    office.watcher.sweep()
    assert asked == [200, 940]  # the first of the open ones, then all of them once, by the look at all keys
    asked.clear()
    for _ in range(10):
        office.watcher.sweep()
    assert asked == [200, 200, 200, 100]
    office.kingdee.visible = True
    office.watcher.sweep()
    office.watcher.sweep()
    with office.db.read() as tx:
        found = documents.numbered(tx, 1, [f"OPEN{number}" for number in range(900)])
    assert all(is_open and not is_gone for _, is_open, is_gone, _ in found)


def test_only_some_that_vanish_are_an_alarm_too(office: World) -> None:
    before = told(office)
    office.kingdee.hidden = set(list(office.kingdee.documents)[5:20])
    office.watcher.reconcile()
    office.watcher.reconcile()
    assert news(office, before) == [("vanished", "")]
    assert cursor(office).alarm


def test_all_but_the_oldest_few_is_what_a_restored_backup_looks_like(office: World) -> None:
    before = told(office)
    office.kingdee.hidden = set(list(office.kingdee.documents)[3:])
    office.watcher.reconcile()
    assert news(office, before) == [("restored", "")]
    office.kingdee.hidden.clear()  # it was something else, and nothing is lost by it
    office.kingdee.move(list(office.kingdee.documents)[-1], "D")
    office.watcher.reconcile()
    assert news(office, before) == [("restored", ""), ("unapproved", "OLD39")]


def test_a_look_at_all_keys_that_failed_is_made_up_for(office: World) -> None:
    ident = office.kingdee.create("A", "GONE")
    office.poll()
    before = told(office)
    office.kingdee.hidden.add(ident)
    office.kingdee.fail_in = 5
    office.watcher.sweep()
    assert news(office, before) == []
    office.clock.advance(100)
    office.watcher.sweep()
    assert news(office, before) == [("deleted", "GONE")]


def test_a_word_of_the_operator_takes_the_deletions_that_were_held_back(office: World) -> None:
    office.kingdee.hidden = set(list(office.kingdee.documents)[5:20])
    office.watcher.reconcile()
    before = told(office)
    with office.db.write() as tx:
        ledger.accept(tx, FORM, office.clock.now())
    office.watcher.sweep()
    new = news(office, before)
    assert {number for kind, number in new if kind == "deleted"} == {f"OLD{n}" for n in range(5, 20)}
    assert ("vanished_over", "") in new
    with office.db.read() as tx:
        assert ledger.facts_like(tx, ledger.ACCEPTED) == {}


def test_a_word_of_yesterday_is_no_word_for_today(office: World) -> None:
    with office.db.write() as tx:
        ledger.accept(tx, FORM, office.clock.now())
    office.clock.advance(2 * 86_400)
    office.kingdee.hidden = set(list(office.kingdee.documents)[5:20])
    before = told(office)
    office.watcher.reconcile()
    assert news(office, before) == [("vanished", "")]


def test_a_form_that_is_compared_whole_takes_the_word_at_its_next_look(world: World) -> None:
    world.watch(*rules(EVERYTHING), section=FormSection(mode="full"))
    for number in range(40):
        world.kingdee.create("C", f"OLD{number}")
    world.poll()
    world.kingdee.hidden = set(list(world.kingdee.documents)[5:20])
    world.poll()
    assert notices(world) == ["vanished"]
    with world.db.write() as tx:
        ledger.accept(tx, FORM, world.clock.now())
    world.poll()
    assert [kind for kind, _ in told(world)].count("deleted") == 15


def test_a_page_of_three_that_was_cut_from_five_loses_nothing(office: World) -> None:
    for number in range(5):
        office.clock.advance(600)
        office.kingdee.create("C", f"LATE{number}")
    office.kingdee.cut = 2
    office.poll()
    assert {number for number in numbers_told(office) if number.startswith("LATE")} == {f"LATE{n}" for n in range(5)}
    assert notices(office).count("short") == 1
    office.watcher.reconcile()
    assert "missed_changes" not in office.meter.counters or office.meter.counters["missed_changes"] == 0


def test_a_cut_page_within_the_lookback_is_made_up_for_by_the_next_look(office: World) -> None:
    office.kingdee.create("C", "FIRST")
    office.poll()
    office.kingdee.create("C", "SECOND")
    office.kingdee.create("C", "THIRD")
    office.kingdee.cut = 2
    office.poll()
    assert "THIRD" not in numbers_told(office)
    office.poll()
    assert {"SECOND", "THIRD"} <= set(numbers_told(office))


def test_an_open_look_that_was_cut_keeps_the_document_open_and_says_so(office: World) -> None:
    ident = office.kingdee.create("A", "OPEN")
    office.poll()
    office.kingdee.cut = 1
    office.watcher.sweep()
    assert notices(office) == ["short"]
    with office.db.read() as tx:
        assert documents.numbered(tx, 1, ["OPEN"])[0][1]
    office.watcher.reconcile()
    office.clock.advance(1)
    office.kingdee.move(ident, "B")
    office.kingdee.cut = 1
    office.watcher.sweep()
    assert ("submitted", "OPEN") in told(office)
    assert notices(office) == ["short", "short"]


def test_a_document_that_comes_while_all_keys_are_looked_at_is_no_sign_of_a_cut_page(
    office: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = office.kingdee.pages

    def busy(layout: Layout, where: str, **how: Any) -> Iterator[Page]:
        yield from pages(layout, where, **how)
        if not where:
            office.kingdee.create("C", "JUST")

    monkeypatch.setattr(office.kingdee, "pages", busy)
    office.kingdee.edit(max(office.kingdee.documents), FAmount=5.0)  # so that it has to be looked by dates as well
    office.watcher.reconcile()
    assert "JUST" in numbers_told(office)
    assert notices(office) == []


def test_a_date_in_the_future_is_told_once_and_again_after_it_was_gone(office: World) -> None:
    ident = office.kingdee.create("C", "FUTURE", FCreateDate="2099-01-01T00:00:00")
    for _ in range(3):
        office.poll()
    office.watch(*rules(EVERYTHING))
    office.poll()
    assert notices(office) == ["future"]
    office.kingdee.edit(ident, FCreateDate=office.kingdee.now())
    office.poll()
    office.poll()
    office.kingdee.edit(ident, FModifyDate="2027-01-01T00:00:00")
    office.kingdee.documents[ident]["FModifyDate"] = "2027-01-01T00:00:00"
    office.poll()
    assert notices(office) == ["future", "future"]


def test_what_changes_while_a_first_look_was_cut_off_is_not_dated_in_the_future(world: World) -> None:
    idents = [world.kingdee.create("C", f"OLD{number}") for number in range(30)]
    world.kingdee.page_size = 10
    world.watch(*rules(EVERYTHING))
    world.kingdee.fail_in = 4
    world.poll()
    assert cursor(world).baselined_at is None
    world.clock.advance(3600)
    world.kingdee.edit(idents[-1], FAmount=5.0)
    world.poll()
    assert cursor(world).baselined_at is not None
    assert notices(world) == []


def test_dates_of_the_year_one_and_no_dates_are_no_oddity(office: World) -> None:
    office.kingdee.create("C", "ONE", FModifyDate="0001-01-01T00:00:00")
    office.kingdee.create("C", "NONE", FModifyDate=None)
    office.poll()
    assert notices(office) == []
    assert {"ONE", "NONE"} <= set(numbers_told(office))


def test_one_number_in_two_organisations_is_told_once_for_the_form(office: World) -> None:
    one, other = office.kingdee.create("A", "SAME"), office.kingdee.create("A", "SAME")
    office.poll()
    office.kingdee.create("A", "OLD7")
    office.poll()
    assert notices(office) == ["shared"]
    assert told(office).count(("created", "SAME")) == 2
    office.kingdee.move(one, "B")
    office.watcher.sweep()
    office.kingdee.move(other, "B")
    office.watcher.sweep()
    assert told(office).count(("submitted", "SAME")) == 2


def test_the_number_of_a_deleted_document_may_be_given_again(office: World) -> None:
    ident = office.kingdee.create("A", "AGAIN")
    office.poll()
    office.kingdee.hidden.add(ident)
    office.watcher.sweep()
    office.kingdee.create("A", "AGAIN")
    office.poll()
    assert told(office).count(("created", "AGAIN")) == 2
    assert notices(office) == []


def test_numbers_shared_in_the_first_look_are_no_news(world: World) -> None:
    for _ in range(2):
        world.kingdee.create("A", "SAME")
    world.poll()
    world.watcher.sweep()
    assert notices(world) == []


def test_a_doubled_id_is_told_once_until_it_is_over(office: World) -> None:
    office.kingdee.doubled = ("100001",)
    office.poll()
    office.poll()
    office.watch(*rules(EVERYTHING))
    office.poll()
    assert notices(office) == ["doubled"]
    office.kingdee.doubled = ()
    office.watcher.reconcile()
    office.kingdee.doubled = ("100001",)
    office.poll()
    assert notices(office) == ["doubled", "doubled"]


def test_another_account_set_behind_signed_headers_is_held(office: World) -> None:
    before = told(office)
    for ident, document in office.kingdee.documents.items():
        born = {"FBillNo": f"THEIRS{ident}", "FCreateDate": "2026-05-01T08:00:00", "FModifyDate": office.kingdee.now()}
        office.kingdee.documents[ident] = document | born
    office.poll()
    assert [kind for kind, _ in news(office, before)] == ["held", "replaced"]


def test_failures_of_kingdee_are_no_evidence(office: World) -> None:
    office.kingdee.failures = [EdgeError("kingdee", FailureKind.TRANSIENT, "cut", "cut")] * 3
    before = told(office)
    office.watcher.reconcile()
    office.watcher.sweep()
    assert told(office) == before
