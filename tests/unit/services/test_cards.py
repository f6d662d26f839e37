"""Cards go out once and stay true, whatever becomes of a call; clicks become answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kdsync.model import Content, Offer, Priority
from kdsync.rules.actions import offered_of
from kdsync.services.cards import IN_WORDS, MOST_TRIES, Cards
from kdsync.services.decisions import on_cards
from kdsync.services.inbound import Inbound
from kdsync.services.permit import Permit
from kdsync.services.replies import ANSWER, Replies
from kdsync.store import cards, holds, inbox, notifications, outbox, tasks, writes
from kdsync.store.cards import Card
from kdsync.store.inbox import Received
from kdsync.store.notifications import MATCHED, ON_CARD, Notification, Wanted
from kdsync.store.outbox import CARD, WORK
from kdsync.sync import identity
from tests.unit.services.test_inbound import APPROVE, CONFIRM, EXPENSE, Office, action
from tests.unit.services.world import FORM, ZONE, World

SAVE = {**CONFIRM, "id": "remark", "title": "备注", "phrases": ["备注"], "do": [{"save": {"FREMARK": "seen"}}]}


class CardOffice(Office):
    """The same with cards."""

    def restart(self) -> None:
        world = self.world
        world.dingtalk.has_cards = True

        def show(tx: Any, item: Received, ending: Any, reply: str) -> bool:
            return on_cards(tx, world.seal, item, ending, reply, self.actions, world.clock.now())

        replies = Replies(
            world.db, world.seal, world.clock, lambda: world.settings, lambda: ("zh", "en"), world.notices, show
        )
        permit = Permit(world.people, lambda: ZONE)
        self.inbound = Inbound(
            world.db, world.seal, world.clock, self.desk, permit, replies, world.meter, lambda: self.actions
        )
        self.cards = Cards(
            world.db,
            world.seal,
            world.clock,
            world.dingtalk,
            lambda userid: f"Name of {userid}",
            self.desk,
            world.meter,
            lambda: self.actions,
            lambda: ZONE,
        )

    def tell(self, *userids: str, ident: str = "7", offered: tuple[str, ...] = (), **more: Any) -> str:
        """Something is told that offers the confirmation of a payment; returns the track of its only card."""
        notification = told(self, userids, ident, offered or (self.actions[0].id,), **more)
        with self.world.db.write() as tx:
            notifications.add(tx, self.world.seal, [notification])
        self.world.deliver()
        return next(iter(card.track for card in self.of(notification.id)), "")

    def of(self, notification_id: str) -> list[Card]:
        with self.world.db.read() as tx:
            return cards.of_notification(tx, self.world.seal, notification_id)

    def click(self, userid: str, track: str, button: str = "confirm-payment", **content: Any) -> Received:
        """Somebody clicks, and it is worked on once."""
        key = identity.digest("clicked", track, userid, button)
        said = {"track": track, "action": button, **content}
        with self.world.db.write() as tx:  # what hearing does
            card = cards.find(tx, self.world.seal, track)
            if card:
                cards.clicked(tx, self.world.seal, card, userid)
        self.inbound.take(Received(key, inbox.CLICK, userid, said, self.world.clock.now()))
        self.inbound.step()
        return self.row(key)

    def settle(self, seconds: float = 5.0) -> None:
        self.world.clock.advance(seconds)
        while self.cards.step():
            pass

    def shows(self, track: str) -> dict[str, Any]:
        return self.world.dingtalk.cards[track]

    def replies(self, userid: str) -> list[str]:
        """The titles of what somebody got as an answer in words."""
        self.world.deliver()
        return [text for text in self.world.dingtalk.seen(userid) if "Nothing" in text or "done" in text]


def told(office: Office, userids: tuple[str, ...], ident: str, offered: tuple[str, ...], **more: Any) -> Notification:
    event = identity.digest("event", ident, *userids)
    actions = [one for one in office.actions if one.id in offered]
    form = actions[0].form
    number = str(office.desk.bills[form, ident]["FBillNo"])
    return Notification(
        id=identity.notification_id(event, "asked"),
        event_id=event,
        form=form,
        doc_id=ident,
        number=number,
        rule="asked",
        kind="submitted",
        priority=Priority.URGENT,
        state=MATCHED,
        wanted=tuple(Wanted(f"user:{userid}") for userid in userids),
        contents={locale: Content(f"{number} ({locale})", "to be paid") for locale in ("zh", "en")},
        created_at=office.world.clock.now(),
        offer=Offer(tuple(map(offered_of, actions)), **{"version": 1, **more}),
    )


@pytest.fixture
def office(tmp_path: Path) -> CardOffice:
    office = CardOffice(World(tmp_path))
    office.desk.create("7", "FKD7", "B", FAmount="100.00")
    return office


def test_who_is_not_there_and_got_no_card_is_told_of_though_the_answer_that_said_so_was_lost(
    office: CardOffice,
) -> None:
    world = office.world
    world.dingtalk.outcomes, world.dingtalk.unseen = ["lost"], {"gone": "spaceId is illegal"}
    office.tell("u2", "gone")
    world.clock.advance(60)
    world.deliver()
    assert [letter.channel for letter in world.letters(outbox.ACCEPTED)] == [CARD, CARD]
    world.receipts.step()
    world.deliver()
    assert [letter.target for letter in world.letters(outbox.DEAD)] == ["gone"]
    assert any("gone" in text for text in world.dingtalk.seen("ops"))


def test_a_card_goes_to_all_its_readers_in_one_call_and_does_not_say_what_to_reply(office: CardOffice) -> None:
    track = office.tell("u1", "u2", "u9")
    assert sorted(office.shows(track)["to"]) == ["u1", "u2", "u9"]
    title, body, buttons = office.shows(track)["face"]
    assert (title, body, buttons) == ("FKD7 (zh)", "to be paid", ["确认付款"])
    assert office.world.dingtalk.calls == 1
    assert {letter.state for letter in office.world.letters()} == {"accepted"}


def test_readers_of_another_language_have_a_card_of_their_own(office: CardOffice) -> None:
    office.world.configure(locales={"u9": "en"}, roles=office.world.settings.directory.roles)
    office.tell("u1", "u9")
    assert sorted((shown["to"], shown["face"][0]) for shown in office.world.dingtalk.cards.values()) == [
        (["u1"], "FKD7 (zh)"),
        (["u9"], "FKD7 (en)"),
    ]


def test_more_readers_than_one_call_takes_have_several_cards(office: CardOffice) -> None:
    people = [f"u{n:060}" for n in range(30)]
    office.tell(*people)
    shown = [card["to"] for card in office.world.dingtalk.cards.values()]
    assert sorted(userid for some in shown for userid in some) == people
    assert all(len(";".join(f"IM_ROBOT.{one}" for one in some)) < 990 for some in shown)


def test_a_lost_answer_makes_no_second_card(office: CardOffice) -> None:
    office.world.dingtalk.outcomes = ["lost"]
    office.tell("u1", "u2")
    for _ in range(20):
        office.world.clock.advance(30)
        office.world.deliver()
    assert len(office.world.dingtalk.cards) == 1
    assert {letter.state for letter in office.world.letters()} == {"accepted"}
    assert not office.world.dingtalk.sent


def test_the_readers_of_a_card_stay_together_while_it_is_not_known_whether_anything_gets_through(
    office: CardOffice,
) -> None:
    office.world.dingtalk.outcomes = ["transient"] * 6
    office.tell("u1", "u2")
    for _ in range(60):
        office.world.clock.advance(30)
        office.world.deliver()
    (shown,) = office.world.dingtalk.cards.values()
    assert sorted(shown["to"]) == ["u1", "u2"]


def test_an_operator_who_retries_the_letter_of_one_reader_sends_the_card_to_all(office: CardOffice) -> None:
    office.world.dingtalk.outcomes = ["transient"]
    track = office.tell("u1", "u2")
    with office.world.db.write() as tx:
        assert outbox.revive(tx, [office.world.letters()[0].id], office.world.clock.now()) == 2
    office.world.deliver()
    assert sorted(office.shows(track)["to"]) == ["u1", "u2"]


def test_who_is_told_in_words_as_the_fallback_has_no_card_beside(office: CardOffice) -> None:
    notification = told(office, ("ops",), "7", ("confirm-payment",))
    notification = replace(notification, wanted=(*notification.wanted, Wanted("role:nobody")))
    with office.world.db.write() as tx:
        notifications.add(tx, office.world.seal, [notification])
    office.world.deliver()
    assert len(office.world.dingtalk.seen("ops")) == 1
    assert office.of(notification.id) == []


def test_who_cannot_see_cards_gets_the_text(office: CardOffice) -> None:
    office.world.dingtalk.unseen = {"u2": "the client is too old"}
    track = office.tell("u1", "u2")
    assert office.shows(track)["to"] == ["u1"]
    ((to, text),) = office.world.dingtalk.sent
    assert to == ("u2",)
    assert "确认付款 FKD7" in text.decode()


def test_a_card_that_is_refused_goes_out_as_text_once(office: CardOffice) -> None:
    office.world.dingtalk.outcomes = ["refused"]
    office.tell("u1", "u2")
    ((to, text),) = office.world.dingtalk.sent
    assert sorted(to) == ["u1", "u2"]
    assert "确认付款 FKD7" in text.decode()
    assert {letter.channel for letter in office.world.letters()} == {WORK}


@pytest.mark.parametrize("trouble", ["refused", "no template"])
def test_a_card_that_is_out_is_not_sent_as_text_as_well(office: CardOffice, trouble: str) -> None:
    office.world.dingtalk.outcomes = ["lost", trouble]
    office.tell("u1")
    for _ in range(5):
        office.world.clock.advance(3600)
        office.world.deliver()
    assert len(office.world.dingtalk.cards) == 1
    assert office.world.dingtalk.seen("u1") == []
    assert [letter.state for letter in office.world.letters()] == ["accepted"]


@pytest.mark.parametrize("answer", ["refused", "no template", "nobody sees it"])
def test_an_answer_of_whatever_kind_shows_that_cards_can_be_sent_again(office: CardOffice, answer: str) -> None:
    office.world.dingtalk.outcomes = ["transient"] * 3
    office.tell("u1")
    for _ in range(2):
        office.world.clock.advance(30)
        office.world.deliver()
    with office.world.db.read() as tx:
        assert holds.every(tx)[CARD].is_open
    if answer == "nobody sees it":
        office.world.dingtalk.unseen = {"u1": "spaceId is illegal"}
    else:
        office.world.dingtalk.outcomes = [answer]
    office.world.clock.advance(60)
    office.world.deliver()
    with office.world.db.read() as tx:
        assert holds.every(tx) == {}
    assert len(office.world.dingtalk.seen("u1")) == 1, "the text"


def test_a_card_of_which_nothing_was_heard_and_that_was_never_made_goes_out_as_text(office: CardOffice) -> None:
    office.world.dingtalk.outcomes = ["cut", "refused"]
    office.tell("u1")
    for _ in range(5):
        office.world.clock.advance(3600)
        office.world.deliver()
    assert not office.world.dingtalk.cards
    assert len(office.world.dingtalk.seen("u1")) == 1


@pytest.mark.parametrize(("trouble", "state"), [("refused", "dead"), ("no template", "accepted")])
def test_where_it_cannot_be_told_whether_a_card_is_out_nothing_is_sent_beside_it(
    office: CardOffice, trouble: str, state: str
) -> None:
    office.world.dingtalk.outcomes, office.world.dingtalk.mute = ["lost", trouble], True
    office.tell("u1")
    for _ in range(5):
        office.world.clock.advance(3600)
        office.world.deliver()
    assert office.world.dingtalk.seen("u1") == []
    assert [letter.state for letter in office.world.letters() if letter.target == "u1"] == [state]
    assert len([text for text in office.world.dingtalk.seen("ops") if "消息未送达" in text]) == (state == "dead")


@pytest.mark.parametrize("outcomes", [["transient"], ["cut"], ["lost"]])
def test_a_card_that_is_sent_after_the_decision_loses_its_buttons_then(office: CardOffice, outcomes: list[str]) -> None:
    office.world.dingtalk.outcomes = outcomes
    track = office.tell("u1")
    office.desk.bills[FORM, "7"]["FDocumentStatus"] = "C"
    stored(office, 2)
    office.settle(1)
    assert (office.world.dingtalk.updates, office.cards.next_due()) == (0, None), "it is not out yet"
    office.world.clock.advance(600)
    office.world.deliver()
    office.settle()
    assert (office.shows(track)["open"], office.world.dingtalk.updates) == (False, 1)


def test_a_card_that_was_closed_before_it_was_made_is_not_taken_for_sent(office: CardOffice) -> None:
    office.world.dingtalk.outcomes = ["cut", "refused"]
    office.tell("u1")
    office.desk.bills[FORM, "7"]["FDocumentStatus"] = "C"
    stored(office, 2)
    office.settle(1)
    office.world.clock.advance(600)
    office.world.deliver()
    assert len(office.world.dingtalk.seen("u1")) == 1


def test_operators_hear_once_that_cards_are_not_taken_and_once_that_they_are_again(office: CardOffice) -> None:
    for outcomes, ident in ((["no template"], "1"), (["no template"], "2"), ([], "3"), ([], "4")):
        office.desk.create(ident, f"FKD{ident}", "B")
        office.world.dingtalk.outcomes = list(outcomes)
        office.tell("u1", ident=ident)
        office.world.clock.advance(301)
    told = [text for text in office.world.dingtalk.seen("ops") if "卡片" in text]
    assert len([text for text in told if "钉钉不接受卡片" in text]) == 1
    assert len([text for text in told if "已恢复" in text]) == 1


def test_while_no_card_is_taken_not_each_message_costs_a_call_to_find_out(office: CardOffice) -> None:
    office.world.dingtalk.outcomes = ["no template"]
    calls = []
    for ident in "1234":
        office.desk.create(ident, f"FKD{ident}", "B")
        office.tell("u1", ident=ident)
        office.world.clock.advance(150)
        calls.append(office.world.dingtalk.calls)
    assert calls == [3, 4, 6, 7], "card, text, the word to operators; text; card, the word that cards work; card"
    assert len(office.world.dingtalk.cards) == 2


def test_a_card_that_cannot_be_read_any_more_goes_out_as_text(office: CardOffice) -> None:
    office.world.dingtalk.outcomes = ["transient"]
    office.tell("u1")
    with office.world.db.write() as tx:
        tx.exec_driver_sql("UPDATE cards SET face = x'01ff'")
    office.world.clock.advance(600)
    office.world.deliver()
    assert not office.world.dingtalk.cards
    assert len(office.world.dingtalk.sent) == 1


def test_a_click_does_what_words_do_and_the_card_is_the_answer(office: CardOffice) -> None:
    track = office.tell("u1", "u2")
    row = office.click("u1", track)
    assert (row.state, row.number, office.desk.status("7")) == (inbox.DONE, "FKD7", "C")
    office.settle()
    shown = office.shows(track)
    assert shown["line"].startswith("Name of u1：确认付款 · 已审核 · ")
    assert (shown["open"], shown["private"]) == (False, {"u1": shown["line"]})
    assert office.replies("u1") == []
    with office.world.db.read() as tx:
        (reply,) = [one for one in notifications.of_number(tx, office.world.seal, "FKD7") if one.rule == ANSWER]
    assert reply.state == ON_CARD


def test_where_the_card_cannot_be_changed_the_answer_comes_in_words(office: CardOffice) -> None:
    track = office.tell("u1")
    office.click("u1", track)
    office.world.dingtalk.outcomes = ["refused"]
    office.settle()
    office.settle(600)
    assert len([text for text in office.world.dingtalk.seen("u1") if "已完成" in text]) == 0
    office.world.deliver()
    assert len([text for text in office.world.dingtalk.seen("u1") if "已完成" in text]) == 1
    assert office.world.dingtalk.updates == 1


@pytest.mark.parametrize("trouble", ["transient", "lost", "slow down"])
def test_dingtalk_is_told_of_a_change_until_it_shows_it(office: CardOffice, trouble: str) -> None:
    track = office.tell("u1")
    office.click("u1", track)
    office.world.dingtalk.outcomes = [trouble, trouble]
    for _ in range(10):
        office.settle(60)
    assert office.shows(track)["open"] is False
    assert office.world.dingtalk.updates == 3
    assert office.replies("u1") == []


def test_a_change_that_dingtalk_never_takes_is_given_up_some_day(office: CardOffice) -> None:
    track = office.tell("u1")
    office.click("u1", track)
    office.world.dingtalk.outcomes = ["transient"] * 100
    for _ in range(MOST_TRIES * 2):
        office.settle(3601)
    assert office.world.dingtalk.updates == MOST_TRIES
    assert office.cards.next_due() is None


def test_who_clicked_does_not_wait_for_a_card_that_cannot_be_changed(office: CardOffice) -> None:
    track = office.tell("u1", "u2")
    office.click("u1", track)
    office.world.dingtalk.outcomes = ["transient"] * IN_WORDS
    office.settle(1)
    for seconds in (2, 5, 15):
        assert office.replies("u1") == []
        office.settle(seconds)
    office.world.deliver()
    assert len([text for text in office.world.dingtalk.seen("u1") if "已完成" in text]) == 1
    office.world.dingtalk.outcomes = ["transient"]
    office.settle(60)
    with office.world.db.read() as tx:
        assert notifications.due(tx, office.world.seal, office.world.clock.now()) == []
    office.settle(300)
    assert office.shows(track)["open"] is False
    office.settle(3600)
    office.world.deliver()
    assert len(office.world.dingtalk.seen("u1")) == 1


def test_while_cards_cannot_be_changed_messages_do_not_wait_for_one_after_the_other(office: CardOffice) -> None:
    for ident in "123":
        office.desk.create(ident, f"FKD{ident}", "B")
        office.click("u1", office.tell("u1", ident=ident))
    office.world.clock.advance(1)
    office.world.dingtalk.outcomes = ["no template"] * 3
    tried = []
    for seconds in (0, 2, 5, 15):
        office.settle(seconds)
        tried.append(office.world.dingtalk.updates)
        due = office.cards.next_due()
        assert due is None or due > office.world.clock.now(), "there is nothing to wake up for"
    assert tried == [1, 2, 3, 6]
    assert due is None
    assert {card["open"] for card in office.world.dingtalk.cards.values()} == {False}
    office.desk.create("4", "FKD4", "B")
    office.click("u1", office.tell("u1", ident="4"))
    office.world.dingtalk.outcomes = ["transient"]
    office.settle(1)
    assert office.cards.next_due() == office.world.clock.now() + timedelta(seconds=2), "it begins anew"


def test_a_card_that_kdsync_stumbles_over_holds_up_no_other(office: CardOffice) -> None:
    office.desk.create("8", "FKD8", "B")
    bad, good = office.tell("u1"), office.tell("u1", ident="8")
    office.click("u1", bad)
    office.click("u1", good)
    with office.world.db.write() as tx:
        tx.exec_driver_sql("UPDATE cards SET face = ? WHERE track = ?", (office.world.seal.close_bytes(b"{"), bad))
    office.settle()
    assert office.shows(good)["open"] is False
    for _ in range(9):
        office.settle(3600)
    office.world.deliver()
    assert len([text for text in office.world.dingtalk.seen("u1") if "FKD7" in text]) == 1, "the answer in words"


@pytest.mark.parametrize("moved", [False, True])
def test_a_card_that_cannot_be_read_any_more_holds_up_no_other(office: CardOffice, moved: bool) -> None:
    office.desk.create("8", "FKD8", "B")
    bad, good = office.tell("u1"), office.tell("u1", ident="8")
    office.click("u1", bad)
    office.click("u1", good)
    with office.world.db.write() as tx:
        tx.exec_driver_sql("UPDATE cards SET shown = x'01ff' WHERE track = ?", (bad,))
        tx.exec_driver_sql("UPDATE cards SET state = ?, dirty = ? WHERE track = ?", ("open", not moved, bad))
    stored(office, 2 if moved else 1)
    office.settle()
    office.settle()
    assert office.shows(good)["open"] is False
    with office.world.db.read() as tx:
        assert cards.counts(tx) == {cards.OVER: 1, cards.LOST: 1}


def test_cards_that_are_out_are_kept_true_although_no_more_are_sent(office: CardOffice) -> None:
    track = office.tell("u1", "u2")
    office.world.dingtalk.has_cards = False
    office.click("u1", track)
    office.settle()
    assert office.shows(track)["open"] is False


def test_a_button_counts_although_dingtalk_would_not_show_what_another_was_told(office: CardOffice) -> None:
    track = office.tell("u1", "u9")
    office.click("u9", track)
    office.world.dingtalk.outcomes = ["refused"]
    office.settle()
    assert office.click("u1", track).state == inbox.DONE
    office.settle()
    assert office.shows(track)["open"] is False


@pytest.mark.parametrize("outcome", ["refused", "transient", "ok"])
def test_what_is_answered_while_dingtalk_is_told_of_something_else_is_told_next(
    office: CardOffice, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    track = office.tell("u1", "u9")
    office.click("u9", track)
    update = office.world.dingtalk.update_card

    def meanwhile(*args: Any, **more: Any) -> None:
        monkeypatch.undo()
        office.click("u1", track)
        office.world.dingtalk.outcomes = [outcome]
        update(*args, **more)

    monkeypatch.setattr(office.world.dingtalk, "update_card", meanwhile)
    office.settle()
    office.settle(60)
    assert office.shows(track)["open"] is False
    assert office.replies("u1") == []


def test_an_answer_that_comes_while_kingdee_is_asked_says_itself_what_became_of_the_card(
    office: CardOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = office.tell("u1", "u2")
    stored(office, 2)
    read = office.desk.read

    def meanwhile(form: str, doc_id: str, fields: Any) -> Any:
        monkeypatch.undo()
        office.click("u1", track)
        return read(form, doc_id, fields)

    monkeypatch.setattr(office.desk, "read", meanwhile)
    office.settle()
    office.settle()
    shown = office.shows(track)
    assert shown["line"].startswith("Name of u1：确认付款 · 已审核 · ")
    assert shown["private"] == {"u1": shown["line"]}


def test_what_changes_while_dingtalk_is_told_is_told_next(office: CardOffice) -> None:
    track = office.tell("u1", "u9")
    office.click("u9", track)
    with office.world.db.read() as tx:
        before = cards.find(tx, office.world.seal, track)
    office.click("u1", track)
    assert before is not None
    with office.world.db.write() as tx:
        cards.updated(tx, before)  # the call that was under way
    office.settle()
    assert office.shows(track)["open"] is False


def test_a_refusal_is_told_in_words_and_shown_to_who_clicked_alone(office: CardOffice) -> None:
    track = office.tell("u1", "u9")
    assert office.click("u9", track).state == inbox.REFUSED
    office.settle()
    shown = office.shows(track)
    assert (shown["line"], shown["open"]) == ("", True)
    assert "您无权执行 确认付款" in shown["private"]["u9"]
    office.world.deliver()
    assert len([text for text in office.world.dingtalk.seen("u9") if "您无权执行" in text]) == 1


@pytest.mark.parametrize(
    ("prepare", "button", "words"),
    [
        (lambda office: office.desk.bills.pop((FORM, "7")), "confirm-payment", "找不到单据"),
        (lambda office: office.desk.bills[FORM, "7"].update(FAmount="100000.00"), "confirm-payment", "单据内容已变更"),
        (lambda office: office.actions.clear(), "confirm-payment", "这个按钮已停用"),
        (lambda _office: None, "approve", "这个按钮已停用"),
        (lambda _office: None, "", "这个按钮已停用"),
    ],
)
def test_a_click_that_is_too_late_changes_nothing_and_says_so(
    office: CardOffice, prepare: Any, button: str, words: str
) -> None:
    track = office.tell("u1", seen={"FAmount": "100.00"})
    prepare(office)
    assert office.click("u1", track, button).state == inbox.REFUSED
    assert not office.desk.sent
    office.world.deliver()
    assert [words in text for text in office.world.dingtalk.seen("u1")] == [True]


def test_an_amount_that_is_only_written_differently_is_no_change(office: CardOffice) -> None:
    track = office.tell("u1", seen={"FAmount": 100})
    office.actions[0] = replace(office.actions[0], heads=office.actions[0].heads | {"FAmount"})
    assert office.click("u1", track).state == inbox.DONE


@pytest.mark.parametrize("track", ["", "kdsync-of-last-month", "x" * 300])
def test_a_card_that_nobody_knows_is_answered(office: CardOffice, track: str) -> None:
    assert office.click("u1", track).state == inbox.REFUSED
    office.world.deliver()
    assert ["这张卡片已失效" in text for text in office.world.dingtalk.seen("u1")] == [True]


def test_a_button_that_is_pressed_twice_counts_once_and_later_again(office: CardOffice) -> None:
    track = office.tell("u9")
    rows = []
    for seconds in (3, 30, 3):
        office.click("u9", track)
        office.world.clock.advance(seconds)
        with office.world.db.read() as tx:
            rows.append(inbox.counts(tx)[inbox.REFUSED])
    assert rows == [1, 1, 2]


def test_a_push_that_comes_again_is_no_second_click_however_late(office: CardOffice) -> None:
    track = office.tell("u9")
    for _ in range(3):
        office.click("u9", track, message_id="push1")
        office.world.clock.advance(120)
    with office.world.db.read() as tx:
        assert inbox.counts(tx) == {inbox.REFUSED: 1}


def test_two_people_in_the_same_second(office: CardOffice) -> None:
    track = office.tell("u1", "u2")
    assert (office.click("u1", track).state, office.click("u2", track).state) == (inbox.DONE, inbox.REFUSED)
    assert office.desk.written == [("audit", "7", "")]


def test_a_click_on_what_is_over_costs_no_second_change_of_the_card(office: CardOffice) -> None:
    track = office.tell("u1", "u2")
    office.click("u1", track)
    office.settle()
    office.click("u2", track)
    office.settle()
    assert office.world.dingtalk.updates == 1
    office.world.deliver()
    assert len(office.world.dingtalk.seen("u2")) == 1


def test_a_click_that_is_taken_back_frees_the_buttons(office: CardOffice) -> None:
    office.actions[0] = action({**CONFIRM, "undo": "30s"})
    track = office.tell("u1", "u2")
    office.click("u1", track)
    assert office.say("u1", "撤销 FKD7").state == inbox.DONE
    office.settle(40)
    office.inbound.step()
    shown = office.shows(track)
    assert (shown["open"], shown["line"], shown["private"]) == (True, "", {"u1": ""})
    assert not office.desk.sent


def test_a_remark_leaves_the_other_buttons(office: CardOffice) -> None:
    office.actions.append(action(SAVE))
    track = office.tell("u1", "u2", offered=("confirm-payment", "remark"))
    assert office.click("u1", track, "remark").state == inbox.DONE
    office.settle()
    assert office.shows(track)["open"] is True
    assert office.click("u2", track).state == inbox.DONE
    office.settle()
    assert office.shows(track)["open"] is False


def test_what_was_done_on_the_card_before_is_not_said_to_be_done_in_kingdee(office: CardOffice) -> None:
    office.actions.append(action(SAVE))
    track = office.tell("u1", "u2", offered=("confirm-payment", "remark"))
    for userid in ("u1", "u2"):
        assert office.click(userid, track, "remark").state == inbox.DONE
        office.settle()
    assert office.shows(track)["line"].startswith("Name of u1：")
    office.actions[0] = action({**CONFIRM, "when": None})
    office.desk.bills[FORM, "7"]["FDocumentStatus"] = "C"
    office.click("u2", track)
    office.settle()
    assert office.shows(track)["line"].startswith("已在金蝶中处理")


def test_who_reads_another_language_sees_what_was_done_and_that_it_takes_a_second_person(office: CardOffice) -> None:
    office.world.configure(locales={"u2": "en"}, roles=office.world.settings.directory.roles)
    office.actions[0] = action({**CONFIRM, "limit": {"field": "FAmount", "max": 50, "above": "second-person"}})
    office.actions.append(action(SAVE))
    office.desk.bills[FORM, "7"]["FAmount"] = 100
    office.desk.create("8", "FKD8", "B", FAmount=100)
    other = office.tell("u2", ident="8")
    office.tell("u1", "u2", offered=("confirm-payment", "remark"))
    track, english = sorted(office.world.dingtalk.cards.keys() - {other}, key=lambda one: office.shows(one)["to"])
    office.click("u1", track, "remark")
    office.settle()
    assert office.shows(english)["line"].startswith("Name of u1: 备注")
    assert office.click("u1", track).state == inbox.HALF
    office.settle()
    assert "somebody else has to as well" in office.shows(english)["line"]
    assert (office.shows(english)["open"], office.shows(english)["private"]) == (True, {})
    assert office.click("u2", english).state == inbox.DONE
    office.settle()
    assert [office.shows(one)["open"] for one in (track, english, other)] == [False, False, True]
    assert office.shows(other)["line"] == ""


def test_what_is_decided_by_words_closes_the_cards_about_it_and_no_others(office: CardOffice) -> None:
    office.desk.create("8", "FKD8", "B")
    mine, other = office.tell("u1"), office.tell("u1", ident="8")
    office.say("u2", "确认付款 FKD7")
    office.settle()
    assert (office.shows(mine)["open"], office.shows(other)["open"]) == (False, True)
    assert office.shows(mine)["line"].startswith("Name of u2")


def test_of_two_approvers_each_has_a_card_until_the_own_task_is_decided(office: CardOffice) -> None:
    office.actions = [action(APPROVE)]
    office.desk.create("E", "EXP1", "B", EXPENSE)
    first, second = (office.desk.wait_for("E", receiver, EXPENSE) for receiver in ("102", "103"))
    office.desk.nodes = ["104"]
    one, two = (
        office.tell(userid, ident="E", item_id=task.item_id) for userid, task in (("u2", first), ("u3", second))
    )
    reason = "👩‍👩‍👧 ok 123456" * 2000
    assert office.click("u2", one, "approve", reason=reason).state == inbox.DONE
    assert office.desk.written == [("approve", "E", reason)]
    with office.world.db.read() as tx:
        assert writes.tasks_of(tx, identity.digest("clicked", one, "u2", "approve")) == {first.item_id}
    office.settle()
    assert (office.shows(one)["open"], office.shows(two)["open"]) == (False, True)


def test_a_card_decides_only_the_task_that_it_showed(office: CardOffice) -> None:
    office.actions = [action(APPROVE)]
    office.desk.create("E", "EXP1", "B", EXPENSE)
    first = office.desk.wait_for("E", "102", EXPENSE)
    track = office.tell("u2", ident="E", item_id=first.item_id)
    office.desk.waiting.clear()
    office.desk.sent.append(("", "", ""))  # so that the next task has another id
    office.desk.wait_for("E", "102", EXPENSE)
    assert office.click("u2", track, "approve").state == inbox.REFUSED
    assert not office.desk.written


def test_a_task_is_the_last_thing_that_is_looked_at_before_it_is_decided(
    office: CardOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.actions = [action(APPROVE)]
    office.desk.create("E", "EXP1", "B", EXPENSE)
    track = office.tell("u2", ident="E", item_id=office.desk.wait_for("E", "102", EXPENSE).item_id)
    find = office.desk.find

    def meanwhile(*asked: Any) -> Any:
        """Somebody decides it in Kingdee, and the next node is the same person's."""
        office.desk.waiting.clear()
        office.desk.sent.append(("", "", ""))  # so that the next task has another id
        office.desk.wait_for("E", "102", EXPENSE)
        return find(*asked)

    monkeypatch.setattr(office.desk, "find", meanwhile)
    assert office.click("u2", track, "approve").state == inbox.REFUSED
    assert not office.desk.written


def test_of_a_card_about_a_document_each_approver_answers_his_own_task_until_it_is_decided(office: CardOffice) -> None:
    office.actions = [action(APPROVE), action({**APPROVE, "id": "reject", "phrases": ["驳回"], "do": ["reject"]})]
    office.desk.create("E", "EXP1", "B", EXPENSE)
    office.desk.wait_for("E", "102", EXPENSE)
    office.desk.nodes = ["103"]
    track = office.tell("u2", "u3", ident="E", offered=("approve", "reject"))
    assert office.click("u2", track, "approve").state == inbox.DONE
    office.settle()
    assert office.shows(track)["open"] is True
    assert office.click("u3", track, "reject").state == inbox.DONE
    office.settle()
    assert office.shows(track)["open"] is False


def test_an_action_that_is_about_another_form_by_now_is_none_of_the_cards(office: CardOffice) -> None:
    track = office.tell("u1")
    office.actions[0] = action({**CONFIRM, "form": EXPENSE})
    assert office.click("u1", track).state == inbox.REFUSED
    assert not office.desk.sent


def test_a_document_that_has_another_number_by_now_is_not_the_one_that_was_shown(office: CardOffice) -> None:
    track = office.tell("u1")
    office.desk.bills[FORM, "7"]["FBillNo"] = "FKD700"
    assert office.click("u1", track).state == inbox.REFUSED
    assert not office.desk.sent


def stored(office: CardOffice, version: int) -> None:
    """A look stored another version of the document."""
    with office.world.db.write() as tx:
        tx.exec_driver_sql(
            "INSERT OR IGNORE INTO forms (id, account_set, form, newest) VALUES (1, 'acct', ?, '')", (FORM,)
        )
        tx.exec_driver_sql(
            "INSERT OR REPLACE INTO documents (form_id, doc_id, number, is_open, is_gone, version, layout_id, row) "
            "VALUES (1, '7', 'FKD7', 1, 0, ?, 1, x'00')",
            (version,),
        )


def test_a_document_that_moved_on_is_looked_at_once_and_its_card_stays_while_there_is_something_to_do(
    office: CardOffice,
) -> None:
    track = office.tell("u1")
    stored(office, 2)
    office.settle()
    assert office.shows(track)["open"] is True
    office.desk.down = True
    office.settle()  # nothing is asked
    office.desk.down = False
    office.desk.bills[FORM, "7"]["FDocumentStatus"] = "C"
    stored(office, 3)
    office.settle()
    assert office.shows(track)["line"].startswith("已在金蝶中处理 · 已审核 · ")


def test_a_document_that_is_deleted_closes_its_card(office: CardOffice) -> None:
    track = office.tell("u1")
    office.desk.bills.clear()
    stored(office, 2)
    office.settle()
    assert office.shows(track)["line"].startswith("单据已不存在")


def test_an_action_that_was_taken_out_of_the_rules_closes_no_card_before_it_is_decided(office: CardOffice) -> None:
    track = office.tell("u1")
    office.actions.clear()
    for version, status, is_open in ((2, "B", True), (3, "C", False)):
        office.desk.bills[FORM, "7"]["FDocumentStatus"] = status
        stored(office, version)
        office.settle()
        assert office.shows(track)["open"] is is_open


def test_a_document_that_was_never_to_be_seen_is_not_said_to_be_gone(office: CardOffice) -> None:
    office.actions = [action(APPROVE)]
    office.desk.create("", "EXP1", "B", EXPENSE)
    task = office.desk.wait_for("", "102", EXPENSE)
    track = office.tell("u2", ident="", item_id=task.item_id)
    office.desk.bills.clear()
    with office.world.db.write() as tx:
        tasks.put(tx, EXPENSE, [task], office.world.clock.now())
        tasks.mark_gone(tx, [task.item_id], office.world.clock.now())
    office.settle()
    assert office.shows(track)["line"].startswith("已在金蝶中处理 · - · ")


def test_while_kingdee_is_down_cards_wait(office: CardOffice) -> None:
    track = office.tell("u1")
    office.desk.bills[FORM, "7"]["FDocumentStatus"] = "C"
    stored(office, 2)
    office.desk.down = True
    office.settle()
    assert office.shows(track)["open"] is True
    office.desk.down = False
    office.settle(31)
    assert office.shows(track)["open"] is False


def test_a_document_that_cannot_be_read_keeps_no_other_card_open(office: CardOffice) -> None:
    office.desk.create("8", "FKD8", "B")
    office.tell("u1", ident="8")
    track = office.tell("u1")
    office.desk.bills[FORM, "7"]["FDocumentStatus"] = "C"
    stored(office, 2)
    with office.world.db.write() as tx:
        tx.exec_driver_sql("INSERT INTO documents SELECT form_id, '8', 'FKD8', 1, 0, 2, 1, row FROM documents")
    del office.desk.bills[FORM, "8"]["FBillNo"]  # so that reading it breaks
    office.settle()
    assert office.shows(track)["open"] is False


@pytest.mark.parametrize("offered", ["approve", "remark"])
def test_a_task_that_somebody_decided_in_kingdee_closes_its_card(office: CardOffice, offered: str) -> None:
    office.actions = [action(APPROVE), action({**SAVE, "form": EXPENSE})]
    office.desk.create("E", "EXP1", "B", EXPENSE)
    task = office.desk.wait_for("E", "102", EXPENSE)
    track = office.tell("u2", ident="E", item_id=task.item_id, offered=(offered,))
    now = office.world.clock.now()
    with office.world.db.write() as tx:
        tasks.put(tx, EXPENSE, [task], now)
        tasks.mark_gone(tx, [task.item_id], now + timedelta(seconds=1))
    office.settle()
    assert office.shows(track)["line"].startswith("已在金蝶中处理 · 审核中 · ")


def test_nothing_of_a_card_stands_in_the_store_in_clear(tmp_path: Path) -> None:
    office = CardOffice(World(tmp_path))
    office.world.seal = type(office.world.seal)("a key")
    office.desk.create("7", "FKD7", "B")
    notification = told(office, ("u1",), "7", ("confirm-payment",), seen={"FAmount": "123456.78"})
    with office.world.db.write() as tx:
        notifications.add(tx, office.world.seal, [notification])
        assert notifications.find(tx, office.world.seal, notification.id) == notification
        (row,) = tx.exec_driver_sql("SELECT offer FROM notifications").scalars()
    assert b"123456.78" not in row


def test_letters_on_cards_count_for_their_own_channel(office: CardOffice) -> None:
    office.world.dingtalk.outcomes = ["transient"]
    office.tell("u1")
    assert {letter.channel for letter in office.world.letters()} == {CARD}
