"""What a benchmark says in the end: a table of figures, each with its limit and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Figure:
    """Samples of one measure. `limit` is for their median; None where a figure is only worth knowing."""

    name: str
    samples: Sequence[float]
    limit: float | None = None
    unit: str = ""

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def verdict(self) -> str:
        """`ok`, `MISSED`, or `-` without a limit."""
        if self.limit is None:
            return "-"
        return "ok" if self.median <= self.limit else "MISSED"

    def line(self) -> str:
        """One line of the table."""
        limit = "" if self.limit is None else f"{self.limit:g}"
        spread = f"{min(self.samples):>10.2f} {self.median:>10.2f} {max(self.samples):>10.2f}"
        return f"{self.name:<58} {self.unit:<5} {limit:>6} {self.verdict:<7} {len(self.samples):>4} {spread}"


def report(figures: Sequence[Figure]) -> int:
    """Print the table; the exit code is 1 where a limit was missed."""
    columns = f"{'min':>10} {'median':>10} {'max':>10}"
    print(f"{'figure':<58} {'unit':<5} {'limit':>6} {'verdict':<7} {'n':>4} {columns}")
    for figure in figures:
        print(figure.line())
    return int(any(figure.verdict == "MISSED" for figure in figures))


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    started = perf_counter()
    work()
    return perf_counter() - started


def alternating(rounds: int, ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Seconds of both, measured in turns, so that a machine that slows down slows both; the first turn is left out."""
    pairs = [(ours(), theirs()) for _ in range(rounds + 1)][1:]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Turn by turn."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def milliseconds(samples: Sequence[float]) -> list[float]:
    """Seconds in a unit that is easier to read."""
    return [1000 * sample for sample in samples]
