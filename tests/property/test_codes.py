"""Whatever codes come in whatever order: nothing above the limit happens without a fresh one, and none counts twice."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdsync.commands.onetime import STEP, code_at
from kdsync.store import inbox
from tests.unit.services.test_codes import SECRET, Bank
from tests.unit.services.world import World

BILLS = 4
Said = tuple[str, int, int, int]
"""How (asked, both or code), about which bill, a code of how many steps away, and seconds until the next."""

SAYINGS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "both", "code"]),
        st.integers(1, BILLS),
        st.sampled_from([0, 0, -1, 1, 2, 99]),
        st.sampled_from([0, 1, 29, 31, 90, 301, 3601]),
    ),
    max_size=10,
)


def spelt(bank: Bank, said: Said) -> tuple[str, int]:
    """The message, and the step of its code."""
    how, bill, off, _ = said
    at = bank.world.clock.now().timestamp()
    code, step = code_at(SECRET, at + off * STEP), int(at) // STEP + off
    return {"ask": f"确认付款 FKD{bill}", "both": f"确认付款 FKD{bill} {code}", "code": code}[how], step


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SAYINGS)
def test_a_code_opens_one_door_once(sayings: list[Said]) -> None:
    with TemporaryDirectory() as folder:
        bank = Bank(World(Path(folder)))
        for bill in range(2, BILLS + 1):
            bank.desk.create(str(bill), f"FKD{bill}", FAmount=80)
        used: list[int] = []
        for number, said in enumerate(sayings):
            text, step = spelt(bank, said)
            before, changed = bank.enrolled(), len(bank.desk.written)
            locked = before.locked_until is not None and before.locked_until > bank.world.clock.now()
            item = bank.say("u1", text, ident=f"{number}")
            if len(bank.desk.written) > changed:
                assert said[0] != "ask"
                assert not locked
                assert step > max(used, default=0), "a step counts once, and only later ones after it"
                assert abs(said[2]) <= 1, "no code from further away"
                assert item.state == inbox.DONE
                used.append(step)
            assert bank.enrolled().wrong < 5
            assert item.state != inbox.WAITING
            assert code_at(SECRET, step * STEP) not in bank.stored()
            bank.world.clock.advance(said[3])
        bank.world.db.close()
