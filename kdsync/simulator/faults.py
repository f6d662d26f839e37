"""What can be made to go wrong in the two simulated systems, by name: once, some times, or with a probability."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from threading import Lock

from kdsync.clock import Clock
from kdsync.simulator.dingtalk_faults import BROKEN, DENIED, DONE, SILENT
from kdsync.simulator.kingdee_faults import TOLD

_BOTH = {
    "reset": "the connection is reset before the request is looked at",
    "down": "as if the server were off: every connection is reset for `seconds` (60 unless given)",
    "hang": "no answer comes until the caller gives up, or `seconds` of real time have passed; nothing was done",
    "slow": "the answer comes `seconds` later, by the simulator's clock",
    "lost_reply": "the request is carried out, then the connection is reset instead of an answer",
}

KINGDEE: Mapping[str, str] = {
    **_BOTH,
    **{name: told.about for name, told in TOLD.items()},
    "session_lost": "the session is forgotten; the caller must log in again",
    "truncated_json": "the answer is cut in the middle, its length fits",
    "cut": "the connection ends in the middle of the answer",
    "cut_chunks": "the same, in an answer that is sent in chunks",
    "short_page": "a page is shorter than asked while more exist",
    "no_rows": "a query finds nothing, as after a lost data permission",
    "wider_rows": "the rows of a query have one value too many",
}
"""Fault names of the simulated Kingdee, with what they do."""

DINGTALK: Mapping[str, str] = {
    **_BOTH,
    **DONE,
    **{name: about for name, (about, _) in BROKEN.items()},
    **{name: denied.about for name, denied in DENIED.items()},
    **{name: about for name, (_, about) in SILENT.items()},
    "http504": "the gateway gives up on its backend: HTTP 504, or errcode 15 on the old host; nothing was done",
    "token_expired": "the access token is void from now on, as is every request that carries it",
    "permission": "the app lacks the permission for this call",
    "flow_control": "a robot's message is accepted but held back from everybody in it",
}
"""Fault names of the simulated DingTalk, with what they do."""


DOWN = 60.0
"""Seconds that the fault `down` lasts unless told otherwise."""


@dataclass(slots=True)
class Fault:
    """One fault that waits for its requests.

    `where` narrows it: each named property of a request must contain the given text. With a `probability` it strikes
    that share of the matching requests, otherwise the next ones; `times` is how often, None for until it is cleared.
    Between two strikes lie at least `gap` seconds.
    """

    name: str
    times: int | None = 1
    probability: float | None = None
    seconds: float | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    gap: float = 0.0
    last: float | None = None  # when it struck, by the monotonic clock

    def matches(self, place: Mapping[str, str]) -> bool:
        return all(text in place.get(key, "") for key, text in self.where.items())


class Faults:
    """The faults that are set; those set first strike first. `on_strike` hears of each strike: name and place."""

    def __init__(self, known: Mapping[str, str], random: Random, clock: Clock) -> None:
        self.struck: Counter[str] = Counter()
        self.on_strike: Callable[[str, Mapping[str, str]], None] = lambda _name, _place: None
        self._known = known
        self._random = random
        self._clock = clock
        self._waiting: list[Fault] = []
        self._down: Fault | None = None
        self._down_until = 0.0
        self._lock = Lock()

    def add(
        self,
        name: str,
        *,
        times: int | None = None,
        probability: float | None = None,
        seconds: float | None = None,
        gap: float = 0.0,
        **where: str | None,
    ) -> None:
        """Set a fault, once unless `times` or a `probability` says otherwise; ValueError for a name that is not known.

        A `where` of None is no condition.
        """
        if name not in self._known:
            raise ValueError(f"unknown fault {name!r}; known are {', '.join(sorted(self._known))}")
        narrowed = {key: text for key, text in where.items() if text is not None}
        times = 1 if times is None and probability is None else times
        with self._lock:
            self._waiting.append(Fault(name, times, probability, seconds, narrowed, gap))

    def take(self, **place: str) -> Fault | None:
        """The fault that strikes the request at `place`, if one does; it is used up by that."""
        with self._lock:
            now = self._clock.monotonic()
            if self._down and now < self._down_until:
                return self._down
            fault = next((one for one in self._waiting if one.matches(place) and self._strikes(one, now)), None)
            if fault is None:
                return None
            self.struck[fault.name] += 1
            if fault.name == "down":
                self._down, self._down_until = fault, now + (fault.seconds or DOWN)
        self.on_strike(fault.name, place)
        return fault

    def _strikes(self, fault: Fault, now: float) -> bool:
        if fault.last is not None and now - fault.last < fault.gap:
            return False
        if fault.probability is not None and self._random.random() >= fault.probability:
            return False
        fault.last = now
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._waiting.remove(fault)
        return True

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._waiting.clear()
            self._down = None
