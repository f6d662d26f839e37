from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.commands.plan import Decision, Done, Reason, Refuse, State, Verify, Write, is_over, next_step
from kdsync.model import Do

KINDS = ("submit", "audit", "approve", "reject", "save", "push", "operation")
SAVE = Do("save", fields={"FREMARK": "paid", "FUnit": {"FNumber": "007"}})


def refuse(reason: Reason) -> Decision:
    return Refuse(reason)


@pytest.mark.parametrize(
    ("kind", "state", "decision"),
    [
        *(("submit", State(status), Write()) for status in "ZAD"),
        *(("submit", State(status), Done()) for status in "BC"),
        ("submit", State(""), refuse(Reason.NO_STATUS)),
        ("audit", State("C"), Done()),
        ("audit", State("C", running=True), Done()),
        ("audit", State("B"), Write()),
        ("audit", State("B", running=True), refuse(Reason.WORKFLOW)),
        *(("audit", State(status), refuse(Reason.NOT_SUBMITTED)) for status in "ZAD"),
        ("audit", State(""), refuse(Reason.NO_STATUS)),
        ("approve", State("B", mine=True), Write()),
        ("reject", State("B", mine=True), Write()),
        ("approve", State("B", running=True), refuse(Reason.NO_TASK)),
        ("approve", State("C"), refuse(Reason.NO_TASK)),
        ("push", State("C"), Write()),
        ("operation", State("C"), Write()),
    ],
)
def test_what_to_do_first(kind: str, state: State, decision: Decision) -> None:
    assert next_step(Do(kind), state, sent=False) == decision


@pytest.mark.parametrize(
    ("kind", "state", "decision"),
    [
        ("submit", State("B"), Done()),
        ("submit", State("A"), Write()),
        ("audit", State("C"), Done()),
        ("audit", State("B"), Write()),
        ("approve", State("B", running=True), Done()),
        ("reject", State("D"), Done()),
        ("approve", State("B", mine=True), Write()),
        ("approve", State("B", mine=True, decided=True), Done()),
        ("push", State("C"), Verify()),
        ("operation", State("C"), Verify()),
    ],
)
def test_what_to_do_after_a_write_whose_outcome_is_unknown(kind: str, state: State, decision: Decision) -> None:
    assert next_step(Do(kind), state, sent=True) == decision


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sent", [False, True])
def test_nothing_is_done_to_a_document_that_is_gone(kind: str, sent: bool) -> None:
    assert next_step(Do(kind), State("B", mine=True, gone=True), sent) == Refuse(Reason.GONE)


def test_a_step_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="delete is no step"):
        next_step(Do("delete"), State("A"), sent=False)


@pytest.mark.parametrize(
    ("wanted", "now", "same"),
    [
        (1, "1.00", True),
        ("1", Decimal("1.0"), True),
        (0.1, "0.10", True),
        ("", None, True),
        (" ", "", True),
        ("paid ", "paid", True),
        (True, True, True),
        ("2026-12-01", "2026-12-01T00:00:00", True),
        ("2026-12-01 10:00", "2026-12-01T10:00:00", True),
        ("2026-12-01", "2026-12-01T10:00:00", False),
        ("2026-12-01 10:30", "2026-12-01T10:03:00", False),
        ("007", "7", False),
        ("paid", "Paid", False),
        (1, 2, False),
        (False, None, False),
        ("x", None, False),
    ],
)
def test_a_field_is_saved_unless_it_has_that_content(wanted: Any, now: Any, same: bool) -> None:
    decision = next_step(Do("save", fields={"FREMARK": wanted}), State("A", fields={"fremark": now}), sent=False)
    assert decision == (Done() if same else Write())


def test_fields_with_a_number_are_compared_as_they_are_read_back() -> None:
    saved = State("C", fields={"FREMARK": "paid", "FUnit.FNumber": "007"})
    assert next_step(SAVE, saved, sent=True) == Done()
    assert next_step(SAVE, replace(saved, fields={"FREMARK": "paid"}), sent=False) == Refuse(Reason.APPROVED)
    assert next_step(SAVE, State("B", fields={"FUnit.FNumber": "007"}), sent=False) == Write()


STATES = st.builds(
    State,
    st.sampled_from(["", *"ZABCD"]),
    mine=st.booleans(),
    running=st.booleans(),
    fields=st.dictionaries(st.sampled_from(["FREMARK", "FUnit.FNumber"]), st.sampled_from(["paid", "007", None])),
    gone=st.booleans(),
    decided=st.booleans(),
)
STEPS = st.sampled_from([SAVE, *(Do(kind) for kind in KINDS if kind != "save")])


@given(STEPS, STATES, st.booleans())
def test_a_step_that_is_done_stays_done_whatever_is_known_to_be_sent(do: Do, state: State, sent: bool) -> None:
    if next_step(do, state, sent) == Done():
        assert next_step(do, state, sent=True) == Done()


def after(do: Do, state: State) -> State:
    """What Kingdee shows once the write has taken effect."""
    if do.kind in ("approve", "reject"):
        return replace(state, mine=False, decided=True)
    shown = {**state.fields, **do.read_back}
    return replace(state, status={"submit": "B", "audit": "C"}.get(do.kind, state.status), fields=shown)


@given(STEPS, STATES)
def test_once_the_state_shows_a_write_it_is_never_repeated(do: Do, state: State) -> None:
    if next_step(do, state, sent=False) == Write():
        assert next_step(do, after(do, state), sent=True) in (Done(), Verify())


@given(STEPS, STATES, st.booleans())
def test_an_audit_never_goes_past_a_workflow_and_nothing_is_written_into_the_approved(
    do: Do, state: State, sent: bool
) -> None:
    if next_step(do, state, sent) == Write():
        assert not (do.kind == "audit" and state.running)
        assert not (do.kind in ("save", "submit", "audit") and state.status == "C")
        assert not state.gone


@pytest.mark.parametrize(
    ("steps", "status", "decided", "over"),
    [
        (["submit", "audit"], "A", False, False),
        (["submit", "audit"], "B", False, False),
        (["submit", "audit"], "D", False, False),
        (["submit", "audit"], "C", False, True),
        (["submit"], "B", False, True),
        (["submit"], "Z", False, False),
        (["audit"], "A", False, False),
        (["audit"], "B", False, False),
        (["audit"], "D", False, True),
        (["audit"], "", False, False),
        (["approve"], "B", False, False),
        (["approve"], "B", True, True),
        (["reject"], "C", False, True),
        (["approve"], "D", False, True),
        (["approve"], "A", False, False),
        (["save"], "B", False, False),
        (["save"], "C", False, True),
        (["push"], "C", False, False),
        (["operation"], "C", False, False),
    ],
)
def test_when_a_button_has_nothing_left_to_do(steps: list[str], status: str, decided: bool, over: bool) -> None:
    assert is_over([Do(kind) for kind in steps], status, decided=decided) is over
