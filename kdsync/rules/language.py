"""The sandbox: Jinja2 with only the words of `vocabulary.py`, exact numbers, and nothing that can grow without bound.

Jinja2 is documented at https://jinja.palletsprojects.com/, its sandbox under "Sandbox".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Protocol

from jinja2 import pass_context
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS as JINJA_TESTS

from kdsync.rules import vocabulary
from kdsync.rules.filters import OWN, amount, gathered, is_in, is_none, together, whole_of
from kdsync.rules.values import Amount, Missing, Record, Reference

STYLE = "style"  # where the context holds the Style; no rule can name it
TURNS = "turns"  # and where it counts the turns of loops
EXACT = "exact number"  # the blanks keep operators from writing these filters themselves
TOGETHER = "put together"
COUNTED = "counted turns"
WHOLE = "what something is in"
AS_WRITTEN = "as written"

_MOST_BITS = 10_000  # of a whole number that multiplying gives


class Style(Protocol):
    """How a message shows values; see `kdsync.delivery.style`."""

    def show(self, value: Any) -> str:
        """A printed value, escaped for where it stands."""

    def as_written(self, value: Any) -> Any:
        """The operator's own text, which keeps its markdown."""


class Language(ImmutableSandboxedEnvironment):
    """The environment of conditions; messages add their filters."""

    intercepted_binops = frozenset({"+", "*", "/", "//", "%", "**"})

    def __init__(self, **options: Any) -> None:
        super().__init__(undefined=Missing, trim_blocks=True, lstrip_blocks=True, **options)
        self.globals = {"range": _short_range}
        self.filters = (
            {name: gathered(JINJA_FILTERS[name]) for name in vocabulary.BUILTIN_FILTERS}
            | OWN
            | {EXACT: amount, TOGETHER: together, WHOLE: whole_of}
        )
        self.tests = {name: JINJA_TESTS[name] for name in vocabulary.TESTS} | {"in": is_in, "none": is_none}

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self._field(obj, attribute, super().getattr)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self._field(obj, argument, super().getitem)

    def _field(self, obj: Any, name: Any, otherwise: Callable[[Any, Any], Any]) -> Any:
        if isinstance(obj, Record):
            return obj.value(name)
        if isinstance(obj, Reference) and isinstance(name, str) and name not in vocabulary.METHODS:
            return obj.part(name)
        return otherwise(obj, name)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        _check_size(operator, left, right)
        if isinstance(left, int) and isinstance(right, int) and (operator == "/" or (operator == "**" and right < 0)):
            left = Amount(left)
        return super().call_binop(context, operator, left, right)


def _check_size(operator: str, left: Any, right: Any) -> None:
    if operator == "%" and isinstance(left, str):
        raise ValueError("text cannot be filled in with %; join texts with ~")
    if operator == "**" and _bits(left) * abs(right if isinstance(right, int) else 1) > _MOST_BITS:
        raise ValueError("the power is too large")
    if operator == "+" and isinstance(left, Sequence) and isinstance(right, Sequence):
        if len(left) + len(right) > vocabulary.LONGEST_JOINED:
            raise ValueError("joining would make it too long")
        return
    if operator != "*":
        return
    for one, times in ((left, right), (right, left)):
        if isinstance(one, str) and isinstance(times, int) and len(one) * times > vocabulary.LONGEST_TEXT:
            raise ValueError("repeated too often")
        if isinstance(one, Sequence) and not isinstance(one, str):
            raise ValueError("a list cannot be repeated")  # noqa: TRY004  # for whoever reads it in a message
    if _bits(left) + _bits(right) > _MOST_BITS:
        raise ValueError("the product is too large")


def _bits(value: Any) -> int:
    return value.bit_length() if isinstance(value, int) else 1


def _short_range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > vocabulary.LONGEST_RANGE:
        raise ValueError(f"range() gives at most {vocabulary.LONGEST_RANGE} numbers")
    return numbers


@pass_context
def _show(context: Context, value: Any) -> str:
    style: Style = context[STYLE]
    return style.show(value)


@pass_context
def _counted(context: Context, items: Iterable[Any]) -> list[Any]:
    """What a loop goes over, if all loops together do not take too many turns."""
    turns: list[int] = context[TURNS]
    taken = list(islice(items, vocabulary.MOST_TURNS + 1))
    turns[0] += len(taken)
    if turns[0] > vocabulary.MOST_TURNS:
        raise ValueError(f"its loops take more than {vocabulary.MOST_TURNS:,} turns")
    return taken


def _styled(name: str) -> Callable[..., Any]:
    """A filter or function that the message's Style works out, as it depends on language and place."""

    @pass_context
    def styled(context: Context, *values: Any, **options: Any) -> Any:
        return getattr(context[STYLE], name)(*values, **options)

    return styled


def _messages() -> Language:
    language = Language(finalize=_show)
    language.filters |= {name: _styled(name) for name in vocabulary.MESSAGE_FILTERS}
    language.filters |= {AS_WRITTEN: _styled("as_written"), COUNTED: _counted}
    language.globals |= {name: _styled(name) for name in vocabulary.MESSAGE_FUNCTIONS}
    return language


CONDITIONS = Language()
MESSAGES = _messages()
