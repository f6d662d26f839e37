"""What the demo prints stays within the terminal, whatever it has to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.cells import cell_len

from kdsync.clock import FakeClock
from kdsync.demo.day import DAY
from kdsync.demo.player import Rung
from kdsync.demo.process import Counts
from kdsync.demo.screen import Screen, beginning
from kdsync.demo.script import Filed, Said
from kdsync.demo.tally import Delays, Result, Verdict
from kdsync.demo.verdict import Outcome
from kdsync.simulator.dingtalk_phones import Seen

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
ACTORS: Mapping[str, str] = {step.actor: "Nguyễn Văn An" for step in DAY}


def rung(*verdicts: Verdict, title: str = "报销单 FYBX000001 待审核", text: str = "") -> Rung:
    seen = tuple(Seen(f"user{n}", "work", title, text, AT, {}) for n, _ in enumerate(verdicts))
    return Rung(seen, verdicts, 1.25)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("COLUMNS", "80")
    return Screen(FakeClock(AT), ACTORS, {"user0": "张三", "user1": "李四"})


@pytest.mark.parametrize("columns", [40, 80])
def test_no_line_is_longer_than_the_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    screen = Screen(FakeClock(AT), ACTORS, {})
    for step in DAY:
        form = step.content.form if step.content else "ER_ExpReimbursement"
        screen.step(step, Filed(form, 1, "FYBX000001", Decimal("1234567.89"), "五层纸箱" * 20), AT)
    screen.rung(rung(*[Verdict.SEEN] * 2, title="很长的标题" * 30, text="很长的一行\n" * 30))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(DAY) + 2
    assert max(cell_len(line) for line in lines) <= columns


def test_a_step_says_who_did_what_to_which_bill(screen: Screen, capsys: pytest.CaptureFixture[str]) -> None:
    submit = next(step for step in DAY if step.verb == "submit")
    screen.step(submit, Filed("ER_ExpReimbursement", 1, "FYBX000004", Decimal("860.5")), AT)
    assert "Nguyễn Văn An submits 费用报销单 Expense claim FYBX000004, 860.50" in capsys.readouterr().out


def test_a_message_says_on_whose_phone_and_how_it_begins(screen: Screen, capsys: pytest.CaptureFixture[str]) -> None:
    text = "报销单 FYBX000001 待审核 ❗\n金额 860.50\n\n事由：打车\n2026-01-05 17:00:00 · #0a1b2c3d"
    screen.rung(rung(Verdict.SEEN, Verdict.SEEN, text=text))
    assert capsys.readouterr().out.splitlines() == [
        "  +1.2 s  > 张三, 李四: 报销单 FYBX000001 待审核",
        "            金额 860.50 / 事由：打车",
    ]


def test_an_answer_is_shown_as_it_is_written(screen: Screen, capsys: pytest.CaptureFixture[str]) -> None:
    screen.step(next(step for step in DAY if step.verb == "answer"), Filed("AP_PAYBILL", 1, "FKD000006"), AT)
    assert "Nguyễn Văn An writes: 确认付款 FKD000006" in capsys.readouterr().out


def test_below_a_reply_stands_what_kingdee_has(screen: Screen, capsys: pytest.CaptureFixture[str]) -> None:
    paper = Filed("AP_PAYBILL", 1, "FKD000006")
    screen.rung(replace(rung(Verdict.SEEN), paper=paper, status="C"))
    screen.rung(replace(rung(Verdict.SEEN), paper=paper, status="B", right=False))
    lines = [line for line in capsys.readouterr().out.splitlines() if "Kingdee" in line]
    assert lines == [
        "          = Kingdee: 付款单 FKD000006 Approved",
        "          = Kingdee: 付款单 FKD000006 In approval (wrong!)",
    ]


def test_a_double_is_pointed_at(screen: Screen, capsys: pytest.CaptureFixture[str]) -> None:
    screen.rung(rung(Verdict.SEEN, Verdict.DOUBLED))
    assert "(doubled!)" in capsys.readouterr().out


def test_a_notice_to_operators_stands_with_its_time_and_is_no_mistake(
    screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    screen.rung(rung(Verdict.EXPLAINED, title="Kingdee 不可用"))
    (line,) = capsys.readouterr().out.splitlines()
    assert line == f"{AT.astimezone():%H:%M:%S}  > 张三: Kingdee 不可用"


def test_the_title_and_the_footer_are_not_repeated() -> None:
    assert beginning("T", "T ❗\na\nb\nc\nd\n2026 · #0a1b2c3d") == ["a", "b", "c"]


def test_progress_in_a_pipe_comes_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock(AT)
    screen = Screen(clock, {}, {})
    lines: list[str] = []
    monkeypatch.setattr(screen._console, "print", lambda line, **_options: lines.append(str(line)))
    for second in range(25):
        screen.progress(f"second {second}")
        clock.advance(1.0)
    screen.progress("the end", last=True)
    assert lines == ["second 0", "second 10", "second 20", "the end"]


def outcome(*, noticed: int = 2, counts: Counts | None = None, missed: int = 0) -> Outcome:
    told = Result(3, 3 - missed, missed, 0, 0, Delays(0.5, 1.0, 1.25))
    return Outcome({"approved": 2, "unseen": 4}, {"approved": noticed}, told, counts or Counts(), 3, 5000)


def test_the_summary_of_a_good_run() -> None:
    rows = {label.strip(): figure for label, figure, _ in outcome().rows()}
    assert outcome().good
    assert rows["changes made in Kingdee"] == rows["changes noticed by kdsync"] == "2"
    assert rows["delay, change to DingTalk"] == "median 0.5 s, p99 1.0 s, worst 1.2 s"
    assert rows["DingTalk calls used"] == "3 of 5,000 a month"


@pytest.mark.parametrize(
    "bad",
    [
        outcome(missed=1),
        outcome(counts=Counts(loop_failures=1)),
        outcome(counts=Counts(missed_changes=1)),
        replace(outcome(), said=Said(2, 1)),
    ],
)
def test_whatever_went_wrong_is_marked_and_spoils_the_exit_code(bad: Outcome) -> None:
    assert not bad.good
    assert any(not good for _label, _figure, good in bad.rows())


def test_answers_have_figures_of_their_own_where_there_were_any() -> None:
    rows = {label.strip(): figure for label, figure, _ in replace(outcome(), said=Said(5, 5)).rows()}
    assert rows["answers given in DingTalk"] == rows["with the right effect in Kingdee"] == "5"
    assert "answers given in DingTalk" not in {label for label, _figure, _good in outcome().rows()}


def test_notices_to_operators_are_counted_where_there_were_any() -> None:
    told = replace(outcome(), told=replace(outcome().told, explained=2))
    assert told.good
    assert ("  that the faults explain", "2", True) in list(told.rows())
    assert "  that the faults explain" not in {label for label, *_ in outcome().rows()}


def test_changes_that_were_not_noticed_are_named() -> None:
    assert ("changes noticed by kdsync", "1 (approved -1)", False) in list(outcome(noticed=1).rows())
