"""A log becomes a script that Kingdee would allow, and says by itself who must hear of what."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.clock import FakeClock
from kdsync.demo import replay
from kdsync.demo.company import PEOPLE, hire
from kdsync.demo.player import perform
from kdsync.demo.replay import ACTS, APPROVED, SENT_BACK, LogError, Plan, Row, plan, read
from kdsync.demo.script import Filed, Step
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.kingdee import SimulatedKingdee

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
SAMPLE = Path(replay.__file__).with_name("sample.csv")
SUBMIT = "Declaration SUBMITTED by EMPLOYEE"
SAVE = "Declaration SAVED by EMPLOYEE"
ENDORSE = "Declaration APPROVED by ADMINISTRATION"
APPROVE = "Declaration FINAL_APPROVED by SUPERVISOR"
REJECT = "Declaration REJECTED by ADMINISTRATION"
TAKE_BACK = "Declaration REJECTED by EMPLOYEE"
PAY = "Payment Handled"


def log(*activities: str, amount: str = "26.85") -> list[Row]:
    return [
        Row("86791", Decimal(amount), START + timedelta(hours=hour), activity)
        for hour, activity in enumerate(activities)
    ]


def planned(*activities: str) -> Plan:
    return plan(log(*activities), ["zhangsan"], "zhoujie")


def verbs(made: Plan) -> list[str]:
    return [step.verb for beat in made.beats for step in beat.steps]


def told(made: Plan) -> list[tuple[str, ...]]:
    return [tell.words for beat in made.beats for step in beat.steps for tell in step.tells]


def test_a_claim_that_goes_through() -> None:
    made = planned(SUBMIT, ENDORSE, APPROVE, "Request Payment", PAY)
    assert verbs(made) == ["create", "submit", "write_back", "audit", "write_back", "write_back"]
    assert told(made) == [(APPROVED, "26.85")]
    assert [step.actor for step in steps(made)] == ["zhangsan", "zhangsan", *["zhoujie"] * 4]
    assert steps(made)[0].number == "BX-86791"


def test_a_claim_that_is_sent_back_corrected_and_submitted_again() -> None:
    made = planned(SUBMIT, REJECT, TAKE_BACK, SUBMIT, APPROVE)
    assert verbs(made) == ["create", "submit", "reject", "edit", "submit", "audit"]
    assert [words[0] for words in told(made)] == [SENT_BACK, APPROVED]


def test_a_rejection_after_the_final_approval_takes_the_approval_back() -> None:
    made = planned(SUBMIT, APPROVE, "Declaration REJECTED by MISSING", SUBMIT, APPROVE)
    assert verbs(made) == ["create", "submit", "audit", "unaudit", "submit", "audit"]
    assert [words[0] for words in told(made)] == [APPROVED, SENT_BACK, APPROVED]


def test_a_withdrawal_looks_like_a_rejection() -> None:
    assert verbs(planned(SUBMIT, TAKE_BACK)) == ["create", "submit", "reject"]


def test_a_draft_that_is_saved_twice_before_it_is_submitted() -> None:
    assert verbs(planned(SAVE, SAVE, SUBMIT)) == ["create", "edit", "submit"]


def test_a_final_approval_of_what_was_never_submitted_is_played_after_a_submission_and_counted() -> None:
    made = planned(APPROVE)
    assert verbs(made) == ["create", "submit", "audit"]
    assert made.mended.total() == 1
    assert made.tells == 1


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ((SUBMIT, SUBMIT), "submit while in approval"),
        ((SUBMIT, APPROVE, APPROVE), "approve while approved"),
        ((SUBMIT, REJECT, REJECT), "reject while sent back"),
        ((PAY,), "pay while it did not exist"),
        ((SUBMIT, "Declaration LOST by POST"), "unknown activity 'Declaration LOST by POST'"),
    ],
)
def test_a_row_that_makes_no_sense_is_skipped_and_counted(rows: Sequence[str], reason: str) -> None:
    made = planned(*rows)
    assert made.skipped == {reason: 1}
    assert made.rows == len(made.beats) + 1


@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=12))
def test_kingdee_allows_every_step_of_whatever_is_logged(activities: list[str]) -> None:
    made = planned(*activities)
    clock = FakeClock(START)
    kingdee = SimulatedKingdee(clock)
    ids = hire(PEOPLE, kingdee, SimulatedDingTalk(clock))
    bill: Filed | None = None
    for step in steps(made):
        bill = perform(kingdee, step, ids[step.actor], bill, clock.now())
    assert len(made.beats) + made.skipped.total() == len(activities)
    if bill:
        assert kingdee.document(bill.form, bill.doc_id)["FExpAmountSum"] == Decimal("26.85")


def test_declarations_are_spread_over_the_people() -> None:
    rows = [Row(str(number), Decimal(1), START, SUBMIT) for number in range(400)]
    creators = {step.actor for step in steps(plan(rows, [f"clerk{n}" for n in range(80)], "zhoujie"))}
    assert len(creators) == 80


def test_the_sample_has_claims_that_were_sent_back_and_rows_that_make_no_sense() -> None:
    made = plan(read(SAMPLE), ["zhangsan"], "zhoujie")
    assert made.declarations == 41
    assert {"reject", "unaudit", "audit", "edit"} <= set(verbs(made))
    assert made.skipped
    assert made.mended


def test_a_limit_takes_the_first_declarations_whole() -> None:
    every, some = read(SAMPLE), read(SAMPLE, limit=5)
    names = list(dict.fromkeys(row.declaration for row in every))[:5]
    assert some == [row for row in every if row.declaration in names]


def test_a_gzipped_log_reads_like_a_plain_one(tmp_path: Path) -> None:
    packed = tmp_path / "log.csv.gz"
    packed.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    assert read(packed) == read(SAMPLE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "no column declaration, amount_eur, time, activity"),
        ("declaration,amount_eur,time,activity\n", "nothing to play"),
        ("declaration,amount_eur,time,activity\n1,much,2024-01-01T00:00:00Z,x\n", "line 2"),
        ("declaration,amount_eur,time,activity\n1,2.00,yesterday,x\n", "line 2"),
        ("declaration,amount_eur,time,activity\n1,2.00\n", "line 2"),
    ],
)
def test_a_file_that_is_no_log_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "log.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(LogError, match=said):
        read(file)


@pytest.mark.parametrize("content", [b"not gzip at all", gzip.compress(b"declaration")[:12]], ids=["none", "cut off"])
def test_a_gzipped_file_that_is_none_or_is_cut_off(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "log.csv.gz"
    file.write_bytes(content)
    with pytest.raises(LogError, match=r"cannot read .*log\.csv\.gz"):
        read(file)


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="cannot read"):
        read(tmp_path / "none.csv")


def steps(made: Plan) -> list[Step]:
    return [step for beat in made.beats for step in beat.steps]
