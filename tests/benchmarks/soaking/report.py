"""What a soak says in the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tests.benchmarks.soaking.company import GHOSTS
from tests.benchmarks.soaking.oracle import Tell, percentile

if TYPE_CHECKING:
    from tests.benchmarks.soak import Soak

MEGABYTE = 1_000_000
FEW = 20


@dataclass(slots=True)
class Report:
    """The figures; delays in seconds, from a change to its message on a phone."""

    seed: int
    faults: str
    seconds: float
    steps: dict[str, int]
    events: int  # that were to be noticed
    expected: int  # messages on phones
    seen: int
    missed: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unnoticed: list[str] = field(default_factory=list)
    imagined: list[str] = field(default_factory=list)  # events that never were
    unasked: list[str] = field(default_factory=list)
    dead: dict[str, int] = field(default_factory=dict)  # by reason
    diverted: dict[str, int] = field(default_factory=dict)  # to the operators, by reason
    delays: dict[str, float] = field(default_factory=dict)
    memory: int = 0  # bytes, the largest
    cpu: float = 0.0  # seconds of the processor
    lives: int = 0
    found_late: int = 0  # only by the look at all keys
    loop_failures: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    struck: dict[str, int] = field(default_factory=dict)
    notices: dict[str, int] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Nothing is wrong."""
        wrong = self.missed or self.doubled or self.unnoticed or self.imagined or self.unasked
        return not (wrong or self.loop_failures or self.found_late)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "good": self.good}

    def text(self) -> str:
        """For people."""
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        lines = [f"{'soak':<28}seed {self.seed}, {self.faults}, {self.seconds:,.0f} s"]
        for label, figure in self._figures():
            lines.append(f"{label:<28}{figure}")
        for label, wrong in (
            ("missed", self.missed),
            ("doubled", self.doubled),
            ("not noticed", self.unnoticed),
            ("imagined", self.imagined),
            ("unasked", self.unasked),
        ):
            lines += [f"{label}: {one}" for one in wrong[:FEW]]
        return lines

    def _figures(self) -> list[tuple[str, str]]:
        return [
            ("steps", _told(self.steps)),
            ("events", f"{self.events:,}"),
            ("  not noticed", f"{len(self.unnoticed):,}"),
            ("  that never were", f"{len(self.imagined):,}"),
            ("  found by the key look only", f"{self.found_late:,}"),
            ("notifications expected", f"{self.expected:,}"),
            ("  seen", f"{self.seen:,}"),
            ("  missed", f"{len(self.missed):,}"),
            ("  doubled", f"{len(self.doubled):,}"),
            ("  unasked", f"{len(self.unasked):,}"),
            ("  dead", _told(self.dead)),
            ("  diverted to operators", _told(self.diverted)),
            ("delay in seconds", ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.delays.items())),
            ("daemon, largest memory", f"{self.memory / MEGABYTE:.0f} MB"),
            ("daemon, processor", f"{self.cpu:.0f} s in {self.lives} lives"),
            ("daemon, errors in loops", f"{self.loop_failures:,}"),
            ("calls", _told(self.calls)),
            ("faults that struck", _told(self.struck)),
            ("told to the operators", _told(self.notices)),
        ]


def gather(soak: Soak, seconds: float) -> Report:
    """The figures of a run that is over."""
    oracle, lives = soak.oracle, soak.lives
    dead, diverted = list(soak.store.dead()), list(soak.store.diverted())
    struck = {
        f"{system}.{name}": count
        for system, faults in (("kingdee", soak.kingdee.faults), ("dingtalk", soak.dingtalk.faults))
        for name, count in faults.struck.items()
    }
    delays = sorted(oracle.delays)
    marks = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return Report(
        seed=soak.options.seed,
        faults=soak.options.faults,
        seconds=seconds,
        steps=dict(soak.load.steps),
        events=oracle.events,
        expected=oracle.expected,
        seen=oracle.seen,
        missed=_each(oracle.missed(dead, diverted, GHOSTS)),
        doubled=_each(oracle.doubled()),
        unnoticed=[f"{form} {doc_id}: {_told(kinds)}" for (form, doc_id), kinds in oracle.unnoticed().items()],
        imagined=[f"{form} {doc_id}: {_told(kinds)}" for (form, doc_id), kinds in oracle.imagined().items()],
        unasked=_each(oracle.unasked()) + oracle.strangers,
        dead=dict(Counter(one.reason[:80] for one in dead)),
        diverted=dict(Counter(one.reason[:80] for one in diverted)),
        delays={name: round(percentile(delays, share), 2) for name, share in marks.items()},
        memory=lives.memory,
        cpu=round(lives.cpu, 1),
        lives=lives.number,
        found_late=lives.missed_changes,
        loop_failures=lives.loop_failures,
        calls={"Kingdee": soak.kingdee.answered, "DingTalk": len(soak.dingtalk.calls)},
        struck=struck,
        notices=dict(oracle.notices),
    )


def _each(counted: Counter[Tell]) -> list[str]:
    return [" ".join(tell) for tell, count in sorted(counted.items()) for _ in range(count)]


def _told(counted: dict[str, int] | Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counted.items())) or "0"
