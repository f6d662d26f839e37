"""What is wrong with a rule: gathered, never thrown one at a time, so that an operator mends a file in one go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from kdsync.errors import KdsyncError


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake; `path` leads to it from the rule, such as `("message", "body", "en")`."""

    path: tuple[str | int, ...]
    message: str
    hint: str = ""


class RuleError(KdsyncError):
    """A rule cannot be used; `mistakes` holds all that was found."""

    def __init__(self, rule: str, mistakes: Iterable[Mistake]) -> None:
        self.rule = rule
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(f"rule {rule}: {mistake.message}" for mistake in self.mistakes))


class ExpressionError(KdsyncError):
    """An expression could not be worked out with the values it met; the text says why."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the known word nearest to `word`; '' where none is near."""
    found = process.extractOne(word, sorted(known), scorer=fuzz.ratio, processor=str.lower, score_cutoff=60)
    return f"did you mean {found[0]}?" if found else ""
