"""Plays a script in the simulated Kingdee and DingTalk while it listens to the phones."""

from __future__ import annotations

import queue
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from kdsync.demo.company import USERIDS, dated, file
from kdsync.demo.script import Filed, Paper, Said, Step
from kdsync.demo.stage import Stage
from kdsync.demo.tally import Arrival, Expected, Tally, Verdict
from kdsync.simulator.dingtalk_phones import Seen
from kdsync.simulator.kingdee import SimulatedKingdee

BATCH = 0.03  # seconds: the phones of one call ring together
LATE = 0.05  # seconds behind after which the rest of the script is put off as well


@dataclass(frozen=True, slots=True)
class Rung:
    """A message on some phones at once: what it was to each, and how long after its cause it came.

    With the reply to an answer comes what Kingdee then has: the document, its status ("" where it has none), and
    whether that is right.
    """

    seen: tuple[Seen, ...]
    verdicts: tuple[Verdict, ...]
    delay: float
    paper: Filed | None = None
    status: str = ""
    right: bool = True


@dataclass
class Player:
    """`on_step` and `on_rung` are told what happened; both run in the thread that plays."""

    stage: Stage
    ids: Mapping[str, int]
    papers: dict[str, Filed]
    on_step: Callable[[Step, Filed, datetime], None] = lambda _step, _paper, _at: None
    on_rung: Callable[[Rung], None] = lambda _rung: None
    batch: float = BATCH
    tally: Tally = field(default_factory=Tally)
    played: Counter[str] = field(default_factory=Counter)
    _asked: dict[str, Step] = field(default_factory=dict)  # by what `_name` says
    _right: int = 0

    @property
    def said(self) -> Said:
        """What was answered so far, and became of it."""
        return Said(len(self._asked), self._right)

    def play(self, steps: Iterable[Step]) -> None:
        """The whole script at its times. When we fall behind, everything after is put off: steps never bunch up."""
        clock = self.stage.clock
        start = clock.monotonic()
        for step in steps:
            self.listen_until(start + step.at)
            behind = clock.monotonic() - start - step.at
            if behind > LATE:
                start += behind
            self._take(step)

    def finish(self, patience: float, settle: float) -> None:
        """Listen until everything expected has arrived, at most `patience` seconds, then `settle` more for doubles."""
        clock = self.stage.clock
        end = clock.monotonic() + patience
        while not self.tally.complete and clock.monotonic() < end:
            self.listen_until(min(end, clock.monotonic() + 0.2))
        self.listen_until(clock.monotonic() + settle)

    def listen_until(self, moment: float) -> None:
        """Take what rings until a moment of the monotonic clock."""
        clock = self.stage.clock
        while (left := moment - clock.monotonic()) > 0:
            try:
                first = self.stage.phones.get(timeout=left)
            except queue.Empty:
                return
            self._ring([first, *self._rest_of_call(min(self.batch, left))])

    def _rest_of_call(self, seconds: float) -> list[Seen]:
        rest: list[Seen] = []
        while True:
            try:
                rest.append(self.stage.phones.get(timeout=seconds))
            except queue.Empty:
                return rest

    def _ring(self, seen: list[Seen]) -> None:
        calls: dict[tuple[int, str], list[Seen]] = {}
        for one in seen:
            calls.setdefault((one.task_id, one.title), []).append(one)
        for together in calls.values():
            judged = [self.tally.arrive(Arrival(one.who, one.title, one.time, one.text)) for one in together]
            delay = max(one.delay for one in judged)
            rung = Rung(tuple(together), tuple(one.verdict for one in judged), delay)
            answered = next((self._asked[one.answers] for one in judged if one.answers), None)
            self.on_rung(self._looked_up(rung, answered) if answered else rung)

    def _looked_up(self, rung: Rung, answered: Step) -> Rung:
        """With what Kingdee has of the document when the reply is there."""
        paper = self.papers[answered.paper]
        document = self.stage.kingdee.document(paper.form, paper.doc_id)
        status = str(document.get("FDocumentStatus") or "")
        self._right += (right := status == answered.leaves)
        return replace(rung, paper=paper, status=status, right=right)

    def _take(self, step: Step) -> None:
        since = self.stage.clock.now()
        before = self.papers.get(step.paper)
        paper = self._answer(step, before) or perform(self.stage.kingdee, step, self.ids[step.actor], before, since)
        self.papers[step.paper] = paper
        for tell in step.tells:
            words = (paper.number, *tell.words) if tell.numbered else tell.words
            self.tally.expect(Expected(tell.who, words, since, _name(step) if tell.reply else ""))
        self.played[step.kind or "unseen"] += 1
        self.on_step(step, paper, since)

    def _answer(self, step: Step, paper: Filed | None) -> Filed | None:
        """Say it in DingTalk; None for what is done in Kingdee. Where no reply is expected, nothing is held of it."""
        if step.verb != "answer" or paper is None:
            return None
        if any(tell.reply for tell in step.tells):
            self._asked[_name(step)] = step
        self.stage.dingtalk.say(USERIDS[step.actor], wording(step, paper))
        return paper


def wording(step: Step, paper: Filed) -> str:
    """What somebody writes to the robot."""
    return step.says.format(paper.number)


def _name(step: Step) -> str:
    return f"{step.actor} {step.paper} {step.at:g}"


def perform(kingdee: SimulatedKingdee, step: Step, user: int, paper: Filed | None, now: datetime) -> Filed:
    """Do one step; returns the document as the script knows it then."""
    if step.verb == "create":
        content = step.content or Paper("")
        return file(kingdee, content, user, now.date(), number=step.number)
    if paper is None:
        raise KeyError(f"the script has no {step.paper!r} yet")
    if step.verb in ("edit", "write_back"):
        return _write(kingdee, step, user, paper, now)
    if step.waits_for:
        kingdee.start_workflow(paper.form, paper.doc_id, step.waits_for)
        return paper
    getattr(kingdee, step.verb)(paper.form, paper.doc_id, user)
    return paper


def _write(kingdee: SimulatedKingdee, step: Step, user: int, paper: Filed, now: datetime) -> Filed:
    content = step.content or Paper(paper.form)
    changes: dict[str, Any] = dated(content.fields, now.date())
    if content.rows:
        standing = kingdee.document(paper.form, paper.doc_id)["entries"]
        ids = [{"FEntryID": row["FEntryID"]} for row in standing]
        changes["entries"] = [known | dict(row) for known, row in zip(ids, content.rows, strict=True)]
    if step.verb == "edit":
        kingdee.edit(paper.form, paper.doc_id, by=user, **changes)
    else:
        kingdee.write_back(paper.form, paper.doc_id, **changes)
    return replace(paper, amount=content.amount or paper.amount, about=content.about or paper.about)
