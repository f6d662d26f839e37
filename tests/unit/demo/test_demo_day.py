"""The day in the company is possible in Kingdee, and its words are those of the shipped rules."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from kdsync.clock import FakeClock
from kdsync.demo.company import BOLTS, GROUP_NAMES, PEOPLE, USERIDS, Company, populate
from kdsync.demo.day import DAY, LENGTH, day
from kdsync.demo.player import perform
from kdsync.demo.script import Step
from kdsync.demo.setting import Poll
from kdsync.demo.show import SHORTEST
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.kingdee import SimulatedKingdee

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def moved_in() -> tuple[SimulatedKingdee, Company]:
    clock = FakeClock(START)
    kingdee = SimulatedKingdee(clock)
    return kingdee, populate(kingdee, SimulatedDingTalk(clock), START.date())


def said(step: Step) -> bool:
    return step.verb == "answer"


def test_kingdee_allows_the_whole_day() -> None:
    kingdee, company = moved_in()
    papers: dict[str, Any] = dict(company.papers)
    for step in DAY:
        paper = papers.get(step.paper)
        papers[step.paper] = perform(kingdee, step, company.ids[step.actor], paper, START) if not said(step) else paper
    shown = {name: kingdee.document(papers[name].form, papers[name].doc_id) for name in ("fair", "bolts", "owed")}
    assert shown["fair"]["FDocumentStatus"] == "C"
    assert shown["bolts"]["FBaseQty"] == 0
    assert shown["owed"]["FWRITTENOFFSTATUS"] == "C"
    order = kingdee.document("PUR_PurchaseOrder", papers["running order"].doc_id)
    assert [(row["FQty"], row["FMaterialId"]["FName"]) for row in order["entries"]] == [(55, "冷轧钢板")]


def test_every_answer_has_one_reply_to_the_one_who_wrote_it() -> None:
    for step in filter(said, DAY):
        assert [tell.who for tell in step.tells if tell.reply] == [USERIDS[step.actor]]
        assert "{}" in step.says
    assert {step.leaves for step in DAY if said(step)} == {"B", "C"}
    assert not [tell for step in DAY if not said(step) for tell in step.tells if tell.reply]


def test_the_task_has_been_told_before_it_is_answered_even_on_the_shortest_day() -> None:
    asked, answered = (step.at for step in day(SHORTEST) if step.paper == "training trip" and step.verb != "create")
    assert answered - asked > Poll().sweep + Poll().interval


def test_a_look_fits_between_two_steps_of_one_paper_even_on_the_shortest_day() -> None:
    times: defaultdict[str, list[float]] = defaultdict(list)
    for step in day(SHORTEST):
        times[step.paper].append(step.at)
    gaps = [later - at for mine in times.values() for at, later in pairwise(mine)]
    assert min(gaps) > Poll().sweep


def test_the_day_is_in_order_and_as_long_as_it_is_wanted() -> None:
    assert [step.at for step in DAY] == sorted(step.at for step in DAY)
    assert (DAY[0].at, DAY[-1].at) == (0, LENGTH)
    assert day(40)[-1].at == 40


def test_everybody_who_is_told_something_has_a_phone() -> None:
    known = {person.userid for person in PEOPLE} | set(GROUP_NAMES)
    assert {tell.who for step in DAY for tell in step.tells} <= known


def test_somebody_is_found_by_phone_and_somebody_by_job_number_alone() -> None:
    _kingdee, company = moved_in()
    assert {"nguyenan", "sunli"} <= set(company.ids)
    kingdee_phones = {person.account: person.phone_in_kingdee for person in PEOPLE}
    assert (kingdee_phones["nguyenan"], kingdee_phones["sunli"]) == (True, False)


def test_the_stores_hold_enough_before_the_day_begins() -> None:
    kingdee, company = moved_in()
    bolts = company.papers["bolts"]
    assert kingdee.document(bolts.form, bolts.doc_id)["FMaterialId"]["FName"] == BOLTS.name
    assert kingdee.document(bolts.form, bolts.doc_id)["FBaseQty"] >= 100
