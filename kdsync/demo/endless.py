"""`kdsync simulate`: the two simulated systems alone, with the company working in them, to try a configuration on."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import yaml

from kdsync.clock import Clock
from kdsync.demo.company import BEFORE, STOCK, Company, file, populate, stock
from kdsync.demo.day import DAY, day
from kdsync.demo.player import Player
from kdsync.demo.screen import Screen
from kdsync.demo.script import Filed, Step
from kdsync.demo.setting import connection, secrets, shipped
from kdsync.demo.stage import Stage, stage
from kdsync.simulator.profiles import Ask, unleash

STEP_SECONDS = 4.0  # from one event to the next
USED_UP = ("owed", "running order")  # papers that a day changes for good


def simulate(
    clock: Clock, kingdee_port: int, dingtalk_port: int, faults: Sequence[Ask] = (), seed: int | None = None
) -> None:
    """Run until interrupted. Raises OSError for a port that is taken."""
    with stage(clock, kingdee_port=kingdee_port, dingtalk_port=dingtalk_port, seed=seed) as on:
        company = populate(on.kingdee, on.dingtalk, clock.now().date())
        screen = Screen(clock, company.names, company.phones)
        introduce(screen, on, faults)
        spoil(on, faults, screen.struck)
        papers = dict(company.papers)
        while True:
            player = Player(on, company.ids, papers, screen.step, screen.seen)
            player.play(unjudged())
            papers = fresh(on, company)


def unjudged() -> Iterator[Step]:
    """A slow day; nothing is expected of whatever rules are being tried."""
    return (replace(step, tells=()) for step in day(STEP_SECONDS * len(DAY)))


def fresh(on: Stage, company: Company) -> dict[str, Filed]:
    """The papers for another day: the stores are full again, and there is something to settle and to change."""
    today = on.clock.now().date()
    papers = dict(company.papers)
    for name, material, quantity in STOCK:
        on.kingdee.write_back(papers[name].form, papers[name].doc_id, **stock(material, quantity).fields)
    for name, paper, status, who in BEFORE:
        if name in USED_UP:
            papers[name] = file(on.kingdee, paper, company.ids[who], today, status)
    return papers


def spoil(on: Stage, faults: Sequence[Ask], struck: Callable[[str, str, Mapping[str, str]], None]) -> None:
    """Let things go wrong; `struck` hears of each by system, name and place."""
    on.kingdee.faults.on_strike = partial(struck, "kingdee")
    on.dingtalk.faults.on_strike = partial(struck, "dingtalk")
    unleash(faults, on.kingdee, on.dingtalk)


def sections(on: Stage) -> dict[str, Any]:
    """What of kdsync.yaml has to be another; without quiet hours, in which most messages would wait."""
    return {**connection(on.kingdee, on.dingtalk), "store": {"url": "sqlite:///kdsync.db"}, "calendar": {}}


def introduce(screen: Screen, on: Stage, faults: Sequence[Ask] = ()) -> None:
    """What to put where, so that a kdsync of one's own looks at this."""
    screen.say("kdsync simulate: a Kingdee and a DingTalk in which a small company works", "bold")
    screen.say("1. In another terminal, a copy of the examples to try with:\n")
    screen.verbatim(f"cp -r {shlex.quote(str(shipped()))} trial")
    screen.say("\n2. Put this in place of the sections of the same names in trial/kdsync.yaml:\n")
    screen.verbatim(yaml.safe_dump(sections(on), allow_unicode=True, sort_keys=False))
    screen.say("3. In that terminal:\n")
    for name, value in secrets(on.kingdee).items():
        screen.verbatim(f"export {name}={shlex.quote(value)}")
    screen.verbatim("kdsync run -c trial/kdsync.yaml")
    if faults:
        screen.say("\nWhat will go wrong:")
        for ask in faults:
            screen.say(f"  {ask}", "dim")
    screen.say("\nThe secrets open nothing but this. What happens and what phones show (Ctrl-C ends it):\n")
