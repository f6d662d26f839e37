"""What people say, between a Kingdee that loses answers and a process that ends anywhere: one change, one answer.

At most one effective write for each step of a message, none without the right, none after an answer that denies it,
none past a workflow; every message ends with one answer that is true. `KDSYNC_EXPLORE=N` tries N new examples.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection

from kdsync.rules.actions import CompiledAction
from kdsync.services.cards import Cards
from kdsync.services.decisions import on_cards
from kdsync.services.inbound import Inbound
from kdsync.services.permit import Permit
from kdsync.services.ports import KingdeeIdentity
from kdsync.services.replies import Ending, Replies
from kdsync.store import cards, inbox
from kdsync.store.cards import Card
from kdsync.store.inbox import Received
from tests.property.assent import KINGDEE_USERS, RULES, Allowance, Judge, Said
from tests.property.desk import DEEDS, EXPENSE, FAULTS, PAYMENT, Deed, TroubledDesk
from tests.property.trouble import Crash, Fate, empty_store
from tests.unit.services.world import ZONE, World

EXPLORE = int(os.environ.get("KDSYNC_EXPLORE", "0"))  # how many examples to look for anew
HUNT = "KDSYNC_HUNT" in os.environ  # no time is spent on a shorter example
EXAMPLES = 105

PEOPLE = st.sampled_from(["u1", "u1", "u2", "u2", "u3", "u3", "u9", ""])
PHRASES = st.sampled_from(["确认付款", "确认付款", "confirm payment", "同意", "同意", "驳回", "备注", "关闭", "下推"])
NUMBERS = st.sampled_from(["FKD100001", "FKD100002", "FKD100003", "FKD7", "EXP1", "EXP1", "EXP2", "NOPE9"])
SPELLINGS = ("{0} {1}", "{1} {0}", "{0}{1}", "{0}：{2}", "{0} {3}", "@kd {0} {1} 谢谢")
NO_COMMANDS = ("{0} {1} 了吗？", "不要{0} {1}", "{0}", "{0} {1}\n{0} FKD8", "{1}", "{0} {1} {0} FKD9")
SPELT = st.one_of(st.sampled_from(SPELLINGS), st.sampled_from([*SPELLINGS, *NO_COMMANDS]))
ANYTHING = st.tuples(PEOPLE, PHRASES, NUMBERS, SPELT)
LIKELY = st.tuples(
    st.sampled_from(["u1", "u2"]),
    st.sampled_from(["确认付款", "确认付款", "confirm payment", "备注", "关闭", "下推", "下推"]),
    st.sampled_from(["FKD100001", "FKD100003", "FKD100003"]),
    st.sampled_from(SPELLINGS),
) | st.tuples(
    st.sampled_from(["u2", "u3"]),
    st.sampled_from(["同意", "同意", "approve", "驳回"]),
    st.sampled_from(["EXP1", "EXP2"]),
    st.sampled_from(SPELLINGS),
)
SAID = st.one_of(LIKELY, LIKELY, LIKELY, ANYTHING)
ACTS = st.tuples(st.sampled_from(DEEDS), st.integers(0, 6), st.integers(0, 8))
NODES = st.tuples(st.sampled_from([0, 1, 2, 2]), st.sampled_from([2, 2, 3]))
MEANWHILE = st.dictionaries(st.integers(1, 9), st.lists(ACTS, min_size=1, max_size=3), max_size=2)
DOCUMENTS = {  # who talks about one document, and what they may say of it
    (PAYMENT, "1", "FKD100001"): (("u1", "u1", "u2"), ("确认付款", "备注", "下推", "确认付款", "备注", "关闭")),
    (PAYMENT, "2", "FKD100002"): (("u1", "u2"), ("确认付款",)),
    (PAYMENT, "5", "FKD100003"): (("u1", "u2"), ("确认付款", "确认付款", "备注")),
    (EXPENSE, "7", "EXP1"): (("u2", "u3", "u3"), ("同意", "驳回")),
    (EXPENSE, "8", "EXP2"): (("u2", "u3", "u3"), ("同意", "驳回")),
}
PICK = st.integers(0, 5)
TALK = st.lists(
    st.tuples(st.just("say"), PICK, PICK)
    | st.tuples(st.sampled_from(DEEDS), PICK, PICK)
    | st.tuples(st.sampled_from(["go", *FAULTS]), PICK, PICK),
    min_size=3,
    max_size=9,
)
LIMITED = st.lists(st.sampled_from(["wait", "raise", "unaudit", "unaudit"]), min_size=4, max_size=4)
WORKFLOW = st.sampled_from(["workflow", "agree", "agree", "disagree", "wait", "edit"])
CLICKS = st.lists(
    st.tuples(
        st.sampled_from(["u1", "u1", "u1", "u2", "u2", "u3", "u9"]),  # of a task, its receiver in place of u1
        st.integers(0, 2),
        st.sampled_from(["", "", "raise", "agree", "agree", "disagree"]),
        st.sampled_from([0, 3, 4, 5, 6]),
        st.sampled_from(["", "", *FAULTS]),
    ),
    min_size=1,
    max_size=3,
)
TROUBLES = st.lists(st.sampled_from(["", "", *FAULTS]), max_size=4)
CRASHES = st.one_of(st.none(), st.none(), st.integers(1, 20))  # at which point the process ends
DELAYS = st.sampled_from([0.0, 1.0, 4.0, 9.0])  # seconds that a write may be under way
MOMENTS = st.sampled_from([1.0, 2.0, 5.0, 11.0, 31.0, 600.0, 3700.0, 90_000.0])


def wide(text: str) -> str:
    """The same in full-width letters and digits."""
    return "".join(chr(ord(one) + 0xFEE0) for one in text)


class Answers(RuleBasedStateMachine):
    """Messages about a handful of documents, and everything that can come between them and their answers."""

    def __init__(self) -> None:
        super().__init__()
        self.db, self.fate = empty_store(), Fate()
        self.path = Path(self.db.path)
        self.world = World(self.path, db=self.db)
        self.phones: dict[str, dict[str, Any]] = {}  # what cards show
        self.desk = TroubledDesk(clock=self.world.clock, advance=self.world.clock.advance, point=self.fate.point)
        self.in_force: tuple[Allowance, ...] = RULES[0]
        self.actions: list[CompiledAction] = []
        self.judge = Judge(connect(self.path), self.desk, self.world.clock, lambda: self.in_force)
        self.desk.request, self.desk.on_effect = self.judge.request, self.judge.effect
        self.fate.watch(self.db)
        self.fate.on_commit = self.judge.committed
        self.received: list[Received] = []
        self.cards: list[Card] = []
        self._begin_process()

    def teardown(self) -> None:
        """In the end nothing goes wrong any more, and everybody has one answer."""
        try:
            if not self.judge.wrong:
                self._calm()
        finally:
            self.judge.store.close()
            self.db.close()

    # --- what happens

    @initialize(chosen=st.sampled_from([0, 0, 0, 4]), deeds=st.lists(ACTS, max_size=2), nodes=NODES)
    def begin(self, chosen: int, deeds: list[Deed], nodes: tuple[int, int]) -> None:
        self.reload(chosen)
        self.desk.create("1", "FKD100001", FAMOUNT=100, FREMARK="", FCreatorId="103")
        self.desk.create("2", "FKD100002", FAMOUNT=100, FREMARK="", FCreatorId="102")
        self.desk.create("5", "FKD100003", FAMOUNT=60000, FREMARK="", FCreatorId="103")
        for ident in ("3", "4"):
            self.desk.create(ident, "FKD7", FAMOUNT=1, FREMARK="")
        for ident, number in (("7", "EXP1"), ("8", "EXP2")):
            self.desk.create(ident, number, form=EXPENSE, FAMOUNT=1, FREMARK="")
        expenses = [sorted(self.desk.bills).index((EXPENSE, ident)) for ident in "78"]
        self.work([("workflow", expenses[0], nodes[0]), ("workflow", expenses[1], nodes[1]), *deeds])

    @rule(said=SAID)
    def hear(self, said: tuple[str, str, str, str]) -> None:
        sender, phrase, number, spelling = said
        text = spelling.format(phrase, number, wide(number), number.lower())
        self._hear(sender, text, phrase if spelling in SPELLINGS else "", number)

    @rule(sender=PEOPLE, text=st.sampled_from(["撤销", "undo FKD100001", "撤销 FKD100003"]))
    def take_back(self, sender: str, text: str) -> None:
        self._hear(sender, text, "", "")

    @rule(document=st.sampled_from([*DOCUMENTS]), receiver=PICK)
    def deal(self, document: tuple[str, str, str], receiver: int) -> None:
        """A card about a document is sent, as it is now; about a task, where one waits."""
        form, ident, number = document
        values = self.desk.bills.get((form, ident))
        tasks = [task for task in self.desk.waiting if task.number == number]
        if values is None or (form == EXPENSE and not tasks):
            return
        card = Card(
            track=f"c{len(self.cards)}",
            notification_id=f"n{len(self.cards)}",
            content_id="",
            locale="zh",
            form=form,
            doc_id=ident,
            number=number,
            version=1,
            face=b"[]",
            created_at=self.world.clock.now(),
            item_id=tasks[receiver % len(tasks)].item_id if form == EXPENSE else "",
            actions=("confirm", "note", "close") if form == PAYMENT else ("approve", "reject"),
            seen={"FAMOUNT": values["FAMOUNT"]},
        )
        with self.db.write() as tx:
            cards.add(tx, self.world.seal, [card])
        self.world.dingtalk.cards[card.track] = {"open": True, "line": "", "private": {}}
        self.cards.append(card)

    @rule(document=st.sampled_from([*DOCUMENTS]), fresh=st.booleans(), clicks=CLICKS, then=MOMENTS)
    def click(
        self, document: tuple[str, str, str], fresh: bool, clicks: list[tuple[str, int, str, int, str]], then: float
    ) -> None:
        """People click on the last card about a document, perhaps after others have been at it, or while they are, or
        while DingTalk is told what the card has to show."""
        if fresh or all(card.number != document[2] for card in self.cards):
            self.deal(document, len(self.cards))
        card = next((card for card in reversed(self.cards) if card.number == document[2]), None)
        for click in clicks if card else ():
            assert card is not None
            press = partial(self._press, card, *click)
            self.world.dingtalk.during = None if click[-1].startswith("dies") else press
            if then < 3.0:
                self.show()
            if then >= 3.0 or self.world.dingtalk.during is press or click[-1].startswith("dies"):
                self.world.dingtalk.during = None
                press()
            self.wait(min(then, 31.0))
            if then >= 3.0:
                self.show()

    @rule()
    def show(self) -> None:
        """DingTalk is told what cards show by now."""
        while self.shows.step():
            pass

    @rule(pick=st.integers(0, 20), crash=st.sampled_from([None, None, 1, 2]))
    def push_again(self, pick: int, crash: int | None) -> None:
        if self.received:
            again = replace(self.received[pick % len(self.received)], received_at=self.world.clock.now())
            self._run(lambda: self.judge.expect(not self.inbound.take(again), f"{again} was new"), crash)

    @rule(said=SAID, faults=TROUBLES, meanwhile=MEANWHILE, crash=CRASHES, delay=DELAYS, seconds=MOMENTS)
    def answer(
        self,
        said: tuple[str, str, str, str],
        faults: list[str],
        meanwhile: dict[int, list[Deed]],
        crash: int | None,
        delay: float,
        seconds: float,
    ) -> None:
        self.hear(said)
        self.go_on(faults, meanwhile, crash, delay, seconds=min(seconds, 1.0))

    @rule(faults=TROUBLES, meanwhile=MEANWHILE, crash=CRASHES, delay=DELAYS, seconds=MOMENTS)
    def go_on(
        self,
        faults: list[str],
        meanwhile: dict[int, list[Deed]],
        crash: int | None,
        delay: float,
        seconds: float,
    ) -> None:
        self.wait(seconds)
        self.desk.faults, self.desk.meanwhile, self.desk.delay = [*faults], {**meanwhile}, delay
        self._run(self.inbound.step, crash)
        self.desk.faults, self.desk.meanwhile = [], {}

    @rule(document=st.sampled_from([*DOCUMENTS]), talk=TALK)
    def talk(self, document: tuple[str, str, str], talk: list[Deed]) -> None:
        """Several people, here and in Kingdee, are at one document."""
        form, ident, number = document
        people, phrases = DOCUMENTS[document]
        faults: list[str] = []  # of the next writes
        for what, one, other in talk:
            if what == "say":
                phrase = phrases[other % len(phrases)]
                self._hear(people[one % len(people)], f"{phrase} {number}", phrase, number)
                self.go_on(faults, {}, None, 4.0, 0.0)
                faults = []
            elif what == "go":
                self.go_on(faults, {}, None, 4.0, (0.0, 2.0, 2.0, 5.0, 11.0, 31.0)[one])
                faults = []
            elif what in FAULTS:
                faults = [what]
            elif (form, ident) in self.desk.bills:
                self.desk.act((what, sorted(self.desk.bills).index((form, ident)), other))

    @rule(people=st.lists(st.sampled_from(["u1", "u2"]), min_size=2, max_size=4), deeds=LIMITED)
    def confirm_above_the_limit(self, people: list[str], deeds: list[str]) -> None:
        """Two people confirm, while others change the amount or take the approval back."""
        for sender, deed in zip(people, deeds, strict=False):
            self.talk(
                (PAYMENT, "5", "FKD100003"), [("say", "u1u2".index(sender) // 2, 0), (deed, 0, len(self.received))]
            )

    @rule(
        document=st.sampled_from([(PAYMENT, "1", "FKD100001"), (EXPENSE, "7", "EXP1"), (EXPENSE, "8", "EXP2")]),
        fault=st.sampled_from([*FAULTS, "late", "busy"]),
        deeds=st.tuples(WORKFLOW, WORKFLOW),
        said=st.tuples(PICK, PICK),
    )
    def decide(self, document: tuple[str, str, str], fault: str, deeds: tuple[str, str], said: tuple[int, int]) -> None:
        """Somebody decides, and others do before and after."""
        before, after = deeds
        pick = len(self.received)
        self.talk(
            document, [(before, 0, pick), (fault, 0, 0), ("say", *said), (after, 0, pick), ("go", 1, 0), ("go", 5, 0)]
        )

    @rule(deeds=st.lists(ACTS, min_size=1, max_size=4))
    def work(self, deeds: list[Deed]) -> None:
        for deed in deeds:
            self.desk.act(deed)

    @rule(chosen=st.integers(0, len(RULES) - 1))
    def reload(self, chosen: int) -> None:
        self.in_force = RULES[chosen]
        self.actions[:] = [one.compiled for one in self.in_force]

    @rule(seconds=st.sampled_from([5.0, 600.0, 3700.0]), secret=st.booleans())
    def outage(self, seconds: float, secret: bool) -> None:
        """Kingdee is down for a while, or tasks may not be read."""
        self.desk.down, self.desk.secret = not secret, secret
        for part in (0.2, 0.3, 0.5):
            self.wait(seconds * part)
            self._run(self.inbound.step, None)
        self.desk.down = self.desk.secret = False

    @rule(seconds=MOMENTS)
    def wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        self.desk.arrive()

    @rule()
    def restart(self) -> None:
        self._begin_process()

    @invariant()
    def nothing_was_wrong(self) -> None:
        """Also where kdsync's own code caught the error of a check."""
        assert not self.judge.wrong, self.judge.wrong

    # --- the process

    def _begin_process(self) -> None:
        """Nothing of an earlier process is left but its store."""
        self.world = world = World(self.path, clock=self.world.clock, db=self.db)
        world.configure(users={"kd2": "u2", "kd3": "u3"})
        world.kingdee.people |= {"102": KingdeeIdentity("kd2"), "103": KingdeeIdentity("kd3")}
        world.dingtalk.has_cards, world.dingtalk.cards = True, self.phones

        def show(tx: Connection, item: Received, ending: Ending, reply: str) -> bool:
            return on_cards(tx, world.seal, item, ending, reply, self.actions, world.clock.now())

        replies = Replies(
            world.db, world.seal, world.clock, lambda: world.settings, lambda: ("zh", "en"), world.notices, show
        )
        self.shows = Cards(
            world.db,
            world.seal,
            world.clock,
            world.dingtalk,
            str,
            self.desk,
            world.meter,
            lambda: self.actions,
            lambda: ZONE,
        )
        permit = Permit(world.people, lambda: ZONE)
        self.inbound = Inbound(
            world.db, world.seal, world.clock, self.desk, permit, replies, world.meter, lambda: self.actions
        )

    def _run(self, step: Callable[[], object], crash: int | None) -> None:
        self.fate.draw(crash)
        try:
            step()
        except Crash:
            self._begin_process()
        finally:
            self.fate.draw(None)

    def _hear(self, sender: str, text: str, phrase: str, number: str) -> None:
        ident = f"m{len(self.received)}"
        item = Received(ident, inbox.MESSAGE, sender, {"text": text}, self.world.clock.now())
        self.received.append(item)
        self.inbound.take(item)
        self.judge.said[ident] = Said(sender, phrase, number, item.received_at)
        self.judge.committed()
        self.world.clock.advance(0.01)

    def _press(self, card: Card, sender: str, button: int, deed: str, call: int, fault: str) -> None:
        """Somebody clicks, and it is worked on. Others are at the document before, or decide at the nth call."""
        asked = next((task.receiver for task in self.desk.waiting if task.item_id == card.item_id), "")
        meanwhile: dict[int, list[Deed]] = {}
        if deed and (card.form, card.doc_id) in self.desk.bills:
            place = sorted(self.desk.bills).index((card.form, card.doc_id))
            if call:
                meanwhile = {call: [("agree" if asked else deed, place, len(self.received))]}
            else:
                self.desk.act((deed, place, len(self.received)))
        sender = KINGDEE_USERS[asked] if asked and sender == "u1" else sender
        self._click(card, sender, card.actions[button % len(card.actions)])
        self.go_on([fault] if fault and not meanwhile else [], meanwhile, None, 4.0, 0.0)

    def _click(self, card: Card, sender: str, button: str) -> None:
        phrase = next((rule.phrases[0] for rule in self.in_force if rule.id == button), "")
        said = {"track": card.track, "action": button, "message_id": f"p{len(self.received)}"}
        base = f"click {card.track} {sender} {button}"
        item = Received(base, inbox.CLICK, sender, said, self.world.clock.now())
        late = card.item_id in self.desk.decided
        if self.inbound.take(item):
            self.received.append(item)
            self._shown_at_once(card.track, sender)
            with self.db.read() as tx:
                known = tx.exec_driver_sql("SELECT count(*) FROM inbox WHERE id LIKE ?", (f"{base}%",)).scalar_one()
            ident = base if known == 1 else f"{base}-{known - 1}"
            self.judge.said[ident] = Said(sender, phrase, card.number, item.received_at, card, late)
        self.judge.committed()
        self.world.clock.advance(0.01)

    def _shown_at_once(self, track: str, sender: str) -> None:
        """What the answer to a click shows to who clicked."""
        with self.db.write() as tx:
            card = cards.find(tx, self.world.seal, track)
            if card and card.state == cards.OPEN:
                cards.clicked(tx, self.world.seal, card, sender)
                self.phones[track]["private"][sender] = "正在处理…"

    def _calm(self) -> None:
        self.desk.down = self.desk.secret = False
        for seconds in (*[3.0] * 12, *[30.0] * 15, *[600.0] * 8):
            self.wait(seconds)
            self.inbound.step()
            if not self.db_waits():
                break
        self.wait(60.0)
        self.show()
        self.judge.everything_is_answered()
        self.judge.cards_are_true(self.phones)
        assert not self.judge.wrong, self.judge.wrong
        event(f"effects {min(len(self.desk.effects), 6)}")

    def db_waits(self) -> bool:
        """Whether anything still waits for its turn."""
        with self.db.read() as tx:
            return inbox.next_due(tx) is not None


TestAnswers = pytest.mark.long(Answers.TestCase)
TestAnswers.settings = settings(
    max_examples=EXPLORE or EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    derandomize=not EXPLORE,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate] if HUNT else [Phase.generate, Phase.shrink],
)
