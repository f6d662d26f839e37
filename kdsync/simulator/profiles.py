"""Bad days by name: which faults strike the two simulated systems, how often, and how far apart.

A profile leaves a way through: what makes kdsync hold back for minutes (a ban, a lost permission) is rare in it, and
sessions are not lost more often than kdsync may log in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.faults import DINGTALK, KINGDEE
from kdsync.simulator.kingdee import SimulatedKingdee

SYSTEMS: Mapping[str, Mapping[str, str]] = {"kingdee": KINGDEE, "dingtalk": DINGTALK}
WORD = re.compile(r"(?:(kingdee|dingtalk)\.)?([a-z0-9_]+)(?:@([A-Za-z0-9_/]+))?=(\d+|\d*\.\d+)")


@dataclass(frozen=True, slots=True)
class Ask:
    """One fault of one system. `place` is a service of Kingdee, or a part of a path of DingTalk; "" is everywhere."""

    system: str
    name: str
    probability: float | None = None
    times: int | None = None
    seconds: float | None = None
    gap: float = 0.0
    place: str = ""

    def __str__(self) -> str:
        where = f"@{self.place}" if self.place else ""
        number = "once" if self.times == 1 else f"{self.times} times"
        often = number if self.probability is None else f"{self.probability:.1%} of the requests"
        apart = f", {self.gap:g} s apart" if self.gap else ""
        return f"{self.system}.{self.name}{where}: {often}{apart}"


@dataclass(frozen=True, slots=True)
class Profile:
    """A bad day."""

    about: str
    asks: tuple[Ask, ...] = field(repr=False)


class BadFaultsError(ValueError):
    """What was asked for is no profile and no list of faults; the text says what would be."""


def _kingdee(name: str, probability: float, seconds: float | None = None, gap: float = 0.0, place: str = "") -> Ask:
    return Ask("kingdee", name, probability, None, seconds, gap, place)


def _dingtalk(name: str, probability: float, seconds: float | None = None, gap: float = 0.0, place: str = "") -> Ask:
    return Ask("dingtalk", name, probability, None, seconds, gap, place)


SEND = "asyncsend_v2"
NETWORK = tuple(
    ask(name, probability, seconds, gap)
    for ask in (_kingdee, _dingtalk)
    for name, probability, seconds, gap in (
        ("reset", 0.03, None, 0.0),
        ("lost_reply", 0.02, None, 0.0),
        ("slow", 0.03, 1.0, 0.0),
        ("hang", 0.002, 4.0, 30.0),
    )
)
BAD_DAY = (
    *(_kingdee(name, 0.01) for name in ("http500", "http502", "http503", "http504", "chinese_page", "html", "empty")),
    *(_kingdee(name, 0.01) for name in ("reset", "lost_reply", "truncated_json", "cut", "cut_chunks", "wider_rows")),
    *(_kingdee(name, 0.01) for name in ("response_error", "database", "database_deep", "short_page")),
    *(_kingdee(name, 0.003) for name in ("request_filter", "licence", "redirect", "login_page", "exception")),
    *(_kingdee(name, 0.003) for name in ("http408", "garbage", "number", "huge", "database_top", "database_text")),
    _kingdee("no_rows", 0.003, gap=60.0, place="ExecuteBillQuery"),
    _kingdee("http429", 0.003),
    _kingdee("call_limit", 0.002, gap=300.0),
    _kingdee("slow", 0.01, 1.0),
    _kingdee("hang", 0.002, 4.0, 60.0),
    _kingdee("down", 0.0005, 10.0, 300.0),
    _kingdee("session_lost", 0.01, gap=240.0),
    _kingdee("session_lost_top", 0.01, gap=400.0),
    _kingdee("session_not_restored", 0.01, gap=400.0),
    _kingdee("n001", 0.01, gap=240.0),
    *(_dingtalk(name, 0.01) for name in ("http500", "http502", "http503", "http504", "done504", "done500", "redirect")),
    *(_dingtalk(name, 0.01) for name in ("reset", "lost_reply", "truncated_json", "cut", "empty", "no_envelope")),
    *(_dingtalk(name, 0.01) for name in ("qps", "qps_api", "busy88", "busy_inside", "system_busy", "token_void")),
    *(_dingtalk(name, 0.003) for name in ("http401", "http429", "token_old", "token_void_88", "token_missing")),
    *(_dingtalk(name, 0.003) for name in ("http400", "garbage")),
    _dingtalk("qpm", 0.003, gap=300.0),
    _dingtalk("slow", 0.01, 1.0),
    _dingtalk("hang", 0.002, 4.0, 60.0),
    _dingtalk("down", 0.0005, 10.0, 300.0),
    _dingtalk("token_expired", 0.003, gap=20.0),
)
HOLDS = (
    _dingtalk("html_ban", 0.001, gap=1800.0, place=SEND),
    _dingtalk("json_ban", 0.001, gap=1800.0, place=SEND),
    _dingtalk("permission", 0.001, gap=1800.0, place=SEND),
    _dingtalk("ip_not_listed", 0.001, gap=1800.0, place=SEND),
    _kingdee("permission", 0.001, gap=600.0, place="ExecuteBillQuery"),
    _kingdee("wrong_password", 0.02, gap=3600.0),
    _kingdee("authorisation_lost", 0.02, gap=1800.0),
)
"""kdsync holds back for minutes after each."""

PROFILES: Mapping[str, Profile] = {
    "bad-day": Profile("a bit of everything that passes by itself", BAD_DAY),
    "worst-day": Profile(
        "that, and now and then a ban or a lost permission: five minutes' silence each", BAD_DAY + HOLDS
    ),
    "flaky-network": Profile("connections break, answers are lost or late, on both sides", NETWORK),
    "kingdee-down": Profile(
        "Kingdee is gone for a minute in every three", (_kingdee("down", 1.0, 60.0, 180.0), _kingdee("http502", 0.1))
    ),
    "dingtalk-down": Profile(
        "DingTalk is gone for a minute in every three", (_dingtalk("down", 1.0, 60.0, 180.0), _dingtalk("http504", 0.1))
    ),
    "throttled": Profile(
        "both systems ask for fewer calls",
        (
            _dingtalk("qps", 0.2),
            _dingtalk("qpm", 0.01, gap=120.0),
            _dingtalk("robot_fast", 0.02, gap=1800.0, place="/robot/send"),
            _kingdee("http429", 0.05),
            _kingdee("call_limit", 0.01, gap=120.0),
            _kingdee("slow", 0.2, 2.0),
        ),
    ),
}


def parse(text: str) -> tuple[Ask, ...]:
    """The faults of a profile, or of a list such as `http500=0.05,kingdee.session_lost=3,hang@asyncsend_v2=1`.

    A number with a point is the share of requests that a fault strikes, one without is how often it strikes at all. A
    name that both systems know means both. Raises BadFaultsError.
    """
    if text in PROFILES:
        return PROFILES[text].asks
    return tuple(ask for word in text.split(",") for ask in _asks(word.strip()))


def _asks(word: str) -> Iterator[Ask]:
    found = WORD.fullmatch(word)
    if found is None:
        raise BadFaultsError(
            f"{word!r} is neither a profile ({', '.join(PROFILES)}) nor a fault like http500=0.05 (a share of the "
            f"requests) or http500=3 (so many times); `--faults list` prints all of both"
        )
    system, name, place, number = found.groups()
    systems = [one for one, known in SYSTEMS.items() if name in known and system in (None, one)]
    if not systems:
        raise BadFaultsError(f"{word!r}: there is no fault {name!r}; `--faults list` prints those there are")
    share = float(number) if "." in number else None
    if share is not None and not 0 < share <= 1:
        raise BadFaultsError(f"{word!r}: a share of the requests is more than 0 and at most 1.0")
    if share is None and number.strip("0") == "":
        raise BadFaultsError(f"{word!r}: a fault that never strikes need not be asked for")
    times = None if share is not None else int(number)
    yield from (Ask(one, name, share, times, place=place or "") for one in systems)


def unleash(asks: Iterable[Ask], kingdee: SimulatedKingdee, dingtalk: SimulatedDingTalk) -> None:
    """Let all of them wait for their requests."""
    for ask in asks:
        often: dict[str, Any] = {
            "probability": ask.probability,
            "times": ask.times,
            "seconds": ask.seconds,
            "gap": ask.gap,
        }
        if ask.system == "kingdee":
            kingdee.fault(ask.name, op=ask.place or None, **often)
        else:
            dingtalk.fault(ask.name, api=ask.place or None, **often)


def listing() -> Iterator[tuple[str, Mapping[str, str]]]:
    """All profiles and all faults below their headings: what each is about, by name."""
    yield "Profiles", {name: profile.about for name, profile in PROFILES.items()}
    yield "Faults of the simulated Kingdee", KINGDEE
    yield "Faults of the simulated DingTalk", DINGTALK
