"""The real daemon between the simulated systems, with everything going wrong that may: is anything missed, or doubled?

    python -m tests.benchmarks.soak --minutes 5 --rate 20 [--faults worst-day] [--seed 1] [--restarts 3] [--reloads 3]

People work at random in a simulated Kingdee; an oracle knows what must be noticed of it, and told to whom; phones in a
simulated DingTalk say what they saw. The daemon is a process of its own that is killed now and then. Exit code 1
unless nothing was missed, doubled, imagined or told unasked. In a run across midnight in Shanghai a message of which no
answer came is shown twice, for DingTalk no longer knows the first: that counts as doubled, so begin at another hour.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random

from kdsync.clock import Clock, SystemClock
from kdsync.demo.setting import AGENT_ID, CLIENT_ID, CLIENT_SECRET, ROBOT_SECRET, ROBOT_TOKEN, SIMULATED, secrets
from kdsync.errors import KdsyncError
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.dingtalk_phones import Seen
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.profiles import BadFaultsError, parse, unleash
from tests.benchmarks.soaking import company
from tests.benchmarks.soaking.load import Load
from tests.benchmarks.soaking.oracle import Oracle
from tests.benchmarks.soaking.process import Lives, Store
from tests.benchmarks.soaking.report import Report, gather

CALLS_A_SECOND = 5.0  # kdsync allows itself 15; on a bad day a quarter of them fail, and it has to catch up
EVENTS_A_STEP = 1.5  # about
PHONES_A_TELL = 1.4  # about
BEFORE = 10  # seconds of work that the first look must be silent about; with fewer documents deletions are an alarm
LEAST = 60  # documents of each form
TURN = 0.05  # seconds
SETTLE = 6.0  # three sweeps: what is doubled shows
CROWD = 10_000  # documents that wait to be noticed; more than that, and people stop working


class Soak:
    """One run. `folder` is kept by whoever wants to look at it."""

    def __init__(self, options: Namespace, folder: Path, clock: Clock) -> None:
        self.options, self.folder, self.clock = options, folder, clock
        self.random = Random(options.seed)
        self.oracle = Oracle()
        self.kingdee = SimulatedKingdee(clock, random=Random(options.seed + 1))
        self.dingtalk = SimulatedDingTalk(
            clock,
            client_id=CLIENT_ID,
            client_secret=SIMULATED[CLIENT_SECRET],
            agent_id=AGENT_ID,
            monthly_calls=company.PLAN,
            monthly_pushes=company.PLAN,
            random=Random(options.seed + 2),
        )
        self.dingtalk.add_group_robot("finance", SIMULATED[ROBOT_TOKEN], SIMULATED[ROBOT_SECRET])
        self.phones: SimpleQueue[Seen] = SimpleQueue()
        self.dingtalk.on_seen = self.phones.put
        self.share = min(1.0, CALLS_A_SECOND / (options.rate * EVENTS_A_STEP))
        self.seconds = options.minutes * 60
        self.store = Store(folder)
        self.never = threading.Event()

    def run(self) -> Report:
        """From the first look to the figures."""
        began = self.clock.monotonic()
        with self.kingdee, self.dingtalk:
            messages = self.options.rate * self.seconds * EVENTS_A_STEP * self.share * PHONES_A_TELL
            staff = company.open_up(self.kingdee, self.dingtalk, messages)
            self.load = Load(self.kingdee, staff, self.oracle, self.clock, self.random, self.share)
            self.load.begin(max(LEAST, int(BEFORE * self.options.rate)))
            config = company.write(self.folder, self.kingdee, self.dingtalk)
            self.lives = Lives(config, secrets(self.kingdee), self.clock)
            try:
                self._live()
            finally:
                self.lives.stop()
        return gather(self, self.clock.monotonic() - began)

    def _live(self) -> None:
        self.lives.start()
        unleash(parse(self.options.faults), self.kingdee, self.dingtalk)
        self._work()
        self.kingdee.clear_faults()
        self.dingtalk.clear_faults()
        self._drain()

    def _work(self) -> None:
        clock, rate = self.clock, self.options.rate
        start = clock.monotonic()
        kills, reloads = (self._moments(start, number) for number in (self.options.restarts, self.options.reloads))
        done, looked, told = 0, start, start
        while (now := clock.monotonic()) < start + self.seconds:
            while done < (now - start) * rate and len(self.load.waiting) < CROWD:
                self.load.step()
                done += 1
            self._listen(TURN)
            if now - looked >= 1.0:
                looked = now
                self._look()
                if kills and now >= kills[0]:
                    kills.pop(0)
                    self.lives.kill()
                    self.lives.start(patience=0.0)
                if reloads and now >= reloads[0]:
                    company.write_rules(self.folder, len(reloads))
                    if self.lives.daemon.reload():
                        reloads.pop(0)
            if now - told >= self.options.every:
                told = now
                self._say(f"{now - start:5.0f} s")

    def _moments(self, start: float, number: int) -> list[float]:
        """So many of them, one in each equal part of the run."""
        part = self.seconds / max(number, 1)
        return [start + part * (place + self.random.uniform(0.2, 0.9)) for place in range(number)]

    def _listen(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 0:
            with suppress(Empty):
                seen = self.phones.get(timeout=left)
                if company.is_for_operators(seen.who, seen.title):
                    self.oracle.tell_operators(seen.title, seen.text)
                else:
                    self.oracle.arrive(seen.who, seen.title, seen.text, seen.time)

    def _look(self) -> None:
        """What has kdsync noticed? And is it well?"""
        self.lives.sample()
        for place, kinds in self.store.events_of(list(self.load.waiting)).items():
            if self.oracle.notice(place, kinds):
                self.load.noticed(place)

    def _drain(self) -> None:
        """Until everything is noticed and everything told, or patience ends."""
        end = self.clock.monotonic() + self.options.patience
        while self.clock.monotonic() < end:
            self._listen(1.0)
            self._look()
            if not self.load.waiting and not self.store.unsent() and not self._missing():
                break
        self._say("drained")
        self._listen(SETTLE)
        for place, kinds in self.store.all_events().items():
            self.oracle.notice(place, kinds)

    def _missing(self) -> int:
        return self.oracle.open - len(list(self.store.dead())) - len(list(self.store.diverted()))

    def _say(self, when: str) -> None:
        if self.options.json:
            return
        waiting, unsent = len(self.load.waiting), self.store.unsent()
        told = f"{self.oracle.seen:,} of {self.oracle.expected:,} messages seen"
        print(f"{when}: {self.oracle.events:,} events, {waiting} to be noticed, {told}, {unsent} unsent", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; 1 unless all is well."""
    options = _options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="kdsync-soak-"))
    try:
        report = Soak(options, folder, SystemClock()).run()
    except KdsyncError as error:
        print(f"soak: {error}; everything is in {folder}", file=sys.stderr)
        return 1
    print(json.dumps(report.plain(), ensure_ascii=False) if options.json else report.text())
    if report.good and not options.keep:
        shutil.rmtree(folder)
    else:
        print(f"The daemon's store and logs: {folder}", file=sys.stderr)
    return 0 if report.good else 1


def _options(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="of work; draining comes on top")
    parser.add_argument("--rate", type=float, default=20.0, help="steps a second")
    parser.add_argument("--faults", default="worst-day", help="a profile, or faults like reset=0.01,session_lost=3")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--restarts", type=int, default=3, help="how often the daemon is killed")
    parser.add_argument("--reloads", type=int, default=3, help="how often its rules are reloaded")
    parser.add_argument("--patience", type=float, default=900.0, help="seconds that draining may take")
    parser.add_argument("--every", type=float, default=15.0, help="seconds between two lines of progress")
    parser.add_argument("--keep", action="store_true", help="keep the daemon's store and logs")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        parse(options.faults)
    except BadFaultsError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    sys.exit(main())
