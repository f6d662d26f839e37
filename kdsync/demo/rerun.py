"""`kdsync demo --replay`: a log of expense claims, squeezed into minutes, with the real daemon watching."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from kdsync.clock import Clock
from kdsync.demo.company import MANAGER, PEOPLE, Person, hire
from kdsync.demo.pace import Pace, squeezed, steps
from kdsync.demo.player import Player, Rung
from kdsync.demo.process import RunningDaemon
from kdsync.demo.replay import APPROVED, FORM, SENT_BACK, Plan, plan, read
from kdsync.demo.screen import Screen
from kdsync.demo.script import Filed, Step
from kdsync.demo.setting import Poll, Setting
from kdsync.demo.show import judge, report
from kdsync.demo.stage import Stage, stage, watching, workplace

STAFF = tuple(
    Person(f"clerk{number:02}", f"clerk{number:02}", f"{family}{given}", f"139{number:08}", f"B{number:03}")
    for number, (family, given) in enumerate(
        ((family, given) for family in "王李张刘陈杨黄赵" for given in "伟芳娜敏静强磊洋艳军"), start=1
    )
)
"""So many that nobody comes near DingTalk's 500 messages a person a day."""
POLL = Poll(interval=1, sweep=2, lookback=10)
GAP = 3.0  # seconds between two steps of one claim: a sweep and a little
TELLS = 12.0  # notifications a second; the daemon allows itself 15 calls
PATIENCE = 60.0
SETTLE = 3.5
MEGABYTE = 1_000_000
RULES = f"""\
rules:
  - id: claim-approved
    form: {FORM}
    on: approved
    to: [creator]
    message:
      title: "报销单 {{{{ doc.FBillNo }}}} {APPROVED}，金额 {{{{ doc.FExpAmountSum | money }}}}"
      body: "{{{{ doc.FCreatorId.FName }}}}，您的报销单已审核通过。"

  - id: claim-rejected
    form: {FORM}
    on: [rejected, unapproved]
    to: [creator]
    message:
      title: "报销单 {{{{ doc.FBillNo }}}} {SENT_BACK}，金额 {{{{ doc.FExpAmountSum | money }}}}"
      body: "{{{{ doc.FCreatorId.FName }}}}，请修改后重新提交。"
"""


def rerun(clock: Clock, log: Path, limit: int, speed: float) -> int:
    """Play the log; 0 if every approval and rejection was told once and nothing else. Raises LogError."""
    made = plan(read(log, limit), [person.account for person in STAFF], MANAGER)
    script = list(steps(squeezed(made.beats, Pace(GAP, TELLS * speed))))
    setting = Setting(POLL, monthly_calls=2 * made.tells + 1000, rules={"replay.yaml": RULES})
    with stage(clock, monthly_calls=setting.monthly_calls) as on:
        ids = hire((*PEOPLE, *STAFF), on.kingdee, on.dingtalk)
        screen = Screen(clock, {}, {})
        _introduce(screen, log, made, script)
        with workplace() as (folder, keep), watching(on, folder, setting) as daemon:
            began = clock.monotonic()
            player = _play(on, ids, screen, script)
            outcome = judge(player, daemon)
            screen.figures("The log", _log_rows(made))
            report(screen, outcome, player)
            screen.figures("The daemon", _daemon_rows(daemon, clock.monotonic() - began))
            if not outcome.good:
                screen.say(f"The daemon's log: {keep()}")
    return 0 if outcome.good else 1


def _play(on: Stage, ids: dict[str, int], screen: Screen, script: list[Step]) -> Player:
    progress = _Progress(on.clock, screen, script)
    player = Player(on, ids, {}, progress.step, progress.rung, batch=0.0)
    player.play(script)
    player.finish(PATIENCE, SETTLE)
    progress.show(last=True)
    return player


class _Progress:
    """The line that says how far the replay has come."""

    def __init__(self, clock: Clock, screen: Screen, script: list[Step]) -> None:
        self._clock, self._screen, self._script = clock, screen, script
        self._began = clock.monotonic()
        self._steps = self._told = 0

    def step(self, _step: Step, _paper: Filed, _at: datetime) -> None:
        self._steps += 1
        self.show()

    def rung(self, rung: Rung) -> None:
        self._told += len(rung.seen)
        self.show()

    def show(self, *, last: bool = False) -> None:
        played, length = _minutes(self._clock.monotonic() - self._began), _minutes(_length(self._script))
        text = f"{played} of about {length}  {self._steps:,} of {len(self._script):,} steps, {self._told:,} told"
        self._screen.progress(text, last=last)


def _introduce(screen: Screen, log: Path, made: Plan, script: list[Step]) -> None:
    screen.say(f"kdsync demo --replay {log.name}", "bold")
    screen.say(f"{made.declarations:,} declarations in {made.rows:,} rows; {made.tells:,} approvals and rejections.")
    screen.say(f"Each is to be seen once by its author, one of {len(STAFF)}.")
    length = _length(script)
    screen.say(f"At {made.tells / length:.1f} notifications a second this takes about {_minutes(length)}.\n")


def _length(script: list[Step]) -> float:
    """In seconds, as far as the script says."""
    return script[-1].at + SETTLE if script else SETTLE


def _log_rows(made: Plan) -> Iterator[tuple[str, str, bool]]:
    yield "declarations", f"{made.declarations:,}", True
    yield "rows", f"{made.rows:,}", True
    yield "  played", f"{len(made.beats):,}", True
    yield from _reasons("    of them mended", made.mended)
    yield "  skipped", f"{made.skipped.total():,}", True
    yield from _reasons("   ", made.skipped)


def _reasons(label: str, counted: Counter[str]) -> Iterator[tuple[str, str, bool]]:
    for reason, count in counted.most_common():
        yield label, f"{count:,} {reason}", True


def _daemon_rows(daemon: RunningDaemon, seconds: float) -> Iterator[tuple[str, str, bool]]:
    yield "largest memory", f"{daemon.peak_memory() / MEGABYTE:.0f} MB", True
    yield "requests to Kingdee", f"{daemon.counts().kingdee_calls:,}", True
    yield "duration", _minutes(seconds), True


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02}"
