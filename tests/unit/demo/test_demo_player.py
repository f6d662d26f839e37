"""The player keeps time, listens meanwhile, and holds what rings against what must."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from queue import SimpleQueue

import pytest

from kdsync.clock import FakeClock, SystemClock
from kdsync.demo.company import expense, populate
from kdsync.demo.player import Player, Rung, perform
from kdsync.demo.script import Said, Step, Tell
from kdsync.demo.stage import Stage
from kdsync.demo.tally import Verdict
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.dingtalk_phones import Seen
from kdsync.simulator.kingdee import SimulatedKingdee

CREATE = Step(0.0, "zhangsan", "create", "claim", expense("12.00", "打车"), number="X-1")
SUBMIT = Step(0.05, "zhangsan", "submit", "claim", tells=(Tell("user2", ("待审核",)), Tell("user3", ("待审核",))))


@pytest.fixture
def rungs() -> list[Rung]:
    return []


@pytest.fixture
def player(rungs: list[Rung]) -> Player:
    clock = SystemClock()
    kingdee, dingtalk = SimulatedKingdee(clock), SimulatedDingTalk(clock)
    company = populate(kingdee, dingtalk, clock.now().date())
    stage = Stage(kingdee, dingtalk, SimpleQueue(), clock)
    return Player(stage, company.ids, dict(company.papers), on_rung=rungs.append)


def ring(player: Player, who: str, title: str, task: int = 1) -> None:
    player.stage.phones.put(Seen(who, "work", title, "", player.stage.clock.now(), {}, task))


def test_steps_are_played_at_their_times(player: Player) -> None:
    began = player.stage.clock.monotonic()
    player.play([CREATE, SUBMIT])
    assert player.stage.clock.monotonic() - began >= SUBMIT.at
    assert player.stage.kingdee.document("ER_ExpReimbursement", player.papers["claim"].doc_id)["FDocumentStatus"] == "B"
    assert player.played == {"created": 1, "submitted": 1}


def test_phones_that_one_call_reaches_ring_together(player: Player, rungs: list[Rung]) -> None:
    player.play([CREATE, SUBMIT])
    for who in ("user2", "user3"):
        ring(player, who, "报销单 X-1 待审核")
    player.finish(patience=1.0, settle=0.0)
    assert [[seen.who for seen in rung.seen] for rung in rungs] == [["user2", "user3"]]
    assert rungs[0].verdicts == (Verdict.SEEN, Verdict.SEEN)
    assert player.tally.complete


def test_it_waits_for_what_is_missing_but_not_forever(player: Player) -> None:
    player.play([CREATE, SUBMIT])
    ring(player, "user2", "报销单 X-1 待审核")
    player.finish(patience=0.1, settle=0.0)
    assert [missing.who for missing in player.tally.missing] == ["user3"]


def test_a_double_that_comes_after_everything_was_seen_is_still_heard(player: Player) -> None:
    player.play([CREATE, SUBMIT])
    for who in ("user2", "user3", "user2"):
        ring(player, who, "报销单 X-1 待审核", task=2)
    player.finish(patience=1.0, settle=0.1)
    assert player.tally.result().doubled == 1


def answer(leaves: str) -> Step:
    reply = Tell("user2", ("已完成",), reply=True)
    return Step(0.1, "lisi", "answer", "claim", tells=(reply,), says="同意 {} 好", leaves=leaves)


def test_an_answer_is_written_in_dingtalk_and_judged_by_what_kingdee_then_has(
    player: Player, rungs: list[Rung]
) -> None:
    player.play([CREATE, replace(SUBMIT, tells=()), answer("B")])
    (push,) = player.stage.dingtalk._stream.pushed
    assert push.data["text"] == {"content": "同意 X-1 好"}
    assert push.data["senderStaffId"] == "user2"
    assert player.played == {"created": 1, "submitted": 1, "unseen": 1}
    ring(player, "user2", "X-1：同意 已完成")
    player.finish(patience=1.0, settle=0.0)
    assert (rungs[0].paper, rungs[0].status, rungs[0].right) == (player.papers["claim"], "B", True)
    assert player.said == Said(1, 1)


def test_a_reply_that_says_what_kingdee_does_not_have_is_no_good(player: Player, rungs: list[Rung]) -> None:
    player.play([CREATE, replace(SUBMIT, tells=()), answer("C")])
    ring(player, "user2", "X-1：同意 已完成")
    player.finish(patience=1.0, settle=0.0)
    assert not rungs[0].right
    assert not player.said.good


def test_an_answer_whose_reply_never_comes_is_no_good_either(player: Player) -> None:
    player.play([CREATE, replace(SUBMIT, tells=()), answer("B")])
    player.finish(patience=0.05, settle=0.0)
    assert player.said == Said(1, 0)
    assert player.tally.result().missed == 1


def test_submitting_can_start_a_workflow_that_asks_somebody(player: Player) -> None:
    player.play([CREATE, replace(SUBMIT, tells=(), waits_for="lisi")])
    player.stage.kingdee.answer_task("ER_ExpReimbursement", player.papers["claim"].doc_id, "lisi", True)
    assert player.stage.kingdee.document("ER_ExpReimbursement", player.papers["claim"].doc_id)["FDocumentStatus"] == "C"


def test_when_it_falls_behind_the_later_steps_do_not_bunch_up(player: Player) -> None:
    at: list[float] = []
    clock = player.stage.clock

    def slow(step: Step, _paper: object, _at: object) -> None:
        at.append(clock.monotonic())
        if step is CREATE:
            clock.wait(threading.Event(), 0.2)

    player.on_step = slow
    edit = Step(0.1, "zhangsan", "submit", "claim")
    player.play([CREATE, Step(0.0, "zhangsan", "create", "other", expense("1.00", "x")), edit])
    assert at[2] - at[1] >= 0.1 - 0.01


def test_a_step_on_a_paper_that_the_script_does_not_have() -> None:
    now = datetime(2026, 1, 5, tzinfo=UTC)
    with pytest.raises(KeyError, match="claim"):
        perform(SimulatedKingdee(FakeClock(now)), SUBMIT, 1, None, now)
