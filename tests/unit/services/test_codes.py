"""Above a limit a one-time code of the sender has to come, and each counts once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from kdsync.commands.onetime import STEP, code_at
from kdsync.errors import StoreUnusableError
from kdsync.services.codes import MOST_WRONG
from kdsync.services.notices import RAISED
from kdsync.store import codes, inbox, ledger, notifications, schema
from kdsync.store.inbox import Received
from tests.unit.services.test_inbound import CONFIRM, Office, action
from tests.unit.services.world import World

SECRET = b"12345678901234567890"
LIMITED: dict[str, Any] = {**CONFIRM, "limit": {"field": "FAmount", "max": 50, "above": "totp"}}
OTHER = {**CONFIRM, "id": "note", "phrases": ["备注"], "do": ["submit"]}


class Bank(Office):
    """An office where `u1` has codes, and `FKD1` is above the limit."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.actions = [action(LIMITED), action(OTHER)]
        self.bill = self.desk.create("1", "FKD1", FAmount=80)
        with world.db.write() as tx:
            codes.enrol(tx, world.seal, "u1", SECRET, world.clock.now(), 0)

    def code(self, off: float = 0) -> str:
        """What the app of `u1` shows."""
        return code_at(SECRET, self.world.clock.now().timestamp() + off)

    def enrolled(self) -> codes.Enrolled:
        with self.world.db.read() as tx:
            found = codes.find(tx, "u1")
        assert found
        return found

    def stored(self) -> str:
        """Everything that is kept of messages and answers, but Kingdee's."""
        with self.world.db.read() as tx:
            kept = [*tx.execute(select(schema.inbox)), *tx.execute(select(schema.notifications))]
        return str(kept)

    def notices(self) -> list[str]:
        with self.world.db.read() as tx:
            told = notifications.due(tx, self.world.seal, self.world.clock.now())
        return [one.kind for one in told if one.kind == "code_locked"]


@pytest.fixture
def bank(world: World) -> Bank:
    return Bank(world)


def standing_alarms(world: World) -> dict[str, str]:
    with world.db.read() as tx:
        return ledger.facts_like(tx, RAISED)


def outcome(item: Received) -> tuple[str, str]:
    return item.state, item.reason


def test_a_code_in_the_same_message_is_enough_and_is_not_kept(bank: Bank) -> None:
    code = bank.code()
    done = bank.say("u1", f"确认付款 FKD1 发票齐全 {code}")
    assert (done.state, bank.desk.status("1")) == (inbox.DONE, "C")
    assert {opinion for *_, opinion in bank.desk.written} == {"发票齐全"}
    assert done.content["text"] == "确认付款 FKD1 发票齐全 "
    assert code not in bank.stored()


def test_a_code_follows_as_a_message_of_its_own(bank: Bank) -> None:
    asked = bank.say("u1", "确认付款 FKD1 发票齐全")
    assert outcome(asked) == (inbox.ASKED, "a one-time code has to come with it")
    assert bank.answers("u1") == ["FKD1: please send your one-time code"]
    assert bank.desk.sent == []
    bank.world.clock.advance(120)
    code = bank.code()
    done = bank.say("u1", f" {code[:3]} {code[3:]} ".translate(str.maketrans("0123456789", "０１２３４５６７８９")))
    assert (done.state, done.number, bank.desk.status("1")) == (inbox.DONE, "FKD1", "C")
    assert {opinion for *_, opinion in bank.desk.written} == {"发票齐全"}
    assert bank.row(asked.id).state == inbox.CODED
    assert code not in bank.stored()
    bank.world.clock.advance(STEP)
    assert outcome(bank.say("u1", bank.code())) == (inbox.REFUSED, "nothing waits for a one-time code")


def test_below_the_limit_no_code_is_needed_and_one_that_comes_is_no_opinion(bank: Bank) -> None:
    bank.desk.create("2", "FKD2", FAmount=50)
    bank.desk.create("3", "FKD3", FAmount=50)
    assert bank.say("u1", "确认付款 FKD2").state == inbox.DONE
    assert bank.say("u1", f"确认付款 FKD3 {bank.code()}").state == inbox.DONE
    assert {opinion for *_, opinion in bank.desk.written} == {""}
    assert bank.enrolled().last_step == 0


def test_a_code_counts_once(bank: Bank) -> None:
    bank.desk.create("2", "FKD2", FAmount=80)
    code = bank.code()
    assert bank.say("u1", f"确认付款 FKD1 {code}").state == inbox.DONE
    again = bank.say("u1", f"确认付款 FKD2 {code}")
    assert outcome(again) == (inbox.ASKED, "that one-time code, or a later one, was used before")
    assert bank.enrolled().wrong == 0
    assert bank.say("u1", bank.code(-STEP)).state == inbox.REFUSED
    bank.world.clock.advance(STEP)
    assert bank.say("u1", bank.code()).state == inbox.DONE
    assert bank.desk.status("2") == "C"


def test_the_same_message_pushed_again_is_no_second_use(bank: Bank) -> None:
    text = f"确认付款 FKD1 {bank.code()}"
    bank.hear("u1", text, ident="same")
    bank.inbound.step()
    bank.hear("u1", text, ident="same")
    bank.inbound.step()
    assert bank.row("same").state == inbox.DONE
    assert [kind for kind, *_ in bank.desk.sent] == ["submit", "audit"]


def test_a_code_outlives_an_hour_without_kingdee(bank: Bank) -> None:
    key = bank.hear("u1", f"确认付款 FKD1 {bank.code()}")
    bank.desk.down = True
    bank.wait(1800)
    assert bank.row(key).state == inbox.WAITING
    bank.desk.down = False
    bank.wait(60)
    assert bank.row(key).state == inbox.DONE


@pytest.mark.parametrize("own_message", [False, True])
@pytest.mark.parametrize(
    ("late", "counts"), [(0, True), (90, True), (299, True), (301, False), (-45, True), (-90, False)]
)
def test_a_code_is_of_the_moment_when_it_was_said_not_of_when_it_was_pushed(
    bank: Bank, late: int, *, counts: bool, own_message: bool
) -> None:
    """DingTalk pushes a message again, or late; and its clock need not be ours."""
    if own_message:
        bank.say("u1", "确认付款 FKD1", said_at=bank.world.clock.now().isoformat())
    bank.world.clock.advance(301 - max(late, 0) - 2)
    code, said = bank.code(-min(late, 0)), bank.world.clock.now() - timedelta(seconds=min(late, 0))
    bank.world.clock.advance(max(late, 0))
    item = bank.say("u1", code if own_message else f"确认付款 FKD1 {code}", said_at=said.isoformat())
    assert (item.state == inbox.DONE) == counts, item.reason


@pytest.mark.parametrize("said", ["", "1970-01-01T00:00:00+00:00", "yesterday", None, "2026-11-23T10:00:00"])
def test_a_message_that_does_not_tell_when_it_was_said_counts_when_it_came(bank: Bank, said: Any) -> None:
    assert bank.say("u1", f"确认付款 FKD1 {bank.code()}", said_at=said).state == inbox.DONE


def test_after_a_crash_between_leave_and_write_the_code_is_not_asked_for_again(bank: Bank) -> None:
    bank.desk.faults = ["locked"]
    key = bank.say("u1", f"确认付款 FKD1 {bank.code()}").id
    assert bank.row(key).state == inbox.WAITING
    bank.restart()
    bank.wait(300)
    assert (bank.row(key).state, bank.desk.status("1")) == (inbox.DONE, "C")


def test_a_store_that_fails_then_burns_no_code(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    key = bank.hear("u1", f"确认付款 FKD1 {bank.code()}")

    def full(*_: Any) -> None:
        raise StoreUnusableError("full")

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "understood", full)
        with pytest.raises(StoreUnusableError):
            bank.inbound.step()
    assert (bank.enrolled().last_step, bank.desk.sent) == (0, [])
    bank.inbound.step()
    assert bank.row(key).state == inbox.DONE


class KilledError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("own_message", [False, True])
def test_killed_at_any_commit_a_code_is_used_once_and_answered_once(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, *, own_message: bool, committed: bool
) -> None:
    """Each bill is killed one commit later than the one before, until one is not killed any more."""
    real, left = bank.world.db.write, [0]

    @contextmanager
    def write() -> Iterator[Connection]:
        left[0] -= 1
        with real() as tx:
            yield tx
            if left[0] == 0 and not committed:
                raise KilledError
        if left[0] == 0:
            raise KilledError

    monkeypatch.setattr(bank.world.db, "write", write)
    kill_at = 0
    while left[0] <= 0:
        kill_at += 1
        bill, steps = str(100 + kill_at), bank.enrolled().last_step
        bank.desk.create(bill, f"FKD{bill}", FAmount=80)
        asked = bank.say("u1", f"确认付款 FKD{bill}") if own_message else None
        key = bank.hear("u1", bank.code() if asked else f"确认付款 FKD{bill} {bank.code()}")
        left[0] = kill_at
        with suppress(KilledError):
            bank.inbound.step()
        bank.restart()
        killed, left[0] = left[0] <= 0, 0
        bank.wait(120)
        assert (bank.row(key).state, bank.desk.status(bill)) == (inbox.DONE, "C")
        assert [kind for kind, ident, _ in bank.desk.sent if ident == bill] == ["submit", "audit"]
        assert sum(f"FKD{bill}: 确认付款 is done" in one for one in bank.answers("u1")) == 1
        assert bank.enrolled().last_step > steps
        assert asked is None or bank.row(asked.id).state == inbox.CODED
        left[0] = 0 if killed else 1
    assert kill_at > 5


def test_five_wrong_codes_lock_for_an_hour_and_are_told_once(bank: Bank) -> None:
    asked = bank.say("u1", "确认付款 FKD1")
    for wrong in range(1, MOST_WRONG):
        said = bank.say("u1", bank.code(3600 * wrong))
        assert outcome(said) == (inbox.REFUSED, f"wrong one-time code ({wrong} of 5)")
        bank.world.clock.advance(1)
    assert bank.row(asked.id).state == inbox.ASKED
    locked = bank.say("u1", bank.code(9999))
    assert outcome(locked) == (inbox.REFUSED, "too many wrong one-time codes, locked until 11:00")
    assert bank.say("u1", f"确认付款 FKD1 {bank.code()}").reason == locked.reason
    assert len(bank.notices()) == 1
    assert standing_alarms(bank.world) == {}, "a lock ends by itself"
    bank.world.clock.advance(3600)
    assert bank.say("u1", f"确认付款 FKD1 {bank.code()}").state == inbox.DONE


def test_wrong_codes_are_counted_over_documents_conversations_and_restarts(bank: Bank) -> None:
    for wrong in range(1, MOST_WRONG + 1):
        bank.desk.create(f"{wrong + 1}", f"FKD{wrong + 1}", FAmount=80)
        said = bank.say("u1", f"确认付款 FKD{wrong + 1} {bank.code(3600 * wrong)}", conversation=f"c{wrong}")
        bank.world.clock.advance(600)
        bank.restart()
    assert said.reason.startswith("too many wrong one-time codes")
    assert bank.say("u1", f"确认付款 FKD1 {bank.code()}").reason == said.reason
    assert bank.desk.sent == []


def test_a_right_code_ends_the_count_of_wrong_ones(bank: Bank) -> None:
    wrong = bank.say("u1", f"确认付款 FKD1 {bank.code(3600)}")
    assert outcome(wrong) == (inbox.ASKED, "wrong one-time code (1 of 5)")
    assert bank.enrolled().wrong == 1
    assert bank.say("u1", bank.code()).state == inbox.DONE
    assert bank.enrolled().wrong == 0


def test_who_may_not_learns_nothing_of_codes(bank: Bank) -> None:
    stranger = bank.say("u9", f"确认付款 FKD1 {bank.code()}")
    assert outcome(stranger) == (inbox.REFUSED, "not-allowed")
    assert bank.enrolled().wrong == 0


def test_who_has_no_codes_is_told_whom_to_ask(bank: Bank) -> None:
    refused = bank.say("u2", f"确认付款 FKD1 {bank.code()}")
    assert outcome(refused) == (inbox.REFUSED, "no one-time code is enrolled")
    with bank.world.db.read() as tx:
        (told,) = notifications.due(tx, bank.world.seal, bank.world.clock.now())
    assert "Ask user:ops" in told.contents["en"].body
    assert "kdsync totp enrol u2" in told.contents["en"].body


def test_a_code_of_somebody_else_is_wrong(bank: Bank) -> None:
    with bank.world.db.write() as tx:
        codes.enrol(tx, bank.world.seal, "u2", SECRET[::-1], bank.world.clock.now(), 0)
    bank.say("u2", "确认付款 FKD1")
    assert outcome(bank.say("u1", bank.code())) == (inbox.REFUSED, "nothing waits for a one-time code")
    assert bank.say("u2", bank.code()).reason == "wrong one-time code (1 of 5)"


def test_a_request_waits_five_minutes(bank: Bank) -> None:
    bank.say("u1", "确认付款 FKD1")
    bank.world.clock.advance(301)
    assert bank.say("u1", bank.code()).reason == "nothing waits for a one-time code"
    assert bank.desk.sent == []


def test_of_two_requests_it_must_be_said_which(bank: Bank) -> None:
    bank.desk.create("2", "FKD2", FAmount=80)
    for number in ("FKD1", "FKD2", "FKD2"):
        bank.say("u1", f"确认付款 {number}")
        bank.world.clock.advance(1)
    assert bank.say("u1", bank.code()).reason == "several wait for a code: FKD1, FKD2"
    assert bank.say("u1", f"确认付款 FKD2 {bank.code()}").state == inbox.DONE
    bank.world.clock.advance(STEP)
    assert bank.say("u1", bank.code()).number == "FKD1"


def test_the_amount_is_the_one_that_the_code_was_asked_for(bank: Bank) -> None:
    bank.say("u1", "确认付款 FKD1")
    bank.desk.bills["AP_PAYBILL", "1"]["FAmount"] = 8_000_000
    assert bank.say("u1", bank.code()).reason == "the code was asked for about another amount, or other steps"
    assert bank.desk.sent == []


def test_what_is_held_asks_for_no_second_code(bank: Bank) -> None:
    bank.actions = [action(LIMITED, undo="30s")]
    bank.say("u1", "确认付款 FKD1")
    held = bank.say("u1", bank.code())
    assert (held.state, bank.desk.sent) == (inbox.WAITING, [])
    assert bank.enrolled().last_step > 0
    bank.wait(60, 31)
    assert (bank.row(held.id).state, bank.desk.status("1")) == (inbox.DONE, "C")


def test_what_is_held_asks_again_where_the_amount_has_changed(bank: Bank) -> None:
    bank.actions = [action(LIMITED, undo="30s")]
    held = bank.say("u1", f"确认付款 FKD1 {bank.code()}")
    bank.desk.bills["AP_PAYBILL", "1"]["FAmount"] = 8_000_000
    bank.wait(60, 31)
    assert (bank.row(held.id).state, bank.desk.sent) == (inbox.ASKED, [])


def test_what_is_held_asks_again_where_other_steps_are_meant_by_now(bank: Bank) -> None:
    bank.actions = [action(LIMITED, undo="30s", do=["submit"])]
    held = bank.say("u1", f"确认付款 FKD1 {bank.code()}")
    bank.actions = [action(LIMITED, undo="30s")]
    bank.wait(60, 31)
    assert (bank.row(held.id).state, bank.desk.sent) == (inbox.ASKED, [])


def test_six_digits_that_are_the_number_are_no_code(bank: Bank) -> None:
    bank.desk.create("2", "123456", FAmount=80)
    asked = bank.say("u1", "确认付款 123456")
    assert (asked.state, asked.content["text"]) == (inbox.ASKED, "确认付款 123456")
    assert bank.say("u1", bank.code()).number == "123456"
    assert bank.enrolled().last_step > 0


def test_six_digits_of_another_action_are_an_opinion(bank: Bank) -> None:
    noted = bank.say("u1", "备注 FKD1 工单 654321")
    assert (noted.state, noted.content["text"]) == (inbox.DONE, "备注 FKD1 工单 654321")
    assert bank.desk.written == [("submit", "1", "工单 654321")]


@pytest.mark.parametrize("text", ["确认付款 {}", "你好 {}", "{}", "确认付款 FKD9 {}"])
def test_no_reply_says_the_code(bank: Bank, text: str) -> None:
    bank.say("u1", "确认付款 FKD1")
    code = bank.code()
    assert bank.say("u1", text.format(code)).state in (inbox.REFUSED, inbox.DONE)
    assert code not in bank.stored()


def test_where_no_action_takes_codes_digits_mean_nothing(bank: Bank) -> None:
    bank.actions = [action(CONFIRM)]
    assert bank.say("u1", "123456").reason == "no-phrase"
    assert bank.say("u1", "确认付款 FKD1 123456").state == inbox.DONE
    assert {opinion for *_, opinion in bank.desk.written} == {"123456"}
