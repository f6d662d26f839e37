"""`kdsync demo`: a day in the company from the first look to the figures at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from kdsync.clock import Clock
from kdsync.demo.company import BEFORE, STOCK, populate
from kdsync.demo.day import day
from kdsync.demo.endless import spoil
from kdsync.demo.explained import explained
from kdsync.demo.player import Player
from kdsync.demo.process import RunningDaemon
from kdsync.demo.screen import Screen
from kdsync.demo.setting import Setting
from kdsync.demo.stage import Stage, stage, watching, workplace
from kdsync.demo.verdict import Outcome, missing
from kdsync.simulator.profiles import Ask

AROUND = 8.0  # seconds for the start and the end
SHORTEST = 11.0  # seconds of a day in which a look still fits between two steps of one paper
SHORTEST_BAD = 60.0  # the same, where a look may fail three times over
PATIENCE = 20.0
PATIENCE_BAD = 120.0
TOO_LONG = 300.0  # what strikes once in so many seconds silences a system for many
SETTLE = 2.5  # long enough for a sweep, which would bring doubles to light


def show(clock: Clock, seconds: float, faults: Sequence[Ask] = (), seed: int | None = None) -> int:
    """Play the day; 0 if everything was told once and nothing else. Faults that outlast a demo's day are left out."""
    setting = Setting()
    faults = [ask for ask in faults if ask.gap < TOO_LONG]
    with stage(clock, monthly_calls=setting.monthly_calls, seed=seed) as on:
        company = populate(on.kingdee, on.dingtalk, clock.now().date())
        screen = Screen(clock, company.names, company.phones)
        _introduce(screen, on)
        with workplace() as (folder, keep), watching(on, folder, setting) as daemon:
            screen.say("The daemon has taken its first look, in silence. The day begins.\n", "dim")
            player = Player(on, company.ids, dict(company.papers), screen.step, screen.rung)
            spoil(on, faults, partial(_struck, screen, player))
            shortest, patience = (SHORTEST_BAD, PATIENCE_BAD) if faults else (SHORTEST, PATIENCE)
            play(player, max(seconds - AROUND, shortest), patience)
            outcome = judge(player, daemon, plan=setting.monthly_calls)
            report(screen, outcome, player)
            if not outcome.good:
                screen.say(f"The daemon's log: {keep()}")
    return 0 if outcome.good else 1


def play(player: Player, seconds: float, patience: float = PATIENCE) -> None:
    """The day, live; nothing goes wrong any more when it is over."""
    player.play(day(seconds))
    player.stage.kingdee.clear_faults()
    player.stage.dingtalk.clear_faults()
    player.finish(patience, SETTLE)


def _struck(screen: Screen, player: Player, system: str, fault: str, place: Mapping[str, str]) -> None:
    screen.struck(system, fault, place)
    for notice in explained(system, fault, player.stage.clock.now()):
        player.tally.may_arrive(notice)


def judge(player: Player, daemon: RunningDaemon, plan: int = 0) -> Outcome:
    """Everything there is to say about a run; `plan` is how many calls a month there are."""
    daemon.check()
    played = {str(kind): count for kind, count in player.played.items()}
    calls = player.stage.dingtalk.metered_calls
    return Outcome(played, dict(daemon.noticed()), player.tally.result(), daemon.counts(), calls, plan, player.said)


def report(screen: Screen, outcome: Outcome, player: Player) -> None:
    """Print the figures, and what is wrong with them."""
    screen.figures("Summary", outcome.rows())
    for line in missing(player.tally.missing):
        screen.say(line, "red")
    if outcome.good:
        screen.say("\nEverybody heard of everything once, and nobody of anything else.", "bold green")
    else:
        screen.say("\nThat is not as it should be.", "bold red")


def _introduce(screen: Screen, on: Stage) -> None:
    screen.say("kdsync demo: the real daemon between a simulated Kingdee and DingTalk", "bold")
    screen.say(f"Kingdee is {on.kingdee.url}, DingTalk is {on.dingtalk.url}.")
    screen.say(f"The {len(BEFORE) + len(STOCK)} documents in there are old: nobody hears of them.")
    screen.say("A line with a time: what somebody does in Kingdee, or writes in DingTalk.")
    screen.say("An indented one: on whose phone that appears, and how long after;")
    screen.say("below the reply to somebody who wrote: what Kingdee has of the document.")
